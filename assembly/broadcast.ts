/**
 * Broadcast: one publisher, and any number of subscribers, of which each sees every record. The publisher never waits, and does
 * not know who reads. Wait-free for the publisher, lock-free for subscribers, which write nothing.
 *
 *     object:   0           128         256        256+W       256+2W               + capacity
 *               +-----------+-----------+----------+-----------+--------------------+
 *               | publisher | owner of  | waiters  | waiters   | records            |
 *               | writes    | the end   | for data | for ends  |                    |
 *               +-----------+-----------+----------+-----------+--------------------+
 *
 *     records:  | length u32 | kind u32 | number u64 | payload, padded to 8 |  next ...  | PADDING up to the end |
 *
 *     positions only grow:    intent - capacity <= oldest <= recent <= last <= tail <= intent
 *     index of a position = position mod capacity; a record never wraps around the end
 *
 * | word        | written by                    | read by                                                                   |
 * | ----------- | ----------------------------- | ------------------------------------------------------------------------- |
 * | intent      | publisher, before the bytes   | subscribers: bytes before intent - capacity are being overwritten         |
 * | oldest      | publisher, before the intent  | who subscribes from the oldest record                                     |
 * | recent      | publisher, before the tail    | a subscriber that was overtaken: the first record of the newest half      |
 * | last, tail  | publisher                     | subscribers: begin and end of the newest record                           |
 * | records     | publisher between tail and    | subscribers between intent - capacity and tail                            |
 * |             | intent                        |                                                                           |
 * | owner       | see `owner.ts`                | who wants to publish                                                      |
 *
 * To publish:                                            To read, at a position that the subscriber keeps:
 *  1. claim: where the record ends; move `oldest` on      1. the position is the tail: nothing is there
 *     to the first record that stays whole               2. intent - position > capacity: it was overtaken. Go on at
 *  2. intent = that end                                      `recent`, and begin again
 *  3. the host writes the payload                         3. read the header; skip PADDING
 *  4. write the header; `last`, `recent`                  4. check as in 2 that the header was whole
 *  5. tail = that end: the record is published            5. the host reads the payload
 *  6. anyone waiting for data? then wake all              6. check as in 2 that the payload was whole
 *
 * Records are numbered, from 1. So a subscriber that was overtaken knows from the number of the next record how many it lost.
 * A record takes a quarter of the capacity at most. So one that goes on at `recent` has a quarter of the capacity or more before
 * it is overtaken again.
 *
 * The intent never falls: what a dead publisher has begun to overwrite stays unreadable, also if its successor writes less.
 *
 * If the publisher dies, or is cut off:
 *
 * | after step | state                                                 | repair                                           |
 * | ---------- | ----------------------------------------------------- | ------------------------------------------------ |
 * | 1          | `oldest` is later than it must be                     | none                                             |
 * | 2, 3, 4    | bytes behind the tail are written, nobody reads them; | none: the next record begins at the tail         |
 * |            | `last` or `recent` may name a record that is not      |                                                  |
 * |            | published: who reads them compares them with the tail |                                                  |
 * | 5          | the record is published, nobody was woken             | none: a sleeper looks again within RECHECK_MS    |
 *
 * A subscriber leaves nothing.
 *
 * Source of the idea: the broadcast buffers of Agrona, which have intent and tail; numbers instead of a count of overruns.
 */
import { BUSY, CORRUPT, EVICTED, TOO_LARGE } from "../protocol/errors";
import {
  ANSWER_POSITION_OFFSET,
  BROADCAST_INTENT_OFFSET,
  BROADCAST_LAST_OFFSET,
  BROADCAST_LAST_SENT_NS_OFFSET,
  BROADCAST_OLDEST_OFFSET,
  BROADCAST_PUBLISHER_OFFSET,
  BROADCAST_RECENT_OFFSET,
  BROADCAST_SENT_BYTES_OFFSET,
  BROADCAST_TAIL_OFFSET,
  BROADCAST_WAITERS_OFFSET,
  END_CLOSED,
  END_DEAD,
  END_LIVE,
  FLAG_EMPTY,
  FLAG_WAKE,
  RECORD_ALIGNMENT,
  RECORD_DATA,
  RECORD_PADDING,
  TOPIC_HEADER_BYTES,
  TOPIC_KIND_OFFSET,
  TOPIC_LENGTH_OFFSET,
  TOPIC_NUMBER_OFFSET,
} from "../protocol/layout";
import { BROADCAST_CAPACITY_MAX, BROADCAST_CAPACITY_MIN, BROADCAST_SHARE_SHIFT } from "../protocol/limits";
import { self, waitersBytes } from "./instance";
import { ownerAttach, ownerClose, ownerStateSince } from "./owner";
import { answers, selfCheck } from "./participants";
import { waitersAny } from "./waiters";
import { load64, store64 } from "./word";

