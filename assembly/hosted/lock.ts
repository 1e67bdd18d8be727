/**
 * Lock, for hosts that block. A host whose calls block has one task per participant, so all its holds of a lock are one nest:
 * exclusive as long as one of them is, else shared; the lock goes back with the last of them, in whatever order they end.
 *
 *     what a host keeps of a lock, and passes as `held`; after each call it takes `lockHeld` over, whatever the result was
 *
 *     31 30      15 14           0
 *     +---+--------+-------------+
 *     | 0 | shared | exclusive   |     numbers of holds; 0: none, and nothing to remember
 *     +---+--------+-------------+
 *     | 1 | milliseconds         |     none; since then a try has found the lock free and kept for those who want it shared
 *     +---+----------------------+
 *
 * | asked of           | shared                          | exclusive                                              |
 * | ------------------ | ------------------------------- | ------------------------------------------------------ |
 * | the lock, no hold  | waits                           | waits                                                  |
 * | the lock, shared   | one hold more, at once          | DEADLOCK: it would wait for itself                     |
 * | the lock, exclusive | DEADLOCK                       | DEADLOCK                                               |
 * | a hold, shared     | one hold more, at once          | an upgrade, which ends with this hold; DEADLOCK when   |
 * |                    |                                 | another participant waits to upgrade                   |
 * | a hold, exclusive  | one hold more, at once          | one hold more, at once                                 |
 *
 * To wait:
 *  1. try; with BUSY an exclusive claim, or that of an upgrade, stays and keeps others out
 *  2. each RECHECK_MS: ask the kernel about whoever is in the way. From then on those that SHARED_FIRST lets in had time enough
 *  3. the time is over: take the claim back, and wake those whom it kept out
 * A try takes the claim back at once, and asks the kernel once. When it has found the lock free and kept for those who
 * want it shared for RECHECK_MS, they have gone, and it passes them.
 *
 * If a participant dies, or is cut off: see `lock.ts`. A host that sees that a call was cut off calls `lockSettle`.
 */
import { BUSY, CLOSED, DEADLOCK, TOO_LARGE } from "../../protocol/errors";
import {
  FLAG_WAKE_EXCLUSIVE,
  FLAG_WAKE_SHARED,
  LOCK_OWNER_DIED,
  LOCK_SHARED_FIRST,
  RESULT_ERRORS,
  TOKEN_SLOT_SHIFT,
} from "../../protocol/layout";
import { RECHECK_MS } from "../../protocol/limits";
import {
  lockCall,
  lockCancel,
  lockDowngrade,
  lockExclusive,
  lockForgo,
  lockJoin,
  lockReleaseExclusive,
  lockReleaseShared,
  lockShared,
  lockState,
  lockUpgrade,
  lockWaitersExclusive,
  lockWaitersShared,
} from "../lock";
import { selfCheck } from "../participants";
import { gaveUp, hostedNotify, retryTurnsMax, suspectGone, wakeCalled } from "./session";
import { sysNow } from "./system";
import { LOOK, OVER, RECHECK, waitBegin, waitEnd, waitNext } from "./wait";

/** How a lock is taken. */
const SHARED: u32 = 0;
const EXCLUSIVE: u32 = 1;
const JOURNALED: u32 = 2;
const UPGRADE: u32 = 3;

const SHARED_SHIFT: u32 = 15;
const COUNT_MASK: u32 = 0x7fff;
const RESERVED: u32 = 0x80000000;

/** What the host keeps of the lock that it has called a function for. */
export let lockHeld: u32 = 0;

function exclusives(held: u32): u32 {
  return (held & RESERVED) != 0 ? 0 : held & COUNT_MASK;
}

function shares(held: u32): u32 {
  return (held & RESERVED) != 0 ? 0 : (held >>> SHARED_SHIFT) & COUNT_MASK;
}

/** One hold more of that mode; TOO_LARGE when they are not counted that far. */
function counted(held: u32, shared: bool, told: u32): u32 {
  if ((shared ? shares(held) : exclusives(held)) == COUNT_MASK) return TOO_LARGE;
  lockHeld = ((held & RESERVED) != 0 ? 0 : held) + (shared ? 1 << SHARED_SHIFT : 1);
  return told;
}

