import { END_CLOSED, END_DEAD, END_LIVE } from "../../protocol/layout.js";
import {
  callback,
  integer,
  options,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
  wrongType,
} from "../arguments.js";
import { isUint8Array } from "../bytes.js";
import type { Core } from "../core.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import type { Lease } from "../segment/attachment.js";
import { Queue } from "../wait/queue.js";
import { type Condition, lookAgain, NOT_YET, type QueuedWait, wait, waitSync } from "../wait/wait.js";
import { RingCursor } from "./cursor.js";
import type { RingGeometry } from "./end.js";
import { attachEnd, EndPart, ringCloseConsumer } from "./end.js";
import type { RingRecord } from "./record.js";

/** How much `drain` takes. */
export interface DrainOptions {
  /** Most records to hand out, from 0. Default: all that are there. */
  limit?: number | undefined;
}

/**
 * The receiving end of a ring, made by `ring.consumer()`. One participant holds it at a time.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("lines", { bytes: 1 * MiB });
 * const producer = ring.producer();
 * using consumer = ring.consumer();
 * producer.sendMany(["one", "two", "three"].map((line) => new TextEncoder().encode(line)));
 * console.log(consumer.drain((record) => console.log(record.byteLength), { limit: 2 }));
 * producer.close();
 * for await (const bytes of consumer) console.log(new TextDecoder().decode(bytes));
 * ```
 */