/** A subscriber that is overtaken this often in one call goes on with the next call. */
const TURNS_MAX = 64;

/** What `broadcastNext` has found: the position of the record, the one behind it, and its number. */
let found: u64 = 0;
let following: u64 = 0;
let number: u64 = 0;

/** The capacity of a topic that is to have room for so many bytes; 0 when there is none as large. */
export function broadcastCapacity(bytes: u32): u32 {
  if (bytes > u32(BROADCAST_CAPACITY_MAX)) return 0;
  return max(u32(BROADCAST_CAPACITY_MIN), (bytes + (RECORD_ALIGNMENT - 1)) & ~(RECORD_ALIGNMENT - 1));
}

/** Bytes of the object; 0 when the capacity is not allowed. */
export function broadcastBytes(capacity: u32): u64 {
  if (capacity < u32(BROADCAST_CAPACITY_MIN) || capacity > u32(BROADCAST_CAPACITY_MAX)) return 0;
  if (capacity % RECORD_ALIGNMENT != 0) return 0;
  return u64(broadcastData(0)) + capacity;
}

export function broadcastInitialise(topic: usize): void {
  memory.fill(topic, 0, broadcastData(topic) - topic);
}

/** Offset of the first record. */
function broadcastData(topic: usize): usize {
  return topic + BROADCAST_WAITERS_OFFSET + 2 * waitersBytes();
}

/** The set of participants that wait for a record. */
export function broadcastWaiters(topic: usize): usize {
  return topic + BROADCAST_WAITERS_OFFSET;
}

/** The set of participants that wait for the publisher's end. */
export function broadcastWaitersEnds(topic: usize): usize {
  return topic + BROADCAST_WAITERS_OFFSET + waitersBytes();
}

/** Bytes of the largest payload. */
export function broadcastPayloadMax(capacity: u32): u32 {
  return ((capacity >>> BROADCAST_SHARE_SHIFT) & ~(RECORD_ALIGNMENT - 1)) - TOPIC_HEADER_BYTES;
}

function recordBytes(length: u32): u32 {
  return TOPIC_HEADER_BYTES + ((length + (RECORD_ALIGNMENT - 1)) & ~(RECORD_ALIGNMENT - 1));
}

function at(topic: usize, capacity: u32, position: u64): usize {
  return broadcastData(topic) + usize(position % capacity);
}

/** Bytes of the record or padding at a position, whose header may be damaged: 0 then. */
function bytesAt(topic: usize, capacity: u32, position: u64): u32 {
  const record = at(topic, capacity, position);
  const length = load<u32>(record + TOPIC_LENGTH_OFFSET);
  const kind = load<u32>(record + TOPIC_KIND_OFFSET);
  const contiguous = capacity - u32(position % capacity);
  if (kind == RECORD_PADDING) return length == contiguous ? contiguous : 0;
  if (kind != RECORD_DATA || length > broadcastPayloadMax(capacity)) return 0;
  return recordBytes(length) <= contiguous ? recordBytes(length) : 0;
}

/** The number that the next record gets. */
function nextNumber(topic: usize, capacity: u32, tail: u64): u64 {
  if (tail == 0) return 1;
  const last = load64(topic + BROADCAST_LAST_OFFSET);
  const known = load64(at(topic, capacity, last & ~u64(RECORD_ALIGNMENT - 1)) + TOPIC_NUMBER_OFFSET);
  return last < tail ? known + 1 : known; // else its publisher has not got to the tail
}

// --- publisher -------------------------------------------------------------------------------------------------------------

/** Takes the publisher's end. 0; BUSY (the suspect is set), EVICTED, CORRUPT. */
export function broadcastAttach(topic: usize, capacity: u32): u32 {
  const tail = load64(topic + BROADCAST_TAIL_OFFSET);
  const intent = load64(topic + BROADCAST_INTENT_OFFSET);
  const oldest = load64(topic + BROADCAST_OLDEST_OFFSET);
  const last = load64(topic + BROADCAST_LAST_OFFSET);
  const odd = (tail | intent | oldest | last) & (RECORD_ALIGNMENT - 1);
  // Loaded in an order in which a live publisher cannot make them look damaged: intent and oldest only grow.
  if (odd != 0 || intent < tail || (oldest < tail && tail - oldest > capacity)) return CORRUPT;
  return ownerAttach(topic + BROADCAST_PUBLISHER_OFFSET);
}

/** Gives the end back. FLAG_WAKE when anybody waits: then both sets are woken, because subscribers are told of the end. */
export function broadcastClose(topic: usize): u32 {
  if (!ownerClose(topic + BROADCAST_PUBLISHER_OFFSET)) return 0;
  return waitersAny(broadcastWaiters(topic)) || waitersAny(broadcastWaitersEnds(topic)) ? FLAG_WAKE : 0;
}