/**
 * Takes the lock, shared or else exclusively, waiting for it. 0 or LOCK_OWNER_DIED when it is held; BUSY, TIMED_OUT; DEADLOCK;
 * BROKEN; EVICTED; TOO_LARGE.
 */
export function hostedLockAcquire(lock: usize, held: u32, shared: bool, timeoutMs: f64): u32 {
  return acquire(lock, held, shared ? SHARED : EXCLUSIVE, timeoutMs);
}

/** The same, exclusively, for a transaction: all changes are in the journal. Not under a hold. */
export function acquireJournaled(lock: usize, held: u32, timeoutMs: f64): u32 {
  return acquire(lock, held, JOURNALED, timeoutMs);
}

function acquire(lock: usize, held: u32, mode: u32, timeoutMs: f64): u32 {
  lockHeld = held;
  if (isHeld(held)) return again(lock, held, mode == SHARED, timeoutMs);
  const told = waitFor(lock, mode, timeoutMs);
  if (told < u32(RESULT_ERRORS)) return counted(0, mode == SHARED, told);
  if (told == BUSY && mode != SHARED) return reserved(lock, held, mode);
  return told;
}

/** Whether there is a hold. */
export function isHeld(held: u32): bool {
  return held != 0 && (held & RESERVED) == 0;
}

/** The lock itself is asked, and this participant has it already. */
function again(lock: usize, held: u32, shared: bool, timeoutMs: f64): u32 {
  if (!shared || exclusives(held) > 0) return timeoutMs < 0 ? BUSY : DEADLOCK;
  const told = lockJoin(lock);
  // A thread that blocks does not stand back for those that wait for exclusive: they wait for this very thread.
  if (told == BUSY && timeoutMs >= 0) return counted(held, true, lockState(lock) & LOCK_OWNER_DIED);
  return told < u32(RESULT_ERRORS) ? counted(held, true, told) : told;
}

/**
 * Takes the lock once more under a hold; exclusive under shared is an upgrade, which ends with the new hold. As
 * `hostedLockAcquire`; CLOSED when there is no hold.
 */
export function hostedLockNest(lock: usize, held: u32, shared: bool, timeoutMs: f64): u32 {
  lockHeld = held;
  const failed = isHeld(held) ? selfCheck() : CLOSED;
  if (failed != 0) return failed;
  if (shared || exclusives(held) > 0) return counted(held, shared, lockState(lock) & LOCK_OWNER_DIED);
  const told = waitFor(lock, UPGRADE, timeoutMs);
  return told < u32(RESULT_ERRORS) ? counted(held, false, told) : told;
}

/** Turns a shared hold into an exclusive one. As `hostedLockNest`; after DEADLOCK release it and acquire anew. */
export function hostedLockUpgrade(lock: usize, held: u32, timeoutMs: f64): u32 {
  lockHeld = held;
  if (shares(held) == 0) return isHeld(held) ? 0 : CLOSED;
  const told = hostedLockNest(lock, held, false, timeoutMs);
  if (told < u32(RESULT_ERRORS)) lockHeld -= 1 << SHARED_SHIFT;
  return told;
}

/** Turns an exclusive hold into a shared one, without anybody coming in between. 0; CLOSED; EVICTED. */
export function hostedLockDowngrade(lock: usize, held: u32): u32 {
  lockHeld = held;
  if (exclusives(held) == 0) return isHeld(held) ? 0 : CLOSED;
  const full = counted(held, true, 0);
  if (full != 0) return full;
  return settle(lock, lockHeld - 1, true);
}

/**
 * Gives a hold back. 0; CLOSED when there is none; EVICTED: it was given back all the same, and somebody else may have had the
 * lock meanwhile.
 */
export function hostedLockRelease(lock: usize, held: u32, shared: bool): u32 {
  lockHeld = held;
  if ((shared ? shares(held) : exclusives(held)) == 0) return CLOSED;
  return settle(lock, held - (shared ? 1 << SHARED_SHIFT : 1), exclusives(held) > 0);
}

