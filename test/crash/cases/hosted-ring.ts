/** Streams through the hosted core: who dies in a call that waits loses nothing that was sent, and keeps nobody waiting. */
import { strict as assert } from "node:assert";
import { CLOSED, PEER_DIED, TIMED_OUT } from "../../../protocol/errors.js";
import { OBJECT_RING } from "../../../protocol/layout.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import {
  type HostedEnd,
  hostedAttach,
  hostedCloseConsumer,
  hostedOpen,
  hostedReceive,
  hostedRelease,
  hostedSend,
} from "../../lib/hosts/hosted.js";
import { numberOf, payloadOf } from "../../lib/hosts/ring.js";
import { call, type Script } from "../../lib/script.js";
import { FILLS, type Fill, populate, SLOTS, slotsOf } from "./ground.js";

const CAPACITY = 128;
const LENGTHS = [9, 40, 24, 100, 9];
const TIMEOUT_MS = 300;
/** Numbers of what a survivor sends to itself begin here. */
const OWN = 200;

/** What has happened as far as the hosts know. */
interface Course {
  /** Records that a call was begun to send, and that were sent. */
  started: number;
  sent: number;
  /** Records that came out, and of those the ones that a later call counted as taken. */
  received: number;
  taken: number;
  attached: boolean;
  closing: boolean;
  /** The end that the survivor has, if it has one. */
  other: HostedEnd | undefined;
}

const fresh = (): Course => ({
  ...{ started: 0, sent: 0, received: 0, taken: 0 },
  ...{ attached: false, closing: false, other: undefined },
});

function copy(course: Course): Course {
  return { ...course, other: course.other && { ...course.other } };
}

function* attach(ring: number, which: "producer" | "consumer"): Script<HostedEnd> {
  const end = yield* hostedAttach(ring, CAPACITY, which, TIMEOUT_MS);
  if (typeof end === "number") throw new Error(`the ${which}'s end is not to be had: ${end}`);
  return end;
}

function* sendNext(end: HostedEnd, course: Course, timeoutMs: number): Script<number> {
  const number = course.sent + 1;
  course.started = number;
  const status = yield* hostedSend(
    end,
    payloadOf(number, LENGTHS[(number - 1) % LENGTHS.length] as number),
    timeoutMs,
  );
  if (status === 0) course.sent = number;
  return status;
}

/** Receives what comes next in order; the error when there is none. */
function* receiveNext(end: HostedEnd, course: Course, timeoutMs: number): Script<number> {
  const before = course.received;
  const payload = yield* hostedReceive(end, timeoutMs);
  if (end.records > 0 || typeof payload === "number") course.taken = before;
  if (typeof payload === "number") return payload;
  assert.equal(numberOf(payload), course.received + 1, "order");
  course.received++;
  return 0;
}

function* producing(ring: number, course: Course): Script {
  const end = yield* attach(ring, "producer");
  course.attached = true;
  for (const _ of LENGTHS) assert.equal(yield* sendNext(end, course, 10_000), 0);
  course.closing = true;
  yield* call("hostedRingCloseProducer", ring);
}

function* consuming(ring: number, course: Course): Script {
  const end = yield* attach(ring, "consumer");
  course.attached = true;
  let status = 0;
  while (status === 0) status = yield* receiveNext(end, course, 10_000);
  assert.equal(status, CLOSED);
  assert.equal(yield* receiveNext(end, course, 0), TIMED_OUT, "the end was told twice");
  assert.equal(course.received, LENGTHS.length);
  course.closing = true;
  yield* hostedCloseConsumer(end);
}

/** Takes both ends, gets out what is in the ring, and uses it. What comes out first may have come out before. */
function* takeOver(ring: number, course: Course): Script {
  const consumer = yield* attach(ring, "consumer");
  let last: number | undefined;
  for (;;) {
    const payload = yield* hostedReceive(consumer, 0);
    if (payload === TIMED_OUT) break;
    if (payload === CLOSED || payload === PEER_DIED) continue; // of one of those that had the producer's end
    assert.ok(typeof payload !== "number", `receiving gave ${payload}`);
    const number = numberOf(payload);
    if (number >= OWN) continue; // of another survivor, who had got all the others out
    if (last === undefined)
      assert.ok(number > course.taken && number <= course.received + 1, `first ${number}`);
    else assert.equal(number, last + 1, "order");
    last = number;
    course.received = Math.max(course.received, number);
  }
  assert.ok(course.received >= course.sent && course.received <= course.started, "lost");
  const producer = yield* attach(ring, "producer");
  for (let number = OWN; number < OWN + 4; number++) {
    assert.equal(yield* hostedSend(producer, payloadOf(number, 60), TIMEOUT_MS), 0);
    let payload = yield* hostedReceive(consumer, TIMEOUT_MS);
    // That the one before has died may have been noticed only when its end was taken.
    if (number === OWN && payload === PEER_DIED) payload = yield* hostedReceive(consumer, TIMEOUT_MS);
    assert.equal(typeof payload === "number" ? payload : numberOf(payload), number);
    yield* hostedRelease(consumer);
  }
  yield* hostedCloseConsumer(consumer);
  yield* call("hostedRingCloseProducer", ring);
}

