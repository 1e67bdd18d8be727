/**
 * Participants: which environments use the segment, and which of them are alive. Wait-free.
 *
 *     63                    32 31           16 15            2 1     0
 *     +-----------------------+---------------+---------------+-------+
 *     | generation of owner   | slot          | 0             | state |   the word of a slot; see `token.ts`
 *     +-----------------------+---------------+---------------+-------+
 *
 * | word            | written by                                             | read by                        |
 * | --------------- | ------------------------------------------------------ | ------------------------------ |
 * | word of a slot  | who holds the kernel lock of the slot (join, leave);   | everyone who meets its token   |
 * |                 | who has proof that nobody holds it (dead)              |                                |
 * | pid, runtime …  | the owner, before the word says LIVE                   | tools                          |
 * | heartbeat       | the owner                                              | tools: "stalled", never "dead" |
 * | scratch         | the owner, and its host                                | the owner                      |
 * | answers         | the owner                                              | its host                       |
 * | doorbells       | everyone, by adding                                    | the owner, asleep on one       |
 * | blocked         | the owner                                              | whoever rings: which doorbell  |
 *
 * The kernel knows which participants are alive: an environment holds the kernel lock of its slot from before `join` until
 * after `leave`, and the kernel releases it when the environment dies. The core cannot ask the kernel, so the host does:
 *
 *  1. A function finds that another owner prevents its operation, remembers it as the suspect, and returns BUSY.
 *  2. The host calls `suspectSlot`, which remembers the word of that slot if the suspect is still in it; if it is not, another
 *     participant has changed it, and the host retries. Or it calls `watchSlot` for a slot of its choice.
 *  3. The host asks the shim whether the kernel lock of the slot is held.
 *  4. If it is not, the host calls `markDead`: the remembered word becomes DEAD. An owner takes the kernel lock before it
 *     writes LIVE, and writes FREE before it releases the lock. So the remembered owner is dead. Then the host retries.
 *
 * Some things that a dead owner has left are in nobody's way: a message of a queue that it had taken. Nobody meets its token, so
 * somebody must look for it. Each participant watches the one behind it, with every heartbeat: the host calls `slotAfter` with
 * its own slot and continues with step 3. If that one is dead or stalled, it goes on with the slot behind that one, until one is
 * alive and sends heartbeats, or until it is back at its own. So every participant is watched by one that is alive, and as a
 * rule each of them asks the kernel once.
 *
 * From then on, every rule of the core checks whether the word of the slot is still LIVE with this generation.
 *
 * If a participant dies: during join, before the word is LIVE: the old word stays, its owner is dead or has left, and the
 * kernel lock of the slot is free. After that, or during leave before FREE: the word is LIVE without a kernel lock. The next
 * participant that finds it marks it dead, or the next join overwrites it. During `markDead`: the word is DEAD or not, and any
 * participant can repeat the call.
 *
 * Source of the idea: liveness by kernel-held file locks is LMDB's and iceoryx2's; the generation in the slot is Aeron's.
 */
import { EVICTED } from "../protocol/errors";
import {
  ANSWER_WAKE_OFFSET,
  HEADER_CLEAN_OFFSET,
  HEADER_RECOVERIES_OFFSET,
  PARTICIPANT_ANSWERS_OFFSET,
  PARTICIPANT_BLOCKED_BELL_OFFSET,
  PARTICIPANT_BLOCKED_OFFSET,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  PARTICIPANT_JOINED_NS_OFFSET,
  PARTICIPANT_PID_OFFSET,
  PARTICIPANT_RUNTIME_OFFSET,
  PARTICIPANT_SCRATCH_OFFSET,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  SLOT_DEAD,
  SLOT_FREE,
  SLOT_LIVE,
  SUSPECT_GONE,
  SUSPECT_NONE,
  WAITERS_WORDS_OFFSET,
  WRITE_LOCK_WAITERS_OFFSET,
} from "../protocol/layout";
import { participants, self, selfSlot, setSelf, suspect } from "./instance";
import {
  liveWord,
  nextGeneration,
  numberedToken,
  numberOf,
  slotOf,
  stateOf,
  tokenOf,
  withState,
} from "./token";
import { add32, and32, load32, load64, store32, store64, swap64 } from "./word";

