/** What hosts do with a queue, as scripts. */
import { strict as assert } from "node:assert";
import { BUSY, CORRUPT } from "../../../protocol/errors.js";
import {
  FLAG_DEATHS,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  MESSAGE_HEADER_BYTES,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_REFERENCE,
  MESSAGE_WORD_OFFSET,
  OBJECT_ALIGNMENT,
  OBJECT_QUEUE,
  QUEUE_REDELIVER,
  QUEUE_WAITERS_OFFSET,
  RESULT_ERRORS,
  RESULT_OFFSETS,
} from "../../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import { call, read, type Script, write } from "../script.js";
import { CoreError, callSome, notify, type ObjectWish, openObject } from "./segment.js";

export interface Queue {
  queue: number;
  capacity: number;
  slotBytes: number;
  policy: number;
  /** The sets of waiters. */
  messages: number;
  room: number;
}

/** A message that was taken. */
export interface Job {
  at: number;
  /** The low half of the word of its slot. */
  held: number;
  payload: Uint8Array;
}

export function queueWish(capacity: number, slotBytes: number, policy = QUEUE_REDELIVER) {
  return { type: OBJECT_QUEUE, name: "queue", first: capacity, second: slotBytes, third: 0, fourth: policy };
}

export function* openQueue(view: DataView, wish: ObjectWish, dead: readonly number[] = []): Script<Queue> {
  const queue = yield* openObject(view, wish, dead);
  const { first: capacity, second: slotBytes = 0, fourth: policy = QUEUE_REDELIVER } = wish;
  const messages = (yield* call("queueWaiters", queue)) >>> 0;
  const room = (yield* call("queueWaitersRoom", queue)) >>> 0;
  return { queue, capacity, slotBytes, policy, messages, room };
}

/** Where the parts of a queue for up to 64 messages are in a segment of the fewest participants. */
const MEMBERS = QUEUE_WAITERS_OFFSET + 2 * OBJECT_ALIGNMENT;
export const BITMAP = MEMBERS + 4 * PARTICIPANTS_MIN;
const CELLS = BITMAP + OBJECT_ALIGNMENT;
const CELLS_OF_A_LIST = 128;
export const MESSAGES = CELLS + 2 * 8 * CELLS_OF_A_LIST;

/** The word of a participant among the members. */
export function memberOf({ queue }: Queue, slot: number): number {
  return queue + MEMBERS + 4 * slot;
}

/** The cell of a position, in the list of what was sent (0), or returned (1). */
export function cellOf({ queue }: Queue, position: number, list = 0): number {
  return queue + CELLS + 8 * (list * CELLS_OF_A_LIST + position);
}

export function on(name: string, { queue, capacity, slotBytes }: Queue, ...more: number[]): Script<number> {
  return call(name, queue, capacity, slotBytes, ...more);
}

/** The result; throws when it is an error. */
function sound(name: string, result: number): number {
  const word = result >>> 0;
  if (word >= RESULT_ERRORS && word < RESULT_OFFSETS) throw new CoreError(name, word);
  return word;
}

/** Settles what the dead have left, and wakes who waits for what that gave. */
export function* settle(queue: Queue): Script {
  const flags = sound("queueSettle", yield* on("queueSettle", queue, queue.policy));
  if (flags & FLAG_WAKE) yield* notify(queue.messages);
  if (flags & FLAG_WAKE_ROOM) yield* notify(queue.room);
}

/** Calls one that waits in a set. */
export function* callOne(set: number): Script {
  yield* callSome(set, 1, () => call("waitersCall", set));
}

/** Claims a slot; `undefined` when there is none now. */
export function* claim(queue: Queue): Script<number | undefined> {
  for (let turn = 0; turn < 3; turn++) {
    const result = sound("queueClaim", yield* on("queueClaim", queue));
    if (result >= RESULT_OFFSETS) return result;
    if ((result & FLAG_DEATHS) === 0) return undefined;
    if ((result & FLAG_FULL) === 0) throw new Error(`queueClaim gave ${result}`);
    yield* settle(queue);
  }
  return undefined;
}

/** What a host knows that it owns. */
export interface Owned {
  /** Offsets of slots that it has claimed, and not sent. */
  claims: number[];
  /** Messages that it has taken. */
  jobs: Job[];
}

/** Sends a message; false when the queue is full. */
export function* send(queue: Queue, payload: Uint8Array, owned?: Owned): Script<boolean> {
  const at = yield* claim(queue);
  if (at === undefined) return false;
  owned?.claims.push(at);
  yield* write(at + MESSAGE_HEADER_BYTES, payload);
  const result = sound("queueSend", yield* on("queueSend", queue, at, payload.length));
  owned?.claims.pop();
  if (result & FLAG_WAKE) yield* callOne(queue.messages);
  return true;
}

/** Gives back a slot that was claimed. */
export function* cancel(queue: Queue, at: number): Script {
  const flags = sound("queueCancel", yield* on("queueCancel", queue, at));
  if (flags & FLAG_WAKE_ROOM) yield* callOne(queue.room);
}

/** Takes a message; `undefined` when there is none. */
export function* take(view: DataView, queue: Queue): Script<Job | undefined> {
  for (let turn = 0; turn < 3; turn++) {
    const result = (yield* on("queueTake", queue)) >>> 0;
    if (result === BUSY) continue;
    sound("queueTake", result);
    if (result >= RESULT_OFFSETS) return yield* job(view, result);
    if ((result & FLAG_DEATHS) === 0) return undefined;
    if ((result & FLAG_EMPTY) === 0) throw new Error(`queueTake gave ${result}`);
    yield* settle(queue);
  }
  return undefined;
}

function* job(view: DataView, at: number): Script<Job> {
  const held = view.getUint32(at + MESSAGE_WORD_OFFSET, true);
  const length = view.getUint32(at + MESSAGE_LENGTH_OFFSET, true);
  const bytes = length === MESSAGE_REFERENCE ? 8 : length;
  return { at, held, payload: yield* read(at + MESSAGE_HEADER_BYTES, bytes) };
}

export function* done(queue: Queue, { at, held }: Job): Script {
  const flags = sound("queueDone", yield* on("queueDone", queue, at, held));
  if (flags & FLAG_WAKE_ROOM) yield* callOne(queue.room);
}

export function* giveBack(queue: Queue, { at, held }: Job): Script {
  const flags = sound("queueGiveBack", yield* on("queueGiveBack", queue, at, held));
  if (flags & FLAG_WAKE) yield* callOne(queue.messages);
}

/** Gives back what it owns, as a host does whose code was cut off. */
export function* giveUp(queue: Queue, { claims, jobs }: Owned): Script {
  for (const at of claims) yield* cancel(queue, at);
  for (const { at, held } of jobs) {
    // A call that was cut off may have given it back, or freed it.
    const flags = (yield* on("queueGiveBack", queue, at, held)) >>> 0;
    if (flags === FLAG_WAKE) yield* callOne(queue.messages);
    else assert.ok(flags === 0 || flags === CORRUPT, `queueGiveBack gave ${flags}`);
  }
  claims.length = jobs.length = 0;
}

/** @param policy what happens to the messages that it has taken */
export function* leaveQueue(queue: Queue, policy: number): Script {
  const flags = sound("queueLeave", yield* on("queueLeave", queue, policy));
  if (flags & FLAG_WAKE) yield* notify(queue.messages);
  if (flags & FLAG_WAKE_ROOM) yield* notify(queue.room);
}
