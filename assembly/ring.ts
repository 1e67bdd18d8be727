/**
 * Ring: one producer streams variable-length records to one consumer. Wait-free on both sides.
 *
 *     object:   0           128         256          384         384+W       384+2W      384+3W             + capacity
 *               +-----------+-----------+------------+-----------+-----------+-----------+------------------+
 *               | producer  | consumer  | owners of  | waiters   | waiters   | waiters   | records          |
 *               | writes    | writes    | both ends  | for data  | for room  | for ends  |                  |
 *               +-----------+-----------+------------+-----------+-----------+-----------+------------------+
 *
 *     records:  | length u32 | kind u32 | payload, padded to 8 |  next record ...  | END |  ...  | PADDING up to the end |
 *
 *     positions only grow:          tail <= cursor <= cached head <= head <= tail + capacity
 *     index of a position = position mod capacity; a record never wraps around the end
 *
 * | word              | written by          | read by                                                               |
 * | ----------------- | ------------------- | --------------------------------------------------------------------- |
 * | head              | producer, commit    | consumer: everything before it is complete                            |
 * | sent, sent bytes  | producer            | statistics                                                            |
 * | tail              | consumer, release   | producer: everything before it may be written again                   |
 * | cursor, cached    | consumer            | consumer only; set anew at attach, so a dead one's values do not count |
 * | head, received    |                     |                                                                       |
 * | records           | producer between    | consumer between head and tail                                        |
 * |                   | tail and head       |                                                                       |
 * | owners            | see `owner.ts`      | both                                                                  |
 * | previous, began   | producer that has   | both: whose stream ended where this producer's stream begins          |
 * |                   | taken the end       |                                                                       |
 *
 * To send:                                              To receive:
 *  1. claim: room = capacity - (head - tail); if the      1. count the records taken before as consumed: cursor
 *     record does not fit before the end, write a         2. when that reaches the cached head, load the head
 *     PADDING record there and publish it                 3. check the record's header, skip PADDING
 *  2. the host writes the payload                         4. publish the tail: always when empty, else when 64
 *  3. write the record's header                              records or 1/8 of the capacity are held back, or when
 *  4. publish the head: the record is sent                   somebody waits for room
 *  5. anyone waiting for data? then wake                  5. the host reads the payload; it may go on by itself to
 *                                                            the records behind, as far as `ringReady` says, before
 *                                                            it comes back to step 1 with all of them
 *
 * The host keeps `at` (offset of its next record) and the room it was told of, and passes the capacity: nothing that a
 * peer could change leads the host out of the ring.
 *
 * A host that goes on by itself takes DATA records that end within `ringReady`, at most `ringReadyRecords`, and none once
 * somebody waits for room; whatever else it finds there is for step 3. So no more is held back than by a host that tells of each.
 *
 * A stream ends when its producer closes its end or dies. The consumer is told of each end, in its place, also when the next
 * producer has taken the end by then: that one notes `began` and `previous`, and its first claim sends an END record before the
 * first record of its own. An end was told when `ended` is the owner word, or has the same low half as the END record. Receiving
 * skips an END that was told, and finds nothing at one that was not. To learn of an end, when receiving found nothing:
 *
 *  1. the state of the producer's end
 *  2. the head is at the cursor: the end of that producer, if it has ended and that was not told; or, if it lives and has sent
 *     nothing, the end of the previous one
 *  3. the head is beyond the cursor: an END that was not told. If it is something else, and the producer has ended: that was
 *     sent between the look and the end, so receive once more, and begin again
 *  4. note that this end was told, and tell it
 *
 * A host that only polls tells nobody of ends: at an END (FLAG_MORE with FLAG_EMPTY) it calls `ringEnd` and receives again.
 *
 * To give an end back:                                  To wait for an end that somebody holds:
 *  1. mark the owner word: closed, or abandoned           1. arm in the set for ends
 *  2. wake who waits at the other end                     2. attach; BUSY: sleep, and look again every RECHECK_MS,
 *  3. wake who waits for an end                              because a dead owner wakes nobody
 *
 * Those who wait for an end have a set of their own: in one of the others, each record would wake them.
 *
 * If a participant dies:
 *
 * | after step    | state                                   | repair                                                  |
 * | ------------- | --------------------------------------- | ------------------------------------------------------- |
 * | send 1        | END or PADDING published, or nothing    | none: the consumer is told, or skips it                 |
 * | send 2, 3     | bytes beyond the head                   | none: the next producer writes over them                |
 * | send 4        | the record is sent, nobody was woken    | none: a sleeper looks again within RECHECK_MS           |
 * | receive 1 - 3 | the tail lies behind what was taken,    | the next consumer begins at the tail: what was held     |
 * | receive 5     | also when the core was not told of it   | back is delivered again (at most 64 records, 1/8 of the |
 * |               |                                         | capacity, or the one record that is larger)             |
 * | receive 4     | released, nobody was woken              | none: as above                                          |
 * | take the end  | `previous` is of an earlier tenure      | the end of the dead one is told at the same place       |
 * | give back 1,  | the end is free, nobody was woken, or   | none: as above                                          |
 * | 2             | only the other end was                  |                                                         |
 *
 * If a call is cut off and its participant lives on, the host does not know whether the head or the cursor has moved.
 *
 * | before the call, the host      | after it                      | when it was cut off                                        |
 * | ------------------------------ | ----------------------------- | ---------------------------------------------------------- |
 * | send: says that it knows of no | takes room and offset over    | the next record asks `ringClaim`, which goes by the head;  |
 * | room                           |                               | the record is sent, or its bytes are beyond the head       |
 * | receive: says that it asks,    | notes the cursor anew         | what was taken counts if the cursor has moved since it was |
 * | and that it may not go on      |                               | noted; `ringResume` goes by the cursor                     |
 *
 * The counts of records are stored before the position, so they may then count a step twice: they are statistics, and what is
 * held back seems more, never less.
 *
 * Source of the idea: Lamport's queue; caching the other side's position is from FastForward and MCRingBuffer; records with
 * padding at the end are Agrona's.
 */
