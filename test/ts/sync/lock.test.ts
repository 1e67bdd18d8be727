/** Locks: several openers against a model of who may hold what; nesting, upgrades, waits, and holders that are killed. */
import fc from "fast-check";
import { type Held, type Lock, type LockMode, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { printedSeed } from "../../lib/series.js";
import { pause, until, within } from "../../lib/watchdog.js";

const OPENERS = 3;
const ACTIONS = "processes/memory-soak/memory-actions.ts";

/** Openers of one segment; each is a participant of its own. */
function openers(count = OPENERS) {
  const segments = [Segment.createAnonymous({ bytes: MiB })];
  while (segments.length < count) segments.push(Segment.fromHandle((segments[0] as Segment).handle));
  const locks = segments.map((segment) => segment.lock("lock"));
  const close = (): void => {
    for (const segment of segments.reverse()) segment.close();
  };
  return { segments, locks: locks as [Lock, Lock, Lock], [Symbol.dispose]: close };
}

/** A wait is looked at at once, or in the next turn of the event loop when that is due. */
function claimed(segment: Segment): Promise<void> {
  return until("the lock is claimed", () => segment.objects()[0]?.lock?.state === "waiting");
}

/** Of each opener its holders, each with the modes of its hold and of those that are nested in it. */
type Model = LockMode[][][];
interface Real {
  locks: Lock[];
  holds: Held[][][];
}
type LockCommand = fc.Command<Model, Real>;
type Way = "try" | "sync";

const modeOf = (modes: LockMode[]): LockMode => (modes.includes("exclusive") ? "exclusive" : "shared");

/** Whether these holders leave room for another one. */
function allowed(holders: LockMode[][], mode: LockMode): boolean {
  return holders.every((modes) => mode === "shared" && modeOf(modes) === "shared");
}

function agree(model: Model, { holds }: Real): void {
  assert.equal(
    holds.map((holders) => holders.map((all) => all.map(({ mode }) => mode))),
    model,
  );
}

/** What a call gives that wants the lock: `own` holders of its opener keep it out for ever, others may go. */
function expect(way: Way, take: () => unknown, own: boolean, others: boolean): void {
  if (way === "try") assert.not(take());
  else refused(own ? "DEADLOCK" : others ? "TIMED_OUT" : "nothing", take);
}

function acquire(who: number, mode: LockMode, way: Way): LockCommand {
  return {
    check: () => true,
    run(model, real) {
      const lock = real.locks[who] as Lock;
      const take = (): Held | undefined =>
        way === "try" ? lock.tryAcquire(mode) : lock.acquireSync(mode, { timeoutMs: 1 });
      const own = allowed(model[who] as LockMode[][], mode);
      const others = allowed(
        model.flatMap((holders, i) => (i === who ? [] : holders)),
        mode,
      );
      if (own && others) {
        const held = take();
        assert.ok(held, `opener ${who} did not get the lock ${mode}`);
        real.holds[who]?.push([held as Held]);
        model[who]?.push([mode]);
      } else expect(way, take, !own, !others);
      agree(model, real);
    },
    toString: () => `${way}Acquire(${who}, ${mode})`,
  };
}

/** A holder that something is done with, one of its holds, and whether it could be exclusive now. */
interface Chosen {
  hold: Held;
  at: number;
  modes: LockMode[];
  holds: Held[];
  /** Whether the holders of its own opener, and those of the others, allow that it is exclusive. */
  own: boolean;
  others: boolean;
}

function using(what: string, who: number, which: number, act: (chosen: Chosen) => void): LockCommand {
  return {
    check: (model) => (model[who]?.length ?? 0) > 0,
    run(model, real) {
      const holders = model[who] as LockMode[][];
      const index = which % holders.length;
      const modes = holders[index] as LockMode[];
      const holds = real.holds[who]?.[index] as Held[];
      const at = which % modes.length;
      const exclusive = modeOf(modes) === "exclusive";
      act({
        hold: holds[at] as Held,
        at,
        modes,
        holds,
        own: exclusive || holders.length === 1,
        others: exclusive || model.every((all, i) => i === who || all.length === 0),
      });
      if (modes.length === 0) {
        holders.splice(index, 1);
        real.holds[who]?.splice(index, 1);
      }
      agree(model, real);
    },
    toString: () => `${what}(${who}, ${which})`,
  };
}

const release = (who: number, which: number): LockCommand =>
  using("release", who, which, ({ hold, at, modes, holds }) => {
    hold.release();
    hold.release();
    holds.splice(at, 1);
    modes.splice(at, 1);
    for (const call of [() => hold.tryUpgrade(), () => hold.tryAcquire("shared")]) refused("CLOSED", call);
  });

const nest = (who: number, which: number, mode: LockMode, way: Way): LockCommand =>
  using(`${way}Nest ${mode}`, who, which, ({ hold, modes, holds, own, others }) => {
    const take = (): Held | undefined =>
      way === "try" ? hold.tryAcquire(mode) : hold.acquireSync(mode, { timeoutMs: 1 });
    if (mode === "exclusive" && !(own && others)) return expect(way, take, !own, !others);
    const held = take();
    assert.ok(held, `no nested hold ${mode}`);
    holds.push(held as Held);
    modes.push(mode);
  });

const upgrade = (who: number, which: number, way: Way): LockCommand =>
  using(`${way}Upgrade`, who, which, ({ hold, at, modes, own, others }) => {
    const take = (): unknown => (way === "try" ? hold.tryUpgrade() : hold.upgradeSync({ timeoutMs: 1 }));
    if (!(own && others)) return expect(way, take, !own, !others);
    take();
    modes[at] = "exclusive";
  });

const downgrade = (who: number, which: number): LockCommand =>
  using("downgrade", who, which, ({ hold, at, modes }) => {
    hold.downgrade();
    modes[at] = "shared";
  });

const who = fc.nat({ max: OPENERS - 1 });
const mode = fc.constantFrom<LockMode>("shared", "exclusive");
const way = fc.constantFrom("try" as const, "try" as const, "sync" as const);

const commands = fc.commands(
  [
    fc.tuple(who, mode, way).map((given) => acquire(...given)),
    fc.tuple(who, mode, way).map((given) => acquire(...given)),
    fc.tuple(who, fc.nat(), mode, way).map((given) => nest(...given)),
    fc.tuple(who, fc.nat()).map((given) => release(...given)),
    fc.tuple(who, fc.nat()).map((given) => release(...given)),
    fc.tuple(who, fc.nat(), way).map((given) => upgrade(...given)),
    fc.tuple(who, fc.nat()).map((given) => downgrade(...given)),
  ],
  { maxCommands: 60, size: "max" },
);

test("many hold it shared or one exclusively, whatever is acquired, nested, upgraded, downgraded and released", () => {
  const property = fc.property(commands, (sequence) => {
    using scene = openers();
    const real: Real = { locks: scene.locks, holds: scene.locks.map(() => []) };
    fc.modelRun(() => ({ model: scene.locks.map(() => []), real }), sequence);
    for (const held of real.holds.flat(2)) held.release();
    for (const lock of scene.locks) {
      const held = lock.tryAcquire("exclusive");
      assert.ok(held, "the lock is not free at the end");
      held.release();
    }
  });
  fc.assert(property, { numRuns: 100, seed: printedSeed() });
});

test("a wait is served when the holder releases, in each mode", async () => {
  using scene = openers();
  const [a, b, c] = scene.locks;
  const held = a.acquireSync("exclusive");
  const shared = [b.acquire("shared"), c.acquire("shared")];
  await pause(5);
  held.release();
  const got = await within("both shared holds", Promise.all(shared));
  const exclusive = a.acquire("exclusive");
  got[0]?.release();
  got[1]?.release();
  (await within("the exclusive hold", exclusive)).release();
});

test("the claim of one that gave up keeps nobody out: a try right after it takes the lock shared", async () => {
  using scene = openers();
  const [a, b, c] = scene.locks;
  using _reading = a.acquireSync("shared");
  const controller = new AbortController();
  const reason = new Error("enough");
  const refusal = b.acquire("exclusive", { signal: controller.signal }).catch((error) => error);
  await claimed(scene.segments[0] as Segment);
  controller.abort(reason);
  assert.is(await within("the abort", refusal), reason);
  const held = c.tryAcquire("shared");
  assert.ok(held, "the claim is there");
  held.release();
});

test("a claim keeps new shared holders out, and giving it up lets them in", async () => {
  using scene = openers();
  const [a, b, c] = scene.locks;
  const reading = a.acquireSync("shared");
  const controller = new AbortController();
  const reason = new Error("enough");
  const writing = b.acquire("exclusive", { signal: controller.signal });
  const refusal = writing.catch((error) => error);
  await claimed(scene.segments[0] as Segment);
  assert.is(c.tryAcquire("shared"), undefined);
  const waiting = c.acquire("shared");
  controller.abort(reason);
  assert.is(await within("the abort", refusal), reason);
  (await within("the shared hold", waiting)).release();
  reading.release();
});

test("when two wait to upgrade, the second is told DEADLOCK, and the first goes on when it releases", async () => {
  using scene = openers();
  const [a, b] = scene.locks;
  const first = a.acquireSync("shared");
  const second = b.acquireSync("shared");
  const upgrading = first.upgrade();
  await claimed(scene.segments[0] as Segment);
  await rejected("DEADLOCK", second.upgrade());
  refused("DEADLOCK", () => second.upgradeSync());
  refused("DEADLOCK", () => second.tryUpgrade());
  second.release();
  await within("the upgrade", upgrading);
  assert.is(first.mode, "exclusive");
  assert.is(b.tryAcquire("shared"), undefined);
  first.release();
});

test("an upgrade passes a claim that only waits", async () => {
  using scene = openers();
  const [a, b] = scene.locks;
  const held = a.acquireSync("shared");
  const claim = b.acquire("exclusive");
  await within("the upgrade", held.upgrade());
  held.release();
  (await within("the claim", claim)).release();
});

test("upgrades that wait side by side on one hold are one", async () => {
  using scene = openers();
  const [a, b] = scene.locks;
  const other = b.acquireSync("shared");
  const held = a.acquireSync("shared");
  const both = [held.upgrade(), held.upgrade()];
  other.release();
  await within("both", Promise.all(both));
  held.release();
  assert.ok(b.tryAcquire("exclusive"), "the lock is not free");
});

test("a hold that is released while it waits to upgrade leaves nothing behind", async () => {
  using scene = openers();
  const [a, b] = scene.locks;
  const other = b.acquireSync("shared");
  const held = a.acquireSync("shared");
  const upgrading = held.upgrade();
  held.release();
  other.release();
  await rejected("CLOSED", within("the upgrade", upgrading));
  assert.ok(b.tryAcquire("exclusive"), "the lock is not free");
});

test("one opener that waits shared and exclusive at once gets both in turn", async () => {
  for (const order of [
    ["shared", "exclusive"],
    ["exclusive", "shared"],
  ] as const) {
    using scene = openers();
    const [a, b] = scene.locks;
    const held = a.acquireSync("exclusive");
    const waits = order.map((mode) => b.acquire(mode).then((got) => got.release()));
    held.release();
    await within("both", Promise.all(waits));
    assert.ok(a.tryAcquire("exclusive"), `the lock is not free after ${order.join(", ")}`);
  }
});

test("a lock that was left for shared waiters who have gone is free for a try after a while", async () => {
  using scene = openers();
  const [a, b, c] = scene.locks;
  const held = a.acquireSync("exclusive");
  const controller = new AbortController();
  const gone = b.acquire("shared", { signal: controller.signal }).catch(() => {});
  await pause(5);
  held.release();
  controller.abort();
  await gone;
  await until("the lock is free", () => c.tryAcquire("exclusive") !== undefined);
});

test("closing the segment gives back what it holds, and ends its waits", async () => {
  using scene = openers(2);
  const [a, b] = scene.locks;
  const third = Segment.fromHandle((scene.segments[0] as Segment).handle);
  const lock = third.lock("lock");
  lock.acquireSync("exclusive");
  const waiting = a.acquire("exclusive");
  third.close();
  (await within("the lock of the closed opener", waiting)).release();
  refused("CLOSED", () => lock.tryAcquire());
  const held = b.acquireSync("exclusive");
  const last = Segment.fromHandle((scene.segments[0] as Segment).handle);
  const pending = rejected("CLOSED", last.lock("lock").acquire("exclusive"));
  last.close();
  await within("the end of the wait", pending);
  held.release();
  assert.ok(a.tryAcquire("exclusive"));
});

test("a read-only opener may not lock", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  segment.lock("lock");
  using looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  refused("READ_ONLY", () => looking.lock("lock").tryAcquire());
});

