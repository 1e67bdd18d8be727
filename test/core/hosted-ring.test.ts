/** Rings through the hosted core, over a system that is played: what happens while a host sleeps is what the test says. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BUSY,
  CLOSED,
  CORRUPT,
  DEADLOCK,
  EVICTED,
  PEER_DIED,
  TIMED_OUT,
  TOO_LARGE,
} from "../../protocol/errors.js";
import {
  HEADER_DROPS_OFFSET,
  HEADER_HEARTBEAT_NS_OFFSET,
  OBJECT_RING,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_OFFSETS,
  RING_LAST_SENT_NS_OFFSET,
  SLOT_DEAD,
  WAITERS_SUMMARY_OFFSET,
} from "../../protocol/layout.js";
import { RECHECK_MS } from "../../protocol/limits.js";
import { type Hosted, HostedEnd, HostedWorld } from "../lib/hosted.js";

const CAPACITY = 256;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

interface Ends {
  world: HostedWorld;
  one: Hosted;
  other: Hosted;
  ring: number;
  producer: HostedEnd;
  consumer: HostedEnd;
}

/** Two hosts, of which the first sends and the second receives. */
function ends(): Ends {
  const world = new HostedWorld();
  const [one, other] = [world.enter(1), world.enter(2)];
  const ring = world.opened(one, "ring", OBJECT_RING, CAPACITY);
  const producer = HostedEnd.attach(world, one, ring, CAPACITY, true);
  const consumer = HostedEnd.attach(world, other, ring, CAPACITY, false);
  return { world, one, other, ring, producer, consumer };
}

test("the end of a stream is told in its place, though another producer has sent since; who polls passes over it", () => {
  for (const timeoutMs of [0, -1]) {
    const { world, one, producer, consumer, ring } = ends();
    assert.is(producer.send(bytes(1), 0), 0);
    one.hostedRingCloseProducer(ring);
    const next = HostedEnd.attach(world, world.enter(3), ring, CAPACITY, true);
    assert.is(next.send(bytes(2), 0), 0);
    const found = [1, 2, 3].map(() => consumer.receive(timeoutMs));
    if (timeoutMs < 0) assert.equal(found, [bytes(1), bytes(2), BUSY]);
    else assert.equal(found, [bytes(1), CLOSED, bytes(2)]);
  }
});

/** The participant in that slot is removed. */
function evict({ world }: Ends, slot: number): void {
  const word = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET;
  world.view.setUint8(word, SLOT_DEAD);
}

test("records come through around the end of the ring, and the time of sending is noted", () => {
  const { world, producer, consumer, ring } = ends();
  for (let i = 0; i < 200; i++) {
    const payload = new Uint8Array(i % 90).fill(i);
    assert.is(producer.send(payload, 0), 0);
    if (i === 0) assert.ok(world.view.getBigUint64(ring + RING_LAST_SENT_NS_OFFSET, true) > 0n);
    assert.equal(consumer.receive(0), payload);
    assert.is(consumer.receive(-1), BUSY);
  }
});

test("several records are published at once, and the consumer goes on by itself", () => {
  const { world, one, other, ring, producer, consumer } = ends();
  const from = one.hostedRingRoom(ring, CAPACITY, producer.at, 24, 0) >>> 0;
  let at = from;
  for (const number of [1, 2, 3]) {
    world.bytes.fill(number, at + 8, at + 16);
    at = one.ringStage(at, 8) >>> 0;
  }
  assert.is(one.hostedRingPublish(ring, at - from, 3, 24), 0);
  assert.equal(consumer.receive(0), new Uint8Array(8).fill(1));
  assert.is(other.ringReady(ring, CAPACITY, consumer.at) >>> 0, 32, "one more may be held back");
  consumer.advance = 48;
  consumer.records = 3;
  assert.is(consumer.receive(-1), BUSY);
  assert.is(consumer.at, at);
});

