// deep: how the interleaving lane itself works
import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../lib/explore.js";
import { instrument } from "../lib/instrument.js";
import { findSite } from "../lib/mutation.js";
import { attempt, call, read, type Script, sleep, until, wake, write } from "../lib/script.js";
import { exhaust, explore, replay, type Scenario, wander } from "../lib/search.js";
import { everyAccess } from "./every-access.js";

const built = instrument(everyAccess(), { hooks: true, asyncify: true });
const ALL = Number.MAX_SAFE_INTEGER;
const DATA = 1024;
const FLAG = 2048;
const LOCK = 3072;

function worldOf(participants: number): World {
  return new World(built, 65536, participants);
}

function scenario(scripts: Scenario["scripts"], more: Partial<Scenario> = {}): Scenario {
  return { name: "fixture", before: () => {}, scripts, ...more };
}

/** Participants that each store so many times, each in a range of its own. */
function storing(counts: number[]): Scenario {
  return scenario(() => counts.map((count, id) => call("stores", id * 256, count)));
}

function choose(n: number, k: number): number {
  return k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k;
}

/** Orders of several runs of steps: (a + b + …)! / (a! b! …). */
function interleavings(counts: number[]): number {
  const total = (index: number): number => counts.slice(0, index + 1).reduce((sum, count) => sum + count, 0);
  return counts.reduce((product, count, index) => product * choose(total(index), count), 1);
}

/** Orders of two runs of `n` steps with at most so many preemptions: who starts, and where the runs are cut. */
function interleavingsBounded(n: number, preemptions: number): number {
  let sum = 0;
  for (let cuts = 0; cuts <= preemptions; cuts++) {
    const blocks = cuts + 2;
    sum += 2 * choose(n - 1, Math.ceil(blocks / 2) - 1) * choose(n - 1, Math.floor(blocks / 2) - 1);
  }
  return sum;
}

for (const counts of [
  [3, 3],
  [6, 6],
  [3, 3, 3],
  [2, 5],
]) {
  test(`${counts.join(" and ")} accesses are interleaved in every way, each once`, () => {
    const outcome = explore(worldOf(counts.length), storing(counts), { preemptions: ALL });
    assert.ok(outcome.complete);
    assert.is(outcome.schedules, interleavings(counts));
  });
}

for (const preemptions of [0, 1, 2, 3]) {
  test(`with at most ${preemptions} preemptions no schedule is missed or run twice`, () => {
    const outcome = explore(worldOf(2), storing([5, 5]), { preemptions });
    assert.ok(outcome.complete);
    assert.is(outcome.schedules, interleavingsBounded(5, preemptions));
  });
}

test("a death before any write, and none at all, are explored", () => {
  let deaths = 0;
  const mortal = scenario(() => [call("stores", 0, 4)], {
    mortal: [0],
    after: (world) => {
      const stored = [0, 4, 8, 12].filter((at) => world.arena.view.getInt32(at, true) === 1);
      assert.is(stored.length < 4, world.state(0) === "dead");
      deaths += world.state(0) === "dead" ? 1 : 0;
    },
  });
  const outcome = explore(worldOf(1), mortal, { preemptions: 0, deaths: 1 });
  assert.ok(outcome.complete);
  assert.is(outcome.schedules, 5);
  assert.is(deaths, 4);
});

test("a participant that spins inside the core waits for another's store instead of for ever", () => {
  const spinning = scenario(() => [call("awaitNonZero", FLAG), call("publish", DATA, FLAG, 5)]);
  assert.ok(exhaust(worldOf(2), spinning, { preemptions: 2 }) > 3);
});

test("spinning for what never comes is a failure", () => {
  const alone = scenario(() => [call("awaitNonZero", FLAG)]);
  assert.match(explore(worldOf(1), alone, { preemptions: 0 }).failure?.message ?? "", /no end/);
});

test("retrying for what never comes is a failure", () => {
  const alone = scenario(() => [
    attempt(function* () {
      return (yield* call("loadOf", FLAG)) || undefined;
    }),
  ]);
  assert.match(explore(worldOf(1), alone, { preemptions: 0 }).failure?.message ?? "", /stuck/);
});

/** A reader waits for the flag and then expects the data. */
function publishing(name: string): Scenario {
  function* reader(): Script {
    yield* attempt(function* () {
      return (yield* call("loadOf", FLAG)) || undefined;
    });
    assert.is(yield* call("loadOf", DATA), 5, "data");
  }
  return scenario(() => [reader(), call(name, DATA, FLAG, 5)]);
}

test("a plain store used to publish is found with delayed stores, and only with them", () => {
  assert.ok(exhaust(worldOf(2), publishing("publish"), { preemptions: 2 }) > 3);
  assert.throws(() => exhaust(worldOf(2), publishing("publish"), { preemptions: 0, delays: 1 }), /data/);
  assert.ok(exhaust(worldOf(2), publishing("publishAtomically"), { preemptions: 2, delays: 2 }) > 3);
});

