import {
  OBJECT_RING,
  RECORD_HEADER_BYTES,
  RING_HEAD_OFFSET,
  RING_LAST_SENT_NS_OFFSET,
  RING_RECEIVED_OFFSET,
  RING_SENT_BYTES_OFFSET,
  RING_SENT_OFFSET,
  RING_TAIL_OFFSET,
} from "../../protocol/layout.js";
import { RING_CAPACITY_MAX } from "../../protocol/limits.js";
import {
  integer,
  options,
  type WaitOptions,
  type WaitSyncOptions,
  waiting,
  waitingSync,
} from "../arguments.js";
import type { PrivateBytes } from "../bytes.js";
import type { Core } from "../core.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { findObject, openObject } from "../segment/directory.js";
import { checkOwnEnd, endAwaited } from "../segment/end.js";
import { type Fields, type Struct, structOf } from "../struct/struct.js";
import { Queue } from "../wait/queue.js";
import { type QueuedWait, wait, waitSync } from "../wait/wait.js";
import { acknowledgesEach, Consumer, type ConsumerOptions } from "./consumer.js";
import { endOf, type RingGeometry } from "./end.js";
import { type EndHolder, endHolders } from "./holders.js";
import type { FieldsOf, SentOf } from "./payload.js";
import { Producer } from "./producer.js";
import { type ReadableOptions, readableOf, type WritableOptions, writableOf } from "./streams.js";

/** How a ring is created. Every opener must pass the same values, but may leave out `bytes`. */
export interface RingOptions<F extends Fields = never> {
  /**
   * Capacity in bytes, 1 to 2 GiB - 64 KiB, rounded up to a multiple of 8, at least 64. Each record takes its payload, rounded
   * up to a multiple of 8, and 8 bytes more. Without `bytes`, the call opens an existing ring of any capacity, and creates
   * none.
   */
  bytes?: number | undefined;
  /** A layout made by `struct`: then the ring carries values. Default: none; records are bytes of any length. */
  layout?: Struct<F> | undefined;
}

/** Counters of a ring. Exact up to 2^53, except for records that were being counted during a crash. */
export interface RingStats {
  /** Records sent since the ring was created. */
  sent: number;
  /** Records received and released since the ring was created. */
  received: number;
  /** Payload bytes sent. */
  bytes: number;
  /** Bytes of the capacity that are used by records that are not released yet. */
  used: number;
  /** Bytes for records. */
  capacity: number;
  /** When the last record was sent. It may be up to 64 records of one burst old. undefined before the first record. */
  lastSentAt: Date | undefined;
  /** The participant that holds the producer's end; undefined when there is none. */
  producer: EndHolder | undefined;
  /** The participant that holds the consumer's end; undefined when there is none. */
  consumer: EndHolder | undefined;
}

/**
 * A ring: one producer streams records to one consumer, in order. Opened with `segment.ring(name, { bytes })`; records are bytes
 * of any length, or values of a struct when it is made with a `layout`.
 *
 * A record is delivered at least once. If a consumer is killed, records that it had received but not acknowledged are delivered
 * again to its successor: see `ConsumerOptions` and docs/recovery.md.
 *
 * @example
 * ```ts
 * import { MiB, Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("frames", { bytes: 1 * MiB });
 * using producer = ring.producer();
 * using consumer = ring.consumer();
 * producer.trySend(new TextEncoder().encode("hello"));
 * console.log(new TextDecoder().decode(consumer.tryReceive()));
 *
 * const Pose = struct({ id: "u32", position: ["f64", 3] });
 * const poses = segment.ring("poses", { bytes: 1 * MiB, layout: Pose });
 * poses.producer().trySend({ id: 7, position: [1, 2, 3] });
 * console.log(poses.consumer().tryReceive()?.position);
 * ```
 */
