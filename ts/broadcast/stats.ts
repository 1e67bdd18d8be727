/** Reads the counters of a broadcast, and who publishes. It takes no lock and writes nothing. */
import {
  BROADCAST_LAST_SENT_NS_OFFSET,
  BROADCAST_PUBLISHER_OFFSET,
  BROADCAST_SENT_BYTES_OFFSET,
} from "../../protocol/layout.js";
import { type EndHolder, holderOf } from "../ring/holders.js";
import type { Attachment } from "../segment/attachment.js";

/** Counters of a broadcast. Exact up to 2^53, except for bytes of a record during whose publication a process died. */
export interface BroadcastStats {
  /** Records published since the broadcast was created. The last one has this number. */
  published: number;
  /** Payload bytes published. */
  bytes: number;
  /** Bytes for records: so much of what was published last is there, with headers of 16 bytes. */
  capacity: number;
  /** When the last record was published. It may be up to 64 records of one burst old. undefined before the first record. */
  lastSentAt: Date | undefined;
  /** The participant that holds the publisher's end; undefined when there is none. */
  publisher: EndHolder | undefined;
}

/** @internal The current counters of a broadcast, which lies inside the segment: the core has checked that. */
export function broadcastStats(attachment: Attachment, topic: number, capacity: number): BroadcastStats {
  const { core, view } = attachment;
  const sentNs = Number(view.getBigUint64(topic + BROADCAST_LAST_SENT_NS_OFFSET, true));
  return {
    published: core.broadcastSent(topic, capacity),
    bytes: Number(view.getBigUint64(topic + BROADCAST_SENT_BYTES_OFFSET, true)),
    capacity,
    lastSentAt: sentNs === 0 ? undefined : new Date(sentNs / 1e6),
    publisher: holderOf(attachment, topic + BROADCAST_PUBLISHER_OFFSET),
  };
}
