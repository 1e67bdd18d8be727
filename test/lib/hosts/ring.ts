/** What hosts do with a ring, as scripts. What a host keeps to itself are fields of a plain object per end. */
import {
  END_LIVE,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_MORE,
  FLAG_WAKE,
  RECORD_ALIGNMENT,
  RECORD_DATA,
  RECORD_HEADER_BYTES,
  RESULT_FLAGS,
  RING_CURSOR_OFFSET,
  WAITERS_SUMMARY_OFFSET,
} from "../../../protocol/layout.js";
import { call, read, type Script, write } from "../script.js";
import { CoreError, notify, type ObjectWish, offsetOf, openObject, overcome } from "./segment.js";

export interface Ring {
  ring: number;
  capacity: number;
  /** The sets of waiters. */
  waitersData: number;
  waitersRoom: number;
  waitersEnds: number;
}

export interface ProducerEnd extends Ring {
  at: number;
  room: number;
}

export interface ConsumerEnd extends Ring {
  at: number;
  /** Bytes and number of the records that were taken from `at` on, of which the core was not told. */
  advance: number;
  records: number;
  /** A call has begun, and the low half of the cursor before that. */
  asking: boolean;
  position: number;
}

export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + Math.ceil(length / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** A payload that tells its number and its length, so that any mix of two is noticed. */
export function payloadOf(number: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index === 0 ? number : number * 16 + length + index));
}

/** The number of a payload; throws when it is not whole. */
export function numberOf(payload: Uint8Array): number {
  const number = payload[0] ?? -1;
  if (Buffer.compare(payload, payloadOf(number, payload.length)) !== 0) throw new Error("a payload is torn");
  return number;
}

export function* openRing(view: DataView, wish: ObjectWish, dead: readonly number[] = []): Script<Ring> {
  const ring = yield* openObject(view, wish, dead);
  const waitersData = (yield* call("ringWaitersData", ring)) >>> 0;
  const waitersRoom = (yield* call("ringWaitersRoom", ring)) >>> 0;
  const waitersEnds = (yield* call("ringWaitersEnds", ring)) >>> 0;
  return { ring, capacity: wish.first, waitersData, waitersRoom, waitersEnds };
}

/** Takes the producer's end; `undefined` while a live participant has it. */
export function* attachProducer(ring: Ring, dead: readonly number[] = []): Script<ProducerEnd | undefined> {
  const at = yield* overcome(dead, () => call("ringAttachProducer", ring.ring, ring.capacity));
  if (at === undefined) return undefined;
  const end = { ...ring, at: offsetOf("ringAttachProducer", at), room: 0 };
  yield* call("ownerKept");
  return end;
}

export function* attachConsumer(ring: Ring, dead: readonly number[] = []): Script<ConsumerEnd | undefined> {
  const at = yield* overcome(dead, () => call("ringAttachConsumer", ring.ring, ring.capacity));
  if (at === undefined) return undefined;
  const end = {
    ...ring,
    at: offsetOf("ringAttachConsumer", at),
    advance: 0,
    records: 0,
    asking: false,
    position: 0,
  };
  yield* call("ownerKept");
  return end;
}

/** Makes sure of room for the payload; false when the ring is full. */
export function* makeRoom(end: ProducerEnd, length: number): Script<boolean> {
  if (recordBytes(length) <= end.room) return true;
  end.room = 0;
  const claimed = offsetOf("ringClaim", yield* call("ringClaim", end.ring, end.capacity, length));
  end.at = claimed & ~RESULT_FLAGS;
  if (claimed & FLAG_WAKE) yield* notify(end.waitersData);
  if (claimed & FLAG_FULL) return false;
  end.room = (yield* call("ringRoom", end.ring, end.capacity, end.at)) >>> 0;
  return true;
}