for (const runtime of presentRuntimes()) {
  test(`a killed exclusive holder is recovered, and told once it is repaired no more (${runtime.name})`, async () => {
    using segment = Segment.create(segmentName("owner"), { bytes: MiB });
    const lock = segment.lock("lock");
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("open", segment.name);
    await child.call("acquire", segment.name, "lock", "exclusive");
    assert.is(lock.tryAcquire("shared"), undefined);
    const waiting = lock.acquire("shared");
    await child.kill();
    const shared = await within("the lock of the dead", waiting);
    assert.ok(shared.ownerDied);
    refused("BUSY", () => shared.markConsistent());
    await shared.upgrade();
    shared.downgrade();
    shared.release();
    const held = lock.acquireSync("exclusive");
    assert.ok(held.ownerDied, "a shared holder cannot have repaired anything");
    held.markConsistent();
    held.release();
    assert.not(lock.acquireSync("exclusive").ownerDied);
  });

  test(`a killed shared holder keeps nobody out (${runtime.name})`, async () => {
    using segment = Segment.create(segmentName("reader"), { bytes: MiB });
    const lock = segment.lock("lock");
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("open", segment.name);
    await child.call("acquire", segment.name, "lock", "shared");
    assert.is(lock.tryAcquire("exclusive"), undefined);
    const waiting = lock.acquire("exclusive");
    await child.kill();
    const held = await within("the lock", waiting);
    assert.not(held.ownerDied);
    held.release();
  });
}

