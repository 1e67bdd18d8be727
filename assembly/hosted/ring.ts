/**
 * Ring, for hosts that block: taking an end, sending, receiving, the end of a stream. Blocking on the living, never on the dead.
 *
 * What a host keeps of an end, and passes: the offset of its next record (`at`), and of a consumer what it has taken from there
 * on since the last call (`advance` bytes, `records`). After hostedRingRoom, hostedRingReceive and hostedRingRelease it takes
 * `at` over from `recordAt`, whatever the result was.
 *
 * To send:                                              To receive:
 *  1. hostedRingRoom, unless `room` is known to be         1. hostedRingReceive, with what was taken since the last
 *     enough from the call before                             call. It gives the offset of the record's header and its
 *  2. selfCheck, unless step 1 was made for this record:      `recordLength`
 *     a participant that was removed must not write        2. the host reads the payload, and may go on by itself as
 *  3. the host writes the payload behind the header           far as `ringReady` says
 *  4. hostedRingCommit; or ringStage for each of several   3. more than capacity >> RING_HELD_SHIFT bytes taken at
 *     and hostedRingPublish                                   once: hostedRingRelease, so that the producer has room
 *
 * A wait for room that ends in vain counts a drop. A wait learns of the death of the other end once, and a consumer of the end of
 * its stream, after the last record. A try learns of neither.
 *
 * When a record was sent last is written with the first of each STAMP_RECORDS, and whenever a consumer is woken: a stream that
 * is slow has its time exactly.
 *
 * If a participant dies, or is cut off, in one of these calls: as after the function of `ring.ts` that it has got to. Taking an
 * end is done when the call returns; before that it is taken back (`owner.ts`).
 */
import { BUSY, CLOSED, CORRUPT, DEADLOCK, PEER_DIED } from "../../protocol/errors";
import {
  END_CLOSED,
  END_LIVE,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_MORE,
  FLAG_WAKE,
  RECORD_HEADER_BYTES,
  RESULT_FLAGS,
  RESULT_OFFSETS,
  RING_SENT_OFFSET,
  SUSPECT_NONE,
} from "../../protocol/layout";
import { ownerKept } from "../owner";
import { suspectSlot } from "../participants";
import {
  ringAbandonProducer,
  ringAttachConsumer,
  ringAttachProducer,
  ringClaim,
  ringCloseConsumer,
  ringCloseProducer,
  ringCommit,
  ringConsumerDied,
  ringConsumerState,
  ringData,
  ringEnd,
  ringProducerState,
  ringPublish,
  ringReceive,
  ringRelease,
  ringRoom,
  ringStamp,
  ringWaitersData,
  ringWaitersEnds,
  ringWaitersRoom,
} from "../ring";
import { countDrop } from "../segment";
import { waitersAny } from "../waiters";
import { gaveUp, hostedNotify, retryTurnsMax, suspectGone } from "./session";
import { sysWall } from "./system";
import { LOOK, OVER, RECHECK, waitBegin, waitEnd, waitNext } from "./wait";

/** The time of sending is written with one of so many records. A power of 2. */
const STAMP_RECORDS: u32 = 64;

/** Offset of the next record of the end for which a function was called last. */
export let recordAt: u32 = 0;
/** Contiguous bytes that may be written at the offset that hostedRingRoom returned. */
export let room: u32 = 0;
/** Payload bytes of the record that was found. */
export let recordLength: u32 = 0;
/** The latest look has found no record because an end must be told first. */
let isBehindEnd: bool = false;

// --- ends ----------------------------------------------------------------------------------------------------------------

/**
 * Takes an end of a ring, waiting until it is free: the producer's, or the consumer's. The offset of the next record; BUSY,
 * TIMED_OUT; DEADLOCK when this participant itself has the end, and would wait; CORRUPT; EVICTED.
 */
