/** Which segments are listed, and which are pruned; of names of this test alone, since others have segments, too. */
import { writeFileSync } from "node:fs";
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HEADER_CREATED_NS_OFFSET, HEADER_HEARTBEAT_NS_OFFSET } from "../../../protocol/layout.js";
import { poke64 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { refused } from "../../lib/refusals.js";
import { node } from "../../lib/runtimes.js";
import { makeIdle, segmentExists, segmentName, segmentPath } from "../../lib/segments.js";
import { onlyLinux, unless } from "../../lib/skips.js";

const BYTES = 64 * KiB;
const HOUR_MS = 3_600_000;

/** Idle segments of the same prefix, in order. */
function idle(count: number): { prefix: string; names: string[] } {
  const prefix = segmentName("idle");
  const names = Array.from({ length: count }, (_, index) => {
    const name = `${prefix}-${index}`;
    return makeIdle(name, BYTES);
  });
  return { prefix, names };
}

/** Makes the segment look as if it was used last so long ago. */
function age(name: string, milliseconds: number): void {
  const then = BigInt(Date.now() - milliseconds) * 1_000_000n;
  poke64(name, HEADER_HEARTBEAT_NS_OFFSET, then);
  poke64(name, HEADER_CREATED_NS_OFFSET, then);
}

test("a prefix restricts what is listed and what is pruned", () => {
  const [mine, other] = [idle(3), idle(2)];
  const listed = (prefix: string) => Segment.list({ prefix }).map(({ name }) => name);
  assert.equal(listed(mine.prefix), mine.names);
  assert.equal(listed(`${mine.prefix}-1`), [mine.names[1]]);
  assert.equal(listed(`x${mine.prefix}`), []);
  for (const name of [...mine.names, ...other.names]) assert.ok(listed("").includes(name));
  assert.equal(Segment.prune({ prefix: mine.prefix }), mine.names);
  assert.equal([listed(mine.prefix), listed(other.prefix)], [[], other.names]);
  assert.equal(Segment.prune({ prefix: other.prefix }), other.names);
});

test("a dry run says what would be removed, and removes nothing", () => {
  const { prefix, names } = idle(2);
  using held = Segment.create(`${prefix}-held`, { bytes: BYTES });
  assert.equal(Segment.prune({ prefix, dryRun: true }), names);
  assert.ok(names.every(segmentExists));
  assert.equal(Segment.prune({ prefix, dryRun: false }), names);
  assert.not(names.some(segmentExists));
  held.unlink();
});

test("only what nobody has used for so long is pruned", async () => {
  const { prefix, names } = idle(3);
  const [old, older, recent] = names as [string, string, string];
  age(old, 2 * HOUR_MS);
  age(older, 5 * HOUR_MS);
  assert.equal(Segment.prune({ prefix, olderThanMs: 6 * HOUR_MS }), []);
  assert.equal(Segment.prune({ prefix, olderThanMs: 3 * HOUR_MS, dryRun: true }), [older]);
  assert.equal(Segment.prune({ prefix, olderThanMs: HOUR_MS }), [old, older]);
  assert.ok(segmentExists(recent));
  // Joining and leaving are use, and so is dying: the signs of life until then count.
  age(recent, 5 * HOUR_MS);
  Segment.open(recent).close();
  assert.equal(Segment.prune({ prefix, olderThanMs: HOUR_MS }), []);
  age(recent, 5 * HOUR_MS);
  const agent = await Agent.start(node, "failures/actions.ts");
  await agent.call("open", recent);
  await agent.kill();
  assert.equal(Segment.prune({ prefix, olderThanMs: HOUR_MS }), []);
  // A clock that went back makes nothing old.
  age(recent, -5 * HOUR_MS);
  assert.equal(Segment.prune({ prefix, olderThanMs: 1 }), []);
  assert.equal(Segment.prune({ prefix }), [recent]);
});

unless(onlyLinux("segments that are files"), test)(
  "what was never finished has no age: it is pruned only when no age is asked for",
  () => {
    const prefix = segmentName("unfinished");
    const names = [`${prefix}-empty`, `${prefix}-zeros`];
    writeFileSync(segmentPath(names[0] as string), "", { mode: 0o600 });
    writeFileSync(segmentPath(names[1] as string), Buffer.alloc(BYTES), { mode: 0o600 });
    assert.equal(Segment.prune({ prefix, olderThanMs: 1 }), []);
    assert.equal(Segment.prune({ prefix }), names);
  },
);

test("options of list and prune are checked", () => {
  refused("TypeError", () => Segment.list({ prefix: 7 as never }), /prefix must be a string/);
  refused("TypeError", () => Segment.list({ pre: "x" } as never), /did you mean "prefix"/);
  refused("TypeError", () => Segment.prune({ olderThan: 7 } as never), /did you mean "olderThanMs"/);
  refused("TypeError", () => Segment.prune({ olderThanMs: "7" as never }), /olderThanMs must be a number/);
  for (const olderThanMs of [-1, Number.NaN]) {
    refused("RangeError", () => Segment.prune({ olderThanMs }), /olderThanMs must be 0 or more/);
  }
  refused("TypeError", () => Segment.prune({ dryRun: 1 as never }), /dryRun must be a boolean/);
  refused("TypeError", () => Segment.prune("prefix" as never), /options must be an object/);
});

test("openOrCreate that finds less than it asked for says both numbers and what to do", () => {
  const name = segmentName("less");
  using first = Segment.create(name, { bytes: 2 * BYTES });
  const text = /has 131072 bytes, but 196608 were asked for; .*replace: true/;
  refused("OBJECT_MISMATCH", () => Segment.openOrCreate(name, { bytes: 3 * BYTES }), text);
  refused("OBJECT_MISMATCH", () => Segment.openOrCreate(name, { bytes: 2 * BYTES + 1 }), text);
  refused(
    "OBJECT_MISMATCH",
    () => Segment.openOrCreate(name, { bytes: BYTES, participants: 128 }),
    /made for 64 participants, but 128 were asked for/,
  );
  assert.is(first.participants().length, 1, "who was refused has not joined");
  for (const bytes of [BYTES, 2 * BYTES, 2 * BYTES - 1]) {
    using same = Segment.openOrCreate(name, { bytes, participants: 64 });
    assert.is(same.bytes, 2 * BYTES);
  }
  refused("TypeError", () => Segment.openOrCreate(name, { bytes: BYTES, replace: true } as never), /replace/);
  first.unlink();
});

test.run();
