/** Locks, signals and latest values in calls that wait: as in the scenarios of the plain core, and beside it. */
import { strict as assert } from "node:assert";
import { BUSY, DEADLOCK, TIMED_OUT } from "../../../protocol/errors.js";
import {
  FLAG_EMPTY,
  LOCK_OWNER_DIED,
  LOCK_SHARED_FIRST,
  LOCK_SHARED_PRESENT,
  OBJECT_EVENT,
  OBJECT_LATEST,
  OBJECT_LOCK,
  OBJECT_SEMAPHORE,
  RESULT_ERRORS,
} from "../../../protocol/layout.js";
import { RECHECK_MS } from "../../../protocol/limits.js";
import type { World } from "../../lib/explore.js";
import { HostedLock, type Mode } from "../../lib/hosts/hosted.js";
import { acquire, releaseExclusive, releaseShared } from "../../lib/hosts/lock.js";
import { waitFor } from "../../lib/hosts/segment.js";
import { call, read, type Script, write } from "../../lib/script.js";
import {
  deadSlots,
  FOREVER,
  type HostedScenario,
  hosted,
  impatiently,
  OBSERVER,
  SHORT_MS,
  SLOTS,
  slowly,
} from "./hosted-ground.js";

let object = 0;

function on(type: number, first = 0): Pick<HostedScenario, "type" | "first" | "before"> {
  return {
    ...{ type, first },
    before: (_world, opened) => {
      object = opened;
    },
  };
}

// --- lock ---

/** Who holds the lock as far as the scripts know. */
class Holders {
  exclusive = 0;
  shared = 0;

  enter(mode: Mode): void {
    if (mode === "exclusive") this.exclusive++;
    else this.shared++;
    assert.ok(this.exclusive <= 1 && (this.exclusive === 0 || this.shared === 0), "not alone");
  }

  leave(mode: Mode): void {
    if (mode === "exclusive") this.exclusive--;
    else this.shared--;
  }
}

let holders = new Holders();

/** Takes the lock and gives it back; gives up where its time is over. */
function* hold(mode: Mode, timeoutMs = FOREVER): Script<number> {
  const lock = new HostedLock(object);
  const told = yield* lock.acquire(mode, timeoutMs);
  if (told >= RESULT_ERRORS) {
    assert.ok(told === (timeoutMs < 0 ? BUSY : TIMED_OUT) && timeoutMs !== FOREVER, `acquiring gave ${told}`);
    return told;
  }
  holders.enter(mode);
  yield* call("selfCheck");
  if (told === LOCK_OWNER_DIED) yield* call("lockMarkConsistent", object);
  holders.leave(mode);
  assert.equal(yield* lock.release(mode), 0);
  return told;
}

function begin(scripts: () => Script<unknown>[]): Script<unknown>[] {
  holders = new Holders();
  return scripts();
}

/** The lock is free, nobody is left waiting, and it works. */
function isFree(world: World): void {
  const state = world.play(OBSERVER, call("lockState", object));
  assert.equal(state & ~(LOCK_SHARED_FIRST | LOCK_SHARED_PRESENT), 0, `left in state ${state}`);
  assert.equal(world.play(OBSERVER, acquire(object, "exclusive", [])), "whole");
}

function locking(modes: Mode[], preemptions: number): HostedScenario {
  return {
    ...on(OBJECT_LOCK),
    name: `lock, ${modes.join(" x ")}`,
    preemptions,
    scripts: () => begin(() => modes.map((mode) => hold(mode))),
    after: isFree,
  };
}

function lockGivesUp(modes: Mode[], timeoutMs: number, preemptions: number): HostedScenario {
  return {
    ...on(OBJECT_LOCK),
    name: `lock, ${modes.join(" x ")}, the second one ${timeoutMs < 0 ? "only tries" : "gives up"}`,
    preemptions,
    scripts: () => begin(() => modes.map((mode, id) => hold(mode, id === 1 ? timeoutMs : FOREVER))),
    after: isFree,
  };
}

function lockDeath(modes: Mode[], preemptions: number): HostedScenario {
  const one = locking(modes, preemptions);
  return {
    ...one,
    name: `${one.name}, the first one dies at any write`,
    ...{ deaths: 1, mortal: [0] },
    scripts: (world) =>
      begin(() => [
        hold(modes[0] as Mode),
        ...modes.slice(1).map(function* (mode): Script {
          const lock = new HostedLock(object);
          const told = yield* lock.acquire(mode, FOREVER);
          assert.ok(told < RESULT_ERRORS, `acquiring gave ${told}`);
          // What the dead one held, it holds no more.
          if (world.state(0) !== "dead") holders.enter(mode);
          yield* call("selfCheck");
          if (told === LOCK_OWNER_DIED) yield* call("lockMarkConsistent", object);
          if (holders.exclusive + holders.shared > 0) holders.leave(mode);
          yield* lock.release(mode);
        }),
      ]),
    after: (world) =>
      assert.notEqual(world.play(OBSERVER, acquire(object, "exclusive", deadSlots(world))), undefined),
  };
}

