/**
 * A value is set as a whole or not at all, whoever dies; keys that nobody touches keep their values, and the counts are right.
 */
import { strict as assert } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { CORRUPT, OBJECT_MISMATCH, TOO_LARGE } from "../../../protocol/errors.js";
import {
  CACHE_COUNTS_BYTES,
  CACHE_EVICT_LRU,
  CACHE_EVICT_NONE,
  CACHE_WAITERS_OFFSET,
  FLAG_EMPTY,
  FLAG_PRESENT,
  OBJECT_ALIGNMENT,
  PARTICIPANT_BYTES,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  SHARD_HEADER_BYTES,
  SHARD_LOCK_OFFSET,
  SHARD_TAIL_OFFSET,
} from "../../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import {
  add,
  BYTES,
  type Cache,
  cacheWish,
  claimInVain,
  clear,
  counts,
  entriesOf,
  get,
  NOW_MS,
  openCache,
  remove,
  reserve,
  set,
  setOrFull,
} from "../../lib/hosts/cache.js";
import { CoreError, markDead, openObject } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { type Fill, onEachFill, populate, slotsOf, someoneDied } from "./ground.js";

const LOST_SLOT = 7;

/** Bytes of an entry with a value of `bytesOf` and a short key. */
const LENGTH = 360;
const ENTRY_BYTES = 416;
/** A log of 27 units. */
export const LOG_BYTES = 27 * 128;

export function bytesOf(number: number, length = LENGTH): Uint8Array {
  return new Uint8Array(length).fill(number);
}

type Known = Map<string, Uint8Array | number>;

interface Changes {
  name: string;
  policy?: number;
  /** What was done before, with the right values of all keys afterwards. */
  before(one: Cache, lane: CrashLane): Script<unknown>;
  operation(one: Cache, lane: CrashLane): Script<unknown>;
  /** Keys that the operation changes, and their values if it has happened. Others keep theirs, or may be evicted. */
  after: [key: string, value: Uint8Array | number | undefined][];
  evicts?: boolean;
  full?: boolean;
  expires?: boolean;
  waits?: boolean;
  /** A key whose value the victim may be computing. */
  computes?: string;
}

function* fill(one: Cache, count: number, from = 0): Script {
  for (let index = from; index < from + count; index++) yield* set(one, `k${index}`, bytesOf(index));
}

function* refuses(status: number, operation: Script<unknown>): Script {
  try {
    yield* operation;
  } catch (error) {
    if (error instanceof CoreError && error.status === status) return;
    throw error;
  }
  assert.fail("it was not refused");
}