export function hostedRingAttach(ring: usize, capacity: u32, producer: bool, timeoutMs: f64): u32 {
  waitBegin(ringWaitersEnds(ring), timeoutMs);
  let at = attachPastDead(ring, capacity, producer);
  while (at == BUSY) {
    if (timeoutMs > 0 && suspectSlot() == u32(SUSPECT_NONE)) at = DEADLOCK;
    else {
      const next = waitNext();
      if (next == OVER) return gaveUp(timeoutMs);
      at = next == RECHECK ? attachPastDead(ring, capacity, producer) : attach(ring, capacity, producer);
    }
  }
  waitEnd(false);
  if (at >= u32(RESULT_OFFSETS)) ownerKept();
  return at;
}

function attach(ring: usize, capacity: u32, producer: bool): u32 {
  return producer ? ringAttachProducer(ring, capacity) : ringAttachConsumer(ring, capacity);
}

function attachPastDead(ring: usize, capacity: u32, producer: bool): u32 {
  let at = attach(ring, capacity, producer);
  for (let turn: u32 = 0; at == BUSY && turn < retryTurnsMax() && suspectGone(); turn++) {
    at = attach(ring, capacity, producer);
  }
  return at;
}

/** Gives the producer's end back: the stream is complete. */
export function hostedRingCloseProducer(ring: usize): void {
  if (ringCloseProducer(ring) != 0) hostedNotify(ringWaitersData(ring));
  notifyEnds(ring);
}

/** Gives the producer's end back in the middle of a stream: its consumer is told as when the producer had died. */
export function hostedRingAbandonProducer(ring: usize): void {
  if (ringAbandonProducer(ring) != 0) hostedNotify(ringWaitersData(ring));
  notifyEnds(ring);
}

/** Gives the consumer's end back, with all that was taken. */
export function hostedRingCloseConsumer(
  ring: usize,
  capacity: u32,
  at: u32,
  advance: u32,
  records: u32,
): void {
  hostedRingRelease(ring, capacity, at, advance, records);
  if (ringCloseConsumer(ring) != 0) hostedNotify(ringWaitersRoom(ring));
  notifyEnds(ring);
}

function notifyEnds(ring: usize): void {
  if (waitersAny(ringWaitersEnds(ring))) hostedNotify(ringWaitersEnds(ring));
}

// --- sending -------------------------------------------------------------------------------------------------------------

/**
 * Room for a payload of `length` bytes, waiting for it. The offset of the record, and `room`: all that may be written from
 * there on; BUSY, TIMED_OUT; PEER_DIED once; TOO_LARGE when it never fits; CORRUPT; EVICTED. `recordAt` is the next `at`.
 */
export function hostedRingRoom(ring: usize, capacity: u32, at: u32, length: u32, timeoutMs: f64): u32 {
  waitBegin(ringWaitersRoom(ring), timeoutMs);
  recordAt = at;
  for (let next = LOOK; next != OVER; next = waitNext()) {
    if (next == RECHECK && ringConsumerState(ring) == END_LIVE) suspectGone();
    const found = findRoom(ring, capacity, length, timeoutMs >= 0);
    if (found != BUSY) {
      waitEnd(false);
      return found;
    }
  }
  if (timeoutMs >= 0) countDrop();
  return gaveUp(timeoutMs);
}

function findRoom(ring: usize, capacity: u32, length: u32, waits: bool): u32 {
  const found = ringClaim(ring, capacity, length);
  if (found < u32(RESULT_OFFSETS)) return found;
  recordAt = found & ~RESULT_FLAGS;
  if ((found & FLAG_WAKE) != 0) hostedNotify(ringWaitersData(ring));
  if ((found & FLAG_FULL) == 0) {
    room = ringRoom(ring, capacity, recordAt);
    return recordAt;
  }
  room = 0;
  return waits && ringConsumerDied(ring) ? PEER_DIED : BUSY;
}

/** Sends the record at `at`, whose payload stands. The next offset, or EVICTED. */
export function hostedRingCommit(ring: usize, at: u32, length: u32): u32 {
  const result = ringCommit(ring, at, length);
  if (result < u32(RESULT_OFFSETS)) return result;
  sent(ring, 1, result & FLAG_WAKE);
  return result & ~FLAG_WAKE;
}

