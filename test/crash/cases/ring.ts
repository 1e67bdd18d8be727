/**
 * Nothing that was sent is lost, nothing half-sent is seen, order holds; and either end can be had again. A dead consumer's
 * successor may get again what the dead one had not released.
 */
import { strict as assert } from "node:assert";
import {
  RING_LAST_SENT_NS_OFFSET,
  RING_RECEIVED_OFFSET,
  RING_RELEASED_OFFSET,
} from "../../../protocol/layout.js";
import { RING_HELD_RECORDS_MAX } from "../../../protocol/limits.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import {
  abandonProducer,
  attachConsumer,
  attachProducer,
  type ConsumerEnd,
  closeConsumer,
  closeProducer,
  makeRoom,
  numberOf,
  openRing,
  type ProducerEnd,
  payloadOf,
  receive,
  receiveStretch,
  release,
  send,
  sendMany,
  sendPacked,
} from "../../lib/hosts/ring.js";
import { NOW_NS, ringWish } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { type Fill, onEachFill, populate, slotsOf } from "./ground.js";

/** What a case knows about the stream: records are numbered from 1. */
interface Stream {
  producer: ProducerEnd;
  consumer: ConsumerEnd;
  /** Records whose sending returned, and those whose sending has begun. */
  sent: number;
  begun: number;
  /** Records that a consumer got, and those whose release returned: they must not come again. */
  received: number;
  released: number;
  /** Records whose sending was cut off: each of them is sent as a whole, or not at all. */
  unsure: Set<number>;
  /** The user has not closed the ends yet. */
  open: boolean;
}

type Step = (stream: Stream, view: DataView) => Script<unknown>;

/** Sends the next record, of that many bytes. */
export function sending(length: number): Step {
  return function* (stream) {
    stream.begun = stream.sent + 1;
    if (yield* send(stream.producer, payloadOf(stream.begun, length))) stream.sent++;
    stream.begun = stream.sent;
  };
}

/** Whether every record between these two may be missing. */
function follows({ unsure }: Stream, before: number, after: number): boolean {
  for (let number = before + 1; number < after; number++) if (!unsure.has(number)) return false;
  return after > before;
}

function sendingMany(...lengths: number[]): Step {
  return function* (stream) {
    const payloads = lengths.map((length, index) => payloadOf(stream.sent + 1 + index, length));
    stream.begun = stream.sent + lengths.length;
    stream.sent += yield* sendMany(stream.producer, payloads);
    stream.begun = stream.sent;
  };
}

function sendingPacked(...lengths: number[]): Step {
  return function* (stream) {
    const payloads = lengths.map((length, index) => payloadOf(stream.sent + 1 + index, length));
    stream.begun = stream.sent + lengths.length;
    stream.sent += yield* sendPacked(stream.producer, payloads);
    stream.begun = stream.sent;
  };
}

function claiming(length: number): Step {
  return (stream) => makeRoom(stream.producer, length);
}

export const receiving: Step = function* (stream, view) {
  const payload = yield* receive(view, stream.consumer);
  if (payload) assert.equal(numberOf(payload), ++stream.received);
};

/** Takes as many as the core lets it take without being told. */
const receivingStretch: Step = function* (stream, view) {
  yield* receiveStretch(view, stream.consumer, (payload) => {
    assert.equal(numberOf(payload), ++stream.received);
  });
};

export const releasing: Step = function* (stream, view) {
  yield* release(view, stream.consumer);
  stream.released = stream.received;
};

/** Takes what is there in stretches, and releases each record at once. */
const releasingStretch: Step = function* (stream, view) {
  const handle = (payload: Uint8Array): void => assert.equal(numberOf(payload), ++stream.received);
  yield* receiveStretch(view, stream.consumer, handle, true);
};

const closingProducer: Step = ({ producer }) => closeProducer(producer);

const abandoning: Step = ({ producer }) => abandonProducer(producer);

const closingConsumer: Step = function* (stream, view) {
  yield* closeConsumer(view, stream.consumer);
  stream.released = stream.received;
};

function times(count: number, step: Step): Step[] {
  return new Array<Step>(count).fill(step);
}