test("a host that tries does not sleep, one that waits sleeps for RECHECK_MS at most, and for its time in all", () => {
  const { world, consumer } = ends();
  assert.is(consumer.receive(-1), BUSY);
  assert.is(consumer.receive(0), TIMED_OUT);
  assert.is(consumer.receive(Number.NaN), TIMED_OUT);
  assert.is(world.sleeps, 0);
  const begin = world.nowMs;
  assert.is(consumer.receive(250), TIMED_OUT);
  assert.equal(world.slept, [RECHECK_MS, RECHECK_MS, 50]);
  assert.is(world.nowMs - begin, 250);
  assert.is(world.view.getUint32(consumer.host.ringWaitersData(consumer.ring) + 4, true), 0, "disarmed");
});

test("a long wait writes the heartbeat once a second", () => {
  const { world, consumer } = ends();
  const seen = new Set<bigint>();
  world.asleep = () => void seen.add(world.view.getBigUint64(HEADER_HEARTBEAT_NS_OFFSET, true));
  assert.is(consumer.receive(5000), TIMED_OUT);
  assert.ok(seen.size >= 5 && seen.size <= 7, `${seen.size} heartbeats`);
});

test("who sleeps for a record is woken by it, after it has armed", () => {
  const { world, producer, consumer, other } = ends();
  world.asleep = () => {
    assert.not(
      world.view.getUint32(other.ringWaitersData(consumer.ring) + WAITERS_SUMMARY_OFFSET, true) === 0,
    );
    assert.is(producer.send(bytes(7), 0), 0);
  };
  assert.equal(consumer.receive(1000), bytes(7));
  assert.equal(world.woken, [other.blockedBell(1) >>> 0]);
  assert.is(world.sleeps, 1);
});

test("who sleeps for room is woken when there is some, and a drop is counted when there is none", () => {
  const { world, producer, consumer } = ends();
  while (producer.send(bytes(1), -1) === 0);
  const drops = () => world.view.getUint32(HEADER_DROPS_OFFSET, true);
  assert.is(drops(), 0, "who only tries drops nothing");
  assert.is(producer.send(bytes(2), 10), TIMED_OUT);
  assert.is(drops(), 1);
  world.asleep = () => {
    for (let i = 0; i < 3; i++) assert.equal(consumer.receive(0), bytes(1));
  };
  const woken = world.woken.length;
  assert.is(producer.send(bytes(3), 1000), 0);
  assert.ok(world.woken.length > woken, "it was not woken");
});

test("padding at the end of the ring wakes a consumer that has to pass it", () => {
  const { world, producer, consumer } = ends();
  assert.is(producer.send(new Uint8Array(168), 0), 0);
  assert.is((consumer.receive(0) as Uint8Array).length, 168);
  let turns = 0;
  world.asleep = () => {
    if (++turns === 1) assert.is(producer.send(new Uint8Array(200), -1), BUSY);
    else assert.is(producer.send(new Uint8Array(200), -1), 0);
  };
  assert.is((consumer.receive(1000) as Uint8Array).length, 200);
  assert.is(world.woken.length, 2);
});

test("the end of the stream comes once, after what was sent right before it", () => {
  const { world, one, ring, producer, consumer } = ends();
  world.asleep = () => {
    world.asleep = () => {};
    for (const number of [1, 2]) assert.is(producer.send(bytes(number), 0), 0);
    one.hostedRingCloseProducer(ring);
  };
  assert.equal(consumer.receive(1000), bytes(1));
  assert.equal(consumer.receive(1000), bytes(2));
  assert.is(consumer.receive(-1), BUSY, "who only tries is not told");
  assert.is(consumer.receive(0), CLOSED);
  assert.is(consumer.receive(10), TIMED_OUT);
});

test("a producer that dies is noticed within a recheck, after its last record, once", () => {
  const { world, producer, consumer } = ends();
  assert.is(producer.send(bytes(1), 0), 0);
  world.asleep = () => world.kill(1);
  assert.equal(consumer.receive(1000), bytes(1));
  assert.is(consumer.receive(1000), PEER_DIED);
  assert.is(world.sleeps, 1);
  assert.is(consumer.receive(10), TIMED_OUT);
});

test("a producer that gives up its end in the middle of a stream counts as dead", () => {
  const { one, ring, producer, consumer } = ends();
  assert.is(producer.send(bytes(1), 0), 0);
  one.hostedRingAbandonProducer(ring);
  assert.equal(consumer.receive(0), bytes(1));
  assert.is(consumer.receive(0), PEER_DIED);
});