const CHANGES: Changes[] = [
  {
    name: "set, the first",
    *before() {},
    operation: (one) => set(one, "a", bytesOf(1)),
    after: [["a", bytesOf(1)]],
  },
  {
    name: "set again",
    before: (one) => fill(one, 2),
    operation: (one) => set(one, "k0", bytesOf(7, 30)),
    after: [["k0", bytesOf(7, 30)]],
  },
  {
    name: "set nothing, expires later",
    before: (one) => fill(one, 1),
    operation: (one) => set(one, "", bytesOf(0, 0), { expiresMs: NOW_MS + 5 }),
    after: [["", bytesOf(0, 0)]],
  },
  {
    name: "set behind padding",
    before: (one) => fill(one, 8),
    operation: (one) => set(one, "a", bytesOf(1)),
    after: [["a", bytesOf(1)]],
    evicts: true,
  },
  {
    name: "set when it is full, and some are in use",
    *before(one, lane) {
      yield* fill(one, 7);
      yield* get(lane.view, one, "k0");
      yield* get(lane.view, one, "k1");
    },
    operation: (one) => set(one, "a", bytesOf(1)),
    after: [["a", bytesOf(1)]],
    evicts: true,
  },
  {
    name: "set when nothing may be evicted, and there are gaps",
    policy: CACHE_EVICT_NONE,
    *before(one) {
      yield* fill(one, 4);
      for (const key of ["k1", "k3"]) yield* remove(one, key);
      for (let time = 0; time < 2; time++) yield* set(one, "k0", bytesOf(0));
    },
    operation: (one) => set(one, "k0", bytesOf(1)),
    after: [["k0", bytesOf(1)]],
  },
  {
    name: "set when nothing may be evicted, and some have expired",
    policy: CACHE_EVICT_NONE,
    *before(one) {
      yield* set(one, "old", bytesOf(8), { expiresMs: NOW_MS - 1 });
      yield* fill(one, 2);
      yield* set(one, "young", bytesOf(8), { expiresMs: NOW_MS - 1 });
    },
    operation: (one) => set(one, "a", bytesOf(1)),
    after: [["a", bytesOf(1)]],
    expires: true,
  },
  {
    name: "set when nothing may be evicted, and it is full",
    policy: CACHE_EVICT_NONE,
    before: (one) => fill(one, 4),
    operation: (one) => setOrFull(one, "k4", bytesOf(1)),
    after: [["k4", undefined]],
    full: true,
  },
  {
    name: "delete",
    before: (one) => fill(one, 3),
    operation: (one) => remove(one, "k1"),
    after: [["k1", undefined]],
  },
  {
    name: "add to nothing",
    before: (one) => fill(one, 1),
    operation: (one) => add(one, "n", 5),
    after: [["n", 5]],
  },
  {
    name: "add",
    *before(one) {
      yield* add(one, "n", 5);
    },
    operation: (one) => add(one, "n", -7),
    after: [["n", -2]],
  },
  {
    name: "add too much, and to what is no number",
    *before(one) {
      yield* add(one, "n", Number.MAX_SAFE_INTEGER);
      yield* set(one, "a", bytesOf(1));
    },
    *operation(one) {
      yield* refuses(TOO_LARGE, add(one, "n", 1));
      yield* refuses(OBJECT_MISMATCH, add(one, "a", 1));
    },
    after: [["n", Number.MAX_SAFE_INTEGER]],
  },
  {
    name: "look, and change nothing",
    *before(one) {
      yield* set(one, "a", bytesOf(1));
      yield* set(one, "old", bytesOf(8), { expiresMs: NOW_MS - 1 });
    },
    *operation(one, lane) {
      yield* openCache(lane.view);
      yield* look(lane, one);
      assert.equal(yield* get(lane.view, one, "old"), undefined);
      assert.equal(yield* reserve(one, "a", 1), FLAG_PRESENT);
      assert.equal(yield* set(one, "b", bytesOf(1), { ticket: 5 }), false);
      yield* claimInVain(one, "a");
    },
    after: [["a", bytesOf(1)]],
    expires: true,
  },
  {
    name: "compute",
    before: (one) => fill(one, 1),
    *operation(one) {
      if ((yield* reserve(one, "c", 3)) === 0) yield* set(one, "c", bytesOf(4), { ticket: 3 });
    },
    after: [["c", bytesOf(4)]],
    computes: "c",
    waits: true,
  },
  {
    name: "give up to compute",
    before: (one) => fill(one, 1),
    *operation(one) {
      if ((yield* reserve(one, "c", 3)) === 0) yield* remove(one, "c", 3);
    },
    after: [["c", undefined]],
    computes: "c",
    waits: true,
  },
];

/** All values are those that were set, the counts agree, and a reader finds what a walk finds. */
function* look(lane: CrashLane, one: Cache): Script<Known> {
  const all = yield* entriesOf(lane.view, one);
  for (const [key, value] of all) {
    const got = yield* get(lane.view, one, key);
    assert.deepEqual(got, value, `${key} as a walk finds it`);
  }
  return all;
}

