import { EVICTED } from "../../protocol/errors.js";
import { END_LIVE, FLAG_WAKE, RECORD_HEADER_BYTES } from "../../protocol/layout.js";
import {
  bytesOf,
  elementOf,
  integer,
  isArray,
  OURS,
  objectOf,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
  wrongType,
} from "../arguments.js";
import { type Core, flagsOf, isError, offsetOf } from "../core.js";
import { disposable } from "../disposal.js";
import { LARGE_BYTES_MIN } from "../host/copy.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import type { Fields, Struct, StructInput } from "../struct/struct.js";
import { Queue } from "../wait/queue.js";
import {
  type Condition,
  failInTurn,
  inTurn,
  lookAgain,
  NOT_YET,
  type QueuedWait,
  wait,
  waitSync,
} from "../wait/wait.js";
import { Claim } from "./claim.js";
import {
  EndPart,
  type RingGeometry,
  recordBytes,
  ringAbandonProducer,
  ringCloseProducer,
  takeEnd,
} from "./end.js";
import {
  checkFits,
  consumerDied,
  elementSent,
  producerUnusable,
  sendFailed,
  sendsWait,
  sentInPart,
} from "./errors.js";
import type { FieldsOf } from "./payload.js";
import { Stamp } from "./send-time.js";

/** The progress of `sendMany`. */
export interface SendProgress {
  /** Records sent so far. The call sets it, even if it fails. */
  sent: number;
}

/** How long `sendMany` waits, and a signal that ends it. */
export interface SendManyOptions extends WaitOptions {
  /** An object that receives the number of records that were sent, even if a signal ends the call. Default: none. */
  progress?: SendProgress | undefined;
}

/** How long `sendManySync` waits. */
export interface SendManySyncOptions extends WaitSyncOptions {
  /** An object that receives the number of records that were sent. Default: none. */
  progress?: SendProgress | undefined;
}

/**
 * The sending end of a ring, made by `ring.producer()`. One participant holds it at a time.
 *
 * Calls that wait are served in their order, before all later calls. While one waits, the forms with "try" find no room.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("lines", { bytes: 1 * MiB });
 * await using producer = ring.producer();
 * const line = new TextEncoder().encode("hello");
 * if (!producer.trySend(line)) await producer.send(line, { timeoutMs: 1000 });
 * await producer.sendMany([line, line]);
 * console.log(ring.stats.sent);
 * ```
 */
export class Producer<T = Uint8Array, F extends Fields = FieldsOf<T>> {
  static {
    describe(Producer.prototype, "Producer", (producer) => ({
      ring: producer.#geometry.name,
      state: producer.#state,
    }));
    disposable(
      Producer.prototype,
      (producer) => producer.close(),
      (producer) => producer.end(),
    );
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
  readonly #u8: Uint8Array;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #waitersData: number;
  readonly #waitersRoom: number;
  /**
   * Offset of the next record, and contiguous bytes that are known to be free there. They are private: no peer can change them.
   */
  #at: number;
  #room = 0;
  #state: "open" | "claimed" | "closed" = "open";
  /** Calls of `end` that wait: nothing more may be sent. */
  #ending = 0;
  /** Whether `end` has completed the stream. */
  #ended = false;
  readonly #stamp: Stamp;
  /** Calls that wait. */
  readonly #queue = new Queue<QueuedWait>();
  readonly #part: EndPart;

  /** @internal */
  constructor(lease: Lease, geometry: RingGeometry, at?: number) {
    checkMade(lease, "Producer", "ring.producer()");
    const { attachment } = lease;
    const { core } = attachment;
    const { ring } = geometry;
    this.attachment = attachment;
    this.layout = geometry.layout;
    this.#lease = lease;
    this.#core = core;
    this.#u8 = attachment.u8;
    this.#geometry = geometry;
    this.#ring = ring;
    this.#waitersData = core.ringWaitersData(ring) >>> 0;
    this.#waitersRoom = core.ringWaitersRoom(ring) >>> 0;
    this.#at = at ?? takeEnd(attachment, "producer", geometry);
    this.#stamp = new Stamp(core, ring);
    this.#part = new EndPart(attachment, this, ring, ringCloseProducer);
  }

  /**
   * Sends a copy of the payload if there is room now.
   *
   * @param bytes the payload: 0 bytes to capacity - 8, a view of any kind; in a ring with a layout a value
   * @returns false when the ring is full, or when other calls wait for room: they come first
   * @throws {TypeError | RangeError} when it is not such a payload, naming the field of a value that does not fit; nothing is
   *   sent
   * @throws {IsthmusError} TOO_LARGE when it can never fit; BUSY while a claim is open; CLOSED: the producer or its segment was
   *   closed; EVICTED: this participant was removed; CORRUPT when the ring is damaged
   */
  trySend(bytes: T): boolean {
    if (this.layout !== undefined) return this.#trySendValue(this.layout, bytes);
    const payload = bytesOf("bytes", bytes);
    return this.#queue.length === 0 ? this.#append(payload) : this.#comesLater(payload.length);
  }

  #trySendValue(layout: Struct<Fields>, value: unknown): boolean {
    const staged = layout.stage(value as never);
    const { bytes } = staged;
    // Getters of the value have run. They may have sent something, closed the producer, or begun to wait.
    const sent = this.#queue.length === 0 ? this.#append(bytes) : this.#comesLater(bytes.length);
    layout.done(staged);
    return sent;
  }

