/**
 * Queue: any number of producers send messages, and each message is taken by one consumer. Lock-free.
 *
 *     object:  0      256        512      640    768       768+2W     + 4P     + S/8    + 8N   + 8N
 *              +------+----------+--------+------+---------+----------+--------+--------+--------+-------+
 *              | list | list     | counts | hint | 2 sets  | members  | bitmap | cells  | cells  | slots |
 *              | sent | returned |        |      | waiters |          |        | sent   | return |       |
 *              +------+----------+--------+------+---------+----------+--------+--------+--------+-------+
 *
 *     S slots of messages; P participants; N cells per list: the next power of two from S + P on.
 *
 *     63                      32 31                             3 2       0
 *     +-------------------------+--------------------------------+---------+
 *     | short token of owner    | number of the use of this slot | state   |    word of a slot
 *     +-------------------------+--------------------------------+---------+
 *     63                 42 41              22 21                          0
 *     +--------------------+------------------+----------------------------+
 *     | lap, low 22 bits   | number of a slot | use of that slot, low bits |    cell
 *     +--------------------+------------------+----------------------------+
 *
 * A message lies in a slot. A list says in which order messages are taken: position p is cell p mod N, and a cell is filled if it
 * has the lap of its position, p / N + 1. Positions only grow. The word of the slot says at every instant to whom it belongs:
 *
 *     FREE --> SENDING --> (in the list "sent") --> TAKEN --> FREE
 *                                                   |  ^
 *                                                   v  |
 *                              RETURNING --> (in the list "returned")
 *
 * Whatever is in a list needs nothing more from its sender. So a participant that is stopped in the middle of a call keeps its
 * slot, and nobody waits for it.
 *
 * | word         | written by                                                            | read by                     |
 * | ------------ | --------------------------------------------------------------------- | --------------------------- |
 * | word of slot | CAS by who claims it, takes it, frees it, returns it; by who settles  | all                         |
 * |              | what a dead owner has left                                            |                             |
 * | payload      | the owner, in SENDING                                                 | the owner, in TAKEN         |
 * | cell         | CAS by who sends or returns: **this store puts it into the list**     | who takes; who settles      |
 * | tail         | CAS to one more: who has filled the cell, or sees it filled           | who sends or returns        |
 * | head         | CAS to one more: who has taken the message, or sees it taken          | who takes, who fills cells  |
 * | bitmap       | AND by who claims, OR by who frees; a hint: the word of the slot      | who claims                  |
 * |              | decides                                                               |                             |
 * | members      | each participant its own, before its first claim; CAS to 0 by who     | who settles                 |
 * |              | has settled what a dead one has left                                  |                             |
 *
 * To send:                                              To take:
 *  1. find a bit of the bitmap, clear it                 1. the list "returned" first, then "sent"
 *  2. CAS the word: FREE -> SENDING, ours, next use      2. load the head and its cell; another lap: the list is empty
 *  3. the host writes the payload                        3. CAS the word: (in the list) -> TAKEN, ours
 *  4. CAS the cell at the tail: sent                     4. CAS the head to one more
 *  5. CAS the tail to one more                           5. the host reads the payload
 *  6. anyone waiting for messages? then call one         6. CAS the word -> FREE; set its bit of the bitmap
 *                                                        7. anyone waiting for room? then call one
 *
 * To return a message: CAS the word, TAKEN -> RETURNING, next use; then as 4 to 6, with the list "returned".
 *
 * A cell counts if the slot still has that use, and was not taken. A slot is in one cell at most that counts, so there are more
 * cells than are needed. The head passes over cells that do not count. If there were so many of them that step 4 found no cell
 * (each takes a participant that was stopped before step 4, while others settled), it fails for now.
 *
 * If a participant dies:
 *
 * | after step     | state                                        | repair                                                 |
 * | -------------- | -------------------------------------------- | ------------------------------------------------------ |
 * | send 1         | a free slot without its bit                  | `settle` sets it                                       |
 * | send 2, 3      | SENDING, and not in the list                 | `settle` frees it: it was not sent                     |
 * | send 4, 5      | SENDING, and in the list                     | none: it is taken like any other. `settle` makes it    |
 * |                |                                              | LISTED. Others move the tail on                        |
 * | take 3, 4, 5   | TAKEN; the head points to it, or beyond      | others move the head on. `settle` returns it, or drops |
 * |                |                                              | it, as the queue was made                              |
 * | take 6         | a free slot without its bit                  | `settle` sets it                                       |
 * | return         | RETURNING, and not in the list               | `settle` returns it                                    |
 * | send 5, take 6 | nobody was called                            | none: a sleeper looks again within RECHECK_MS          |
 *
 * `settle` looks at members whose tokens are not live. It runs with the heartbeat, when one that waits looks again, and when a
 * function finds that the header counts more recoveries than at the last time. A false bit of the bitmap is harmless: the CAS of
 * step 2 fails.
 * Several participants may settle at the same time: each step is one CAS from the state that was seen. A slot belongs to the dead
 * owner until it is free or in a list, and the owner stays a member until all is settled. So it does not matter if they die, too.
 *
 * To settle, one must know whether a slot in SENDING is in a list. Its owner is dead, so no cell gets it any more. One look
 * through the cells in use makes all those that are there LISTED. What is still SENDING after that is in no cell.
 *
 * If a call is cut off and its participant lives on (see `left-over.ts`): the private variable `moving` names the slot that a
 * function was moving. The next call or the heartbeat settles it. What the host owns between two calls is its own to settle:
 * it cancels what it has claimed, and returns what it has taken.
 *
 * A message may be a reference to a shared value: `queue-values.ts` has its steps. They take the write lock; those here do not.
 *
 * The numbers of uses have 22 bits in a cell, and laps too. A participant that stops between two loads of one call, and goes on
 * when the slot was used exactly 4 million times, would be mistaken. The CAS of the whole word makes that rarer still.
 *
 * Source of the idea: Michael and Scott, "Simple, fast, and practical non-blocking and blocking concurrent queue algorithms",
 * 1996, for helping the tail on; Nikolaev's SCQ, 2019, for lists of the numbers of slots.
 */