import { CORRUPT, EVICTED, TOO_LARGE } from "../protocol/errors";
import {
  END_CLOSED,
  END_DEAD,
  END_LIVE,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_MORE,
  FLAG_WAKE,
  OWNER_CLOSED,
  RECORD_ALIGNMENT,
  RECORD_DATA,
  RECORD_END,
  RECORD_HEADER_BYTES,
  RECORD_PADDING,
  RING_BEGAN_OFFSET,
  RING_CACHED_HEAD_OFFSET,
  RING_CONSUMER_ENDED_OFFSET,
  RING_CONSUMER_OFFSET,
  RING_CURSOR_OFFSET,
  RING_HEAD_OFFSET,
  RING_LAST_SENT_NS_OFFSET,
  RING_PREVIOUS_OFFSET,
  RING_PRODUCER_ENDED_OFFSET,
  RING_PRODUCER_OFFSET,
  RING_RECEIVED_OFFSET,
  RING_RELEASED_OFFSET,
  RING_SENT_BYTES_OFFSET,
  RING_SENT_OFFSET,
  RING_TAIL_OFFSET,
  RING_WAITERS_OFFSET,
} from "../protocol/layout";
import {
  RING_CAPACITY_MAX,
  RING_CAPACITY_MIN,
  RING_HELD_RECORDS_MAX,
  RING_HELD_SHIFT,
} from "../protocol/limits";
import { waitersBytes } from "./instance";
import {
  ownerAbandon,
  ownerAttach,
  ownerClose,
  ownerReplaced,
  ownerReported,
  ownerState,
  ownerTold,
} from "./owner";
import { selfCheck } from "./participants";
import { waitersAny } from "./waiters";
import { load64, store64 } from "./word";

/** What lies between two records at most: PADDING, an END that was told, PADDING. */
const SKIPPED_MAX: i32 = 3;

/** The capacity of a ring that is to have room for so many bytes; 0 when there is none as large. */
export function ringCapacity(bytes: u32): u32 {
  if (bytes > u32(RING_CAPACITY_MAX)) return 0;
  return max(u32(RING_CAPACITY_MIN), (bytes + (RECORD_ALIGNMENT - 1)) & ~(RECORD_ALIGNMENT - 1));
}

/** Bytes of a ring object; 0 when the capacity is not allowed. */
export function ringBytes(capacity: u32): u64 {
  if (capacity < u32(RING_CAPACITY_MIN) || capacity > u32(RING_CAPACITY_MAX)) return 0;
  if (capacity % RECORD_ALIGNMENT != 0) return 0;
  return u64(RING_WAITERS_OFFSET + 3 * waitersBytes()) + capacity;
}

/** Offset of the first record. */
export function ringData(ring: usize): usize {
  return ringWaitersEnds(ring) + waitersBytes();
}

