/**
 * Everything that this environment waits for with promises. It sleeps in one place, on its doorbell, and looks at all pending
 * conditions when it rings; see `assembly/waiters.ts` for the other half.
 *
 * Before it sleeps, a promise looks once in each of the next few turns of the event loop, which serves everything else
 * meanwhile. Being woken costs two hops between threads, about as long as TURNS_MAX turns of an idle loop take. On busy
 * cores looking is in the way of the very peer that is waited for: then it fails, becomes one turn, and is tried again once
 * in PROBE_WAITS short waits.
 */
import { RECHECK_MS } from "../../protocol/limits.js";
import type { AbortSource } from "../arguments.js";
import { attempt, IsthmusError } from "../errors.js";
import { native, onBell } from "../host/region.js";
import {
  clearInterval,
  clearTimeout,
  monotonicMs,
  setImmediate,
  setInterval,
  setTimeout,
} from "../host/runtime.js";
import type { Attachment } from "../segment/attachment.js";
import { type Condition, NOT_YET, POLL_MS, timedOut } from "./condition.js";

/** Turns of the event loop in which a promise looks before it sleeps: within these bounds, as many as helped lately. */
const TURNS_MIN = 1;
const TURNS_MAX = 32;
/** Only where waits that end before this are many is it worth trying whether looking helps. Milliseconds. */
const SHORT_WAIT_MS = 0.1;
const PROBE_WAITS = 64;

interface Pending {
  attachment: Attachment;
  condition: Condition<unknown>;
  settle(value: unknown): void;
  fail(error: unknown): void;
  /** When it began to wait. */
  readonly beginMs: number;
  /** Turns of the event loop in which it was looked at. */
  turns: number;
  /** It sleeps: it is armed, and the timer looks after it. */
  asleep: boolean;
}

/** Everything that this environment waits for, in the order of the calls. */
const pending = new Set<Pending>();
/** How many of them sleep: those that somebody can notify, and those that only look from time to time. */
const sleepers = { notified: 0, polling: 0 };
/** Those of them that are looked at in each turn of the event loop and do not sleep yet. */
const wakeful = new Set<Pending>();
let turning = false;
let turnsMost = TURNS_MAX;
/** Short waits that slept since looking was tried with all its turns. */
let unprobed = 0;
const watched = new WeakSet<Attachment>();
let rechecking: ReturnType<typeof setInterval> | undefined;
let recheckMs = 0;

function look(one: Pending): void {
  const { attachment, condition } = one;
  try {
    if (attachment.closed) attachment.check(false);
    let value = condition.attempt();
    if (value === NOT_YET && condition.waiters !== 0) {
      attachment.core.waitersArm(condition.waiters);
      value = condition.attempt();
    }
    if (value !== NOT_YET) one.settle(value);
  } catch (error) {
    one.fail(error);
  }
}

function countSleeper({ attachment, condition: { waiters } }: Pending, change: 1 | -1): void {
  if (waiters === 0) sleepers.polling += change;
  else sleepers.notified += change;
  const left = (attachment.sleepers.get(waiters) ?? 0) + change;
  if (left > 0) attachment.sleepers.set(waiters, left);
  else attachment.sleepers.delete(waiters);
  adjustTimer();
}

/** Takes back an arm, unless a wait of ours sleeps behind the same bit. */
export function disarm(attachment: Attachment, waiters: number): void {
  if (waiters !== 0 && !attachment.sleepers.has(waiters)) attachment.core.waitersDisarm(waiters);
}

function lookAtAll(): void {
  for (const one of pending) look(one);
}

let nudged = false;

/** Something in this environment has changed that nobody rings a bell for: those who wait look again soon. */
export function nudge(): void {
  if (nudged || pending.size === 0) return;
  nudged = true;
  queueMicrotask(() => {
    nudged = false;
    lookAtAll();
  });
}

function takeTurn(): void {
  turning = false;
  for (const one of wakeful) {
    glance(one);
    if (wakeful.has(one) && ++one.turns >= turnsMost) sleep(one);
  }
  if (wakeful.size > 0) stayAwake();
}

function stayAwake(): void {
  if (turning) return;
  turning = true;
  setImmediate(takeTurn);
}

/** As `look`, for those that need no bell yet. */
function glance(one: Pending): void {
  try {
    const value = one.condition.attempt();
    if (value !== NOT_YET) one.settle(value);
  } catch (error) {
    one.fail(error);
  }
}

function sleep(one: Pending): void {
  wakeful.delete(one);
  one.asleep = true;
  countSleeper(one, 1);
  try {
    watch(one.attachment);
  } catch (error) {
    one.fail(error);
    return;
  }
  look(one);
}

/** The wait has ended with a value: did looking help, and if not, is it time to try? */
function adapt(one: Pending): void {
  if (!one.asleep) {
    turnsMost = Math.min(TURNS_MAX, turnsMost * 2);
    return;
  }
  turnsMost = Math.max(TURNS_MIN, turnsMost >>> 1);
  if (monotonicMs() - one.beginMs >= SHORT_WAIT_MS || ++unprobed < PROBE_WAITS) return;
  unprobed = 0;
  turnsMost = TURNS_MAX;
}

function recheckAll(): void {
  for (const one of pending) {
    try {
      if (!one.attachment.closed) one.condition.recheck();
    } catch (error) {
      one.fail(error);
      continue;
    }
    look(one);
  }
}

/** The timer that looks for dead peers; it keeps the process alive while something is pending, and no longer. */
function adjustTimer(): void {
  // Those that are awake keep the event loop alive by their next turn.
  const wanted = sleepers.polling > 0 ? POLL_MS : sleepers.notified > 0 ? RECHECK_MS : 0;
  if (wanted === recheckMs) return;
  if (rechecking) clearInterval(rechecking);
  rechecking = wanted ? setInterval(recheckAll, wanted) : undefined;
  recheckMs = wanted;
}

function watch(attachment: Attachment): void {
  if (attachment.readOnly || watched.has(attachment)) return;
  attempt("starting the thread that waits for others", () => {
    onBell(lookAtAll);
    native.watch(attachment.region.object, attachment.doorbell);
  });
  watched.add(attachment);
}

/** Waits until an attempt gives a value. */
export function enqueue<T>(
  attachment: Attachment,
  condition: Condition<T>,
  timeoutMs: number,
  signal: AbortSource | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const finish = (): void => {
      pending.delete(one);
      wakeful.delete(one);
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      attachment.parts.delete(closer);
      if (!one.asleep) return;
      countSleeper(one, -1);
      disarm(attachment, condition.waiters);
    };
    const one: Pending = {
      attachment,
      condition: condition as Condition<unknown>,
      settle: (result) => {
        adapt(one);
        finish();
        resolve(result as T);
      },
      fail: (error) => {
        finish();
        reject(error);
      },
      beginMs: monotonicMs(),
      turns: 0,
      asleep: false,
    };
    const aborted = (): void => one.fail(signal?.reason);
    const expire = (): void => {
      look(one);
      if (pending.has(one)) one.fail(timedOut(condition.what, timeoutMs));
    };
    const closer = {
      close: () =>
        one.fail(
          new IsthmusError("CLOSED", `segment "${attachment.name}" was closed while ${condition.what}`),
        ),
    };
    const timer = timeoutMs === Infinity ? undefined : setTimeout(expire, timeoutMs);
    signal?.addEventListener("abort", aborted);
    attachment.parts.add(closer);
    pending.add(one);
    if (condition.waiters === 0) {
      sleep(one);
    } else {
      wakeful.add(one);
      stayAwake();
    }
  });
}