function cacheCase(one: Changes, fill: Fill): CrashCase {
  let cache: Cache;
  let known: Known;
  const changed = new Map(one.after);
  const policy = one.policy ?? CACHE_EVICT_LRU;
  return {
    name: `cache: ${one.name}`,
    before: (lane) => {
      populate(lane, fill);
      cache = lane.play(1, openCache(lane.view, policy));
      lane.play(1, one.before(cache, lane));
      known = lane.play(1, look(lane, cache));
      if (one.waits) lane.play(2, call("waitersArm", cache.waiters));
    },
    operation: (lane) => one.operation(cache, lane),
    *goOn(lane, by, dead, finished) {
      const ours = { ...cache, dead: slotsOf(dead) };
      const found = new Map<string, Uint8Array | number | undefined>();
      for (const key of changed.keys()) found.set(key, yield* get(lane.view, ours, key));
      for (const [key, value] of changed) {
        const allowed = finished ? [value] : [value, known.get(key)];
        // A survivor before has set it.
        if (by === 2) allowed.push(typeof value === "number" ? 0 : bytesOf(77), value);
        if (by === 2 && one.evicts) allowed.push(undefined);
        assert.ok(
          allowed.some((one) => isDeepStrictEqual(one, found.get(key))),
          `${key} is ${found.get(key)}`,
        );
      }
      if (one.computes !== undefined && found.get(one.computes) === undefined) {
        const state = yield* reserve(ours, one.computes, 9);
        // Who was cut off and lives on gives up what it may be computing.
        if (state === FLAG_EMPTY && dead.length === 0) yield* remove(ours, one.computes);
        else {
          assert.equal(state, 0, "nobody else computes it");
          yield* remove(ours, one.computes, 9);
        }
      }
      const [first, changedTo] = one.after[0] as [string, Uint8Array | number | undefined];
      if (typeof changedTo === "number") yield* add(ours, first, 0);
      else if (one.full) yield* setOrFull(ours, "k3", bytesOf(3));
      else yield* set(ours, first, bytesOf(77));
      lane.settled(by);
      if (typeof changedTo !== "number" && !one.full)
        assert.deepEqual(yield* get(lane.view, ours, first), bytesOf(77));
      const all = yield* look(lane, ours);
      for (const [key, value] of known) {
        if (changed.has(key) || (one.evicts && !all.has(key))) continue;
        assert.deepEqual(all.get(key), value, `${key}, which nobody has touched`);
      }
      const [entries, live] = (yield* counts(ours)) as [number, number];
      // What has expired is counted until it is dropped, and a walk does not show it.
      if (!one.expires) assert.equal(entries, all.size, "entries");
      assert.ok(live <= LOG_BYTES && live >= all.size * 48, `${live} bytes`);
      if (!one.evicts) return;
      for (let index = 0; index < 4; index++) yield* set(ours, `s${index}`, bytesOf(index));
      assert.deepEqual(yield* get(lane.view, ours, "s3"), bytesOf(3));
    },
    livesOn: {},
  };
}

function openCase(fill_: Fill): CrashCase {
  return {
    name: "cache: open, the first",
    before: (lane) => {
      populate(lane, fill_);
      lane.play(1, openObject(lane.view, cacheWish()));
    },
    operation: (lane) => openCache(lane.view),
    *goOn(lane, _, dead) {
      yield* useCache(lane.view, CACHE_EVICT_LRU, slotsOf(dead));
    },
    livesOn: {},
  };
}

/** Everything is dropped, shard by shard; a survivor can use the cache. */
function clearCase(fill_: Fill): CrashCase {
  let cache: Cache;
  return {
    name: "cache: clear",
    before: (lane) => {
      populate(lane, fill_);
      cache = lane.play(1, openCache(lane.view));
      lane.play(1, fill(cache, 5));
    },
    operation: () => clear(cache),
    *goOn(lane, by, dead, finished) {
      const ours = { ...cache, dead: slotsOf(dead) };
      const seen = yield* get(lane.view, ours, "k0");
      if (finished) assert.equal(seen, undefined);
      yield* set(ours, "a", bytesOf(1));
      lane.settled(by);
      const all = yield* look(lane, ours);
      for (const [key, value] of all)
        assert.deepEqual(value, bytesOf(key === "a" ? 1 : Number(key.slice(1))));
      assert.deepEqual(yield* get(lane.view, ours, "a"), bytesOf(1));
      const [entries, live] = yield* counts(ours);
      assert.equal(entries, (yield* look(lane, ours)).size);
      assert.equal(live, (entries as number) * ENTRY_BYTES);
    },
    livesOn: {},
  };
}

