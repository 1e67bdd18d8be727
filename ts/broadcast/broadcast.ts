import { OBJECT_BROADCAST, TOPIC_HEADER_BYTES } from "../../protocol/layout.js";
import { BROADCAST_CAPACITY_MAX, BROADCAST_SHARE_SHIFT } from "../../protocol/limits.js";
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
import type { FieldsOf, SentOf } from "../ring/payload.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { findObject, openObject } from "../segment/directory.js";
import { checkOwnEnd, endAwaited } from "../segment/end.js";
import { type Fields, type Struct, structOf } from "../struct/struct.js";
import { Queue } from "../wait/queue.js";
import { type QueuedWait, wait, waitSync } from "../wait/wait.js";
import { layoutHidden } from "./errors.js";
import { type BroadcastGeometry, publisherEnd } from "./geometry.js";
import { Publisher } from "./publisher.js";
import { type BroadcastStats, broadcastStats } from "./stats.js";
import { beginsWithOldest, Subscriber, type SubscriberOptions } from "./subscriber.js";

/** How a broadcast is created. Every opener must pass the same values, but may leave out `bytes`. */
export interface BroadcastOptions<F extends Fields = never> {
  /**
   * Bytes for records, 1 to 2 GiB - 64 KiB, rounded up to a multiple of 8, at least 256. Each record takes its payload, rounded
   * up to a multiple of 8, and 16 bytes more, and may take a quarter of these bytes. The more bytes, the longer may a
   * subscriber fall behind. Without `bytes`, the call opens an existing broadcast, and creates none.
   */
  bytes?: number | undefined;
  /** A layout made by `struct`: then the broadcast carries values. Default: none; records are bytes of any length. */
  layout?: Struct<F> | undefined;
}

/**
 * A broadcast: one publisher sends records to any number of subscribers, each of which gets all of them. The publisher never
 * waits: what a slow subscriber has not read is overwritten, and that subscriber knows exactly how many it has lost. Opened with
 * `segment.broadcast(name, { bytes })`; records are bytes of any length, or values of a struct when it is made with a `layout`.
 * Subscribers may be read-only openers. docs/broadcast.md says when to use it, and when a queue or a ring for each reader.
 *
 * @example
 * ```ts
 * import { MiB, Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const Quote = struct({ id: "u32", bid: "f64", ask: "f64" });
 * const quotes = segment.broadcast("quotes", { bytes: 1 * MiB, layout: Quote });
 * using publisher = quotes.publisher();
 * const [first, second] = [quotes.subscriber(), quotes.subscriber()];
 * publisher.publish({ id: 7, bid: 1.0841, ask: 1.0842 });
 * console.log(first.tryReceive()?.bid, second.tryReceive()?.ask, first.lost);
 * ```
 */
