/**
 * What needs the write lock, for hosts that block: each call waits for a living participant that has it, and never for a dead
 * one. A call without a time of its own waits WRITE_LOCK_TIMEOUT_MS: the lock is held for microseconds, or for a transaction.
 *
 * A transaction:
 *  1. hostedTransactionBegin: the lock, exclusively, or exclusively under a hold of it; then the write lock. No nesting: BUSY
 *  2. transactionNote for the bytes that are about to be written; then the host writes them
 *  3. hostedAllocate at any time; hostedFree after all other writes, right before the end: the bytes of a block that was freed
 *     before may have a new owner, inside of the transaction, and undoing it would not bring them back
 *  4. hostedTransactionEnd: all of it stays, or none of it ever happened; the lock is given back
 *
 * The lock of a transaction that is not nested says so (LOCK_JOURNALED): when its holder dies there is nothing to repair. So it
 * is refused with OWNER_DIED when an earlier holder has left something to repair.
 *
 * If a participant dies, or is cut off: see `write-lock.ts`.
 */
import { BUSY, CORRUPT, EVICTED, OWNER_DIED } from "../../protocol/errors";
import {
  DIRECTORY_WAITERS_OFFSET,
  FLAG_WAKE,
  LOCK_OWNER_DIED,
  RESULT_ERRORS,
  RESULT_OFFSETS,
  WRITE_LOCK_WAITERS_OFFSET,
} from "../../protocol/layout";
import { WRITE_LOCK_TIMEOUT_MS } from "../../protocol/limits";
import { objectOpen } from "../directory";
import { heapAllocate, heapFree, heapSetLayout, heapSetRoot } from "../memory";
import { selfCheck } from "../participants";
import { turnLeave, turnPass, turnServed } from "../turn";
import {
  outsideTransaction,
  transactionBegin,
  transactionEnd,
  writeLockRelease,
  writeLockTake,
} from "../write-lock";
import { passOn } from "./heartbeat";
import {
  acquireJournaled,
  hostedLockNest,
  hostedLockRelease,
  isHeld,
  lockHeld,
  releaseUnrepaired,
} from "./lock";
import { gaveUp, hostedNotify, retryTurnsMax, suspectGone } from "./session";
import { sysNow } from "./system";
import { OVER, RECHECK, waitBegin, waitEnd, waitNext } from "./wait";

const ALLOCATE: u32 = 0;
const FREE: u32 = 1;
const SET_LAYOUT: u32 = 2;
const SET_ROOT: u32 = 3;
const TAKE: u32 = 4;
const BEGIN: u32 = 5;
const OPEN: u32 = 6;

function attempt(what: u32, a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): u32 {
  if (what == ALLOCATE) return heapAllocate(a, b, c != 0);
  if (what == FREE) return heapFree(a);
  if (what == SET_LAYOUT) return heapSetLayout(a, b);
  if (what == SET_ROOT) return heapSetRoot(a);
  if (what == OPEN) return objectOpen(a, b, c, d, e, f);
  return what == TAKE ? writeLockTake() : transactionBegin();
}

/** Tries it, and again as long as those in the way turn out to be dead. */
function attemptPastDead(what: u32, a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): u32 {
  let result = attempt(what, a, b, c, d, e, f);
  for (let turn: u32 = 0; result == BUSY && turn < retryTurnsMax() && suspectGone(); turn++) {
    result = attempt(what, a, b, c, d, e, f);
  }
  passOn();
  return result;
}

/** Waits while living participants have the write lock, until it is our turn (`turn.ts`). BUSY when the time is over. */
function withWriteLock(
  what: u32,
  patienceMs: f64,
  a: u32 = 0,
  b: u32 = 0,
  c: u32 = 0,
  d: u32 = 0,
  e: u32 = 0,
  f: u32 = 0,
): u32 {
  let result = attemptPastDead(what, a, b, c, d, e, f);
  if (result != BUSY) return result;
  waitBegin(WRITE_LOCK_WAITERS_OFFSET, patienceMs);
  while (result == BUSY) {
    const next = waitNext();
    if (next == OVER) break;
    if (turnPass(sysNow()) || next == RECHECK) result = attemptPastDead(what, a, b, c, d, e, f);
    else result = attempt(what, a, b, c, d, e, f);
    passOn();
  }
  waitEnd(false);
  if (result == BUSY) turnLeave();
  else turnServed();
  passOn();
  return result;
}

