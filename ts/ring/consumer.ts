import { END_LIVE } from "../../protocol/layout.js";
import {
  integer,
  OURS,
  oneOf,
  options,
  type Waiting,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
} from "../arguments.js";
import type { PrivateBytes } from "../bytes.js";
import type { Core } from "../core.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { checkOtherEnd, EndPart, takeEnd } from "../segment/end.js";
import type { Fields, Struct } from "../struct/struct.js";
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
import { checkHandle, RingCursor } from "./cursor.js";
import { endOf, type RingGeometry, ringCloseConsumer } from "./end.js";
import { consumerUnusable, producerDied, receivesWait } from "./errors.js";
import { lengthsInto, slabInto } from "./packed.js";
import type { FieldsOf } from "./payload.js";
import { HandedRecord, type RingRecord } from "./record.js";
import { RingRecords, type Told } from "./records.js";
import { type Stream, StreamEnds } from "./stream-ends.js";

/** How a consumer acknowledges records. */
export interface ConsumerOptions {
  /**
   * When a record is acknowledged, so that it is not delivered again if this process is killed.
   *
   * "batch" (the default): in batches. After a kill, at most 64 records that were received, and at most an eighth of the
   * capacity, are delivered again. A record larger than that is acknowledged when it is received. "each": a received record is
   * acknowledged when the next one is asked for, so that only the record at work is delivered again. This costs one more call
   * of the core per record. docs/recovery.md has the details for each form.
   */
  acknowledge?: "batch" | "each" | undefined;
}

/** How many records `tryDrain` takes. */
export interface TryDrainOptions {
  /** The most records to handle, from 0. Default: all that are there. */
  limit?: number | undefined;
}

/** How many records `drain` takes, and how long it waits for the first one. */
export interface DrainOptions extends WaitOptions, TryDrainOptions {}

/** How many records `drainSync` takes, and how long it waits for the first one. */
export interface DrainSyncOptions extends WaitSyncOptions, TryDrainOptions {}