function streamCase(victim: "producer" | "consumer", fill: Fill): CrashCase {
  let ring = 0;
  let atFirst = fresh();
  let atDeath = fresh();
  let now = fresh();
  const other = victim === "producer" ? "consumer" : "producer";

  /** While the victim sleeps, survivor 1 takes one record out, or puts one in; at last it gives its end back. */
  function meanwhile(lane: CrashLane): void {
    const course = atDeath;
    if (!course.other) return;
    if (victim === "producer") {
      lane.play(1, receiveNext(course.other, course, -1));
      return;
    }
    if (course.sent < LENGTHS.length) {
      lane.play(1, sendNext(course.other, course, -1));
      return;
    }
    lane.play(1, call("hostedRingCloseProducer", ring));
    course.other = undefined;
  }

  /** Survivor 1, which has the other end, finds out what has become of the victim. */
  function* learn(course: Course, finished: boolean): Script {
    const end = course.other as HostedEnd;
    if (victim === "producer") {
      let status = 0;
      while (status === 0) status = yield* receiveNext(end, course, TIMEOUT_MS);
      if (finished) assert.equal(status, CLOSED);
      else if (course.attached && !course.closing) assert.equal(status, PEER_DIED);
      else assert.ok([CLOSED, PEER_DIED, TIMED_OUT].includes(status), `${status}`);
      assert.ok(course.received >= course.sent && course.received <= course.started);
      if (status === CLOSED) assert.equal(course.received, LENGTHS.length, "closed before everything came");
      course.sent = course.started = course.received;
      yield* hostedCloseConsumer(end);
      course.taken = course.received;
      return;
    }
    let status = 0;
    while (status === 0) status = yield* sendNext(end, course, TIMEOUT_MS);
    if (course.attached && !course.closing) assert.equal(status, PEER_DIED);
    else assert.ok([PEER_DIED, TIMED_OUT].includes(status), `${status}`);
    yield* call("hostedRingCloseProducer", ring);
  }

  return {
    name: `hosted, ${victim === "producer" ? "send" : "receive"}, waiting, ${fill.name}`,
    before: (lane) => {
      lane.system?.begin(SLOTS);
      populate(lane, fill);
      ring = lane.play(1, hostedOpen(OBJECT_RING, "ring", CAPACITY));
      for (const id of [0, 1, 2]) lane.play(id, call("hostedSpins", 1));
      atFirst = fresh();
      atFirst.other = lane.play(1, attach(ring, other));
      if (victim === "consumer") lane.play(1, sendNext(atFirst.other, atFirst, 0));
    },
    operation: (lane) => {
      atDeath = copy(atFirst);
      lane.system?.begin(SLOTS, () => meanwhile(lane));
      return victim === "producer" ? producing(ring, atDeath) : consuming(ring, atDeath);
    },
    goOn(lane, by, dead, finished) {
      if (by === 1) now = copy(atDeath);
      const course = now;
      const gone = slotsOf(dead);
      const alive = SLOTS.filter((slot) => !gone.includes(slot));
      return (function* (): Script {
        lane.system?.begin(alive);
        if (by === 1 && course.other) yield* learn(course, finished);
        yield* takeOver(ring, course);
      })();
    },
  };
}

/** One participant has both ends: it sends, receives, and gives them back. It is also cut off, and lives on. */
function alone(): CrashCase {
  let ring = 0;
  let has: string[] = [];
  let hadThen: string[] = [];
  function* bothEnds(know: (has: string[]) => void): Script {
    const producer = yield* attach(ring, "producer");
    know(["Producer"]);
    const consumer = yield* attach(ring, "consumer");
    know(["Producer", "Consumer"]);
    for (const number of [1, 2, 3]) {
      assert.equal(yield* hostedSend(producer, payloadOf(number, 40), TIMEOUT_MS), 0);
      assert.notEqual(typeof (yield* hostedReceive(consumer, TIMEOUT_MS)), "number");
    }
    yield* hostedCloseConsumer(consumer);
    know(["Producer"]);
    yield* call("hostedRingAbandonProducer", ring);
    know([]);
  }
  function* close(): Script {
    for (const end of has) yield* call(`ringClose${end}`, ring);
    yield* call("selfCheck");
  }
  return {
    name: "hosted, both ends of a ring",
    before: (lane) => {
      lane.system?.begin(SLOTS);
      populate(lane, FILLS[0] as Fill);
      ring = lane.play(1, hostedOpen(OBJECT_RING, "ring", CAPACITY));
      for (const id of [0, 1, 2]) lane.play(id, call("hostedSpins", 0));
    },
    operation: (lane) => {
      lane.system?.begin(SLOTS);
      has = [];
      hadThen = [];
      return bothEnds((ends) => {
        hadThen = ends;
      });
    },
    goOn(lane, by, dead) {
      if (by === 1) has = [...hadThen];
      const gone = slotsOf(dead);
      return (function* (): Script {
        lane.system?.begin(SLOTS.filter((slot) => !gone.includes(slot)));
        const consumer = yield* attach(ring, "consumer");
        has.push("Consumer");
        for (let found: unknown = []; found !== TIMED_OUT; ) found = yield* hostedReceive(consumer, 0);
        yield* hostedCloseConsumer(consumer);
        has.pop();
        const producer = yield* attach(ring, "producer");
        has.push("Producer");
        assert.equal(yield* hostedSend(producer, payloadOf(9, 40), TIMEOUT_MS), 0);
        yield* call("hostedRingCloseProducer", ring);
        has.pop();
      })();
    },
    livesOn: { next: close, settle: close },
  };
}

export const hostedRingCases: CrashCase[] = [
  ...FILLS.flatMap((fill) => [streamCase("producer", fill), streamCase("consumer", fill)]),
  alone(),
];
