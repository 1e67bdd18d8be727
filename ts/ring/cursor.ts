import { CORRUPT } from "../../protocol/errors.js";
import {
  FLAG_EMPTY,
  FLAG_MORE,
  FLAG_WAKE,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  RECORD_DATA,
  RECORD_HEADER_BYTES,
  RING_CACHED_HEAD_OFFSET,
  RING_CURSOR_OFFSET,
  SLOT_LIVE,
  WAITERS_SUMMARY_OFFSET,
} from "../../protocol/layout.js";
import { RING_HELD_SHIFT } from "../../protocol/limits.js";
import { type Core, flagsOf, isError, offsetOf } from "../core.js";
import { failure, statusAdvice } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import { stateOf } from "../segment/token.js";
import { checkSynchronous, refusePromise } from "../synchronous.js";
import type { RingGeometry } from "./end.js";
import { recordBytes } from "./end.js";
import { recordMismatch } from "./errors.js";
import { Pace } from "./pace.js";
import { copyWords, type HandedRecord, RecordAtHand, WORD_COPY_BYTES_MAX } from "./record.js";

const WHY_AT_ONCE =
  "the record is valid only during the call. Await before or after, or use for await, or peek() and record.release()";

/** Refuses a function that cannot handle a record at once. */
export function checkHandle(handle: unknown): void {
  checkSynchronous("handle", handle, WHY_AT_ONCE);
}

/**
 * The position of the consumer of a ring: the current record, and the records that were taken and that the core does not know
 * of yet.
 *
 * One call of the core looks for many records. Up to `end`, and for as many as `most`, this side then continues by itself: see
 * `ringReady`.
 *
 * When a taken record is acknowledged, so that it is not delivered again:
 *
 * | mode  | taken by a receive                                                 | taken by `walk`                             |
 * | ----- | ------------------------------------------------------------------ | ------------------------------------------- |
 * | batch | when the core publishes the tail: see `ringReceive`; a large one,  | when `release` is called, or before, as     |
 * |       | which would hold back too much, at once                            | the core does it                            |
 * | each  | when the next one is asked for: the tail is published before       | after the function that handles it returned |
 *
 * A call of the core may be cut off (a full stack, a script that is stopped) before or after it has counted what was taken, and
 * this participant lives on. Then the next call compares the core's cursor with the one that was noted before.
 */
export class RingCursor {
  /** The record that `next` found. */
  readonly record: RecordAtHand;
  /** The end was given back: no record is taken any more. */
  closed = false;
  /** `next` has found no record because the consumer must be told of an end first. */
  #isBehindEnd = false;
  readonly #attachment: Attachment;
  readonly #core: Core;
  readonly #u32: Uint32Array;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #capacity: number;
  readonly #waitersRoom: number;
  /** Index of the word that says whether anybody waits for room. */
  readonly #waiting: number;
  /** Index of the low half of the core's cursor. */
  readonly #cursorWord: number;
  /** Index of the low half of the head as the core has last seen it: when all before it was taken, it looks again. */
  readonly #cachedHeadWord: number;
  /** Index of the word of our slot: what it says, an operator may change. */
  readonly #slotWord: number;
  /** A record larger than this is released as soon as it is taken. */
  readonly #heldMax: number;
  /** Bytes of each record of a ring with a layout; 0 when records have any length. */
  readonly #valueBytes: number;
  /** Whether each record is acknowledged separately. */
  readonly #each: boolean;
  readonly #pace: Pace;
  /** Offset of the first record that the core has not been told of. */
  #at: number;
  /** Bytes of the records that were taken since, counted from there; and their number. */
  #advance = 0;
  #records = 0;
  /** Records before this offset may be taken without asking the core, and at most so many of them, counted from `#at`. */
  #end = 0;
  #most = 0;
  /** Payload bytes of the current record. */
  #length = 0;
  /** A call of the core has begun; and its cursor, the low half, before that. */
  #asking = false;
  #position = 0;

  /**
   * @param at offset of the next record
   * @param each whether each record is acknowledged separately
   */
  constructor(attachment: Attachment, geometry: RingGeometry, at: number, each: boolean) {
    const { core } = attachment;
    const { ring } = geometry;
    this.#attachment = attachment;
    this.#core = core;
    this.#u32 = attachment.u32;
    this.#geometry = geometry;
    this.#ring = ring;
    this.#capacity = geometry.capacity;
    this.#waitersRoom = core.ringWaitersRoom(ring) >>> 0;
    this.#waiting = (this.#waitersRoom + WAITERS_SUMMARY_OFFSET) >>> 2;
    this.#cursorWord = (ring + RING_CURSOR_OFFSET) >>> 2;
    this.#cachedHeadWord = (ring + RING_CACHED_HEAD_OFFSET) >>> 2;
    this.#pace = new Pace(this.#u32[this.#cursorWord]);
    const slot = PARTICIPANTS_OFFSET + attachment.slot * PARTICIPANT_BYTES;
    this.#slotWord = (slot + PARTICIPANT_WORD_OFFSET) >>> 2;
    this.#heldMax = each ? Number.POSITIVE_INFINITY : geometry.capacity >>> RING_HELD_SHIFT;
    this.#valueBytes = geometry.layout?.bytes ?? 0;
    this.#each = each;
    this.#at = at;
    this.record = new RecordAtHand(attachment);
  }

