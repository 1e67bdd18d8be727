/**
 * The write lock of the heap and the directory: one lock per segment, whose word names its owner. It waits for the living, never
 * for the dead.
 *
 * | word       | written by                                               | read by                                    |
 * | ---------- | -------------------------------------------------------- | ------------------------------------------ |
 * | write lock | a participant: CAS from 0, or from a dead participant's  | each participant that changes the heap or  |
 * |            | token, to its own token; CAS from its own token to 0     | the directory                              |
 *
 *  1. take: CAS of our token, then see that we are still a participant; if the one before is dead, roll back what it left in
 *     the journal
 *  2. change words, noting their old values in the journal
 *  3. commit: empty the journal
 *  4. release: the lock becomes 0. A participant that has waited for a while gets the turn: see `turn.ts`
 *
 * A transaction is the same with the host's own writes in step 2: `transactionBegin` takes, and all functions that would take
 * and release find that we hold the write lock, and keep it until `transactionEnd`.
 *
 * If a participant dies: after 1 or 2 the lock names a dead participant with a journal: the next one takes over and rolls back.
 * After 3 the same with an empty journal. While rolling back: the next one begins rolling back again. The one that takes over
 * also publishes an entry that was committed, and ends the change of a list or dictionary (`sequence.ts`).
 *
 * If a call is cut off and its participant lives on (see `left-over.ts`): the same states, and the lock names a live participant,
 * ourselves. Since no call of the core is on the stack when another one begins, our own token outside of a transaction is a
 * left-over: `takeWriteLock` takes it over as a dead participant's, and `settleWriteLock` does the same and releases. Others
 * wait as for any live owner until one of the two has run.
 *
 * | call that is cut off    | state                                | repair                                              |
 * | ----------------------- | ------------------------------------ | --------------------------------------------------- |
 * | any, after 1 … 3        | lock = our token, not `keeping`      | the next call, or the heartbeat, takes over: rolled |
 * |                         |                                      | back before 3, kept after                           |
 * | transactionBegin        | the same: `keeping` is set last      | the same                                            |
 * | a call inside of a      | `inside`: entries behind `savepoint` | the next call in the transaction, or its end, rolls |
 * | transaction             |                                      | back to the savepoint; the transaction goes on      |
 * | transactionEnd          | not `keeping`, or `keeping` as before | as for any call; the whole transaction            |
 * | the body of the host    | `keeping`                            | `transactionEnd` by the host, in a turn of its event |
 * |                         |                                      | loop: the body cannot be running then               |
 *
 * What we know privately about the journal (`journal.ts`, noted) may be ahead of the shared count or behind it after a cut-off:
 * every takeover begins with `journalBegin`.
 */
import { BUSY, TOO_LARGE } from "../protocol/errors";
import { DIRECTORY_COUNT_OFFSET, DIRECTORY_NEXT_OFFSET, SEGMENT_LOCK_OFFSET } from "../protocol/layout";
import { heapChanging, heapWhole } from "./heap";
import { self, setSuspect } from "./instance";
import {
  journalBegin,
  journalCommit,
  journalCount,
  journalLeft,
  journalMark,
  journalNote,
  journalNoteBytes,
  journalRollBack,
  journalRollBackTo,
} from "./journal";
import { isLive, selfCheck } from "./participants";
import { sequenceEnd } from "./sequence";
import { turnAllows, turnGive, turnRing, turnTaken, turnWanted } from "./turn";
import { load32, load64, store32, swap64 } from "./word";

/** We hold the write lock until the end of a transaction. */
let keeping: bool = false;
/** A change inside the transaction failed half-way. */
let doomed: bool = false;
/** A call inside the transaction is changing things; seen by another call, it was cut off. Where the journal ended before it. */
let inside: bool = false;
let savepoint: u32 = 0;
/** The lock may be ours: set before it is taken, cleared after it is released. Nothing but a hint that `settle…` may look. */
let holding: bool = false;

/** 0, BUSY (the suspect is set), or EVICTED. */
export function takeWriteLock(): u32 {
  turnWanted();
  const failed = selfCheck();
  if (failed != 0) return failed;
  if (keeping) {
    begunInside();
    return 0;
  }
  const owner = load64(SEGMENT_LOCK_OFFSET);
  setSuspect(owner);
  if (owner != 0 && owner != self && isLive(owner)) return BUSY;
  if (!turnAllows()) return BUSY;
  holding = true;
  if (!swap64(SEGMENT_LOCK_OFFSET, owner, self)) {
    setSuspect(load64(SEGMENT_LOCK_OFFSET));
    return BUSY;
  }
  // Removed before the CAS: what the lock names counts as dead, and the next one takes the write lock over.
  const removed = selfCheck();
  if (removed != 0) return removed;
  turnTaken();
  recover();
  return 0;
}

/** A call inside the transaction begins. What one before it left half done is undone first. */
function begunInside(): void {
  if (inside) undoInside();
  savepoint = journalMark();
  inside = true;
}

