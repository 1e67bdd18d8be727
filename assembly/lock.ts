/**
 * Lock: many shared holders or one exclusive holder. Blocking on the living, never on the dead; trying is wait-free.
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
 * Both sides store before they load, and all is sequentially consistent: not both can miss the other. SHARED_PRESENT stands
 * before a shared acquisition ends, and goes only with a claim that has looked at each bit. So a word of 0 says that there is no
 * shared holder: one that has only got to step 2 finds in step 3 or 4 that the word has changed.
 *
 * A set bit is only a hint: it counts when its generation lives. A claimant may come late, when the slot of a dead holder has a
 * new owner who holds the lock shared: it must not touch the bit, and the CAS of the generation fails.
 *
 * Upgrading is claiming while holding shared. It takes precedence over a claim that is only waiting. It cannot take precedence
 * over another upgrade: that is DEADLOCK. Fairness: a claim keeps new shared holders out, so writers do not starve. A release
 * with shared waiters leaves SHARED_FIRST, which keeps claims out until one of them came in (or nobody did for RECHECK_MS), so
 * readers do not starve.
 *
 * The tasks of one participant: it is one holder here, with one shared bit, and keeps its own tasks apart by itself. The first
 * of its shared holds sets the bit, the last one clears it, and `lockJoin` says whether one more may begin in between. An
 * upgrade claims at once, and `alone` says whether its own participant's other shared holds have gone.
 *
 * If a participant dies: with a claim: the next one claims over it. With HELD: the next one, shared or exclusive, replaces it
 * and leaves OWNER_DIED, which is told to every holder until one with exclusive access calls the data consistent; released
 * exclusively without that, the lock is BROKEN. With HELD and JOURNALED, as transactions hold it: the next one replaces it, and
 * there is nothing to tell. Either way it rolls the journal back first, since a transaction may be nested in any hold. With a
 * shared bit: a claimant that meets it has the kernel asked, and clears the generation.
 *
 * If a call is cut off and its participant lives on (see `left-over.ts`): a claim, a hold or a bit that its host knows nothing
 * of, or a hold that the host takes for released. The next call of the same participant goes on from there: its own claim and
 * its own hold are no obstacle to it. `lockSettle` brings the words to what the host knows; the host calls it with its
 * heartbeat. A release undoes first what a transaction that was cut off has left (`settleWriteLock`): nobody may see that.
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
  TOKEN_FLAGS_MASK,
  TOKEN_SLOT_SHIFT,
} from "../protocol/layout";
import { participants, self, selfSlot, setSuspect, waitersBytes } from "./instance";
import { isLive, selfCheck } from "./participants";
import { generationOf, ownerOf, slotOf, tokenOf } from "./token";
import { waitersAny, waitersArmed } from "./waiters";
import { and32, load32, load64, or32, store32, swap32, swap64 } from "./word";
import { repair, settleWriteLock } from "./write-lock";

/**
 * How often `lockShared` tries to say that there are shared holders. It fails when another shared holder says so, which the next
 * look finds, or when an exclusive holder has come and gone: that one may come again for ever.
 */
const LOOKS = 4;

export function lockBytes(): u64 {
  return u64(LOCK_WAITERS_OFFSET + 2 * waitersBytes() + (participants << 2));
}

export function lockInitialise(lock: usize): void {
  memory.fill(lock, 0, usize(lockBytes()));
}

/** The set of participants that wait for the lock shared. */
export function lockWaitersShared(lock: usize): usize {
  return lock + LOCK_WAITERS_OFFSET;
}

/** The set of participants that wait for the lock exclusively. */
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

/** Whether somebody else who may be alive holds the lock shared; then it is the suspect. Forgets the dead. */
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

/** What stays of a word when its owner, dead or giving up, is taken out: that one died holding the lock is not forgotten. */
function without(word: u64): u64 {
  if (ownerOf(word) != 0 && (word & (LOCK_HELD | LOCK_JOURNALED)) == LOCK_HELD) return LOCK_OWNER_DIED;
  return word & (LOCK_OWNER_DIED | LOCK_BROKEN | LOCK_SHARED_PRESENT);
}

/** Before a dead owner is taken out: undoes its transaction, if there was one. 0, BUSY (the suspect is set), EVICTED. */
function undone(word: u64): u32 {
  return ownerOf(word) != 0 && (word & LOCK_HELD) != 0 ? repair() : 0;
}

function flagsOf(word: u64): u32 {
  return u32(word) & LOCK_OWNER_DIED;
}

