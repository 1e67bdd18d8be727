/** One sends, one receives: everything arrives once, whole, in order, and nobody sleeps for ever. */
import { strict as assert } from "node:assert";
import {
  RING_CURSOR_OFFSET,
  RING_HEAD_OFFSET,
  RING_RECEIVED_OFFSET,
  RING_RELEASED_OFFSET,
  RING_SENT_BYTES_OFFSET,
  RING_SENT_OFFSET,
  RING_TAIL_OFFSET,
} from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import {
  attachConsumer,
  attachProducer,
  type ConsumerEnd,
  closeConsumer,
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
import { ringWish, waitFor } from "../../lib/hosts/segment.js";
import { attempt, type Script } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

/** What both ends know, and the records that went through before. */
export interface Ends {
  producer: ProducerEnd;
  consumer: ConsumerEnd;
  before: number;
}

interface RingScenario {
  name: string;
  capacity: number;
  /** Lengths of the records that went through before the exploration begins. */
  before?: number[];
  /** Length that room was claimed for then: the ring is left with padding that nothing follows. */
  claimed?: number;
  /** Cheap enough for one preemption more. */
  deep?: boolean;
  /** Lengths of the records to send. */
  lengths: number[];
  producer?(ends: Ends, lengths: number[], view: DataView): Script<unknown>;
  consumer?(ends: Ends, count: number, view: DataView): Script<unknown>;
}

export function prepareRing(world: World, capacity: number, lengths: number[] = [], claimed = 0): Ends {
  populate(world);
  const { view } = world.arena;
  const ring = world.play(OBSERVER, openRing(view, ringWish("ring", capacity)));
  const producer = world.play(0, attachProducer(ring));
  const consumer = world.play(1, attachConsumer(ring));
  assert.ok(producer && consumer);
  lengths.forEach((length, index) => {
    assert.ok(world.play(0, send(producer, payloadOf(index + 1, length))), "full");
    assert.ok(world.play(1, receive(view, consumer)), "empty");
  });
  if (lengths.length > 0) world.play(1, release(view, consumer));
  if (claimed > 0) world.play(0, makeRoom(producer, claimed));
  return { producer, consumer, before: lengths.length };
}

function* sendAll({ producer, before }: Ends, lengths: number[]): Script {
  for (const [index, length] of lengths.entries()) {
    const payload = payloadOf(before + index + 1, length);
    yield* attempt(function* () {
      return (yield* send(producer, payload)) || undefined;
    });
  }
}

function* sendTogether({ producer, before }: Ends, lengths: number[]): Script {
  let payloads = lengths.map((length, index) => payloadOf(before + index + 1, length));
  yield* attempt(function* () {
    payloads = payloads.slice(yield* sendMany(producer, payloads));
    return payloads.length === 0 || undefined;
  });
}

function* sendSlabs({ producer, before }: Ends, lengths: number[]): Script {
  let payloads = lengths.map((length, index) => payloadOf(before + index + 1, length));
  yield* attempt(function* () {
    payloads = payloads.slice(yield* sendPacked(producer, payloads));
    return payloads.length === 0 || undefined;
  });
}

function* receiveAll({ consumer, before }: Ends, count: number, view: DataView): Script {
  for (let number = before + 1; number <= before + count; number++) {
    const payload = yield* attempt(() => receive(view, consumer));
    assert.equal(numberOf(payload), number, "order");
  }
}

function* receiveReleasing({ consumer, before }: Ends, count: number, view: DataView): Script {
  for (let number = before + 1; number <= before + count; number++) {
    assert.equal(numberOf(yield* attempt(() => receive(view, consumer))), number, "order");
    yield* release(view, consumer);
  }
}

/** Takes what is there in stretches, and tells the core of each as a whole. */
function* receiveInStretches({ consumer, before }: Ends, count: number, view: DataView): Script {
  let last = before;
  const handle = (payload: Uint8Array): void => assert.equal(numberOf(payload), ++last, "order");
  while (last < before + count) {
    yield* attempt(function* () {
      return (yield* receiveStretch(view, consumer, handle)) || undefined;
    });
  }
}

/** Takes what is there in stretches, and releases each record at once without asking for the next. */
function* releaseInStretches({ consumer, before }: Ends, count: number, view: DataView): Script {
  let last = before;
  const handle = (payload: Uint8Array): void => assert.equal(numberOf(payload), ++last, "order");
  while (last < before + count) {
    yield* attempt(function* () {
      return (yield* receiveStretch(view, consumer, handle, true)) || undefined;
    });
  }
}

/** Sleeps on its doorbell while there is no room. */
function* sendBlocking({ producer, before }: Ends, lengths: number[], view: DataView): Script {
  for (const [index, length] of lengths.entries()) {
    const payload = payloadOf(before + index + 1, length);
    const trySend = function* (): Script<true | undefined> {
      return (yield* send(producer, payload)) || undefined;
    };
    if (!(yield* trySend())) yield* waitFor(view, SLOTS[0], producer.waitersRoom, trySend);
  }
}

function* receiveBlocking({ consumer, before }: Ends, count: number, view: DataView): Script {
  const tryReceive = (): Script<Uint8Array | undefined> => receive(view, consumer);
  for (let number = before + 1; number <= before + count; number++) {
    const payload =
      (yield* tryReceive()) ?? (yield* waitFor(view, SLOTS[1], consumer.waitersData, tryReceive));
    assert.equal(numberOf(payload), number, "order");
  }
}

/** Lengths of records after which the next one needs padding, in a ring of 128 bytes. */
export const NEAR_END = [60, 24];
/** Leaves 72 bytes before the end of a ring of 512: three records of 16 bytes and padding, which is one stretch. */
export const NEAR_END_OF_512 = [400, 24];

const SCENARIOS: RingScenario[] = [
  { name: "3 records", capacity: 256, lengths: [9, 1, 16] },
  { name: "padding at the end", deep: true, capacity: 128, before: NEAR_END, lengths: [24, 9] },
  { name: "room for one record only", capacity: 64, lengths: [40, 40, 40] },
  { name: "padding, then no room", capacity: 128, before: NEAR_END, lengths: [60, 60] },
  {
    name: "after padding that stands alone",
    deep: true,
    capacity: 128,
    before: NEAR_END,
    claimed: 100,
    lengths: [9, 8],
  },
  { name: "over old records", capacity: 128, before: [...NEAR_END, ...NEAR_END], lengths: [16, 24, 30] },
  { name: "many together", capacity: 128, before: NEAR_END, lengths: [9, 24, 8, 30], producer: sendTogether },
  { name: "a slab", capacity: 128, before: NEAR_END, lengths: [9, 24, 8, 30], producer: sendSlabs },
  { name: "released at once", capacity: 1024, lengths: [9, 8], consumer: receiveReleasing },
  { name: "in stretches", capacity: 512, lengths: [8, 1, 9], consumer: receiveInStretches },
  { name: "in stretches, each released", capacity: 512, lengths: [8, 1, 9], consumer: releaseInStretches },
  {
    name: "in a stretch up to padding",
    capacity: 512,
    before: NEAR_END_OF_512,
    lengths: [8, 8, 8, 24],
    producer: sendTogether,
    consumer: receiveInStretches,
  },
  {
    name: "in stretches, the producer sleeps",
    capacity: 512,
    before: [500],
    lengths: [8, 8, 440, 40],
    producer: sendBlocking,
    consumer: receiveInStretches,
  },
  {
    name: "a consumer that sleeps",
    capacity: 256,
    lengths: [9, 8],
    consumer: receiveBlocking,
  },
  {
    name: "both sleep",
    capacity: 64,
    lengths: [40, 40],
    producer: sendBlocking,
    consumer: receiveBlocking,
  },
  {
    name: "both sleep, with padding",
    capacity: 128,
    before: NEAR_END,
    lengths: [60, 60],
    producer: sendBlocking,
    consumer: receiveBlocking,
  },
];

function streaming(one: RingScenario, preemptions: number, delays = 0): Explored {
  let ends: Ends;
  let consumer: ConsumerEnd;
  return {
    name: `ring, ${one.name}${delays > 0 ? `, ${delays} late stores` : ""}`,
    preemptions,
    delays,
    before: (world) => {
      ends = prepareRing(world, one.capacity, one.before, one.claimed);
    },
    scripts: ({ arena: { view } }) => {
      consumer = { ...ends.consumer };
      return [
        (one.producer ?? sendAll)({ ...ends, producer: { ...ends.producer } }, one.lengths, view),
        (one.consumer ?? receiveAll)({ ...ends, consumer }, one.lengths.length, view),
      ];
    },
    after: (world) => {
      world.play(1, closeConsumer(world.arena.view, consumer));
      const total = ends.before + one.lengths.length;
      const bytes = [...(one.before ?? []), ...one.lengths].reduce((sum, length) => sum + length, 0);
      const word = (offset: number): number =>
        Number(world.arena.view.getBigUint64(ends.producer.ring + offset, true));
      for (const offset of [RING_SENT_OFFSET, RING_RECEIVED_OFFSET, RING_RELEASED_OFFSET]) {
        assert.equal(word(offset), total, `the count at ${offset}`);
      }
      assert.equal(word(RING_SENT_BYTES_OFFSET), bytes, "bytes");
      assert.equal(word(RING_TAIL_OFFSET), word(RING_HEAD_OFFSET), "tail");
      assert.equal(word(RING_CURSOR_OFFSET), word(RING_HEAD_OFFSET), "cursor");
    },
  };
}

export const ringScenarios: Explored[] = [
  ...SCENARIOS.map((one) => streaming(one, one.deep ? 3 : 2)),
  ...SCENARIOS.map((one) => streaming(one, 1, 1)),
  ...SCENARIOS.map((one) => streaming(one, 0, 2)),
];