/** Undoes what a call that was cut off has changed inside the transaction. */
function undoInside(): void {
  heapChanging();
  journalRollBackTo(savepoint);
  heapWhole();
  inside = false;
}

/** What the owner before has begun, dead or cut off, never happened; what it has committed happens. */
function recover(): void {
  journalBegin();
  if (journalCount() != 0) undo();
  sequenceEnd();
  publishEntry();
}

/**
 * Ends one of several changes that are made one after the other with the write lock, each whole or not at all. Whether the lock
 * is still ours.
 */
export function endStep(keep: bool): bool {
  if (load64(SEGMENT_LOCK_OFFSET) != self) return false; // as in releaseWriteLock
  if (keep) heapWhole();
  else undo();
  journalCommit();
  sequenceEnd();
  return true;
}

/** Undoes whatever the journal holds. A walk over the heap is told that it changes. */
function undo(): void {
  heapChanging();
  journalRollBack();
  heapWhole();
}

/** Publishes the entry of the directory that is committed and not published, if there is one. */
export function publishEntry(): void {
  const next = load32(DIRECTORY_NEXT_OFFSET);
  if (next == load32(DIRECTORY_COUNT_OFFSET) + 1) store32(DIRECTORY_COUNT_OFFSET, next); // pairs with the load in directoryCount
}

/** Ends a change: it stays when `keep`, else it never happened. Inside a transaction that fate is shared by all of it. */
export function releaseWriteLock(keep: bool): void {
  if (keeping) {
    if (!keep) doomed = true;
    inside = false;
    return;
  }
  if (load64(SEGMENT_LOCK_OFFSET) != self) return; // we were removed, and somebody else has taken over
  if (!keep) undo();
  journalCommit();
  release();
}

/** Gives the lock back. If somebody has waited for it for a while, that one is next. */
function release(): void {
  turnGive();
  swap64(SEGMENT_LOCK_OFFSET, self, 0); // pairs with the load in takeWriteLock
  holding = false;
  turnRing();
}

/** Ends a change of ours that was cut off; not a transaction that runs. Called where no other call of the core can be running. */
export function settleWriteLock(): void {
  if (!holding || keeping) return;
  if (selfCheck() == 0 && load64(SEGMENT_LOCK_OFFSET) == self) {
    recover();
    release();
  }
  holding = false;
}

/** Undoes what a dead participant has begun, without changing anything. 0, BUSY (the suspect is set), or EVICTED. */
export function repair(): u32 {
  const failed = takeWriteLock();
  if (failed == 0) releaseWriteLock(true);
  return failed;
}

/** For a host that reads for a while what must not change meanwhile, in calls that take no lock. As `takeWriteLock`. */
export function writeLockTake(): u32 {
  return outsideTransaction() != 0 ? BUSY : takeWriteLock();
}

/** Whether somebody else is in the way of whoever wants the write lock now: BUSY (the suspect is set), else 0. Takes nothing. */
export function writeLockState(): u32 {
  const owner = load64(SEGMENT_LOCK_OFFSET);
  setSuspect(owner);
  if (owner != 0 && owner != self && isLive(owner)) return BUSY;
  return turnAllows() ? 0 : BUSY;
}

/** Ends that. */
export function writeLockRelease(): void {
  releaseWriteLock(true);
}

/** BUSY while our own transaction runs: nobody else is in the way. Else 0. */
export function outsideTransaction(): u32 {
  if (keeping) setSuspect(self);
  return keeping ? BUSY : 0;
}

/** Begins a transaction. 0, BUSY, or EVICTED. */
export function transactionBegin(): u32 {
  if (outsideTransaction() != 0) return BUSY;
  const failed = takeWriteLock();
  if (failed != 0) return failed;
  doomed = false;
  inside = false;
  keeping = true;
  return 0;
}

/** Ends it: everything since its begin stays, or none of it ever happened. Whether it stayed. */
export function transactionEnd(keep: bool): bool {
  if (!keeping) {
    settleWriteLock(); // the call before that was to end it was cut off
    return false;
  }
  const stays = keep && !doomed && selfCheck() == 0;
  if (inside && stays) undoInside();
  keeping = false;
  releaseWriteLock(stays);
  return stays;
}

/**
 * Inside a transaction: notes the bytes in [offset, offset + bytes), and no others, so that the host may write there. 0;
 * TOO_LARGE when the journal has no room; BUSY outside of a transaction.
 */
export function transactionNote(offset: u32, bytes: u32): u32 {
  if (!keeping) return BUSY;
  if (inside) undoInside();
  if (bytes == 0) return 0;
  const words = u32((u64(offset & 3) + bytes + 3) >>> 2);
  if (words > journalLeft()) return TOO_LARGE;
  const end = u64(offset) + bytes;
  for (let at = u64(offset); at < end; ) {
    const count = u32(min((at & ~3) + 4, end) - at);
    if (count == 4) journalNote(u32(at));
    else journalNoteBytes(u32(at), count);
    at += count;
  }
  return 0;
}
