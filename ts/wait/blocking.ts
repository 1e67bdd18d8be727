/**
 * Waiting that blocks the thread. The thread checks the condition up to SPINS_MAX times. It then arms the bit of this
 * participant and sleeps on its second doorbell, until it is woken, RECHECK_MS have passed, or the timeout has passed. See
 * `assembly/waiters.ts`.
 *
 * Each check comes after an arm, so it answers a call that has cleared the bit. When the timeout has passed, the thread disarms
 * before the last check: no call can come after that check. A wait that ends with an exception passes a call on.
 */
import { RECHECK_MS } from "../../protocol/limits.js";
import type { Waiting } from "../arguments.js";
import { attempt, IsthmusError } from "../errors.js";
import { native } from "../host/region.js";
import { monotonicMs, sleepMs } from "../host/runtime.js";
import { type Attachment, beatAll } from "../segment/attachment.js";
import { type Condition, NOT_YET, POLL_MS, timedOut } from "./condition.js";
import { beginBlocking, endBlocking } from "./group.js";

/**
 * How often the condition is checked before the thread sleeps. Within these bounds, the number grows when checking has helped.
 */
const SPINS_MIN = 16;
const SPINS_MAX = 2048;

let spins = SPINS_MAX;

/** Checks again for a short time before it sleeps. */
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

/**
 * Blocks the thread until the condition gives a value. The caller has checked that no call waits in the queue of the condition.
 */
export function waitSync<T>(attachment: Attachment, condition: Condition<T>, { timeoutMs }: Waiting): T {
  try {
    return block(attachment, condition, timeoutMs);
  } catch (error) {
    condition.failed?.(error instanceof IsthmusError && error.code === "TIMED_OUT");
    throw error;
  }
}

function block<T>(attachment: Attachment, condition: Condition<T>, timeoutMs: number): T {
  let value = condition.attempt();
  if (value !== NOT_YET) return value;
  if (timeoutMs === 0) throw timedOut(condition.what, timeoutMs);
  if (timeoutMs === Infinity) condition.checkBlocking?.();
  value = spin(condition);
  if (value !== NOT_YET) return value;
  return attachment.readOnly ? poll(condition, timeoutMs) : sleep(attachment, condition, timeoutMs);
}

/** For a read-only opener, which nobody can notify. */
function poll<T>(condition: Condition<T>, timeoutMs: number): T {
  const rounds = new Rounds(condition, timeoutMs);
  for (;;) {
    sleepMs(Math.max(0.1, Math.min(POLL_MS, rounds.leftMs)));
    const value = condition.attempt();
    if (value !== NOT_YET) return value;
    if (rounds.over) throw timedOut(condition.what, timeoutMs);
  }
}

function sleep<T>(attachment: Attachment, condition: Condition<T>, timeoutMs: number): T {
  const { core, region, blockedBell, i32 } = attachment;
  const rounds = new Rounds(condition, timeoutMs);
  let answered = false;
  let served = false;
  beginBlocking(attachment, condition.waiters);
  try {
    do {
      const bell = Atomics.load(i32, blockedBell >>> 2);
      core.waitersBlock(condition.waiters);
      const value = condition.attempt();
      if (value !== NOT_YET) {
        answered = served = true;
        return value;
      }
      const milliseconds = Math.min(RECHECK_MS, rounds.leftMs);
      if (milliseconds > 0)
        attempt("sleeping", () => native.wait(region.object, blockedBell, bell, milliseconds));
    } while (!rounds.over);
    answered = true; // by the look that follows
  } finally {
    const called = endBlocking(attachment);
    if (served ? called : !answered) condition.passOn?.();
    if (served) condition.served?.();
  }
  const value = condition.attempt();
  if (value !== NOT_YET) return value;
  throw timedOut(condition.what, timeoutMs);
}

/** How long a wait that blocks goes on, and what it does every RECHECK_MS. */
class Rounds {
  readonly #condition: Condition<unknown>;
  readonly #end: number;
  #checked = monotonicMs();

  constructor(condition: Condition<unknown>, timeoutMs: number) {
    this.#condition = condition;
    this.#end = this.#checked + timeoutMs;
  }

  get leftMs(): number {
    return this.#end - monotonicMs();
  }

  /** Whether the time is over. */
  get over(): boolean {
    const now = monotonicMs();
    if (now - this.#checked >= RECHECK_MS / 2) {
      this.#checked = now;
      this.#condition.recheck();
      beatAll(); // the timer of this thread cannot
    }
    return now >= this.#end;
  }
}