import { BUSY, CORRUPT, TOO_LARGE } from "../protocol/errors";
import {
  FLAG_DEATHS,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  HEADER_RECOVERIES_OFFSET,
  MESSAGE_DELIVERIES_OFFSET,
  MESSAGE_FREE,
  MESSAGE_HEADER_BYTES,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_RETURNING,
  MESSAGE_SENDING,
  MESSAGE_TAKEN,
  QUEUE_DROP,
  QUEUE_DROPPED_OFFSET,
  QUEUE_REDELIVERED_OFFSET,
  QUEUE_SETTLED_OFFSET,
  QUEUE_UNSENT_OFFSET,
  QUEUE_WAITERS_OFFSET,
  RESULT_ERRORS,
  RESULT_OFFSETS,
} from "../protocol/layout";
import { QUEUE_CAPACITY_MAX, QUEUE_MESSAGE_BYTES_MAX } from "../protocol/limits";
import { participants, selfSlot, waitersBytes } from "./instance";
import { isShortLive, selfCheck } from "./participants";
import { failed, isListed, markListed, put, RETURNED, SENT, takeFrom } from "./queue-lists";
import {
  bitmapOf,
  capacity,
  claimSlot,
  free,
  membersOf,
  moved,
  moves,
  moving,
  movingBytes,
  movingCall,
  movingCapacity,
  movingIn,
  NONE,
  ours,
  ownerIn,
  queue,
  RESULT_LOST,
  restoreBit,
  select,
  slotAt,
  slotNumber,
  slotsOf,
  stateIn,
  strideOf,
  takes,
  wordWith,
} from "./queue-slots";
import { giveReferenceBack, isReference, putReference, takeReference } from "./queue-values";
import { settleCall } from "./service-slots";
import { waitersAny } from "./waiters";
import { add64, load32, load64, store32, swap32, swap64 } from "./word";

/** The set of participants that wait for messages. */
export function queueWaiters(at: usize): usize {
  return at + QUEUE_WAITERS_OFFSET;
}

/** The set of participants that wait for room. */
export function queueWaitersRoom(at: usize): usize {
  return at + QUEUE_WAITERS_OFFSET + waitersBytes();
}

/** Bytes of the object; 0 when a parameter is not allowed. */
export function queueBytes(count: u32, messageBytes: u32): u64 {
  if (count == 0 || count > u32(QUEUE_CAPACITY_MAX)) return 0;
  if (messageBytes == 0 || messageBytes > u32(QUEUE_MESSAGE_BYTES_MAX)) return 0;
  return u64(slotsOf(0, count)) + u64(count) * strideOf(messageBytes);
}

export function queueInitialise(at: usize, count: u32, messageBytes: u32): void {
  const first = slotsOf(at, count);
  memory.fill(at, 0, first - at);
  const step = strideOf(messageBytes);
  for (let slot: u32 = 0; slot < count; slot++) {
    memory.fill(first + usize(slot) * step, 0, MESSAGE_HEADER_BYTES);
    const word = bitmapOf(at) + ((slot >>> 5) << 2);
    store<u32>(word, load<u32>(word) | (1 << (slot & 31)));
  }
}

