import {
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
import { disposable } from "../disposal.js";
import type { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type DrainOptions, type DrainSyncOptions, limitOf, type TryDrainOptions } from "../ring/consumer.js";
import type { FieldsOf } from "../ring/payload.js";
import { RingRecords, type Told } from "../ring/records.js";
import { type Stream, StreamEnds } from "../ring/stream-ends.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { checkOtherEnd } from "../segment/end.js";
import type { Fields, Struct } from "../struct/struct.js";
import { checkSynchronous, refusePromise } from "../synchronous.js";
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
import { BroadcastCursor } from "./cursor.js";
import { publisherDied, receivesWait, subscriberUnusable } from "./errors.js";
import { type BroadcastGeometry, publisherEnd } from "./geometry.js";
import { type BroadcastRecord, HandedBroadcastRecord } from "./record.js";

const WHY_AT_ONCE =
  "the record is valid only during the call. Await before or after, or use for await, or peek() and record.release()";

/** Where a subscriber begins. */
export interface SubscriberOptions {
  /**
   * "now" (the default): with the first record that is published after this call; it is not told of a publisher that has ended
   * before. "oldest": with the oldest record that is still there; then it is told of the end of a publisher that has ended
   * already.
   */
  from?: "now" | "oldest" | undefined;
}

/** @internal Whether a subscriber begins with the oldest record. */
export function beginsWithOldest(given: SubscriberOptions | undefined): boolean {
  const { from } = options<SubscriberOptions>("options", given, ["from"]);
  return from !== undefined && oneOf("from", from, ["now", "oldest"]) === "oldest";
}

/**
 * A reader of a broadcast, made by `broadcast.subscriber()`: it gets every record that the publisher has not overwritten before
 * it was read, in order, and counts the others (`lost`). There may be any number of them, in any process, also of openers that
 * can only read. Nobody knows of them, and they cost the publisher nothing while they do not wait. Each has its own place: use
 * one for each task that needs every record.
 *
 * Calls that wait are served in their order. While one waits, the forms with "try" find nothing. When the publisher closes its
 * end or dies, every waiting call and every loop learns of it, after the last record, unless another publisher has taken the
 * end by then. A subscriber of a read-only opener looks every 2 ms instead of being woken.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ticks = segment.broadcast("ticks", { bytes: 1 * MiB });
 * const publisher = ticks.publisher();
 * using subscriber = ticks.subscriber();
 * publisher.publishMany(["one", "two", "three"].map((text) => new TextEncoder().encode(text)));
 * publisher.close();
 * for await (const bytes of subscriber) console.log(new TextDecoder().decode(bytes));
 * console.log(`${subscriber.lost} were lost`);
 * ```
 */
export class Subscriber<T = PrivateBytes, F extends Fields = FieldsOf<T>> implements AsyncIterable<T> {
  static {
    describe(Subscriber.prototype, "Subscriber", (one) => ({
      broadcast: one.#geometry.name,
      state: one.#closed || one.#lease.attachment.closed ? "closed" : "open",
      lost: one.lost,
    }));
    disposable(Subscriber.prototype, (subscriber) => subscriber.close());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #lease: Lease;
  readonly #geometry: BroadcastGeometry;
  readonly #waiters: number;
  readonly #layout: Struct<Fields> | undefined;
  /** A value in private memory, from which it is read: the shared bytes may change at any moment. */
  readonly #own: { bytes: Uint8Array; view: DataView } | undefined;
  readonly #cursor: BroadcastCursor;
  /** The record that the user has; it was not released yet. */
  #peeked: HandedBroadcastRecord | undefined;
  /** The object that represents all records of `drain`. */
  readonly #drained: HandedBroadcastRecord;
  #draining = false;
  #closed = false;
  /** Calls that wait. */
  readonly #queue = new Queue<QueuedWait>();
  readonly #ends = new StreamEnds();
  readonly #stream: Stream = {
    end: () => this.#cursor.end(),
    died: () => publisherDied(this.#geometry),
  };

  /** @internal */
  constructor(lease: Lease, geometry: BroadcastGeometry, fromOldest: boolean) {
    checkMade(lease, "Subscriber", "broadcast.subscriber()");
    const { attachment } = lease;
    const { layout } = geometry;
    attachment.check(!attachment.readOnly);
    this.#lease = lease;
    this.#geometry = geometry;
    this.#layout = layout;
    if (layout) {
      const bytes = new Uint8Array(layout.bytes);
      this.#own = { bytes, view: new DataView(bytes.buffer) };
    }
    this.#waiters = attachment.core.broadcastWaiters(geometry.topic) >>> 0;
    this.#cursor = new BroadcastCursor(attachment, geometry, fromOldest);
    this.#drained = new HandedBroadcastRecord(OURS, this.#cursor, layout, () => {
      throw this.#unusable();
    });
  }

  /**
   * How many records were overwritten before this subscriber has received them. Those between two records that it has received
   * are counted with the second one, and those before the end of a publisher with that end. So what it has received since it
   * began, and what it has lost, is what was published. Never throws.
   */
  get lost(): number {
    return this.#cursor.lost;
  }

  #unusable(): IsthmusError {
    const state = this.#closed ? "closed" : this.#draining ? "draining" : "peeked";
    return subscriberUnusable(this.#geometry, state);
  }

  #usable(): void {
    if (this.#peeked) throw this.#unusable();
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#unusable();
    const { attachment } = this.#lease;
    attachment.check(!attachment.readOnly); // who takes part must not have been removed
  }

  /** Throws when a call that blocks would overtake those that wait. */
  #checkAlone(): void {
    this.#usable();
    if (this.#queue.length > 0) throw receivesWait(this.#geometry);
  }

  /**
   * Receives a copy of the next record. A record that is overwritten while it is copied counts as lost, and the next one is
   * received.
   *
   * @returns undefined when there is none now, or when other calls wait for one: they come first. Bytes are private memory; in a
   *   broadcast with a layout it is a value
   * @throws {IsthmusError} BUSY while a peeked record is not released, or when the publisher has overwritten the record during
   *   each of 1,000 attempts; CLOSED: the subscriber or its segment was closed; EVICTED: this participant was removed; CORRUPT
   *   when the broadcast is damaged
   */
  tryReceive(): T | undefined {
    this.#usable();
    return this.#queue.length === 0 ? this.#take() : undefined;
  }

  #take(): T | undefined {
    const cursor = this.#cursor;
    const own = this.#own;
    while (cursor.next()) {
      const copy = own ? void cursor.record.copy(own.bytes) : cursor.record.slice();
      if (!cursor.isWhole()) continue; // looks at the same position, and finds out that it was overtaken
      cursor.take(true);
      return (own ? (this.#layout as Struct<Fields>).codec.read(own.view, 0) : copy) as T;
    }
    return undefined;
  }

  /**
   * Returns the next record in place, without a copy. It stays the current one until it is released. The publisher may
   * overwrite it meanwhile: see `BroadcastRecord`.
   *
   * @returns undefined when there is none now, or when other calls wait for one: they come first
   * @throws {IsthmusError} BUSY inside `drain`; otherwise as `tryReceive`
   */
  tryPeek(): BroadcastRecord<F> | undefined {
    if (this.#peeked && !this.#draining && !this.#closed) return this.#peeked as BroadcastRecord<never>;
    this.#usable();
    return this.#queue.length === 0 ? this.#peek() : undefined;
  }

  #peek(): BroadcastRecord<F> | undefined {
    if (!this.#cursor.next()) return undefined;
    const peeked = new HandedBroadcastRecord(OURS, this.#cursor, this.#layout, this.#release);
    this.#hand(peeked);
    return peeked as BroadcastRecord<never>;
  }

  /** Records that the user has a record, or has it no more. */
  #hand(record: HandedBroadcastRecord | undefined): void {
    if (this.#peeked) this.#peeked.valid = false;
    this.#peeked = record;
    record?.hand();
  }

  readonly #release = (): void => {
    const { attachment } = this.#lease;
    const received = !attachment.closed && this.#peeked?.received === true;
    this.#hand(undefined);
    this.#cursor.take(received);
    if (this.#queue.length > 0) lookAgain(attachment, this.#waiters);
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
  async peek(options?: WaitOptions): Promise<BroadcastRecord<F> | undefined> {
    return this.#wait(() => this.#peek(), undefined, this.#ends.newcomer(), waiting(options));
  }

  /**
   * As `peek`, blocking the thread.
   *
   * @param options how long to wait
   * @returns as `peek`
   * @throws {IsthmusError} BUSY while another call of this subscriber waits; DEADLOCK as `receiveSync`; otherwise as `peek`
   */
  peekSync(options?: WaitSyncOptions): BroadcastRecord<F> | undefined {
    return this.#waitSync(() => this.#peek(), undefined, waitingSync(options));
  }

  /**
   * Waits for the next record and returns a copy. Calls are served in their order.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns undefined when the publisher has closed its end and everything was received: once for each call that waits then;
   *   later calls wait for the next publisher
   * @throws {IsthmusError} PEER_DIED in the same way when the publisher died, or ended without `close`; TIMED_OUT; and
   *   as `tryReceive`
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
   * @throws {IsthmusError} BUSY while another call of this subscriber waits; DEADLOCK when it would wait without a `timeoutMs`
   *   and this thread holds the publisher's end, too; otherwise as `receive`
   */
  receiveSync(options?: WaitSyncOptions): T | undefined {
    return this.#waitSync(() => this.#take(), undefined, waitingSync(options));
  }

  #wait<V, E>(take: () => V | undefined, atEnd: E, told: Told, how: Waiting): Promise<V | E> {
    if (this.#closed || this.#peeked) return failInTurn(this.#unusable());
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
      what: `waiting for a record in broadcast "${this.#geometry.name}"`,
      waiters: this.#waiters,
      queue,
      attempt: () => {
        this.#checkOpen();
        // A peeked record comes first. It is released soon.
        if (queue && this.#peeked && this.#ends.knows(told)) return NOT_YET;
        return this.#ends.attempt(this.#stream, take, atEnd, told, queue !== undefined);
      },
      checkBlocking: () => checkOtherEnd(attachment, publisherEnd(attachment, this.#geometry)),
      recheck: () => this.#cursor.watch(),
    };
  }

  /**
   * Calls a function for every record that is there now, in place. The publisher may overwrite it meanwhile: the function uses
   * what it has read only after `record.isWhole()`.
   *
   * Inside the function, all other calls that would take a record of this subscriber get BUSY. `close`, of the subscriber or of
   * the segment, ends the drain.
   *
   * @param handle gets a record that is valid during the call, the same object each time; if it throws, that record stays the
   *   next one
   * @param given at most how many records
   * @returns number of records for which the function was called, also those that were overwritten; 0 when there is none now, or
   *   when other calls wait for one: they come first
   * @throws {TypeError} when the function is async, a generator, or returns a promise; the record stays the next one then
   * @throws what the function throws
   * @throws {IsthmusError} as `tryReceive`
   */
  tryDrain(handle: (record: BroadcastRecord<F>) => void, given?: TryDrainOptions): number {
    checkSynchronous("handle", handle, WHY_AT_ONCE);
    const limit = limitOf(options<TryDrainOptions>("options", given, ["limit"]));
    this.#usable();
    return this.#queue.length === 0 ? this.#drain(handle, limit) : 0;
  }

  #drain(handle: (record: BroadcastRecord<F>) => unknown, limit: number): number {
    const cursor = this.#cursor;
    const drained = this.#drained;
    const { attachment } = this.#lease;
    // Not those that are published meanwhile: a publisher may be as fast as the function.
    const { newest } = cursor;
    let handled = 0;
    this.#draining = true;
    try {
      while (handled < limit && cursor.expected <= newest && cursor.next()) {
        this.#hand(drained);
        const result = handle(drained as BroadcastRecord<never>);
        if (result !== undefined)
          refusePromise("handle", result, `its record stays the next one; ${WHY_AT_ONCE}`);
        handled++;
        if (this.#closed || attachment.closed) break;
        cursor.take(drained.received);
      }
    } finally {
      this.#draining = false;
      this.#hand(undefined);
    }
    return handled;
  }

  /**
   * Waits for a record. Then calls a function for it and for all records that are there, as `tryDrain`.
   *
   * @param handle as for `tryDrain`
   * @param given at most how many records, how long to wait for the first one, and a signal that ends the wait
   * @returns as `tryDrain`, from 1; 0 once at the end of the stream, as `receive` gives undefined, or when the limit is 0
   * @throws {TypeError} as `tryDrain`
   * @throws what the function throws
   * @throws {IsthmusError} as `receive`
   * @throws the signal's reason, when it is aborted
   */
  async drain(handle: (record: BroadcastRecord<F>) => void, given?: DrainOptions): Promise<number> {
    checkSynchronous("handle", handle, WHY_AT_ONCE);
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
   * @throws {IsthmusError} BUSY while another call of this subscriber waits; DEADLOCK as `receiveSync`; otherwise as `receive`
   */
  drainSync(handle: (record: BroadcastRecord<F>) => void, given?: DrainSyncOptions): number {
    checkSynchronous("handle", handle, WHY_AT_ONCE);
    const how = waitingSync(given, ["limit"]);
    const limit = limitOf(given ?? {});
    if (limit === 0) this.#usable();
    if (limit === 0) return 0;
    // The function runs when the thread does not block any more: it may block itself, or end what is waited for.
    const some = this.#waitSync(() => this.#cursor.next() || undefined, false, how);
    return some ? this.#drain(handle, limit) : 0;
  }

  /**
   * Iterates over copies of records, until the publisher closes its end. Several loops may share a subscriber: each record goes
   * to one of them, and all of them end. A loop that begins after an end was reported waits for the next publisher, as
   * `receive` does, so a loop in a loop serves one publisher after the other. Leaving a loop (`break`, `return`, an exception,
   * an aborted signal) leaves the subscriber open, ends the pending receive, and takes no record.
   *
   * @param options how long to wait for each record, and a signal that ends the loop
   * @returns an iterator for `for await`
   * @throws {IsthmusError} as `receive`, from the loop: PEER_DIED if the publisher died, or ended without `close`
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

  /** Ends it. Calls that wait get CLOSED. The broadcast and other subscribers go on. Never throws. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#peeked) this.#peeked.valid = false;
    const { attachment } = this.#lease;
    if (this.#queue.length > 0 && !attachment.closed) lookAgain(attachment, this.#waiters);
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}
