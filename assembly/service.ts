/**
 * Service: any number of callers send requests, and each request is answered by one of any number of servers. Lock-free.
 *
 *     object:  0            W
 *              +------------+------------------------------------------------------+
 *              | set of     | a queue, as in `queue.ts`, whose slots are calls     |
 *              | notices    |                                                      |
 *              +------------+------------------------------------------------------+
 *
 *     slot:    0      8          16       20          24     32
 *              +------+----------+--------+-----------+------+---------+-----------+
 *              | word | length   | caller | length of | kind | request | response  |
 *              |      |          |        | response  |      |         |           |
 *              +------+----------+--------+-----------+------+---------+-----------+
 *
 * A call lies in a slot of the queue, with its request and its response. The list "sent" has the requests in order; the list
 * "returned" is not used. The word of the slot says at every instant to whom it belongs, and its use says which call it is:
 *
 *     FREE --> SENDING --> (in the list) --> TAKEN --> ANSWERED --> FREE
 *               of the caller, who may       of the     of the caller, who reads the response and frees it
 *               free it at any time          server
 *
 *     TAKEN --> CANCELLED --> FREE      the caller waits no longer, or has died; still of the server, who frees it
 *     TAKEN --> LOST                    the server has died, or has left: of the caller, who fails, or sends it again
 *     TAKEN --> RETURNED                the server has not begun: of the caller, who sends it again
 *
 * | word              | written by                                                          | read by                      |
 * | ----------------- | ------------------------------------------------------------------- | ---------------------------- |
 * | word of slot      | CAS by who claims it, takes it, answers, cancels, frees it; by who  | all                          |
 * |                   | settles what a dead owner has left                                  |                              |
 * | caller            | the caller, in SENDING                                              | the server; who settles      |
 * | length, request   | the caller, in SENDING                                              | the server, in TAKEN         |
 * | length, kind,     | the server, in TAKEN                                                | the caller, in ANSWERED      |
 * | response          |                                                                     |                              |
 * | set of notices    | callers that wait for an answer, servers that wait for a            | who answers, who cancels     |
 * |                   | cancellation                                                        |                              |
 * | list, members, …  | as in `queue.ts`                                                    |                              |
 *
 * To call:                                              To serve:
 *  1. claim a slot, as in `queue.ts`: SENDING, ours      1. load the head and its cell; another lap: the list is empty
 *  2. store our token as the caller                      2. CAS the word: SENDING -> TAKEN, ours
 *  3. the host writes the request                        3. CAS the head to one more
 *  4. CAS the cell at the tail: sent                     4. the host handles the request, and writes the response
 *  5. CAS the tail to one more                           5. store length and kind
 *  6. a server waits for requests? then call one         6. CAS the word: TAKEN -> ANSWERED, of the caller. **This answers.**
 *  7. until the word is ours and not SENDING: sleep,        It is CANCELLED: free the slot instead
 *     in the set of notices                              7. ring the caller, if it sleeps in the set of notices
 *  8. the host reads the response
 *  9. CAS the word -> FREE; set its bit of the bitmap
 * 10. anyone waiting for room? then call one
 *
 * To cancel: SENDING: CAS -> FREE; no server finds it then, because its cell does not count. TAKEN: CAS -> CANCELLED, and ring
 * the server. Otherwise step 9. To send again: CAS the word, LOST or RETURNED -> SENDING, next use; then as 4 to 7.
 *
 * Requests are taken in the order of step 4. A call that is sent again comes last.
 *
 * If a participant dies:
 *
 * | after step       | state                                      | repair                                                   |
 * | ---------------- | ------------------------------------------ | -------------------------------------------------------- |
 * | call 1 to 6      | SENDING, in the list or not                | `serviceSettle` frees it: nobody waits for the answer    |
 * | call 7, 8        | TAKEN, its server lives                    | `serviceSettle` makes it CANCELLED: its server learns it |
 * |                  | ANSWERED, LOST, RETURNED                   | `serviceSettle` frees it                                 |
 * | call 9           | a free slot without its bit                | `serviceSettle` sets it                                  |
 * | serve 2 to 5     | TAKEN; the head points to it, or beyond    | `serviceSettle` makes it LOST, and rings the caller.     |
 * |                  |                                            | Others move the head on                                  |
 * | serve 2 to 5, it | CANCELLED                                  | `serviceSettle` frees it                                 |
 * | was cancelled    |                                            |                                                          |
 * | call 5, serve 6, | nobody was called, or rung                 | none: a sleeper looks again within RECHECK_MS            |
 * | cancel           |                                            |                                                          |
 *
 * `serviceSettle` runs when `queueSettle` does, if there is a member whose token is not live. It goes once through all slots, in
 * steps of one CAS. The dead remain members until it has come to its end, so it does not matter if who settles dies, too. After
 * one such look, no call has a dead caller, and none gets one: only a word with this caller, which is TAKEN, becomes ANSWERED.
 *
 * If a call is cut off and its participant lives on: `settleQueue` settles the slot that was moving, see `service-slots.ts`. What
 * the host owns between two calls is its own to settle: it cancels what it has sent, and gives back or answers what it has taken.
 *
 * Source of the idea: requests and responses in one slot are LRPC's argument stacks, Bershad and others, 1990. The list is the
 * queue's.
 */
