import { FLAG_WAKE, TOPIC_HEADER_BYTES } from "../../protocol/layout.js";
import { bytesOf, elementOf, integer, isArray, OURS, wrongType } from "../arguments.js";
import { type Core, isError } from "../core.js";
import { disposable } from "../disposal.js";
import { LARGE_BYTES_MIN } from "../host/copy.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { Claim } from "../ring/claim.js";
import type { FieldsOf } from "../ring/payload.js";
import { Stamp } from "../ring/send-time.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { EndPart, takeEnd } from "../segment/end.js";
import type { Fields, Struct } from "../struct/struct.js";
import { broadcastFailed, checkFits, publisherUnusable } from "./errors.js";
import { type BroadcastGeometry, closePublisher, publisherEnd } from "./geometry.js";

/**
 * The publishing end of a broadcast, made by `broadcast.publisher()`. One participant holds it at a time. It never waits: records
 * that a slow subscriber has not read yet are overwritten, and that subscriber counts them as lost.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ticks = segment.broadcast("ticks", { bytes: 1 * MiB });
 * using publisher = ticks.publisher();
 * publisher.publish(new TextEncoder().encode("EURUSD 1.0842"));
 * using claim = publisher.claim(16);
 * claim.bytes.fill(7);
 * claim.commit(8);
 * console.log(ticks.stats.published);
 * ```
 */
export class Publisher<T = Uint8Array, F extends Fields = FieldsOf<T>> {
  static {
    describe(Publisher.prototype, "Publisher", (publisher) => ({
      broadcast: publisher.#geometry.name,
      state: publisher.#state,
    }));
    disposable(Publisher.prototype, (publisher) => publisher.close());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** @internal */
  readonly attachment: Attachment;
  /** @internal */
  readonly layout: Struct<Fields> | undefined;
  /** Keeps the segment open while the end is in use. */
  readonly #lease: Lease;
  readonly #core: Core;
  readonly #geometry: BroadcastGeometry;
  readonly #waiters: number;
  readonly #stamp: Stamp;
  readonly #part: EndPart;
  #state: "open" | "claimed" | "closed" = "open";
  /** Offset of the record that is claimed. */
  #claimed = 0;

  /**
   * @internal
   * @param taken whether the core has given the end to this opener already
   */
  constructor(lease: Lease, geometry: BroadcastGeometry, taken: boolean) {
    checkMade(lease, "Publisher", "broadcast.publisher()");
    const { attachment } = lease;
    const { core } = attachment;
    const { topic } = geometry;
    this.attachment = attachment;
    this.layout = geometry.layout;
    this.#lease = lease;
    this.#core = core;
    this.#geometry = geometry;
    this.#waiters = core.broadcastWaiters(topic) >>> 0;
    this.#stamp = new Stamp((nowNs) => core.broadcastStamp(topic, nowNs));
    if (!taken) takeEnd(attachment, publisherEnd(attachment, geometry));
    this.#part = new EndPart(attachment, this, topic, closePublisher, true);
  }

  /** Throws when nothing can be published now. */
  #check(): void {
    if (this.#state !== "open") throw publisherUnusable(this.#geometry, this.#state);
  }

  /**
   * Publishes a copy of the payload. Every subscriber that is fast enough gets it.
   *
   * @param bytes the payload: 0 bytes to `broadcast.recordBytesMax`, a view of any kind; in a broadcast with a layout a value
   * @throws {TypeError | RangeError} when it is not such a payload, naming the field of a value that does not fit; nothing is
   *   published
   * @throws {IsthmusError} TOO_LARGE when it can never fit; BUSY while a claim is open; CLOSED: the publisher or its segment was
   *   closed; EVICTED: this participant was removed; CORRUPT when the broadcast is damaged
   */
  publish(bytes: T): void {
    const { layout } = this;
    if (layout === undefined) {
      this.#publish(bytesOf("bytes", bytes));
      return;
    }
    const staged = layout.stage(bytes as never);
    // Getters of the value have run. They may have published something, or closed the publisher.
    this.#publish(staged.bytes);
    layout.done(staged);
  }

  #publish(bytes: Uint8Array): void {
    this.#check();
    checkFits(bytes.length, this.#geometry);
    if (this.#append(bytes)) this.#wake();
  }

  #wake(): void {
    this.#lease.attachment.notify(this.#waiters);
  }

  /** Publishes one record. Returns whether subscribers must be woken. */
  #append(bytes: Uint8Array): boolean {
    const { length } = bytes;
    const at = this.#claim(length);
    if (length < LARGE_BYTES_MIN) this.attachment.u8.set(bytes, at + TOPIC_HEADER_BYTES);
    else this.attachment.copyIn(bytes, at + TOPIC_HEADER_BYTES);
    return this.#commit(at, length);
  }