const stamping: Step = function* ({ producer: { ring } }, view) {
  yield* call("ringStamp", ring, NOW_NS);
  assert.equal(view.getBigUint64(ring + RING_LAST_SENT_NS_OFFSET, true), BigInt(NOW_NS), "time of sending");
};

/** Steps after which nobody goes on with the end. */
const CLOSING = new Set<Step>([closingProducer, abandoning, closingConsumer]);

interface RingCase {
  name: string;
  capacity: number;
  before: Step[];
  /** Who waits while the operation runs. */
  waits?: "waitersData" | "waitersRoom" | "waitersEnds";
  operation: Step;
  /** Whose end the operation needs; the other is free for the survivors. */
  end: "producer" | "consumer";
}

/** Positions near the end of the data, so that the next record needs padding; the ring is empty. */
const NEAR_END: Step[] = [sending(60), sending(24), receiving, receiving, releasing];

const CASES: RingCase[] = [
  { name: "send into an empty ring", capacity: 128, before: [], operation: sending(9), end: "producer" },
  {
    name: "send behind another",
    capacity: 128,
    before: [sending(9)],
    operation: sending(24),
    end: "producer",
  },
  { name: "send with padding", capacity: 128, before: NEAR_END, operation: sending(24), end: "producer" },
  {
    name: "send over old records",
    capacity: 128,
    before: [...NEAR_END, ...NEAR_END, ...NEAR_END],
    operation: sending(40),
    end: "producer",
  },
  {
    name: "send to a waiter",
    capacity: 128,
    before: [],
    waits: "waitersData",
    operation: sending(9),
    end: "producer",
  },
  {
    name: "send behind staged padding when full",
    capacity: 128,
    before: [...NEAR_END, claiming(100)],
    operation: sending(9),
    end: "producer",
  },
  {
    name: "send when full",
    capacity: 64,
    before: [sending(40)],
    operation: sending(9),
    end: "producer",
  },
  {
    name: "claim and nothing more",
    capacity: 128,
    before: NEAR_END,
    operation: claiming(100),
    end: "producer",
  },
  {
    name: "send many",
    capacity: 128,
    before: [sending(1)],
    operation: sendingMany(9, 1, 16, 8),
    end: "producer",
  },
  {
    name: "send many, wrapping",
    capacity: 128,
    before: NEAR_END,
    waits: "waitersData",
    operation: sendingMany(9, 24, 16, 8, 60),
    end: "producer",
  },
  {
    name: "send packed",
    capacity: 128,
    before: [sending(1)],
    operation: sendingPacked(9, 1, 16, 8),
    end: "producer",
  },
  {
    name: "send packed, long payloads",
    capacity: 1024,
    before: [sending(1)],
    operation: sendingPacked(40, 520),
    end: "producer",
  },
  {
    name: "send packed, wrapping",
    capacity: 128,
    before: NEAR_END,
    waits: "waitersData",
    operation: sendingPacked(9, 24, 16, 8, 60),
    end: "producer",
  },
  { name: "stamp", capacity: 128, before: [sending(8)], operation: stamping, end: "producer" },
  { name: "receive the first", capacity: 128, before: [sending(9)], operation: receiving, end: "consumer" },
  {
    name: "receive the next, releasing the first",
    capacity: 128,
    before: [sending(9), sending(24), receiving],
    operation: receiving,
    end: "consumer",
  },
  {
    name: "receive the next, holding the first back",
    capacity: 1024,
    before: [sending(9), sending(24), sending(3), receiving],
    operation: receiving,
    end: "consumer",
  },
  {
    name: "receive the next, somebody waits for room",
    capacity: 1024,
    before: [sending(9), sending(24), receiving],
    waits: "waitersRoom",
    operation: receiving,
    end: "consumer",
  },
  {
    name: "receive from what has become empty",
    capacity: 1024,
    before: [sending(9), receiving],
    operation: receiving,
    end: "consumer",
  },
  {
    name: "receive past padding",
    capacity: 128,
    before: [...NEAR_END, sending(24)],
    operation: receiving,
    end: "consumer",
  },
  {
    name: "receive past padding that nothing follows",
    capacity: 128,
    before: [sending(60), sending(24), receiving, claiming(100)],
    operation: receiving,
    end: "consumer",
  },
  {
    name: "receive after 64 that were held back",
    capacity: 8192,
    before: [...times(70, sending(1)), ...times(64, receiving)],
    operation: receiving,
    end: "consumer",
  },
  {
    name: "receive a stretch",
    capacity: 1024,
    before: times(4, sending(9)),
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "receive the next, holding a stretch back",
    capacity: 1024,
    before: [...times(8, sending(9)), receivingStretch],
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "receive the next stretch, releasing the first",
    capacity: 1024,
    before: [...times(20, sending(8)), receivingStretch],
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "receive the next stretch, past padding",
    capacity: 512,
    before: [
      ...[sending(400), sending(24), receiving, receiving, releasing],
      ...[...times(3, sending(8)), sending(24), sending(8), receivingStretch],
    ],
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "receive the next stretch, somebody waits for room",
    capacity: 1024,
    before: [...times(8, sending(9)), receivingStretch],
    waits: "waitersRoom",
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "receive a stretch that becomes empty",
    capacity: 1024,
    before: [...times(3, sending(9)), receivingStretch],
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "receive a stretch behind 40 that are held back",
    capacity: 16384,
    before: [...times(120, sending(1)), ...times(40, receiving)],
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "receive the next stretch after 64 records",
    capacity: 16384,
    before: [...times(70, sending(1)), receivingStretch],
    operation: receivingStretch,
    end: "consumer",
  },
  {
    name: "release a stretch",
    capacity: 1024,
    before: [...times(4, sending(9)), receivingStretch],
    waits: "waitersRoom",
    operation: releasing,
    end: "consumer",
  },
  {
    name: "release each of a stretch",
    capacity: 1024,
    before: [sending(9), sending(24), sending(3), sending(8), receiving],
    waits: "waitersRoom",
    operation: releasingStretch,
    end: "consumer",
  },
  {
    name: "release each of a stretch up to the end",
    capacity: 512,
    before: [
      sending(440),
      sending(8),
      sending(8),
      receiving,
      receiving,
      releasing,
      sending(8),
      sending(24),
      receiving,
    ],
    operation: releasingStretch,
    end: "consumer",
  },
  {
    name: "release",
    capacity: 1024,
    before: [sending(9), sending(24), receiving],
    waits: "waitersRoom",
    operation: releasing,
    end: "consumer",
  },
  ...(["waitersData", "waitersEnds"] as const).flatMap((waits): RingCase[] => [
    {
      name: `close the producer's end, somebody waits in ${waits}`,
      capacity: 128,
      before: [sending(9), sending(24)],
      waits,
      operation: closingProducer,
      end: "producer",
    },
    {
      name: `abandon the producer's end, somebody waits in ${waits}`,
      capacity: 128,
      before: [sending(9), sending(24)],
      waits,
      operation: abandoning,
      end: "producer",
    },
  ]),
  ...(["waitersRoom", "waitersEnds"] as const).map(
    (waits): RingCase => ({
      name: `close the consumer's end, somebody waits in ${waits}`,
      capacity: 128,
      before: [sending(9), sending(24), receiving],
      waits,
      operation: closingConsumer,
      end: "consumer",
    }),
  ),
];

