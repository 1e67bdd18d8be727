/** Where a broadcast is, and its publisher's end. */
import { BROADCAST_PUBLISHER_OFFSET } from "../../protocol/layout.js";
import type { Attachment } from "../segment/attachment.js";
import type { End } from "../segment/end.js";
import type { Fields, Struct } from "../struct/struct.js";

export interface BroadcastGeometry {
  readonly name: string;
  /** Offset of the object. */
  readonly topic: number;
  /** Bytes for records. */
  readonly capacity: number;
  /** Bytes of the largest payload. */
  readonly payloadMax: number;
  /** The layout of the records; undefined when they are bytes of any length. */
  readonly layout: Struct<Fields> | undefined;
}

/** The publisher's end, as those see it that take it and wait for it. */
export function publisherEnd({ core }: Attachment, { name, topic, capacity }: BroadcastGeometry): End {
  return {
    text: `the publisher's end of broadcast "${name}"`,
    waitCall: "broadcast.waitForPublisher()",
    owner: topic + BROADCAST_PUBLISHER_OFFSET,
    waiters: core.broadcastWaitersEnds(topic) >>> 0,
    attach: () => core.broadcastAttach(topic, capacity) >>> 0,
    state: () => core.broadcastState(topic, 0, 0),
  };
}

/** Gives the publisher's end back. Wakes subscribers, which are told of the end, and those that wait for it. */
export function closePublisher(attachment: Attachment, topic: number): void {
  const { core } = attachment;
  core.broadcastClose(topic);
  // Also when the call that has closed it was cut off before it woke them.
  for (const set of [core.broadcastWaiters(topic), core.broadcastWaitersEnds(topic)])
    if (core.waitersAny(set)) attachment.notify(set >>> 0);
}
