import { EVICTED } from "../../protocol/errors.js";
import {
  FLAG_FULL,
  FLAG_WAKE,
  PARTICIPANT_SCRATCH_BYTES,
  RECORD_HEADER_BYTES,
} from "../../protocol/layout.js";
import { elementOf } from "../arguments.js";
import { type Core, flagsOf, isError, offsetOf } from "../core.js";
import { LARGE_BYTES_MIN } from "../host/copy.js";
import type { Attachment } from "../segment/attachment.js";
import { type RingGeometry, recordBytes } from "./end.js";
import { checkFits, elementSent, producerUnusable, sendFailed } from "./errors.js";
import { Stamp } from "./send-time.js";

/** Bytes of a cache line, and the free bytes behind a record whose lines are fetched together. */
const LINE_BYTES = 64;
const FETCH_BYTES = 512;

/** Their lengths go through the scratch. */
const STRETCH_RECORDS_MAX = PARTICIPANT_SCRATCH_BYTES / 4;

/**
 * Where the producer of a ring is: the offset of the next record, and the room that is known to be free there. Only its own
 * participant has them, so a peer cannot move them.
 *
 * A call of the core that moves the head may be cut off before or after it did so (a full stack, a script that is stopped), and
 * this participant lives on. Therefore the room counts as 0 from before each such call until it has returned. The next record
 * then asks the core where it goes.
 */
export class RingHead {
  state: "open" | "claimed" | "closed" = "open";
  /** Records that the call which sends many has sent so far. */
  sent = 0;
  readonly stamp: Stamp;
  readonly #attachment: Attachment;
  readonly #core: Core;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #waitersData: number;
  /** Offset of the next record, and contiguous bytes that are known to be free there. */
  #at: number;
  #room = 0;
  /** The lines before this offset were fetched. */
  #fetched = 0;

  /** @param at offset of the next record */
  constructor(attachment: Attachment, geometry: RingGeometry, at: number) {
    const { core } = attachment;
    const { ring } = geometry;
    this.stamp = new Stamp((nowNs) => core.ringStamp(ring, nowNs));
    this.#attachment = attachment;
    this.#core = core;
    this.#u8 = attachment.u8;
    this.#u32 = attachment.u32;
    this.#geometry = geometry;
    this.#ring = ring;
    this.#waitersData = core.ringWaitersData(ring) >>> 0;
    this.#at = at;
  }

  /** Offset of the next record, after `makeRoom`. */
  get at(): number {
    return this.#at;
  }

