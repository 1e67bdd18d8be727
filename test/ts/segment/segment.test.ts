// alone: it prunes
import { statSync } from "node:fs";
import { GiB, IsthmusError, KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { keep, segmentExists, segmentName, segmentPath } from "../../lib/segments.js";
import { notAlone, onlyLinux, unless } from "../../lib/skips.js";

function code(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof IsthmusError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

test("sizes are rounded up to whole pages of 64 KiB, and the units are powers of 1024", () => {
  using segment = Segment.createAnonymous({ bytes: 65537 });
  assert.is(segment.bytes, 131072);
  assert.equal([KiB, MiB, GiB], [2 ** 10, 2 ** 20, 2 ** 30]);
});

test("create refuses what exists, open what does not, openOrCreate nothing", () => {
  const name = segmentName();
  assert.is(
    code(() => Segment.open(name)),
    "NOT_FOUND",
  );
  using first = Segment.openOrCreate(name, { bytes: 1 * MiB });
  assert.is(
    code(() => Segment.create(name, { bytes: 65536 })),
    "ALREADY_EXISTS",
  );
  using second = Segment.openOrCreate(name, { bytes: 65536 });
  using third = Segment.open(name);
  assert.equal([first.bytes, second.bytes, third.bytes], [MiB, MiB, MiB]);
  assert.is(third.participants().length, 3);
  assert.is(third.participants().filter((one) => one.self).length, 1);
  first.unlink();
  assert.not(segmentExists(name));
  assert.ok(first.stale && second.stale && third.stale);
  assert.throws(() => Segment.unlink(name), /^NOT_FOUND: unlinking segment .*Segment\.list\(\)/);
});

test("replacing makes a new generation: holders of the old one see stale and keep their bytes", () => {
  const name = segmentName();
  using old = Segment.create(name, { bytes: 65536 * 2 });
  using consumer = old.ring("r", { bytes: 100 }).consumer();
  using producer = old.ring("r", { bytes: 100 }).producer();
  assert.not(old.stale);
  using fresh = Segment.create(name, { bytes: 65536 * 4, replace: true });
  assert.ok(old.stale);
  assert.not(fresh.stale);
  assert.equal([old.generation, fresh.generation], [1, 2]);
  producer.trySend(Uint8Array.of(5));
  assert.is(consumer.tryReceive()?.[0], 5);
  assert.equal(fresh.objects(), []);
  old.unlink();
  assert.ok(segmentExists(name), "an old holder does not remove the new one's name");
  fresh.unlink();
});

unless(onlyLinux("modes of files"), test)(
  "the mode is exact, whatever the umask, and 0600 without a wish",
  () => {
    const before = process.umask(0o077);
    try {
      for (const mode of [undefined, 0o644, 0o660]) {
        const name = segmentName();
        using segment = Segment.create(name, mode === undefined ? { bytes: 65536 } : { bytes: 65536, mode });
        assert.is(statSync(segmentPath(name)).mode & 0o7777, mode ?? 0o600);
        segment.unlink();
      }
    } finally {
      process.umask(before);
    }
  },
);

unless(notAlone, test)("list names what exists; prune removes only what nobody alive has open", () => {
  const held = segmentName("held");
  const left = segmentName("left");
  using segment = Segment.create(held, { bytes: 65536 });
  Segment.create(left, { bytes: 65536 }).close();
  const listed = Segment.list().filter(({ name }) => name === held || name === left);
  assert.equal(
    listed.map(({ name, inUse, state, bytes }) => [name, inUse, state, bytes]),
    [
      [held, true, "READY", 65536],
      [left, false, "READY", 65536],
    ],
  );
  const pruned = Segment.prune();
  assert.ok(pruned.includes(left) && !pruned.includes(held));
  segment.unlink();
});

test("clean says whether everybody left in good order", () => {
  const name = segmentName();
  const first = Segment.create(name, { bytes: 65536 });
  const second = Segment.open(name);
  assert.not(first.header.clean);
  first.close();
  assert.not(second.header.clean);
  keep(name);
  second.close();
  using reader = Segment.open(name, { access: "read-only" });
  assert.ok(reader.header.clean);
  assert.equal(reader.participants(), []);
  reader.unlink();
});

test("after close every use says CLOSED, views read zeros, and closing again does nothing", () => {
  const segment = Segment.createAnonymous({ bytes: 65536 });
  const ring = segment.ring("r", { bytes: 100 });
  const producer = ring.producer();
  const claim = producer.tryClaim(8);
  claim?.bytes.fill(7);
  segment.close();
  segment.close();
  assert.equal(claim && Array.from(claim.bytes), Array(8).fill(0));
  for (const use of [
    () => segment.stale,
    () => segment.header,
    () => segment.ring("r", { bytes: 100 }),
    () => segment.participants(),
    () => ring.stats,
    () => ring.producer(),
    () => producer.trySend(new Uint8Array(1)),
    () => claim?.commit(),
  ]) {
    assert.is(code(use), "CLOSED");
  }
});

test("slots are bounded, and given back", () => {
  using first = Segment.createAnonymous({ bytes: 65536 });
  const more = Array.from({ length: 63 }, () => Segment.fromHandle(first.handle));
  assert.is(
    code(() => Segment.fromHandle(first.handle)),
    "TOO_MANY_PARTICIPANTS",
  );
  more.pop()?.close();
  more.push(Segment.fromHandle(first.handle));
  for (const one of more) one.close();
  assert.is(first.participants().length, 1);
});

test("up to 1024 participants, when asked for, and never silently fewer", () => {
  assert.is(
    code(() => Segment.createAnonymous({ bytes: 65536, participants: 1024 })),
    "SEGMENT_FULL",
  );
  using segment = Segment.createAnonymous({ bytes: MiB, participants: 1024 });
  assert.is(segment.header.participants, 1024);
  using ring = { ...segment.ring("r", { bytes: 1000 }), [Symbol.dispose]: () => {} };
  assert.is(ring.capacity, 1000);
});

test("a segment that is full says so, and what was there stays", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  segment.ring("a", { bytes: 10000 });
  assert.is(
    code(() => segment.ring("b", { bytes: 60000 })),
    "SEGMENT_FULL",
  );
  for (let i = 0; ; i++) {
    if (code(() => segment.ring(`n${i}`, { bytes: 64 })) === "SEGMENT_FULL") break;
    assert.ok(i < 1024);
  }
  assert.is(segment.ring("a", { bytes: 10000 }).capacity, 10000);
});

test("of gives the open segment that a block, its view or its bytes lie in", () => {
  using segment = Segment.createAnonymous({ bytes: 1 * MiB });
  using other = Segment.createAnonymous({ bytes: 1 * MiB });
  const Word = struct({ value: "u32" });
  const block = segment.heap.allocate(Word.bytes);
  assert.ok(block);
  for (const thing of [block, block.view(Word), block.bytes, new DataView(block.bytes.buffer)]) {
    assert.is(Segment.containing(thing), segment);
  }
  assert.is(Segment.containing(other.heap.allocate(8).bytes as Uint8Array), other);
  assert.is(Segment.containing(new Uint8Array(8)), undefined);
  assert.throws(() => Segment.containing(7 as never), /viewOrBlock must be/);
  segment.close();
  assert.is(Segment.containing(block), undefined);
});

test.run();
