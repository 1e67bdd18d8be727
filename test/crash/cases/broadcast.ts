/** A record is published as a whole or not at all, whoever dies; and subscribers know how many they have lost. */
import { strict as assert } from "node:assert";
import { END_CLOSED, END_DEAD, END_LIVE } from "../../../protocol/layout.js";
import type { CrashCase } from "../../lib/crash.js";
import {
  attachPublisher,
  claimRecord,
  closePublisher,
  nextOrEnd,
  nextRecord,
  openTopic,
  publish,
  type Subscriber,
  subscribe,
  type Topic,
} from "../../lib/hosts/broadcast.js";
import { numberOf, payloadOf } from "../../lib/hosts/ring.js";
import { NOW_NS } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { type Fill, onEachFill, populate, slotsOf } from "./ground.js";

const CAPACITY = 256;
const LENGTH = 24;

interface TopicCase {
  name: string;
  /** Records that were published before; each begins with its number. */
  before: number;
  /** Bytes that were claimed after that, and not published. */
  claimed?: number;
  /** Records that the operation publishes. */
  publishes: number[];
  waits?: boolean;
}

const CASES: TopicCase[] = [
  { name: "publish, the first", before: 0, publishes: [LENGTH] },
  { name: "publish", before: 2, publishes: [LENGTH] },
  { name: "publish nothing", before: 1, publishes: [0] },
  { name: "publish behind padding", before: 5, publishes: [48] },
  { name: "publish over old records", before: 17, publishes: [LENGTH, 8] },
  { name: "publish less than was claimed over old records", before: 13, claimed: 48, publishes: [8] },
  { name: "publish to one that waits", before: 0, publishes: [LENGTH], waits: true },
];

function* publishNext(topic: Topic, number: number, length: number): Script {
  yield* publish(topic, payloadOf(number, length));
}

/** Everything that a subscriber gets now: each record is whole, and the next one, or some are lost. */
function* readAll(view: DataView, one: Subscriber, lengths: (number: number) => number): Script<number> {
  for (;;) {
    const before = one.expected;
    const payload = yield* nextRecord(view, one);
    if (!payload) return one.expected - 1;
    const number = one.expected - 1;
    assert.ok(number >= before, "order");
    assert.equal(payload.length, lengths(number), `length of record ${number}`);
    if (payload.length > 0) assert.equal(numberOf(payload), number % 256, "another record");
  }
}

/** A new broadcast has no record, and its publisher's end is free. */
export function* useTopic(view: DataView, capacity: number, dead: number[]): Script {
  const topic = yield* openTopic(view, capacity, dead);
  const one = yield* subscribe(topic, true);
  assert.ok(yield* attachPublisher(topic, dead), "the end is not to be had");
  yield* publish(topic, payloadOf(one.expected, 9));
  yield* call("broadcastStamp", topic.topic, NOW_NS);
  assert.ok(yield* nextRecord(view, one), "the record does not come");
  yield* call("broadcastClose", topic.topic);
}

function topicCase(one: TopicCase, fill: Fill): CrashCase {
  let topic: Topic;
  let early: Subscriber;
  /** Records that were there when the first one went on, and those that were published since, or were begun to be. */
  let then = 0;
  let since = 0;
  let begun = 0;
  const all = one.before + one.publishes.length;
  const lengthOf = (number: number, published: number): number => {
    if (number <= one.before) return LENGTH;
    return number <= published ? (one.publishes[number - one.before - 1] as number) : LENGTH;
  };
  return {
    name: `broadcast: ${one.name}`,
    before: (lane) => {
      populate(lane, fill);
      topic = lane.play(1, openTopic(lane.view, CAPACITY));
      lane.play(0, attachPublisher(topic));
      for (let number = 1; number <= one.before; number++) lane.play(0, publishNext(topic, number, LENGTH));
      early = lane.play(1, subscribe(topic));
      if (one.claimed !== undefined) lane.play(0, claimRecord(topic, one.claimed));
      if (one.waits) lane.play(2, call("waitersArm", topic.waiters));
    },
    *operation() {
      yield* call("broadcastStamp", topic.topic, NOW_NS);
      for (const [index, length] of one.publishes.entries())
        yield* publishNext(topic, one.before + index + 1, length);
    },
    *goOn(lane, by, dead, finished) {
      const sent = yield* call("broadcastSent", topic.topic, topic.capacity);
      if (by === 1) {
        [then, since, begun] = [sent, 0, 0];
        assert.ok(sent >= (finished ? all : one.before) && sent <= all, `${sent} records were published`);
      }
      assert.ok(sent >= then + since && sent <= then + begun, `${sent} records, ${since} since ${then}`);
      const lengths = (number: number): number => lengthOf(number, then);
      // One that subscribed before, and one that begins with the oldest record, see the same end.
      assert.equal(
        yield* readAll(lane.view, { ...early }, lengths),
        sent,
        "the last that an early subscriber got",
      );
      const late = yield* subscribe(topic, true);
      const oldest = late.expected;
      assert.equal(yield* readAll(lane.view, late, lengths), sent, "the last that a late subscriber got");
      assert.equal(late.lost, 0);
      if (sent > 0) assert.ok(oldest <= sent, "no record is left");
      const publisher = yield* call("broadcastState", topic.topic, 0, 0);
      assert.ok(publisher === END_LIVE || publisher === END_DEAD || by === 2, "the state of the publisher");
      const now = yield* subscribe(topic);
      assert.equal(now.expected, sent + 1);
      assert.ok(yield* attachPublisher(topic, slotsOf(dead)), "the end is not to be had");
      for (let count = 1; count <= (by === 2 ? 12 : 1); count++) {
        begun++;
        yield* publishNext(topic, sent + count, LENGTH);
        since++;
        const payload = yield* nextRecord(lane.view, now);
        assert.ok(payload, "the new record does not come");
        assert.equal(numberOf(payload), (sent + count) % 256);
      }
      assert.equal(now.lost, 0);
      yield* closePublisher(topic);
      // Of the end each is told once; with it comes what the others have not seen.
      const behind = { ...early };
      for (;;) {
        const next = yield* nextOrEnd(lane.view, behind);
        if (typeof next === "object") continue;
        assert.equal(next, END_CLOSED, "the end of the publisher");
        break;
      }
      assert.equal(behind.expected - 1, yield* call("broadcastSent", topic.topic, topic.capacity));
      assert.equal(yield* nextOrEnd(lane.view, behind), undefined, "the end comes again");
      assert.equal(yield* nextOrEnd(lane.view, now), END_CLOSED);
    },
  };
}

export const broadcastCases: CrashCase[] = CASES.flatMap((one) => onEachFill((fill) => topicCase(one, fill)));