export class Broadcast<T = PrivateBytes, F extends Fields = FieldsOf<T>> {
  static {
    describe(Broadcast.prototype, "Broadcast", ({ name, capacity, stats: { published } }) => ({
      ...{ name, capacity },
      published,
    }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Its name in the segment. */
  readonly name: string;
  /** Bytes for records: those given at its creation, rounded up. */
  readonly capacity: number;
  /** Bytes of the largest record. */
  readonly recordBytesMax: number;
  /** The layout of the records; undefined when they are bytes. */
  readonly layout: [F] extends [never] ? undefined : Struct<F>;
  readonly #lease: Lease;
  readonly #geometry: BroadcastGeometry;
  /** Calls that wait for the publisher's end. */
  readonly #publishersAwaited = new Queue<QueuedWait>();
  /** The records have a layout, and this opener has not passed it. */
  readonly #hidden: boolean;

  /** @internal */
  constructor(lease: Lease, name: string, given: BroadcastOptions<F> | undefined) {
    checkMade(lease, "Broadcast", "segment.broadcast(name, { bytes })");
    const { bytes, layout: struct } = options<BroadcastOptions<F>>("options", given, ["bytes", "layout"]);
    const layout = struct && (structOf("layout", struct) as Struct<Fields>);
    const { attachment } = lease;
    const found = bytes === undefined ? existing(lease, name) : undefined;
    const capacity = found ? found.capacity : capacityOf(attachment.core, bytes, layout);
    const parameters = { bytes: capacity, layout: layout?.hash ?? found?.layout ?? 0 };
    const { offset: topic } = openObject(attachment, name, OBJECT_BROADCAST, parameters, layout);
    const payloadMax = attachment.core.broadcastPayloadMax(capacity);
    this.#lease = lease;
    this.#geometry = { name, topic, capacity, payloadMax, layout };
    this.name = name;
    this.capacity = capacity;
    this.recordBytesMax = payloadMax;
    this.layout = layout as typeof this.layout;
    this.#hidden = layout === undefined && found !== undefined && found.layout !== 0;
  }

  #leaseOfEnds(): Lease {
    if (this.#hidden) throw layoutHidden(this.name);
    return this.#lease;
  }

  /**
   * Takes the publisher's end.
   *
   * @returns the end; it is given back by `close`, or when the segment is closed
   * @throws {IsthmusError} BUSY while a live participant, or this one, publishes: see `waitForPublisher`; READ_ONLY; CLOSED: the
   *   segment was closed; EVICTED; CORRUPT when the broadcast is damaged; OBJECT_MISMATCH when it has a layout that was not given
   */
  publisher(): Publisher<SentOf<T, F>, F> {
    return new Publisher(this.#leaseOfEnds(), this.#geometry, false);
  }

  /**
   * Takes the publisher's end as soon as no live participant holds it: for a program that replaces another one, or is its
   * standby. Subscribers that have not noticed the end of the previous publisher by then are not told of it: they go on with
   * the records of the new one.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns the end, as `publisher`
   * @throws {IsthmusError} TIMED_OUT; otherwise as `publisher` (but BUSY)
   * @throws the signal's reason, when it is aborted
   */
  async waitForPublisher(options?: WaitOptions): Promise<Publisher<SentOf<T, F>, F>> {
    const how = waiting(options);
    const { attachment } = this.#leaseOfEnds();
    attachment.check(true);
    return wait(attachment, this.#publisherAwaited(), how);
  }

  /**
   * As `waitForPublisher`, blocking the thread.
   *
   * @param options how long to wait
   * @returns the end, as `publisher`
   * @throws {IsthmusError} DEADLOCK when this opener itself holds the end, or, without a `timeoutMs`, another opener of this
   *   thread does; otherwise as `waitForPublisher`
   */
  waitForPublisherSync(options?: WaitSyncOptions): Publisher<SentOf<T, F>, F> {
    const how = waitingSync(options);
    const { attachment } = this.#leaseOfEnds();
    attachment.check(true);
    checkOwnEnd(attachment, publisherEnd(attachment, this.#geometry));
    return waitSync(attachment, this.#publisherAwaited(), how);
  }

  #publisherAwaited() {
    const { attachment } = this.#lease;
    return endAwaited(
      attachment,
      publisherEnd(attachment, this.#geometry),
      this.#publishersAwaited,
      () => new Publisher<SentOf<T, F>, F>(this.#lease, this.#geometry, true),
    );
  }

  /**
   * Makes a subscriber, which gets every record from now on, or from the oldest one that is there.
   *
   * @param given where it begins
   * @returns the subscriber; it has its own place
   * @throws {IsthmusError} CLOSED: the segment was closed; EVICTED; CORRUPT when the broadcast is damaged; OBJECT_MISMATCH when
   *   it has a layout that was not given
   */
  subscriber(given?: SubscriberOptions): Subscriber<T, F> {
    const fromOldest = beginsWithOldest(given);
    return new Subscriber(this.#leaseOfEnds(), this.#geometry, fromOldest);
  }

  /**
   * The current counters of the broadcast, and who publishes. Every opener of the segment can read them.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get stats(): BroadcastStats {
    const { attachment } = this.#lease;
    attachment.check(false);
    return broadcastStats(attachment, this.#geometry.topic, this.capacity);
  }
}

function capacityOf(core: Core, bytes: unknown, layout: Struct<Fields> | undefined): number {
  const wanted = integer("bytes", bytes, 1, BROADCAST_CAPACITY_MAX);
  const capacity = core.broadcastCapacity(wanted) >>> 0;
  if (layout && layout.bytes > core.broadcastPayloadMax(capacity)) {
    const least = (TOPIC_HEADER_BYTES + Math.ceil(layout.bytes / 8) * 8) << BROADCAST_SHARE_SHIFT;
    throw new RangeError(`bytes must be at least ${least} for values of the layout, got ${wanted}`);
  }
  return capacity;
}

/** The parameters of an existing one. If the name belongs to another kind of object, it has none, and opening it is refused. */
function existing({ attachment }: Lease, name: string): { capacity: number; layout: number } {
  attachment.check(false);
  const found = findObject(attachment, name);
  if (!found) {
    throw new IsthmusError(
      "NOT_FOUND",
      `segment "${attachment.name}" has no object "${name}"; give { bytes } to make a broadcast`,
    );
  }
  const { bytes = 0, layout = 0 } = found.type === "broadcast" ? found.parameters : {};
  return { capacity: bytes, layout };
}
