/**
 * Lock: many shared holders or one exclusive holder. Blocking, but only while a live participant is in the way; trying is
 * wait-free.
 *
 *     object:   0        128             256                                       + 4 x participants
 *               +--------+---------------+-----------+--------------+-------------+
 *               | word   | shared bits   | waiters   | waiters for  | generations |
 *               |        | (a hint)      | for shared| exclusive    | of holders  |
 *               +--------+---------------+-----------+--------------+-------------+
 *
 *     word:     | generation of owner | slot | flags |     no owner: nobody holds or wants the lock exclusively
 *               HELD: the owner has it; without: it waits for the shared holders to go, and no new ones come in
 *               SHARED_PRESENT: there may be shared holders; without: there are none, and nobody has to look for them
 *
 * | word            | written by                                                     | read by                      |
 * | --------------- | -------------------------------------------------------------- | ---------------------------- |
 * | word            | CAS by who wants or has the lock exclusively, and by who finds | everyone                     |
 * |                 | its owner dead                                                 |                              |
 * | shared bit i    | participant i; who dies leaves it set                          | exclusive claimants          |
 * | generation i    | participant i, before it sets its bit; CAS to 0 by a claimant  | exclusive claimants          |
 * |                 | who finds that this generation has left the slot               |                              |
 *
 * Exclusive:                                          Shared:
 *  0. word is 0: -> us, HELD. That was all             1. word has an owner: not now
 *  1. claim: word without owner, or of a dead one,     2. our generation, then our bit
 *     -> us; SHARED_PRESENT stays                      3. word has an owner now: take the bit back, not now
 *  2. a live shared holder is left: not now            4. word without SHARED_PRESENT: CAS it in; if that fails,
 *  3. word: HELD, SHARED_PRESENT goes                     back to 3, a few times
 * To release: word -> 0                               To release: clear the bit; SHARED_PRESENT stays
 *
 * Both sides store before they load, and all accesses are sequentially consistent, so at least one side sees the other.
 * SHARED_PRESENT is set before a shared acquisition ends, and only a claim that has checked each bit clears it. So a word of 0
 * means that there is no shared holder. A participant that has only reached step 2 finds in step 3 or 4 that the word has
 * changed.
 *
 * A set bit is only a hint: it counts if its generation is live. A claimant may be late, so that the slot of a dead holder
 * already has a new owner that holds the lock shared. It must not change the bit then, and its CAS of the generation fails.
 *
 * An upgrade is a claim by a shared holder. It has priority over a claim that only waits. It cannot have priority over another
 * upgrade: that is DEADLOCK. Fairness: a claim keeps new shared holders out, so writers do not starve. A release with shared
 * waiters leaves SHARED_FIRST, which keeps claims out until one of these waiters has the lock (or none took it for RECHECK_MS),
 * so readers do not starve.
 *
 * The tasks of one participant: for the core, a participant is one holder with one shared bit. Its host excludes its tasks from
 * each other. The first of its shared holds sets the bit, the last one clears it, and `lockJoin` says whether another one may
 * begin in between. An upgrade makes its claim at once, and `alone` says whether the other shared holds of the same participant
 * have ended.
 *
 * Waking: a release wakes all that wait for shared mode, and calls one of those that wait for exclusive mode (`lockCall`). The
 * next release calls the next one. When a shared holder leaves, only the owner of a claim is called, if there is one. When the
 * lock is kept for shared holders and the last of those that waited gives up, `lockForgo` admits the others.
 *
 * If a participant dies: with a claim: the next claimant replaces it. With HELD: the next holder, shared or exclusive, replaces
 * it and sets OWNER_DIED. Every holder gets OWNER_DIED until an exclusive holder calls the data consistent. If an exclusive
 * holder releases the lock without that, it is BROKEN. With HELD and JOURNALED, as in a transaction: the next holder replaces
 * it, without OWNER_DIED. In both cases it first rolls the journal back, because a transaction may be nested in any hold. With
 * a shared bit: the host of a claimant that finds it asks the kernel, and the claimant clears the generation.
 *
 * If a call is cut off and its participant lives on (see `left-over.ts`): a claim, a hold or a bit that its host does not know
 * of, or a hold that the host counts as released. The next call of the same participant continues from there: its own claim and
 * its own hold do not block it. `lockSettle` makes the words agree with what the host knows. The host calls it with its
 * heartbeat. A release first undoes what a transaction that was cut off has left (`settleWriteLock`), so that no other
 * participant sees that.
 *
 * Source of the idea: BRAVO (Dice, Kogan, 2019) for visible readers; robust mutexes of POSIX for OWNER_DIED and consistency.
 */
