/** Holds of a lock: what they answer when they are over, and that load of one kind keeps nobody of the other kind out. */
import { type Held, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCK_WAITERS_OFFSET, OBJECT_ALIGNMENT } from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { until, within } from "../../lib/watchdog.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
const [runtime] = presentRuntimes() as [Runtime];

/** Two openers of one segment, and what the lock says of itself. */
function scene() {
  const segment = Segment.create(segmentName("holds"), { bytes: MiB });
  const other = Segment.open(segment.name);
  const close = (): void => {
    other.close();
    segment.close();
  };
  const state = (): string | undefined => segment.objects()[0]?.lock?.state;
  return {
    segment,
    other,
    mine: segment.lock("lock"),
    theirs: other.lock("lock"),
    state,
    [Symbol.dispose]: close,
  };
}

test("a hold whose segment was closed says CLOSED, and may be released again", async () => {
  for (const mode of ["shared", "exclusive"] as const) {
    using all = scene();
    const third = Segment.open(all.segment.name);
    const held = third.lock("lock").acquireSync(mode);
    third.close();
    refused("CLOSED", () => held.tryUpgrade());
    refused("CLOSED", () => held.upgradeSync());
    await rejected("CLOSED", held.upgrade());
    refused("CLOSED", () => held.downgrade());
    refused("CLOSED", () => held.markConsistent());
    assert.is(held.mode, mode);
    held.release();
    held.release();
    held.close();
    assert.is(all.mine.tryAcquire("exclusive")?.ownerDied, false);
  }
});

test("an upgrade that is aborted or times out keeps the shared hold, and leaves no mark", async () => {
  using all = scene();
  const theirs = all.theirs.acquireSync("shared");
  const held = all.mine.acquireSync("shared");
  const controller = new AbortController();
  const reason = new Error("enough");
  const upgrading = held.upgrade({ signal: controller.signal }).catch((error: unknown) => error);
  await until("the upgrade waits", () => all.state() === "waiting");
  controller.abort(reason);
  assert.is(await within("the abort", upgrading), reason);
  assert.is(all.state(), "shared");
  await rejected("TIMED_OUT", held.upgrade({ timeoutMs: 1 }));
  assert.is(all.state(), "shared");
  assert.is(held.mode, "shared");
  using third = Segment.open(all.segment.name);
  third.lock("lock").acquireSync("shared", { timeoutMs: 0 }).release();
  theirs.release();
  assert.ok(held.tryUpgrade());
  held.release();
  assert.is(all.state(), "free");
});

test("an upgrade is served when the other shared holder is killed", async () => {
  for (const runtime of presentRuntimes()) {
    using all = scene();
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("open", all.segment.name);
    await child.call("acquire", all.segment.name, "lock", "shared");
    const held = all.mine.acquireSync("shared");
    assert.not(held.tryUpgrade());
    const upgrading = held.upgrade();
    await child.kill();
    await within(`the upgrade (${runtime.name})`, upgrading);
    assert.not(held.ownerDied);
    held.release();
  }
});

test("who was killed while it waited to upgrade keeps nobody from upgrading", async () => {
  for (const runtime of presentRuntimes()) {
    for (const way of ["try", "sync", "async"]) {
      using all = scene();
      const child = await Agent.start(runtime, ACTIONS);
      await child.call("open", all.segment.name);
      await child.call("acquire", all.segment.name, "lock", "shared");
      const held = all.mine.acquireSync("shared");
      child.call("upgrade", "lock").catch(() => {});
      await until("the child waits to upgrade", () => all.state() === "waiting");
      refused("DEADLOCK", () => held.tryUpgrade());
      await child.kill();
      if (way === "try") assert.ok(held.tryUpgrade());
      else if (way === "sync") held.upgradeSync({ timeoutMs: 10_000 });
      else await held.upgrade({ timeoutMs: 10_000 });
      assert.not(held.ownerDied);
      held.release();
      assert.is(all.state(), "free");
    }
  }
});

