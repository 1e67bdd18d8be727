import { EVICTED } from "../../protocol/errors.js";
import { END_DEAD, END_LIVE, FLAG_WAKE, RECORD_HEADER_BYTES } from "../../protocol/layout.js";
import {
  bytesOf,
  elementOf,
  integer,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
  wrongType,
} from "../arguments.js";
import type { Core } from "../core.js";
import { ERRORS_END } from "../errors.js";
import { LARGE_BYTES_MIN } from "../host/copy.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import type { Lease } from "../segment/attachment.js";
import { Queue } from "../wait/queue.js";
import { type Condition, lookAgain, NOT_YET, type QueuedWait, wait, waitSync } from "../wait/wait.js";
import { Claim } from "./claim.js";
import type { RingGeometry } from "./end.js";
import { attachEnd, EndPart, recordBytes, ringCloseProducer } from "./end.js";
import { checkFits, consumerDied, elementSent, producerUnusable, sendFailed, sendsWait } from "./errors.js";
import { Stamp } from "./send-time.js";

/**
 * The sending end of a ring, made by `ring.producer()`. One participant holds it at a time.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("lines", { bytes: 1 * MiB });
 * using producer = ring.producer();
 * const line = new TextEncoder().encode("hello");
 * if (!producer.trySend(line)) await producer.send(line, { timeoutMs: 1000 });
 * console.log(producer.sendMany([line, line]), ring.stats.sent);
 * ```
 */