test("a consumer that dies while its producer waits for room is told of once", () => {
  const { world, producer } = ends();
  while (producer.send(bytes(1), -1) === 0);
  world.asleep = () => world.kill(2);
  assert.is(producer.send(bytes(2), 1000), PEER_DIED);
  assert.is(producer.send(bytes(2), 10), TIMED_OUT);
});

test("an end is had when it is given back, when its owner dies, and not from oneself", () => {
  const { world, one, other, ring, consumer } = ends();
  const third = world.enter(3);
  assert.is(third.hostedRingAttach(ring, CAPACITY, 1, -1), BUSY);
  assert.is(third.hostedRingAttach(ring, CAPACITY, 1, 10), TIMED_OUT);
  assert.is(one.hostedRingAttach(ring, CAPACITY, 1, 10), DEADLOCK);
  world.asleep = () => one.hostedRingCloseProducer(ring);
  assert.ok(third.hostedRingAttach(ring, CAPACITY, 1, 1000) >= RESULT_OFFSETS);
  assert.ok(world.woken.includes(third.blockedBell(2) >>> 0));
  world.kill(2);
  const slept = world.sleeps;
  assert.ok(
    third.hostedRingAttach(ring, CAPACITY, 0, 0) >= RESULT_OFFSETS,
    "the dead are asked about at once",
  );
  assert.is(world.sleeps, slept);
  assert.is(consumer.receive(0), EVICTED, "it came back, and another one is in its place");
  assert.is(other.selfCheck(), EVICTED);
});

test("an end that was had outlives the heartbeat", () => {
  const { one, ring, producer, consumer } = ends();
  one.beat(2e18);
  assert.is(producer.send(bytes(5), 0), 0);
  assert.equal(consumer.receive(0), bytes(5));
  assert.is(one.ringProducerState(ring), 1);
});

test("what was taken counts when the end is given back, and a waiting producer is told", () => {
  const { world, other, ring, producer, consumer } = ends();
  for (const number of [1, 2, 3]) assert.is(producer.send(bytes(number), 0), 0);
  assert.equal(consumer.receive(0), bytes(1));
  consumer.closeConsumer();
  const next = HostedEnd.attach(world, other, ring, CAPACITY, false);
  assert.equal(next.receive(0), bytes(2));
});

test("room is given back at once when the host wants that", () => {
  const { one, other, ring, producer, consumer } = ends();
  while (producer.send(new Uint8Array(40), -1) === 0);
  assert.is((consumer.receive(0) as Uint8Array).length, 40);
  const next = other.hostedRingRelease(ring, CAPACITY, consumer.at, consumer.advance, 1) >>> 0;
  assert.is(next, other.recordAt.value >>> 0);
  assert.ok(one.hostedRingRoom(ring, CAPACITY, producer.at, 40, -1) >= RESULT_OFFSETS);
});

test("what cannot be is an error, and the offset of the host stays", () => {
  const all = ends();
  const { world, one, ring, producer, consumer } = all;
  const { at } = producer;
  assert.is(producer.send(new Uint8Array(CAPACITY), 0), TOO_LARGE);
  assert.is(producer.at, at);
  assert.is(producer.send(bytes(1), 0), 0);
  world.view.setUint32(consumer.at, 1 << 20, true);
  assert.is(consumer.receive(0), CORRUPT);
  evict(all, 0);
  assert.is(producer.send(bytes(1), 0), EVICTED);
  assert.is(one.hostedRingCommit(ring, producer.at, 0), EVICTED);
  assert.is(one.hostedRingPublish(ring, 16, 1, 0), EVICTED);
});

test("a host says how often it looks before it sleeps", () => {
  const { world, consumer, other } = ends();
  let looks = 0;
  const set = other.ringWaitersData(consumer.ring);
  other.hostedSpins(0);
  world.asleep = () => looks++;
  assert.is(consumer.receive(10), TIMED_OUT);
  assert.is(looks, 1);
  assert.is(world.view.getUint32(set + 4, true), 0);
});

test.run();
