/**
 * Entering and leaving a segment, and what every call needs that meets another participant: marking the dead, notifying,
 * retrying. For hosts that block. Blocking: each wait here has a bound.
 *
 * The host has opened and mapped the object, and holds KERNEL_LOCK_CREATION alone and KERNEL_LOCK_HOLDERS shared. To enter:
 *  1. validate the header, and refuse what is no segment of this release
 *  2. the first slot that does not say LIVE and whose kernel lock nobody has; then, of those that say LIVE, the first whose
 *     kernel lock nobody has: its owner died
 *  3. take that kernel lock, and join
 *  4. give KERNEL_LOCK_CREATION back
 *
 * To leave, after all that this participant holds was given back:
 *  1. the last heartbeat
 *  2. KERNEL_LOCK_CREATION, with a bound: whoever has it may be stopped
 *  3. leave: with that lock also look whether this was the last participant
 *  4. give the kernel lock of the slot back, then KERNEL_LOCK_CREATION. The host closes the object
 *
 * If the host dies: entering after 1 or 2: the kernel drops its locks, nothing has happened. After 3: LIVE without a kernel
 * lock, which is marked dead by whoever meets it. Leaving before 3: the same. After 3: the slot is free, and nothing is left
 * but kernel locks, which the kernel drops.
 */
import { BUSY, TIMED_OUT, TOO_MANY_PARTICIPANTS } from "../../protocol/errors";
import {
  KERNEL_LOCK_CREATION,
  KERNEL_LOCK_PARTICIPANTS,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_CALL_ALL,
  SUSPECT_GONE,
  SUSPECT_NONE,
} from "../../protocol/layout";
import { LEAVE_TIMEOUT_MS } from "../../protocol/limits";
import { participants, selfSlot } from "../instance";
import { join, leave, markDead, slotToTry, suspectSlot } from "../participants";
import { validate } from "../segment";
import { waitersTake } from "../waiters";
import { heartbeat } from "./heartbeat";
import { sysHeld, sysLock, sysNow, sysSleep, sysWake, sysWall } from "./system";
import { waitReadOnly } from "./wait";

/** Pause between two attempts. Milliseconds. */
const ATTEMPT_MS: f64 = 0.5;

/** Joins the mapped segment, and gives KERNEL_LOCK_CREATION back. 0; as `validate`; or TOO_MANY_PARTICIPANTS. */
export function hostedEnter(bytes: f64, pid: u32, runtime: u32): u32 {
  const failed = validate(bytes, true);
  if (failed != 0) return failed;
  for (let turn: u32 = 0; turn < 2 * participants; turn++) {
    const slot = slotToTry(turn);
    if (slot == SUSPECT_NONE || sysLock(KERNEL_LOCK_PARTICIPANTS + slot, 2) == 0) continue;
    const time = sysWall();
    join(slot, pid, runtime, time);
    heartbeat();
    sysLock(KERNEL_LOCK_CREATION, 0);
    return 0;
  }
  return TOO_MANY_PARTICIPANTS;
}

/**
 * Looks at the mapped segment without joining: for a host that maps it for reading only, which has none of the locks. It calls
 * only what says so in docs/embedding.md, and waits by looking every few milliseconds. 0, or as `validate`.
 */
export function hostedEnterReadOnly(bytes: f64): u32 {
  waitReadOnly();
  return validate(bytes, false);
}

/** Leaves the segment; the host closes the object afterwards. */
export function hostedLeave(): void {
  heartbeat();
  const end = sysNow() + f64(LEAVE_TIMEOUT_MS);
  let alone = sysLock(KERNEL_LOCK_CREATION, 2) != 0;
  while (!alone && sysNow() < end) {
    sysSleep(ATTEMPT_MS);
    alone = sysLock(KERNEL_LOCK_CREATION, 2) != 0;
  }
  leave(alone);
  sysLock(KERNEL_LOCK_PARTICIPANTS + selfSlot, 0);
  if (alone) sysLock(KERNEL_LOCK_CREATION, 0);
}

/** Every participant may have died while it held what one call needs, and once more during the retries. */
export function retryTurnsMax(): u32 {
  return 2 * participants;
}

/** Whether a call that has returned BUSY can be tried again at once: whoever was in its way is gone, or is marked dead now. */
export function suspectGone(): bool {
  const slot = suspectSlot();
  if (slot >= u32(SUSPECT_NONE)) return slot == SUSPECT_GONE;
  if (sysHeld(KERNEL_LOCK_PARTICIPANTS + slot) != 0) return false;
  markDead();
  return true;
}

/** What a call gives that has found nothing in its time. A time below 0 says that it only tries. */
export function gaveUp(timeoutMs: f64): u32 {
  return timeoutMs < 0 ? BUSY : TIMED_OUT;
}

/** Wakes each participant of a set of waiters, once. */
export function hostedNotify(set: usize): void {
  for (let from: u32 = 0; ; ) {
    const bell = u32(waitersTake(set, from));
    if (bell == 0) return;
    sysWake(bell);
    from = (bell - PARTICIPANTS_OFFSET - PARTICIPANT_DOORBELL_OFFSET) / PARTICIPANT_BYTES + 1;
  }
}

/**
 * Wakes the participant whose doorbell a function that calls one has rung (`waitersCall`, `lockCall`, `semaphoreCall`), or the
 * whole set when it says so. Whether there may be more to call.
 */
export function wakeCalled(set: usize, bell: usize): bool {
  if (bell == RESULT_CALL_ALL) hostedNotify(set);
  else if (bell != 0) sysWake(u32(bell));
  return bell > usize(RESULT_CALL_ALL);
}