  /** Other calls wait for room and come first. Throws the errors that the call would throw without them. */
  #comesLater(length: number): false {
    this.#checkOpen();
    checkFits(length, this.#geometry);
    return false;
  }

  #checkOpen(): void {
    const refusal = this.#refusal();
    if (refusal) throw refusal;
  }

  /** The error if nothing can be sent now. */
  #refusal(): Error | undefined {
    if (this.#state !== "open") return producerUnusable(this.#geometry, this.#state);
    return this.#ending > 0 ? producerUnusable(this.#geometry, "ending") : undefined;
  }

  /** Sends one record if there is room, even if other calls wait. */
  #append(bytes: Uint8Array): boolean {
    const length = bytes.length;
    if (this.#state !== "open" || RECORD_HEADER_BYTES + length > this.#room - 7) {
      if (!this.#makeRoom(length)) return false;
    }
    const attachment = this.attachment;
    // This participant may have been evicted, and another producer may have published records where this one would write.
    if (attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    const at = this.#at;
    if (length < LARGE_BYTES_MIN) this.#u8.set(bytes, at + RECORD_HEADER_BYTES);
    else attachment.copyIn(bytes, at + RECORD_HEADER_BYTES);
    this.#commit(at, length);
    return true;
  }

  #commit(at: number, length: number): void {
    const next = this.#core.ringCommit(this.#ring, at, length) >>> 0;
    if (isError(next)) throw sendFailed(next, this.#geometry);
    this.#at = offsetOf(next);
    this.#room -= this.#at - at;
    const stamp = this.#stamp;
    if (--stamp.records <= 0) stamp.write();
    if (flagsOf(next) & FLAG_WAKE) this.attachment.notify(this.#waitersData);
  }

  /** Asks the core for room. Throws if the record can never fit. */
  #makeRoom(length: number): boolean {
    if (this.#state !== "open") throw producerUnusable(this.#geometry, this.#state);
    if (this.attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    checkFits(length, this.#geometry);
    if (recordBytes(length) <= this.#room) return true;
    const at = this.#core.ringClaim(this.#ring, this.#geometry.capacity, this.#at, length) >>> 0;
    if (isError(at)) throw sendFailed(at, this.#geometry);
    this.#at = this.#core.claimed.value >>> 0;
    this.#room = this.#core.room.value >>> 0;
    // If the consumer sleeps and the ring has only padding, the consumer must skip that before there is room.
    if (at === 0 && this.#core.waitersAny(this.#waitersData)) this.attachment.notify(this.#waitersData);
    return at !== 0;
  }

  /**
   * Waits for room and sends a copy of the payload. Calls are served in their order, before all others. The bytes must not
   * change meanwhile. A value is copied at once.
   *
   * @param bytes the payload, as for `trySend`
   * @param options how long to wait, and a signal that ends it
   * @throws {IsthmusError} PEER_DIED once when the ring is full and its consumer died; TIMED_OUT; otherwise as `trySend`
   * @throws the signal's reason, when it is aborted
   */
  async send(bytes: T, options?: WaitOptions): Promise<void> {
    const payload = this.#payload(bytes);
    const how = waiting(options);
    const refusal = this.#refusal();
    if (refusal) return failInTurn(refusal);
    const attempt = (): undefined | typeof NOT_YET => (this.#append(payload) ? undefined : NOT_YET);
    return wait(this.#lease.attachment, this.#forRoom(attempt, this.#queue), how);
  }

  /**
   * Sends a copy of the payload, blocking the thread until there is room.
   *
   * @param bytes the payload, as for `trySend`
   * @param options how long to wait
   * @throws {IsthmusError} BUSY while another call of this producer waits; otherwise as `send`
   */
  sendSync(bytes: T, options?: WaitSyncOptions): void {
    const payload = this.#payload(bytes);
    const how = waitingSync(options);
    this.#checkAlone();
    if (options === undefined && this.#append(payload)) return;
    const attempt = (): undefined | typeof NOT_YET => (this.#append(payload) ? undefined : NOT_YET);
    waitSync(this.#lease.attachment, this.#forRoom(attempt), how);
  }

  /** The payload as bytes. The bytes of a value are private. */
  #payload(given: T): Uint8Array {
    if (this.layout === undefined) return bytesOf("bytes", given);
    return this.layout.stage(given as never).bytes;
  }

  /** Throws when a call that blocks would overtake those that wait. */
  #checkAlone(): void {
    this.#checkOpen();
    if (this.#queue.length > 0) throw sendsWait(this.#geometry);
  }

  /** The condition of a call that waits for room. */
  #forRoom<V>(attempt: () => V | typeof NOT_YET, queue?: Queue<QueuedWait>): Condition<V> {
    return {
      what: `waiting for room in ring "${this.#geometry.name}"`,
      waiters: this.#waitersRoom,
      queue,
      attempt: () => {
        // A waiting claim was served. Later calls continue when it ends.
        if (queue && this.#state === "claimed") return NOT_YET;
        const value = attempt();
        if (value === NOT_YET) this.#checkConsumer();
        return value;
      },
      recheck: () => {
        if (this.#core.ringConsumerState(this.#ring) === END_LIVE) this.attachment.markSuspectDead();
      },
      failed: (gaveUp) => {
        if (gaveUp && this.#state !== "closed") this.#core.countDrop();
      },
    };
  }

  #checkConsumer(): void {
    if (this.#core.ringConsumerDied(this.#ring) !== 0) throw consumerDied(this.#geometry);
  }

  /**
   * Sends copies of as many of the payloads, in order, as there is room for, and publishes them together.
   *
   * @param arrayOfBytes the payloads, each as for `trySend`
   * @returns how many were sent; 0 when other calls wait for room: they come first
   * @throws {IsthmusError} as `trySend`; when one of them is too large or of a wrong type, none is sent
   */
  trySendMany(arrayOfBytes: readonly T[]): number {
    const payloads = this.layout === undefined ? this.#checked(arrayOfBytes) : this.#payloads(arrayOfBytes);
    return this.#queue.length === 0 ? this.#appendMany(payloads, 0) : 0;
  }

  /**
   * Waits for room and sends copies of all payloads, in order. No other record of this producer comes between them. The array
   * may change meanwhile, but the bytes must not.
   *
   * @param arrayOfBytes the payloads, each as for `trySend`
   * @param options how long to wait, a signal that ends it, and an object that receives the number sent
   * @throws {IsthmusError} as `send`, with the number of records that were sent before in the error's `sent`; when one of them is
   *   too large or of a wrong type, none is sent
   * @throws the signal's reason, when it is aborted; `options.progress` has the number sent
   */
  async sendMany(arrayOfBytes: readonly T[], options?: SendManyOptions): Promise<void> {
    const payloads = this.#payloads(arrayOfBytes);
    const how = waiting(options, ["progress"]);
    const batch = this.#batch(payloads, options?.progress);
    this.#checkOpen();
    try {
      return await wait(this.#lease.attachment, this.#forRoom(batch.attempt, this.#queue), how);
    } catch (error) {
      const own = error !== how.signal?.reason;
      throw own ? sentInPart(this.#geometry, error, batch.progress.sent, payloads.length) : error;
    }
  }

  /**
   * As `sendMany`, blocking the thread.
   *
   * @param arrayOfBytes the payloads, each as for `trySend`
   * @param options how long to wait, and an object that receives the number sent
   * @throws {IsthmusError} BUSY while another call of this producer waits; otherwise as `sendMany`
   */
  sendManySync(arrayOfBytes: readonly T[], options?: SendManySyncOptions): void {
    const payloads = this.#payloads(arrayOfBytes);
    const how = waitingSync(options, ["progress"]);
    const batch = this.#batch(payloads, options?.progress);
    this.#checkAlone();
    try {
      waitSync(this.#lease.attachment, this.#forRoom(batch.attempt), how);
    } catch (error) {
      throw sentInPart(this.#geometry, error, batch.progress.sent, payloads.length);
    }
  }

  #batch(payloads: readonly Uint8Array[], given: SendProgress | undefined) {
    const progress = given === undefined ? { sent: 0 } : objectOf("progress", given);
    if (!Reflect.set(progress, "sent", 0)) {
      throw new TypeError("progress must be an object that can get a property sent, got a frozen one");
    }
    const attempt = (): undefined | typeof NOT_YET => {
      progress.sent += this.#appendMany(payloads, progress.sent);
      return progress.sent === payloads.length ? undefined : NOT_YET;
    };
    return { progress, attempt };
  }

  /** Returns the array itself if all its elements are bytes that can fit. So errors are found before anything is sent. */
  #checked(arrayOfBytes: readonly unknown[]): readonly unknown[] {
    if (!isArray(arrayOfBytes)) throw wrongType("arrayOfBytes", "an array of Uint8Array", arrayOfBytes);
    this.#checkOpen();
    for (let i = 0; i < arrayOfBytes.length; i++)
      checkFits(elementOf(arrayOfBytes, i).length, this.#geometry);
    return arrayOfBytes;
  }

  /** Returns a new array, with copies of the bytes of values. */
  #payloads(given: readonly unknown[]): Uint8Array[] {
    const { layout } = this;
    if (layout === undefined) return this.#checked(given).map((_, index) => elementOf(given, index));
    if (!isArray(given)) throw wrongType("arrayOfBytes", "an array of values", given);
    this.#checkOpen();
    return given.map((value) => {
      const staged = layout.stage(value as StructInput<Fields>);
      const copy = staged.bytes.slice();
      layout.done(staged);
      return copy;
    });
  }

  /** Sends payloads from an index on, as far as there is room, and publishes them together. Returns their number. */
  #appendMany(payloads: readonly unknown[], begin: number): number {
    const core = this.#core;
    const u8 = this.#u8;
    const { attachment } = this;
    if (this.#state !== "open") throw producerUnusable(this.#geometry, this.#state);
    if (attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    // The offset of this producer moves only when records are published.
    let from = this.#at;
    let at = from;
    let room = this.#room;
    let staged = 0;
    let payloadBytes = 0;
    let index = begin;
    for (; index < payloads.length; index++) {
      const bytes = elementOf(payloads, index);
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
    if (index > begin) this.#stamp.write();
    return index - begin;
  }

  /** Publishes the staged records, from the current offset to another one. */
  #publish(to: number, records: number, payloadBytes: number): void {
    if (records === 0) return;
    const bytes = to - this.#at;
    const result = this.#core.ringPublish(this.#ring, bytes, records, payloadBytes) >>> 0;
    if (isError(result)) throw sendFailed(result, this.#geometry);
    this.#at = to;
    this.#room -= bytes;
    if (flagsOf(result) & FLAG_WAKE) this.attachment.notify(this.#waitersData);
  }

  /**
   * Claims room that the caller fills in place, without a copy.
   *
   * @param length bytes, 0 to capacity - 8; optional in a ring with a layout, where all records have the same length
   * @returns undefined when the ring is full, or when other calls wait for room: they come first
   * @throws {TypeError | RangeError} when the length is no such number
   * @throws {IsthmusError} as `trySend`
   */
  tryClaim(length?: number): Claim<F> | undefined {
    const bytes = this.#claimBytes(length);
    if (this.#queue.length > 0) return this.#comesLater(bytes) || undefined;
    return this.#makeRoom(bytes) ? this.#claim(bytes) : undefined;
  }

  /**
   * Waits for room and claims it. The caller fills it in place. Calls are served in their order, and later calls wait until the
   * claim has ended.
   *
   * @param length as for `tryClaim`
   * @param options how long to wait, and a signal that ends it
   * @returns the claim
   * @throws {TypeError | RangeError} when the length is no such number
   * @throws {IsthmusError} as `send`
   * @throws the signal's reason, when it is aborted
   */
  async claim(length?: number, options?: WaitOptions): Promise<Claim<F>> {
    const bytes = this.#claimBytes(length);
    const how = waiting(options);
    const refusal = this.#refusal();
    if (refusal) return failInTurn(refusal);
    const attempt = () => (this.#makeRoom(bytes) ? this.#claim(bytes) : NOT_YET);
    return wait(this.#lease.attachment, this.#forRoom(attempt, this.#queue), how);
  }

  /**
   * As `claim`, blocking the thread.
   *
   * @param length as for `tryClaim`
   * @param options how long to wait
   * @returns the claim
   * @throws {TypeError | RangeError} when the length is no such number
   * @throws {IsthmusError} BUSY while another call of this producer waits; otherwise as `send`
   */
  claimSync(length?: number, options?: WaitSyncOptions): Claim<F> {
    const bytes = this.#claimBytes(length);
    const how = waitingSync(options);
    this.#checkAlone();
    const attempt = () => (this.#makeRoom(bytes) ? this.#claim(bytes) : NOT_YET);
    return waitSync(this.#lease.attachment, this.#forRoom(attempt), how);
  }

  #claimBytes(length: number | undefined): number {
    const { layout } = this;
    if (layout === undefined) return integer("length", length, 0, 2 ** 32);
    return length === undefined ? layout.bytes : integer("length", length, layout.bytes, layout.bytes);
  }

  #claim(length: number): Claim<F> {
    this.#state = "claimed";
    return new Claim(OURS, this, this.#at + RECORD_HEADER_BYTES, length);
  }

  /** @internal */
  commitClaim(length: number): void {
    if (this.#state !== "claimed") throw producerUnusable(this.#geometry, this.#state);
    this.abortClaim();
    if (this.attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    this.#commit(this.#at, length);
  }

  /** @internal */
  abortClaim(): void {
    if (this.#state !== "claimed") return;
    this.#state = "open";
    if (this.#queue.length > 0) lookAgain(this.attachment, this.#waitersRoom);
  }

  /**
   * Completes the stream: sends what waiting calls were given, and then gives the end back. After this call begins, nothing
   * more can be sent. If it fails, the producer stays open. Does nothing after `end` or `close`.
   *
   * @param options how long to wait, and a signal that ends it
   * @throws {IsthmusError} TIMED_OUT; BUSY while a claim is open; CLOSED: the producer or its segment was closed meanwhile;
   *   PEER_DIED as `send`; EVICTED
   * @throws the signal's reason, when it is aborted
   */
  async end(options?: WaitOptions): Promise<void> {
    const how = waiting(options);
    if (this.#state === "closed") return inTurn(undefined);
    if (this.#state === "claimed" && this.#queue.length === 0)
      throw producerUnusable(this.#geometry, "claimed");
    const attempt = (): void => {
      if (this.#ended) return;
      if (this.#state === "closed") throw producerUnusable(this.#geometry, "closed");
      if (this.attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
      this.#ended = true;
      this.close();
    };
    this.#ending++;
    try {
      const condition = this.#forRoom<void>(attempt, this.#queue);
      await wait(this.#lease.attachment, { ...condition, failed() {} }, how);
    } finally {
      this.#ending--;
    }
  }

  /**
   * Gives the end back at once. Calls that wait get CLOSED. When the consumer has received everything, it sees the end of the
   * stream. Use `end` to send everything that waits first. If the process or worker ends without either call, the consumer gets
   * PEER_DIED, because the stream may be incomplete. Never throws.
   */
  close(): void {
    this.#giveBack(ringCloseProducer);
  }

  /** @internal As `close`, and the consumer gets PEER_DIED: the stream is not complete. */
  abandon(): void {
    this.#giveBack(ringAbandonProducer);
  }

  #giveBack(how: (attachment: Attachment, ring: number) => void): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#part.giving = how;
    this.#stamp.ended = true;
    if (this.#queue.length > 0) lookAgain(this.attachment, this.#waitersRoom);
    this.#part.giveBack();
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * As `end`: for `await using`.
   *
   * @throws {IsthmusError} as `end`
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
