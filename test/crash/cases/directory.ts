/** Objects come into being whole or not at all, and no death keeps the directory locked. */
import { strict as assert } from "node:assert";
import {
  DIRECTORY_COUNT_OFFSET,
  DIRECTORY_WAITERS_OFFSET,
  ENTRY_BYTES,
  ENTRY_OBJECT_OFFSET,
  ENTRY_PARAMETERS_OFFSET,
  ENTRY_TYPE_OFFSET,
  OBJECT_BROADCAST,
  OBJECT_CACHE,
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_LATEST,
  OBJECT_LAYOUT,
  OBJECT_LOCK,
  OBJECT_QUEUE,
  OBJECT_RING,
  OBJECT_SEMAPHORE,
  OBJECT_SERVICE,
} from "../../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import { cacheWish } from "../../lib/hosts/cache.js";
import { check, repair } from "../../lib/hosts/heap.js";
import { openLatest, readLatest, writeLatest } from "../../lib/hosts/latest.js";
import { queueWish } from "../../lib/hosts/queue.js";
import {
  attachConsumer,
  attachProducer,
  closeConsumer,
  closeProducer,
  numberOf,
  openRing,
  payloadOf,
  receive,
  send,
} from "../../lib/hosts/ring.js";
import {
  insertOnce,
  latestWish,
  notify,
  type ObjectWish,
  openObject,
  parametersOf,
  ringWish,
} from "../../lib/hosts/segment.js";
import { serviceWish } from "../../lib/hosts/service.js";
import { call, type Script } from "../../lib/script.js";
import { useTopic } from "./broadcast.js";
import { useCache } from "./cache.js";
import { type Fill, onEachFill, populate, scribbleJournal, slotsOf, someoneDied } from "./ground.js";
import { useQueue } from "./queue.js";
import { useService } from "./service.js";

/** A new ring carries a record, whatever was in its memory before. */
export function* useRing(view: DataView, wish: ObjectWish, dead: number[]): Script {
  const ring = yield* openRing(view, wish, dead);
  const producer = yield* attachProducer(ring, dead);
  const consumer = yield* attachConsumer(ring, dead);
  assert.ok(producer && consumer, "an end is not to be had");
  for (let payload = yield* receive(view, consumer); payload; payload = yield* receive(view, consumer)) {
    assert.equal(numberOf(payload), 1, "a record that nobody sent");
  }
  assert.ok(yield* send(producer, payloadOf(1, 9)), "full");
  assert.equal(numberOf((yield* receive(view, consumer)) ?? new Uint8Array()), 1);
  yield* closeConsumer(view, consumer);
  yield* closeProducer(producer);
}

export function* useLatest(view: DataView, wish: ObjectWish, dead: number[]): Script {
  const value = yield* openLatest(view, wish, dead);
  const before = yield* readLatest(value);
  assert.ok(before === 0 || before === 1, `a value that nobody wrote: ${before}`);
  assert.ok(yield* writeLatest(value, 1, dead), "busy");
  assert.equal(yield* readLatest(value), 1);
}

/** A new lock is free. */
function* useLock(view: DataView, wish: ObjectWish, dead: number[]): Script {
  const lock = yield* openObject(view, wish, dead);
  assert.equal(yield* call("lockExclusive", lock, 0, 0), 0, "held");
  yield* call("lockReleaseExclusive", lock);
  assert.equal(yield* call("lockState", lock), 0);
}

/** A new signal has its value. */
function* useSignal(view: DataView, wish: ObjectWish, dead: number[]): Script {
  const signal = yield* openObject(view, wish, dead);
  assert.equal(yield* call("signalValue", signal), wish.type === OBJECT_COUNTER ? 0 : wish.first);
  assert.equal(yield* call("waitersAny", (yield* call("signalWaiters", signal)) >>> 0), 0, "waiters");
}

/** A new description has no text yet, whatever was in its memory before. */
function* useLayout(view: DataView, wish: ObjectWish, dead: number[]): Script {
  const text = yield* openObject(view, wish, dead);
  for (let at = 0; at < wish.first; at++) assert.equal(view.getUint8(text + at), 0, `byte ${at} of the text`);
}

function use(view: DataView, wish: ObjectWish, dead: number[]): Script {
  if (wish.type === OBJECT_RING) return useRing(view, wish, dead);
  if (wish.type === OBJECT_LATEST) return useLatest(view, wish, dead);
  if (wish.type === OBJECT_BROADCAST) return useTopic(view, wish.first, dead);
  if (wish.type === OBJECT_CACHE) return useCache(view, wish.second ?? 0, dead);
  if (wish.type === OBJECT_QUEUE) return useQueue(view, wish, dead);
  if (wish.type === OBJECT_SERVICE) return useService(view, wish, dead);
  if (wish.type === OBJECT_LAYOUT) return useLayout(view, wish, dead);
  return wish.type === OBJECT_LOCK ? useLock(view, wish, dead) : useSignal(view, wish, dead);
}