/**
 * The word that `watchSlot` has read, and its slot: only this word may be marked dead. The slot inside the word may be damaged.
 */
let watched: u64 = 0;
let watchedSlot: u32 = 0;

export function slotOffset(slot: u32): usize {
  return PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES;
}

/** Bytes that only this participant uses: host and core pass names and small values to each other in them. */
export function scratch(): usize {
  return slotOffset(selfSlot) + PARTICIPANT_SCRATCH_OFFSET;
}

/** Words that only this participant writes: additional results of functions (ANSWER_…). */
export function answers(): usize {
  return slotOffset(selfSlot) + PARTICIPANT_ANSWERS_OFFSET;
}

export function doorbell(slot: u32): usize {
  return slotOffset(slot) + PARTICIPANT_DOORBELL_OFFSET;
}

/** The doorbell on which the participant sleeps while its thread blocks: no two sleepers share a word. */
export function blockedBell(slot: u32): usize {
  return slotOffset(slot) + PARTICIPANT_BLOCKED_BELL_OFFSET;
}

/** Whether whoever is in this slot has joined and is not known to be dead. */
export function isSlotLive(slot: u32): bool {
  return stateOf(load64(slotOffset(slot) + PARTICIPANT_WORD_OFFSET)) == SLOT_LIVE;
}

/** Says on which of its doorbells this participant sleeps from now on. */
export function setBlocked(blocked: bool): void {
  const at = slotOffset(selfSlot) + PARTICIPANT_BLOCKED_OFFSET;
  if (load32(at) != u32(blocked)) store32(at, u32(blocked)); // pairs with the load in bellOf
}

/** The doorbell that is to be rung for this slot. */
export function bellOf(slot: u32): usize {
  return load32(slotOffset(slot) + PARTICIPANT_BLOCKED_OFFSET) != 0 ? blockedBell(slot) : doorbell(slot);
}

/** Whether the participant that wrote this token (or owner word) is still in its slot. */
export function isLive(owner: u64): bool {
  const slot = slotOf(owner);
  if (slot >= participants) return false;
  return load64(slotOffset(slot) + PARTICIPANT_WORD_OFFSET) == liveWord(owner);
}

/** As `isLive`, for the short token of a participant. */
export function isShortLive(short: u32): bool {
  const slot = numberOf(short);
  if (slot >= participants) return false;
  const word = load64(slotOffset(slot) + PARTICIPANT_WORD_OFFSET);
  return stateOf(word) == SLOT_LIVE && numberedToken(word, slot) == short;
}

/** Returns 0, or EVICTED if this participant was evicted. Every writing operation begins with this check. */
export function selfCheck(): u32 {
  return load64(slotOffset(selfSlot) + PARTICIPANT_WORD_OFFSET) == liveWord(self) ? 0 : EVICTED;
}

/**
 * Takes the slot, whose kernel lock the caller holds, together with KERNEL_LOCK_CREATION.
 * Source of the generation: the previous word.
 */
