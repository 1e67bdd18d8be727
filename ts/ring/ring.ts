import {
  OBJECT_RING,
  RECORD_ALIGNMENT,
  RING_HEAD_OFFSET,
  RING_LAST_SENT_NS_OFFSET,
  RING_RECEIVED_OFFSET,
  RING_SENT_BYTES_OFFSET,
  RING_SENT_OFFSET,
  RING_TAIL_OFFSET,
} from "../../protocol/layout.js";
import { RING_CAPACITY_MAX, RING_CAPACITY_MIN } from "../../protocol/limits.js";
import { integer, options } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import type { Lease } from "../segment/attachment.js";
import { openObject } from "../segment/directory.js";
import { Consumer } from "./consumer.js";
import type { RingGeometry } from "./end.js";
import { Producer } from "./producer.js";

/** What a ring is made with; whoever opens it gives the same. */
export interface RingOptions {
  /**
   * Capacity in bytes, 1 to 2 GiB - 64 KiB, rounded up to a multiple of 8, at least 64. Each record takes its payload, rounded
   * up to a multiple of 8, and 8 bytes more.
   */
  bytes: number;
}

/** Counts of a ring. Exact up to 2^53, and off by at most what a crash left half counted. */
export interface RingStats {
  /** Records sent since the ring was made. */
  sent: number;
  /** Records received and released since the ring was made. */
  received: number;
  /** Payload bytes sent. */
  bytes: number;
  /** Bytes of the capacity that hold records which are not released yet. */
  used: number;
  /** Bytes for records. */
  capacity: number;
  /** When the last record was sent, to within 64 records of one burst; undefined before the first. */
  lastSentAt: Date | undefined;
}

/**
 * A ring: one producer streams records of any length to one consumer, in order. Opened with `segment.ring(name, { bytes })`.
 *
 * A record is delivered at least once: what a consumer had received but not released when it was killed is delivered again
 * to its successor: at most 64 records and an eighth of the capacity, or one larger record. See docs/recovery.md.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("frames", { bytes: 1 * MiB });
 * using producer = ring.producer();
 * using consumer = ring.consumer();
 * producer.trySend(new TextEncoder().encode("hello"));
 * console.log(new TextDecoder().decode(consumer.tryReceive()));
 * ```
 */
export class Ring {
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
  /** Bytes for records: what it was made with, rounded up. */
  readonly capacity: number;
  readonly #lease: Lease;
  readonly #geometry: RingGeometry;

  /** @internal */
  constructor(lease: Lease, name: string, given: RingOptions) {
    const { bytes } = options<RingOptions>("options", given, ["bytes"]);
    const wanted = integer("bytes", bytes, 1, RING_CAPACITY_MAX);
    const capacity = Math.max(RING_CAPACITY_MIN, Math.ceil(wanted / RECORD_ALIGNMENT) * RECORD_ALIGNMENT);
    const object = openObject(lease.attachment, name, OBJECT_RING, { bytes: capacity });
    const data = lease.attachment.core.ringData(object.offset) >>> 0;
    if (data + capacity > object.offset + object.bytes) {
      throw new IsthmusError(
        "CORRUPT",
        `ring "${name}" is smaller than its capacity says; replace the segment`,
      );
    }
    this.#lease = lease;
    this.#geometry = { name, ring: object.offset, capacity, data, end: data + capacity };
    this.name = name;
    this.capacity = capacity;
  }

  /**
   * Takes the producer's end.
   *
   * @returns the end; it is given back by `close`, or when the segment is closed
   * @throws {IsthmusError} BUSY while a live participant, or this one, holds it; READ_ONLY; CLOSED: the segment was closed;
   *   EVICTED; CORRUPT when the ring is damaged
   */
  producer(): Producer {
    return new Producer(this.#lease, this.#geometry);
  }

  /**
   * Takes the consumer's end.
   *
   * @returns the end; it is given back by `close`, or when the segment is closed
   * @throws {IsthmusError} as `producer`
   */
  consumer(): Consumer {
    return new Consumer(this.#lease, this.#geometry);
  }

  /**
   * Counts of the ring as they are now, for anyone who has the segment open.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get stats(): RingStats {
    this.#lease.attachment.check(false);
    const { ring, capacity } = this.#geometry;
    const word = (offset: number): number =>
      Number(this.#lease.attachment.view.getBigUint64(ring + offset, true));
    const sentNs = word(RING_LAST_SENT_NS_OFFSET);
    return {
      sent: word(RING_SENT_OFFSET),
      received: word(RING_RECEIVED_OFFSET),
      bytes: word(RING_SENT_BYTES_OFFSET),
      used: Math.min(capacity, Math.max(0, word(RING_HEAD_OFFSET) - word(RING_TAIL_OFFSET))),
      capacity,
      lastSentAt: sentNs === 0 ? undefined : new Date(sentNs / 1e6),
    };
  }
}