import { BROKEN, BUSY, DEADLOCK, EVICTED } from "../protocol/errors";
import {
  FLAG_WAKE_EXCLUSIVE,
  FLAG_WAKE_SHARED,
  LOCK_BROKEN,
  LOCK_HELD,
  LOCK_JOURNALED,
  LOCK_OWNER_DIED,
  LOCK_SHARED_FIRST,
  LOCK_SHARED_OFFSET,
  LOCK_SHARED_PRESENT,
  LOCK_UPGRADING,
  LOCK_WAITERS_OFFSET,
  LOCK_WORD_OFFSET,
  RESULT_CALL_ALL,
  TOKEN_FLAGS_MASK,
  TOKEN_SLOT_SHIFT,
} from "../protocol/layout";
import { participants, self, selfSlot, setSuspect, waitersBytes } from "./instance";
import { isLive, selfCheck } from "./participants";
import { generationOf, ownerOf, slotOf, tokenOf } from "./token";
import { waitersAny, waitersArmed, waitersCall, waitersCallOnly } from "./waiters";
import { and32, load32, load64, or32, store32, swap32, swap64 } from "./word";
import { repair, settleWriteLock } from "./write-lock";

/**
 * How often `lockShared` tries to set SHARED_PRESENT. It fails if another shared holder has set it, which the next load shows,
 * or if an exclusive holder has had the lock meanwhile, which can happen again and again.
 */
const LOOKS = 4;

export function lockBytes(): u64 {
  return u64(LOCK_WAITERS_OFFSET + 2 * waitersBytes() + (participants << 2));
}

export function lockInitialise(lock: usize): void {
  memory.fill(lock, 0, usize(lockBytes()));
}

/** The set of participants that wait for shared mode. */
export function lockWaitersShared(lock: usize): usize {
  return lock + LOCK_WAITERS_OFFSET;
}

/** The set of participants that wait for exclusive mode. */
export function lockWaitersExclusive(lock: usize): usize {
  return lock + LOCK_WAITERS_OFFSET + waitersBytes();
}

function generationAt(lock: usize, slot: u32): usize {
  return lock + LOCK_WAITERS_OFFSET + 2 * waitersBytes() + (slot << 2);
}

function bitsAt(lock: usize, slot: u32): usize {
  return lock + LOCK_SHARED_OFFSET + ((slot >>> 5) << 2);
}

function setShared(lock: usize): void {
  store32(generationAt(lock, selfSlot), generationOf(self)); // pairs with the load in liveHolder
  or32(bitsAt(lock, selfSlot), 1 << (selfSlot & 31)); // pairs with the load in liveHolder
}

function clearShared(lock: usize): void {
  and32(bitsAt(lock, selfSlot), ~(1 << (selfSlot & 31))); // pairs with the load in liveHolder
}

/** Whether another participant that may be alive holds the lock shared; then it is the suspect. Removes dead holders. */
function liveHolder(lock: usize): bool {
  for (let base: u32 = 0; base < participants; base += 32) {
    let bits = load32(bitsAt(lock, base));
    if (base == (selfSlot & ~31)) bits &= ~(1 << (selfSlot & 31));
    while (bits != 0) {
      const slot = base | ctz(bits);
      bits &= bits - 1;
      const generation = load32(generationAt(lock, slot));
      if (generation == 0) continue;
      const token = tokenOf(generation, slot);
      if (isLive(token)) {
        setSuspect(token);
        return true;
      }
      swap32(generationAt(lock, slot), generation, 0); // pairs with the load above, in another claimant
    }
  }
  return false;
}