/** The set of participants that wait for data. */
export function ringWaitersData(ring: usize): usize {
  return ring + RING_WAITERS_OFFSET;
}

/** The set of participants that wait for room. */
export function ringWaitersRoom(ring: usize): usize {
  return ring + RING_WAITERS_OFFSET + waitersBytes();
}

/** The set of participants that wait for an end which somebody holds. */
export function ringWaitersEnds(ring: usize): usize {
  return ring + RING_WAITERS_OFFSET + 2 * waitersBytes();
}

export function ringInitialise(ring: usize): void {
  memory.fill(ring, 0, ringData(ring) - ring);
}

export function recordBytes(length: u32): u32 {
  return RECORD_HEADER_BYTES + ((length + (RECORD_ALIGNMENT - 1)) & ~(RECORD_ALIGNMENT - 1));
}

/** Bytes between tail and head; more than the capacity when the words are corrupt. */
function used(head: u64, tail: u64): u64 {
  return (head | tail) & (RECORD_ALIGNMENT - 1) ? u64.MAX_VALUE : head - tail;
}

// --- producer ----------------------------------------------------------------------------------------------------------

/** Takes the producer's end. Returns the offset of the next record, or an error. */
export function ringAttachProducer(ring: usize, capacity: u32): u32 {
  const failed = ownerAttach(ring + RING_PRODUCER_OFFSET);
  if (failed != 0) return failed;
  const head = load64(ring + RING_HEAD_OFFSET);
  if (used(head, load64(ring + RING_TAIL_OFFSET)) > capacity) {
    ownerClose(ring + RING_PRODUCER_OFFSET);
    return CORRUPT;
  }
  store<u64>(ring + RING_BEGAN_OFFSET, head);
  store64(ring + RING_PREVIOUS_OFFSET, ownerReplaced()); // pairs with the loads in ringClaim, ringEnd
  return u32(ringData(ring)) + u32(head % capacity);
}

/** Whether the previous producer, with this owner word, has ended at this head, and the consumer was not told. */
function isUntoldBefore(ring: usize, previous: u64, head: u64): bool {
  return previous != 0 && load<u64>(ring + RING_BEGAN_OFFSET) == head && !isTold(ring, u32(previous));
}

/** Whether the consumer was told of the end of the producer whose owner word has this low half. */
function isTold(ring: usize, word: u32): bool {
  return u32(load64(ring + RING_PRODUCER_ENDED_OFFSET)) == word;
}

/**
 * Finds room for a payload of `length` bytes; everything staged before is published or given up. Returns the offset of the next
 * record (its payload follows its header), with FLAG_FULL when there is no room for it now, and FLAG_WAKE when a consumer must be
 * woken then; or an error. What the offset says counts, whatever the host believed before: see "cut off" above.
 */
export function ringClaim(ring: usize, capacity: u32, length: u32): u32 {
  if (length > capacity - RECORD_HEADER_BYTES) return TOO_LARGE;
  const failed = selfCheck();
  if (failed != 0) return failed;
  const bytes = recordBytes(length);
  let head = load64(ring + RING_HEAD_OFFSET);
  let filled = used(head, load64(ring + RING_TAIL_OFFSET));
  if (filled > capacity) return CORRUPT;
  const previous = load64(ring + RING_PREVIOUS_OFFSET);
  if (isUntoldBefore(ring, previous, head)) {
    const end = u32(ringData(ring)) + u32(head % capacity);
    if (filled == capacity) return end | full(ring);
    store<u64>(end, (u64(RECORD_END) << 32) | u32(previous));
    head += RECORD_HEADER_BYTES;
    filled += RECORD_HEADER_BYTES;
    store64(ring + RING_HEAD_OFFSET, head); // pairs with the load in newlyComplete
  }
  const index = u32(head % capacity);
  const at = u32(ringData(ring)) + index;
  const free = capacity - u32(filled);
  const contiguous = capacity - index;
  if (bytes <= contiguous) return bytes <= free ? at : at | full(ring);
  if (free < contiguous) return at | full(ring);
  store<u64>(at, (u64(RECORD_PADDING) << 32) | (contiguous - RECORD_HEADER_BYTES));
  store64(ring + RING_HEAD_OFFSET, head + contiguous); // pairs with the load in newlyComplete
  const first = u32(ringData(ring));
  return bytes <= free - contiguous ? first : first | full(ring);
}