test("a plain store may become visible after an atomic load that follows it, and not after an atomic store", () => {
  const flags = [FLAG, FLAG + 64];
  let seen: number[] = [];
  function* enter(id: number): Script {
    yield* call("publish", DATA + 8 * id, flags[id] as number, 5);
    seen.push(yield* call("loadOf", flags[1 - id] as number));
  }
  const both = scenario(
    () => {
      seen = [];
      return [enter(0), enter(1)];
    },
    { after: () => assert.ok(seen.includes(1), "neither saw the other") },
  );
  assert.ok(exhaust(worldOf(2), both, { preemptions: 2 }) > 3);
  assert.throws(() => exhaust(worldOf(2), both, { preemptions: 0, delays: 1 }), /neither/);
});

test("an atomic store that became a plain one is found", () => {
  const world = worldOf(2);
  const site = findSite(built.sites, { func: "publishAtomically", name: "i32.atomic.store" });
  world.mutation = { site, how: "plain" };
  assert.throws(() => exhaust(world, publishing("publishAtomically"), { preemptions: 0, delays: 1 }), /data/);
});

test("a store that is dropped or done late is found, and the schedule can be replayed", () => {
  const world = worldOf(2);
  for (const how of ["drop", "late"] as const) {
    world.mutation = { site: findSite(built.sites, { func: "publishAtomically", name: "i32.store" }), how };
    const found = explore(world, publishing("publishAtomically"), { preemptions: 1 });
    assert.match(found.failure?.message ?? "", /data/);
    const log = replay(
      world,
      publishing("publishAtomically"),
      { preemptions: 1 },
      found.failure?.schedule ?? [],
    );
    assert.match(log.at(-1) ?? "", /^=> data/);
    assert.ok(log.some((line) => line.includes("publishAtomically(1024, 2048, 5)")));
  }
});

/** Two participants want the lock once; at most one may have it at a time. */
function locking(): Scenario {
  function* holder(self: number): Script {
    yield* attempt(function* () {
      return (yield* call("take", LOCK, self)) || undefined;
    });
    assert.is(yield* call("loadOf", LOCK), self, "owner");
    yield* call("stores", DATA, 2);
    assert.is(yield* call("loadOf", LOCK), self, "owner");
    yield* write(LOCK, new Uint8Array(4));
  }
  return scenario(() => [holder(1), holder(2)]);
}

test("a lock taken by load and store is found with one preemption, by compare-exchange it stands", () => {
  const world = worldOf(2);
  assert.ok(exhaust(world, locking(), { preemptions: 2 }) > 50);
  world.mutation = { site: built.sites.findIndex((site) => site.func === "take"), how: "split" };
  assert.throws(() => exhaust(world, locking(), { preemptions: 2 }), /owner/);
});

test("a sleeper that is woken goes on; one that is not is a failure, except after a death", () => {
  function* sleeper(): Script {
    while ((yield* call("loadOf", FLAG)) === 0) yield* sleep(FLAG, 0);
  }
  function* waker(wakes: boolean): Script {
    yield* call("stores", FLAG, 1);
    if (wakes) yield* wake(FLAG);
  }
  assert.ok(
    exhaust(
      worldOf(2),
      scenario(() => [sleeper(), waker(true)]),
      { preemptions: 2 },
    ) > 3,
  );
  const silent = scenario(() => [sleeper(), waker(false)]);
  assert.throws(() => exhaust(worldOf(2), silent, { preemptions: 2 }), /stuck: participant 0 asleep/);
  const dying = scenario(() => [sleeper(), waker(true)], { mortal: [1] });
  function* afterDeath(world: World): Script {
    yield* until(() => world.state(1) === "dead" || world.state(1) === "done");
    yield* call("stores", FLAG, 1);
    yield* wake(FLAG);
  }
  const recovered = { ...dying, scripts: (world: World) => [sleeper(), waker(true), afterDeath(world)] };
  assert.ok(exhaust(worldOf(3), recovered, { preemptions: 1, deaths: 1 }) > 3);
});

test("the host's reads can be interrupted by a write: a torn payload is seen", () => {
  function* reader(): Script {
    const bytes = yield* read(DATA, 8);
    assert.is(bytes[0], bytes[7], "torn");
  }
  const torn = scenario(() => [reader(), write(DATA, new Uint8Array(8).fill(9))]);
  assert.throws(() => exhaust(worldOf(2), torn, { preemptions: 1 }), /torn/);
});

test("chance finds the broken lock too, seed 7", () => {
  const world = worldOf(2);
  world.mutation = { site: built.sites.findIndex((site) => site.func === "take"), how: "split" };
  const found = wander(world, locking(), { preemptions: ALL }, 7, 5000);
  assert.match(found.failure?.message ?? "", /owner/);
});

test("each run begins with the same private state", () => {
  const counting = scenario(() => [call("calls")], {
    after: (world) => assert.is(world.participants[0]?.answer, undefined),
  });
  const world = worldOf(2);
  function* twice(): Script {
    assert.is(yield* call("calls"), 1);
    assert.is(yield* call("calls"), 2);
  }
  assert.ok(exhaust(world, { ...counting, scripts: () => [twice(), twice()] }, { preemptions: 2 }) > 3);
});

test.run();