/** Sends one record; false when the ring is full. */
export function* send(end: ProducerEnd, payload: Uint8Array): Script<boolean> {
  if (!(yield* makeRoom(end, payload.length))) return false;
  yield* write(end.at + RECORD_HEADER_BYTES, payload);
  const { at, room } = end;
  end.room = 0;
  const result = offsetOf("ringCommit", yield* call("ringCommit", end.ring, at, payload.length));
  end.at = result & ~FLAG_WAKE;
  end.room = room - (end.at - at);
  if (result & FLAG_WAKE) yield* notify(end.waitersData);
  return true;
}

/** Sends records together; the number of those that had room. */
export function* sendMany(end: ProducerEnd, payloads: Uint8Array[]): Script<number> {
  let [at, staged, bytes, sent] = [end.at, 0, 0, 0];
  function* publish(): Script {
    if (staged === 0) return;
    const [length, room] = [at - end.at, end.room];
    end.room = 0;
    const result = yield* call("ringPublish", end.ring, length, staged, bytes);
    if (result >>> 0 > FLAG_WAKE) throw new CoreError("ringPublish", result);
    end.at = at;
    end.room = room - length;
    staged = bytes = 0;
    if (result & FLAG_WAKE) yield* notify(end.waitersData);
  }
  for (const payload of payloads) {
    if (recordBytes(payload.length) > end.room - (at - end.at)) {
      yield* publish();
      if (!(yield* makeRoom(end, payload.length))) break;
      at = end.at;
    }
    yield* write(at + RECORD_HEADER_BYTES, payload);
    at = (yield* call("ringStage", at, payload.length)) >>> 0;
    staged++;
    sent++;
    bytes += payload.length;
  }
  yield* publish();
  return sent;
}

/** The same as one slab, or as several when the room ends; the number of those that had room. */
export function* sendPacked(end: ProducerEnd, payloads: Uint8Array[]): Script<number> {
  let sent = 0;
  while (sent < payloads.length) {
    const stretch: Uint8Array[] = [];
    let bytes = 0;
    for (const payload of payloads.slice(sent)) {
      if (bytes + recordBytes(payload.length) > end.room) break;
      bytes += recordBytes(payload.length);
      stretch.push(payload);
    }
    if (stretch.length === 0) {
      if (!(yield* makeRoom(end, (payloads[sent] as Uint8Array).length))) break;
      continue;
    }
    const slab = Buffer.concat(stretch);
    const lengths = Uint32Array.from(stretch, ({ length }) => length);
    const { at, room } = end;
    yield* write((yield* call("scratch")) >>> 0, new Uint8Array(lengths.buffer));
    yield* write(at + bytes - slab.length, slab);
    end.room = 0;
    const result = yield* call("ringSpread", end.ring, at, bytes, slab.length, stretch.length);
    if (result >>> 0 > FLAG_WAKE) throw new CoreError("ringSpread", result);
    end.at = at + bytes;
    end.room = room - bytes;
    sent += stretch.length;
    if (result & FLAG_WAKE) yield* notify(end.waitersData);
  }
  return sent;
}

function position(view: DataView, { ring }: ConsumerEnd): number {
  return view.getUint32(ring + RING_CURSOR_OFFSET, true);
}

/** The core has counted what was taken. */
function told(end: ConsumerEnd, at: number): void {
  end.advance = end.records = 0;
  end.at = at;
  end.asking = false;
}

/** Before each call that counts. The call before was cut off when it has begun and has not ended. */
function* ask(view: DataView, end: ConsumerEnd): Script {
  if (end.asking && position(view, end) !== end.position)
    told(end, (yield* call("ringResume", end.ring, end.capacity)) >>> 0);
  end.position = position(view, end);
  end.asking = true;
}

/**
 * Tells the core of what was taken; the payload bytes of the next record, or `undefined` when there is none now.
 *
 * @param polls passes over the ends of streams; else there is none at an end that must be told
 */