/** A consumer that sleeps on an otherwise empty ring must skip padding, or be told of an end, before there can be room. */
function full(ring: usize): u32 {
  return waitersAny(ringWaitersData(ring)) ? FLAG_FULL | FLAG_WAKE : FLAG_FULL;
}

/** Contiguous bytes that may be written at `at`, the offset that `ringClaim` has returned. */
export function ringRoom(ring: usize, capacity: u32, at: u32): u32 {
  const filled = used(load64(ring + RING_HEAD_OFFSET), load64(ring + RING_TAIL_OFFSET));
  if (filled > capacity) return 0;
  return min(capacity - u32(filled), u32(ringData(ring)) + capacity - at);
}

/** Writes the header of a record whose payload stands; `ringPublish` will send it. Returns the next offset. */
export function ringStage(at: u32, length: u32): u32 {
  store<u64>(at, (u64(RECORD_DATA) << 32) | length);
  return at + recordBytes(length);
}

/** Sends what was staged: `bytes` from the head on, that are `records` with `payloadBytes`. 0, FLAG_WAKE, or an error. */
export function ringPublish(ring: usize, bytes: u32, records: u32, payloadBytes: u32): u32 {
  if (selfCheck() != 0) return EVICTED;
  store<u64>(ring + RING_SENT_OFFSET, load<u64>(ring + RING_SENT_OFFSET) + records);
  store<u64>(ring + RING_SENT_BYTES_OFFSET, load<u64>(ring + RING_SENT_BYTES_OFFSET) + payloadBytes);
  store64(ring + RING_HEAD_OFFSET, load<u64>(ring + RING_HEAD_OFFSET) + bytes); // pairs with the load in newlyComplete
  return waitersAny(ringWaitersData(ring)) ? FLAG_WAKE : 0;
}

/** Sends one record whose payload stands. Returns the next offset, with FLAG_WAKE; or an error. */
export function ringCommit(ring: usize, at: u32, length: u32): u32 {
  const next = ringStage(at, length);
  const result = ringPublish(ring, next - at, 1, length);
  return result > u32(FLAG_WAKE) ? result : next | result;
}

/** When the latest record was sent, as the host sees it. */
export function ringStamp(ring: usize, nowNs: f64): void {
  store<u64>(ring + RING_LAST_SENT_NS_OFFSET, u64(nowNs));
}

/** Gives the producer's end back; FLAG_WAKE when a consumer must be told. */
export function ringCloseProducer(ring: usize): u32 {
  return ownerClose(ring + RING_PRODUCER_OFFSET) && waitersAny(ringWaitersData(ring)) ? FLAG_WAKE : 0;
}

/**
 * Gives the producer's end back in the middle of a stream: its consumer is told as when the producer had died. FLAG_WAKE when
 * a consumer must be told.
 */
export function ringAbandonProducer(ring: usize): u32 {
  return ownerAbandon(ring + RING_PRODUCER_OFFSET) && waitersAny(ringWaitersData(ring)) ? FLAG_WAKE : 0;
}

/** END_… of the consumer, for the producer. */
export function ringConsumerState(ring: usize): u32 {
  return ownerState(ring + RING_CONSUMER_OFFSET, ring + RING_CONSUMER_ENDED_OFFSET);
}

export function ringConsumerReported(ring: usize): void {
  ownerReported(ring + RING_CONSUMER_ENDED_OFFSET);
}

// --- consumer ----------------------------------------------------------------------------------------------------------

/** Takes the consumer's end. Returns the offset of the next record, or an error. */
export function ringAttachConsumer(ring: usize, capacity: u32): u32 {
  const failed = ownerAttach(ring + RING_CONSUMER_OFFSET);
  if (failed != 0) return failed;
  const tail = load64(ring + RING_TAIL_OFFSET);
  if (used(load64(ring + RING_HEAD_OFFSET), tail) > capacity) {
    ownerClose(ring + RING_CONSUMER_OFFSET);
    return CORRUPT;
  }
  store<u64>(ring + RING_CURSOR_OFFSET, tail);
  store<u64>(ring + RING_CACHED_HEAD_OFFSET, tail);
  store<u64>(ring + RING_RECEIVED_OFFSET, load<u64>(ring + RING_RELEASED_OFFSET));
  return u32(ringData(ring)) + u32(tail % capacity);
}