/**
 * The word that remains when its owner, which is dead or gives up, is removed. OWNER_DIED is set if a dead owner had the lock.
 */
function without(word: u64): u64 {
  if (ownerOf(word) != 0 && (word & (LOCK_HELD | LOCK_JOURNALED)) == LOCK_HELD) return LOCK_OWNER_DIED;
  return word & (LOCK_OWNER_DIED | LOCK_BROKEN | LOCK_SHARED_PRESENT);
}

/**
 * Undoes the transaction of a dead owner, if there was one, before the owner is removed. Returns 0, BUSY (the suspect is set),
 * EVICTED.
 */
function undone(word: u64): u32 {
  return ownerOf(word) != 0 && (word & LOCK_HELD) != 0 ? repair() : 0;
}

function flagsOf(word: u64): u32 {
  return u32(word) & LOCK_OWNER_DIED;
}

/**
 * Claims the lock, and takes it if there is no shared holder. Returns 0 or LOCK_OWNER_DIED if it is ours; BUSY if not (the
 * suspect is set; a claim stays, see `lockCancel`); BROKEN; EVICTED. `impatient` ignores SHARED_FIRST. `journaled`: the holder
 * changes data only in transactions.
 */
export function lockExclusive(lock: usize, impatient: bool, journaled: bool): u32 {
  if (selfCheck() != 0) return EVICTED;
  const flags: u64 = journaled ? LOCK_JOURNALED : 0;
  if (swap64(lock + LOCK_WORD_OFFSET, 0, self | LOCK_HELD | flags)) return 0; // pairs with the load in lockShared
  let word = load64(lock + LOCK_WORD_OFFSET);
  if ((word & LOCK_BROKEN) != 0) return BROKEN;
  const owner = ownerOf(word);
  setSuspect(owner);
  if (owner != self) {
    if (owner != 0 && isLive(owner)) return BUSY;
    if (owner == 0 && (word & LOCK_SHARED_FIRST) != 0 && !impatient) return BUSY;
    const failed = undone(word);
    if (failed != 0) return failed;
    const claim = self | without(word);
    if (!swap64(lock + LOCK_WORD_OFFSET, word, claim)) return BUSY; // pairs with the load in lockShared
    word = claim;
  }
  return finish(lock, word, flags);
}

/** The claim is ours. It becomes HELD when there is no other shared holder. */
function finish(lock: usize, word: u64, flags: u64): u32 {
  if (liveHolder(lock)) return BUSY;
  const held = ownerOf(word) | (word & LOCK_OWNER_DIED) | LOCK_HELD | flags;
  if (!swap64(lock + LOCK_WORD_OFFSET, word, held)) return BUSY; // pairs with the load in lockShared
  return flagsOf(held);
}

/** Cancels a claim that was not fulfilled. Returns FLAG_WAKE_…. */
export function lockCancel(lock: usize): u32 {
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self || (word & LOCK_HELD) != 0) return 0;
  swap64(lock + LOCK_WORD_OFFSET, word, without(word)); // pairs with the loads in lockShared, lockExclusive
  return wakes(lock);
}

/**
 * Calls whoever can have the lock exclusively next: as `waitersCall`. A participant that waits for shared holders to go has a
 * claim and is the only one. 0 also when somebody has the lock, and will call when it gives it back, and when those who want it
 * shared come first: the last of them calls. RESULT_CALL_ALL when the lock is BROKEN.
 */
export function lockCall(lock: usize): usize {
  const word = load64(lock + LOCK_WORD_OFFSET);
  const owner = ownerOf(word);
  const set = lockWaitersExclusive(lock);
  if ((word & LOCK_BROKEN) != 0) return RESULT_CALL_ALL; // that concerns everybody
  if (owner == 0) return (word & LOCK_SHARED_FIRST) != 0 ? 0 : waitersCall(set);
  if (!isLive(owner)) return waitersCall(set);
  return (word & LOCK_HELD) != 0 ? 0 : waitersCallOnly(set, slotOf(owner));
}