/** Two who hold it shared want it exclusively: one of them is told so, and makes room. */
const upgrading: HostedScenario = {
  ...on(OBJECT_LOCK),
  name: "lock, two upgrade",
  preemptions: 2,
  scripts: () => {
    function* upgrade(): Script {
      const lock = new HostedLock(object);
      assert.ok((yield* lock.acquire("shared", FOREVER)) < RESULT_ERRORS);
      const told = yield* lock.upgrade(FOREVER);
      if (told === DEADLOCK) {
        yield* lock.release("shared");
        return void (yield* hold("exclusive"));
      }
      holders.enter("exclusive");
      yield* call("selfCheck");
      holders.leave("exclusive");
      yield* lock.downgrade();
      yield* lock.release("shared");
    }
    return begin(() => [upgrade(), upgrade()]);
  },
  after: isFree,
};

/** The plain core's host waits in its event loop. */
function* holdPlain(world: World, id: number, mode: "shared" | "exclusive"): Script {
  const look = (): Script<unknown> => acquire(object, mode, deadSlots(world));
  const waiters = mode === "shared" ? "lockWaitersShared" : "lockWaitersExclusive";
  const set = (yield* call(waiters, object)) >>> 0;
  yield* waitFor(world.arena.view, SLOTS[id] as number, set, look);
  holders.enter(mode);
  yield* call("selfCheck");
  holders.leave(mode);
  yield* mode === "shared" ? releaseShared(object) : releaseExclusive(object);
}

function lockBeside(mode: Mode, plain: "shared" | "exclusive"): HostedScenario {
  return {
    ...on(OBJECT_LOCK),
    name: `lock, ${mode} x ${plain} in an event loop`,
    plain: 1,
    preemptions: 2,
    scripts: (world) => begin(() => [hold(mode), hold("exclusive"), holdPlain(world, 2, plain)]),
  };
}

// --- semaphore and event ---

function* take(count = 1, timeoutMs = FOREVER): Script<boolean> {
  const told = (yield* call("hostedSemaphoreAcquire", object, count, timeoutMs)) >>> 0;
  if (told === TIMED_OUT && timeoutMs !== FOREVER) return false;
  assert.equal(told, 0, `acquiring gave ${told}`);
  return true;
}

function* give(count = 1): Script {
  assert.equal(yield* call("hostedSemaphoreRelease", object, count), 0);
}

function holds(permits: number): (world: World) => void {
  return (world) => {
    assert.equal(world.play(OBSERVER, call("signalValue", object)), permits);
    assert.equal(world.play(OBSERVER, call("semaphoreClaim", object)), 0, "a claim is left");
  };
}

function semaphore(
  name: string,
  preemptions: number,
  left: number,
  scripts: () => Script<unknown>[],
): HostedScenario {
  return { ...on(OBJECT_SEMAPHORE), name: `semaphore, ${name}`, preemptions, scripts, after: holds(left) };
}

/** Gives back what it has got, so that another one who waits has it. */
function* takeInPassing(timeoutMs: number): Script {
  if (yield* take(1, timeoutMs)) yield* give();
}

const semaphoreTwo = semaphore("two wait for one each", 2, 0, () => [take(), take(), give(2)]);
/** Who takes the first before it is called for it may get the call for the second, and passes it on. */
const semaphoreTwice = semaphore("one gives twice, two take one each", 3, 0, () => [
  take(),
  take(),
  (function* (): Script {
    yield* give();
    yield* give();
  })(),
]);
const semaphoreGivesUp = semaphore("one of two gives up", 2, 0, () => [
  take(),
  takeInPassing(SHORT_MS),
  give(),
]);
const semaphoreClaimed = semaphore("one waits for two, another for one", 1, 0, () => [
  take(2),
  take(),
  (function* (): Script {
    for (let given = 0; given < 3; given++) yield* give();
  })(),
]);
/** Who claims two gives up: what came meanwhile is the other's. */
const semaphoreUnclaimed = semaphore("one waits for two and gives up, another waits for one", 2, 0, () => [
  (function* (): Script {
    assert.equal(yield* take(2, SHORT_MS), false);
  })(),
  take(),
  give(),
]);
const semaphoreDeath: HostedScenario = {
  ...semaphore("one that waits for two dies at any write, another waits for one", 1, 0, () => [
    (function* (): Script {
      assert.equal(yield* take(2, SHORT_MS), false);
    })(),
    take(),
    give(),
  ]),
  ...{ deaths: 1, mortal: [0], after: () => {} },
};

const event: HostedScenario = {
  ...on(OBJECT_EVENT),
  name: "event, two wait, it is signaled and reset",
  preemptions: 2,
  scripts: () => {
    let waiting = 0;
    function* passes(): Script {
      waiting++;
      assert.equal(yield* call("hostedEventWait", object, FOREVER), 0);
    }
    return [
      passes(),
      passes(),
      (function* (): Script {
        // Who begins to wait after the reset waits for the next signal.
        for (let turn = 0; turn < 2; turn++) {
          yield* call("hostedEventSet", object, 1);
          if (waiting === 2 && turn === 1) return;
          if (turn === 0) yield* call("hostedEventSet", object, 0);
        }
      })(),
    ];
  },
};

