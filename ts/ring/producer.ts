import { EVICTED } from "../../protocol/errors.js";
import { END_LIVE, RECORD_HEADER_BYTES } from "../../protocol/layout.js";
import {
  bytesOf,
  elementOf,
  integer,
  isArray,
  OURS,
  objectOf,
  type Waiting,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
  wrongType,
} from "../arguments.js";
import type { Core } from "../core.js";
import { disposable } from "../disposal.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { checkOtherEnd, EndPart, takeEnd } from "../segment/end.js";
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
import { endOf, type RingGeometry, ringAbandonProducer, ringCloseProducer } from "./end.js";
import { checkFits, consumerDied, producerUnusable, sendFailed, sendsWait, sentInPart } from "./errors.js";
import { RingHead } from "./head.js";
import { isLengths, lengthsOf } from "./packed.js";
import type { FieldsOf } from "./payload.js";

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
      state: producer.#head.state,
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
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #waitersRoom: number;
  readonly #head: RingHead;
  /** Calls of `end` that wait: nothing more may be sent. */
  #ending = 0;
  /** Whether `end` has completed the stream. */
  #ended = false;
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
    this.#geometry = geometry;
    this.#ring = ring;
    this.#waitersRoom = core.ringWaitersRoom(ring) >>> 0;
    const begin = at ?? takeEnd(attachment, endOf(attachment, "producer", geometry));
    this.#head = new RingHead(attachment, geometry, begin);
    this.#part = new EndPart(attachment, this, ring, ringCloseProducer, true);
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
    return this.#queue.length === 0 ? this.#head.append(payload) : this.#comesLater(payload.length);
  }

  #trySendValue(layout: Struct<Fields>, value: unknown): boolean {
    const staged = layout.stage(value as never);
    const { bytes } = staged;
    // Getters of the value have run. They may have sent something, closed the producer, or begun to wait.
    const sent = this.#queue.length === 0 ? this.#head.append(bytes) : this.#comesLater(bytes.length);
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
    if (this.#head.state !== "open") return producerUnusable(this.#geometry, this.#head.state);
    return this.#ending > 0 ? producerUnusable(this.#geometry, "ending") : undefined;
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
    const attempt = (): undefined | typeof NOT_YET => (this.#head.append(payload) ? undefined : NOT_YET);
    return wait(this.#lease.attachment, this.#forRoom(attempt, this.#queue), how);
  }

  /**
   * Sends a copy of the payload, blocking the thread until there is room.
   *
   * @param bytes the payload, as for `trySend`
   * @param options how long to wait
   * @throws {IsthmusError} BUSY while another call of this producer waits; DEADLOCK when it would wait without a `timeoutMs` and
   *   this thread holds the consumer's end, too; otherwise as `send`
   */
  sendSync(bytes: T, options?: WaitSyncOptions): void {
    const payload = this.#payload(bytes);
    const how = waitingSync(options);
    this.#checkAlone();
    if (options === undefined && this.#head.append(payload)) return;
    const attempt = (): undefined | typeof NOT_YET => (this.#head.append(payload) ? undefined : NOT_YET);
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
        if (queue && this.#head.state === "claimed") return NOT_YET;
        const value = attempt();
        if (value === NOT_YET) this.#checkConsumer();
        return value;
      },
      checkBlocking: () => checkOtherEnd(this.attachment, endOf(this.attachment, "consumer", this.#geometry)),
      recheck: () => {
        if (this.#core.ringConsumerState(this.#ring) === END_LIVE) this.attachment.markSuspectDead();
      },
      failed: (gaveUp) => {
        if (gaveUp && this.#head.state !== "closed") this.#core.countDrop();
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
    if (this.layout === undefined && this.#queue.length === 0) {
      this.#checkArray(arrayOfBytes);
      return this.#head.appendMany(arrayOfBytes, 0, false);
    }
    const payloads = this.#payloads(arrayOfBytes);
    return this.#queue.length === 0 ? this.#head.appendMany(payloads, 0, true) : 0;
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
    const append = (sent: number): number => this.#head.appendMany(payloads, sent, true);
    return this.#sendAll(payloads.length, append, how, options?.progress);
  }

  /** Waits until all records are sent, in as many calls of `append` as that takes; each begins behind what was sent. */
  async #sendAll(
    all: number,
    append: (sent: number) => number,
    how: Waiting,
    given: SendProgress | undefined,
  ): Promise<void> {
    const batch = this.#batch(all, append, given);
    this.#checkOpen();
    try {
      return await wait(this.#lease.attachment, this.#forRoom(batch.attempt, this.#queue), how);
    } catch (error) {
      const own = error !== how.signal?.reason;
      throw own ? sentInPart(this.#geometry, error, batch.progress.sent, all) : error;
    }
  }

  /**
   * As `sendMany`, blocking the thread.
   *
   * @param arrayOfBytes the payloads, each as for `trySend`
   * @param options how long to wait, and an object that receives the number sent
   * @throws {IsthmusError} BUSY while another call of this producer waits; DEADLOCK as `sendSync`; otherwise as `sendMany`
   */
  sendManySync(arrayOfBytes: readonly T[], options?: SendManySyncOptions): void {
    const payloads = this.#payloads(arrayOfBytes);
    const how = waitingSync(options, ["progress"]);
    const append = (sent: number): number => this.#head.appendMany(payloads, sent, true);
    this.#sendAllSync(payloads.length, append, how, options?.progress);
  }

  #sendAllSync(
    all: number,
    append: (sent: number) => number,
    how: Waiting,
    given: SendProgress | undefined,
  ): void {
    const batch = this.#batch(all, append, given);
    this.#checkAlone();
    try {
      waitSync(this.#lease.attachment, this.#forRoom(batch.attempt), how);
    } catch (error) {
      throw sentInPart(this.#geometry, error, batch.progress.sent, all);
    }
  }

  #batch(all: number, append: (sent: number) => number, given: SendProgress | undefined) {
    const progress = given === undefined ? { sent: 0 } : objectOf("progress", given);
    if (!Reflect.set(progress, "sent", 0)) {
      throw new TypeError("progress must be an object that can get a property sent, got a frozen one");
    }
    const attempt = (): undefined | typeof NOT_YET => {
      const before = progress.sent;
      this.#head.sent = 0;
      try {
        append(before);
      } finally {
        progress.sent = before + this.#head.sent;
      }
      return progress.sent === all ? undefined : NOT_YET;
    };
    return { progress, attempt };
  }

  /**
   * Sends copies of as many payloads as there is room for, in order. They lie one behind the other, without gaps, in one array of
   * bytes, which is copied in one piece: for many small records the fastest form.
   *
   * @param slab the payloads, from its start; in a ring with a layout the bytes of values
   * @param lengths bytes of each payload, each 0 to capacity - 8; together no more than the slab
   * @returns how many were sent; 0 when other calls wait for room: they come first
   * @throws {TypeError | RangeError} when the arguments are no such arrays; nothing is sent
   * @throws {IsthmusError} as `trySend`; when one of them is too large, none is sent
   */
  trySendPacked(slab: Uint8Array, lengths: Uint32Array | readonly number[]): number {
    const bytes = bytesOf("slab", slab);
    const alone = this.#queue.length === 0 && this.#head.state === "open" && this.#ending === 0;
    if (alone && isLengths(lengths)) {
      if (this.#head.appendStretch(bytes, lengths, this.layout?.bytes ?? -1)) return lengths.length;
    }
    const checked = lengthsOf(lengths, bytes, this.#geometry);
    this.#checkOpen();
    return this.#queue.length === 0 ? this.#head.appendPacked(bytes, 0, checked, 0) : 0;
  }

  /**
   * Sends copies of all payloads of a slab, in order, waiting for room. Nothing else of this producer comes between them. Neither
   * array must change meanwhile.
   *
   * @param slab as for `trySendPacked`
   * @param lengths as for `trySendPacked`
   * @param options how long to wait, a signal that ends it, and an object that says how many were sent
   * @throws {TypeError | RangeError} when the arguments are no such arrays; nothing is sent
   * @throws {IsthmusError} as `sendMany`
   * @throws the signal's reason, when it is aborted; `options.progress` says how many were sent
   */
  async sendPacked(
    slab: Uint8Array,
    lengths: Uint32Array | readonly number[],
    options?: SendManyOptions,
  ): Promise<void> {
    const bytes = bytesOf("slab", slab);
    const checked = lengthsOf(lengths, bytes, this.#geometry);
    const how = waiting(options, ["progress"]);
    return this.#sendAll(checked.length, this.#packed(bytes, checked), how, options?.progress);
  }

  /**
   * As `sendPacked`, blocking the thread.
   *
   * @param slab as for `trySendPacked`
   * @param lengths as for `trySendPacked`
   * @param options how long to wait, and an object that says how many were sent
   * @throws {TypeError | RangeError} when the arguments are no such arrays; nothing is sent
   * @throws {IsthmusError} BUSY while another call of this producer waits; DEADLOCK as `sendSync`; otherwise as `sendMany`
   */
  sendPackedSync(
    slab: Uint8Array,
    lengths: Uint32Array | readonly number[],
    options?: SendManySyncOptions,
  ): void {
    const bytes = bytesOf("slab", slab);
    const checked = lengthsOf(lengths, bytes, this.#geometry);
    const how = waitingSync(options, ["progress"]);
    this.#sendAllSync(checked.length, this.#packed(bytes, checked), how, options?.progress);
  }

  #packed(slab: Uint8Array, lengths: Uint32Array): (sent: number) => number {
    let known = 0;
    let from = 0;
    return (sent) => {
      for (; known < sent; known++) from += lengths[known];
      return this.#head.appendPacked(slab, from, lengths, sent);
    };
  }

  #checkArray(arrayOfBytes: unknown): void {
    if (!isArray(arrayOfBytes)) throw wrongType("arrayOfBytes", "an array of Uint8Array", arrayOfBytes);
    this.#checkOpen();
  }

  /** Returns a new array, with copies of the bytes of values. */
  #payloads(given: readonly unknown[]): Uint8Array[] {
    const { layout } = this;
    if (layout === undefined) {
      this.#checkArray(given);
      const payloads = given.map((_, index) => elementOf(given, index));
      this.#head.checkMany(payloads, 0);
      return payloads;
    }
    if (!isArray(given)) throw wrongType("arrayOfBytes", "an array of values", given);
    this.#checkOpen();
    return given.map((value) => {
      const staged = layout.stage(value as StructInput<Fields>);
      const copy = staged.bytes.slice();
      layout.done(staged);
      return copy;
    });
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
    return this.#head.makeRoom(bytes) ? this.#claim(bytes) : undefined;
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
    const attempt = () => (this.#head.makeRoom(bytes) ? this.#claim(bytes) : NOT_YET);
    return wait(this.#lease.attachment, this.#forRoom(attempt, this.#queue), how);
  }

  /**
   * As `claim`, blocking the thread.
   *
   * @param length as for `tryClaim`
   * @param options how long to wait
   * @returns the claim
   * @throws {TypeError | RangeError} when the length is no such number
   * @throws {IsthmusError} BUSY while another call of this producer waits; DEADLOCK as `sendSync`; otherwise as `send`
   */
  claimSync(length?: number, options?: WaitSyncOptions): Claim<F> {
    const bytes = this.#claimBytes(length);
    const how = waitingSync(options);
    this.#checkAlone();
    const attempt = () => (this.#head.makeRoom(bytes) ? this.#claim(bytes) : NOT_YET);
    return waitSync(this.#lease.attachment, this.#forRoom(attempt), how);
  }

  #claimBytes(length: number | undefined): number {
    const { layout } = this;
    if (layout === undefined) return integer("length", length, 0, 2 ** 32);
    return length === undefined ? layout.bytes : integer("length", length, layout.bytes, layout.bytes);
  }

  #claim(length: number): Claim<F> {
    const claim = new Claim<F>(OURS, this, this.#head.at + RECORD_HEADER_BYTES, length);
    this.#head.state = "claimed";
    return claim;
  }

  /** @internal */
  commitClaim(length: number): void {
    if (this.#head.state !== "claimed") throw producerUnusable(this.#geometry, this.#head.state);
    this.abortClaim();
    if (this.attachment.evicted) throw sendFailed(EVICTED, this.#geometry);
    this.#head.commit(length);
  }

  /** @internal */
  abortClaim(): void {
    if (this.#head.state !== "claimed") return;
    this.#head.state = "open";
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
    if (this.#head.state === "closed") return inTurn(undefined);
    if (this.#head.state === "claimed" && this.#queue.length === 0)
      throw producerUnusable(this.#geometry, "claimed");
    const attempt = (): void => {
      if (this.#ended) return;
      if (this.#head.state === "closed") throw producerUnusable(this.#geometry, "closed");
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
    if (this.#head.state === "closed") return;
    this.#head.state = "closed";
    this.#part.giving = how;
    this.#head.stamp.ended = true;
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