function* next(view: DataView, end: ConsumerEnd, polls = true): Script<number | undefined> {
  for (;;) {
    yield* ask(view, end);
    const received = yield* call("ringReceive", end.ring, end.capacity, end.at, end.advance, end.records);
    const result = offsetOf("ringReceive", received);
    told(end, result & ~RESULT_FLAGS);
    if (result & FLAG_WAKE) yield* notify(end.waitersRoom);
    if (!(result & FLAG_EMPTY)) return view.getUint32(end.at, true);
    if (!polls || !(result & FLAG_MORE)) return undefined;
    yield* call("ringEnd", end.ring, end.capacity);
  }
}

/** A copy of the next record, or `undefined` when there is none now. `polls` as for `next`. */
export function* receive(view: DataView, end: ConsumerEnd, polls = true): Script<Uint8Array | undefined> {
  const length = yield* next(view, end, polls);
  if (length === undefined) return undefined;
  const payload = yield* read(end.at + RECORD_HEADER_BYTES, length);
  end.advance = recordBytes(length);
  end.records = 1;
  return payload;
}

/** Who waits: the next record, or how a stream has ended (END_CLOSED, END_DEAD); `undefined` when it must wait. */
export function* receiveOrEnd(view: DataView, end: ConsumerEnd): Script<Uint8Array | number | undefined> {
  for (;;) {
    const payload = yield* receive(view, end, false);
    if (payload) return payload;
    const state = yield* call("ringEnd", end.ring, end.capacity);
    if (state !== END_LIVE) return state || undefined; // else something was sent right before the end
  }
}

/**
 * Hands over copies of the records that are there, as far as the host may go on by itself; how many. The core is told of
 * them with the next call, or each is released, and the host goes on all the same.
 */
export function* receiveStretch(
  view: DataView,
  end: ConsumerEnd,
  handle: (payload: Uint8Array) => void,
  releasing = false,
): Script<number> {
  let length = yield* next(view, end);
  if (length === undefined) return 0;
  const to = end.at + ((yield* call("ringReady", end.ring, end.capacity, end.at)) >>> 0);
  const records = yield* call("ringReadyRecords", end.ring);
  let taken = 0;
  do {
    handle(yield* read(end.at + end.advance + RECORD_HEADER_BYTES, length));
    end.advance += recordBytes(length);
    end.records++;
    taken++;
    const at = end.at + end.advance;
    if (releasing) yield* release(view, end);
    // Released up to the end of the data, it goes on at their begin, which is not in the stretch.
    if (taken === records || at >= to || end.at + end.advance !== at) break;
    if (view.getUint32(end.waitersRoom + WAITERS_SUMMARY_OFFSET, true) !== 0) break;
    const header = new DataView((yield* read(end.at + end.advance, RECORD_HEADER_BYTES)).buffer);
    length = header.getUint32(0, true);
    if (header.getUint32(4, true) !== RECORD_DATA) break;
  } while (recordBytes(length) <= to - end.at - end.advance);
  return taken;
}

/** Counts what was received last as consumed, and lets the producer have its room at once. */
export function* release(view: DataView, end: ConsumerEnd): Script {
  yield* ask(view, end);
  const released = yield* call("ringRelease", end.ring, end.capacity, end.at, end.advance, end.records);
  const result = offsetOf("ringRelease", released);
  told(end, result & ~FLAG_WAKE);
  if (result & FLAG_WAKE) yield* notify(end.waitersRoom);
}

export function* closeProducer(end: ProducerEnd): Script {
  if (yield* call("ringCloseProducer", end.ring)) yield* notify(end.waitersData);
  yield* notify(end.waitersEnds);
}

/** Gives the end back in the middle of the stream. */
export function* abandonProducer(end: ProducerEnd): Script {
  if (yield* call("ringAbandonProducer", end.ring)) yield* notify(end.waitersData);
  yield* notify(end.waitersEnds);
}

export function* closeConsumer(view: DataView, end: ConsumerEnd): Script {
  yield* release(view, end);
  if (yield* call("ringCloseConsumer", end.ring)) yield* notify(end.waitersRoom);
  yield* notify(end.waitersEnds);
}
