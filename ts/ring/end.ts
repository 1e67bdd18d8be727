import { BUSY } from "../../protocol/errors.js";
import {
  END_LIVE,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RING_CONSUMER_OFFSET,
  RING_PRODUCER_OFFSET,
} from "../../protocol/layout.js";
import { isError } from "../core.js";
import { failure, IsthmusError } from "../errors.js";
import type { Attachment, Closable } from "../segment/attachment.js";
import { SoftReference } from "../segment/soft-reference.js";
import { slotOf } from "../segment/token.js";
import type { Fields, Struct } from "../struct/struct.js";
import { type Condition, NOT_YET } from "../wait/wait.js";
import { ringAdvice } from "./errors.js";

/** What both ends of a ring share. */
export interface RingGeometry {
  readonly name: string;
  readonly ring: number;
  readonly capacity: number;
  /** First byte of the records, and the first behind them. */
  readonly data: number;
  readonly end: number;
  /** Of the records; undefined when they are bytes of any length. */
  readonly layout: Struct<Fields> | undefined;
}

export type EndName = "producer" | "consumer";

/** Bytes that a payload of this length takes in a ring. */
export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + ((length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT);
}

/** One attempt of the core to take an end: the offset of the next record, BUSY, or another error. */
function attach(attachment: Attachment, end: EndName, { ring, capacity }: RingGeometry): number {
  const { core } = attachment;
  const result =
    end === "producer" ? core.ringAttachProducer(ring, capacity) : core.ringAttachConsumer(ring, capacity);
  return result >>> 0;
}

/** The same, past owners that turn out to be dead; undefined while a live one holds the end. */
function attachPastDead(attachment: Attachment, end: EndName, geometry: RingGeometry): number | undefined {
  return attachment.retryPastDead(() => {
    const result = attach(attachment, end, geometry);
    return result === BUSY ? undefined : result;
  });
}

function attachFailed(end: EndName, { name }: RingGeometry, status: number, advice: string): IsthmusError {
  return failure(status, `the ${end}'s end of ring "${name}": ${advice}`);
}

/**
 * Takes an end of a ring for this opener, also from a dead one.
 *
 * @returns the offset of the next record
 * @throws {IsthmusError} BUSY while a live participant holds the end; EVICTED; CORRUPT
 */
export function takeEnd(attachment: Attachment, end: EndName, geometry: RingGeometry): number {
  attachment.check(true);
  const at = attachPastDead(attachment, end, geometry) ?? BUSY;
  if (!isError(at)) return at;
  const advice =
    at === BUSY
      ? `${attachment.suspectText()} holds it; it is free again when that one closes it or ends. ` +
        `To wait for that, use ring.waitFor${end === "producer" ? "Producer" : "Consumer"}()`
      : ringAdvice(at);
  throw attachFailed(end, geometry, at, advice);
}

/**
 * Waits until an end is free, and takes it. Whoever gives an end back wakes those who wait for it. An owner that died wakes
 * nobody, so the kernel is asked at first and then with each recheck.
 *
 * @param make makes the object of the end from the offset of the next record
 */
export function endAwaited<T>(
  attachment: Attachment,
  end: EndName,
  geometry: RingGeometry,
  make: (at: number) => T,
): Condition<T> {
  const { core } = attachment;
  let asked = false;
  return {
    what: `waiting for the ${end}'s end of ring "${geometry.name}"`,
    waiters: core.ringWaitersEnds(geometry.ring) >>> 0,
    attempt: () => {
      attachment.check(true);
      const at = asked
        ? attach(attachment, end, geometry)
        : (attachPastDead(attachment, end, geometry) ?? BUSY);
      asked = true;
      if (at === BUSY) return NOT_YET;
      if (isError(at)) throw attachFailed(end, geometry, at, ringAdvice(at));
      return make(at);
    },
    recheck: () => {
      const { ring } = geometry;
      const state = end === "producer" ? core.ringProducerState(ring) : core.ringConsumerState(ring);
      if (state === END_LIVE) attachment.markSuspectDead();
    },
  };
}

/** Throws when a blocked thread would wait for an end that its own opener holds: nothing could give it back. */
export function checkOwnEnd(attachment: Attachment, end: EndName, { ring, name }: RingGeometry): void {
  const state =
    end === "producer" ? attachment.core.ringProducerState(ring) : attachment.core.ringConsumerState(ring);
  if (state !== END_LIVE) return;
  const at = ring + (end === "producer" ? RING_PRODUCER_OFFSET : RING_CONSUMER_OFFSET);
  if (slotOf(attachment.u32[at >>> 2]) !== attachment.slot) return;
  throw new IsthmusError(
    "DEADLOCK",
    `this opener itself holds the ${end}'s end of ring "${name}"; close it first, or wait with the form that does not block`,
  );
}

/** How an end is given back; no closures, see `EndPart`. */
type GiveBack = (attachment: Attachment, ring: number) => void;

/** Gives the producer's end back; wakes a consumer that waits, and those who wait for the end. */
export function ringCloseProducer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseProducer(ring)) attachment.notify(core.ringWaitersData(ring) >>> 0);
  notifyEnds(attachment, ring);
}

/** The same in the middle of a stream: the consumer is told as when the producer had died. */
export function ringAbandonProducer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringAbandonProducer(ring)) attachment.notify(core.ringWaitersData(ring) >>> 0);
  notifyEnds(attachment, ring);
}

/** Gives the consumer's end back; wakes a producer that waits, and those who wait for the end. */
export function ringCloseConsumer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseConsumer(ring)) attachment.notify(core.ringWaitersRoom(ring) >>> 0);
  notifyEnds(attachment, ring);
}

function notifyEnds(attachment: Attachment, ring: number): void {
  const ends = attachment.core.ringWaitersEnds(ring) >>> 0;
  if (attachment.core.waitersAny(ends)) attachment.notify(ends);
}

/**
 * An end as a part of its attachment that does not keep it, since an end keeps its segment: an end that was dropped together with
 * its segment is closed. When the end was collected already, `close` says how the core gives it back.
 */
export class EndPart implements Closable {
  readonly #attachment: Attachment;
  readonly #end: SoftReference<Closable>;
  readonly #ring: number;
  readonly #close: GiveBack;

  /** `close` is no closure: one that is made beside others would keep what they keep. */
  constructor(attachment: Attachment, end: Closable, ring: number, close: GiveBack) {
    this.#attachment = attachment;
    this.#end = new SoftReference(end);
    this.#ring = ring;
    this.#close = close;
    attachment.parts.add(this);
    attachment.core.ownerKept(); // from now on there is somebody who gives it back
  }

  /** The end has been closed. */
  done(): void {
    this.#attachment.parts.delete(this);
    this.#end.clear();
  }

  /** Nobody has said that a producer's stream is complete: its consumer is told as after any death. */
  abandon(): void {
    if (this.#close === ringCloseProducer) this.done();
    else this.close();
  }

  close(): void {
    const end = this.#end.deref();
    this.done();
    if (end) end.close();
    else this.#close(this.#attachment, this.#ring);
  }
}