/**
 * Makes room for a payload of `length` bytes. Returns the offset of the record (the payload follows its header), or TOO_LARGE,
 * EVICTED, CORRUPT. What was claimed before and not published is given up.
 */
export function broadcastClaim(topic: usize, capacity: u32, length: u32): u32 {
  if (length > broadcastPayloadMax(capacity)) return TOO_LARGE;
  if (selfCheck() != 0) return EVICTED;
  const tail = load64(topic + BROADCAST_TAIL_OFFSET);
  const begin = beginOf(capacity, tail, recordBytes(length));
  const end = begin + recordBytes(length);
  if (tail % RECORD_ALIGNMENT != 0) return CORRUPT;
  keepOldest(topic, capacity, tail, end);
  if (load64(topic + BROADCAST_INTENT_OFFSET) < end) {
    store64(topic + BROADCAST_INTENT_OFFSET, end); // pairs with the loads in isWhole
    load64(topic + BROADCAST_INTENT_OFFSET); // an acquiring load: no later plain store becomes visible before that store
  }
  if (begin != tail) {
    const padding = at(topic, capacity, tail);
    store<u32>(padding + TOPIC_LENGTH_OFFSET, u32(begin - tail));
    store<u32>(padding + TOPIC_KIND_OFFSET, RECORD_PADDING);
  }
  return u32(at(topic, capacity, begin));
}

/** Where a record of so many bytes begins, behind the padding if it does not fit before the end. */
function beginOf(capacity: u32, tail: u64, bytes: u32): u64 {
  const contiguous = capacity - u32(tail % capacity);
  return bytes <= contiguous ? tail : tail + contiguous;
}

/** Moves `oldest` on to the first record that is whole when everything before `end - capacity` is overwritten. */
function keepOldest(topic: usize, capacity: u32, tail: u64, end: u64): void {
  if (end <= capacity) return;
  const floor = end - capacity;
  let oldest = load64(topic + BROADCAST_OLDEST_OFFSET);
  if (oldest >= floor) return;
  if (tail - oldest > capacity) oldest = tail; // a damaged word, too
  while (oldest < floor) {
    const bytes = bytesAt(topic, capacity, oldest);
    oldest = bytes == 0 ? tail : oldest + bytes; // a damaged header: nothing can be read on from it
  }
  store64(topic + BROADCAST_OLDEST_OFFSET, oldest); // pairs with the load in broadcastBegin
}

/**
 * Publishes the record at `offset`, whose payload of `length` bytes stands, and is no longer than was claimed. Returns 0; or
 * FLAG_WAKE: all that wait for a record must be woken; or EVICTED, CORRUPT.
 */
export function broadcastPublish(topic: usize, capacity: u32, offset: usize, length: u32): u32 {
  if (selfCheck() != 0) return EVICTED;
  const tail = load64(topic + BROADCAST_TAIL_OFFSET);
  const begin = at(topic, capacity, tail) == offset ? tail : tail + (capacity - u32(tail % capacity));
  if (at(topic, capacity, begin) != offset || length > broadcastPayloadMax(capacity)) return CORRUPT;
  const half = capacity >>> 1;
  store<u32>(offset + TOPIC_LENGTH_OFFSET, length);
  store<u32>(offset + TOPIC_KIND_OFFSET, RECORD_DATA);
  store64(offset + TOPIC_NUMBER_OFFSET, nextNumber(topic, capacity, tail)); // pairs with the load in nextNumber
  store64(topic + BROADCAST_LAST_OFFSET, begin); // pairs with the load in nextNumber
  if (begin / half != load64(topic + BROADCAST_RECENT_OFFSET) / half) {
    store64(topic + BROADCAST_RECENT_OFFSET, begin); // pairs with the load in overtaken
  }
  store<u64>(topic + BROADCAST_SENT_BYTES_OFFSET, load<u64>(topic + BROADCAST_SENT_BYTES_OFFSET) + length);
  store64(topic + BROADCAST_TAIL_OFFSET, begin + recordBytes(length)); // pairs with the loads of tails
  return waitersAny(broadcastWaiters(topic)) ? FLAG_WAKE : 0;
}

/** When the latest record was published, as the host sees it. */
export function broadcastStamp(topic: usize, nowNs: f64): void {
  store<u64>(topic + BROADCAST_LAST_SENT_NS_OFFSET, u64(nowNs));
}

// --- subscribers -----------------------------------------------------------------------------------------------------------

/** Whether what was read at a position was not being overwritten. */
function isWhole(topic: usize, capacity: u32, position: u64): bool {
  // A participant that may only read has no word to store to: its host orders the loads.
  if (self != 0) store64(answers() + ANSWER_POSITION_OFFSET, position); // only orders the plain loads before the load below
  return load64(topic + BROADCAST_INTENT_OFFSET) - position <= capacity;
}