import { BUSY, CORRUPT, TOO_LARGE } from "../protocol/errors";
import {
  CALL_ANSWERED,
  CALL_CALLER_OFFSET,
  CALL_CANCELLED,
  CALL_HEADER_BYTES,
  CALL_KIND_OFFSET,
  CALL_LOST,
  CALL_RESPONSE_ALIGNMENT,
  CALL_RESPONSE_LENGTH_OFFSET,
  CALL_RETURNED,
  FLAG_DEATHS,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  HEADER_RECOVERIES_OFFSET,
  MESSAGE_FREE,
  MESSAGE_HEADER_BYTES,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_SENDING,
  MESSAGE_STATE_MASK,
  MESSAGE_TAKEN,
  QUEUE_REDELIVERED_OFFSET,
  QUEUE_SETTLED_OFFSET,
} from "../protocol/layout";
import { QUEUE_CAPACITY_MAX, SERVICE_MESSAGE_BYTES_MAX } from "../protocol/limits";
import { participants, selfSlot, waitersBytes } from "./instance";
import { isShortLive, selfCheck } from "./participants";
import { becomeMember, deaths, queueInitialise, queueWaiters, queueWaitersRoom, settleQueue } from "./queue";
import { failed, passOver, put, SENT, takeFrom } from "./queue-lists";
import {
  capacity,
  claimSlot,
  free,
  membersOf,
  moved,
  moves,
  movingIn,
  NONE,
  ours,
  ownerIn,
  queue,
  restoreBit,
  select,
  slotAt,
  slotNumber,
  slotsOf,
  stateIn,
  strideOf,
  wordWith,
} from "./queue-slots";
import { callerOf, handBack } from "./service-slots";
import { numberOf } from "./token";
import { waitersAny, waitersCallOnly } from "./waiters";
import { add64, load32, load64, store32, swap32, swap64 } from "./word";

/** How often one word may change under a function: each change is one step nearer to the end of the call. */
const CHANGES_MAX = 8;

/** The participant that `serviceRing` rings. */
let ringing: u32 = NONE;

/** The set of participants that wait for an answer of theirs, or for a cancellation of what they serve. */
export function serviceWaiters(at: usize): usize {
  return at;
}

/** Where the queue of the calls begins. */
export function serviceQueue(at: usize): usize {
  return at + waitersBytes();
}

/** The set of servers that wait for requests. */
export function serviceWaitersRequests(at: usize): usize {
  return queueWaiters(serviceQueue(at));
}

/** The set of callers that wait for room. */
export function serviceWaitersRoom(at: usize): usize {
  return queueWaitersRoom(serviceQueue(at));
}

/** Where the response begins, in a slot; the request begins at CALL_REQUEST_OFFSET. */
export function serviceResponse(requestBytes: u32): u32 {
  return MESSAGE_HEADER_BYTES + CALL_HEADER_BYTES + alignResponse(requestBytes);
}

function alignResponse(requestBytes: u32): u32 {
  return (requestBytes + (CALL_RESPONSE_ALIGNMENT - 1)) & ~(CALL_RESPONSE_ALIGNMENT - 1);
}

/** Bytes of a slot of the queue, without its header. */
export function serviceSlotBytes(requestBytes: u32, responseBytes: u32): u32 {
  return CALL_HEADER_BYTES + alignResponse(requestBytes) + responseBytes;
}