function* prepare(one: RingCase, view: DataView): Script<Stream> {
  const ring = yield* openRing(view, ringWish("ring", one.capacity));
  const producer = yield* attachProducer(ring);
  const consumer = yield* attachConsumer(ring);
  assert.ok(producer && consumer);
  const stream = {
    producer,
    consumer,
    sent: 0,
    begun: 0,
    received: 0,
    released: 0,
    unsure: new Set<number>(),
    open: true,
  };
  for (const step of one.before) yield* step(stream, view);
  // The end that the operation does not need is closed, without releasing what is held back.
  yield* call(one.end === "producer" ? "ringCloseConsumer" : "ringCloseProducer", ring.ring);
  return stream;
}

/** The end whose call was cut off goes on: nothing is lost or comes twice, and what it did not finish never happened or did. */
function* goOnItself(view: DataView, stream: Stream, end: RingCase["end"]): Script {
  if (end === "consumer") {
    const payload = yield* receive(view, stream.consumer);
    if (payload) assert.equal(numberOf(payload), ++stream.received, "order of a consumer that goes on");
    yield* release(view, stream.consumer);
    stream.released = stream.received;
    return;
  }
  for (let number = stream.sent + 1; number <= stream.begun; number++) stream.unsure.add(number);
  stream.sent = stream.begun;
  yield* sending(16)(stream, view);
}

