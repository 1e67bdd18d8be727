/** What hosts do with a broadcast, as scripts. */
import { strict as assert } from "node:assert";
import { BUSY } from "../../../protocol/errors.js";
import {
  END_LIVE,
  FLAG_EMPTY,
  FLAG_WAKE,
  OBJECT_BROADCAST,
  RESULT_OFFSETS,
  TOPIC_HEADER_BYTES,
  TOPIC_LENGTH_OFFSET,
} from "../../../protocol/layout.js";
import { call, read, type Script, write } from "../script.js";
import { CoreError, notify, openObject, overcome } from "./segment.js";

export interface Topic {
  topic: number;
  capacity: number;
  /** The set of participants that wait for a record, and the set of those that wait for the publisher's end. */
  waiters: number;
  ends: number;
}

/** What a subscriber keeps. */
export interface Subscriber extends Topic {
  position: number;
  /** Number of the record that comes next when none is lost. */
  expected: number;
  lost: number;
  /** The owner word of the last end that it was told, in halves. */
  told: [low: number, high: number];
}

export function* openTopic(view: DataView, capacity: number, dead: readonly number[] = []): Script<Topic> {
  const wish = { type: OBJECT_BROADCAST, name: "topic", first: capacity, second: 0 };
  const topic = yield* openObject(view, wish, dead);
  const waiters = (yield* call("broadcastWaiters", topic)) >>> 0;
  return { topic, capacity, waiters, ends: (yield* call("broadcastWaitersEnds", topic)) >>> 0 };
}

/** Takes the publisher's end; false while a live participant has it. */
export function* attachPublisher({ topic, capacity }: Topic, dead: readonly number[] = []): Script<boolean> {
  const result = yield* overcome(dead, () => call("broadcastAttach", topic, capacity));
  if (result === undefined) return false;
  if (result !== 0) throw new CoreError("broadcastAttach", result);
  yield* call("ownerKept");
  return true;
}

/** Gives the publisher's end back, and wakes all that wait. */
export function* closePublisher({ topic, waiters, ends }: Topic): Script {
  if ((yield* call("broadcastClose", topic)) !== FLAG_WAKE) return;
  yield* notify(waiters);
  yield* notify(ends);
}

/** Claims as many bytes; the offset of the record. */
export function* claimRecord({ topic, capacity }: Topic, length: number): Script<number> {
  const at = (yield* call("broadcastClaim", topic, capacity, length)) >>> 0;
  if (at < RESULT_OFFSETS) throw new CoreError("broadcastClaim", at);
  return at;
}

export function* publish(topic: Topic, payload: Uint8Array): Script {
  const at = yield* claimRecord(topic, payload.length);
  yield* write(at + TOPIC_HEADER_BYTES, payload);
  const result = (yield* call("broadcastPublish", topic.topic, topic.capacity, at, payload.length)) >>> 0;
  if (result > FLAG_WAKE) throw new CoreError("broadcastPublish", result);
  if (result === FLAG_WAKE) yield* notify(topic.waiters);
}

export function* subscribe(topic: Topic, fromOldest = false): Script<Subscriber> {
  const position = yield* call("broadcastBegin", topic.topic, topic.capacity, fromOldest ? 1 : 0);
  const expected = yield* call("broadcastNumber");
  return { ...topic, position, expected, lost: 0, told: [0, 0] };
}

/**
 * The next record, or how the publisher has ended: END_CLOSED or END_DEAD, once for each; `undefined` when there is neither. Then
 * what was lost last is counted, too.
 */
export function* nextOrEnd(view: DataView, one: Subscriber): Script<Uint8Array | number | undefined> {
  const { topic, capacity } = one;
  for (;;) {
    const payload = yield* nextRecord(view, one);
    if (payload) return payload;
    const end = yield* call("broadcastEnd", topic, capacity, one.position, ...one.told);
    if (end === 0) return undefined;
    if (end === END_LIVE) continue; // published directly before the end
    one.told = [yield* call("ownerJudgedLow"), yield* call("ownerJudgedHigh")];
    const number = yield* call("broadcastNumber");
    one.lost += number - one.expected;
    one.expected = number;
    return end;
  }
}

/** A copy of the next record, and counts those that were lost before it; `undefined` when there is none. */
export function* nextRecord(view: DataView, one: Subscriber): Script<Uint8Array | undefined> {
  const { topic, capacity } = one;
  for (;;) {
    const at = (yield* call("broadcastNext", topic, capacity, one.position)) >>> 0;
    if (at !== FLAG_EMPTY && at !== BUSY && at < RESULT_OFFSETS) throw new CoreError("broadcastNext", at);
    const following = yield* call("broadcastFollowing");
    if (at < RESULT_OFFSETS) {
      one.position = following;
      if (at === FLAG_EMPTY) return undefined;
      continue;
    }
    const found = yield* call("broadcastFound");
    const number = yield* call("broadcastNumber");
    const length = view.getUint32(at + TOPIC_LENGTH_OFFSET, true);
    const payload = yield* read(at + TOPIC_HEADER_BYTES, Math.min(length, capacity / 4));
    if (!(yield* call("broadcastIsWhole", topic, capacity, found))) continue; // overtaken meanwhile
    assert.ok(number >= one.expected, `record ${number} comes after ${one.expected - 1}`);
    one.lost += number - one.expected;
    one.expected = number + 1;
    one.position = following;
    return payload;
  }
}