/** Bytes of the object; 0 when a parameter is not allowed. */
export function serviceBytes(count: u32, requestBytes: u32, responseBytes: u32): u64 {
  if (count == 0 || count > u32(QUEUE_CAPACITY_MAX)) return 0;
  if (requestBytes == 0 || requestBytes > u32(SERVICE_MESSAGE_BYTES_MAX)) return 0;
  if (responseBytes == 0 || responseBytes > u32(SERVICE_MESSAGE_BYTES_MAX)) return 0;
  const step = strideOf(serviceSlotBytes(requestBytes, responseBytes));
  return u64(waitersBytes()) + u64(slotsOf(0, count)) + u64(count) * step;
}

export function serviceInitialise(at: usize, count: u32, requestBytes: u32, responseBytes: u32): void {
  memory.fill(at, 0, waitersBytes());
  queueInitialise(serviceQueue(at), count, serviceSlotBytes(requestBytes, responseBytes));
}

/** Begins a call: settles one of ours that was cut off, and looks at this service. 0; EVICTED; BUSY: call it again. */
function enter(at: usize, count: u32, requestBytes: u32, responseBytes: u32): u32 {
  const removed = selfCheck();
  if (removed != 0) return removed;
  settleQueue();
  if (movingIn != 0) return BUSY;
  select(serviceQueue(at), count, serviceSlotBytes(requestBytes, responseBytes), true);
  return 0;
}

/**
 * The word of the slot at that offset, if it is of that use, and ours. `held`: the low half of the word since we have claimed it,
 * or taken it. 0 if it is not.
 */
function own(offset: usize, held: u32): u64 {
  if (slotNumber(offset) == NONE) return 0;
  const word = load64(offset);
  return ownerIn(word) == ours() && isOfUse(word, held) ? word : 0;
}

function isOfUse(word: u64, held: u32): bool {
  return ((u32(word) ^ held) & ~MESSAGE_STATE_MASK) == 0;
}

// --- what the dead have left -------------------------------------------------------------------------------------------------

/** Does what is to be done with a slot while somebody is gone; `leaver` is gone, too. FLAG_WAKE, FLAG_WAKE_ROOM; or BUSY. */
function settleSlot(slot: u32, leaver: u32): u32 {
  let flags: u32 = 0;
  for (let change = 0; change < CHANGES_MAX; change++) {
    const word = load64(slotAt(slot));
    const state = stateIn(word);
    if (state == MESSAGE_FREE) {
      restoreBit(slot);
      return flags;
    }
    const owner = ownerIn(word);
    const isTaken = state == MESSAGE_TAKEN;
    if (isGone(owner, leaver)) {
      // A caller that is gone, too: the next turn frees it.
      if (isTaken) {
        if (!handBack(slot, word, callerOf(slot), CALL_LOST)) continue;
        add64(queue + QUEUE_REDELIVERED_OFFSET, 1);
        flags |= FLAG_WAKE;
      } else if (free(slot, word)) flags |= FLAG_WAKE_ROOM;
    } else if (isTaken && isGone(callerOf(slot), leaver)) {
      // The swap pairs with the loads of words.
      if (swap64(slotAt(slot), word, wordWith(word, owner, CALL_CANCELLED, false))) flags |= FLAG_WAKE;
    } else return flags;
  }
  return BUSY;
}

function isGone(token: u32, leaver: u32): bool {
  return token == leaver || !isShortLive(token);
}

function settleSlots(leaver: u32): u32 {
  let flags: u32 = 0;
  for (let slot: u32 = 0; slot < capacity; slot++) {
    const result = settleSlot(slot, leaver);
    if (result == BUSY) return BUSY;
    flags |= result;
  }
  return flags;
}

/**
 * Settles what the dead have left. Returns FLAG_WAKE when all in the set of notices must be woken, FLAG_WAKE_ROOM when all that
 * wait for room must; or BUSY: call it again; EVICTED.
 */
export function serviceSettle(at: usize, count: u32, requestBytes: u32, responseBytes: u32): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  const recoveries = load32(HEADER_RECOVERIES_OFFSET);
  let flags: u32 = 0;
  for (let index: u32 = 0; index < participants; index++) {
    const member = membersOf(queue) + (index << 2);
    const token = load32(member);
    if (token == 0 || isShortLive(token)) continue;
    const result = settleSlots(token);
    if (result == BUSY) return BUSY;
    flags |= result;
    swap32(member, token, 0); // pairs with the load in becomeMember
  }
  store32(queue + QUEUE_SETTLED_OFFSET, recoveries); // pairs with the load in deaths
  return flags;
}