/** Gets both ends, takes everything there is, sends one more and takes that. `exact`: nobody died within an operation. */
function* carryOn(view: DataView, stream: Stream, by: number, slots: number[], exact: boolean): Script {
  const producer = yield* attachProducer(stream.producer, slots);
  const consumer = yield* attachConsumer(stream.consumer, slots);
  assert.ok(producer && consumer, "an end is not to be had");
  const released = Number(view.getBigUint64(consumer.ring + RING_RELEASED_OFFSET, true));
  const held = Number(view.getBigUint64(consumer.ring + RING_RECEIVED_OFFSET, true)) - released;
  assert.equal(held, 0, "what was held back counts as received");
  let before: number | undefined;
  for (let payload = yield* receive(view, consumer); payload; payload = yield* receive(view, consumer)) {
    const number = numberOf(payload);
    if (before === undefined) {
      const inOrder = number <= stream.received + 1 || follows(stream, stream.received, number);
      assert.ok(number > stream.released && inOrder, `got ${number} first`);
      const again = stream.received + 1 - number;
      assert.ok(again <= RING_HELD_RECORDS_MAX, `${again} come again`);
      if (exact) assert.equal(released, number - 1, "released");
    } else assert.ok(follows(stream, before, number), `${number} came behind ${before}`);
    assert.ok(number <= stream.begun, `got ${number}, which nobody sent`);
    before = number;
    stream.received = Math.max(stream.received, number);
  }
  assert.ok(
    stream.received >= stream.sent || follows(stream, stream.received, stream.sent + 1),
    `${stream.sent} were sent, the last to come is ${stream.received}`,
  );
  const last = Math.max(stream.received, stream.sent);
  for (let number = stream.received + 1; number <= last; number++) stream.unsure.add(number);
  [stream.sent, stream.begun] = [last, last + 1];
  assert.ok(yield* send(producer, payloadOf(stream.begun, 9 + by)), "full, though everything was taken");
  stream.sent = stream.begun;
  const latest = yield* receive(view, consumer);
  assert.equal(latest && numberOf(latest), stream.sent);
  stream.received = stream.sent;
  yield* closeConsumer(view, consumer);
  stream.released = stream.received;
  yield* closeProducer(producer);
}

function ringCase(one: RingCase, fill: Fill): CrashCase {
  let prepared: Stream;
  let stream: Stream;
  let left: Stream;
  /** The user goes on with the end whose call threw, and closes it. */
  function* goOnAndClose(lane: CrashLane): Script {
    if (stream.open && !CLOSING.has(one.operation)) yield* goOnItself(lane.view, stream, one.end);
    stream.open = false;
    yield* closeBoth();
  }
  function* closeBoth(): Script {
    yield* call("ringCloseProducer", prepared.producer.ring);
    yield* call("ringCloseConsumer", prepared.producer.ring);
  }
  const copy = (from: Stream): Stream => ({
    ...from,
    producer: { ...from.producer },
    consumer: { ...from.consumer },
    unsure: new Set(from.unsure),
  });
  return {
    name: one.name,
    before: (lane: CrashLane) => {
      populate(lane, fill);
      prepared = lane.play(0, prepare(one, lane.view));
      if (one.waits) lane.play(2, call("waitersArm", prepared.producer[one.waits]));
    },
    operation: (lane) => {
      stream = copy(prepared);
      left = stream;
      return one.operation(stream, lane.view);
    },
    goOn: (lane, by, dead, finished) => {
      // Survivor 1 begins with what the victim left; survivor 2 with what survivor 1 left.
      if (by === 1) stream = copy(left);
      return carryOn(lane.view, stream, by, slotsOf(dead), finished && by === 1);
    },
    livesOn: { next: goOnAndClose, settle: closeBoth },
  };
}

export const ringCases: CrashCase[] = CASES.flatMap((one) => onEachFill((fill) => ringCase(one, fill)));
