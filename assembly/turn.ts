/**
 * Whose turn it is to have the write lock. Without turns, whoever changes the segment in a loop takes the lock again before
 * anybody else has woken up, and the others starve. Lock-free.
 *
 *     128              136      144             152      156
 *     +----------------+--------+---------------+--------+        +---------------------------+
 *     | write lock     |  ...   | turn          | grants |  ...   | waiters of the write lock |
 *     +----------------+--------+---------------+--------+        +---------------------------+
 *
 * | word     | written by                                                                         | read by                 |
 * | -------- | ---------------------------------------------------------------------------------- | ----------------------- |
 * | turn     | the holder of the lock: before it releases it, from 0 or what does not count to a  | whoever wants the lock  |
 * |          | waiter's token; when it has taken the lock, to 0. Whose turn it is, when it gives  |                         |
 * |          | up, and who has waited too long for that one: to the next, or 0. All by CAS        |                         |
 * | grants   | the holder, when it has taken the lock                                             | who waits for the lock  |
 * | waiters  | who waits for the lock sets its bit (`waiters.ts`); who picks it clears it         | the holder              |
 *
 * Only those who have waited for a while are in the set. Before that they try again and again, and whoever comes first has the
 * lock: a lock that is held for microseconds would otherwise cost a system call each time that it changes hands.
 *
 *  1. give: the turn names the next waiter behind the holder's own slot. So each waiter is served before one is served twice
 *  2. pick: its bit is cleared. If it had gone already, that one has given up: back to 1 with the next
 *  3. release: the lock becomes 0 (`write-lock.ts`)
 *  4. ring: the doorbell of the one whose turn it is grows, and the host wakes it (ANSWER_WAKE)
 *  5. that one takes the lock, and the turn becomes 0
 *
 * One that sets its bit when the holder has looked at the set already may see the lock still held. So if no turn stands after 3,
 * the first that is in the set then is rung without one: the lock is free for all. One that gives up, and finds that its bit was
 * cleared, passes on what it was rung for. One that has had the lock passes on a turn that it was given afterwards, while its bit
 * still stood; a ring without a turn it need not pass on: its own release came later than all that waited then. One that needs no
 * lock any more leaves as who gives up.
 *
 * From 3 to 5 the lock is free, and only one may take it. One that has seen the same turn stand for TURN_MS gives it to the next
 * waiter. The one that was passed over enters the set again when it looks.
 *
 * If a participant dies: before 3 the lock names a dead one, and whoever comes rolls back what it has begun; a turn that was
 * given stands. After 3 nobody is rung: the waiters look again after RECHECK_MS, as after every lost wake-up, and others who come
 * meanwhile pass over a turn that stands. If the one whose turn it is dies, its turn does not count: it names no participant.
 *
 * If a call is cut off: before 3 whatever settles the write lock releases it, with these steps from the beginning; a turn that
 * stands is kept. After 3 as for a death. In step 5, before the turn is 0, our own turn stands while we have the lock: it is
 * given to the next when we release it.
 *
 * Source of the idea: as in the mutex of Go, a lock is handed over only to those who have waited for long.
 */
import {
  ANSWER_WAKE_OFFSET,
  PARTICIPANT_WORD_OFFSET,
  SEGMENT_LOCK_OFFSET,
  WAITERS_SUMMARY_OFFSET,
  WAITERS_WORDS_OFFSET,
  WRITE_LOCK_GRANTS_OFFSET,
  WRITE_LOCK_TURN_OFFSET,
  WRITE_LOCK_WAITERS_OFFSET,
} from "../protocol/layout";
import { TURN_MS } from "../protocol/limits";
import { participants, self, selfSlot, setSuspect } from "./instance";
import { answers, isLive, slotOffset } from "./participants";
import { ownerOf, slotOf } from "./token";
import { waitersAny, waitersDisarm, waitersHides, waitersRing, waitersTakeBit } from "./waiters";
import { load32, load64, swap64 } from "./word";

/** No slot. */
const NONE: u32 = u32.MAX_VALUE;

/** The latest call that might take the lock has taken it. */
let taken: bool = false;

/** Somebody else's turn that stood in our way, when it began, and how often the lock had been taken then. */
let seen: u64 = 0;
let seenGrants: u32 = 0;
let seenMs: f64 = 0;

/** A call begins that takes the lock if it must. */
export function turnWanted(): void {
  taken = false;
}

/** Whether we may take the lock, if it is free: nobody who lives has the turn, or we do. Else the suspect is set. */
export function turnAllows(): bool {
  const turn = load64(WRITE_LOCK_TURN_OFFSET);
  if (!isOfAnother(turn)) return true;
  setSuspect(turn);
  return false;
}

function isOfAnother(turn: u64): bool {
  return turn != 0 && turn != self && isLive(turn);
}

/**
 * We have taken the lock: a turn of our own, or of a dead participant, is over. It is read again: since `turnAllows` another
 * participant may have had the lock, and given the turn to us.
 */
export function turnTaken(): void {
  taken = true;
  store<u32>(WRITE_LOCK_GRANTS_OFFSET, load<u32>(WRITE_LOCK_GRANTS_OFFSET) + 1);
  const turn = load64(WRITE_LOCK_TURN_OFFSET);
  if (turn != 0 && !isOfAnother(turn)) swap64(WRITE_LOCK_TURN_OFFSET, turn, 0); // pairs with the load in turnAllows
}