/** As `objectOpen`: past the dead, waiting for the living, and those who wait for objects are woken. The offset, or an error. */
export function hostedOpen(type: u32, nameBytes: u32, first: u32, second: u32, third: u32, fourth: u32): u32 {
  const result = withWriteLock(
    OPEN,
    f64(WRITE_LOCK_TIMEOUT_MS),
    type,
    nameBytes,
    first,
    second,
    third,
    fourth,
  );
  if (result < u32(RESULT_OFFSETS) || (result & FLAG_WAKE) == 0) return result;
  hostedNotify(DIRECTORY_WAITERS_OFFSET);
  return result & ~FLAG_WAKE;
}

/** As `heapAllocate`. */
export function hostedAllocate(bytes: u32, alignment: u32, zero: bool): u32 {
  return withWriteLock(ALLOCATE, f64(WRITE_LOCK_TIMEOUT_MS), bytes, alignment, u32(zero));
}

/** As `heapFree`. */
export function hostedFree(offset: u32): u32 {
  return withWriteLock(FREE, f64(WRITE_LOCK_TIMEOUT_MS), offset);
}

/** As `heapSetLayout`. */
export function hostedSetLayout(offset: u32, hash: u32): u32 {
  return withWriteLock(SET_LAYOUT, f64(WRITE_LOCK_TIMEOUT_MS), offset, hash);
}

/** As `heapSetRoot`. */
export function hostedSetRoot(offset: u32): u32 {
  return withWriteLock(SET_ROOT, f64(WRITE_LOCK_TIMEOUT_MS), offset);
}

/** As `writeLockTake`, to walk over blocks; ended by `hostedWriteLockRelease`. BUSY at once inside of a transaction. */
export function hostedWriteLockTake(): u32 {
  return outsideTransaction() != 0 ? BUSY : withWriteLock(TAKE, f64(WRITE_LOCK_TIMEOUT_MS));
}

/** Ends that. */
export function hostedWriteLockRelease(): void {
  writeLockRelease();
  passOn();
}

/**
 * Begins a transaction with a lock; `held` is what the host keeps of it, and afterwards `lockHeld`. 0; BUSY, TIMED_OUT; BUSY
 * also when one runs already; OWNER_DIED; the errors of the lock. With an error nothing is held that was not before.
 */
export function hostedTransactionBegin(lock: usize, held: u32, timeoutMs: f64): u32 {
  if (outsideTransaction() != 0) return BUSY;
  const begin = sysNow();
  const nested = isHeld(held);
  const told = nested
    ? hostedLockNest(lock, held, false, timeoutMs)
    : acquireJournaled(lock, held, timeoutMs);
  if (told >= u32(RESULT_ERRORS)) return told;
  if (!nested && (told & LOCK_OWNER_DIED) != 0) {
    releaseUnrepaired(lock);
    return OWNER_DIED;
  }
  const left = timeoutMs == Infinity ? f64(WRITE_LOCK_TIMEOUT_MS) : begin + timeoutMs - sysNow();
  const result = withWriteLock(BEGIN, left);
  if (result == 0) return 0;
  hostedLockRelease(lock, lockHeld, false);
  return result == BUSY && timeoutMs != Infinity ? gaveUp(timeoutMs) : result;
}

/** Ends it, and gives the lock back. 0 when it has the fate that `keep` asks for; EVICTED, CORRUPT: it never happened. */
export function hostedTransactionEnd(lock: usize, held: u32, keep: bool): u32 {
  const stays = transactionEnd(keep);
  passOn();
  const released = hostedLockRelease(lock, held, false);
  if (stays == keep) return released;
  return selfCheck() != 0 ? EVICTED : CORRUPT;
}