interface Before {
  name: string;
  make(lane: CrashLane): void;
}

/** Somebody lived in this slot, died in the middle of an insert, and left his token in the lock. */
const LOST_SLOT = 7;

function diedInserting(lane: CrashLane): void {
  someoneDied(lane, LOST_SLOT, () =>
    lane.playUntil(2, DIRECTORY_COUNT_OFFSET, insertOnce(ringWish("lost", 64))),
  );
}

const BEFORE: Before[] = [
  { name: "empty directory", make: () => {} },
  {
    name: "another object",
    make: (lane) => lane.play(1, openObject(lane.view, ringWish("ring first", 192))),
  },
  { name: "waiters", make: (lane) => lane.play(2, call("waitersArm", DIRECTORY_WAITERS_OFFSET)) },
  { name: "lock of a dead one", make: diedInserting },
];

const WISHES: ObjectWish[] = [
  ringWish("ring wanted", 256),
  queueWish(3, 24),
  serviceWish(3, 16, 16),
  { type: OBJECT_BROADCAST, name: "topic", first: 256, second: 0 },
  cacheWish(),
  latestWish("small wanted", 16),
  latestWish("large wanted", 512),
  { type: OBJECT_LOCK, name: "lock wanted", first: 0 },
  { type: OBJECT_SEMAPHORE, name: "semaphore wanted", first: 3 },
  { type: OBJECT_EVENT, name: "event wanted", first: 1 },
  { type: OBJECT_COUNTER, name: "counter wanted", first: 0 },
  { type: OBJECT_LAYOUT, name: "\0layout wanted", first: 40 },
];

/** The entry of the object says what it is. */
function* isDescribed(view: DataView, object: number, wish: ObjectWish): Script {
  const first = (yield* call("directoryOffset", PARTICIPANTS_MIN)) >>> 0;
  const count = yield* call("directoryCount");
  const entries = Array.from({ length: count }, (_, index) => first + index * ENTRY_BYTES);
  const entry = entries.find((at) => view.getUint32(at + ENTRY_OBJECT_OFFSET, true) === object);
  assert.ok(entry !== undefined, "no entry");
  assert.equal(view.getUint32(entry + ENTRY_TYPE_OFFSET, true), wish.type, "type");
  const parameters = [0, 4, 8, 12].map((at) => view.getUint32(entry + ENTRY_PARAMETERS_OFFSET + at, true));
  assert.deepEqual(parameters, parametersOf(wish), "parameters");
  assert.equal(
    yield* call("objectCheck", entry, wish.type, ...parametersOf(wish)),
    object,
    "its opener takes it for damaged",
  );
}

function inserting(wish: ObjectWish, before: Before, fill: Fill): CrashCase {
  let made: number | undefined;
  function* operation({ view }: CrashLane): Script {
    made = yield* openObject(view, wish, [LOST_SLOT]);
    if (yield* call("waitersAny", DIRECTORY_WAITERS_OFFSET)) yield* notify(DIRECTORY_WAITERS_OFFSET);
  }
  return {
    name: `insert ${wish.name}, ${before.name}`,
    before: (lane) => {
      populate(lane, fill);
      before.make(lane);
      scribbleJournal(lane);
    },
    operation: (lane) => {
      made = undefined;
      return operation(lane);
    },
    *goOn(lane, by, dead) {
      const slots = [...slotsOf(dead), LOST_SLOT];
      assert.ok(yield* repair(slots), "the write lock is not to be had");
      lane.settled(by);
      const { view } = lane;
      yield* check();
      const others = ringWish("ring of all", 128);
      const other = by === 1 ? yield* openObject(view, others, slots) : undefined;
      const object = yield* openObject(view, wish, slots);
      if (made !== undefined) assert.equal(object, made, "the object moved");
      yield* isDescribed(view, object, wish);
      if (other !== undefined) assert.notEqual(object, other);
      yield* use(view, wish, slots);
      yield* useRing(view, others, slots);
      const names = new Set(["ring first", wish.name, others.name]);
      assert.ok((yield* call("directoryCount")) <= names.size, "an object twice");
      yield* check();
    },
    livesOn: { meanwhile: () => repair([]) },
  };
}

export const directoryCases: CrashCase[] = [
  ...BEFORE.flatMap((before) => onEachFill((fill) => inserting(WISHES[0] as ObjectWish, before, fill))),
  ...WISHES.slice(1).flatMap((wish) => onEachFill((fill) => inserting(wish, BEFORE[0] as Before, fill))),
];