/** We are about to release the lock: if somebody waits, it is that one's turn then. Usually nobody does. */
export function turnGive(): void {
  if (!waitersAny(WRITE_LOCK_WAITERS_OFFSET)) return;
  const turn = load64(WRITE_LOCK_TURN_OFFSET);
  if (!isOfAnother(turn)) give(turn, selfSlot);
}

/** We have released the lock: who has the turn is rung. It need not be the one to whom we gave it: that one may have given up. */
export function turnRing(): void {
  const turn = load64(WRITE_LOCK_TURN_OFFSET);
  if (isOfAnother(turn)) ring(slotOf(turn));
  else ringNext();
}

/**
 * The host calls it each time when it has got BUSY. If another one's turn is in our way, the lock is free, and that has been so
 * for TURN_MS, the turn goes to the next. Whether it was changed: then the lock can be tried again at once.
 */
export function turnPass(nowMs: f64): bool {
  const turn = load64(WRITE_LOCK_TURN_OFFSET);
  const owner = load64(SEGMENT_LOCK_OFFSET);
  if (turn == 0 || turn == self || (owner != 0 && owner != self && isLive(owner))) {
    seen = 0;
    return false;
  }
  const grants = load<u32>(WRITE_LOCK_GRANTS_OFFSET);
  if (turn != seen || grants != seenGrants) {
    seen = turn;
    seenGrants = grants;
    seenMs = nowMs;
    return false;
  }
  if (nowMs - seenMs < TURN_MS) return false;
  seen = 0;
  pass(turn);
  return true;
}

/** We do not wait for the lock any longer: what we were picked for goes to the next. */
export function turnLeave(): void {
  const picked = !waitersDisarm(WRITE_LOCK_WAITERS_OFFSET);
  if (load64(WRITE_LOCK_TURN_OFFSET) == self) pass(self);
  else if (picked) ringNext();
}

/**
 * We have got what we waited for, and our bit is not set any more. If another holder has given us the turn after our release, it
 * goes to the next. If we needed no lock after all (somebody else has made the object that we wanted), we have not handed it
 * over, and leave as in `turnLeave`.
 */
export function turnServed(): void {
  if (!taken) turnLeave();
  else if (load64(WRITE_LOCK_TURN_OFFSET) == self) pass(self);
}

/** A turn that is not used goes to the next waiter. */
function pass(turn: u64): void {
  give(turn, slotOf(turn));
  turnRing();
}

/** The turn goes from this one to the first live waiter behind a slot, or to nobody; unless others change it meanwhile. */
function give(turn: u64, slot: u32): void {
  let before = turn;
  for (let next = waiterBehind(slot, 0); next != NONE; next = waiterBehind(slot, distance(slot, next) + 1)) {
    const token = ownerOf(load64(slotOffset(next) + PARTICIPANT_WORD_OFFSET));
    if (!isLive(token)) {
      waitersTakeBit(WRITE_LOCK_WAITERS_OFFSET, next); // a dead one's bit
      continue;
    }
    if (!swap64(WRITE_LOCK_TURN_OFFSET, before, token)) return; // pairs with the load in turnAllows
    before = token;
    if (waitersTakeBit(WRITE_LOCK_WAITERS_OFFSET, next)) return;
  }
  if (before != 0) swap64(WRITE_LOCK_TURN_OFFSET, before, 0); // pairs with the load in turnAllows
}

/** Rings the next waiter of whom nobody has been told that the lock is free. */
function ringNext(): void {
  if (!waitersAny(WRITE_LOCK_WAITERS_OFFSET)) return;
  for (let next = waiterBehind(selfSlot, 0); next != NONE; ) {
    if (waitersTakeBit(WRITE_LOCK_WAITERS_OFFSET, next)) {
      ring(next);
      return;
    }
    next = waiterBehind(selfSlot, distance(selfSlot, next) + 1);
  }
}

function ring(slot: u32): void {
  store<u32>(answers() + ANSWER_WAKE_OFFSET, u32(waitersRing(slot)));
}

/** How many slots lie between one and another one behind it; behind the last slot comes the first. */
function distance(slot: u32, next: u32): u32 {
  return (next + participants - slot - 1) % participants;
}

/** The first waiter, other than ourselves, behind a slot and so many others. NONE: there is none up to the slot itself. */
function waiterBehind(slot: u32, skipped: u32): u32 {
  for (let passed = skipped; passed < participants; ) {
    const next = (slot + 1 + passed) % participants;
    const rest = 32 - (next & 31);
    let bits = bitsOf(next >>> 5);
    if (next >>> 5 == selfSlot >>> 5) bits &= ~(1 << (selfSlot & 31));
    bits >>>= next & 31;
    if (bits != 0 && passed + ctz(bits) < participants) return next + ctz(bits);
    passed += rest;
  }
  return NONE;
}

/** The bits of a word of the set. A summary bit that stands for nothing is cleared. */
function bitsOf(word: u32): u32 {
  if (((load32(WRITE_LOCK_WAITERS_OFFSET + WAITERS_SUMMARY_OFFSET) >>> word) & 1) == 0) return 0;
  const at = WRITE_LOCK_WAITERS_OFFSET + WAITERS_WORDS_OFFSET + (word << 2);
  const bits = load32(at);
  return bits == 0 && waitersHides(WRITE_LOCK_WAITERS_OFFSET, word) ? load32(at) : bits;
}
