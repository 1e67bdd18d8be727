// alone: any prune removes what it leaves behind
/** The name of a temporary segment goes with the last one who has it open. */
import { chownSync } from "node:fs";
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KERNEL_LOCK_HOLDERS } from "../../../protocol/layout.js";
import { loadNative } from "../../../ts/host/native.cjs";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { node, presentRuntimes } from "../../lib/runtimes.js";
import { forget, keep, segmentExists, segmentName, segmentPath } from "../../lib/segments.js";
import { notSuperuser, unless } from "../../lib/skips.js";
import { Blocked, impatient, stepped, undisturbed } from "../../lib/steps.js";

const ACTIONS = "failures/actions.ts";
const BYTES = 64 * KiB;

const made = (name: string): Segment => Segment.create(name, { bytes: BYTES, temporary: true });
const read = (name: string): Segment => Segment.open(name, { access: "read-only" });

/** A temporary segment whose last holder was killed. */
async function leftBehind(): Promise<string> {
  const name = segmentName("temporary");
  const agent = await Agent.start(node, ACTIONS);
  await agent.call("create", name, { bytes: BYTES, temporary: true });
  keep(name);
  await agent.kill();
  assert.ok(segmentExists(name));
  return name;
}

test("the name goes when the last one closes, in whatever order writers and readers do", () => {
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
    [1, 0, 2],
    [0, 2, 1],
    [2, 0, 1],
  ];
  for (const order of orders) {
    const name = segmentName("temporary");
    const holders = [made(name), Segment.open(name), read(name)];
    assert.ok(holders.every(({ header }) => header.temporary));
    for (const index of order) {
      assert.ok(segmentExists(name));
      holders[index]?.close();
    }
    assert.not(segmentExists(name), String(order));
  }
});