export function join(slot: u32, pid: u32, runtime: u32, nowNs: f64): void {
  const at = slotOffset(slot);
  const old = load64(at + PARTICIPANT_WORD_OFFSET);
  const token = tokenOf(nextGeneration(old), slot);
  store32(HEADER_CLEAN_OFFSET, 0);
  store32(at + PARTICIPANT_BLOCKED_OFFSET, 0); // pairs with the load in bellOf
  store<u32>(at + PARTICIPANT_PID_OFFSET, pid);
  store<u32>(at + PARTICIPANT_RUNTIME_OFFSET, runtime);
  store<u64>(at + PARTICIPANT_JOINED_NS_OFFSET, u64(nowNs));
  store<u64>(at + PARTICIPANT_HEARTBEAT_NS_OFFSET, u64(nowNs));
  store64(at + PARTICIPANT_WORD_OFFSET, liveWord(token)); // pairs with the load in isLive
  setSelf(slot, token);
  // After the word: whoever sees the count sees that the old owner is gone.
  if (stateOf(old) == SLOT_LIVE) add32(HEADER_RECOVERIES_OFFSET, 1); // pairs with the load in queueSettle
  store<u32>(at + PARTICIPANT_ANSWERS_OFFSET + ANSWER_WAKE_OFFSET, 0);
  // A bit that a dead owner has left would get turns of the write lock that nobody uses.
  and32(WRITE_LOCK_WAITERS_OFFSET + WAITERS_WORDS_OFFSET + ((slot >>> 5) << 2), ~(1 << (slot & 31)));
}

/**
 * Gives the slot back. The caller releases the kernel lock of the slot afterwards. Only while KERNEL_LOCK_CREATION is held
 * (`alone`) can the last participant know that it is the last, and mark the segment as clean.
 */
export function leave(alone: bool): void {
  swap64(slotOffset(selfSlot) + PARTICIPANT_WORD_OFFSET, liveWord(self), self | SLOT_FREE);
  setSelf(selfSlot, 0);
  if (!alone) return;
  for (let slot: u32 = 0; slot < participants; slot++) {
    if (stateOf(load64(slotOffset(slot) + PARTICIPANT_WORD_OFFSET)) != SLOT_FREE) return;
  }
  store32(HEADER_CLEAN_OFFSET, 1);
}

/**
 * The slot that who joins tries in this turn, from 0 to 2 x participants - 1, with its word remembered as by `watchSlot`: first
 * all that have no owner, then those whose owner may have died. SUSPECT_NONE: nothing to try in this turn.
 */
export function slotToTry(turn: u32): u32 {
  const second = turn >= participants;
  const slot = second ? turn - participants : turn;
  return slot < participants && watchSlot(slot) == second ? slot : SUSPECT_NONE;
}

/**
 * Returns the slot of the owner that prevented the last operation, and remembers its word for `markDead`; or returns SUSPECT_….
 */
export function suspectSlot(): u32 {
  if (suspect == 0) return SUSPECT_NONE;
  // Another participant may have marked it dead since, and its slot may have a new owner, which is not the suspect.
  if (!isLive(suspect)) return SUSPECT_GONE;
  const slot = slotOf(suspect);
  if (slot == selfSlot) return SUSPECT_NONE;
  watched = liveWord(suspect);
  watchedSlot = slot;
  return slot;
}

/** Remembers the word of the slot if it is LIVE. Returns whether it is. */
export function watchSlot(slot: u32): bool {
  watched = load64(slotOffset(slot) + PARTICIPANT_WORD_OFFSET);
  watchedSlot = slot;
  if (stateOf(watched) == SLOT_LIVE) return true;
  watched = 0;
  return false;
}

/**
 * The next slot behind that one whose word is LIVE, with its word remembered as by `watchSlot`. Behind the last slot comes the
 * first one. SUSPECT_NONE when there is none before our own.
 */
export function slotAfter(slot: u32): u32 {
  for (let step: u32 = 1; step <= participants; step++) {
    const next = (slot + step) % participants;
    if (next == selfSlot) return SUSPECT_NONE;
    if (watchSlot(next)) return next;
  }
  return SUSPECT_NONE;
}

/** Marks the remembered owner dead. The caller has found its kernel lock free after `watchSlot`. */
export function markDead(): bool {
  if (watched == 0) return false;
  const at = slotOffset(watchedSlot) + PARTICIPANT_WORD_OFFSET;
  const done = swap64(at, watched, withState(watched, SLOT_DEAD)); // pairs with the load in isLive
  watched = 0;
  if (done) add32(HEADER_RECOVERIES_OFFSET, 1);
  return done;
}