/** The bytes of a value in private memory. */
interface Copied {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** @internal Whether each record is acknowledged on its own. */
export function acknowledgesEach(value: unknown): boolean {
  return value !== undefined && oneOf("acknowledge", value, ["batch", "each"]) === "each";
}

/**
 * The receiving end of a ring, made by `ring.consumer()`. One participant holds it at a time.
 *
 * Calls that wait are served in their order. While one waits, the forms with "try" find nothing. When the producer closes its
 * end or dies, every waiting call and every loop learns of it, after the last record, unless another producer has taken the end
 * by then.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("lines", { bytes: 1 * MiB });
 * const producer = ring.producer();
 * using consumer = ring.consumer();
 * producer.trySendMany(["one", "two", "three"].map((line) => new TextEncoder().encode(line)));
 * console.log(consumer.tryDrain((record) => console.log(record.byteLength), { limit: 2 }));
 * producer.close();
 * for await (const bytes of consumer) console.log(new TextDecoder().decode(bytes));
 * ```
 */
export class Consumer<T = PrivateBytes, F extends Fields = FieldsOf<T>> implements AsyncIterable<T> {
  static {
    describe(Consumer.prototype, "Consumer", (consumer) => ({
      ring: consumer.#geometry.name,
      state: consumer.#cursor.closed ? "closed" : "open",
    }));
    disposable(Consumer.prototype, (consumer) => consumer.close());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #lease: Lease;
  readonly #core: Core;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #waitersData: number;
  readonly #layout: Struct<Fields> | undefined;
  /**
   * A buffer to which values are copied before they are read, because a hostile peer may change the shared bytes at any moment.
   */
  readonly #own: Copied | undefined;
  readonly #cursor: RingCursor;
  /** The record that the user has; it was not released yet. */
  #peeked: HandedRecord | undefined;
  /** The object that represents all records of `drain`. */
  readonly #drained: HandedRecord;
  #draining = false;
  /** Calls that wait. */
  readonly #queue = new Queue<QueuedWait>();
  readonly #part: EndPart;
  readonly #ends = new StreamEnds();

  /** @internal */
  constructor(lease: Lease, geometry: RingGeometry, each: boolean, at?: number) {
    checkMade(lease, "Consumer", "ring.consumer()");
    const { attachment } = lease;
    const { core } = attachment;
    const { ring, layout } = geometry;
    this.#lease = lease;
    this.#core = core;
    this.#geometry = geometry;
    this.#ring = ring;
    this.#layout = layout;
    if (layout) {
      const bytes = new Uint8Array(layout.bytes);
      this.#own = { bytes, view: new DataView(bytes.buffer) };
    }
    this.#waitersData = core.ringWaitersData(ring) >>> 0;
    this.#cursor = new RingCursor(
      attachment,
      geometry,
      at ?? takeEnd(attachment, endOf(attachment, "consumer", geometry)),
      each,
    );
    const { record } = this.#cursor;
    this.#drained = new HandedRecord(OURS, record, layout, () => {
      throw new IsthmusError("BUSY", "drain releases its records itself");
    });
    this.#part = new EndPart(attachment, this, ring, ringCloseConsumer, false);
  }

  #unusable(): IsthmusError {
    const state = this.#cursor.closed ? "closed" : this.#draining ? "draining" : "peeked";
    return consumerUnusable(this.#geometry, state);
  }

  #usable(): void {
    if (this.#cursor.closed || this.#peeked) throw this.#unusable();
  }

  /** Throws when a call that blocks would overtake those that wait. */
  #checkAlone(): void {
    this.#usable();
    if (this.#queue.length > 0) throw receivesWait(this.#geometry);
  }

  /**
   * Receives a copy of the next record.
   *
   * @returns undefined when there is none now, or when other calls wait for one: they come first. Bytes are private memory; in
   *   a ring with a layout it is a value
   * @throws {IsthmusError} BUSY while a peeked record is not released; CLOSED: the consumer or its segment was closed; EVICTED:
   *   this participant was removed; CORRUPT when the ring is damaged
   */
  tryReceive(): T | undefined {
    if (this.#cursor.closed || this.#peeked) this.#usable();
    if (this.#queue.length > 0) return undefined;
    let taken = this.#take();
    while (taken === undefined && this.#cursor.passEnd()) taken = this.#take();
    return taken;
  }

  #take(): T | undefined {
    const cursor = this.#cursor;
    if (!cursor.next()) return undefined;
    const copy = this.#layout === undefined ? cursor.record.slice() : this.#value(this.#layout);
    cursor.take();
    return copy as T;
  }

  #value(layout: Struct<Fields>): unknown {
    const { record } = this.#cursor;
    const own = this.#own as Copied;
    record.copy(own.bytes);
    return layout.codec.read(own.view, 0);
  }

  /**
   * Copies the bytes of the next record to the start of a buffer of the caller, without allocating memory.
   *
   * @param target at least as long as the record
   * @returns bytes of the record; undefined as for `tryReceive`
   * @throws {TypeError | RangeError} when the target is not a Uint8Array, or is too short; the record stays in the ring
   * @throws {IsthmusError} as `tryReceive`
   */
  tryReceiveInto(target: Uint8Array): number | undefined {
    this.#cursor.record.aim(target);
    if (this.#cursor.closed || this.#peeked) this.#usable();
    if (this.#queue.length > 0) return undefined;
    let length = this.#takeInto(target);
    while (length === undefined && this.#cursor.passEnd()) length = this.#takeInto(target);
    return length;
  }

  #takeInto(target: Uint8Array): number | undefined {
    if (!this.#cursor.next()) return undefined;
    const length = this.#cursor.record.copy(target);
    this.#cursor.take();
    return length;
  }

  /**
   * Returns the next record in place, without a copy. It stays the next one until it is released.
   *
   * @returns undefined when there is none now, or when other calls wait for one: they come first
   * @throws {IsthmusError} BUSY inside `drain`; CLOSED, EVICTED, CORRUPT as `tryReceive`
   */
  tryPeek(): RingRecord<F> | undefined {
    if (this.#peeked && !this.#draining && !this.#cursor.closed) return this.#peeked;
    this.#usable();
    if (this.#queue.length > 0) return undefined;
    let peeked = this.#peek();
    while (peeked === undefined && this.#cursor.passEnd()) peeked = this.#peek();
    return peeked;
  }

  #peek(): RingRecord<F> | undefined {
    const { record } = this.#cursor;
    if (!this.#cursor.next()) return undefined;
    const peeked = new HandedRecord(OURS, record, this.#layout, this.#release);
    this.#hand(peeked);
    return peeked;
  }

  /** Records that the user has a record, or has it no more. */
  #hand(record: HandedRecord | undefined): void {
    if (this.#peeked) this.#peeked.valid = false;
    this.#peeked = record;
    if (record) record.valid = true;
  }

  readonly #release = (): void => {
    this.#hand(undefined);
    if (this.#queue.length > 0) lookAgain(this.#lease.attachment, this.#waitersData);
    this.#cursor.takeAndRelease();
  };

  /**
   * Waits for the next record and returns it in place. Calls are served in their order. Later calls wait until the record is
   * released.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns undefined once at the end of the stream, as `receive`
   * @throws {IsthmusError} as `receive`
   * @throws the signal's reason, when it is aborted
   */
  async peek(options?: WaitOptions): Promise<RingRecord<F> | undefined> {
    return this.#wait(() => this.#peek(), undefined, this.#ends.newcomer(), waiting(options));
  }

  /**
   * As `peek`, blocking the thread.
   *
   * @param options how long to wait
   * @returns as `peek`
   * @throws {IsthmusError} BUSY while another call of this consumer waits; DEADLOCK as `receiveSync`; otherwise as `peek`
   */
  peekSync(options?: WaitSyncOptions): RingRecord<F> | undefined {
    return this.#waitSync(() => this.#peek(), undefined, waitingSync(options));
  }

  /**
   * Waits for the next record and returns a copy. Calls are served in their order.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns undefined when the producer has closed its end and everything was received: once for each call that waits then;
   *   later calls wait for the next producer
   * @throws {IsthmusError} PEER_DIED in the same way when the producer died, or ended without `close`, and everything it had sent
   *   was received; TIMED_OUT; otherwise as `tryReceive`
   * @throws the signal's reason, when it is aborted
   */
  async receive(options?: WaitOptions): Promise<T | undefined> {
    return this.#wait(() => this.#take(), undefined, this.#ends.newcomer(), waiting(options));
  }

  /**
   * Returns a copy of the next record, blocking the thread until there is one.
   *
   * @param options how long to wait
   * @returns as `receive`
   * @throws {IsthmusError} BUSY while another call of this consumer waits; DEADLOCK when it would wait without a `timeoutMs` and
   *   this thread holds the producer's end, too; otherwise as `receive`
   */
  receiveSync(options?: WaitSyncOptions): T | undefined {
    return this.#waitSync(() => this.#take(), undefined, waitingSync(options));
  }

  /**
   * As `tryReceiveInto`, waiting for a record.
   *
   * @param target at least as long as the record
   * @param options how long to wait, and a signal that ends it
   * @returns bytes of the record; undefined once at the end of the stream, as `receive`
   * @throws {TypeError | RangeError} as `tryReceiveInto`
   * @throws {IsthmusError} as `receive`
   * @throws the signal's reason, when it is aborted
   */
  async receiveInto(target: Uint8Array, options?: WaitOptions): Promise<number | undefined> {
    this.#cursor.record.aim(target);
    return this.#wait(() => this.#takeInto(target), undefined, this.#ends.newcomer(), waiting(options));
  }

  /**
   * As `receiveInto`, blocking the thread.
   *
   * @param target at least as long as the record
   * @param options how long to wait
   * @returns as `receiveInto`
   * @throws {TypeError | RangeError} as `tryReceiveInto`
   * @throws {IsthmusError} BUSY while another call of this consumer waits; DEADLOCK as `receiveSync`; otherwise as `receive`
   */
  receiveIntoSync(target: Uint8Array, options?: WaitSyncOptions): number | undefined {
    this.#cursor.record.aim(target);
    return this.#waitSync(() => this.#takeInto(target), undefined, waitingSync(options));
  }

  #wait<V, E>(take: () => V | undefined, atEnd: E, told: Told, how: Waiting): Promise<V | E> {
    if (this.#cursor.closed || this.#peeked) return failInTurn(this.#unusable());
    return wait(this.#lease.attachment, this.#forRecord(take, atEnd, told, this.#queue), how);
  }

  #waitSync<V, E>(take: () => V | undefined, atEnd: E, how: Waiting): V | E {
    this.#checkAlone();
    return waitSync(this.#lease.attachment, this.#forRecord(take, atEnd, this.#ends.now()), how);
  }

  /** The condition of a call that waits for a record, or for the end of the stream, which it learns once. */
  #forRecord<V, E>(
    take: () => V | undefined,
    atEnd: E,
    told: Told,
    queue?: Queue<QueuedWait>,
  ): Condition<V | E> {
    const { attachment } = this.#lease;
    return {
      what: `waiting for a record in ring "${this.#geometry.name}"`,
      waiters: this.#waitersData,
      queue,
      attempt: () => {
        if (this.#cursor.closed) this.#usable();
        // A peeked record comes first. It is released soon.
        if (queue && this.#peeked && this.#ends.knows(told)) return NOT_YET;
        return this.#ends.attempt(this.#stream, take, atEnd, told, queue !== undefined);
      },
      checkBlocking: () => checkOtherEnd(attachment, endOf(attachment, "producer", this.#geometry)),
      recheck: () => {
        if (this.#core.ringProducerState(this.#ring) === END_LIVE) attachment.markSuspectDead();
      },
    };
  }

  readonly #stream: Stream = {
    end: () => this.#core.ringEnd(this.#ring, this.#geometry.capacity),
    died: () => producerDied(this.#geometry),
  };

  /**
   * Calls a function for every record that is there now, in place. It releases the records in batches, or one by one if the
   * consumer acknowledges each.
   *
   * Inside the function, all other calls that would take a record of this consumer get BUSY. `close`, of the consumer or of the
   * segment, ends the drain: the current record counts as handled here, but it is not acknowledged, so it is the first record of
   * the next consumer.
   *
   * @param handle gets a record that is valid during the call; if it throws, that record stays in the ring
   * @param given at most how many records
   * @returns number of records handled; 0 when there is none now, or when other calls wait for one: they come first
   * @throws {TypeError} when the function is async, a generator, or returns a promise; the record stays in the ring then
   * @throws what the function throws
   * @throws {IsthmusError} as `tryReceive`
   */
  tryDrain(handle: (record: RingRecord<F>) => void, given?: TryDrainOptions): number {
    checkHandle(handle);
    const limit = limitOf(options<TryDrainOptions>("options", given, ["limit"]));
    this.#usable();
    if (this.#queue.length > 0) return 0;
    let handled = this.#drain(handle, limit);
    while (handled < limit && this.#cursor.passEnd()) handled += this.#drain(handle, limit - handled);
    return handled;
  }

  #drain(handle: (record: RingRecord<F>) => void, limit: number): number {
    let handled = 0;
    let found = false;
    this.#draining = true;
    try {
      while (handled < limit && !this.#cursor.closed) {
        found = this.#cursor.next();
        if (!found) break;
        this.#hand(this.#drained);
        handled += this.#cursor.walk(handle, this.#drained, limit - handled);
      }
    } finally {
      this.#draining = false;
      this.#hand(undefined);
      // If there was no record, the core has already published everything.
      if (found && !this.#cursor.closed && (handled > 0 || this.#cursor.behind)) this.#cursor.release();
    }
    return handled;
  }

  /**
   * Waits for a record. Then calls a function for it and for all records that are there, as `tryDrain`.
   *
   * @param handle as for `tryDrain`
   * @param given at most how many records, how long to wait for the first one, and a signal that ends the wait
   * @returns number of records handled, from 1; 0 once at the end of the stream, as `receive` gives undefined, or when the limit
   *   is 0
   * @throws {TypeError} as `tryDrain`
   * @throws what the function throws
   * @throws {IsthmusError} as `receive`
   * @throws the signal's reason, when it is aborted
   */
  async drain(handle: (record: RingRecord<F>) => void, given?: DrainOptions): Promise<number> {
    checkHandle(handle);
    const how = waiting(given, ["limit"]);
    const limit = limitOf(given ?? {});
    if (limit === 0) this.#usable();
    if (limit === 0) return inTurn(0);
    return this.#wait(() => this.#drain(handle, limit) || undefined, 0, this.#ends.newcomer(), how);
  }

  /**
   * As `drain`, blocking the thread until there is a record.
   *
   * @param handle as for `tryDrain`
   * @param given at most how many records, and how long to wait for the first one
   * @returns as `drain`
   * @throws {TypeError} as `tryDrain`
   * @throws what the function throws
   * @throws {IsthmusError} BUSY while another call of this consumer waits; DEADLOCK as `receiveSync`; otherwise as `receive`
   */
  drainSync(handle: (record: RingRecord<F>) => void, given?: DrainSyncOptions): number {
    checkHandle(handle);
    const how = waitingSync(given, ["limit"]);
    const limit = limitOf(given ?? {});
    if (limit === 0) this.#usable();
    if (limit === 0) return 0;
    // The function runs when the thread does not block any more: it may block itself, or end what is waited for.
    const some = this.#waitSync(() => this.#cursor.next() || undefined, false, how);
    return some ? this.#drain(handle, limit) : 0;
  }

  /**
   * Copies the payloads of as many records as are there and have room, one behind the other without gaps: no memory is
   * allocated. For many small records the fastest form. They count as consumed as those of `tryReceive`; where each is
   * acknowledged, all of them when the next record is asked for.
   *
   * @param slab gets the payloads, from its start
   * @param lengths gets the bytes of each payload, from its start
   * @returns number of records; 0 when there is none now, when other calls wait for one, or when `lengths` is empty
   * @throws {TypeError | RangeError} when the arguments are no such arrays, or the slab is too short for the first record, which
   *   stays
   * @throws {IsthmusError} as `tryReceive`
   */
  tryDrainInto(slab: Uint8Array, lengths: Uint32Array): number {
    const into = slabInto(slab);
    const bytes = lengthsInto(lengths);
    this.#usable();
    if (this.#queue.length > 0) return 0;
    let packed = this.#cursor.pack(into, bytes);
    while (packed === 0 && bytes.length > 0 && this.#cursor.passEnd())
      packed = this.#cursor.pack(into, bytes);
    return packed;
  }

  /**
   * As `tryDrainInto`, waiting for a record.
   *
   * @param slab as for `tryDrainInto`
   * @param lengths as for `tryDrainInto`
   * @param options how long to wait, and a signal that ends it
   * @returns number of records, from 1; 0 once at the end of the stream, as `receive` gives undefined, or when `lengths` is empty
   * @throws {TypeError | RangeError} as `tryDrainInto`
   * @throws {IsthmusError} as `receive`
   * @throws the signal's reason, when it is aborted
   */
  async drainInto(slab: Uint8Array, lengths: Uint32Array, options?: WaitOptions): Promise<number> {
    const into = slabInto(slab);
    const bytes = lengthsInto(lengths);
    const how = waiting(options);
    if (bytes.length === 0) this.#usable();
    if (bytes.length === 0) return inTurn(0);
    return this.#wait(() => this.#cursor.pack(into, bytes) || undefined, 0, this.#ends.newcomer(), how);
  }

  /**
   * As `drainInto`, blocking the thread.
   *
   * @param slab as for `tryDrainInto`
   * @param lengths as for `tryDrainInto`
   * @param options how long to wait
   * @returns as `drainInto`
   * @throws {TypeError | RangeError} as `tryDrainInto`
   * @throws {IsthmusError} BUSY while another call of this consumer waits; DEADLOCK as `receiveSync`; otherwise as `receive`
   */
  drainIntoSync(slab: Uint8Array, lengths: Uint32Array, options?: WaitSyncOptions): number {
    const into = slabInto(slab);
    const bytes = lengthsInto(lengths);
    const how = waitingSync(options);
    if (bytes.length === 0) this.#usable();
    if (bytes.length === 0) return 0;
    return this.#waitSync(() => this.#cursor.pack(into, bytes) || undefined, 0, how);
  }

  /**
   * Iterates over copies of all records, until the producer closes its end. Several loops may share a consumer: each record
   * goes to one of them, and all of them end. A loop that begins after an end was reported waits for the next producer, as
   * `receive` does, so a loop in a loop serves one producer after the other. Leaving a loop (`break`, `return`, an exception,
   * an aborted signal) leaves the consumer open, ends the pending receive, and takes no record.
   *
   * @param options how long to wait for each record, and a signal that ends the loop
   * @returns an iterator for `for await`
   * @throws {IsthmusError} as `receive`, from the loop: PEER_DIED if the producer died, or ended without `close`
   * @throws the signal's reason, when it is aborted
   */
  records(options?: WaitOptions): AsyncIterableIterator<T> {
    const receive = (told: Told | undefined, how: Waiting) => {
      const known = told ?? this.#ends.newcomer();
      return { told: known, next: this.#wait(() => this.#take(), undefined, known, how) };
    };
    return new RingRecords<T>(receive, waiting(options));
  }

  /**
   * As `records()`.
   *
   * @returns an iterator for `for await`
   * @throws {IsthmusError} as `receive`, from the loop
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this.records();
  }

  /**
   * Gives the end back. Received records are acknowledged. A peeked record, or the current record of `drain`, is the first
   * record of the next consumer. Calls that wait get CLOSED. Never throws.
   */
  close(): void {
    if (this.#cursor.closed) return;
    try {
      this.#cursor.release();
    } catch {
      // The ring is damaged, or this participant was evicted: nothing can be released, but the end is given back
      // nevertheless.
    }
    this.#cursor.closed = true;
    this.#part.giving = ringCloseConsumer;
    if (this.#peeked) this.#peeked.valid = false;
    if (this.#queue.length > 0) lookAgain(this.#lease.attachment, this.#waitersData);
    this.#part.giveBack();
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** @internal The most records that a drain handles. */
export function limitOf({ limit = Number.MAX_SAFE_INTEGER }: TryDrainOptions): number {
  return integer("limit", limit, 0, Number.MAX_SAFE_INTEGER);
}