test("other segments keep their names, also when asked for as temporary by a later opener", () => {
  const name = segmentName("stays");
  using first = Segment.create(name, { bytes: BYTES });
  using second = Segment.openOrCreate(name, { bytes: BYTES, temporary: true });
  assert.equal([first.header.temporary, second.header.temporary], [false, false]);
  keep(name);
  second.close();
  first.close();
  assert.ok(segmentExists(name));
  forget(name);
});

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: the name goes with a process that ends in good order, a writer or a reader`, async () => {
    for (const access of ["read-write", "read-only"]) {
      const name = segmentName("temporary");
      const first = made(name);
      const agent = await Agent.start(runtime, ACTIONS);
      await agent.call("open", name, { access });
      first.close();
      assert.ok(segmentExists(name));
      agent.call("exitProcess", 0).catch(() => {});
      await agent.ended;
      assert.not(segmentExists(name), access);
    }
  });
}

test("what a killed process leaves behind goes with the next open, of whatever kind", async () => {
  refused("NOT_FOUND", () => Segment.open("temporary-never-made"));
  for (const attempt of [(name: string) => Segment.open(name), read]) {
    const name = await leftBehind();
    refused("NOT_FOUND", () => attempt(name));
    assert.not(segmentExists(name));
  }
  const creators = [
    made,
    (name: string) => Segment.openOrCreate(name, { bytes: BYTES }),
    (name: string) => Segment.create(name, { bytes: BYTES, replace: true }),
  ];
  for (const attempt of creators) {
    const name = await leftBehind();
    using fresh = attempt(name);
    assert.equal([fresh.stale, fresh.participants().length], [false, 1]);
    if (!fresh.header.temporary) fresh.unlink();
  }
  const name = await leftBehind();
  await rejected("TIMED_OUT", Segment.waitFor(name, { timeoutMs: 1 }));
  assert.not(segmentExists(name));
});

test("list shows what was left behind, prune removes it, and a dry run does not", async () => {
  const pruned = await leftBehind();
  assert.equal(Segment.prune({ prefix: pruned, dryRun: true }), [pruned]);
  const [found] = Segment.list({ prefix: pruned });
  assert.equal([found?.temporary, found?.inUse], [true, false]);
  assert.ok(segmentExists(pruned));
  assert.equal(Segment.prune({ prefix: pruned }), [pruned]);
  assert.not(segmentExists(pruned));
});

test("a killed process takes nothing from others who have it open", async () => {
  const name = segmentName("temporary");
  const agents = await Agent.startAll([node, node], ACTIONS);
  await agents[0]?.call("create", name, { bytes: BYTES, temporary: true });
  await agents[1]?.call("open", name, { access: "read-only" });
  await agents[0]?.kill();
  using mine = Segment.open(name);
  assert.equal([mine.stale, Segment.list({ prefix: name })[0]?.temporary], [false, true]);
  await agents[1]?.kill();
  assert.not(mine.stale);
});

test("a new generation under the name is no business of those who leave the old one", () => {
  const name = segmentName("temporary");
  const old = made(name);
  const fresh = Segment.create(name, { bytes: BYTES, replace: true });
  assert.not(fresh.header.temporary);
  old.close();
  assert.not(fresh.stale);
  const temporary = Segment.create(name, { bytes: BYTES, replace: true, temporary: true });
  fresh.close();
  assert.equal([temporary.stale, temporary.generation], [false, 3]);
  temporary.close();
  assert.not(segmentExists(name));
});

test("between any two steps of the last one that leaves, whoever opens joins it or makes a new one", () => {
  const openers = [(name: string) => Segment.openOrCreate(name, { bytes: BYTES, temporary: true }), read];
  const lastReader = (name: string): Segment => {
    using _writer = made(name);
    return read(name);
  };
  for (const leaver of [made, lastReader]) {
    for (const open of openers) {
      for (let at = 1; ; at++) {
        const name = segmentName("step");
        const last = leaver(name);
        let came: Segment | string | undefined;
        const look = (): Segment | string => {
          try {
            return undisturbed(() => impatient(() => open(name)));
          } catch (error) {
            // It waits for the leaver, which, in this very thread, cannot go on meanwhile.
            return error instanceof Blocked ? "BLOCKED" : (error as { code: string }).code;
          }
        };
        stepped(
          (step) => {
            if (step === at) came = look();
          },
          () => last.close(),
        );
        if (came === undefined) break;
        if (typeof came === "string") assert.ok(["NOT_FOUND", "BLOCKED"].includes(came), `${at}: ${came}`);
        else {
          assert.not(came.stale, `${at}`);
          assert.ok(segmentExists(name));
          came.close();
        }
        if (segmentExists(name)) refused("NOT_FOUND", () => Segment.open(name));
        assert.not(segmentExists(name), `the name is left after step ${at}`);
      }
    }
  }
});

test("a reader that holds it keeps the name from a writer that leaves: without the lock of holders it would be lost", () => {
  const shim = loadNative();
  const genuine = shim.lock;
  const name = segmentName("planted");
  const [writer, reader] = [made(name), read(name)];
  shim.lock = (object, index, shared) =>
    (index === KERNEL_LOCK_HOLDERS && !shared) || genuine(object, index, shared);
  try {
    writer.close();
  } finally {
    shim.lock = genuine;
  }
  assert.ok(reader.stale, "the planted bug was not noticed");
  reader.close();
});

unless(notSuperuser, test)("a reader that may not write leaves the name to its owner", async () => {
  const name = segmentName("theirs");
  const first = Segment.create(name, { bytes: BYTES, temporary: true, mode: 0o644 });
  const user = await Agent.start(node, "failures/removal-actions.ts");
  await user.call("setUser", 65534);
  await user.call("openAsReader", name);
  first.close();
  assert.ok(segmentExists(name));
  await user.call("closeReader");
  assert.ok(segmentExists(name));
  await rejected("NOT_FOUND", user.call("openAsReader", name));
  assert.equal(Segment.prune({ prefix: name }), [name]);
  await user.end();
});

unless(notSuperuser, test)("owner says whose segments are opened", async () => {
  const name = segmentName("owned");
  Segment.create(name, { bytes: BYTES }).close();
  chownSync(segmentPath(name), 65534, 65534);
  const { message } = refused("ACCESS_DENIED", () => Segment.open(name), /belongs to user 65534/);
  assert.match(message, /\{ owner: 65534 \}/);
  refused("ACCESS_DENIED", () => Segment.open(name, { owner: "self" }));
  refused("ACCESS_DENIED", () => Segment.open(name, { owner: 0 }));
  refused("ACCESS_DENIED", () => Segment.openOrCreate(name, { bytes: BYTES }));
  for (const owner of ["any", 65534] as const) {
    for (const access of ["read-write", "read-only"] as const) Segment.open(name, { owner, access }).close();
    (await Segment.waitFor(name, { owner })).close();
  }
  await rejected("ACCESS_DENIED", Segment.waitFor(name, { timeoutMs: 1000 }));
  Segment.unlink(name);
});

test("owner must be one of the words or the number of a user", () => {
  refused("RangeError", () => Segment.open("x", { owner: "me" as "any" }), /owner must be "self", "any"/);
  refused("RangeError", () => Segment.open("x", { owner: -1 }), /owner must be an integer/);
  refused("TypeError", () => Segment.open("x", { owner: null as never }), /owner must be/);
});

test.run();