function publishTail(ring: usize, cursor: u64, received: u64): u32 {
  store64(ring + RING_TAIL_OFFSET, cursor); // pairs with the load in ringClaim
  store<u64>(ring + RING_RELEASED_OFFSET, received);
  return waitersAny(ringWaitersRoom(ring)) ? FLAG_WAKE : 0;
}

/**
 * Counts the `records` of `advance` bytes at `at` as consumed (0: none) and finds the next one. Returns its offset, with
 * FLAG_WAKE when a producer must be woken, FLAG_EMPTY when there is no record there yet, and FLAG_MORE when others are complete
 * behind it; or an error, and then nothing is counted. FLAG_EMPTY with FLAG_MORE: there is an end to be told first.
 */
export function ringReceive(ring: usize, capacity: u32, at: u32, advance: u32, records: u32): u32 {
  const failed = selfCheck();
  if (failed != 0) return failed;
  const data = u32(ringData(ring));
  const end = data + capacity;
  const before = load<u64>(ring + RING_CURSOR_OFFSET);
  let cursor = before + advance;
  at = wrapped(at + advance, data, capacity);
  let complete = load<u64>(ring + RING_CACHED_HEAD_OFFSET) - cursor;
  if (complete == 0) complete = newlyComplete(ring, cursor);
  if (complete > capacity) return CORRUPT;
  let flags: u32 = 0;
  for (let skipped = 0; complete != 0; skipped++) {
    const header = load<u64>(at);
    const kind = u32(header >> 32);
    if (kind != RECORD_PADDING && kind != RECORD_END) break;
    if (kind == RECORD_END && !isTold(ring, u32(header))) {
      flags = FLAG_MORE;
      complete = 0;
      break;
    }
    const bytes: u32 = kind == RECORD_END ? RECORD_HEADER_BYTES : recordBytes(u32(header));
    if (skipped == SKIPPED_MAX || u64(bytes) > complete) return CORRUPT;
    if (kind == RECORD_PADDING && at + bytes != end) return CORRUPT;
    cursor += bytes;
    at = wrapped(at + bytes, data, capacity);
    complete -= bytes;
    if (complete == 0) complete = newlyComplete(ring, cursor);
    if (complete > capacity) return CORRUPT;
  }
  const bytes: u32 = complete == 0 ? 0 : recordAt(at, end, complete);
  if (complete != 0 && bytes == 0) return CORRUPT;
  const received = load<u64>(ring + RING_RECEIVED_OFFSET) + records;
  if (cursor != before) {
    store<u64>(ring + RING_RECEIVED_OFFSET, received);
    store<u64>(ring + RING_CURSOR_OFFSET, cursor);
  }
  if (complete == 0) flags |= FLAG_EMPTY;
  else if (complete > u64(bytes)) flags = FLAG_MORE;
  const tail = load<u64>(ring + RING_TAIL_OFFSET);
  if (cursor != tail && mustRelease(ring, capacity, cursor - tail, received, complete == 0)) {
    flags |= publishTail(ring, cursor, received);
  }
  return at | flags;
}

/**
 * How far a host may go on by itself from the offset `at` that `ringReceive` returned: bytes of complete records, none of them
 * beyond the end of the data, and so few that they may be held back. The first record is the host's in any case.
 */
export function ringReady(ring: usize, capacity: u32, at: u32): u32 {
  const cursor = load<u64>(ring + RING_CURSOR_OFFSET);
  const complete = load<u64>(ring + RING_CACHED_HEAD_OFFSET) - cursor;
  const held = cursor - load<u64>(ring + RING_TAIL_OFFSET);
  const most = heldMax(capacity);
  if (complete > capacity || held > most) return 0;
  const contiguous = u32(ringData(ring)) + capacity - at;
  return min(min(u32(complete), contiguous), (most - u32(held)) & ~(RECORD_ALIGNMENT - 1));
}

/** Where the consumer goes on, when a call was cut off and the host does not know what it has counted. */
export function ringResume(ring: usize, capacity: u32): u32 {
  const index = u32(load<u64>(ring + RING_CURSOR_OFFSET) % capacity);
  return u32(ringData(ring)) + (index & ~(RECORD_ALIGNMENT - 1));
}

/** How many records the host may take in `ringReady`, from 1, before it tells of them. */
export function ringReadyRecords(ring: usize): u32 {
  const held = load<u64>(ring + RING_RECEIVED_OFFSET) - load<u64>(ring + RING_RELEASED_OFFSET);
  return held < u64(RING_HELD_RECORDS_MAX) ? RING_HELD_RECORDS_MAX - u32(held) : 1;
}