/** Where a subscriber goes on that was overtaken, or whose publisher died before it had published what `recent` names. */
function overtaken(topic: usize, tail: u64): u64 {
  const recent = load64(topic + BROADCAST_RECENT_OFFSET);
  return recent <= tail && recent % RECORD_ALIGNMENT == 0 ? recent : tail;
}

/**
 * Where a subscriber begins: behind the newest record, or at the oldest one that is there. `broadcastNumber` is the number of the
 * first record that it gets.
 */
export function broadcastBegin(topic: usize, capacity: u32, fromOldest: bool): f64 {
  following = load64(topic + BROADCAST_TAIL_OFFSET);
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const tail = load64(topic + BROADCAST_TAIL_OFFSET);
    number = nextNumber(topic, capacity, tail);
    following = tail;
    // The number belongs to that tail if nothing was published meanwhile.
    if (load64(topic + BROADCAST_TAIL_OFFSET) != tail) continue;
    if (!fromOldest) break;
    const oldest = load64(topic + BROADCAST_OLDEST_OFFSET);
    if (oldest >= tail || oldest % RECORD_ALIGNMENT != 0) break;
    const result = broadcastNext(topic, capacity, f64(oldest));
    if (result == FLAG_EMPTY || result == CORRUPT) break;
    if (result == BUSY) continue;
    following = found;
    break;
  }
  return f64(following);
}

/**
 * Finds the record at a position. Returns its offset: then `broadcastFound` is its position, `broadcastNumber` its number, and
 * `broadcastFollowing` the position behind it. Or FLAG_EMPTY; BUSY: call it again with `broadcastFollowing`; CORRUPT.
 */
export function broadcastNext(topic: usize, capacity: u32, position: f64): u32 {
  let here = u64(position);
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    following = here;
    const tail = load64(topic + BROADCAST_TAIL_OFFSET);
    if (here == tail) return FLAG_EMPTY;
    if (here > tail || tail % RECORD_ALIGNMENT != 0) return CORRUPT;
    const record = at(topic, capacity, here);
    const bytes = bytesAt(topic, capacity, here);
    const kind = load<u32>(record + TOPIC_KIND_OFFSET);
    number = load<u64>(record + TOPIC_NUMBER_OFFSET);
    if (!isWhole(topic, capacity, here)) {
      here = overtaken(topic, tail);
      continue;
    }
    if (bytes == 0 || u64(bytes) > tail - here) return CORRUPT;
    if (kind == RECORD_PADDING) {
      here += bytes;
      continue;
    }
    found = here;
    following = here + bytes;
    return u32(record);
  }
  return BUSY;
}

/** Whether the payload that was read from the record at that position was whole. */
export function broadcastIsWhole(topic: usize, capacity: u32, position: f64): bool {
  return isWhole(topic, capacity, u64(position));
}

/** The position of the record that was found. */
export function broadcastFound(): f64 {
  return f64(found);
}

/** The position behind it. */
export function broadcastFollowing(): f64 {
  return f64(following);
}

/** Its number: records are numbered from 1. */
export function broadcastNumber(): f64 {
  return f64(number);
}

/**
 * The state of the publisher for a subscriber that keeps, in halves, the owner word of the last end that it was told: END_….
 * A publisher that lives is the suspect; `ownerJudgedLow` and `ownerJudgedHigh` are the word.
 */
export function broadcastState(topic: usize, toldLow: u32, toldHigh: u32): u32 {
  return ownerStateSince(topic + BROADCAST_PUBLISHER_OFFSET, u64(toldLow) | (u64(toldHigh) << 32));
}

/**
 * For a subscriber that `broadcastNext` has told of no record: whether the publisher has closed or died. END_CLOSED or END_DEAD
 * when the subscriber has not kept that word yet: it keeps it now, and `broadcastNumber` is the number of the record that comes
 * next; 0 while it goes on; END_LIVE: something was published right before the end, so look again.
 */
export function broadcastEnd(topic: usize, capacity: u32, position: f64, toldLow: u32, toldHigh: u32): u32 {
  const state = broadcastState(topic, toldLow, toldHigh);
  if (state != END_CLOSED && state != END_DEAD) return 0;
  const tail = load64(topic + BROADCAST_TAIL_OFFSET);
  number = nextNumber(topic, capacity, tail);
  // The number belongs to that tail if nothing was published meanwhile.
  return u64(position) == tail && load64(topic + BROADCAST_TAIL_OFFSET) == tail ? state : END_LIVE;
}

/** How many records were published. */
export function broadcastSent(topic: usize, capacity: u32): f64 {
  return f64(nextNumber(topic, capacity, load64(topic + BROADCAST_TAIL_OFFSET)) - 1);
}
