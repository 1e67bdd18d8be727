/** Subscribers get whole records in order, or know how many they have lost, while the publisher overwrites them. */
import { strict as assert } from "node:assert";
import { END_CLOSED } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import {
  attachPublisher,
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
import { waitFor } from "../../lib/hosts/segment.js";
import { call, type Script, until } from "../../lib/script.js";
import { type Explored, late, OBSERVER, populate, SLOTS } from "./ground.js";

/** Four of the largest records. */
const CAPACITY = 256;
const LARGEST = 48;

let topic: Topic;
/** One that has subscribed, from the oldest record on, before the scripts begin. */
let first: Subscriber;

/** `before`: records that were published, of the largest size. */
function prepare(before: number): (world: World) => void {
  return (world) => {
    populate(world);
    topic = world.play(OBSERVER, openTopic(world.arena.view, CAPACITY));
    world.play(0, attachPublisher(topic));
    for (let number = 1; number <= before; number++)
      world.play(0, publish(topic, payloadOf(number, LARGEST)));
    first = world.play(1, subscribe(topic, true));
  };
}

function* publishAll(before: number, lengths: number[]): Script {
  for (const [index, length] of lengths.entries())
    yield* publish(topic, payloadOf(before + index + 1, length));
}

/** Takes what comes until the last record: each one is whole and has its own number. */
function* readTo(world: World, id: number, one: Subscriber, last: number): Script {
  const { view } = world.arena;
  const begin = one.expected;
  let got = 0;
  const look = (): Script<Uint8Array | undefined> => nextRecord(view, one);
  while (one.expected <= last) {
    const payload = (yield* look()) ?? (yield* waitFor(view, SLOTS[id] as number, topic.waiters, look));
    assert.equal(numberOf(payload), one.expected - 1, "another record than its number says");
    got++;
  }
  assert.equal(got + one.lost, one.expected - begin, "what came and what was lost is not what was published");
}

/** One that reads, from the oldest on, while the publisher goes once around. */
function reader(before: number, lengths: number[], preemptions: number): Explored {
  const last = before + lengths.length;
  return {
    name: `broadcast, one reads behind ${before}, ${lengths.length} are published`,
    preemptions,
    before: prepare(before),
    scripts: (world) => [publishAll(before, lengths), readTo(world, 1, { ...first }, last)],
  };
}

function twoReaders(before: number, lengths: number[], preemptions: number): Explored {
  const last = before + lengths.length;
  return {
    name: `broadcast, two read behind ${before}, ${lengths.length} are published`,
    preemptions,
    before: prepare(before),
    scripts: (world) => [
      publishAll(before, lengths),
      readTo(world, 1, { ...first }, last),
      readTo(world, OBSERVER, { ...first }, last),
    ],
  };
}

/** One subscribes while records are published: it begins with the next one, or with the oldest. */
function subscriber(fromOldest: boolean, preemptions: number): Explored {
  const [before, lengths] = [4, [LARGEST, 8]];
  const last = before + lengths.length;
  return {
    name: `broadcast, one subscribes ${fromOldest ? "from the oldest" : "from now"} while two are published`,
    preemptions,
    before: prepare(before),
    scripts: (world) => [
      publishAll(before, lengths),
      (function* (): Script {
        const one = yield* subscribe(topic, fromOldest);
        yield* readTo(world, 1, one, last);
      })(),
    ],
  };
}

/** The publisher dies at any write, and another one goes on: no number comes twice, and none is missing. */
function publisherDies(preemptions: number): Explored {
  const before = 3;
  return {
    name: "broadcast, the publisher dies at any write, another goes on",
    preemptions,
    deaths: 1,
    mortal: [0],
    before: prepare(before),
    scripts: (world) => [
      publishAll(before, [LARGEST, 8]),
      readTo(world, 1, { ...first }, before + 1),
      (function* (): Script {
        yield* until(() => world.state(0) === "dead" || world.state(0) === "done");
        if (world.state(0) === "done") return;
        assert.ok(yield* attachPublisher(topic, [SLOTS[0]]), "the end is not to be had");
        const sent = yield* call("broadcastSent", topic.topic, topic.capacity);
        yield* publish(topic, payloadOf(sent + 1, LARGEST));
      })(),
    ],
  };
}

/** The publisher closes while a subscriber waits: it gets what was published, or knows that it was lost, and then the end, once. */
function publisherCloses(preemptions: number): Explored {
  const before = 3;
  const lengths = [LARGEST, 8];
  return {
    name: "broadcast, the publisher closes while one waits for records",
    preemptions,
    before: prepare(before),
    scripts: (world) => [
      (function* (): Script {
        yield* publishAll(before, lengths);
        yield* closePublisher(topic);
      })(),
      (function* (): Script {
        const { view } = world.arena;
        const one = { ...first };
        const begin = one.expected;
        const look = (): Script<Uint8Array | number | undefined> => nextOrEnd(view, one);
        for (let got = 0; ; got++) {
          const next = (yield* look()) ?? (yield* waitFor(view, SLOTS[1], topic.waiters, look));
          if (typeof next === "object") continue;
          const sent = yield* call("broadcastSent", topic.topic, topic.capacity);
          assert.equal(
            got + one.lost,
            sent + 1 - begin,
            "what came and what was lost is not what was published",
          );
          assert.equal(next, END_CLOSED);
          assert.equal(sent, before + lengths.length);
          break;
        }
        assert.equal(yield* look(), undefined, "the end comes again");
      })(),
    ],
  };
}

export const broadcastScenarios: Explored[] = [
  reader(4, [LARGEST, LARGEST], 2),
  reader(4, [8, 40, 8, 40, 8], 2),
  reader(0, [LARGEST, 8, LARGEST, LARGEST, 8], 1),
  twoReaders(4, [LARGEST, 8], 1),
  subscriber(true, 2),
  subscriber(false, 2),
  publisherDies(1),
  publisherCloses(2),
  late(reader(4, [LARGEST, LARGEST], 1), 1, 1),
  late(reader(4, [8, 40, 8], 1), 1, 1),
];
