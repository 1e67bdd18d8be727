/**
 * What only matters when a call is cut off and its participant lives on: what the core has taken before its host knows that it has
 * it, and calls inside of a transaction that goes on.
 */
import { strict as assert } from "node:assert";
import {
  DIRECTORY_COUNT_OFFSET,
  HEAP_BLOCKS_OFFSET,
  LATEST_CURRENT_OFFSET,
  OBJECT_LOCK,
  SEGMENT_LOCK_OFFSET,
} from "../../../protocol/layout.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import { allocate, begin, check, free, picture, repair, writeNoted } from "../../lib/hosts/heap.js";
import { type LatestValue, openLatest, writeLatest } from "../../lib/hosts/latest.js";
import { acquire, Expected, releaseExclusive, releaseShared } from "../../lib/hosts/lock.js";
import { attachConsumer, attachProducer, openRing, type Ring } from "../../lib/hosts/ring.js";
import { insertOnce, latestWish, offsetOf, openObject, ringWish } from "../../lib/hosts/segment.js";
import { call, type Script, write } from "../../lib/script.js";
import { FILLS, type Fill, populate, slotsOf } from "./ground.js";
import { type Ground, type HeapOperation, heapCase, prepareHeap } from "./heap.js";
import { undone } from "./transaction.js";

type End = "Producer" | "Consumer";

/** The host, too, does something between two calls of the core, and can be cut off there. */
function* somethingOfTheHost(): Script {
  yield* write((yield* call("scratch")) >>> 0, new Uint8Array(1));
}

function* useEnd(end: End, ring: Ring, slots: number[], has: (it: boolean) => void): Script {
  const taken = end === "Producer" ? yield* attachProducer(ring, slots) : yield* attachConsumer(ring, slots);
  assert.ok(taken, "the end is not to be had");
  has(true);
  yield* call(`ringClose${end}`, ring.ring);
  has(false);
}

/** An end that the host was given is the host's to close; any other is free again. */
function attaching(end: End, before: "never held" | "closed before"): CrashCase {
  let ring: Ring;
  let has = false;
  let hadThen = false;
  const know = (it: boolean): void => {
    has = it;
  };
  const close = (): Script<unknown> => (has ? call(`ringClose${end}`, ring.ring) : call("selfCheck"));
  return {
    name: `attach the ${end}'s end, ${before}`,
    before: (lane) => {
      populate(lane, FILLS[1] as Fill);
      ring = lane.play(1, openRing(lane.view, ringWish("ring", 128)));
      if (before === "closed before") lane.play(1, useEnd(end, ring, [], know));
    },
    *operation() {
      has = hadThen = false;
      offsetOf("attach", yield* call(`ringAttach${end}`, ring.ring, ring.capacity));
      yield* somethingOfTheHost();
      yield* call("ownerKept");
      has = hadThen = true;
      yield* somethingOfTheHost();
    },
    goOn: (_lane, by, dead) => {
      if (by === 1) has = hadThen;
      return useEnd(end, ring, slotsOf(dead), know);
    },
    livesOn: { next: close, settle: close },
  };
}

/** The same for a claim of a latest value. */
function claiming(): CrashCase {
  let value: LatestValue;
  let has = false;
  let hadThen = false;
  const abort = (): Script<unknown> => (has ? call("latestAbort", value.latest) : call("selfCheck"));
  function* writes(number: number, slots: number[]): Script {
    assert.ok(yield* writeLatest(value, number, slots), "the value is not to be written");
  }
  return {
    name: "claim a latest value",
    before: (lane) => {
      populate(lane, FILLS[1] as Fill);
      value = lane.play(1, openLatest(lane.view, latestWish("value", 512)));
    },
    *operation() {
      has = hadThen = false;
      offsetOf("latestBegin", yield* call("latestBegin", value.latest, 512));
      yield* somethingOfTheHost();
      yield* call("latestKept");
      has = hadThen = true;
      yield* somethingOfTheHost();
    },
    goOn(_lane, by, dead) {
      if (by === 1) has = hadThen;
      return writes(by, slotsOf(dead));
    },
    livesOn: { next: abort, settle: abort },
  };
}

