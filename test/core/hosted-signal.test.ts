/** Semaphores, events and counters through the hosted core. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BUSY, EVICTED, TIMED_OUT, TOO_LARGE } from "../../protocol/errors.js";
import {
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_SEMAPHORE,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  SIGNAL_CLAIM_OFFSET,
} from "../../protocol/layout.js";
import { COUNTER_MAX } from "../../protocol/limits.js";
import { type Hosted, HostedWorld } from "../lib/hosted.js";

function hosts(type: number, first = 0): { world: HostedWorld; one: Hosted; other: Hosted; signal: number } {
  const world = new HostedWorld();
  const [one, other] = [world.enter(1), world.enter(2)];
  return { world, one, other, signal: world.opened(one, "signal", type, first) };
}

test("a semaphore gives what is there, and waits for the rest", () => {
  const { world, one, other, signal } = hosts(OBJECT_SEMAPHORE, 2);
  assert.is(one.hostedSemaphoreAcquire(signal, 2, 0), 0);
  assert.is(one.hostedSemaphoreAcquire(signal, 1, -1), BUSY);
  assert.is(one.hostedSemaphoreAcquire(signal, 1, 0), TIMED_OUT);
  world.asleep = () => assert.is(other.hostedSemaphoreRelease(signal, 1), 0);
  assert.is(one.hostedSemaphoreAcquire(signal, 1, 1000), 0);
  assert.is(world.sleeps, 1);
  assert.equal(world.woken, [one.blockedBell(0) >>> 0]);
  assert.is(one.signalValue(signal), 0);
});

test("who waits for several has what comes, and gives its claim back when it gives up", () => {
  const { world, one, other, signal } = hosts(OBJECT_SEMAPHORE);
  world.asleep = () => {
    assert.is(other.hostedSemaphoreRelease(signal, 1), 0);
    assert.is(other.hostedSemaphoreAcquire(signal, 1, -1), BUSY);
  };
  assert.is(one.hostedSemaphoreAcquire(signal, 3, 10_000), 0);
  assert.is(world.sleeps, 3);
  world.asleep = () => {};
  assert.is(one.hostedSemaphoreAcquire(signal, 2, 50), TIMED_OUT);
  assert.is(world.view.getBigUint64(signal + SIGNAL_CLAIM_OFFSET, true), 0n);
  assert.is(other.hostedSemaphoreRelease(signal, 1), 0);
  assert.is(other.hostedSemaphoreAcquire(signal, 1, -1), 0);
});

test("who was called and leaves without taking anything passes the call on", () => {
  const { world, one, other, signal } = hosts(OBJECT_SEMAPHORE);
  const third = world.enter(3);
  world.asleep = () => {
    third.waitersBlock(third.signalWaiters(signal));
    assert.is(other.hostedSemaphoreRelease(signal, 1), 0);
    assert.equal(world.woken, [one.blockedBell(0) >>> 0], "one is called for one");
    world.view.setUint32(PARTICIPANTS_OFFSET + PARTICIPANT_WORD_OFFSET, 0, true); // removed
  };
  assert.is(one.hostedSemaphoreAcquire(signal, 1, 1000), EVICTED);
  assert.equal(world.woken.slice(1), [third.blockedBell(2) >>> 0]);
});

test("who was called after its look, and leaves at the last one without taking anything, passes the call on", () => {
  const { world, one, other, signal } = hosts(OBJECT_SEMAPHORE);
  const third = world.enter(3);
  let looks = 0;
  world.looking = () => {
    // The first after the sleep comes between a look in vain and the disarm; the look that follows is the last one.
    if (world.sleeps !== 1 || looks++ > 0) return;
    third.waitersBlock(third.signalWaiters(signal));
    assert.is(other.hostedSemaphoreRelease(signal, 1), 0);
    assert.equal(world.woken, [one.blockedBell(0) >>> 0], "one is called for one");
    world.view.setUint32(PARTICIPANTS_OFFSET + PARTICIPANT_WORD_OFFSET, 0, true); // removed
  };
  assert.is(one.hostedSemaphoreAcquire(signal, 1, 10), EVICTED);
  assert.is(looks, 1);
  assert.equal(world.woken.slice(1), [third.blockedBell(2) >>> 0]);
});

test("a claim of a dead one is passed: at once by a try, within a recheck by who waits", () => {
  for (const timeoutMs of [-1, 1000]) {
    const { world, one, other, signal } = hosts(OBJECT_SEMAPHORE, 1);
    assert.is(one.semaphoreClaim(signal), 0);
    assert.is(
      other.hostedSemaphoreAcquire(signal, 1, timeoutMs < 0 ? -1 : 10),
      timeoutMs < 0 ? BUSY : TIMED_OUT,
    );
    world.kill(1);
    assert.is(other.hostedSemaphoreAcquire(signal, 1, timeoutMs), 0);
  }
});

test("a semaphore has a bound, and who was removed takes and gives nothing", () => {
  const { world, one, signal } = hosts(OBJECT_SEMAPHORE, 5);
  assert.is(one.hostedSemaphoreRelease(signal, 2 ** 31 - 5), TOO_LARGE);
  world.view.setUint32(PARTICIPANTS_OFFSET + 0 * PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET, 0, true);
  assert.is(one.hostedSemaphoreAcquire(signal, 1, 1000), EVICTED);
  assert.is(one.hostedSemaphoreRelease(signal, 1), EVICTED);
  assert.ok(Number.isNaN(one.hostedCounterAdd(signal, 1)));
});

test("an event lets pass who waits, also when it was reset at once", () => {
  const { world, one, other, signal } = hosts(OBJECT_EVENT);
  assert.is(one.hostedEventWait(signal, -1), BUSY);
  assert.is(one.hostedEventWait(signal, 20), TIMED_OUT);
  world.asleep = () => {
    assert.is(other.hostedEventSet(signal, 1), 0);
    assert.is(other.hostedEventSet(signal, 0), 0);
  };
  assert.is(one.hostedEventWait(signal, 1000), 0);
  assert.is(one.hostedEventWait(signal, -1), BUSY);
  assert.is(other.hostedEventSet(signal, 1), 0);
  assert.is(one.hostedEventWait(signal, -1), 0);
});

test("who only reads waits for an event by looking, and writes nothing", () => {
  const { world, one, signal } = hosts(OBJECT_EVENT);
  const reader = world.look(3);
  const before = world.bytes.slice();
  assert.is(reader.hostedEventWait(signal, 11), TIMED_OUT);
  assert.equal(world.slept, [2, 2, 2, 2, 2, 1]);
  assert.equal(world.bytes.slice(), before);
  world.asleep = () => one.hostedEventSet(signal, 1);
  assert.is(reader.hostedEventWait(signal, 1000), 0);
});

test("a counter is added to, and refuses what it cannot hold", () => {
  const { one, other, signal } = hosts(OBJECT_COUNTER);
  assert.is(one.hostedCounterAdd(signal, 5), 5);
  assert.is(other.hostedCounterAdd(signal, -7), -2);
  assert.ok(Number.isNaN(one.hostedCounterAdd(signal, -COUNTER_MAX)));
  assert.is(one.counterValue(signal), -2);
});

test.run();