export class Consumer {
  static {
    describe(Consumer.prototype, "Consumer", (consumer) => ({ ring: consumer.#geometry.name }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #lease: Lease;
  readonly #core: Core;
  readonly #geometry: RingGeometry;
  readonly #ring: number;
  readonly #waitersData: number;
  readonly #cursor: RingCursor;
  /** Whether a record is in the user's hands. */
  #peeked = false;
  #draining = false;
  /** Receives that wait, in their order. */
  readonly #queue = new Queue<QueuedWait>();
  readonly #part: EndPart;

  /** @internal */
  constructor(lease: Lease, geometry: RingGeometry) {
    const { attachment } = lease;
    const { core } = attachment;
    const { ring } = geometry;
    this.#lease = lease;
    this.#core = core;
    this.#geometry = geometry;
    this.#ring = ring;
    this.#waitersData = core.ringWaitersData(ring) >>> 0;
    const at = attachEnd(attachment, "consumer", geometry, core.ringAttachConsumer);
    this.#cursor = new RingCursor(attachment, geometry, at, () => this.#releasePeeked());
    this.#part = new EndPart(attachment, this, ring, ringCloseConsumer);
  }

  #usable(): void {
    const name = this.#geometry.name;
    if (this.#cursor.closed) throw new IsthmusError("CLOSED", `the consumer of ring "${name}" was closed`);
    if (this.#peeked)
      throw new IsthmusError("BUSY", `ring "${name}": a record is peeked at; release it first`);
  }

  #releasePeeked(): void {
    if (this.#draining) throw new IsthmusError("BUSY", "drain releases its records itself");
    this.#peek(false);
    if (this.#queue.length > 0) lookAgain(this.#lease.attachment, this.#waitersData);
    this.#cursor.takeAndRelease();
  }

  /** Whether the record at hand is in the user's hands. */
  #peek(peeked: boolean): void {
    this.#peeked = peeked;
    this.#cursor.record.valid = peeked;
  }

  /**
   * A copy of the next record.
   *
   * @returns undefined when there is none now
   * @throws {IsthmusError} BUSY while a record is peeked at; CLOSED: the consumer or its segment was closed; EVICTED: this
   *   participant was removed; CORRUPT when the ring is damaged
   */
  tryReceive(): Uint8Array | undefined {
    if (this.#cursor.closed || this.#peeked) this.#usable();
    if (!this.#cursor.next()) return undefined;
    const copy = this.#cursor.record.slice();
    this.#cursor.take();
    return copy;
  }

  /**
   * Copies the next record to the start of a buffer that the caller keeps: no memory is allocated.
   *
   * @param target at least as long as the record
   * @returns bytes of the record; -1 when there is none now
   * @throws {TypeError | RangeError} when the target is no Uint8Array, or too short; the record stays
   * @throws {IsthmusError} as `tryReceive`
   */
  tryReceiveInto(target: Uint8Array): number {
    if (!isUint8Array(target)) throw wrongType("target", "a Uint8Array", target);
    if (this.#cursor.closed || this.#peeked) this.#usable();
    if (!this.#cursor.next()) return -1;
    const length = this.#cursor.record.copy(target);
    this.#cursor.take();
    return length;
  }

  /**
   * The next record in place, without a copy. It stays the next one until it is released.
   *
   * @returns undefined when there is none now
   * @throws {IsthmusError} BUSY inside `drain`; CLOSED, EVICTED, CORRUPT as `tryReceive`
   */
  tryPeek(): RingRecord | undefined {
    if (this.#draining) this.#usable();
    if (this.#peeked && !this.#cursor.closed) return this.#cursor.record;
    this.#usable();
    if (!this.#cursor.next()) return undefined;
    this.#peek(true);
    return this.#cursor.record;
  }

  /**
   * A copy of the next record, waiting for one. Calls are served in their order.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns undefined once when the producer has closed its end and everything was received; the next call waits for the
   *   next producer
   * @throws {IsthmusError} PEER_DIED once when the producer died, or ended without `close`, and everything it had sent
   *   was received; TIMED_OUT; otherwise as `tryReceive`
   * @throws the signal's reason, when it is aborted
   */
  async receive(options?: WaitOptions): Promise<Uint8Array | undefined> {
    const how = waiting(options);
    this.#usable();
    return wait(this.#lease.attachment, this.#data(this.#queue), how);
  }

  /**
   * A copy of the next record, blocking the thread until there is one.
   *
   * @param options how long to wait
   * @returns as `receive`
   * @throws {IsthmusError} BUSY while a `receive` of this consumer waits; otherwise as `receive`
   */
  receiveSync(options?: WaitSyncOptions): Uint8Array | undefined {
    const how = waitingSync(options);
    this.#usable();
    if (this.#queue.length > 0) {
      throw new IsthmusError(
        "BUSY",
        `ring "${this.#geometry.name}": receives that wait come first; await them`,
      );
    }
    return waitSync(this.#lease.attachment, this.#data(), how);
  }

  #data(queue?: Queue<QueuedWait>): Condition<Uint8Array | undefined> {
    return {
      what: `waiting for a record in ring "${this.#geometry.name}"`,
      waiters: this.#waitersData,
      queue,
      attempt: () => {
        // A record that was peeked at since comes first, and is released soon.
        if (queue && this.#peeked && !this.#cursor.closed) return NOT_YET;
        return this.tryReceive() ?? this.#checkProducer();
      },
      recheck: () => {
        if (this.#core.ringProducerState(this.#ring) === END_LIVE) this.#lease.attachment.markSuspectDead();
      },
    };
  }

  /** Nothing is there: is more to come? What was sent right before the end comes first. */
  #checkProducer(): Uint8Array | undefined | typeof NOT_YET {
    const state = this.#core.ringProducerState(this.#ring);
    if (state !== END_CLOSED && state !== END_DEAD) return NOT_YET;
    const last = this.tryReceive();
    if (last !== undefined) return last;
    this.#core.ringProducerReported(this.#ring);
    if (state === END_CLOSED) return undefined;
    throw new IsthmusError(
      "PEER_DIED",
      `the producer of ring "${this.#geometry.name}" died, or ended without close(); everything it had sent was received. ` +
        "Receiving again waits for the next producer",
    );
  }

  /**
   * Hands every record that is there now to a function, in place, and releases them in batches.
   *
   * @param handle gets a record that is valid during the call; when it throws, that record stays
   * @param given at most how many records
   * @returns number of records handled
   * @throws what the function throws
   * @throws {IsthmusError} as `tryReceive`
   */
  drain(handle: (record: RingRecord) => void, given?: DrainOptions): number {
    callback("handle", handle);
    const { limit = Number.MAX_SAFE_INTEGER } = options<DrainOptions>("options", given, ["limit"]);
    integer("limit", limit, 0, Number.MAX_SAFE_INTEGER);
    this.#usable();
    let handled = 0;
    let found = false;
    this.#draining = true;
    try {
      while (handled < limit && !this.#cursor.closed) {
        found = this.#cursor.next();
        if (!found) break;
        this.#peek(true);
        handled += this.#cursor.walk(handle, limit - handled);
      }
    } finally {
      this.#draining = false;
      this.#peek(false);
      // When nothing was found, the core has published everything already.
      if (found && !this.#cursor.closed && (handled > 0 || this.#cursor.behind)) this.#cursor.release();
    }
    return handled;
  }

  /**
   * Copies of all records until the producer closes its end. Leaving the loop leaves the consumer open.
   *
   * @returns an iterator for `for await`
   * @throws {IsthmusError} as `receive`: PEER_DIED if the producer died, or ended without `close`
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const bytes = await this.receive();
      if (bytes === undefined) return;
      yield bytes;
    }
  }

  /** Gives the end back. A record that is peeked at, or handed out by `drain`, is the next consumer's first. Never throws. */
  close(): void {
    if (this.#cursor.closed) return;
    try {
      this.#cursor.release();
    } catch {
      // Damaged or evicted: nothing can be released, and the end is given up all the same.
    }
    this.#cursor.closed = true;
    if (this.#queue.length > 0) lookAgain(this.#lease.attachment, this.#waitersData);
    this.#cursor.record.valid = false;
    this.#part.done();
    ringCloseConsumer(this.#lease.attachment, this.#ring);
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}
