/** Locks, semaphores, events, latest values and transactions through the hosted core, in calls that wait. */
import { strict as assert } from "node:assert";
import { BUSY, TIMED_OUT } from "../../../protocol/errors.js";
import {
  LOCK_OWNER_DIED,
  LOCK_SHARED_FIRST,
  LOCK_SHARED_PRESENT,
  OBJECT_EVENT,
  OBJECT_LATEST,
  OBJECT_LOCK,
  OBJECT_RING,
  OBJECT_SEMAPHORE,
  RESULT_OFFSETS,
  SIGNAL_CLAIM_OFFSET,
} from "../../../protocol/layout.js";
import { type CrashCase, type CrashLane, type LivingOn, VICTIM } from "../../lib/crash.js";
import { check } from "../../lib/hosts/heap.js";
import { HostedLock, hostedAttach, hostedOpen, type Mode } from "../../lib/hosts/hosted.js";
import { call, read, type Script, write } from "../../lib/script.js";
import { FILLS, type Fill, populate, SLOTS, slotsOf, someoneDied } from "./ground.js";

const LOST_SLOT = 7;
const TIMEOUT_MS = 300;
/** Room for every wait of an operation. */
const LONG_MS = 10_000;

/** Opens an object before, and lets the participants of `alive` live during the operation, and afterwards. */
interface HostedCase {
  name: string;
  type: number;
  first?: number;
  before?: (lane: CrashLane, object: number) => void;
  /** What others do while the victim sleeps. */
  asleep?: (lane: CrashLane, object: number) => void;
  operation(lane: CrashLane, object: number): Script<unknown>;
  /** `died`: the victim has died before its end. */
  goOn(lane: CrashLane, object: number, by: number, died: boolean): Script<unknown>;
  livesOn?: (object: number) => LivingOn;
}

function hostedCase(one: HostedCase): CrashCase {
  let object = 0;
  const livesOn: LivingOn = {};
  return {
    name: `hosted, ${one.name}`,
    before: (lane) => {
      lane.system?.begin([...SLOTS]);
      populate(lane, FILLS[1] as Fill);
      object = lane.play(1, hostedOpen(one.type, "object", one.first));
      for (const id of [0, 1, 2]) lane.play(id, call("hostedSpins", 0));
      Object.assign(livesOn, one.livesOn?.(object));
      one.before?.(lane, object);
    },
    operation: (lane) => {
      lane.system?.begin([...SLOTS], () => one.asleep?.(lane, object));
      return one.operation(lane, object);
    },
    goOn(lane, by, dead, finished) {
      const gone = slotsOf(dead);
      const going = one.goOn(lane, object, by, dead.includes(VICTIM) && !finished); // first: a case may begin anew with it what it knows
      return (function* (): Script {
        lane.system?.begin(SLOTS.filter((slot) => !gone.includes(slot)));
        yield* going;
      })();
    },
    ...(one.livesOn && { livesOn }),
  };
}

// --- locks ---

/** How far a holder has got, as far as its host knows. */
type Holding = "nothing" | "perhaps" | "exclusive";

interface LockCase {
  name: string;
  /** How survivor 1 holds it before; it gives it back, or goes down to shared, while the victim sleeps. */
  first?: Mode;
  /** It goes on holding it. */
  stubborn?: boolean;
  /** Somebody died with it before. */
  lost?: Mode;
  run(lock: HostedLock, holds: (what: Holding) => void): Script<unknown>;
}

