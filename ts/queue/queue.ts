import { MESSAGE_HEADER_BYTES, OBJECT_QUEUE, QUEUE_DROP } from "../../protocol/layout.js";
import {
  bytesOf,
  isArray,
  OURS,
  objectOf,
  options,
  type Waiting,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
  wrongType,
} from "../arguments.js";
import type { PrivateBytes } from "../bytes.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { type DrainOptions, type DrainSyncOptions, limitOf, type TryDrainOptions } from "../ring/consumer.js";
import type { FieldsOf, SentOf } from "../ring/payload.js";
import type { SendManyOptions, SendManySyncOptions, SendProgress } from "../ring/producer.js";
import { RingRecords } from "../ring/records.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { openObject } from "../segment/directory.js";
import type { Fields, Struct } from "../struct/struct.js";
import { checkSynchronous, refusePromise } from "../synchronous.js";
import { wrap } from "../values/containers.js";
import type { Shareable } from "../values/sharing.js";
import { type Condition, inTurn, NOT_YET, wait, waitSync } from "../wait/wait.js";
import { checkFits, layoutHidden, sentInPart } from "./errors.js";
import { copyOf, Job } from "./job.js";
import { type OnConsumerDeath, type QueueOptions, queueParameters } from "./parameters.js";
import { type QueueGeometry, QueueSlots } from "./slots.js";
import { type QueueStats, queueStats } from "./stats.js";
import { type SentValue, sentOf } from "./values.js";

const WHY_AT_ONCE =
  "the message is done when the function returns. Await before or after, or use for await, or take() and job.done()";

/**
 * A queue: any number of producers send messages, and each message goes to one consumer, in the order in which they were sent.
 * Opened with `segment.queue(name, { capacity, slotBytes })`; messages are bytes, or values of a struct when it is made with a
 * `layout`. It outlives all who use it.
 *
 * `receive` takes a copy, and the message is gone: if the process is killed then, it is lost. `take` keeps the message in the
 * queue until the work is done: if the process is killed before that, another one gets it, or it is dropped and counted, as
 * `onConsumerDeath` says. Nobody ever waits for a process that was killed or stopped. docs/recovery.md says how soon.
 *
 * The async tasks of one environment are served in the order of their calls. While one waits, the forms with "try" find nothing,
 * or no room. Processes that wait are called in turn.
 *
 * @example
 * ```ts
 * import { MiB, Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const queue = segment.queue("lines", { capacity: 1000, slotBytes: 200 });
 * await queue.send(new TextEncoder().encode("hello"));
 * console.log(new TextDecoder().decode(await queue.receive()));
 *
 * const Order = struct({ id: "u32", amount: "f64" });
 * const orders = segment.queue("orders", { capacity: 100, layout: Order });
 * orders.trySend({ id: 7, amount: 12.5 });
 * using job = orders.tryTake();
 * console.log(job?.view.get("amount"));
 * job?.done();
 * ```
 */