/**
 * Withdraws what this participant has called, and hands back what it serves, before it leaves. Otherwise as `serviceSettle`.
 */
export function serviceLeave(at: usize, count: u32, requestBytes: u32, responseBytes: u32): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  const member = membersOf(queue) + (selfSlot << 2);
  if (load32(member) != ours()) return 0;
  const flags = settleSlots(ours());
  if (flags != BUSY) store32(member, 0); // pairs with the load in becomeMember
  return flags;
}

// --- callers -----------------------------------------------------------------------------------------------------------------

/**
 * Claims a slot. Returns its offset (the request goes to CALL_REQUEST_OFFSET); FLAG_FULL when there is none now, with
 * FLAG_DEATHS when `serviceSettle` may find one; or EVICTED. The host keeps the low half of the word of the slot, which says
 * which call it is.
 */
export function serviceClaim(at: usize, count: u32, requestBytes: u32, responseBytes: u32): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  if (!becomeMember()) return FLAG_FULL | FLAG_DEATHS;
  const slot = claimSlot();
  if (slot != NONE) store32(slotAt(slot) + CALL_CALLER_OFFSET, ours()); // pairs with the load in callerOf
  moved();
  return slot == NONE ? FLAG_FULL | deaths() : u32(slotAt(slot));
}

/**
 * Sends the request of `length` bytes in the slot at `offset`. Returns 0, or FLAG_WAKE: one that waits for requests must be
 * called; or EVICTED, TOO_LARGE, CORRUPT; or BUSY: call it again, or cancel.
 */
export function serviceSend(
  at: usize,
  count: u32,
  requestBytes: u32,
  responseBytes: u32,
  offset: usize,
  held: u32,
  length: u32,
): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  if (length > requestBytes) return TOO_LARGE;
  const word = own(offset, held);
  if (stateIn(word) != MESSAGE_SENDING) return CORRUPT;
  store<u32>(offset + MESSAGE_LENGTH_OFFSET, length);
  return list(slotNumber(offset), word);
}

/** Puts the slot, which has this word, into the list. */
function list(slot: u32, word: u64): u32 {
  moves(slot, false);
  let result = put(SENT, slot, word);
  if (result == BUSY) {
    passOver(SENT);
    result = put(SENT, slot, word);
  }
  moved();
  if (result != 0) return result;
  return waitersAny(queueWaiters(queue)) ? FLAG_WAKE : 0;
}

/**
 * What has become of a call: 0 while it is sent and not answered, CALL_ANSWERED, CALL_LOST, CALL_RETURNED; or EVICTED; or
 * CORRUPT: the slot is not that call of ours any more.
 */
export function serviceResult(
  at: usize,
  count: u32,
  requestBytes: u32,
  responseBytes: u32,
  offset: usize,
  held: u32,
): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  if (slotNumber(offset) == NONE) return CORRUPT;
  const word = load64(offset);
  const state = stateIn(word);
  if (!isOfUse(word, held)) return CORRUPT;
  if (state == MESSAGE_TAKEN) return 0;
  if (ownerIn(word) != ours() || state == MESSAGE_FREE || state == CALL_CANCELLED) return CORRUPT;
  return state == MESSAGE_SENDING ? 0 : state;
}

/**
 * Sends a call again that is LOST or RETURNED. Returns as `serviceSend`; the low half of the word is another one then. BUSY: it
 * is SENDING, and `serviceSend` tries again.
 */
export function serviceAgain(
  at: usize,
  count: u32,
  requestBytes: u32,
  responseBytes: u32,
  offset: usize,
  held: u32,
): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  const word = own(offset, held);
  if (stateIn(word) != CALL_LOST && stateIn(word) != CALL_RETURNED) return CORRUPT;
  const next = wordWith(word, ours(), MESSAGE_SENDING, true);
  const slot = slotNumber(offset);
  moves(slot, false);
  if (!swap64(offset, word, next)) return CORRUPT; // pairs with the loads of words
  return list(slot, next);
}

/**
 * Ends a call of ours, whatever its state: withdraws it, cancels it, or frees its slot after its response was read. Returns 0;
 * FLAG_WAKE_ROOM: one that waits for room must be called; FLAG_WAKE: `serviceRing` must be called; or EVICTED, CORRUPT.
 */
