import { CORRUPT } from "../../protocol/errors.js";
import {
  FLAG_EMPTY,
  FLAG_WAKE,
  RECORD_DATA,
  RECORD_HEADER_BYTES,
  WAITERS_SUMMARY_OFFSET,
} from "../../protocol/layout.js";
import { RING_HELD_SHIFT } from "../../protocol/limits.js";
import { type Core, flagsOf, isError, offsetOf } from "../core.js";
import { failure } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import { checkSynchronous, refusePromise } from "../synchronous.js";
import type { RingGeometry } from "./end.js";
import { recordBytes } from "./end.js";
import { recordMismatch, ringAdvice } from "./errors.js";
import { type HandedRecord, RecordAtHand } from "./record.js";

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
 * When a taken record is acknowledged, so that it is not delivered again:
 *
 * | mode  | taken by a receive                                                 | taken by `walk`                             |
 * | ----- | ------------------------------------------------------------------ | ------------------------------------------- |
 * | batch | when the core publishes the tail: see `ringReceive`; a large one,  | when `release` is called, or before, as     |
 * |       | which would hold back too much, at once                            | the core does it                            |
 * | each  | when the next one is asked for: the tail is published before       | after the function that handles it returned |
 */
export class RingCursor {
  /** The record that `next` found. */
  readonly record: RecordAtHand;
  /** The end was given back: no record is taken any more. */
  closed = false;
  readonly #attachment: Attachment;
  readonly #core: Core;
  readonly #u32: Uint32Array;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #capacity: number;
  readonly #waitersRoom: number;
  /** A record larger than this is released as soon as it is taken. */
  readonly #heldMax: number;
  /** Bytes of each record of a ring with a layout; 0 when records have any length. */
  readonly #valueBytes: number;
  /** Whether each record is acknowledged separately. */
  readonly #each: boolean;
  /** Offset of the first record that the core has not been told of. */
  #at: number;
  /** Bytes of the records that were taken since, counted from there; and their number, valid if the bytes are not 0. */
  #advance = 0;
  #records = 0;
  /** Payload bytes of the current record. */
  #length = 0;

  /**
   * @param at offset of the next record
   * @param each whether each record is acknowledged separately
   */
  constructor(attachment: Attachment, geometry: RingGeometry, at: number, each: boolean) {
    const { core } = attachment;
    this.#attachment = attachment;
    this.#core = core;
    this.#u32 = attachment.u32;
    this.#geometry = geometry;
    this.#ring = geometry.ring;
    this.#capacity = geometry.capacity;
    this.#waitersRoom = core.ringWaitersRoom(geometry.ring) >>> 0;
    this.#heldMax = each ? Number.POSITIVE_INFINITY : geometry.capacity >>> RING_HELD_SHIFT;
    this.#valueBytes = geometry.layout?.bytes ?? 0;
    this.#each = each;
    this.#at = at;
    this.record = new RecordAtHand(attachment);
  }

  /** Moves to the next record. Returns true if there is one. It reports the records that were taken before to the core. */
  next(): boolean {
    if (this.#each && this.#advance > 0) this.release();
    const advance = this.#advance;
    const records = advance === 0 ? 0 : this.#records;
    const result = this.#core.ringReceive(this.#ring, this.#capacity, this.#at, advance, records) >>> 0;
    if (isError(result)) throw this.#failed(result);
    this.#advance = 0;
    const flags = flagsOf(result);
    const at = offsetOf(result);
    this.#at = at;
    if (flags !== 0) {
      if (flags & FLAG_WAKE) this.#attachment.notify(this.#waitersRoom);
      if (flags & FLAG_EMPTY) return false;
    }
    // The core has checked this length, but a hostile peer may have changed it since. The view must stay inside the ring.
    const length = this.#u32[at >>> 2];
    if (length > this.#geometry.end - at - RECORD_HEADER_BYTES) throw this.#failed(CORRUPT);
    if (this.#valueBytes !== 0 && length !== this.#valueBytes)
      throw recordMismatch(this.#geometry, length, this.#valueBytes);
    this.#length = length;
    this.record.place(at, length);
    return true;
  }

  /** Takes the current record; the table above says when it is acknowledged. */
  take(): void {
    this.#records = 1;
    this.#advance = recordBytes(this.#length);
    if (this.#advance > this.#heldMax) this.release();
  }

  /** Takes and releases the current record. */
  takeAndRelease(): void {
    this.#records = 1;
    this.#advance = recordBytes(this.#length);
    this.release();
  }

  /** Gives the room of all taken records back to the producer. */
  release(): void {
    const advance = this.#advance;
    const records = advance === 0 ? 0 : this.#records;
    const result = this.#core.ringRelease(this.#ring, this.#capacity, this.#at, advance, records) >>> 0;
    if (isError(result)) throw this.#failed(result);
    this.#advance = 0;
    this.#at = offsetOf(result);
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
    const record = this.record;
    const waiting = (this.#waitersRoom + WAITERS_SUMMARY_OFFSET) >>> 2;
    let length = this.#length;
    let at = this.#at;
    // For a single record, the number of records does not matter.
    const single = most === 1 || this.#each;
    const end = single ? at : at + (this.#core.ringReady(this.#ring, this.#capacity, at) >>> 0);
    const records = single ? 1 : Math.min(most, this.#core.ringReadyRecords(this.#ring));
    for (let walked = 1; ; walked++) {
      const result = handle(handed);
      if (result !== undefined)
        refusePromise("handle", result, `its record stays in the ring; ${WHY_AT_ONCE}`);
      if (this.closed) return walked;
      const bytes = recordBytes(length);
      at += bytes;
      this.#advance += bytes;
      this.#records = walked;
      // A producer that waits for room must not wait until all records are handled: the core releases the taken ones.
      if (walked === records || at >= end || u32[waiting] !== 0) return walked;
      // A hostile peer may change a header at any moment. So each word is read once, and only the checked value is used.
      // Anything that is not a record of this part is left to the core, which skips padding and reports damage.
      length = u32[at >>> 2];
      if (length > end - at - RECORD_HEADER_BYTES || u32[(at >>> 2) + 1] !== RECORD_DATA) return walked;
      if (this.#valueBytes !== 0 && length !== this.#valueBytes) return walked;
      record.place(at, length);
    }
  }

  #failed(status: number): Error {
    return failure(status, `receiving from ring "${this.#geometry.name}" failed: ${ringAdvice(status)}`);
  }
}
