/** What hosts do with references to shared values in a queue, as scripts. */
import { strict as assert } from "node:assert";
import { CORRUPT, NOT_FOUND } from "../../../protocol/errors.js";
import {
  FLAG_EMPTY,
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  MESSAGE_ALIGNMENT,
  MESSAGE_FREE,
  MESSAGE_HEADER_BYTES,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_REFERENCE,
  MESSAGE_STATE_MASK,
  MESSAGE_VALUE_OFFSET,
  MESSAGE_WORD_OFFSET,
  RESULT_ERRORS,
  RESULT_OFFSETS,
} from "../../../protocol/layout.js";
import { attempt, type Script } from "../script.js";
import { callOne, claim, type Job, MESSAGES, type Owned, on, type Queue, take } from "./queue.js";
import { CoreError, overcome } from "./segment.js";
import type { Shared } from "./values.js";

/** A function that may need the write lock, as soon as no live participant has it. */
function* locked(
  name: string,
  queue: Queue,
  dead: readonly number[],
  no: readonly number[],
  ...more: number[]
): Script<number> {
  const result = yield* attempt(() => overcome(dead, () => on(name, queue, ...more)));
  if (result >= RESULT_ERRORS && result < RESULT_OFFSETS && !no.includes(result))
    throw new CoreError(name, result);
  return result;
}

/** Sends a reference to a value; false when the queue is full, or the value is gone. */
export function* share(
  queue: Queue,
  { at: value, generation }: Shared,
  owned?: Owned,
  dead: readonly number[] = [],
): Script<boolean> {
  const at = yield* claim(queue);
  if (at === undefined) return false;
  owned?.claims.push(at);
  const result = yield* locked("queueShare", queue, dead, [NOT_FOUND], at, value, generation);
  if (result === NOT_FOUND) yield* cancelClaim(queue, at, dead);
  owned?.claims.pop();
  if (result & FLAG_WAKE && result < RESULT_ERRORS) yield* callOne(queue.messages);
  return result !== NOT_FOUND;
}

export function* cancelClaim(queue: Queue, at: number, dead: readonly number[] = []): Script {
  const flags = yield* locked("queueCancel", queue, dead, [], at);
  if (flags & FLAG_WAKE_ROOM) yield* callOne(queue.room);
}

/** A message that was taken, and what it is: a handle of ours, and the value. */
export interface Taken {
  job: Job;
  handle: number;
  value: number;
}

/** Takes a reference out of the queue; with `keeps`, its message stays taken. `undefined` when there is none. */
export function* takeValue(
  view: DataView,
  queue: Queue,
  keeps: boolean,
  owned?: Owned,
  dead: readonly number[] = [],
): Script<Taken | undefined> {
  for (;;) {
    const job = yield* take(view, queue);
    if (!job) return undefined;
    owned?.jobs.push(job);
    const value = view.getUint32(job.at + MESSAGE_VALUE_OFFSET, true);
    assert.equal(view.getUint32(job.at + MESSAGE_LENGTH_OFFSET, true), MESSAGE_REFERENCE, "no reference");
    const handle = yield* locked("queueValue", queue, dead, [], job.at, job.held, keeps ? 1 : 0);
    if (!keeps || handle === FLAG_EMPTY) owned?.jobs.pop();
    if (!keeps || handle === FLAG_EMPTY) yield* callOne(queue.room);
    if (handle !== FLAG_EMPTY) return { job, handle, value };
  }
}

export function* finish(queue: Queue, { at, held }: Job, dead: readonly number[] = []): Script {
  const flags = yield* locked("queueDone", queue, dead, [], at, held);
  if (flags & FLAG_WAKE_ROOM) yield* callOne(queue.room);
}

/** Gives back what it owns, as a host does whose code was cut off. */
export function* giveAllUp(queue: Queue, { claims, jobs }: Owned, dead: readonly number[] = []): Script {
  for (const at of claims) yield* cancelClaim(queue, at, dead);
  for (const { at, held } of jobs) {
    const flags = yield* locked("queueGiveBack", queue, dead, [CORRUPT], at, held);
    if (flags === FLAG_WAKE) yield* callOne(queue.messages);
  }
  claims.length = jobs.length = 0;
}

export function* leaveWithReferences(queue: Queue, dead: readonly number[] = []): Script {
  yield* locked("queueLeave", queue, dead, []);
}

/** What the messages of a queue refer to, each once for each message. A free slot refers to nothing. */
export function referredBy(view: DataView, { queue, capacity, slotBytes }: Queue): number[] {
  const stride = Math.ceil((MESSAGE_HEADER_BYTES + slotBytes) / MESSAGE_ALIGNMENT) * MESSAGE_ALIGNMENT;
  const found: number[] = [];
  for (let slot = 0; slot < capacity; slot++) {
    const at = queue + MESSAGES + slot * stride;
    if (view.getUint32(at + MESSAGE_LENGTH_OFFSET, true) !== MESSAGE_REFERENCE) continue;
    const value = view.getUint32(at + MESSAGE_VALUE_OFFSET, true);
    if (value === 0) continue;
    const state = view.getUint32(at + MESSAGE_WORD_OFFSET, true) & MESSAGE_STATE_MASK;
    assert.notEqual(state, MESSAGE_FREE, "a free slot refers to a value");
    found.push(value);
  }
  return found;
}
