/** Semaphore, event and counter: each operation has happened or has not. */
import { strict as assert } from "node:assert";
import { TOO_LARGE } from "../../../protocol/errors.js";
import {
  FLAG_WAKE,
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_SEMAPHORE,
  SEMAPHORE_TAKEN,
} from "../../../protocol/layout.js";
import type { CrashCase } from "../../lib/crash.js";
import { callSome, notify, openObject, overcome } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { FILLS, type Fill, populate, slotsOf, someoneDied } from "./ground.js";

interface SignalCase {
  name: string;
  type: number;
  initial: number;
  run(signal: number): Script;
  /** What the value may be when nobody died. */
  after: number;
  /** What it may be in between. */
  meanwhile?: number[];
  waiter?: boolean;
  /** Somebody claimed it, and died. */
  claimed?: boolean;
}

const LOST_SLOT = 7;

/** Takes so many past the dead, as `ts/sync/semaphore.ts` does. */
function* take(signal: number, count = 1, dead: readonly number[] = [LOST_SLOT]): Script {
  const result = yield* overcome(dead, () => call("semaphoreTry", signal, count));
  assert.ok(result, `${count} are not to be had: ${result}`);
  if (result & FLAG_WAKE) yield* callThem(signal, yield* call("signalValue", signal));
  assert.equal(result & ~FLAG_WAKE, SEMAPHORE_TAKEN);
}

/** Waits for several, claims what comes, and has them when another one gives. */
function* claimAndTake(signal: number): Script {
  assert.equal(yield* call("semaphoreTry", signal, 3), 0);
  assert.equal(yield* claim(signal), 0);
  const set = (yield* call("signalWaiters", signal)) >>> 0;
  yield* call("waitersArm", set);
  yield* give(signal, 1); // calls who claims
  assert.equal(yield* call("waitersDisarm", set), 0, "another one was called");
  yield* take(signal, 3);
}

function* claimAndGiveUp(signal: number): Script {
  assert.equal(yield* claim(signal), 0);
  const result = yield* call("semaphoreUnclaim", signal);
  if (result === FLAG_WAKE) yield* callThem(signal, yield* call("signalValue", signal));
  else assert.equal(result, 0);
}

function* claim(signal: number): Script<number | undefined> {
  return yield* overcome([LOST_SLOT], () => call("semaphoreClaim", signal));
}

function* give(signal: number, count: number): Script {
  const result = yield* call("semaphoreRelease", signal, count);
  if (result === 1) yield* callThem(signal, count);
  else assert.equal(result, 0);
}

function* callThem(signal: number, count: number): Script {
  const set = (yield* call("signalWaiters", signal)) >>> 0;
  yield* callSome(set, count, () => call("semaphoreCall", signal));
}

function* set(signal: number, signaled: number): Script {
  const result = yield* call("eventSet", signal, signaled);
  if (result === 1) yield* notify((yield* call("signalWaiters", signal)) >>> 0);
}

function* takeInVain(signal: number): Script {
  assert.equal(yield* call("semaphoreTry", signal, 1), 0);
  assert.equal((yield* call("semaphoreRelease", signal, 0x80000000)) >>> 0, TOO_LARGE);
}

function* count(signal: number): Script {
  assert.equal(yield* call("counterAdd", signal, 2 ** 40), 2 ** 40);
  assert.ok(Number.isNaN(yield* call("counterAdd", signal, 2 ** 53 - 2 ** 40)));
  assert.equal(yield* call("counterExchange", signal, -7), 2 ** 40);
  assert.equal(yield* call("counterCompareExchange", signal, 1, 2), -7);
  assert.equal(yield* call("counterCompareExchange", signal, -7, 9), -7);
}

const CASES: SignalCase[] = [
  { name: "semaphore, take", type: OBJECT_SEMAPHORE, initial: 2, run: take, after: 1 },
  { name: "semaphore, take in vain", type: OBJECT_SEMAPHORE, initial: 0, run: takeInVain, after: 0 },
  {
    name: "semaphore, take several when one died who claimed",
    type: OBJECT_SEMAPHORE,
    initial: 2,
    run: (signal) => take(signal, 2),
    after: 0,
    claimed: true,
  },
  {
    name: "semaphore, claim and take several",
    type: OBJECT_SEMAPHORE,
    initial: 2,
    run: claimAndTake,
    after: 0,
    meanwhile: [3],
    waiter: true,
  },
  {
    name: "semaphore, claim when one died who claimed, and give up",
    type: OBJECT_SEMAPHORE,
    initial: 2,
    run: claimAndGiveUp,
    after: 2,
    waiter: true,
    claimed: true,
  },
  {
    name: "semaphore, give",
    type: OBJECT_SEMAPHORE,
    initial: 2,
    run: (signal) => give(signal, 3),
    after: 5,
    waiter: true,
  },
  {
    name: "event, signal",
    type: OBJECT_EVENT,
    initial: 0,
    run: (signal) => set(signal, 1),
    after: 1,
    waiter: true,
  },
  {
    name: "event, reset",
    type: OBJECT_EVENT,
    initial: 1,
    run: (signal) => set(signal, 0),
    after: 2,
    waiter: true,
  },
  {
    name: "event, signal and reset",
    type: OBJECT_EVENT,
    initial: 0,
    *run(signal) {
      yield* set(signal, 1);
      yield* set(signal, 0);
      yield* set(signal, 0);
    },
    after: 2,
    meanwhile: [1],
    waiter: true,
  },
  { name: "counter", type: OBJECT_COUNTER, initial: 0, run: count, after: 9, meanwhile: [2 ** 40, -7] },
];

function signalCase(one: SignalCase): CrashCase {
  let signal = 0;
  return {
    name: one.name,
    before: (lane) => {
      populate(lane, FILLS[1] as Fill);
      const wish = { type: one.type, name: "signal", first: one.initial };
      signal = lane.play(1, openObject(lane.view, wish));
      const waiters = lane.play(2, call("signalWaiters", signal)) >>> 0;
      if (one.claimed) someoneDied(lane, LOST_SLOT, () => lane.play(2, call("semaphoreClaim", signal)));
      if (one.waiter) lane.play(2, call("waitersArm", waiters));
    },
    operation: () => one.run(signal),
    *goOn(_lane, by, dead, finished) {
      const name = one.type === OBJECT_COUNTER ? "counterValue" : "signalValue";
      const value = yield* call(name, signal);
      const allowed = finished ? [one.after] : [one.initial, ...(one.meanwhile ?? []), one.after];
      if (by === 1) assert.ok(allowed.includes(value), `${value} is none of ${allowed.join(", ")}`);
      if (one.type !== OBJECT_SEMAPHORE) return;
      yield* give(signal, 1);
      const slots = [...slotsOf(dead), LOST_SLOT];
      yield* take(signal, 1, slots);
      // Nobody's claim is left that keeps the others out.
      assert.equal(
        yield* overcome(slots, () => call("semaphoreClaim", signal)),
        0,
        "claimed by nobody alive",
      );
      yield* call("semaphoreUnclaim", signal);
    },
    livesOn: one.type === OBJECT_SEMAPHORE ? { settle: () => call("semaphoreUnclaim", signal) } : {},
  };
}

export const signalCases: CrashCase[] = CASES.map(signalCase);
