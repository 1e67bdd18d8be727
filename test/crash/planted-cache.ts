/** Where to plant bugs in a cache: as `planted-sites.ts`. */
import {
  CACHED_HEADER_BYTES,
  SHARD_ENTRIES_OFFSET,
  SHARD_HEADER_BYTES,
  SHARD_LOCK_OFFSET,
  SHARD_OLDEST_OFFSET,
  SHARD_TAIL_OFFSET,
} from "../../protocol/layout.js";
import type { CrashLane } from "../lib/crash.js";
import { type Cache, openCache, reserve, set } from "../lib/hosts/cache.js";
import { call, type Script } from "../lib/script.js";
import { bytesOf, LOG_BYTES, shardOf } from "./cases/cache.js";
import { FILLS, type Fill, populate } from "./cases/ground.js";

function cacheOf(lane: CrashLane): Cache {
  populate(lane, FILLS[0] as Fill);
  return lane.play(1, openCache(lane.view));
}

const setting = (cache: Cache): Script<unknown> => set(cache, "a", bytesOf(1));

/** The first bucket that is not empty. */
function bucketInUse(lane: CrashLane, cache: Cache): number {
  const buckets = shardOf(cache) + SHARD_HEADER_BYTES + LOG_BYTES;
  for (let at = buckets; at < buckets + LOG_BYTES / 16; at += 8)
    if (lane.view.getBigUint64(at, true) !== 0n) return at;
  throw new Error("no bucket is in use");
}

function word(lane: CrashLane, offset: number, sets = 1): number[] {
  const cache = cacheOf(lane);
  for (let index = 1; index < sets; index++) lane.play(0, set(cache, `k${index}`, bytesOf(index)));
  return lane.sitesWriting(shardOf(cache) + offset, 0, setting(cache));
}

/** The swap that takes the lock of a shard for a new value. */
export function shardTaken(lane: CrashLane): number {
  return word(lane, SHARD_LOCK_OFFSET)[0] as number;
}

/** The swap that releases it. */
export function shardReleased(lane: CrashLane): number {
  return word(lane, SHARD_LOCK_OFFSET).at(-1) as number;
}

/** The store by which an entry belongs to the log. */
export function logTail(lane: CrashLane): number {
  return word(lane, SHARD_TAIL_OFFSET).at(-1) as number;
}

/** The store by which the oldest entry is none any more. */
export function logOldest(lane: CrashLane): number {
  return word(lane, SHARD_OLDEST_OFFSET, 10).at(-1) as number;
}

/** The store that counts a new entry. */
export function entryCounted(lane: CrashLane): number {
  return word(lane, SHARD_ENTRIES_OFFSET).at(-1) as number;
}

/** The store of what was counted anew, because a writer was cut off. */
export function entriesRecounted(lane: CrashLane): number {
  const cache = cacheOf(lane);
  lane.playUntil(0, shardOf(cache) + SHARD_TAIL_OFFSET, setting(cache));
  return lane.siteWriting(shardOf(cache) + SHARD_ENTRIES_OFFSET, 0, call("beat", 0));
}

/** The store that sets a value. */
export function valueSet(lane: CrashLane): number {
  const cache = cacheOf(lane);
  lane.play(0, setting(cache));
  return lane.siteWriting(bucketInUse(lane, cache), 0, setting(cache));
}

/** The store of who computes a value. */
export function computedBy(lane: CrashLane): number {
  const cache = cacheOf(lane);
  lane.play(0, setting(cache));
  const entry =
    shardOf(cache) +
    SHARD_HEADER_BYTES +
    (lane.view.getUint32(shardOf(cache) + SHARD_TAIL_OFFSET, true) % LOG_BYTES);
  return lane.siteWriting(entry + CACHED_HEADER_BYTES, 0, reserve(cache, "c", 1));
}