// --- latest ---

const SMALL = 16;
const LARGE = 512;

function* writeValue(bytes: number, number: number): Script {
  const value = new Uint8Array(bytes).fill(number);
  if (bytes === SMALL) {
    yield* write((yield* call("scratch")) >>> 0, value);
    return assert.equal(yield* call("hostedLatestWrite", object, bytes), 0);
  }
  const at = (yield* call("hostedLatestBegin", object, bytes)) >>> 0;
  assert.ok(at >= 128, `beginning gave ${at}`);
  yield* write(at, value);
  assert.equal(yield* call("hostedLatestCommit", object, bytes, at), 0);
}

function whole(value: Uint8Array): number {
  assert.ok(
    value.every((byte) => byte === value[0]),
    "torn",
  );
  return value[0] as number;
}

/** The number of the newest value, 0 for none. */
function* readValue(bytes: number): Script<number> {
  if (bytes === SMALL) {
    const told = yield* call("hostedLatestRead", object, bytes);
    if (told === FLAG_EMPTY) return 0;
    assert.equal(told, 0, `reading gave ${told}`);
    return whole(yield* read((yield* call("scratch")) >>> 0, bytes));
  }
  for (;;) {
    const at = (yield* call("hostedLatestPeek", object, bytes)) >>> 0;
    if (at === 0) return 0;
    assert.ok(at >= 128, `looking gave ${at}`);
    const value = yield* read(at, bytes);
    if ((yield* call("hostedLatestValidate", object)) !== 0) return whole(value);
  }
}

/** Waits for values until it has seen so many. */
function* seeing(bytes: number, versions: number): Script {
  for (let version = 0; version < versions; ) {
    assert.equal(yield* call("hostedLatestWait", object, version, FOREVER), 0);
    version = yield* call("latestVersion", object);
    assert.notEqual(yield* readValue(bytes), 0);
  }
}

function latest(bytes: number, preemptions: number): HostedScenario {
  return {
    ...on(OBJECT_LATEST, bytes),
    name: `latest, ${bytes} bytes, two write, one waits for values`,
    preemptions,
    scripts: () => [writeValue(bytes, 1), writeValue(bytes, 2), seeing(bytes, 2)],
    after: (world) => assert.notEqual(world.play(OBSERVER, readValue(bytes)), 0),
  };
}

/** Who has a value begun and dies keeps no writer waiting, and shows nobody half of it. */
function latestDeath(bytes: number): HostedScenario {
  return {
    ...on(OBJECT_LATEST, bytes),
    name: `latest, ${bytes} bytes, a writer dies at any write`,
    preemptions: 1,
    deaths: 1,
    mortal: [0],
    scripts: () => [
      writeValue(bytes, 1),
      writeValue(bytes, 2),
      (function* (): Script {
        yield* readValue(bytes);
        yield* readValue(bytes);
      })(),
    ],
    after: (world) => assert.notEqual(world.play(OBSERVER, readValue(bytes)), 0),
  };
}

export const hostedSyncScenarios = [
  hosted(locking(["exclusive", "exclusive"], 3)),
  hosted(locking(["exclusive", "exclusive", "exclusive"], 2)),
  hosted(locking(["exclusive", "shared", "shared"], 2)),
  hosted(locking(["exclusive", "exclusive", "shared"], 1)),
  hosted(slowly(locking(["exclusive", "exclusive", "shared"], 1), RECHECK_MS)),
  hosted(lockGivesUp(["exclusive", "exclusive", "exclusive"], SHORT_MS, 2)),
  hosted(lockGivesUp(["shared", "exclusive", "shared"], SHORT_MS, 2)),
  hosted(lockGivesUp(["exclusive", "exclusive", "exclusive"], -1, 2)),
  hosted(impatiently(lockGivesUp(["exclusive", "exclusive", "exclusive"], SHORT_MS, 0), 1)),
  hosted(impatiently(lockGivesUp(["shared", "exclusive", "shared"], SHORT_MS, 0), 1)),
  hosted(impatiently(lockGivesUp(["exclusive", "shared", "exclusive"], SHORT_MS, 0), 1)),
  hosted(lockDeath(["exclusive", "exclusive"], 2)),
  hosted(lockDeath(["shared", "exclusive", "shared"], 1)),
  hosted(upgrading),
  hosted(lockBeside("exclusive", "exclusive")),
  hosted(lockBeside("shared", "exclusive")),
  hosted(lockBeside("exclusive", "shared")),
  hosted(semaphoreTwo),
  hosted(semaphoreTwice),
  hosted(semaphoreGivesUp),
  hosted(impatiently(semaphoreGivesUp, 1)),
  hosted(semaphoreClaimed),
  hosted(semaphoreUnclaimed),
  hosted(impatiently(semaphoreUnclaimed, 1)),
  hosted(semaphoreDeath),
  hosted(event),
  hosted(latest(SMALL, 2)),
  hosted(latest(LARGE, 1)),
  hosted(latestDeath(SMALL)),
  hosted(latestDeath(LARGE)),
];