  /** Throws when nothing can be sent now. */
  check(): void {
    if (this.state !== "open") throw producerUnusable(this.#geometry, this.state);
    // Another producer may have published records where this one would write.
    if (this.#attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
  }

  /** Asks the core for room unless there is enough; false when the ring is full. Throws when there can never be enough. */
  makeRoom(length: number): boolean {
    this.check();
    checkFits(length, this.#geometry);
    return recordBytes(length) <= this.#room || this.#ask(length);
  }

  #ask(length: number): boolean {
    const core = this.#core;
    const { capacity } = this.#geometry;
    this.#room = 0;
    const claimed = core.ringClaim(this.#ring, capacity, length) >>> 0;
    if (isError(claimed)) throw sendFailed(claimed, this.#geometry);
    this.#at = offsetOf(claimed);
    const flags = flagsOf(claimed);
    if (flags & FLAG_WAKE) this.#attachment.notify(this.#waitersData);
    if (flags & FLAG_FULL) return false;
    this.#room = core.ringRoom(this.#ring, capacity, this.#at) >>> 0;
    return true;
  }

  /** Sends one record if there is room. */
  append(bytes: Uint8Array): boolean {
    const length = bytes.length;
    if (this.state !== "open" || RECORD_HEADER_BYTES + length > this.#room - 7) {
      if (!this.makeRoom(length)) return false;
    }
    const attachment = this.#attachment;
    if (attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    const from = this.#at + RECORD_HEADER_BYTES;
    if (length < LARGE_BYTES_MIN) this.#u8.set(bytes, from);
    else attachment.copyIn(bytes, from);
    this.commit(length);
    return true;
  }

  /** Sends the record whose payload stands behind the place of its header. */
  commit(length: number): void {
    const at = this.#at;
    const room = this.#room;
    this.#room = 0;
    const next = this.#core.ringCommit(this.#ring, at, length) >>> 0;
    if (isError(next)) throw sendFailed(next, this.#geometry);
    const to = offsetOf(next);
    this.#at = to;
    this.#room = room - (to - at);
    const left = this.#fetched - to;
    if (left < 2 * LINE_BYTES || left > FETCH_BYTES)
      this.#fetch(left < 0 || left > FETCH_BYTES ? to : this.#fetched);
    const stamp = this.stamp;
    if (--stamp.records <= 0) stamp.write();
    if (flagsOf(next) & FLAG_WAKE) this.#attachment.notify(this.#waitersData);
  }

  /**
   * Writes to the lines of the free bytes from an offset on. The consumer's core has them from the last time around, and each
   * publish waits until those of its record have come from there. Here, those of several records come at the same time.
   */
  #fetch(from: number): void {
    const at = this.#at;
    const end = at + Math.min(FETCH_BYTES, this.#room);
    let line = from + LINE_BYTES - 1 - ((from + LINE_BYTES - 1) % LINE_BYTES);
    for (; line < end; line += LINE_BYTES) this.#u32[line >>> 2] = 0;
    this.#fetched = line;
  }

  /**
   * Sends payloads from an index on, as far as there is room, and publishes them together. `sent` says how many, also when it
   * throws.
   *
   * @param checked whether it is known that each of them is bytes that can fit; else that is looked at before anything is sent
   */
  appendMany(payloads: readonly unknown[], begin: number, checked: boolean): number {
    this.check();
    const core = this.#core;
    const u8 = this.#u8;
    const attachment = this.#attachment;
    this.sent = 0;
    // Only what is published moves our own offset.
    let from = this.#at;
    let at = from;
    let room = this.#room;
    let staged = 0;
    let payloadBytes = 0;
    for (let index = begin; index < payloads.length; index++) {
      const bytes = elementOf(payloads, index);
      const length = bytes.length;
      if (this.state !== "open" || this.#at !== from) throw elementSent(this.#geometry);
      if (RECORD_HEADER_BYTES + length > room - 7) {
        if (!checked) {
          this.checkMany(payloads, index);
          checked = true;
          if (this.state !== "open" || this.#at !== from) throw elementSent(this.#geometry);
        }
        this.#publish(at, staged, payloadBytes);
        staged = payloadBytes = 0;
        if (!this.makeRoom(length)) break;
        from = at = this.#at;
        room = this.#room;
      }
      if (length < LARGE_BYTES_MIN) u8.set(bytes, at + RECORD_HEADER_BYTES);
      else attachment.copyIn(bytes, at + RECORD_HEADER_BYTES);
      const next = core.ringStage(at, length) >>> 0;
      room -= next - at;
      at = next;
      staged++;
      payloadBytes += length;
    }
    this.#publish(at, staged, payloadBytes);
    if (this.sent > 0) this.stamp.write();
    return this.sent;
  }

  /** Throws when one of the elements from an index on is no bytes, or can never fit. */
  checkMany(payloads: readonly unknown[], begin: number): void {
    for (let i = begin; i < payloads.length; i++) checkFits(elementOf(payloads, i).length, this.#geometry);
  }

  /**
   * Sends all payloads of a slab as one stretch, when there is room for them, looking at each length once.
   *
   * @param each bytes that each of them must have, or -1
   * @returns false when that cannot be, for whatever reason; nothing was sent then
   */
  appendStretch(slab: Uint8Array, lengths: Uint32Array, each: number): boolean {
    this.check();
    const records = lengths.length;
    const room = this.#room;
    if (records === 0 || records > STRETCH_RECORDS_MAX) return false;
    const u32 = this.#u32;
    const scratch = this.#attachment.scratch >>> 2;
    let bytes = 0;
    let payloadBytes = 0;
    for (let i = 0; i < records; i++) {
      const length = lengths[i];
      if (length > room || (each >= 0 && length !== each)) return false;
      u32[scratch + i] = length;
      bytes += recordBytes(length);
      payloadBytes += length;
    }
    if (bytes > room || payloadBytes > slab.length) return false;
    this.sent = 0;
    this.#spread(slab, 0, bytes, payloadBytes, records);
    this.stamp.write();
    return true;
  }

  /**
   * Sends payloads that lie one behind the other, as far as there is room, in stretches. `sent` says how many, also when it
   * throws.
   *
   * @param slab the payloads
   * @param from where the first of them begins
   * @param lengths bytes of each; they were checked
   * @param begin index of the first of them
   */
  appendPacked(slab: Uint8Array, from: number, lengths: Uint32Array, begin: number): number {
    this.check();
    const scratch = this.#attachment.scratch >>> 2;
    const u32 = this.#u32;
    this.sent = 0;
    for (let index = begin; index < lengths.length; ) {
      const room = this.#room;
      const most = Math.min(lengths.length - index, STRETCH_RECORDS_MAX);
      let bytes = 0;
      let payloadBytes = 0;
      let records = 0;
      for (; records < most; records++) {
        const length = lengths[index + records];
        const next = bytes + recordBytes(length);
        // A program that changes lengths meanwhile may make them anything.
        if (length > room || next > room) break;
        u32[scratch + records] = length;
        bytes = next;
        payloadBytes += length;
      }
      if (records === 0) {
        if (!this.makeRoom(lengths[index])) break;
        continue;
      }
      this.#spread(slab, from, bytes, payloadBytes, records);
      index += records;
      from += payloadBytes;
    }
    if (this.sent > 0) this.stamp.write();
    return this.sent;
  }

  /** Copies payloads from a place in the slab to the end of their stretch, and sends it. Their lengths are in the scratch. */
  #spread(slab: Uint8Array, from: number, bytes: number, payloadBytes: number, records: number): void {
    const attachment = this.#attachment;
    const room = this.#room;
    const part = payloadBytes === slab.length ? slab : slab.subarray(from, from + payloadBytes);
    const to = this.#at + bytes - payloadBytes;
    attachment.scratchUses++;
    if (payloadBytes < LARGE_BYTES_MIN) this.#u8.set(part, to);
    else attachment.copyIn(part, to);
    this.#room = 0;
    const result = this.#core.ringSpread(this.#ring, this.#at, bytes, payloadBytes, records) >>> 0;
    this.#sent(result, bytes, room, records);
  }

  /** Sends the records that are staged from our offset up to another one. */
  #publish(to: number, records: number, payloadBytes: number): void {
    if (records === 0) return;
    const bytes = to - this.#at;
    const room = this.#room;
    this.#room = 0;
    const result = this.#core.ringPublish(this.#ring, bytes, records, payloadBytes) >>> 0;
    this.#sent(result, bytes, room, records);
  }

  #sent(result: number, bytes: number, room: number, records: number): void {
    if (isError(result)) throw sendFailed(result, this.#geometry);
    this.#at += bytes;
    this.#room = room - bytes;
    this.sent += records;
    if (flagsOf(result) & FLAG_WAKE) this.#attachment.notify(this.#waitersData);
  }
}