export class Ring<T = PrivateBytes, F extends Fields = FieldsOf<T>> {
  static {
    describe(Ring.prototype, "Ring", ({ name, capacity, stats: { sent, received, used } }) => ({
      ...{ name, capacity, used },
      ...{ sent, received },
    }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Its name in the segment. */
  readonly name: string;
  /** Bytes for records: those given at its creation, rounded up. */
  readonly capacity: number;
  /** The layout of the records; undefined when they are bytes. */
  readonly layout: [F] extends [never] ? undefined : Struct<F>;
  readonly #lease: Lease;
  readonly #geometry: RingGeometry;
  /** Calls that wait for an end. */
  readonly #producersAwaited = new Queue<QueuedWait>();
  readonly #consumersAwaited = new Queue<QueuedWait>();
  /** The records have a layout, and this opener has not passed it. */
  readonly #hidden: boolean;

  /** @internal */
  constructor(lease: Lease, name: string, given: RingOptions<F> | undefined) {
    checkMade(lease, "Ring", "segment.ring(name, { bytes })");
    const { bytes, layout: struct } = options<RingOptions<F>>("options", given, ["bytes", "layout"]);
    const layout = struct && (structOf("layout", struct) as Struct<Fields>);
    const found = bytes === undefined ? existing(lease, name) : undefined;
    const capacity = found ? found.capacity : capacityOf(lease.attachment.core, bytes, layout);
    const parameters = { bytes: capacity, layout: layout?.hash ?? found?.layout ?? 0 };
    const object = openObject(lease.attachment, name, OBJECT_RING, parameters, layout);
    const data = lease.attachment.core.ringData(object.offset) >>> 0;
    this.#lease = lease;
    this.#geometry = { name, ring: object.offset, capacity, data, end: data + capacity, layout };
    this.name = name;
    this.capacity = capacity;
    this.layout = layout as typeof this.layout;
    this.#hidden = layout === undefined && found !== undefined && found.layout !== 0;
  }

  #leaseOfEnds(): Lease {
    if (!this.#hidden) return this.#lease;
    throw new IsthmusError(
      "OBJECT_MISMATCH",
      `the records of ring "${this.name}" have a layout; open it with { layout } to send or receive`,
    );
  }

  /**
   * Takes the producer's end.
   *
   * @returns the end; it is given back by `close`, or when the segment is closed
   * @throws {IsthmusError} BUSY while a live participant, or this one, holds it: see `waitForProducer`; READ_ONLY; CLOSED: the
   *   segment was closed; EVICTED; CORRUPT when the ring is damaged; OBJECT_MISMATCH when it has a layout that was not given
   */
  producer(): Producer<SentOf<T, F>, F> {
    return new Producer(this.#leaseOfEnds(), this.#geometry);
  }

  /**
   * Takes the producer's end as soon as no live participant holds it: for a program that replaces another one, or is its
   * standby. The consumer is told of the end of the previous producer, before it gets the records of this one.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns the end, as `producer`
   * @throws {IsthmusError} TIMED_OUT; otherwise as `producer` (but BUSY)
   * @throws the signal's reason, when it is aborted
   */
  async waitForProducer(options?: WaitOptions): Promise<Producer<SentOf<T, F>, F>> {
    const how = waiting(options);
    const { attachment } = this.#leaseOfEnds();
    attachment.check(true);
    return wait(attachment, this.#producerAwaited(), how);
  }

  /**
   * As `waitForProducer`, blocking the thread.
   *
   * @param options how long to wait
   * @returns the end, as `producer`
   * @throws {IsthmusError} DEADLOCK when this opener itself holds the end, or, without a `timeoutMs`, another
   *   opener of this thread does; otherwise as `waitForProducer`
   */
  waitForProducerSync(options?: WaitSyncOptions): Producer<SentOf<T, F>, F> {
    const how = waitingSync(options);
    const { attachment } = this.#leaseOfEnds();
    attachment.check(true);
    checkOwnEnd(attachment, endOf(attachment, "producer", this.#geometry));
    return waitSync(attachment, this.#producerAwaited(), how);
  }

  #producerAwaited() {
    const { attachment } = this.#lease;
    return endAwaited(
      attachment,
      endOf(attachment, "producer", this.#geometry),
      this.#producersAwaited,
      (at) => new Producer<SentOf<T, F>, F>(this.#lease, this.#geometry, at),
    );
  }

  /**
   * Takes the consumer's end.
   *
   * @param given when records count as consumed
   * @returns the end; it is given back by `close`, or when the segment is closed
   * @throws {IsthmusError} as `producer`, and see `waitForConsumer`
   */
  consumer(given?: ConsumerOptions): Consumer<T, F> {
    const { acknowledge } = options<ConsumerOptions>("options", given, ["acknowledge"]);
    return new Consumer(this.#leaseOfEnds(), this.#geometry, acknowledgesEach(acknowledge));
  }

  /**
   * Takes the consumer's end as soon as no live participant holds it, as `waitForProducer`.
   *
   * @param given when records are acknowledged, how long to wait, and a signal that ends it
   * @returns the end, as `consumer`
   * @throws {IsthmusError} TIMED_OUT; otherwise as `producer` (but BUSY)
   * @throws the signal's reason, when it is aborted
   */
  async waitForConsumer(given?: ConsumerOptions & WaitOptions): Promise<Consumer<T, F>> {
    const how = waiting(given, ["acknowledge"]);
    const each = acknowledgesEach(given?.acknowledge);
    const { attachment } = this.#leaseOfEnds();
    attachment.check(true);
    return wait(attachment, this.#consumerAwaited(each), how);
  }

  /**
   * As `waitForConsumer`, blocking the thread.
   *
   * @param given when records are acknowledged, and how long to wait
   * @returns the end, as `consumer`
   * @throws {IsthmusError} DEADLOCK when this opener itself holds the end, or, without a `timeoutMs`, another
   *   opener of this thread does; otherwise as `waitForConsumer`
   */
  waitForConsumerSync(given?: ConsumerOptions & WaitSyncOptions): Consumer<T, F> {
    const how = waitingSync(given, ["acknowledge"]);
    const each = acknowledgesEach(given?.acknowledge);
    const { attachment } = this.#leaseOfEnds();
    attachment.check(true);
    checkOwnEnd(attachment, endOf(attachment, "consumer", this.#geometry));
    return waitSync(attachment, this.#consumerAwaited(each), how);
  }

  #consumerAwaited(each: boolean) {
    const { attachment } = this.#lease;
    return endAwaited(
      attachment,
      endOf(attachment, "consumer", this.#geometry),
      this.#consumersAwaited,
      (at) => new Consumer<T, F>(this.#lease, this.#geometry, each, at),
    );
  }

  /**
   * Takes the consumer's end and reads it as a Web Stream. It takes a record from the ring when the reader asks for a chunk,
   * and not earlier. Bytes are private memory. The stream closes when the producer closes its end. When it closes, fails, or is
   * cancelled, it acknowledges what was read and gives the consumer's end back.
   *
   * @param given how long to wait for each record, a signal that fails the stream, and when records are acknowledged
   * @returns the stream; it fails with PEER_DIED when the producer died, or ended without `close`
   * @throws {IsthmusError} as `consumer`; NOT_SUPPORTED in a global scope without Web Streams
   */
  readable(given?: ReadableOptions): ReadableStream<T> {
    const how = waiting(given, ["acknowledge"]);
    const consumer = this.consumer({ acknowledge: given?.acknowledge });
    try {
      return readableOf<T>(consumer as never, how);
    } catch (error) {
      consumer.close();
      throw error;
    }
  }

  /**
   * Takes the producer's end and writes to it as a Web Stream. A write is done when the record is in the ring, so a full ring
   * slows the writer down. Closing the stream completes it. If the stream or the signal is aborted, it gives the end back
   * without completing the stream: the consumer gets PEER_DIED after the records that were sent.
   *
   * @param given how long each write waits for room, and a signal that aborts the stream
   * @returns the stream
   * @throws {IsthmusError} as `producer`; NOT_SUPPORTED in a global scope without Web Streams
   */
  writable(given?: WritableOptions): WritableStream<SentOf<T, F>> {
    const how = waiting(given);
    const producer = this.producer();
    try {
      return writableOf<SentOf<T, F>>(producer as never, how);
    } catch (error) {
      producer.abandon();
      throw error;
    }
  }

  /**
   * The current counters of the ring, and the holders of its ends. Every opener of the segment can read them.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get stats(): RingStats {
    const { attachment } = this.#lease;
    attachment.check(false);
    const { ring, capacity } = this.#geometry;
    const word = (offset: number): number => Number(attachment.view.getBigUint64(ring + offset, true));
    const sentNs = word(RING_LAST_SENT_NS_OFFSET);
    return {
      sent: word(RING_SENT_OFFSET),
      received: word(RING_RECEIVED_OFFSET),
      bytes: word(RING_SENT_BYTES_OFFSET),
      used: Math.min(capacity, Math.max(0, word(RING_HEAD_OFFSET) - word(RING_TAIL_OFFSET))),
      capacity,
      lastSentAt: sentNs === 0 ? undefined : new Date(sentNs / 1e6),
      ...endHolders(attachment, ring),
    };
  }
}

function capacityOf(core: Core, bytes: unknown, layout: Struct<Fields> | undefined): number {
  const wanted = integer("bytes", bytes, 1, RING_CAPACITY_MAX);
  const capacity = core.ringCapacity(wanted) >>> 0;
  if (layout && RECORD_HEADER_BYTES + layout.bytes > capacity) {
    throw new RangeError(
      `bytes must be at least ${RECORD_HEADER_BYTES + layout.bytes} for one value of the layout, got ${wanted}`,
    );
  }
  return capacity;
}

/** The parameters of an existing ring. If the name belongs to another kind of object, it has none, and opening it is refused. */
function existing({ attachment }: Lease, name: string): { capacity: number; layout: number } {
  attachment.check(false);
  const found = findObject(attachment, name);
  if (!found) {
    throw new IsthmusError(
      "NOT_FOUND",
      `segment "${attachment.name}" has no object "${name}"; give { bytes } to make a ring`,
    );
  }
  const { bytes = 0, layout = 0 } = found.type === "ring" ? found.parameters : {};
  return { capacity: bytes, layout };
}
