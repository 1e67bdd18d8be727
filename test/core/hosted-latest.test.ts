/** Latest values through the hosted core. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BUSY, CORRUPT, EVICTED, TIMED_OUT } from "../../protocol/errors.js";
import {
  ANSWER_VERSION_OFFSET,
  FLAG_EMPTY,
  LATEST_CURRENT_OFFSET,
  LATEST_WRITER_OFFSET,
  OBJECT_LATEST,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_OFFSETS,
} from "../../protocol/layout.js";
import { type Hosted, HostedWorld } from "../lib/hosted.js";

const SMALL = 24;
const LARGE = 1000;

function hosts(valueBytes: number): { world: HostedWorld; one: Hosted; other: Hosted; latest: number } {
  const world = new HostedWorld();
  const [one, other] = [world.enter(1), world.enter(2)];
  return { world, one, other, latest: world.opened(one, "latest", OBJECT_LATEST, valueBytes) };
}

function write(world: HostedWorld, host: Hosted, latest: number, number: number): number {
  world.bytes.fill(number, host.scratch() >>> 0, (host.scratch() >>> 0) + SMALL);
  return host.hostedLatestWrite(latest, SMALL);
}

function writeLarge(world: HostedWorld, host: Hosted, latest: number, number: number): number {
  const at = host.hostedLatestBegin(latest, LARGE) >>> 0;
  if (at < RESULT_OFFSETS) return at;
  world.bytes.fill(number, at, at + LARGE);
  return host.hostedLatestCommit(latest, LARGE, at);
}

test("a small value goes through the scratch, and its version is answered", () => {
  const { world, one, other, latest } = hosts(SMALL);
  assert.is(other.hostedLatestRead(latest, SMALL), FLAG_EMPTY);
  for (const number of [1, 2, 3]) {
    assert.is(write(world, one, latest, number), 0);
    assert.is(other.hostedLatestRead(latest, SMALL), 0);
    const scratch = other.scratch() >>> 0;
    assert.equal(world.bytes.slice(scratch, scratch + SMALL), new Uint8Array(SMALL).fill(number));
    assert.is(world.view.getUint32((other.answers() >>> 0) + ANSWER_VERSION_OFFSET, true), number);
  }
});

test("a large value is written and read in place, by who only reads, too", () => {
  const { world, one, other, latest } = hosts(LARGE);
  const reader = world.look(3);
  assert.is(other.hostedLatestPeek(latest, LARGE), 0);
  assert.is(writeLarge(world, one, latest, 7), 0);
  for (const host of [other, reader]) {
    const before = world.bytes.slice();
    const at = host.hostedLatestPeek(latest, LARGE) >>> 0;
    assert.equal(world.bytes.slice(at, at + LARGE), new Uint8Array(LARGE).fill(7));
    if (host === reader) assert.equal(world.bytes.slice(), before, "it writes nothing");
    assert.is(host.hostedLatestValidate(latest), 1);
    assert.equal(world.bytes.slice(), before, "no pin is left");
  }
});

test("a value that was overwritten while it was copied is not whole", () => {
  const { world, one, other, latest } = hosts(SMALL);
  write(world, one, latest, 1);
  assert.ok(other.hostedLatestPeek(latest, SMALL) >= RESULT_OFFSETS);
  for (const number of [2, 3]) write(world, one, latest, number);
  assert.is(other.hostedLatestValidate(latest), 0);
});

test("a writer waits for a living one for a while, and not for a dead one", () => {
  const { world, one, other, latest } = hosts(LARGE);
  assert.ok(one.hostedLatestBegin(latest, LARGE) >= RESULT_OFFSETS);
  assert.is(writeLarge(world, other, latest, 2), BUSY);
  assert.ok(world.nowMs >= 50);
  let at = 0;
  world.asleep = () => one.latestAbort(latest);
  assert.is(writeLarge(world, other, latest, 3), 0);
  world.asleep = () => {};
  at = one.hostedLatestBegin(latest, LARGE) >>> 0;
  assert.ok(at >= RESULT_OFFSETS);
  one.beat(1);
  assert.not(
    world.view.getBigUint64(latest + LATEST_WRITER_OFFSET, true) === 0n,
    "the heartbeat does not end it",
  );
  const sleeps = world.sleeps;
  world.kill(1);
  assert.is(writeLarge(world, other, latest, 4), 0);
  assert.is(world.sleeps, sleeps);
  assert.is(world.version(latest), 2);
});

test("a small value, too", () => {
  const { world, one, other, latest } = hosts(SMALL);
  assert.ok(one.hostedLatestBegin(latest, SMALL) >= RESULT_OFFSETS);
  assert.is(write(world, other, latest, 1), BUSY);
  world.kill(1);
  assert.is(write(world, other, latest, 1), 0);
});

test("who waits for a newer value is woken by it", () => {
  const { world, one, other, latest } = hosts(SMALL);
  assert.is(other.hostedLatestWait(latest, 0, -1), BUSY);
  assert.is(other.hostedLatestWait(latest, 0, 30), TIMED_OUT);
  world.asleep = () => write(world, one, latest, 1);
  assert.is(other.hostedLatestWait(latest, 0, 1000), 0);
  assert.equal(world.woken, [other.blockedBell(1) >>> 0]);
  assert.is(other.hostedLatestWait(latest, 0, 0), 0);
  world.asleep = () => {};
  assert.is(other.hostedLatestWait(latest, 1, 10), TIMED_OUT);
  const reader = world.look(3);
  world.asleep = () => write(world, one, latest, 2);
  assert.is(reader.hostedLatestWait(latest, 1, 1000), 0);
});

test("what damaged words lead to is an error", () => {
  const { world, one, other, latest } = hosts(LARGE);
  assert.is(writeLarge(world, one, latest, 1), 0);
  world.view.setUint8(latest + LATEST_CURRENT_OFFSET, 77);
  assert.is(other.hostedLatestPeek(latest, LARGE), CORRUPT);
  world.view.setUint32(PARTICIPANTS_OFFSET + PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET, 0, true);
  assert.is(writeLarge(world, other, latest, 2), EVICTED);
});

test.run();