/** Where the shard begins: behind the counts of the participants. */
export function shardOf({ cache }: Cache): number {
  return cache + CACHE_WAITERS_OFFSET + OBJECT_ALIGNMENT + PARTICIPANTS_MIN * CACHE_COUNTS_BYTES;
}

/** The heartbeat of one whose set was cut off gives the shard back. */
function beatCase(fill_: Fill): CrashCase {
  let cache: Cache;
  return {
    name: "cache: its heartbeat after a set, cut off",
    before: (lane) => {
      populate(lane, fill_);
      cache = lane.play(1, openCache(lane.view));
      lane.play(1, fill(cache, 3));
      lane.playUntil(0, shardOf(cache) + SHARD_TAIL_OFFSET, set(cache, "x", bytesOf(9)));
    },
    operation: () => call("beat", 0),
    *goOn(lane, _, dead) {
      const ours = { ...cache, dead: slotsOf(dead) };
      yield* set(ours, "a", bytesOf(1));
      assert.deepEqual(yield* get(lane.view, ours, "a"), bytesOf(1));
      assert.deepEqual(yield* get(lane.view, ours, "k0"), bytesOf(0));
      assert.equal((yield* counts(ours))[0], (yield* look(lane, ours)).size);
    },
    livesOn: {},
  };
}

/** A set finds a shard of a dead writer, and its log is damaged: it fails, and the lock is free. Clearing makes it whole. */
function damagedCase(fill_: Fill): CrashCase {
  let cache: Cache;
  return {
    name: "cache: set in a damaged shard of a dead writer",
    before: (lane) => {
      populate(lane, fill_);
      cache = lane.play(1, openCache(lane.view));
      lane.play(1, fill(cache, 3));
      const shard = shardOf(cache);
      someoneDied(lane, LOST_SLOT, () => {
        const word = PARTICIPANTS_OFFSET + LOST_SLOT * PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET;
        const owner = lane.view.getBigUint64(word, true) & ~0xffffn;
        lane.view.setBigUint64(shard + SHARD_LOCK_OFFSET, owner, true);
      });
      lane.play(1, markDead(LOST_SLOT));
      lane.view.setUint32(shard + SHARD_HEADER_BYTES, 0xffffffff, true);
    },
    *operation() {
      try {
        yield* set(cache, "x", bytesOf(9));
        assert.fail("it was not noticed");
      } catch (error) {
        assert.equal((error as CoreError).status, CORRUPT);
      }
    },
    *goOn(lane, _, dead) {
      const ours = { ...cache, dead: slotsOf(dead) };
      yield* clear(ours);
      yield* set(ours, "a", bytesOf(1));
      assert.deepEqual(yield* get(lane.view, ours, "a"), bytesOf(1));
    },
    livesOn: {},
  };
}

/** A new cache is empty, and holds a value. */
export function* useCache(view: DataView, policy: number, dead: number[]): Script {
  const one = { ...(yield* openCache(view, policy, dead)), dead };
  assert.ok((yield* call("cacheBytesMax", one.cache, BYTES)) > 256);
  yield* set(one, "used", bytesOf(5));
  assert.deepEqual(yield* get(view, one, "used"), bytesOf(5));
  assert.equal(yield* reserve(one, "used", 1), FLAG_PRESENT);
  // What is too long for the scratch is passed in words.
  yield* call("cacheKeyBegin", one.cache);
  yield* call("cacheKeyWord", 1, 2);
  yield* call("cacheKeyEnd", 3, 0, 12);
  assert.equal(yield* call("cacheFind", one.cache, BYTES, 1, NOW_MS, 1), FLAG_EMPTY);
}

export const cacheCases: CrashCase[] = [
  // What was in the memory before makes no difference for a log that is full.
  ...CHANGES.flatMap((one) => onEachFill((fill) => cacheCase(one, fill)).slice(0, one.evicts ? 1 : 2)),
  ...onEachFill(clearCase),
  ...onEachFill(openCase),
  ...onEachFill(beatCase).slice(0, 1),
  ...onEachFill(damagedCase).slice(0, 1),
];