export const keptCases: CrashCase[] = [
  ...(["Producer", "Consumer"] as const).flatMap((end) =>
    (["never held", "closed before"] as const).map((before) => attaching(end, before)),
  ),
  claiming(),
];

/** The victim goes on after a call that was cut off, and dies, or is cut off again, meanwhile. */
function settlingHeap(): CrashCase[] {
  const beat = (): Script<unknown> => call("beat", 0);
  const end = (keep: number) => (): Script<unknown> => call("transactionEnd", keep);
  const allocating = (lane: CrashLane): void =>
    lane.playUntil(0, HEAP_BLOCKS_OFFSET, allocate({ bytes: 56 }));
  const inserting = (lane: CrashLane): void =>
    lane.playUntil(0, DIRECTORY_COUNT_OFFSET, insertOnce(ringWish("ring", 128)));
  const inside = (lane: CrashLane, ground: Ground): void => {
    lane.play(0, firstHalf(ground));
    allocating(lane);
  };
  const ending = (lane: CrashLane, ground: Ground): void => {
    lane.play(0, firstHalf(ground));
    lane.playUntil(0, SEGMENT_LOCK_OFFSET, call("transactionEnd", 0));
  };
  const operations: HeapOperation[] = [
    { name: "its heartbeat", before: allocating, cutOff: beat, run: beat },
    { name: "its heartbeat, when it had committed", before: inserting, cutOff: beat, run: beat },
    { name: "allocate again", before: allocating, cutOff: beat, run: () => allocate({ bytes: 100 }) },
    { name: "end the transaction again", before: ending, cutOff: beat, run: end(0) },
    { name: "in a transaction, abort", before: inside, cutOff: end(0), run: end(0) },
    { name: "in a transaction, commit", before: inside, cutOff: end(0), run: end(1) },
    {
      name: "in a transaction, go on writing",
      before: inside,
      cutOff: end(0),
      run: (ground) => secondHalf(ground, "writes"),
    },
    {
      name: "in a transaction, go on taking",
      before: inside,
      cutOff: end(0),
      run: (ground) => secondHalf(ground, "takes"),
    },
  ];
  return operations.map((one) =>
    heapCase({ livesOn: undone, ...one, name: `after a call that was cut off: ${one.name}` }),
  );
}

/** The same with a latest value, and with an end of a ring. */
function settlingOne(name: string, again: boolean): CrashCase {
  let value: LatestValue;
  let ring: Ring;
  return {
    name: `after a call that was cut off: ${name}`,
    before: (lane) => {
      populate(lane, FILLS[1] as Fill);
      value = lane.play(1, openLatest(lane.view, latestWish("value", 16)));
      ring = lane.play(1, openRing(lane.view, ringWish("ring", 128)));
      lane.playUntil(0, value.latest + LATEST_CURRENT_OFFSET, writeLatest(value, 1));
      lane.play(0, call("ringAttachProducer", ring.ring, ring.capacity));
    },
    *operation() {
      if (!again) return yield* call("beat", 0);
      assert.ok(yield* writeLatest(value, 2));
      yield* useEnd("Producer", ring, [], () => {});
    },
    *goOn(_lane, _by, dead) {
      assert.ok(yield* writeLatest(value, 3, slotsOf(dead)), "the value is not to be written");
      yield* useEnd("Producer", ring, slotsOf(dead), () => {});
    },
  };
}