export class Producer {
  static {
    describe(Producer.prototype, "Producer", (producer) => ({
      ring: producer.#geometry.name,
      state: producer.#state,
    }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #lease: Lease;
  readonly #core: Core;
  readonly #u8: Uint8Array;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #waitersData: number;
  readonly #waitersRoom: number;
  /** Offset of the next record and contiguous bytes known to be free there. Ours alone: no peer can move them. */
  #at: number;
  #room = 0;
  #state: "open" | "claimed" | "closed" = "open";
  /** Records until the time of sending is written again, and whether this turn of the event loop has written it. */
  readonly #stamp: Stamp;
  /** Sends that wait for room, in their order. */
  readonly #queue = new Queue<QueuedWait>();
  readonly #part: EndPart;
  #serving = false;

  /** @internal */
  constructor(lease: Lease, geometry: RingGeometry) {
    const { attachment } = lease;
    const { core } = attachment;
    const { ring } = geometry;
    this.#lease = lease;
    this.#core = core;
    this.#u8 = attachment.u8;
    this.#geometry = geometry;
    this.#ring = ring;
    this.#waitersData = core.ringWaitersData(ring) >>> 0;
    this.#waitersRoom = core.ringWaitersRoom(ring) >>> 0;
    this.#at = attachEnd(attachment, "producer", geometry, core.ringAttachProducer);
    this.#stamp = new Stamp(core, ring);
    this.#part = new EndPart(attachment, this, ring, ringCloseProducer);
  }

  /**
   * Sends a copy of the bytes if there is room now.
   *
   * @param bytes the payload, 0 bytes to capacity - 8; a view of any kind
   * @returns false when the ring is full, or when sends wait for room: they come first
   * @throws {IsthmusError} TOO_LARGE when it can never fit; BUSY while a claim is open; CLOSED: the producer or its segment was
   *   closed; EVICTED: this participant was removed; CORRUPT when the ring is damaged
   */
  trySend(bytes: Uint8Array): boolean {
    bytes = bytesOf("bytes", bytes);
    const length = bytes.length;
    if (this.#state !== "open" || RECORD_HEADER_BYTES + length > this.#room - 7) {
      if (!this.#makeRoom(length)) return false;
    }
    const attachment = this.#lease.attachment;
    // Another producer may have published records where this one would write.
    if (attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    const at = this.#at;
    if (length < LARGE_BYTES_MIN) this.#u8.set(bytes, at + RECORD_HEADER_BYTES);
    else attachment.copyIn(bytes, at + RECORD_HEADER_BYTES);
    this.#commit(at, length);
    return true;
  }

  #commit(at: number, length: number): void {
    const next = this.#core.ringCommit(this.#ring, at, length) >>> 0;
    if (next < ERRORS_END) throw sendFailed(next, this.#geometry);
    const flag = next & FLAG_WAKE;
    this.#at = next - flag;
    this.#room -= next - flag - at;
    const stamp = this.#stamp;
    if (--stamp.records <= 0) stamp.write();
    if (flag !== 0) this.#lease.attachment.notify(this.#waitersData);
  }

  /** Asks the core for room; throws when there can never be any. */
  #makeRoom(length: number): boolean {
    if (this.#state !== "open") throw producerUnusable(this.#geometry, this.#state === "closed");
    if (this.#lease.attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    checkFits(length, this.#geometry);
    if (this.#queue.length > 0 && !this.#serving) return false;
    if (recordBytes(length) <= this.#room) return true;
    const at = this.#core.ringClaim(this.#ring, this.#geometry.capacity, this.#at, length) >>> 0;
    if (at !== 0 && at < ERRORS_END) throw sendFailed(at, this.#geometry);
    this.#at = this.#core.claimed.value >>> 0;
    this.#room = this.#core.room.value >>> 0;
    // A consumer that sleeps on an otherwise empty ring must skip the padding before there can be room.
    if (at === 0 && this.#core.waitersAny(this.#waitersData))
      this.#lease.attachment.notify(this.#waitersData);
    return at !== 0;
  }

  /**
   * Sends a copy of the bytes, waiting for room. Calls are served in their order, before everything else. The bytes
   * must not change meanwhile.
   *
   * @param bytes the payload, 0 bytes to capacity - 8
   * @param options how long to wait, and a signal that ends it
   * @throws {IsthmusError} PEER_DIED once when the ring is full and its consumer died; TIMED_OUT; otherwise as `trySend`
   * @throws the signal's reason, when it is aborted
   */
  async send(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    const payload = bytesOf("bytes", bytes);
    const how = waiting(options);
    if (this.#state !== "open") throw producerUnusable(this.#geometry, this.#state === "closed");
    const condition = this.#roomFor(payload, this.#queue);
    const sent = wait(this.#lease.attachment, condition, how);
    if (this.#queue.length > 0) this.#room = 0; // everyone asks for room from now on, and comes after those who wait
    return sent;
  }

  /**
   * Sends a copy of the bytes, blocking the thread until there is room.
   *
   * @param bytes the payload, as for `send`
   * @param options how long to wait
   * @throws {IsthmusError} BUSY while a `send` of this producer waits; otherwise as `send`
   */
  sendSync(bytes: Uint8Array, options?: WaitSyncOptions): void {
    const payload = bytesOf("bytes", bytes);
    const how = waitingSync(options);
    if (this.#queue.length === 0 && options === undefined && this.trySend(payload)) return;
    if (this.#queue.length > 0 && this.#state === "open") throw sendsWait(this.#geometry);
    waitSync(this.#lease.attachment, this.#roomFor(payload), how);
  }

  #roomFor(payload: Uint8Array, queue?: Queue<QueuedWait>): Condition<void> {
    return {
      what: `waiting for room in ring "${this.#geometry.name}"`,
      waiters: this.#waitersRoom,
      queue,
      attempt: () => {
        if (queue ? this.#serve(payload) : this.trySend(payload)) return undefined;
        return this.#checkConsumer();
      },
      recheck: () => {
        if (this.#core.ringConsumerState(this.#ring) === END_LIVE) this.#lease.attachment.markSuspectDead();
      },
      failed: (gaveUp) => {
        if (gaveUp && this.#state !== "closed") this.#core.countDrop();
      },
    };
  }

  /** Sends for the first of those who wait. */
  #serve(payload: Uint8Array): boolean {
    this.#serving = true;
    try {
      return this.trySend(payload);
    } finally {
      this.#serving = false;
      if (this.#queue.length > 0) this.#room = 0;
    }
  }

  #checkConsumer(): typeof NOT_YET {
    if (this.#core.ringConsumerState(this.#ring) !== END_DEAD) return NOT_YET;
    this.#core.ringConsumerReported(this.#ring);
    throw consumerDied(this.#geometry);
  }

  /**
   * Sends copies of as many of the payloads, in order, as there is room for, and publishes them together.
   *
   * @param arrayOfBytes the payloads, each as for `trySend`
   * @returns how many were sent; 0 when sends wait for room: they come first
   * @throws {IsthmusError} as `trySend`; when one of them is too large or of a wrong type, none is sent
   */
  sendMany(arrayOfBytes: readonly Uint8Array[]): number {
    if (!Array.isArray(arrayOfBytes)) throw wrongType("arrayOfBytes", "an array of Uint8Array", arrayOfBytes);
    const core = this.#core;
    const u8 = this.#u8;
    if (this.#state !== "open") throw producerUnusable(this.#geometry, this.#state === "closed");
    // What is wrong is found first: who gets an error need not ask how many were sent.
    for (let i = 0; i < arrayOfBytes.length; i++)
      checkFits(elementOf(arrayOfBytes, i).length, this.#geometry);
    // Only what is published moves our own offset.
    let from = this.#at;
    let at = from;
    let room = this.#room;
    let staged = 0;
    let payloadBytes = 0;
    let sent = 0;
    const { attachment } = this.#lease;
    if (attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    for (; sent < arrayOfBytes.length; sent++) {
      const bytes = elementOf(arrayOfBytes, sent);
      const length = bytes.length;
      if (this.#state !== "open" || this.#at !== from) throw elementSent(this.#geometry);
      if (RECORD_HEADER_BYTES + length > room - 7) {
        this.#publish(at, staged, payloadBytes);
        staged = payloadBytes = 0;
        if (!this.#makeRoom(length)) break;
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
    if (sent > 0) this.#stamp.write();
    return sent;
  }

  /** Sends the records that are staged from our offset up to another one. */
  #publish(to: number, records: number, payloadBytes: number): void {
    if (records === 0) return;
    const bytes = to - this.#at;
    const result = this.#core.ringPublish(this.#ring, bytes, records, payloadBytes) >>> 0;
    if (result > FLAG_WAKE) throw sendFailed(result, this.#geometry);
    this.#at = to;
    this.#room -= bytes;
    if (result === FLAG_WAKE) this.#lease.attachment.notify(this.#waitersData);
  }

  /**
   * Claims room to be filled in place, without a copy.
   *
   * @param length bytes, 0 to capacity - 8
   * @returns undefined when the ring is full, or when sends wait for room: they come first
   * @throws {TypeError | RangeError} when the length is no such number
   * @throws {IsthmusError} as `trySend`
   */
  tryClaim(length: number): Claim | undefined {
    integer("length", length, 0, 2 ** 32);
    if (!this.#makeRoom(length)) return undefined;
    this.#state = "claimed";
    const from = this.#at + RECORD_HEADER_BYTES;
    return new Claim(this, this.#u8.subarray(from, from + length));
  }

  /** @internal */
  commitClaim(length: number): void {
    if (this.#state !== "claimed") throw producerUnusable(this.#geometry, this.#state === "closed");
    this.#state = "open";
    if (this.#lease.attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    this.#commit(this.#at, length);
  }

  /** @internal */
  abortClaim(): void {
    if (this.#state === "claimed") this.#state = "open";
  }

  /**
   * Gives the end back; a consumer that has received everything sees the end of the stream. Where it was not called when the
   * process or worker ends, the consumer gets PEER_DIED: nobody has said that the stream is complete. Never throws.
   */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#stamp.ended = true;
    if (this.#queue.length > 0) lookAgain(this.#lease.attachment, this.#waitersRoom);
    this.#part.done();
    ringCloseProducer(this.#lease.attachment, this.#ring);
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}