/** Brings the lock to what is left of the holds. */
function settle(lock: usize, left: u32, wasExclusive: bool): u32 {
  lockHeld = left;
  if (left == 0) wake(lock, wasExclusive ? lockReleaseExclusive(lock) : lockReleaseShared(lock));
  else if (wasExclusive && exclusives(left) == 0) wake(lock, lockDowngrade(lock));
  return selfCheck();
}

function wake(lock: usize, who: u32): void {
  if ((who & FLAG_WAKE_SHARED) != 0) hostedNotify(lockWaitersShared(lock));
  if ((who & FLAG_WAKE_EXCLUSIVE) != 0) callNext(lock);
}

/** Calls whoever can have the lock exclusively next. */
function callNext(lock: usize): void {
  wakeCalled(lockWaitersExclusive(lock), lockCall(lock));
}

// --- waiting -------------------------------------------------------------------------------------------------------------

/** 0 or LOCK_OWNER_DIED; TIMED_OUT, or BUSY for who only tries; another error. No claim is left but with the lock. */
function waitFor(lock: usize, mode: u32, timeoutMs: f64): u32 {
  let impatient = false;
  waitBegin(mode == SHARED ? lockWaitersShared(lock) : lockWaitersExclusive(lock), timeoutMs);
  for (let next = timeoutMs < 0 ? RECHECK : LOOK; next != OVER; next = waitNext()) {
    if (next == RECHECK && timeoutMs >= 0) impatient = true;
    const told = next == RECHECK ? takePastDead(lock, mode, impatient) : take(lock, mode, impatient);
    if (told == BUSY) continue;
    const failed = told >= u32(RESULT_ERRORS);
    if (waitEnd(failed) && failed && mode != SHARED) callNext(lock);
    return told;
  }
  wake(lock, mode == SHARED ? lockForgo(lock) : lockCancel(lock));
  return gaveUp(timeoutMs);
}

/** One attempt: BUSY: not now. */
function take(lock: usize, mode: u32, impatient: bool): u32 {
  if (mode == UPGRADE) return upgrade(lock);
  if (mode != SHARED) return lockExclusive(lock, impatient, mode == JOURNALED);
  const told = lockShared(lock);
  if (told != u32(FLAG_WAKE_EXCLUSIVE)) return told;
  callNext(lock); // our bit stood for a moment
  return BUSY;
}

function upgrade(lock: usize): u32 {
  const told = lockUpgrade(lock, true);
  // The one that waits to upgrade may have died: then it is out of the way for good.
  return told == DEADLOCK && suspectGone() ? lockUpgrade(lock, true) : told;
}

function takePastDead(lock: usize, mode: u32, impatient: bool): u32 {
  let told = take(lock, mode, impatient);
  for (let turn: u32 = 0; told == BUSY && turn < retryTurnsMax() && suspectGone(); turn++) {
    told = take(lock, mode, impatient);
  }
  return told;
}

/** A try has not got the lock: notes since when it is kept for those who want it shared, and passes them when it is time. */
function reserved(lock: usize, held: u32, mode: u32): u32 {
  lockHeld = 0;
  const state = lockState(lock);
  if (state >>> TOKEN_SLOT_SHIFT != 0 || (state & LOCK_SHARED_FIRST) == 0) return BUSY;
  const now = u32(u64(sysNow())) & ~RESERVED;
  const since = held == 0 ? now : held & ~RESERVED;
  lockHeld = RESERVED | since;
  if (((now - since) & ~RESERVED) < u32(RECHECK_MS)) return BUSY;
  const told = take(lock, mode, true);
  if (told < u32(RESULT_ERRORS)) return counted(0, false, told);
  wake(lock, lockCancel(lock));
  return told;
}

/** The lock was taken for a transaction by who repairs nothing: it is given back, and says nothing of the data. */
export function releaseUnrepaired(lock: usize): void {
  hostedLockDowngrade(lock, lockHeld);
  hostedLockRelease(lock, lockHeld, true);
}