export class Queue<T = PrivateBytes, F extends Fields = FieldsOf<T>> implements AsyncIterable<T> {
  static {
    describe(Queue.prototype, "Queue", ({ name, capacity, slotBytes, stats: { queued, taken } }) => ({
      ...{ name, capacity, slotBytes },
      ...{ queued, taken },
    }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Its name in the segment. */
  readonly name: string;
  /** How many messages there can be at a time. */
  readonly capacity: number;
  /** Bytes of the largest message. */
  readonly slotBytes: number;
  /** What happens to messages whose taker dies. */
  readonly onConsumerDeath: OnConsumerDeath;
  /** The layout of the messages; undefined when they are bytes. */
  readonly layout: [F] extends [never] ? undefined : Struct<F>;
  readonly #lease: Lease;
  readonly #geometry: QueueGeometry;
  readonly #slots: QueueSlots;
  readonly #struct: Struct<Fields> | undefined;
  /** Bytes of each message in a queue with a layout; 0 in another one. */
  readonly #valueBytes: number;
  /** A value in private memory, from which it is read, because a hostile peer may change the shared bytes at any moment. */
  readonly #own: { bytes: Uint8Array; view: DataView } | undefined;
  /** The messages have a layout, and this opener has not passed it. */
  readonly #hidden: boolean;

  /** @internal */
  constructor(lease: Lease, name: string, given: QueueOptions<F> | undefined) {
    checkMade(lease, "Queue", "segment.queue(name, { capacity, slotBytes })");
    const { struct, parameters } = queueParameters(lease.attachment, name, given as QueueOptions<Fields>);
    const { capacity, slotBytes, onConsumerDeath: policy } = parameters;
    const { offset: queue } = openObject(lease.attachment, name, OBJECT_QUEUE, { ...parameters }, struct);
    this.#lease = lease;
    this.#geometry = { name, queue, capacity, slotBytes, policy };
    this.#slots = QueueSlots.of(lease.attachment, this.#geometry);
    this.name = name;
    this.capacity = capacity;
    this.slotBytes = slotBytes;
    this.onConsumerDeath = policy === QUEUE_DROP ? "drop" : "redeliver";
    this.layout = struct as typeof this.layout;
    this.#struct = struct;
    this.#valueBytes = struct?.bytes ?? 0;
    this.#hidden = struct === undefined && parameters.layout !== 0;
    if (struct === undefined) return;
    const own = new Uint8Array(struct.bytes);
    this.#own = { bytes: own, view: new DataView(own.buffer) };
  }

  /** Throws when this opener can neither send nor receive. */
  #attachment(): Attachment {
    const { attachment } = this.#lease;
    attachment.check(true);
    if (this.#hidden) throw layoutHidden(this.#geometry);
    return attachment;
  }

  // --- sending ---------------------------------------------------------------------------------------------------------

  /**
   * Sends a copy of the message if there is room now.
   *
   * @param message the payload: 0 to `slotBytes` bytes, a view of any kind; in a queue with a layout a value
   * @returns false when the queue is full, or when tasks of this environment wait for room: they come first
   * @throws {TypeError | RangeError} when it is not such a payload, naming the field of a value that does not fit; nothing is
   *   sent
   * @throws {IsthmusError} TOO_LARGE when it is larger than `slotBytes`; CLOSED: the segment was closed; READ_ONLY; EVICTED: this
   *   participant was removed; CORRUPT when the queue is damaged; BUSY when others were faster each time; OBJECT_MISMATCH when
   *   the messages have a layout that was not given
   */
  trySend(message: SentOf<T, F>): boolean {
    const struct = this.#struct;
    if (struct === undefined) return this.#trySend(bytesOf("message", message));
    const staged = struct.stage(message as never);
    const sent = this.#trySend(staged.bytes);
    struct.done(staged);
    return sent;
  }

  #trySend(bytes: Uint8Array): boolean {
    this.#attachment();
    checkFits(bytes.length, this.#geometry);
    return this.#slots.senders.length === 0 && this.#slots.send(bytes);
  }

  /**
   * Waits for room and sends a copy of the message. The bytes must not change meanwhile. A value is copied at once.
   *
   * @param message the payload, as for `trySend`
   * @param options how long to wait, and a signal that ends it
   * @throws {IsthmusError} TIMED_OUT; otherwise as `trySend`
   * @throws the signal's reason, when it is aborted
   */
  async send(message: SentOf<T, F>, options?: WaitOptions): Promise<void> {
    const bytes = this.#payload(message);
    const how = waiting(options);
    return wait(this.#attachment(), this.#forRoom(this.#attempt(bytes)), how);
  }

  /**
   * Sends a copy of the message, blocking the thread until there is room. It has priority over tasks of this environment that
   * wait, because they cannot continue while the thread is blocked.
   *
   * @param message the payload, as for `trySend`
   * @param options how long to wait
   * @throws {IsthmusError} as `send`
   */
  sendSync(message: SentOf<T, F>, options?: WaitSyncOptions): void {
    const bytes = this.#payload(message);
    const how = waitingSync(options);
    waitSync(this.#attachment(), this.#forRoom(this.#attempt(bytes)), how);
  }

  #attempt(bytes: Uint8Array): () => undefined | typeof NOT_YET {
    return () => (this.#slots.send(bytes) ? undefined : NOT_YET);
  }

  /** The message as bytes that fit. The bytes of a value are private. */
  #payload(message: unknown): Uint8Array {
    if (this.#struct) return this.#struct.stage(message as never).bytes;
    const bytes = bytesOf("message", message);
    checkFits(bytes.length, this.#geometry);
    return bytes;
  }

  /**
   * Sends copies of as many of the messages, in order, as there is room for. Messages of others may come between them.
   *
   * @param messages the payloads, each as for `trySend`
   * @returns how many were sent; 0 when tasks of this environment wait for room: they come first
   * @throws {TypeError | RangeError} when it is no array of such payloads; none is sent
   * @throws {IsthmusError} as `trySend`; when one of them is too large, none is sent
   */
  trySendMany(messages: readonly SentOf<T, F>[]): number {
    const payloads = this.#payloads(messages);
    this.#attachment();
    let sent = 0;
    if (this.#slots.senders.length === 0) {
      this.#slots.sendMany(payloads, 0, () => {
        sent++;
      });
    }
    return sent;
  }

  /**
   * Waits for room and sends copies of all messages, in order. Messages of other processes may come between them. The array may
   * change meanwhile, but the bytes must not.
   *
   * @param messages the payloads, each as for `trySend`
   * @param options how long to wait, a signal that ends it, and an object that receives the number sent
   * @throws {TypeError | RangeError} as `trySendMany`
   * @throws {IsthmusError} as `send`, with the number of messages that were sent before in the error's `sent`
   * @throws the signal's reason, when it is aborted; `options.progress` has the number sent
   */
  async sendMany(messages: readonly SentOf<T, F>[], options?: SendManyOptions): Promise<void> {
    const payloads = this.#payloads(messages);
    const how = waiting(options, ["progress"]);
    const batch = this.#batch(payloads, options?.progress);
    try {
      return await wait(this.#attachment(), this.#forRoom(batch.attempt), how);
    } catch (error) {
      const own = error !== how.signal?.reason;
      throw own ? sentInPart(this.#geometry, error, batch.progress.sent, payloads.length) : error;
    }
  }

  /**
   * As `sendMany`, blocking the thread.
   *
   * @param messages the payloads, each as for `trySend`
   * @param options how long to wait, and an object that receives the number sent
   * @throws {TypeError | RangeError} as `trySendMany`
   * @throws {IsthmusError} as `sendMany`
   */
  sendManySync(messages: readonly SentOf<T, F>[], options?: SendManySyncOptions): void {
    const payloads = this.#payloads(messages);
    const how = waitingSync(options, ["progress"]);
    const batch = this.#batch(payloads, options?.progress);
    try {
      waitSync(this.#attachment(), this.#forRoom(batch.attempt), how);
    } catch (error) {
      throw sentInPart(this.#geometry, error, batch.progress.sent, payloads.length);
    }
  }

  #payloads(messages: readonly unknown[]): Uint8Array[] {
    if (!isArray(messages)) throw wrongType("messages", "an array", messages);
    return Array.from(messages, (message, index) => {
      if (this.#struct) return this.#struct.stage(message as never).bytes;
      const bytes = bytesOf(`messages[${index}]`, message);
      checkFits(bytes.length, this.#geometry);
      return bytes;
    });
  }

  #batch(payloads: readonly Uint8Array[], given: SendProgress | undefined) {
    const progress = given === undefined ? { sent: 0 } : objectOf("progress", given);
    if (!Reflect.set(progress, "sent", 0)) {
      throw new TypeError("progress must be an object that can get a property sent, got a frozen one");
    }
    let sent = 0;
    const attempt = (): undefined | typeof NOT_YET => {
      try {
        this.#slots.sendMany(payloads, sent, () => {
          sent++;
        });
      } finally {
        progress.sent = sent;
      }
      return sent === payloads.length ? undefined : NOT_YET;
    };
    return { progress, attempt };
  }

  /**
   * Sends a shared value if there is room now: the message is a reference to it, and no data is copied. `receive` gives the value
   * itself to whoever gets the message, `take` gives it as `job.value`. Until then the message keeps it, also when this process
   * ends.
   *
   * @param value a shared value of this segment; or what `segment.share` takes, which is shared first: then the message has the
   *   only reference to it
   * @returns as `trySend`
   * @throws {TypeError} when it cannot be shared, naming where; when it is a value of another segment
   * @throws {IsthmusError} NOT_FOUND when the value is gone; SEGMENT_FULL; BUSY inside of a transaction, or when another process
   *   had the segment for 5 s; CLOSED also when the value was closed; otherwise as `trySend`
   */
  tryShare(value: Shareable): boolean {
    const attachment = this.#attachment();
    if (this.#slots.senders.length > 0) return false;
    const sent = sentOf(attachment, value);
    try {
      return this.#slots.share(sent.reference);
    } finally {
      sent.end();
    }
  }

  /**
   * Waits for room and sends a shared value, as `tryShare`.
   *
   * @param value as for `tryShare`
   * @param options how long to wait, and a signal that ends it
   * @throws {TypeError} as `tryShare`
   * @throws {IsthmusError} TIMED_OUT; otherwise as `tryShare`
   * @throws the signal's reason, when it is aborted
   */
  async share(value: Shareable, options?: WaitOptions): Promise<void> {
    const how = waiting(options);
    const attachment = this.#attachment();
    const sent = sentOf(attachment, value);
    try {
      await wait(attachment, this.#forRoom(this.#sharing(sent)), how);
    } finally {
      sent.end();
    }
  }

  /**
   * As `share`, blocking the thread, with the priority of `sendSync`.
   *
   * @param value as for `tryShare`
   * @param options how long to wait
   * @throws {TypeError} as `tryShare`
   * @throws {IsthmusError} as `share`
   */
  shareSync(value: Shareable, options?: WaitSyncOptions): void {
    const how = waitingSync(options);
    const attachment = this.#attachment();
    const sent = sentOf(attachment, value);
    try {
      waitSync(attachment, this.#forRoom(this.#sharing(sent)), how);
    } finally {
      sent.end();
    }
  }

  #sharing({ reference }: SentValue): () => undefined | typeof NOT_YET {
    return () => (this.#slots.share(reference) ? undefined : NOT_YET);
  }

  /** The condition of a call that waits for room. */
  #forRoom<V>(attempt: () => V | typeof NOT_YET): Condition<V> {
    const slots = this.#slots;
    return {
      what: `waiting for room in queue "${this.name}"`,
      waiters: slots.room,
      queue: slots.senders,
      attempt: () => {
        this.#attachment();
        return attempt();
      },
      recheck: () => slots.recheck(),
      passOn: () => slots.callForRoom(1),
      failed: (gaveUp) => {
        if (gaveUp && !this.#lease.attachment.closed) this.#lease.attachment.core.countDrop();
      },
    };
  }

  // --- receiving -------------------------------------------------------------------------------------------------------

  /**
   * Receives a copy of the next message, which is gone then.
   *
   * @returns undefined when there is none now, or when tasks of this environment wait for one: they come first. Bytes are private
   *   memory; in a queue with a layout it is a value. What `share` has sent is the shared value, with a reference of its own; its
   *   type can be given: `tryReceive<Dict>()`
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed; CORRUPT when the
   *   queue or the message is damaged; BUSY when others were faster each time; OBJECT_MISMATCH when the messages have a layout
   *   that was not given
   */
  tryReceive<V = T>(): V | undefined {
    this.#attachment();
    return this.#slots.takers.length === 0 ? (this.#receive() as V | undefined) : undefined;
  }

  #receive(): T | undefined {
    const slots = this.#slots;
    if (!slots.take(this.#valueBytes, false)) return undefined;
    if (slots.value) return wrap(this.#lease, slots.value) as T;
    const { at, held } = slots;
    const message = this.#copied(at + MESSAGE_HEADER_BYTES, slots.length);
    slots.done(at, held);
    return message as T;
  }

  #copied(from: number, length: number): unknown {
    const { attachment } = this.#lease;
    if (this.#struct === undefined) return copyOf(attachment, from, length);
    const own = this.#own as { bytes: Uint8Array; view: DataView };
    own.bytes.set(attachment.u8.subarray(from, from + length));
    return this.#struct.codec.read(own.view, 0);
  }

  /**
   * Waits for the next message and receives a copy of it, which is gone then.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns as `tryReceive`, but never undefined
   * @throws {IsthmusError} TIMED_OUT; otherwise as `tryReceive`
   * @throws the signal's reason, when it is aborted
   */
  async receive<V = T>(options?: WaitOptions): Promise<V> {
    const how = waiting(options);
    return wait(
      this.#attachment(),
      this.#forMessage(() => this.#receive() as V | undefined),
      how,
    );
  }

  /**
   * As `receive`, blocking the thread. It has priority over tasks of this environment that wait, because they cannot continue
   * while the thread is blocked.
   *
   * @param options how long to wait
   * @returns as `receive`
   * @throws {IsthmusError} as `receive`
   */
  receiveSync<V = T>(options?: WaitSyncOptions): V {
    const how = waitingSync(options);
    return waitSync(
      this.#attachment(),
      this.#forMessage(() => this.#receive() as V | undefined),
      how,
    );
  }

  /**
   * Takes the next message. It stays in the queue, and belongs to this process, until `job.done()` or `job.giveBack()`.
   *
   * @returns undefined as for `tryReceive`
   * @throws {IsthmusError} as `tryReceive`
   */
  tryTake(): Job<F> | undefined {
    this.#attachment();
    return this.#slots.takers.length === 0 ? this.#take() : undefined;
  }

  #take(): Job<F> | undefined {
    if (!this.#slots.take(this.#valueBytes, true)) return undefined;
    const job = new Job<F>(OURS, this.#lease, this.#struct);
    job.hold(this.#slots);
    return job;
  }

  /**
   * Waits for the next message and takes it, as `tryTake`.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns the message
   * @throws {IsthmusError} as `receive`
   * @throws the signal's reason, when it is aborted
   */
  async take(options?: WaitOptions): Promise<Job<F>> {
    const how = waiting(options);
    return wait(
      this.#attachment(),
      this.#forMessage(() => this.#take()),
      how,
    );
  }

  /**
   * As `take`, blocking the thread, with the priority of `receiveSync`.
   *
   * @param options how long to wait
   * @returns the message
   * @throws {IsthmusError} as `receive`
   */
  takeSync(options?: WaitSyncOptions): Job<F> {
    const how = waitingSync(options);
    return waitSync(
      this.#attachment(),
      this.#forMessage(() => this.#take()),
      how,
    );
  }

  /**
   * Calls a function for every message that is there now, in place. When the function returns, the message is done, unless the
   * function has given it back.
   *
   * @param handle gets a job that is valid during the call, the same object each time; if it throws, that message is given back
   * @param given at most how many messages
   * @returns number of messages handled; 0 when there is none now, or when tasks of this environment wait for one: they come
   *   first
   * @throws {TypeError} when the function is async, a generator, or returns a promise; the message is given back then
   * @throws what the function throws
   * @throws {IsthmusError} as `tryReceive`
   */
  tryDrain(handle: (job: Job<F>) => void, given?: TryDrainOptions): number {
    checkSynchronous("handle", handle, WHY_AT_ONCE);
    const limit = limitOf(options<TryDrainOptions>("options", given, ["limit"]));
    this.#attachment();
    return this.#slots.takers.length === 0 ? this.#drain(handle, limit) : 0;
  }

  #drain(handle: (job: Job<F>) => unknown, limit: number): number {
    const slots = this.#slots;
    const { attachment } = this.#lease;
    // No more than there can be at a time: others may send as fast as the function handles.
    const most = Math.min(limit, this.capacity);
    const job = new Job<F>(OURS, this.#lease, this.#struct);
    let handled = 0;
    slots.handled.add(job);
    try {
      while (handled < most && !attachment.closed && slots.take(this.#valueBytes, true)) {
        job.hold(slots);
        const result = handle(job);
        if (result !== undefined)
          refusePromise("handle", result, `its message is given back; ${WHY_AT_ONCE}`);
        if (job.open && !attachment.closed) job.doneInBatch();
        handled++;
      }
    } finally {
      slots.handled.delete(job);
      job.end();
      if (!attachment.closed) slots.callAll();
    }
    return handled;
  }

  /**
   * Waits for a message. Then calls a function for it and for all messages that are there, as `tryDrain`.
   *
   * @param handle as for `tryDrain`
   * @param given at most how many messages, how long to wait for the first one, and a signal that ends the wait
   * @returns number of messages handled, from 1; 0 when the limit is 0
   * @throws {TypeError} as `tryDrain`
   * @throws what the function throws
   * @throws {IsthmusError} as `receive`
   * @throws the signal's reason, when it is aborted
   */
  async drain(handle: (job: Job<F>) => void, given?: DrainOptions): Promise<number> {
    checkSynchronous("handle", handle, WHY_AT_ONCE);
    const how = waiting(given, ["limit"]);
    const limit = limitOf(given ?? {});
    const attachment = this.#attachment();
    if (limit === 0) return inTurn(0);
    return wait(
      attachment,
      this.#forMessage(() => this.#drain(handle, limit) || undefined),
      how,
    );
  }

  /**
   * As `drain`, blocking the thread until there is a message, with the priority of `receiveSync`.
   *
   * @param handle as for `tryDrain`
   * @param given at most how many messages, and how long to wait for the first one
   * @returns as `drain`
   * @throws {TypeError} as `tryDrain`
   * @throws what the function throws
   * @throws {IsthmusError} as `receive`
   */
  drainSync(handle: (job: Job<F>) => void, given?: DrainSyncOptions): number {
    checkSynchronous("handle", handle, WHY_AT_ONCE);
    const how = waitingSync(given, ["limit"]);
    const limit = limitOf(given ?? {});
    const attachment = this.#attachment();
    if (limit === 0) return 0;
    return waitSync(
      attachment,
      this.#forMessage(() => this.#drain(handle, limit) || undefined),
      how,
    );
  }

  /** The condition of a call that waits for a message. */
  #forMessage<V>(take: () => V | undefined): Condition<V> {
    const slots = this.#slots;
    return {
      what: `waiting for a message in queue "${this.name}"`,
      waiters: slots.data,
      queue: slots.takers,
      attempt: () => {
        this.#attachment();
        return take() ?? NOT_YET;
      },
      recheck: () => slots.recheck(),
      passOn: () => slots.callForData(1),
    };
  }

  /**
   * Iterates over copies of messages, as `receive` gives them. It does not end by itself: leave the loop (`break`, `return`, an
   * exception), abort its signal, or close the segment. Leaving it ends the pending receive, and takes no message. Several loops
   * may run at the same time: each message goes to one of them.
   *
   * @param options how long to wait for each message, and a signal that ends the loop
   * @returns an iterator for `for await`
   * @throws {IsthmusError} as `receive`, from the loop
   * @throws the signal's reason, when it is aborted
   */
  records(options?: WaitOptions): AsyncIterableIterator<T> {
    return this.#loop(() => this.#receive(), waiting(options));
  }

  /**
   * Iterates over messages that are taken, as `take` gives them. Each of them is yours until it is done or given back, also after
   * the loop has gone on: `for await (using job of queue.jobs())` gives it back at the end of the body unless it is done.
   *
   * @param options how long to wait for each message, and a signal that ends the loop
   * @returns an iterator for `for await`
   * @throws {IsthmusError} as `receive`, from the loop
   * @throws the signal's reason, when it is aborted
   */
  jobs(options?: WaitOptions): AsyncIterableIterator<Job<F>> {
    return this.#loop(() => this.#take(), waiting(options));
  }

  #loop<V>(take: () => V | undefined, how: Waiting): AsyncIterableIterator<V> {
    const next = async (each: Waiting): Promise<V> => wait(this.#attachment(), this.#forMessage(take), each);
    return new RingRecords<V>((told, each) => ({ told: told ?? { ends: 0 }, next: next(each) }), how);
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
   * The current counters of the queue, and who has taken messages. Every opener of the segment can read them. The time it takes
   * grows with the capacity.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get stats(): QueueStats {
    const { attachment } = this.#lease;
    attachment.check(false);
    return queueStats(attachment, this.#geometry);
  }
}