/**
 * A participant that waited for the lock shared has given up. If it was the last one for whom the lock was kept, those who want
 * it exclusively may come: FLAG_WAKE_EXCLUSIVE.
 */
export function lockForgo(lock: usize): u32 {
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != 0 || (word & LOCK_SHARED_FIRST) == 0 || waitersArmed(lockWaitersShared(lock)))
    return 0;
  swap64(lock + LOCK_WORD_OFFSET, word, word & ~u64(LOCK_SHARED_FIRST)); // pairs with the load in lockExclusive
  return waitersAny(lockWaitersExclusive(lock)) ? FLAG_WAKE_EXCLUSIVE : 0;
}

function wakes(lock: usize): u32 {
  const shared = waitersAny(lockWaitersShared(lock)) ? FLAG_WAKE_SHARED : 0;
  return shared | (waitersAny(lockWaitersExclusive(lock)) ? FLAG_WAKE_EXCLUSIVE : 0);
}

/**
 * Takes the lock shared. Returns 0 or LOCK_OWNER_DIED if it is ours; BUSY if not (the suspect is set); FLAG_WAKE_EXCLUSIVE if
 * not, and our bit was set for a moment, because of which a claimant may sleep now; BROKEN; EVICTED.
 */
export function lockShared(lock: usize): u32 {
  if (selfCheck() != 0) return EVICTED;
  const word = load64(lock + LOCK_WORD_OFFSET);
  if ((word & LOCK_BROKEN) != 0) return BROKEN;
  const owner = ownerOf(word);
  setSuspect(owner);
  if (owner != 0) {
    if (isLive(owner)) return BUSY;
    const failed = undone(word);
    if (failed != 0) return failed;
    if (!swap64(lock + LOCK_WORD_OFFSET, word, without(word))) return BUSY; // pairs with the load above
  }
  setShared(lock);
  let now = load64(lock + LOCK_WORD_OFFSET);
  for (let look = 0; look < LOOKS && ownerOf(now) == 0 && (now & LOCK_BROKEN) == 0; look++) {
    // A waiter for shared mode has the lock now: claims are allowed again.
    const next = (now & ~u64(LOCK_SHARED_FIRST)) | LOCK_SHARED_PRESENT;
    if (next == now) return flagsOf(now);
    if (swap64(lock + LOCK_WORD_OFFSET, now, next)) return flagsOf(now); // pairs with the CAS in lockExclusive
    now = load64(lock + LOCK_WORD_OFFSET);
  }
  clearShared(lock);
  setSuspect(ownerOf(now));
  if ((now & LOCK_BROKEN) != 0) return BROKEN;
  return waitersAny(lockWaitersExclusive(lock)) ? FLAG_WAKE_EXCLUSIVE : BUSY;
}

/**
 * Whether this participant may begin another shared hold while it has one. Returns 0 or LOCK_OWNER_DIED; BUSY while another
 * participant waits for exclusive mode (the suspect is set); EVICTED. The bit is already set, so a later claim waits for it.
 */
export function lockJoin(lock: usize): u32 {
  if (selfCheck() != 0) return EVICTED;
  const word = load64(lock + LOCK_WORD_OFFSET);
  const owner = ownerOf(word);
  setSuspect(owner);
  return owner != 0 && owner != self && isLive(owner) ? BUSY : flagsOf(word);
}

/** Releases a shared hold. Returns FLAG_WAKE_… */
export function lockReleaseShared(lock: usize): u32 {
  settleWriteLock();
  clearShared(lock);
  return waitersAny(lockWaitersExclusive(lock)) ? FLAG_WAKE_EXCLUSIVE : 0;
}

/**
 * Releases the exclusive hold. If no holder has called the data consistent after a death, the lock is BROKEN for ever. Returns
 * FLAG_WAKE_…
 */