test("data that nobody calls consistent break the lock for everyone", async () => {
  using segment = Segment.create(segmentName("broken"), { bytes: MiB });
  using other = Segment.open(segment.name);
  const lock = segment.lock("lock");
  const child = await Agent.start(presentRuntimes()[0] as never, ACTIONS);
  await child.call("open", segment.name);
  await child.call("acquire", segment.name, "lock", "exclusive");
  await child.kill();
  lock.acquireSync("exclusive").release();
  refused("BROKEN", () => lock.tryAcquire("exclusive"));
  refused("BROKEN", () => other.lock("lock").tryAcquire("shared"));
  refused("BROKEN", () => other.lock("lock").acquireSync("exclusive"));
  await rejected("BROKEN", lock.acquire("shared"));
});

test("whoever is killed while it waits or upgrades keeps nobody out", async () => {
  using segment = Segment.create(segmentName("claim"), { bytes: MiB });
  const lock = segment.lock("lock");
  for (const runtime of presentRuntimes()) {
    for (const upgrades of [false, true]) {
      const child = await Agent.start(runtime, ACTIONS);
      await child.call("open", segment.name);
      const held = lock.acquireSync("shared");
      if (upgrades) await child.call("acquire", segment.name, "lock", "shared");
      (upgrades
        ? child.call("upgrade", "lock")
        : child.call("acquire", segment.name, "lock", "exclusive")
      ).catch(() => {});
      await pause(30);
      await child.kill();
      held.release();
      const next = await within("the lock", lock.acquire("exclusive"));
      assert.not(next.ownerDied);
      next.release();
    }
  }
});

test.run();