// --- what the dead have left, and what was cut off ---------------------------------------------------------------------------

/** Settles the call of this participant that was cut off, if one was: of a queue, or of a service. */
export function settleQueue(): void {
  if (movingIn == 0) return;
  select(movingIn, movingCapacity, movingBytes, movingCall);
  const word = load64(slotAt(moving));
  if (stateIn(word) == MESSAGE_FREE) restoreBit(moving);
  else if (movingCall) settleCall(word);
  else if (ownerIn(word) == ours() && settleOwn(word) == BUSY) return;
  moved();
}

function settleOwn(word: u64): u32 {
  const state = stateIn(word);
  if (state == MESSAGE_SENDING && !isListed(SENT, moving, word)) {
    if (giveReferenceBack(moving, word) != 0) return BUSY;
    free(moving, word);
  } else if (state == MESSAGE_RETURNING && !isListed(RETURNED, moving, word))
    return put(RETURNED, moving, word);
  else if (state == MESSAGE_TAKEN && takes) return putBack(moving, word, ours());
  return 0;
}

/**
 * Returns a message that has this word; it belongs to that owner until it is in the list. 0; CORRUPT; BUSY: if it is ours, the
 * next call of ours tries again; or RESULT_LOST when somebody else has changed the word.
 */
function putBack(slot: u32, word: u64, owner: u32): u32 {
  const isOurs = owner == ours();
  if (isOurs && movingIn == 0) moves(slot, false); // else it is being settled
  const next = wordWith(word, owner, MESSAGE_RETURNING, true);
  // The swap pairs with the loads of words.
  const result = swap64(slotAt(slot), word, next) ? put(RETURNED, slot, next) : RESULT_LOST;
  if (isOurs && result != BUSY) moved();
  return result;
}

/** `settleOwner` has left a slot whose message is a reference: the write lock was not to be had. */
let leftReference: bool = false;

/** Settles what an owner has left that is dead, or that is about to leave. FLAG_WAKE, FLAG_WAKE_ROOM; or BUSY, CORRUPT. */
function settleOwner(owner: u32, drops: bool): u32 {
  leftReference = false;
  markListed(SENT, owner);
  markListed(RETURNED, owner);
  let flags: u32 = 0;
  for (let slot: u32 = 0; slot < capacity; slot++) {
    const word = load64(slotAt(slot));
    const state = stateIn(word);
    if (state == MESSAGE_FREE) restoreBit(slot);
    if (state == MESSAGE_FREE || ownerIn(word) != owner) continue;
    if (state == MESSAGE_SENDING || (state == MESSAGE_TAKEN && drops)) {
      if (giveReferenceBack(slot, word) != 0) {
        leftReference = true;
        continue;
      }
      if (!free(slot, word)) continue;
      add64(queue + (state == MESSAGE_SENDING ? QUEUE_UNSENT_OFFSET : QUEUE_DROPPED_OFFSET), 1);
      flags |= FLAG_WAKE_ROOM;
    } else if (state == MESSAGE_TAKEN || state == MESSAGE_RETURNING) {
      const result = putBack(slot, word, owner);
      if (result == RESULT_LOST) continue;
      if (result != 0) return result;
      if (owner != ours() && state == MESSAGE_TAKEN) add64(queue + QUEUE_REDELIVERED_OFFSET, 1);
      flags |= FLAG_WAKE;
    }
  }
  return flags;
}

/** FLAG_DEATHS when a participant was found dead since claims were settled. */
export function deaths(): u32 {
  return load32(HEADER_RECOVERIES_OFFSET) != load32(queue + QUEUE_SETTLED_OFFSET) ? FLAG_DEATHS : 0;
}

/** Begins a call: settles one of ours that was cut off, and looks at this queue. 0; EVICTED; BUSY: call it again. */
function enter(at: usize, count: u32, messageBytes: u32): u32 {
  const removed = selfCheck();
  if (removed != 0) return removed;
  settleQueue();
  if (movingIn != 0) return BUSY;
  select(at, count, messageBytes, false);
  return 0;
}

/** Says that we may own slots. False while the word still names who had our place among the participants: settle that first. */
export function becomeMember(): bool {
  const member = membersOf(queue) + (selfSlot << 2);
  const known = load32(member);
  return known == ours() || (known == 0 && swap32(member, 0, ours())); // pairs with the load in queueSettle
}