  /** Offset of the record that comes next. */
  #claim(length: number): number {
    const { topic, capacity } = this.#geometry;
    const at = this.#core.broadcastClaim(topic, capacity, length) >>> 0;
    if (isError(at)) throw broadcastFailed(this.attachment, at, this.#geometry);
    return at;
  }

  #commit(at: number, length: number): boolean {
    const { topic, capacity } = this.#geometry;
    const result = this.#core.broadcastPublish(topic, capacity, at, length) >>> 0;
    if (isError(result)) throw broadcastFailed(this.attachment, result, this.#geometry);
    const stamp = this.#stamp;
    if (--stamp.records <= 0) stamp.write();
    return (result & FLAG_WAKE) !== 0;
  }

  /**
   * Publishes copies of all payloads, in order, and then wakes subscribers that wait.
   *
   * @param arrayOfBytes the payloads, each as for `publish`
   * @throws {TypeError | RangeError} when it is no array of such payloads; none is published
   * @throws {IsthmusError} as `publish`; when one of them is too large, none is published
   */
  publishMany(arrayOfBytes: readonly T[]): void {
    const payloads = this.#payloads(arrayOfBytes);
    let wake = false;
    try {
      for (const bytes of payloads) wake = this.#append(bytes) || wake;
    } finally {
      if (wake) this.#wake();
    }
  }

  /** Returns a new array, with copies of the bytes of values. Reading an element may run code of the user. */
  #payloads(given: readonly unknown[]): Uint8Array[] {
    const { layout } = this;
    if (!isArray(given)) throw wrongType("arrayOfBytes", "an array", given);
    this.#check();
    const payloads = Array.from(given, (value, index) => {
      if (layout === undefined) return elementOf(given, index);
      const staged = layout.stage(value as never);
      const copy = staged.bytes.slice();
      layout.done(staged);
      return copy;
    });
    for (const { length } of payloads) checkFits(length, this.#geometry);
    this.#check(); // again
    return payloads;
  }

  /**
   * Claims room that the caller fills in place, without a copy. Records that lie there are overwritten now.
   *
   * @param length bytes, 0 to `broadcast.recordBytesMax`; optional in a broadcast with a layout, where all records have the same
   *   length
   * @returns the claim
   * @throws {TypeError | RangeError} when the length is no such number
   * @throws {IsthmusError} as `publish`
   */
  claim(length?: number): Claim<F> {
    const bytes = this.#claimBytes(length);
    this.#check();
    checkFits(bytes, this.#geometry);
    const at = this.#claim(bytes);
    const claim = new Claim<F>(OURS, this, at + TOPIC_HEADER_BYTES, bytes);
    this.#claimed = at;
    this.#state = "claimed";
    return claim;
  }

  #claimBytes(length: number | undefined): number {
    const { layout } = this;
    if (layout === undefined) return integer("length", length, 0, 2 ** 32);
    return length === undefined ? layout.bytes : integer("length", length, layout.bytes, layout.bytes);
  }

  /** @internal */
  commitClaim(length: number): void {
    if (this.#state !== "claimed") throw publisherUnusable(this.#geometry, "closed");
    this.#state = "open";
    if (this.#commit(this.#claimed, length)) this.#wake();
  }

  /** @internal */
  abortClaim(): void {
    if (this.#state === "claimed") this.#state = "open";
  }

  /**
   * Gives the end back: subscribers see the end of the stream when they have received everything, and another publisher can go
   * on. If the process or worker ends without this call, they get PEER_DIED. Never throws.
   */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#part.giving = closePublisher;
    this.#stamp.ended = true;
    this.#part.giveBack();
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}