export function serviceForget(
  at: usize,
  count: u32,
  requestBytes: u32,
  responseBytes: u32,
  offset: usize,
  held: u32,
): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  const slot = slotNumber(offset);
  if (slot == NONE) return CORRUPT;
  for (let change = 0; change < CHANGES_MAX; change++) {
    const word = load64(offset);
    if (!isOfUse(word, held)) return CORRUPT;
    if (stateIn(word) == MESSAGE_TAKEN && callerOf(slot) == ours()) {
      // The swap pairs with the loads of words.
      if (swap64(offset, word, wordWith(word, ownerIn(word), CALL_CANCELLED, false)))
        return ring(numberOf(ownerIn(word)));
    } else if (ownerIn(word) != ours() || stateIn(word) == CALL_CANCELLED) return CORRUPT;
    else if (free(slot, word)) return waitersAny(queueWaitersRoom(queue)) ? FLAG_WAKE_ROOM : 0;
  }
  return CORRUPT;
}

// --- servers -----------------------------------------------------------------------------------------------------------------

/**
 * Takes the next request. Returns the offset of its slot; FLAG_EMPTY when there is none, with FLAG_DEATHS when `serviceSettle`
 * must be called first; or EVICTED, CORRUPT; or BUSY: call it again. The host keeps the low half of the word of the slot.
 */
export function serviceTake(at: usize, count: u32, requestBytes: u32, responseBytes: u32): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  const died = becomeMember() ? deaths() : u32(FLAG_DEATHS);
  if (died != 0) return FLAG_EMPTY | died;
  const slot = takeFrom(SENT);
  if (slot == NONE) return failed != 0 ? failed : u32(FLAG_EMPTY);
  moved();
  return u32(slotAt(slot));
}

/** Whether nobody waits any more for the answer to a request that we have taken. */
export function serviceIsCancelled(offset: usize, held: u32): bool {
  const word = load64(offset);
  return !isOfUse(word, held) || stateIn(word) == CALL_CANCELLED;
}

/**
 * Answers a request that was taken: `length` bytes stand where `serviceResponse` says. `kind`: CALL_RESPONSE or CALL_FAILURE. If
 * it was cancelled, its slot is free. Returns 0; FLAG_WAKE: `serviceRing` must be called; FLAG_WAKE_ROOM: one that waits for room
 * must be called; or EVICTED, TOO_LARGE, CORRUPT.
 */
export function serviceAnswer(
  at: usize,
  count: u32,
  requestBytes: u32,
  responseBytes: u32,
  offset: usize,
  held: u32,
  length: u32,
  kind: u32,
): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  if (length > responseBytes) return TOO_LARGE;
  if (own(offset, held) == 0) return CORRUPT;
  store<u32>(offset + CALL_RESPONSE_LENGTH_OFFSET, length);
  store<u32>(offset + CALL_KIND_OFFSET, kind);
  return endServing(offset, held, CALL_ANSWERED);
}

/** Hands a request back that was taken and not begun: its caller sends it again. Otherwise as `serviceAnswer`. */
export function serviceGiveBack(
  at: usize,
  count: u32,
  requestBytes: u32,
  responseBytes: u32,
  offset: usize,
  held: u32,
): u32 {
  const removed = enter(at, count, requestBytes, responseBytes);
  if (removed != 0) return removed;
  return endServing(offset, held, CALL_RETURNED);
}

function endServing(offset: usize, held: u32, state: u32): u32 {
  for (let change = 0; change < CHANGES_MAX; change++) {
    const word = own(offset, held);
    const slot = slotNumber(offset);
    if (stateIn(word) == CALL_CANCELLED) {
      if (free(slot, word)) return waitersAny(queueWaitersRoom(queue)) ? FLAG_WAKE_ROOM : 0;
    } else if (stateIn(word) != MESSAGE_TAKEN) return CORRUPT;
    else {
      const caller = callerOf(slot);
      if (handBack(slot, word, caller, state)) return ring(numberOf(caller));
    }
  }
  return CORRUPT;
}

function ring(slot: u32): u32 {
  if (!waitersAny(serviceWaiters(queue - waitersBytes()))) return 0;
  ringing = slot;
  return FLAG_WAKE;
}

/** Rings the participant that the last function meant. Returns its doorbell, for the host to wake it; 0: it does not sleep. */
export function serviceRing(at: usize): usize {
  return waitersCallOnly(serviceWaiters(at), ringing);
}