function lockCase(one: LockCase): CrashCase {
  let victim: Holding = "nothing";
  let atDeath: Holding = "nothing";
  let first: HostedLock | undefined;
  let firstAtDeath: HostedLock | undefined;
  let toldBefore = one.lost === "exclusive";
  let told = toldBefore;
  const settle = (lock: number): Script<unknown> => call("lockSettle", lock, 0, 0);
  return hostedCase({
    name: `lock, ${one.name}`,
    type: OBJECT_LOCK,
    before(lane, object) {
      const { lost } = one;
      if (lost) someoneDied(lane, LOST_SLOT, () => lane.play(2, new HostedLock(object).acquire(lost, 0)));
    },
    asleep(lane) {
      if (!firstAtDeath || one.stubborn) return;
      const lock = firstAtDeath;
      firstAtDeath = undefined;
      lane.play(1, lock.release(one.first as Mode));
    },
    operation(lane, object) {
      atDeath = "nothing";
      toldBefore = one.lost === "exclusive";
      firstAtDeath = one.first && new HostedLock(object);
      if (firstAtDeath) lane.play(1, firstAtDeath.acquire(one.first as Mode, TIMEOUT_MS));
      return one.run(new HostedLock(object), (holds) => {
        atDeath = holds;
      });
    },
    goOn(_lane, object, by, died) {
      if (by === 1) {
        victim = atDeath;
        first = firstAtDeath && new HostedLock(object, firstAtDeath.held);
        told = toldBefore;
      }
      return (function* (): Script {
        if (first && by === 1) {
          yield* first.release(one.first as Mode);
          first = undefined;
        }
        const lock = new HostedLock(object);
        const status = yield* lock.acquire("exclusive", LONG_MS);
        assert.ok(status === 0 || status === LOCK_OWNER_DIED, `${status}`);
        if (by === 1 && victim === "exclusive" && died) assert.equal(status, LOCK_OWNER_DIED, "not told");
        if (victim === "nothing" && !told && by === 1) assert.equal(status, 0, "told of what did not happen");
        yield* call("lockMarkConsistent", object);
        assert.equal(yield* lock.downgrade(), 0);
        assert.equal(yield* lock.nest("exclusive", TIMEOUT_MS), 0);
        assert.equal(yield* lock.release("exclusive"), 0);
        assert.equal(yield* lock.release("shared"), 0);
        assert.equal(lock.held, 0);
        const state = yield* call("lockState", object);
        assert.equal(state & ~(LOCK_SHARED_FIRST | LOCK_SHARED_PRESENT), 0, "left as it was");
      })();
    },
    ...(one.first
      ? {}
      : { livesOn: (object) => ({ next: () => settle(object), settle: () => settle(object) }) }),
  });
}

function* exclusive(lock: HostedLock, holds: (what: Holding) => void): Script {
  holds("perhaps");
  const status = yield* lock.acquire("exclusive", LONG_MS);
  assert.ok(status === 0 || status === LOCK_OWNER_DIED, `${status}`);
  holds("exclusive");
  if (status !== 0) yield* call("lockMarkConsistent", lock.lock);
  yield* call("selfCheck");
  holds("perhaps");
  assert.equal(yield* lock.release("exclusive"), 0);
  holds("nothing");
}

function* upAndDown(lock: HostedLock, holds: (what: Holding) => void): Script {
  const status = yield* lock.acquire("shared", LONG_MS);
  assert.ok(status === 0 || status === LOCK_OWNER_DIED, `${status}`);
  holds("perhaps");
  assert.equal(yield* lock.upgrade(LONG_MS), status);
  holds("exclusive");
  yield* call("lockMarkConsistent", lock.lock);
  holds("perhaps");
  assert.equal(yield* lock.downgrade(), 0);
  holds("nothing");
  assert.equal(yield* lock.release("shared"), 0);
}

/** While somebody holds it and goes on. */
function* inVain(lock: HostedLock, holds: (what: Holding) => void): Script {
  assert.equal(yield* lock.acquire("exclusive", TIMEOUT_MS), TIMED_OUT);
  assert.equal((yield* call("lockState", lock.lock)) >>> 16, 0, "a claim is left");
  assert.equal(yield* lock.acquire("exclusive", -1), BUSY);
  assert.equal((yield* call("lockState", lock.lock)) >>> 16, 0, "a claim is left");
  holds("nothing");
}