/**
 * Settles what the dead have left: what they had taken is returned, or dropped as the queue was made. Returns FLAG_WAKE when
 * all that wait for messages must be woken, FLAG_WAKE_ROOM when all that wait for room must; or BUSY: call it again; CORRUPT;
 * EVICTED.
 */
export function queueSettle(at: usize, count: u32, messageBytes: u32, policy: u32): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const recoveries = load32(HEADER_RECOVERIES_OFFSET);
  let flags: u32 = 0;
  for (let index: u32 = 0; index < participants; index++) {
    const member = membersOf(queue) + (index << 2);
    const token = load32(member);
    if (token == 0 || isShortLive(token)) continue;
    const result = settleOwner(token, policy == QUEUE_DROP);
    if (result >= u32(RESULT_ERRORS)) return result;
    flags |= result;
    if (!leftReference) swap32(member, token, 0); // pairs with the load in becomeMember
  }
  store32(queue + QUEUE_SETTLED_OFFSET, recoveries); // pairs with the load in deaths
  return flags;
}

/**
 * Returns what this participant has taken, and frees what it has claimed, before it leaves. With QUEUE_DROP it drops what it has
 * taken: its environment ends in the middle of the work, which is the same as a death. Otherwise as `queueSettle`.
 */
export function queueLeave(at: usize, count: u32, messageBytes: u32, policy: u32): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const member = membersOf(queue) + (selfSlot << 2);
  if (load32(member) != ours()) return 0;
  const result = settleOwner(ours(), policy == QUEUE_DROP);
  if (result >= u32(RESULT_ERRORS)) return result;
  if (leftReference) return BUSY;
  store32(member, 0); // pairs with the load in becomeMember
  return result;
}

// --- producers -------------------------------------------------------------------------------------------------------------

/**
 * Claims a slot. Returns its offset (the payload follows the header); FLAG_FULL when there is none now, with FLAG_DEATHS when
 * `queueSettle` may find one; or EVICTED.
 */
export function queueClaim(at: usize, count: u32, messageBytes: u32): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  if (!becomeMember()) return FLAG_FULL | FLAG_DEATHS;
  const slot = claimSlot();
  // What the host writes next must not be taken for a reference.
  if (slot != NONE) store<u32>(slotAt(slot) + MESSAGE_LENGTH_OFFSET, 0);
  moved();
  return slot == NONE ? FLAG_FULL | deaths() : u32(slotAt(slot));
}

/** The word of a slot that we own in this state; 0 if there is no such slot. */
function own(offset: usize, state: u32): u64 {
  if (slotNumber(offset) == NONE) return 0;
  const word = load64(offset);
  return ownerIn(word) == ours() && stateIn(word) == state ? word : 0;
}

/**
 * Sends the message whose payload of `length` bytes stands in the slot at `offset`. Returns 0, or FLAG_WAKE: one that waits for
 * messages must be called; or EVICTED, TOO_LARGE, CORRUPT; or BUSY: call it again, or cancel it.
 */
export function queueSend(at: usize, count: u32, messageBytes: u32, offset: usize, length: u32): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  if (length > messageBytes) return TOO_LARGE;
  const word = own(offset, MESSAGE_SENDING);
  if (word == 0 || isReference(offset)) return CORRUPT;
  store<u32>(offset + MESSAGE_LENGTH_OFFSET, length);
  store<u32>(offset + MESSAGE_DELIVERIES_OFFSET, 0);
  return append(offset, word);
}

function append(offset: usize, word: u64): u32 {
  const slot = slotNumber(offset);
  moves(slot, false);
  const result = put(SENT, slot, word);
  moved();
  if (result != 0) return result;
  return waitersAny(queueWaiters(queue)) ? FLAG_WAKE : 0;
}

/**
 * Sends a reference to a shared value, in the slot at `offset`, which is claimed: the message has one more reference to it. 0,
 * or FLAG_WAKE, as `queueSend`; NOT_FOUND when the value is not there any more; EVICTED, CORRUPT; BUSY (the suspect may be set):
 * call it again, or cancel it.
 */
export function queueShare(
  at: usize,
  count: u32,
  messageBytes: u32,
  offset: usize,
  value: u32,
  generation: u32,
): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const word = own(offset, MESSAGE_SENDING);
  if (word == 0) return CORRUPT;
  const refused = putReference(offset, value, generation);
  return refused != 0 ? refused : append(offset, word);
}

/**
 * Frees a slot that we have claimed, unless it was sent. 0, FLAG_WAKE_ROOM: one that waits for room must be called; EVICTED;
 * BUSY: call it again.
 */