test("a claim that sleeps is kept when a try, a short wait or another promise of its opener gives up", async () => {
  using all = scene();
  using third = Segment.open(all.segment.name);
  const held = all.theirs.acquireSync("shared");
  const claim = all.mine.acquire("exclusive");
  claim.catch(() => {}); // should the test fail before it is awaited
  const set = objectOffset(all.segment.name, "lock") + LOCK_WAITERS_OFFSET + OBJECT_ALIGNMENT;
  await until("the claim sleeps", () => peek32(all.segment.name, set) !== 0);
  const keepsOut = (): void => assert.is(third.lock("lock").tryAcquire("shared"), undefined);
  keepsOut();
  assert.is(all.mine.tryAcquire("exclusive"), undefined);
  keepsOut();
  refused("DEADLOCK", () => all.mine.acquireSync("exclusive", { timeoutMs: 1 }));
  keepsOut();
  await rejected("TIMED_OUT", all.mine.acquire("exclusive", { timeoutMs: 1 }));
  keepsOut();
  held.release();
  (await within("the claim", claim)).release();
  assert.is(all.state(), "free");
});

test("a downgrade lets waiting shared holders in, and keeps exclusive ones out", async () => {
  using all = scene();
  const held = all.mine.acquireSync("exclusive");
  const waiting = all.theirs.acquire("shared");
  held.downgrade();
  const shared = await within("the shared hold", waiting);
  using third = Segment.open(all.segment.name);
  assert.is(third.lock("lock").tryAcquire("exclusive"), undefined);
  held.release();
  shared.release();
});

test("a hold ends with its block, also by an exception, and only the outermost ends the lock", () => {
  using all = scene();
  const outer = all.mine.acquireSync("exclusive");
  assert.throws(() => {
    using inner: Held = outer.acquireSync("shared");
    assert.is(inner.mode, "shared");
    throw new Error("no");
  }, /no/);
  assert.is(all.theirs.tryAcquire("shared"), undefined);
  outer.release();
  assert.is(all.theirs.tryAcquire("exclusive")?.ownerDied, false);
});

test("a hold that is released again takes nothing from the other holds of its nest", () => {
  for (const mode of ["shared", "exclusive"] as const) {
    using all = scene();
    const outer = all.mine.acquireSync(mode);
    const inner = outer.acquireSync(mode);
    inner.release();
    inner.release();
    inner.close();
    refused("CLOSED", () => inner.tryAcquire("shared"));
    assert.is(all.theirs.tryAcquire("exclusive"), undefined, mode);
    outer.release();
    assert.is(all.state(), "free");
  }
});

test("a hold is told of no death that others have repaired since its opener's last hold", async () => {
  using all = scene();
  const child = await Agent.start(runtime, ACTIONS);
  await child.call("open", all.segment.name);
  await child.call("acquire", all.segment.name, "lock", "exclusive");
  await child.kill();
  const told = all.mine.acquireSync("shared");
  assert.ok(told.ownerDied);
  told.release();
  const repairing = all.theirs.acquireSync("exclusive");
  repairing.markConsistent();
  repairing.release();
  for (const mode of ["shared", "exclusive"] as const) {
    using held = all.mine.acquireSync(mode);
    assert.not(held.ownerDied, mode);
  }
});

test("a broken lock stays broken for whoever comes, also after all have left", async () => {
  using all = scene();
  const child = await Agent.start(runtime, ACTIONS);
  await child.call("open", all.segment.name);
  await child.call("acquire", all.segment.name, "lock", "exclusive");
  await child.kill();
  using held = all.mine.acquireSync("shared");
  assert.ok(held.ownerDied);
  held.release();
  assert.ok(all.theirs.acquireSync("shared").ownerDied, "a shared release has settled something");
  all.other.close();
  all.mine.acquireSync("exclusive").release();
  assert.is(all.state(), "broken");
  using later = Segment.open(all.segment.name);
  refused("BROKEN", () => later.lock("lock").acquireSync("shared"), /replace the segment/);
});

for (const [load, wanted] of [
  ["shared", "exclusive"],
  ["exclusive", "shared"],
] as const) {
  test(`whoever wants it ${wanted} is served while others take it ${load} without end`, async () => {
    using all = scene();
    const name = all.segment.name;
    const agents = await Agent.startAll([runtime, runtime, runtime], ACTIONS);
    for (const agent of agents) agent.call("holdForEver", name, load).catch(() => {});
    try {
      for (let round = 0; round < 200; round++) {
        all.mine.acquireSync(wanted, { timeoutMs: 10_000 }).release();
        (await all.theirs.acquire(wanted, { timeoutMs: 10_000 })).release();
      }
    } finally {
      for (const agent of agents) await agent.kill();
    }
  });
}

test.run();