const LOCKS: CrashCase[] = [
  lockCase({ name: "exclusive", run: exclusive }),
  lockCase({ name: "exclusive, waiting for an exclusive holder", first: "exclusive", run: exclusive }),
  lockCase({ name: "exclusive, waiting for a shared holder", first: "shared", run: exclusive }),
  lockCase({ name: "exclusive, waiting in vain", first: "shared", stubborn: true, run: inVain }),
  lockCase({ name: "exclusive, past a dead holder", lost: "exclusive", run: exclusive }),
  lockCase({ name: "shared and upgrade", run: upAndDown }),
  lockCase({ name: "shared and upgrade, waiting", first: "shared", run: upAndDown }),
  lockCase({ name: "shared and upgrade, past a dead holder", lost: "exclusive", run: upAndDown }),
];

// --- latest ---

const filled = (number: number, bytes: number): Uint8Array => new Uint8Array(bytes).fill(number);

function* writeValue(latest: number, bytes: number, number: number): Script<number> {
  if (bytes <= 256) {
    yield* write((yield* call("scratch")) >>> 0, filled(number, bytes));
    return (yield* call("hostedLatestWrite", latest, bytes)) >>> 0;
  }
  const at = (yield* call("hostedLatestBegin", latest, bytes)) >>> 0;
  if (at < RESULT_OFFSETS) return at;
  yield* write(at, filled(number, bytes));
  return (yield* call("hostedLatestCommit", latest, bytes, at)) >>> 0;
}

function* readValue(latest: number, bytes: number): Script<number> {
  const at = (yield* call("hostedLatestPeek", latest, bytes)) >>> 0;
  if (at < RESULT_OFFSETS) return at;
  const value = yield* read(at, bytes);
  assert.equal(yield* call("hostedLatestValidate", latest), 1);
  assert.ok(
    value.every((byte) => byte === value[0]),
    "torn",
  );
  return value[0] as number;
}

function latestCase(bytes: number, writer: "live" | "dead" | "none"): CrashCase {
  let wrote = 0;
  let began = 0;
  let busy = false;
  return hostedCase({
    name: `latest, ${bytes} bytes, another writer: ${writer}`,
    type: OBJECT_LATEST,
    first: bytes,
    before(lane, latest) {
      const begin = call("hostedLatestBegin", latest, bytes);
      if (writer === "dead") someoneDied(lane, LOST_SLOT, () => lane.play(2, begin));
    },
    asleep(lane, latest) {
      if (busy) lane.play(1, call("latestAbort", latest));
      busy = false;
    },
    *operation(lane, latest) {
      wrote = began = 0;
      busy = writer === "live";
      if (busy) lane.play(1, call("hostedLatestBegin", latest, bytes));
      for (const number of [1, 2]) {
        began = number;
        assert.equal(yield* writeValue(latest, bytes, number), 0);
        wrote = number;
      }
      assert.equal(yield* readValue(latest, bytes), 2);
      assert.equal(yield* call("hostedLatestWait", latest, 1, -1), 0);
      assert.equal(yield* call("hostedLatestWait", latest, 2, 150), TIMED_OUT);
    },
    *goOn(_lane, latest, by) {
      if (busy && by === 1) yield* call("latestAbort", latest);
      const now = yield* readValue(latest, bytes);
      if (by === 1) assert.ok(now === wrote || now === began, `${now} after ${wrote}`);
      assert.equal(yield* writeValue(latest, bytes, 10 + by), 0);
      assert.equal(yield* readValue(latest, bytes), 10 + by);
    },
    // A write in place is the host's to end, which knows that its call threw.
    ...(writer === "live"
      ? {}
      : {
          livesOn: (latest) => ({
            next: () => call("latestAbort", latest),
            settle: () => call("latestAbort", latest),
            again: 2 as const,
          }),
        }),
  });
}