/** Sends what was staged, as `ringPublish`. 0, or EVICTED. */
export function hostedRingPublish(ring: usize, bytes: u32, records: u32, payloadBytes: u32): u32 {
  const result = ringPublish(ring, bytes, records, payloadBytes);
  if (result > u32(FLAG_WAKE)) return result;
  sent(ring, records, result);
  return 0;
}

function sent(ring: usize, records: u32, wake: u32): void {
  const after = u32(load<u64>(ring + RING_SENT_OFFSET)) - 1;
  const stamped = (after ^ (after - records)) >= STAMP_RECORDS;
  if (stamped || wake != 0) ringStamp(ring, sysWall());
  if (wake != 0) hostedNotify(ringWaitersData(ring));
}

// --- receiving -----------------------------------------------------------------------------------------------------------

/**
 * The next record, waiting for it; first the core is told of what was taken. The offset of its header, and `recordLength`;
 * BUSY, TIMED_OUT; CLOSED: the producer has closed its end, and everything was received, once; PEER_DIED in the same way;
 * CORRUPT; EVICTED. `recordAt` is the next `at`; with EVICTED, or CORRUPT in the first try, nothing of what was taken counts.
 */
export function hostedRingReceive(
  ring: usize,
  capacity: u32,
  at: u32,
  advance: u32,
  records: u32,
  timeoutMs: f64,
): u32 {
  waitBegin(ringWaitersData(ring), timeoutMs);
  recordAt = at;
  for (let next = LOOK; next != OVER; next = waitNext()) {
    if (next == RECHECK && ringProducerState(ring) == END_LIVE) suspectGone();
    const found = find(ring, capacity, advance, records, timeoutMs >= 0);
    if (found != BUSY) {
      waitEnd(false);
      return found;
    }
    advance = 0;
    records = 0;
  }
  return gaveUp(timeoutMs);
}

function find(ring: usize, capacity: u32, advance: u32, records: u32, waits: bool): u32 {
  let found = receive(ring, capacity, advance, records);
  // A form that does not wait is not told of ends, and gets what was sent behind them.
  while (found == BUSY && isBehindEnd && !waits) {
    ringEnd(ring, capacity);
    found = receive(ring, capacity, 0, 0);
  }
  if (found != BUSY || !waits) return found;
  let end = ringEnd(ring, capacity);
  while (end == END_LIVE) {
    found = receive(ring, capacity, 0, 0);
    if (found != BUSY) return found;
    end = ringEnd(ring, capacity);
  }
  if (end == 0) return BUSY;
  return end == END_CLOSED ? CLOSED : PEER_DIED;
}

/** One look: the offset of the record, BUSY when there is none, or an error. */
function receive(ring: usize, capacity: u32, advance: u32, records: u32): u32 {
  const result = ringReceive(ring, capacity, recordAt, advance, records);
  if (result < u32(RESULT_OFFSETS)) return result;
  recordAt = result & ~RESULT_FLAGS;
  isBehindEnd = (result & FLAG_MORE) != 0;
  if ((result & FLAG_WAKE) != 0) hostedNotify(ringWaitersRoom(ring));
  if ((result & FLAG_EMPTY) != 0) return BUSY;
  // Checked before, but a hostile peer may have changed it since: this is the length that the host uses.
  recordLength = load<u32>(recordAt);
  const contiguous = u32(ringData(ring)) + capacity - recordAt - RECORD_HEADER_BYTES;
  return recordLength > contiguous ? CORRUPT : recordAt;
}

/** Lets the producer have the room of all that was taken, at once. The next offset, which `recordAt` is, too; or an error. */
export function hostedRingRelease(ring: usize, capacity: u32, at: u32, advance: u32, records: u32): u32 {
  recordAt = at;
  const result = ringRelease(ring, capacity, at, advance, records);
  if (result < u32(RESULT_OFFSETS)) return result;
  recordAt = result & ~RESULT_FLAGS;
  if ((result & FLAG_WAKE) != 0) hostedNotify(ringWaitersRoom(ring));
  return recordAt;
}
