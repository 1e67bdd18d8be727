/** Where to plant bugs: instructions of the built core, found by what they write when an operation runs. */
import {
  DIRECTORY_COUNT_OFFSET,
  ENTRY_OBJECT_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  LATEST_VERSIONS_OFFSET,
  RING_HEAD_OFFSET,
  RING_PRODUCER_OFFSET,
  RING_RECEIVED_OFFSET,
  RING_TAIL_OFFSET,
  SEGMENT_LOCK_OFFSET,
  WAITERS_SUMMARY_OFFSET,
  WAITERS_WORDS_OFFSET,
} from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import type { CrashLane } from "../lib/crash.js";
import { openLatest, writeLatest } from "../lib/hosts/latest.js";
import {
  attachConsumer,
  attachProducer,
  type ConsumerEnd,
  openRing,
  type ProducerEnd,
  payloadOf,
  receive,
  send,
  sendPacked,
} from "../lib/hosts/ring.js";
import { createSegment, insertOnce, latestWish, openObject, ringWish } from "../lib/hosts/segment.js";
import { call } from "../lib/script.js";
import { FILLS, type Fill, populate, SLOTS } from "./cases/ground.js";

function ringOf(lane: CrashLane): ProducerEnd {
  populate(lane, FILLS[0] as Fill);
  const ring = lane.play(1, openRing(lane.view, ringWish("ring", 128)));
  return lane.play(0, attachProducer(ring)) as ProducerEnd;
}

/** The store of a record's header. */
export function recordHeader(lane: CrashLane): number {
  const producer = ringOf(lane);
  return lane.siteWriting(producer.at, 0, send(producer, payloadOf(1, 9)));
}

/** The store of the header of the first record of a slab. */
export function spreadHeader(lane: CrashLane): number {
  const producer = ringOf(lane);
  return lane.siteWriting(producer.at, 0, sendPacked(producer, [payloadOf(1, 9), payloadOf(2, 9)]));
}

/** The store that publishes a record. */
export function ringHead(lane: CrashLane): number {
  const producer = ringOf(lane);
  return lane.siteWriting(producer.ring + RING_HEAD_OFFSET, 0, send(producer, payloadOf(1, 9)));
}

/** The store that counts what a consumer took. */
export function ringReceived(lane: CrashLane): number {
  const producer = ringOf(lane);
  const consumer = lane.play(1, attachConsumer(producer)) as ConsumerEnd;
  for (const number of [1, 2]) lane.play(0, send(producer, payloadOf(number, 9)));
  lane.play(1, receive(lane.view, consumer));
  return lane.siteWriting(consumer.ring + RING_RECEIVED_OFFSET, 1, receive(lane.view, consumer));
}

/** The store that publishes room, where `receive` releases what it finds to be the last. */
export function ringTail(lane: CrashLane): number {
  const producer = ringOf(lane);
  const consumer = lane.play(1, attachConsumer(producer)) as ConsumerEnd;
  lane.play(0, send(producer, payloadOf(1, 9)));
  lane.play(1, receive(lane.view, consumer));
  return lane.siteWriting(consumer.ring + RING_TAIL_OFFSET, 1, receive(lane.view, consumer));
}

/** The compare-exchange that takes the producer's end. */
export function producerOwner(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  const ring = lane.play(1, openRing(lane.view, ringWish("ring", 128)));
  return lane.siteWriting(ring.ring + RING_PRODUCER_OFFSET, 0, attachProducer(ring));
}

/** The bit that tells notifiers that somebody waits. */
export function waitersSummary(lane: CrashLane): number {
  const { waitersData } = ringOf(lane);
  return lane.siteWriting(waitersData + WAITERS_SUMMARY_OFFSET, 0, call("waitersArm", waitersData));
}

/** The bit of a participant that waits. */
export function waitersBit(lane: CrashLane): number {
  const { waitersData } = ringOf(lane);
  const word = waitersData + WAITERS_WORDS_OFFSET + 4 * (SLOTS[0] >>> 5);
  return lane.siteWriting(word, 0, call("waitersArm", waitersData));
}

/** The store of the object's offset in a new entry. */
export function entryObject(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  const entry = lane.play(0, call("directoryOffset", PARTICIPANTS_MIN)) >>> 0;
  return lane.siteWriting(entry + ENTRY_OBJECT_OFFSET, 0, insertOnce(ringWish("ring", 128)));
}

/** The store that publishes an object. */
export function directoryCount(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  return lane.siteWriting(DIRECTORY_COUNT_OFFSET, 0, insertOnce(ringWish("ring", 128)));
}

/** The compare-exchange that takes the write lock. */
export function segmentLock(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  return lane.sitesWriting(SEGMENT_LOCK_OFFSET, 0, insertOnce(ringWish("ring", 128)))[0] as number;
}

/** The store of the total size at creation. */
export function totalSize(lane: CrashLane): number {
  lane.arena.segment.fill(0);
  return lane.siteWriting(HEADER_TOTAL_SIZE_OFFSET, 0, createSegment(SLOTS[0]));
}

/** The stores of a small value's bytes. */
export function smallValue(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  const wish = latestWish("value", 16);
  const value = lane.play(1, openLatest(lane.view, wish));
  const slot = lane.play(1, call("latestBegin", value.latest, 16)) >>> 0;
  lane.play(1, call("latestAbort", value.latest));
  return lane.siteWriting(slot, 0, writeLatest(value, 1));
}

/** The store that says that a slot of a value is being written. */
export function slotInvalid(lane: CrashLane): number {
  populate(lane, FILLS[0] as Fill);
  const latest = lane.play(1, openObject(lane.view, latestWish("value", 16)));
  return lane.siteWriting(latest + LATEST_VERSIONS_OFFSET, 0, call("latestBegin", latest, 16));
}

/** The compare-exchange of `markDead`. */
export function burial(lane: CrashLane): number {
  const site = lane.arena.sites.findIndex((one) => one.func === "markDead" && one.kind === "cmpxchg");
  if (site < 0) throw new Error("markDead has no compare-exchange");
  return site;
}