/** Somebody writes while it sleeps. */
function latestWaiting(): CrashCase {
  return hostedCase({
    name: "latest, waiting",
    type: OBJECT_LATEST,
    first: 16,
    asleep: (lane, latest) => {
      lane.play(1, writeValue(latest, 16, 1));
    },
    *operation(_lane, latest) {
      assert.equal(yield* call("hostedLatestWait", latest, 0, LONG_MS), 0);
      assert.equal(yield* readValue(latest, 16), 1);
    },
    *goOn(_lane, latest, by) {
      assert.equal(yield* writeValue(latest, 16, 10 + by), 0);
      assert.equal(yield* readValue(latest, 16), 10 + by);
    },
    livesOn: () => ({}),
  });
}

const CAPACITY = 128;

/** The end of a ring that somebody has gives back while it sleeps. */
function endAwaited(): CrashCase {
  return hostedCase({
    name: "an end of a ring, waiting",
    type: OBJECT_RING,
    first: CAPACITY,
    before: (lane, ring) => {
      lane.play(1, hostedAttach(ring, CAPACITY, "producer", 0));
    },
    asleep: (lane, ring) => {
      lane.play(1, call("hostedRingCloseProducer", ring));
    },
    *operation(_lane, ring) {
      assert.notEqual(typeof (yield* hostedAttach(ring, CAPACITY, "producer", LONG_MS)), "number");
      yield* call("hostedRingCloseProducer", ring);
    },
    *goOn(_lane, ring, by) {
      if (by === 1) yield* call("hostedRingCloseProducer", ring); // if it still has the end
      assert.notEqual(typeof (yield* hostedAttach(ring, CAPACITY, "producer", LONG_MS)), "number");
      yield* call("hostedRingCloseProducer", ring);
    },
  });
}

// --- semaphore and event ---

function semaphoreCase(): CrashCase {
  let given = 0;
  return hostedCase({
    name: "semaphore, waiting for several",
    type: OBJECT_SEMAPHORE,
    asleep(lane, semaphore) {
      given++;
      lane.play(1, call("hostedSemaphoreRelease", semaphore, 1));
    },
    *operation(_lane, semaphore) {
      given = 0;
      assert.equal(yield* call("hostedSemaphoreAcquire", semaphore, 3, LONG_MS), 0);
      assert.equal(yield* call("signalValue", semaphore), given - 3);
      assert.equal(yield* call("hostedSemaphoreRelease", semaphore, 2), 0);
    },
    *goOn(_lane, semaphore) {
      const there = yield* call("signalValue", semaphore);
      assert.ok(there <= given + 6, `${there}`);
      assert.equal(yield* call("hostedSemaphoreRelease", semaphore, 2), 0);
      assert.equal(yield* call("hostedSemaphoreAcquire", semaphore, 1, TIMEOUT_MS), 0);
      assert.equal(yield* call("hostedSemaphoreAcquire", semaphore, 1, 0), 0);
    },
    livesOn: (semaphore) => ({ settle: () => call("semaphoreUnclaim", semaphore) }),
  });
}

/** Who gives up leaves what there is to the others. */
function semaphoreInVain(): CrashCase {
  return hostedCase({
    name: "semaphore, waiting in vain for several",
    type: OBJECT_SEMAPHORE,
    first: 1,
    *operation({ view }, semaphore) {
      assert.equal(yield* call("hostedSemaphoreAcquire", semaphore, 2, TIMEOUT_MS), TIMED_OUT);
      assert.equal(view.getBigUint64(semaphore + SIGNAL_CLAIM_OFFSET, true), 0n, "a claim is left");
    },
    *goOn(_lane, semaphore) {
      assert.equal(yield* call("hostedSemaphoreRelease", semaphore, 1), 0);
      assert.equal(yield* call("hostedSemaphoreAcquire", semaphore, 1, TIMEOUT_MS), 0);
    },
    livesOn: (semaphore) => ({ settle: () => call("semaphoreUnclaim", semaphore) }),
  });
}