export function queueCancel(at: usize, count: u32, messageBytes: u32, offset: usize): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const word = own(offset, MESSAGE_SENDING);
  if (word == 0 || isListed(SENT, slotNumber(offset), word)) return 0;
  const refused = giveReferenceBack(slotNumber(offset), word);
  if (refused != 0) return refused;
  free(slotNumber(offset), word);
  return waitersAny(queueWaitersRoom(queue)) ? FLAG_WAKE_ROOM : 0;
}

// --- consumers -------------------------------------------------------------------------------------------------------------

/**
 * Takes the next message. Returns the offset of its slot; FLAG_EMPTY when there is none, with FLAG_DEATHS when `queueSettle` must
 * be called first; or EVICTED, CORRUPT; or BUSY: call it again. The host keeps the low half of the word of the slot, which says
 * which message it is.
 */
export function queueTake(at: usize, count: u32, messageBytes: u32): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const died = becomeMember() ? deaths() : u32(FLAG_DEATHS);
  if (died != 0) return FLAG_EMPTY | died;
  let slot = takeFrom(RETURNED);
  if (slot == NONE && failed == 0) slot = takeFrom(SENT);
  if (slot == NONE) return failed != 0 ? failed : u32(FLAG_EMPTY);
  const taken = slotAt(slot);
  store<u32>(taken + MESSAGE_DELIVERIES_OFFSET, load<u32>(taken + MESSAGE_DELIVERIES_OFFSET) + 1);
  moved();
  return u32(taken);
}

/** The word of a message that we have taken, if it is still that one; else 0. */
function ownTaken(offset: usize, held: u32): u64 {
  const word = own(offset, MESSAGE_TAKEN);
  return u32(word) == held ? word : 0;
}

/**
 * Frees the slot of a message that was taken. `held`: the low half of the word of the slot since then. 0, or FLAG_WAKE_ROOM: one
 * that waits for room must be called; or EVICTED, CORRUPT; BUSY, of a reference (the suspect may be set): call it again.
 */
export function queueDone(at: usize, count: u32, messageBytes: u32, offset: usize, held: u32): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const word = ownTaken(offset, held);
  if (word == 0) return CORRUPT;
  const refused = giveReferenceBack(slotNumber(offset), word);
  if (refused != 0) return refused;
  if (!free(slotNumber(offset), word)) return CORRUPT;
  return waitersAny(queueWaitersRoom(queue)) ? FLAG_WAKE_ROOM : 0;
}

/**
 * Takes the reference out of a message that we have taken (its length is MESSAGE_REFERENCE): a handle of ours. With `keeps`, the
 * message stays taken, and keeps its reference, until it is done. Without, it is done: the host calls one that waits for room.
 * FLAG_EMPTY when the message has ended before, and its slot is free now: take the next one. Or EVICTED, CORRUPT; SEGMENT_FULL;
 * BUSY (the suspect may be set): call it again. After an error the message is still taken.
 */
export function queueValue(
  at: usize,
  count: u32,
  messageBytes: u32,
  offset: usize,
  held: u32,
  keeps: u32,
): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const word = ownTaken(offset, held);
  if (word == 0 || !isReference(offset)) return CORRUPT;
  const handle = takeReference(offset, keeps != 0);
  const ends = handle == FLAG_EMPTY || (keeps == 0 && handle >= u32(RESULT_OFFSETS));
  if (ends && !free(slotNumber(offset), word)) return CORRUPT;
  return handle;
}

/** Returns a message that was taken: it is the next one, behind others that were returned. 0, FLAG_WAKE; EVICTED, CORRUPT. */
export function queueGiveBack(at: usize, count: u32, messageBytes: u32, offset: usize, held: u32): u32 {
  const removed = enter(at, count, messageBytes);
  if (removed != 0) return removed;
  const word = ownTaken(offset, held);
  if (word == 0) return CORRUPT;
  // BUSY: it stays ours, in RETURNING, and the next call of ours settles it.
  const result = putBack(slotNumber(offset), word, ours());
  if (result == CORRUPT || result == RESULT_LOST) return CORRUPT;
  return waitersAny(queueWaiters(queue)) ? FLAG_WAKE : 0;
}

/** The offset of the next slot behind that one (0: the first) whose message was taken and is not done; 0 if there is none. */
export function queueHeld(at: usize, count: u32, messageBytes: u32, offset: usize): u32 {
  select(at, count, messageBytes, false);
  const before = slotNumber(offset);
  if (offset != 0 && before == NONE) return 0;
  for (let slot: u32 = offset == 0 ? 0 : before + 1; slot < count; slot++) {
    if (stateIn(load64(slotAt(slot))) == MESSAGE_TAKEN) return u32(slotAt(slot));
  }
  return 0;
}
