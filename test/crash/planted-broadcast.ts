/** Where to plant bugs in a broadcast: as `planted-sites.ts`. */
import {
  BROADCAST_INTENT_OFFSET,
  BROADCAST_OLDEST_OFFSET,
  BROADCAST_PUBLISHER_OFFSET,
  BROADCAST_TAIL_OFFSET,
  TOPIC_KIND_OFFSET,
  TOPIC_NUMBER_OFFSET,
} from "../../protocol/layout.js";
import type { CrashLane } from "../lib/crash.js";
import {
  attachPublisher,
  claimRecord,
  closePublisher,
  openTopic,
  publish,
  type Topic,
} from "../lib/hosts/broadcast.js";
import { payloadOf } from "../lib/hosts/ring.js";
import type { Script } from "../lib/script.js";
import { FILLS, type Fill, populate } from "./cases/ground.js";

const CAPACITY = 256;

const publishing = (topic: Topic): Script => publish(topic, payloadOf(1, 48));

/** A topic in which so many records were published; six go once around. */
function topicOf(lane: CrashLane, records = 0): Topic {
  populate(lane, FILLS[0] as Fill);
  const topic = lane.play(1, openTopic(lane.view, CAPACITY));
  lane.play(0, attachPublisher(topic));
  for (let count = 0; count < records; count++) lane.play(0, publishing(topic));
  return topic;
}

function word(lane: CrashLane, offset: number, records = 0): number {
  const topic = topicOf(lane, records);
  return lane.siteWriting(topic.topic + offset, 0, publishing(topic));
}

function header(lane: CrashLane, offset: number): number {
  const topic = topicOf(lane);
  const at = lane.play(0, claimRecord(topic, 48));
  return lane.siteWriting(at + offset, 0, publishing(topic));
}

/** The store that says which bytes are being overwritten. */
export const intent = (lane: CrashLane): number => word(lane, BROADCAST_INTENT_OFFSET);

/** The store that says which record is the oldest. */
export const oldest = (lane: CrashLane): number => word(lane, BROADCAST_OLDEST_OFFSET, 6);

/** The store that publishes a record. */
export const topicTail = (lane: CrashLane): number => word(lane, BROADCAST_TAIL_OFFSET);

/** The store of the kind of a record. */
export const topicKind = (lane: CrashLane): number => header(lane, TOPIC_KIND_OFFSET);

/** The store of the number of a record. */
export const topicNumber = (lane: CrashLane): number => header(lane, TOPIC_NUMBER_OFFSET);

/** The swap that gives the publisher's end back. */
export function publisherClosed(lane: CrashLane): number {
  const topic = topicOf(lane);
  return lane.siteWriting(topic.topic + BROADCAST_PUBLISHER_OFFSET, 0, closePublisher(topic));
}