/** Bytes between the head, as it is now, and the cursor; more than the capacity when the words are corrupt. */
function newlyComplete(ring: usize, cursor: u64): u64 {
  const head = load64(ring + RING_HEAD_OFFSET);
  store<u64>(ring + RING_CACHED_HEAD_OFFSET, head);
  return used(head, cursor);
}

function heldMax(capacity: u32): u32 {
  return capacity >>> RING_HELD_SHIFT;
}

function mustRelease(ring: usize, capacity: u32, held: u64, received: u64, empty: bool): bool {
  if (empty || held >= heldMax(capacity)) return true;
  if (received - load<u64>(ring + RING_RELEASED_OFFSET) >= u64(RING_HELD_RECORDS_MAX)) return true;
  return waitersAny(ringWaitersRoom(ring));
}

/** Bytes of the record at `at`; 0 when there is none that ends before `end` and within what is `ready`. */
function recordAt(at: u32, end: u32, ready: u64): u32 {
  const header = load<u64>(at);
  if (u32(header >> 32) != RECORD_DATA) return 0;
  const length = u32(header);
  if (length > end - at) return 0;
  const bytes = recordBytes(length);
  return bytes <= end - at && bytes <= ready ? bytes : 0;
}

function wrapped(at: u32, data: u32, capacity: u32): u32 {
  return at == data + capacity ? data : at;
}

/**
 * Counts the `records` of `advance` bytes at `at` as consumed and publishes the tail at once. Returns the offset of the
 * next record, with FLAG_WAKE; or an error.
 */
export function ringRelease(ring: usize, capacity: u32, at: u32, advance: u32, records: u32): u32 {
  const failed = selfCheck();
  if (failed != 0) return failed;
  const cursor = load<u64>(ring + RING_CURSOR_OFFSET) + advance;
  const received = load<u64>(ring + RING_RECEIVED_OFFSET) + records;
  store<u64>(ring + RING_RECEIVED_OFFSET, received);
  store<u64>(ring + RING_CURSOR_OFFSET, cursor);
  return wrapped(at + advance, u32(ringData(ring)), capacity) | publishTail(ring, cursor, received);
}

/** Gives the consumer's end back; FLAG_WAKE when a producer must be told. */
export function ringCloseConsumer(ring: usize): u32 {
  return ownerClose(ring + RING_CONSUMER_OFFSET) && waitersAny(ringWaitersRoom(ring)) ? FLAG_WAKE : 0;
}

/** END_… of the producer, for the consumer. */
export function ringProducerState(ring: usize): u32 {
  return ownerState(ring + RING_PRODUCER_OFFSET, ring + RING_PRODUCER_ENDED_OFFSET);
}

export function ringProducerReported(ring: usize): void {
  ownerReported(ring + RING_PRODUCER_ENDED_OFFSET);
}

/**
 * For a consumer that `ringReceive` has told of no record: whether the stream has ended. END_CLOSED or END_DEAD, once; 0 while
 * it goes on (a producer that lives is the suspect); END_LIVE: something was sent right before the end, so receive again.
 */
export function ringEnd(ring: usize, capacity: u32): u32 {
  const state = ringProducerState(ring);
  const cursor = load<u64>(ring + RING_CURSOR_OFFSET);
  const head = load64(ring + RING_HEAD_OFFSET);
  const hasEnded = state == END_CLOSED || state == END_DEAD;
  const previous = load64(ring + RING_PREVIOUS_OFFSET); // once: the next producer may store it just now
  let word = u32(previous);
  if (head == cursor) {
    if (hasEnded) ringProducerReported(ring);
    if (hasEnded) return state;
    if (state != END_LIVE || !isUntoldBefore(ring, previous, head)) return 0;
  } else {
    const header = load<u64>(ringResume(ring, capacity));
    word = u32(header);
    if (u32(header >> 32) != RECORD_END || isTold(ring, word)) return hasEnded ? END_LIVE : 0;
  }
  ownerTold(ring + RING_PRODUCER_ENDED_OFFSET, u32(previous) == word ? previous : word);
  return (word & OWNER_CLOSED) != 0 ? END_CLOSED : END_DEAD;
}

/** For a producer that has found no room: whether its consumer has died, once. A consumer that lives is the suspect. */
export function ringConsumerDied(ring: usize): bool {
  if (ringConsumerState(ring) != END_DEAD) return false;
  ringConsumerReported(ring);
  return true;
}