export function lockReleaseExclusive(lock: usize): u32 {
  settleWriteLock();
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self) return 0;
  let left: u64 = waitersArmed(lockWaitersShared(lock)) ? LOCK_SHARED_FIRST : 0;
  if ((word & LOCK_OWNER_DIED) != 0) left = LOCK_BROKEN;
  swap64(lock + LOCK_WORD_OFFSET, word, left); // pairs with the loads in lockShared, lockExclusive
  lockForgo(lock); // those for whom it is kept may have given up since, before they could see that
  return wakes(lock);
}

/**
 * Changes our shared hold into an exclusive one. Returns as `lockExclusive`; DEADLOCK if another participant waits to upgrade.
 * Unless `alone`, this participant has other shared holds with the same bit: then the function only makes the claim.
 */
export function lockUpgrade(lock: usize, alone: bool): u32 {
  if (selfCheck() != 0) return EVICTED;
  let word = load64(lock + LOCK_WORD_OFFSET);
  if ((word & LOCK_BROKEN) != 0) return BROKEN;
  const owner = ownerOf(word);
  setSuspect(owner);
  if (owner != self) {
    if (owner != 0 && (word & LOCK_UPGRADING) != 0 && isLive(owner)) return DEADLOCK;
    const claim = self | LOCK_UPGRADING | without(word);
    if (!swap64(lock + LOCK_WORD_OFFSET, word, claim)) return BUSY; // pairs with the loads in lockShared, lockExclusive
    word = claim;
  }
  if (!alone) return BUSY;
  const result = finish(lock, word, 0);
  if (result != BUSY) clearShared(lock);
  return result;
}

/** Changes our exclusive hold into a shared one, without a gap. Returns FLAG_WAKE_… */
export function lockDowngrade(lock: usize): u32 {
  settleWriteLock();
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self) return 0;
  setShared(lock);
  const left = (word & LOCK_OWNER_DIED) | LOCK_SHARED_PRESENT;
  swap64(lock + LOCK_WORD_OFFSET, word, left); // pairs with the loads in lockShared, lockExclusive
  return wakes(lock);
}

/** Declares that the data that the lock guards is consistent again. Call it only while the lock is held exclusively. */
export function lockMarkConsistent(lock: usize): void {
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self) return;
  swap64(lock + LOCK_WORD_OFFSET, word, word & ~u64(LOCK_OWNER_DIED)); // pairs with the load in lockExclusive
}

/**
 * Makes the lock agree with the holds that its host knows of, after a call that was cut off. `held`: 0 none, 1 shared, 2
 * exclusive. `wants`: the host also waits for exclusive mode, so that a claim stays. Changes nothing if no call was cut off.
 * Returns FLAG_WAKE_…
 */
export function lockSettle(lock: usize, held: u32, wants: bool): u32 {
  settleWriteLock();
  if (held == 2 || selfCheck() != 0) return 0;
  const bit: u32 = 1 << (selfSlot & 31);
  const marked = (load32(bitsAt(lock, selfSlot)) & bit) != 0;
  if (held == 1 && (!marked || load32(generationAt(lock, selfSlot)) != generationOf(self))) setShared(lock);
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) == self && ((word & LOCK_HELD) != 0 || !wants)) {
    const first: u64 = waitersArmed(lockWaitersShared(lock)) ? LOCK_SHARED_FIRST : 0;
    const present: u64 = held == 1 ? LOCK_SHARED_PRESENT : 0;
    const left = (word & LOCK_HELD) != 0 ? (word & LOCK_OWNER_DIED) | first : without(word);
    swap64(lock + LOCK_WORD_OFFSET, word, left | present); // pairs with the loads in lockShared, lockExclusive
    lockForgo(lock);
  } else if (held == 1 || !marked) return 0;
  if (held == 0 && marked) clearShared(lock);
  return wakes(lock);
}

/** The word as tools show it: owner's slot + 1 (0: none) in the upper half, flags in the lower. */
export function lockState(lock: usize): u32 {
  const word = load64(lock + LOCK_WORD_OFFSET);
  const slot = ownerOf(word) == 0 ? 0 : slotOf(word) + 1;
  return (slot << TOKEN_SLOT_SHIFT) | (u32(word) & TOKEN_FLAGS_MASK);
}
