/**
 * Waiting that blocks the thread. The thread checks the condition up to SPINS_MAX times. It then arms the bit of this
 * participant and sleeps on the doorbell, until it is woken, RECHECK_MS have passed, or the timeout has passed. See
 * `assembly/waiters.ts`.
 */
import { RECHECK_MS } from "../../protocol/limits.js";
import type { Waiting } from "../arguments.js";
import { attempt, IsthmusError } from "../errors.js";
import { native } from "../host/region.js";
import { monotonicMs, sleepMs } from "../host/runtime.js";
import { type Attachment, beatAll } from "../segment/attachment.js";
import { type Condition, NOT_YET, POLL_MS, timedOut } from "./condition.js";
import { disarm, sharesBit } from "./group.js";

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
  value = spin(condition);
  if (value !== NOT_YET) return value;
  const begin = monotonicMs();
  let checked = begin;
  for (;;) {
    value = sleepOnce(attachment, condition, Math.min(RECHECK_MS, begin + timeoutMs - monotonicMs()));
    if (value !== NOT_YET) return value;
    const now = monotonicMs();
    if (now - checked >= RECHECK_MS / 2) {
      checked = now;
      condition.recheck();
      beatAll(); // the timer of this thread cannot
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
  if (attachment.readOnly) {
    sleepMs(Math.max(0.1, Math.min(POLL_MS, milliseconds)));
    return condition.attempt();
  }
  const bell = Atomics.load(attachment.i32, attachment.doorbell >>> 2);
  attachment.core.waitersArm(condition.waiters);
  sharesBit(attachment, condition.waiters);
  try {
    const value = condition.attempt();
    if (value !== NOT_YET || milliseconds <= 0) return value;
    const { region, doorbell } = attachment;
    attempt("sleeping", () => native.wait(region.object, doorbell, bell, milliseconds));
    return condition.attempt();
  } finally {
    disarm(attachment, condition.waiters);
  }
}