/** A lock whose victim has it otherwise than its host knows. */
function settlingLock(name: string, left: (lock: number) => Script<unknown>, held: 0 | 1): CrashCase {
  let lock = 0;
  return {
    name: `after a call that was cut off: ${name}`,
    before: (lane) => {
      populate(lane, FILLS[1] as Fill);
      lock = lane.play(1, openObject(lane.view, { type: OBJECT_LOCK, name: "lock", first: 0 }));
      lane.play(0, left(lock));
    },
    *operation() {
      yield* call("lockSettle", lock, held, 0);
      if (held === 1) yield* releaseShared(lock);
    },
    *goOn(_lane, _by, dead) {
      const told = yield* acquire(lock, "exclusive", slotsOf(dead), anything());
      assert.ok(told, "the lock is not to be had");
      yield* call("lockMarkConsistent", lock);
      yield* releaseExclusive(lock);
    },
  };
}

/** Whether its holder died with it is not the point here. */
function anything(): Expected {
  const expected = new Expected();
  expected.perhaps("died");
  return expected;
}

export const settlingCases: CrashCase[] = [
  ...settlingHeap(),
  settlingOne("its heartbeat, value and end", false),
  settlingOne("value and end again", true),
  settlingLock("a hold that nobody was given", (lock) => call("lockExclusive", lock, 0, 0), 0),
  settlingLock("a shared hold that nobody was given", (lock) => call("lockShared", lock), 0),
  settlingLock("a downgrade", (lock) => call("lockExclusive", lock, 0, 0), 1),
];

/** A call inside of a transaction. */
export interface Inside {
  name: string;
  run(ground: Ground): Script<unknown>;
}

export const INSIDE: Inside[] = [
  { name: "allocate", run: () => allocate({ bytes: 56 }) },
  { name: "allocate, aligned", run: () => allocate({ bytes: 72, alignment: 128 }) },
  { name: "free", run: ({ blocks }) => free(blocks[2] as number) },
  { name: "set the root", run: ({ blocks }) => call("heapSetRoot", blocks[2] as number) },
  { name: "give a layout", run: ({ blocks }) => call("heapSetLayout", blocks[2] as number, 77) },
  { name: "note", run: ({ blocks }) => call("transactionNote", (blocks[4] as number) + 100, 20) },
];

function* firstHalf({ blocks }: Ground): Script {
  assert.ok(yield* begin());
  yield* writeNoted((blocks[0] as number) + 5, new Uint8Array(9).fill(0xa1));
}

/** `how`: what the body does after the call that was cut off. */
function* secondHalf({ blocks }: Ground, how: "writes" | "takes"): Script {
  if (how === "takes") yield* free((yield* allocate({ bytes: 1000 })) as number);
  yield* writeNoted(blocks[4] as number, new Uint8Array(8).fill(0xa2));
  assert.equal(yield* call("transactionEnd", 1), 1, "the transaction did not stay");
}

/**
 * The call is cut off before each of its writes, and the transaction goes on and commits: all of it stays but, perhaps, that
 * call. Gives the number of points.
 */
export function cutOffInside(lane: CrashLane, { run }: Inside, how: "writes" | "takes"): number {
  const ground = prepareHeap(lane, FILLS[1] as Fill);
  lane.play(0, firstHalf(ground));
  const bytes = lane.arena.segment.slice();
  const globals = lane.arena.globals();
  const look = (): string => picture(lane.view, ground.payload);
  const without = lane.foresee(0, secondHalf(ground, how), look);
  function* whole(): Script {
    yield* run(ground);
    yield* secondHalf(ground, how);
  }
  const allowed = [without, lane.foresee(0, whole(), look)];
  for (let writes = 0; ; writes++) {
    lane.arena.segment.set(bytes);
    lane.arena.recall(globals);
    const ended = lane.playMortally(0, writes, () => run(ground));
    lane.play(0, secondHalf(ground, how));
    lane.play(0, check());
    assert.ok(allowed.includes(look()), `cut off before write ${writes}:\n${look()}`);
    assert.equal(allowed.indexOf(look()) === 1 || !ended || without === allowed[1], true, "it had ended");
    assert.ok(lane.play(1, repair([])), "the write lock is not to be had");
    assert.ok(allowed.includes(look()), `cut off before write ${writes}, undone later`);
    if (ended) return writes + 1;
  }
}