function eventCase(): CrashCase {
  return hostedCase({
    name: "event, waiting",
    type: OBJECT_EVENT,
    asleep(lane, event) {
      lane.play(1, call("hostedEventSet", event, 1));
      lane.play(1, call("hostedEventSet", event, 0));
    },
    *operation(_lane, event) {
      assert.equal(yield* call("hostedEventWait", event, LONG_MS), 0);
      assert.equal(yield* call("hostedEventSet", event, 1), 0);
      assert.equal(yield* call("hostedEventWait", event, 0), 0);
      assert.equal(yield* call("hostedEventSet", event, 0), 0);
    },
    *goOn(_lane, event) {
      assert.equal(yield* call("hostedEventSet", event, 1), 0);
      assert.equal(yield* call("hostedEventWait", event, 0), 0);
    },
    livesOn: () => ({}),
  });
}

// --- memory ---

function memoryCase(begins: "free" | "held" | "past a dead one"): CrashCase {
  let block = 0;
  let may: number[] = [];
  let then: number[] = [];
  let busy = false;
  return hostedCase({
    name: `transaction and blocks, the write lock is ${begins}`,
    type: OBJECT_LOCK,
    before(lane) {
      block = lane.play(1, call("hostedAllocate", 16, 8, 1)) >>> 0;
      assert.equal(lane.play(1, call("hostedSetRoot", block)), 0);
      if (begins === "past a dead one")
        someoneDied(lane, LOST_SLOT, () => lane.play(2, call("hostedWriteLockTake")));
    },
    asleep(lane) {
      if (busy) lane.play(1, call("writeLockRelease"));
      busy = false;
    },
    *operation(lane, object) {
      then = [0];
      busy = begins === "held";
      if (busy) lane.play(1, call("hostedWriteLockTake"));
      const lock = new HostedLock(object);
      for (const [keep, number] of [
        [true, 1],
        [false, 2],
      ] as const) {
        assert.equal(yield* lock.begin(LONG_MS), 0);
        assert.equal(yield* call("transactionNote", block, 4), 0);
        yield* write(block, Uint8Array.of(number, 0, 0, 0));
        const other = (yield* call("hostedAllocate", 24, 8, 0)) >>> 0;
        assert.ok(other >= RESULT_OFFSETS);
        assert.equal(yield* call("hostedFree", other), 0);
        if (keep) then = [0, 1];
        assert.equal(yield* lock.end(keep), 0);
        if (keep) then = [1];
      }
    },
    goOn(_lane, object, by) {
      if (by === 1) may = [...then];
      return (function* (): Script {
        if (busy && by === 1) yield* call("writeLockRelease");
        assert.equal(yield* call("hostedWriteLockTake"), 0);
        yield* call("writeLockRelease");
        yield* check();
        const value = (yield* read(block, 4))[0] as number;
        assert.ok(may.includes(value), `${value} is none of ${may}`);
        const lock = new HostedLock(object);
        assert.equal(yield* lock.begin(LONG_MS), 0);
        assert.equal(yield* call("hostedSetRoot", block), 0);
        assert.equal(yield* lock.end(true), 0);
        assert.equal(lock.held, 0);
      })();
    },
    ...(begins === "held"
      ? {}
      : {
          livesOn: (object) => {
            function* undo(): Script {
              yield* call("transactionEnd", 0);
              yield* call("lockSettle", object, 0, 0);
            }
            return { next: undo, settle: undo };
          },
        }),
  });
}

export const hostedSyncCases: CrashCase[] = [
  ...LOCKS,
  ...[16, 512].flatMap((bytes) =>
    (["none", "live", "dead"] as const).map((writer) => latestCase(bytes, writer)),
  ),
  latestWaiting(),
  endAwaited(),
  semaphoreCase(),
  semaphoreInVain(),
  eventCase(),
  memoryCase("free"),
  memoryCase("held"),
  memoryCase("past a dead one"),
];
