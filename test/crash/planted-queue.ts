/** Where to plant bugs in the queue: as `planted-sites.ts`. */
import { MESSAGE_LENGTH_OFFSET, QUEUE_HEAD_OFFSET, QUEUE_TAIL_OFFSET } from "../../protocol/layout.js";
import type { CrashLane } from "../lib/crash.js";
import {
  BITMAP,
  cellOf,
  done,
  giveBack,
  type Job,
  MESSAGES,
  memberOf,
  openQueue,
  type Queue,
  queueWish,
  send,
  take,
} from "../lib/hosts/queue.js";
import { payloadOf } from "../lib/hosts/ring.js";
import type { Script } from "../lib/script.js";
import { FILLS, type Fill, populate, SLOTS } from "./cases/ground.js";

function queueOf(lane: CrashLane): Queue {
  populate(lane, FILLS[0] as Fill);
  return lane.play(1, openQueue(lane.view, queueWish(3, 24)));
}

const sending = (queue: Queue): Script<unknown> => send(queue, payloadOf(1, 9));

function taking(lane: CrashLane, queue: Queue): Job {
  return lane.play(0, take(lane.view, queue)) as Job;
}

/** The swap that puts a message into its list. */
export function queueCell(lane: CrashLane): number {
  const queue = queueOf(lane);
  return lane.siteWriting(cellOf(queue, 0), 0, sending(queue));
}

/** The swap that moves the tail on. */
export function queueTail(lane: CrashLane): number {
  const queue = queueOf(lane);
  return lane.siteWriting(queue.queue + QUEUE_TAIL_OFFSET, 0, sending(queue));
}

/** The store of the length of a message. */
export function messageLength(lane: CrashLane): number {
  const queue = queueOf(lane);
  const slot = queue.queue + MESSAGES;
  return lane.siteWriting(slot + MESSAGE_LENGTH_OFFSET, 0, sending(queue));
}

/** The store by which others find what a participant owns that takes messages. */
export function queueMember(lane: CrashLane): number {
  const queue = queueOf(lane);
  return lane.siteWriting(memberOf(queue, SLOTS[0]), 0, take(lane.view, queue));
}

/** The swap that takes a message. */
export function messageTaken(lane: CrashLane): number {
  const queue = queueOf(lane);
  lane.play(0, sending(queue));
  return lane.siteWriting(queue.queue + MESSAGES, 0, take(lane.view, queue));
}

/** The swap that moves the head on. */
export function queueHead(lane: CrashLane): number {
  const queue = queueOf(lane);
  lane.play(0, sending(queue));
  return lane.siteWriting(queue.queue + QUEUE_HEAD_OFFSET, 0, take(lane.view, queue));
}

/** The store of the bit of a slot that is free again. */
export function slotFree(lane: CrashLane): number {
  const queue = queueOf(lane);
  lane.play(0, sending(queue));
  return lane.siteWriting(queue.queue + BITMAP, 0, done(queue, taking(lane, queue)));
}

/** The swap that begins to give a message back. */
export function messageReturning(lane: CrashLane): number {
  const queue = queueOf(lane);
  lane.play(0, sending(queue));
  return lane.siteWriting(queue.queue + MESSAGES, 0, giveBack(queue, taking(lane, queue)));
}