  /** Moves to the next record. Returns true if there is one. */
  next(): boolean {
    return (this.#end !== 0 && this.#step()) || this.#ask(this.#each);
  }

  /** For calls that do not wait, and so are not told of ends: passes over one. Returns true if `next` may find a record then. */
  passEnd(): boolean {
    const passes = this.#isBehindEnd && !this.closed;
    this.#isBehindEnd = false;
    if (passes) this.#core.ringEnd(this.#ring, this.#capacity);
    return passes;
  }

  /** Moves on without the core, when it has said that there is a record, and nobody waits for room. */
  #step(): boolean {
    const at = this.#at + this.#advance;
    const u32 = this.#u32;
    // A producer that waits for room must not wait for all the rest: the core releases what was taken.
    if (at >= this.#end || this.#records >= this.#most || u32[this.#waiting] !== 0) return false;
    // A hostile peer may change a header at any moment: each word is read once, and what was checked is what counts.
    // Whatever is no record of this stretch is for the core: padding is skipped, and damage is reported, there.
    const length = u32[at >>> 2];
    if (length > this.#end - at - RECORD_HEADER_BYTES || u32[(at >>> 2) + 1] !== RECORD_DATA) return false;
    if (this.#valueBytes !== 0 && length !== this.#valueBytes) return false;
    if (stateOf(u32[this.#slotWord]) !== SLOT_LIVE) return false;
    this.#length = length;
    this.record.place(at + RECORD_HEADER_BYTES, length);
    return true;
  }

  /** Tells the core what was taken, and asks it for the next record, and unless it is wanted alone for those behind it. */
  #ask(alone: boolean): boolean {
    if (this.#each && this.#advance > 0) this.release();
    this.#begin();
    this.#end = 0;
    const next = (this.#position + this.#advance) >>> 0;
    const looks = this.#u32[this.#cachedHeadWord] === next;
    if (looks) this.#pace.look(next);
    const core = this.#core;
    const ring = this.#ring;
    const capacity = this.#capacity;
    const result = core.ringReceive(ring, capacity, this.#at, this.#advance, this.#records) >>> 0;
    if (isError(result)) throw this.#failed(result);
    const at = offsetOf(result);
    const flags = flagsOf(result);
    this.#told(at);
    if (flags & FLAG_WAKE) this.#attachment.notify(this.#waitersRoom);
    if (flags & FLAG_EMPTY) {
      this.#isBehindEnd = (flags & FLAG_MORE) !== 0;
      this.#pace.missed();
      return false;
    }
    if (looks) this.#pace.found((flags & FLAG_MORE) !== 0);
    // The core has checked this length, but a hostile peer may have changed it since. The view must stay inside the ring.
    const length = this.#u32[at >>> 2];
    if (length > this.#geometry.end - at - RECORD_HEADER_BYTES) throw this.#failed(CORRUPT);
    if (this.#valueBytes !== 0 && length !== this.#valueBytes)
      throw recordMismatch(this.#geometry, length, this.#valueBytes);
    this.#length = length;
    this.record.place(at + RECORD_HEADER_BYTES, length);
    if (flags & FLAG_MORE && !alone) {
      this.#most = core.ringReadyRecords(ring);
      this.#end = at + (core.ringReady(ring, capacity, at) >>> 0);
    }
    return true;
  }

  /** The core has counted what was taken: the next record lies at `at`. */
  #told(at: number): void {
    this.#advance = this.#records = 0;
    this.#at = at;
    this.#asking = false;
  }

  /** Before each call that counts. One that was cut off has counted what was taken if the core's cursor has moved since. */
  #begin(): void {
    const position = this.#u32[this.#cursorWord];
    if (this.#asking && position !== this.#position)
      this.#told(this.#core.ringResume(this.#ring, this.#capacity) >>> 0);
    this.#position = position;
    this.#asking = true;
  }

  /** Takes the current record; the table above says when it is acknowledged. */
  take(): void {
    this.#take();
    if (this.#advance > this.#heldMax) this.release();
  }

  /** Takes and releases the current record. */
  takeAndRelease(): void {
    this.#take();
    this.release();
  }

  #take(): void {
    this.#records++;
    this.#advance += recordBytes(this.#length);
  }

  /** Gives the room of all taken records back to the producer. */
  release(): void {
    this.#begin();
    const { ring, capacity } = this.#geometry;
    const end = this.#end;
    const most = this.#most - this.#records;
    const to = this.#at + this.#advance;
    this.#end = 0;
    const result = this.#core.ringRelease(ring, capacity, this.#at, this.#advance, this.#records) >>> 0;
    if (isError(result)) throw this.#failed(result);
    const at = offsetOf(result);
    this.#told(at);
    // Behind the end of the data it goes on at their begin, which is not in the stretch.
    if (at === to) this.#end = end;
    this.#most = most;
    if (flagsOf(result) & FLAG_WAKE) this.#attachment.notify(this.#waitersRoom);
  }

  /** Whether there are taken records that the core does not know of. */
  get behind(): boolean {
    return this.#advance > 0;
  }

  /**
   * Calls the function for the current record and the following ones, and takes them, as far as the core allows without a call
   * of it.
   *
   * @param handed the object that represents each record
   * @param most records, from 1
   * @returns number of records handled
   */
  walk(handle: (record: HandedRecord) => unknown, handed: HandedRecord, most: number): number {
    const u32 = this.#u32;
    const { record } = this;
    const waiting = this.#waiting;
    const slotWord = this.#slotWord;
    const end = this.#end;
    const before = this.#records;
    const count = Math.min(most, this.#most - before);
    let length = this.#length;
    let at = this.#at + this.#advance;
    for (let walked = 1; ; walked++) {
      const result = handle(handed);
      if (result !== undefined)
        refusePromise("handle", result, `its record stays in the ring; ${WHY_AT_ONCE}`);
      if (this.closed) return walked;
      const bytes = recordBytes(length);
      at += bytes;
      this.#advance += bytes;
      this.#records = before + walked;
      // As in `#step`, whose fields are variables here.
      if (walked >= count || at >= end || u32[waiting] !== 0) return walked;
      if (stateOf(u32[slotWord]) !== SLOT_LIVE) return walked;
      length = u32[at >>> 2];
      if (length > end - at - RECORD_HEADER_BYTES || u32[(at >>> 2) + 1] !== RECORD_DATA) return walked;
      if (this.#valueBytes !== 0 && length !== this.#valueBytes) return walked;
      record.place(at + RECORD_HEADER_BYTES, length);
    }
  }

  /**
   * Takes copies of the records that are there, as far as a slab and an array of their lengths have room. They count as consumed
   * like those of receives; when each is acknowledged, all of them together, and so no more are taken than may be held back.
   *
   * @returns number of records; 0 when there is none now
   * @throws RangeError when not even the first one has room; it stays
   */
  pack(slab: Uint8Array, lengths: Uint32Array): number {
    const { record } = this;
    const most = lengths.length;
    let packed = 0;
    let filled = 0;
    try {
      while (packed < most && (this.#step() || ((packed === 0 || !this.#each) && this.#ask(false)))) {
        const stretch = this.#packStretch(slab, filled, lengths, packed);
        if (stretch === 0 && packed === 0) throw record.tooShort(slab);
        if (stretch === 0) break;
        for (const all = packed + stretch; packed < all; packed++) filled += lengths[packed];
      }
      if (this.#advance > this.#heldMax) this.release();
    } finally {
      if (this.#each) this.#end = 0; // what comes next is acknowledged on its own
    }
    return packed;
  }

  /** The same with the record at hand and those behind it, as far as the core lets us go on without it. */
  #packStretch(slab: Uint8Array, begin: number, lengths: Uint32Array, index: number): number {
    const { record } = this;
    const words = record.wordsOf(slab);
    const slabBytes = slab.length;
    const { u32, i32 } = this.#attachment;
    const waiting = this.#waiting;
    const values = this.#valueBytes;
    const end = this.#end;
    const from = this.#at + this.#advance;
    const count = Math.min(lengths.length - index, this.#most - this.#records);
    let length = this.#length;
    let at = from;
    let filled = begin;
    let packed = 0;
    for (;;) {
      const short = length <= WORD_COPY_BYTES_MAX && length <= slabBytes - filled;
      if (short && words !== undefined && ((length | filled) & 3) === 0) {
        copyWords(words, filled >>> 2, i32, (at + RECORD_HEADER_BYTES) >>> 2, length >>> 2);
      } else {
        record.place(at + RECORD_HEADER_BYTES, length);
        if (!record.pack(slab, filled)) break;
      }
      lengths[index + packed++] = length;
      filled += length;
      at += recordBytes(length);
      // As in `#step`, whose fields are variables here.
      if (packed >= count || at >= end || u32[waiting] !== 0) break;
      length = u32[at >>> 2];
      if (length > end - at - RECORD_HEADER_BYTES || u32[(at >>> 2) + 1] !== RECORD_DATA) break;
      if (values !== 0 && length !== values) break;
    }
    this.#advance += at - from;
    this.#records += packed;
    return packed;
  }

  #failed(status: number): Error {
    return failure(status, `receiving from ring "${this.#geometry.name}" failed: ${statusAdvice(status)}`);
  }
}
