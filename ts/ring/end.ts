import {
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RING_CONSUMER_OFFSET,
  RING_PRODUCER_OFFSET,
} from "../../protocol/layout.js";
import type { Attachment } from "../segment/attachment.js";
import type { End } from "../segment/end.js";
import type { Fields, Struct } from "../struct/struct.js";

/** The common part of both ends of a ring. */
export interface RingGeometry {
  readonly name: string;
  readonly ring: number;
  readonly capacity: number;
  /** Offset of the first byte of the records, and of the first byte after them. */
  readonly data: number;
  readonly end: number;
  /** The layout of the records; undefined when they are bytes of any length. */
  readonly layout: Struct<Fields> | undefined;
}

export type EndName = "producer" | "consumer";

/** Bytes that a payload of this length takes in a ring. */
export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + ((length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT);
}

/** An end of a ring, as those see it that take it and wait for it. */
export function endOf({ core }: Attachment, end: EndName, { name, ring, capacity }: RingGeometry): End {
  const isProducer = end === "producer";
  return {
    text: `the ${end}'s end of ring "${name}"`,
    waitCall: `ring.waitFor${isProducer ? "Producer" : "Consumer"}()`,
    owner: ring + (isProducer ? RING_PRODUCER_OFFSET : RING_CONSUMER_OFFSET),
    waiters: core.ringWaitersEnds(ring) >>> 0,
    attach: () => {
      const attach = isProducer ? core.ringAttachProducer : core.ringAttachConsumer;
      return attach(ring, capacity) >>> 0;
    },
    state: () => (isProducer ? core.ringProducerState(ring) : core.ringConsumerState(ring)),
  };
}

/** Gives the producer's end back. Wakes a consumer that waits, and those that wait for the end. */
export function ringCloseProducer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseProducer(ring)) attachment.notify(core.ringWaitersData(ring) >>> 0);
  notifyEnds(attachment, ring);
}

/** The same in the middle of a stream: the consumer gets PEER_DIED, as after a death. */
export function ringAbandonProducer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringAbandonProducer(ring)) attachment.notify(core.ringWaitersData(ring) >>> 0);
  notifyEnds(attachment, ring);
}

/** Gives the consumer's end back. Wakes a producer that waits, and those that wait for the end. */
export function ringCloseConsumer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseConsumer(ring)) attachment.notify(core.ringWaitersRoom(ring) >>> 0);
  notifyEnds(attachment, ring);
}

function notifyEnds(attachment: Attachment, ring: number): void {
  const ends = attachment.core.ringWaitersEnds(ring) >>> 0;
  if (attachment.core.waitersAny(ends)) attachment.notify(ends);
}
