/** A cache for `damage.test.ts`: what is in it, its words, and what a host does with it. */
import {
  BLOCK_HEADER_BYTES,
  CACHE_COUNTS_BYTES,
  CACHE_EVICT_LRU,
  CACHE_EVICT_NONE,
  CACHE_WAITERS_OFFSET,
  CACHED_DATA,
  CACHED_HEADER_BYTES,
  FLAG_PRESENT,
  OBJECT_ALIGNMENT,
  PARTICIPANTS_OFFSET,
  RESULT_OFFSETS,
} from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import { BYTES, NOW_MS, openCache, add as plus, reserve, set } from "../lib/hosts/cache.js";
import { NOW_NS } from "../lib/hosts/segment.js";
import { write } from "../lib/script.js";
import { type Call, type Ground, inside, type Play } from "./damage.js";

const COUNTS_OFFSET = CACHE_WAITERS_OFFSET + OBJECT_ALIGNMENT;
const SHARD_OFFSET = COUNTS_OFFSET + PARTICIPANTS_MIN * CACHE_COUNTS_BYTES;
/** Padding follows a shard up to here, at most. */
const END = SHARD_OFFSET + BYTES;
const KEYS = ["", "one", "two", "a longer key than the others", "number"];

/** A cache whose log has gone around, with entries that expire, a number, and a value that is being computed. */
export function buildCache(view: DataView, play: Play): number {
  const one = play(openCache(view));
  for (let turn = 0; turn < 12; turn++) {
    for (const [index, key] of KEYS.entries())
      play(set(one, key, new Uint8Array(20 * index), { expiresMs: index === 2 ? NOW_MS + 10 : 0 }));
    play(set(one, `filler ${turn}`, new Uint8Array(150)));
  }
  play(set(one, "expired", new Uint8Array(9), { expiresMs: NOW_MS - 1 }));
  play(plus(one, "sum", 5));
  play(reserve(one, "computed", 1));
  return one.cache;
}

/** The areas with words of the cache; counts of participants are all alike. */
export function cacheAreas(cache: number): [name: string, from: number, bytes: number][] {
  return [
    ["the cache", cache - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + COUNTS_OFFSET + CACHE_COUNTS_BYTES],
    ["the shard", cache + SHARD_OFFSET, BYTES],
  ];
}

/** Everything that a host does with a cache. */
export function useCache(call: Call, at: Ground, play: Play): void {
  const { cache } = at;
  const key = (text: string): number => {
    const scratch = inside("scratch", call("scratch"), PARTICIPANTS_OFFSET, at.payload);
    play(write(scratch, Buffer.from(text)));
    call("cacheKey", cache, text.length);
    return text.length;
  };
  const entry = (name: string, result: number, bytes = 0): number => {
    const offset = result & ~FLAG_PRESENT;
    return inside(name, offset, cache + SHARD_OFFSET, cache + END - CACHED_HEADER_BYTES - bytes);
  };
  /** Writes the value as a host does, and commits. */
  const end = (name: string, result: number, bytes: number, keyBytes: number): void => {
    const claimed = entry(name, result, bytes + keyBytes);
    if (claimed < RESULT_OFFSETS) return;
    play(write(claimed + CACHED_HEADER_BYTES, new Uint8Array(bytes).fill(7)));
    call("cacheCommit", cache, BYTES, bytes === 40 ? NOW_MS + 5 : 0);
  };
  for (const [turn, policy] of [CACHE_EVICT_LRU, CACHE_EVICT_NONE, CACHE_EVICT_LRU].entries()) {
    const now = NOW_MS + 8 * turn;
    for (const text of [...KEYS, "expired", "sum", "computed"]) {
      const keyBytes = key(text);
      entry("cacheFind", call("cacheFind", cache, BYTES, 1, now, turn & 1));
      call("cacheNumber");
      call("cacheIsWhole");
      key(text);
      entry("cacheGet", call("cacheGet", cache, BYTES, keyBytes, 1, now));
    }
    for (const [index, bytes] of [0, 40, 300, 8].entries()) {
      const keyBytes = key(KEYS[index + 1] as string);
      const given = [cache, BYTES, policy, keyBytes, 1, bytes, CACHED_DATA, 0, now];
      end("cacheClaim", call("cacheClaim", ...given), bytes, keyBytes);
    }
    for (const text of ["sum", "one", "new"]) {
      const keyBytes = key(text);
      const made = call("cacheAdd", cache, BYTES, policy, keyBytes, 1, 3, now);
      if (made !== 0) end("cacheAdd", made, 8, keyBytes);
    }
    // Computes a value; another one that has begun to compute is waited for, or dead.
    for (const text of ["computed", "other"]) {
      const keyBytes = key(text);
      call("cacheReserve", cache, BYTES, policy, 1, 2, now);
      call("suspectSlot");
      call("cacheReserve", cache, BYTES, policy, 1, 3, now);
      const given = [cache, BYTES, policy, keyBytes, 1, 24, CACHED_DATA, 2, now];
      end("cacheClaim", call("cacheClaim", ...given), 24, keyBytes);
      call("cacheDelete", cache, BYTES, 1, 3, now);
    }
    key("two");
    call("cacheDelete", cache, BYTES, 1, 0, now);
    // One that is cut off with the lock.
    entry("cacheClaim", call("cacheClaim", cache, BYTES, policy, key("cut"), 1, 30, CACHED_DATA, 0, now), 33);
    if (turn === 0) call("cacheAbort");
    else call("beat", NOW_NS); // settles what was cut off
    walk(call, cache, entry, now);
    for (let which = 0; which < 8; which++) call("cacheCount", cache, BYTES, which);
    call("cacheBytesMax", cache, BYTES);
  }
  call("cacheClear", cache, BYTES, 0);
  const keyBytes = key("after");
  const last = [cache, BYTES, CACHE_EVICT_LRU, keyBytes, 1, 24, CACHED_DATA, 0, NOW_MS];
  end("cacheClaim", call("cacheClaim", ...last), 24, keyBytes);
}

function walk(call: Call, cache: number, entry: (name: string, result: number) => number, now: number): void {
  const buckets = call("cacheBuckets", BYTES);
  for (let bucket = 0; bucket < buckets; bucket++) {
    for (let after = 0, seen = 0; ; after = call("cacheFound")) {
      const found = entry("cacheWalk", call("cacheWalk", cache, BYTES, bucket, after, now));
      if (found < RESULT_OFFSETS) break;
      if (++seen > BYTES / CACHED_HEADER_BYTES) throw new Error("a bucket that has no end");
      call("cacheIsWhole");
    }
  }
}