/**
 * Claims the lock and takes it if no shared holder is left. 0 or LOCK_OWNER_DIED when it is ours; BUSY: not now (the suspect
 * is set; a claim that was made stays, see `lockCancel`); BROKEN; EVICTED. `impatient` passes those that SHARED_FIRST lets in;
 * `journaled`: the holder changes things only in transactions.
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

/** The claim is ours: it becomes HELD when the last shared holder but us has gone. */
function finish(lock: usize, word: u64, flags: u64): u32 {
  if (liveHolder(lock)) return BUSY;
  const held = ownerOf(word) | (word & LOCK_OWNER_DIED) | LOCK_HELD | flags;
  if (!swap64(lock + LOCK_WORD_OFFSET, word, held)) return BUSY; // pairs with the load in lockShared
  return flagsOf(held);
}

/** Takes a claim back that was not fulfilled. What it returns is FLAG_WAKE_…. */
export function lockCancel(lock: usize): u32 {
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self || (word & LOCK_HELD) != 0) return 0;
  swap64(lock + LOCK_WORD_OFFSET, word, without(word)); // pairs with the loads in lockShared, lockExclusive
  return wakes(lock);
}

function wakes(lock: usize): u32 {
  const shared = waitersAny(lockWaitersShared(lock)) ? FLAG_WAKE_SHARED : 0;
  return shared | (waitersAny(lockWaitersExclusive(lock)) ? FLAG_WAKE_EXCLUSIVE : 0);
}

/**
 * Takes the lock shared. 0 or LOCK_OWNER_DIED when it is ours; BUSY: not now (the suspect is set); FLAG_WAKE_EXCLUSIVE: not
 * now, and our bit stood for a moment, which may have sent a claimant to sleep; BROKEN; EVICTED.
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
    // A waiter for shared came in: claims may pass again.
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
 * Whether one more shared hold may begin beside those that this participant has: 0 or LOCK_OWNER_DIED; BUSY while somebody else
 * waits for exclusive (the suspect is set); EVICTED. The bit stands already, so a claim that comes later waits for it.
 */
export function lockJoin(lock: usize): u32 {
  if (selfCheck() != 0) return EVICTED;
  const word = load64(lock + LOCK_WORD_OFFSET);
  const owner = ownerOf(word);
  setSuspect(owner);
  return owner != 0 && owner != self && isLive(owner) ? BUSY : flagsOf(word);
}

/** Gives a shared hold back. FLAG_WAKE_… */
export function lockReleaseShared(lock: usize): u32 {
  settleWriteLock();
  clearShared(lock);
  return waitersAny(lockWaitersExclusive(lock)) ? FLAG_WAKE_EXCLUSIVE : 0;
}

/** Gives the exclusive hold back; with data that nobody called consistent, for ever. FLAG_WAKE_… */
export function lockReleaseExclusive(lock: usize): u32 {
  settleWriteLock();
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self) return 0;
  let left: u64 = waitersArmed(lockWaitersShared(lock)) ? LOCK_SHARED_FIRST : 0;
  if ((word & LOCK_OWNER_DIED) != 0) left = LOCK_BROKEN;
  swap64(lock + LOCK_WORD_OFFSET, word, left); // pairs with the loads in lockShared, lockExclusive
  return wakes(lock);
}

/**
 * Turns our shared hold into an exclusive one. As `lockExclusive`; DEADLOCK when another participant waits to upgrade. Unless
 * `alone`, other shared holds of this participant stand behind the same bit: the claim is made, and that is all.
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

/** Turns our exclusive hold into a shared one, without a gap. FLAG_WAKE_… */
export function lockDowngrade(lock: usize): u32 {
  settleWriteLock();
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self) return 0;
  setShared(lock);
  const left = (word & LOCK_OWNER_DIED) | LOCK_SHARED_PRESENT;
  swap64(lock + LOCK_WORD_OFFSET, word, left); // pairs with the loads in lockShared, lockExclusive
  return wakes(lock);
}

/** The data that the lock guards are whole again. Only with the lock held exclusively. */
export function lockMarkConsistent(lock: usize): void {
  const word = load64(lock + LOCK_WORD_OFFSET);
  if (ownerOf(word) != self) return;
  swap64(lock + LOCK_WORD_OFFSET, word, word & ~u64(LOCK_OWNER_DIED)); // pairs with the load in lockExclusive
}

/**
 * Brings the lock to what its host knows of its own holds, after a call that was cut off: `held` 0 none, 1 shared, 2 exclusive;
 * `wants`: it also waits to have it exclusive, so that a claim stays. Changes nothing where nothing was cut off. FLAG_WAKE_…
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
