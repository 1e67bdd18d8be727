/**
 * Waiting for shared state, blocking or not. One environment sleeps in one place, on its doorbell, and looks at all pending
 * conditions when it rings; see `assembly/waiters.ts` for the other half.
 */
import { RECHECK_MS } from "../protocol/limits.js";
import { signalOf, timeoutOf, type WaitOptions, type WaitSyncOptions } from "./arguments.js";
import type { Attachment } from "./attachment.js";
import { IsthmusError } from "./errors.js";
import { native } from "./host/region.js";
import { clearInterval, clearTimeout, setInterval, setTimeout, sleepMs } from "./host/runtime.js";

/** What an attempt gives when the time has not come. */
export const NOT_YET: unique symbol = Symbol("not yet");

export interface Condition<T> {
  /** What is waited for, for error texts. */
  what: string;
  /** The set of waiters that is notified of a change; 0 to look from time to time (read-only openers). */
  waiters: number;
  /** Takes what is waited for. Throws when it can never come. */
  attempt(): T | typeof NOT_YET;
  /** Looks whether the peer died without a word. */
  recheck(): void;
  /** The wait ended without a value. */
  failed?(): void;
}

/** How often a read-only opener, whom nobody can notify, looks. Milliseconds. */
const POLL_MS = 2;
const SPINS_MIN = 16;
const SPINS_MAX = 2048;

function timedOut(what: string, timeoutMs: number): IsthmusError {
  return new IsthmusError("TIMED_OUT", `${what} took longer than ${timeoutMs} ms; nothing was changed`);
}

let spins = SPINS_MAX;

/** Looks again for a short while before sleeping; for longer when that helped before. */
function spin<T>(condition: Condition<T>): T | typeof NOT_YET {
  for (let i = 0; i < spins; i++) {
    const value = condition.attempt();
    if (value === NOT_YET) continue;
    spins = Math.min(SPINS_MAX, spins * 2);
    return value;
  }
  spins = Math.max(SPINS_MIN, spins >>> 1);
  return NOT_YET;
}

/** Blocks the thread until the condition gives a value. */
export function waitSync<T>(attachment: Attachment, condition: Condition<T>, options?: WaitSyncOptions): T {
  try {
    return block(attachment, condition, timeoutOf(options));
  } catch (error) {
    condition.failed?.();
    throw error;
  }
}

function block<T>(attachment: Attachment, condition: Condition<T>, timeoutMs: number): T {
  let value = condition.attempt();
  if (value !== NOT_YET) return value;
  if (timeoutMs === 0) throw timedOut(condition.what, timeoutMs);
  value = spin(condition);
  if (value !== NOT_YET) return value;
  const begin = performance.now();
  let checked = begin;
  for (;;) {
    value = sleepOnce(attachment, condition, Math.min(RECHECK_MS, begin + timeoutMs - performance.now()));
    if (value !== NOT_YET) return value;
    const now = performance.now();
    if (now - checked >= RECHECK_MS / 2) {
      checked = now;
      condition.recheck();
      attachment.beat();
    }
    if (now - begin < timeoutMs) continue;
    value = condition.attempt();
    if (value !== NOT_YET) return value;
    throw timedOut(condition.what, timeoutMs);
  }
}

function sleepOnce<T>(
  attachment: Attachment,
  condition: Condition<T>,
  milliseconds: number,
): T | typeof NOT_YET {
  if (condition.waiters === 0) {
    sleepMs(Math.max(0.1, Math.min(POLL_MS, milliseconds)));
    return condition.attempt();
  }
  const bell = Atomics.load(attachment.i32, attachment.doorbell >>> 2);
  attachment.core.waitersArm(condition.waiters);
  let value = condition.attempt();
  if (value === NOT_YET && milliseconds > 0) {
    native.wait(attachment.region.object, attachment.doorbell, bell, milliseconds);
    value = condition.attempt();
  }
  attachment.core.waitersDisarm(condition.waiters);
  return value;
}

interface Pending {
  attachment: Attachment;
  condition: Condition<unknown>;
  settle(value: unknown): void;
  fail(error: unknown): void;
}

/** Everything that this environment waits for, in the order of the calls. */
const pending = new Set<Pending>();
const watched = new WeakSet<Attachment>();
let belled = false;
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
      if (value !== NOT_YET) attachment.core.waitersDisarm(condition.waiters);
    }
    if (value !== NOT_YET) one.settle(value);
  } catch (error) {
    one.fail(error);
  }
}

function lookAtAll(): void {
  for (const one of pending) look(one);
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
  let wanted = 0;
  for (const one of pending) wanted = one.condition.waiters === 0 ? POLL_MS : wanted || RECHECK_MS;
  if (wanted === recheckMs) return;
  if (rechecking) clearInterval(rechecking);
  rechecking = wanted ? setInterval(recheckAll, wanted) : undefined;
  recheckMs = wanted;
}

function watch(attachment: Attachment): void {
  if (attachment.readOnly || watched.has(attachment)) return;
  watched.add(attachment);
  if (!belled) {
    belled = true;
    native.setBell(lookAtAll);
  }
  native.watch(attachment.region.object, attachment.doorbell);
}

/** Waits without blocking. */
export async function wait<T>(
  attachment: Attachment,
  condition: Condition<T>,
  options?: WaitOptions,
): Promise<T> {
  try {
    const timeoutMs = timeoutOf(options);
    const signal = signalOf(options);
    if (signal?.aborted) throw signal.reason;
    const value = condition.attempt();
    if (value !== NOT_YET) return value;
    if (timeoutMs === 0) throw timedOut(condition.what, timeoutMs);
    return await enqueue(attachment, condition, timeoutMs, signal);
  } catch (error) {
    condition.failed?.();
    throw error;
  }
}

function enqueue<T>(
  attachment: Attachment,
  condition: Condition<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const finish = (): void => {
      pending.delete(one);
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      attachment.parts.delete(closer);
      adjustTimer();
    };
    const one: Pending = {
      attachment,
      condition: condition as Condition<unknown>,
      settle: (result) => {
        finish();
        resolve(result as T);
      },
      fail: (error) => {
        finish();
        reject(error);
      },
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
    adjustTimer();
    watch(attachment);
    look(one);
  });
}
