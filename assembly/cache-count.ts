/** The counters of a cache, for statistics. Wait-free; nothing is decided by them. */
import {
  CACHE_COUNTS_BYTES,
  CACHE_HITS_OFFSET,
  CACHE_MISSES_OFFSET,
  SHARD_ENTRIES_OFFSET,
  SHARD_EVICTED_OFFSET,
  SHARD_EXPIRED_OFFSET,
  SHARD_LIVE_OFFSET,
  SHARD_SETS_OFFSET,
} from "../protocol/layout";
import { countsOf, logBytes, select, selectShard, shard, shards } from "./cache-log";
import { participants } from "./instance";
import { load64 } from "./word";

/** What `cacheCount` gives. */
const COUNT_HITS: u32 = 5;
const COUNT_MISSES: u32 = 6;
const COUNT_ROOM: u32 = 7;

/**
 * 0: entries, expired ones included; 1: their bytes; 2: sets; 3: evicted; 4: expired and dropped; 5: hits; 6: misses; 7: bytes
 * of all logs.
 */
export function cacheCount(at: usize, bytes: u32, which: u32): f64 {
  select(at, bytes);
  if (which == COUNT_ROOM) return f64(logBytes) * f64(shards);
  let sum: u64 = 0;
  if (which == COUNT_HITS || which == COUNT_MISSES) {
    const word = which == COUNT_HITS ? CACHE_HITS_OFFSET : CACHE_MISSES_OFFSET;
    for (let slot: u32 = 0; slot < participants; slot++) {
      sum += load64(countsOf(at) + slot * CACHE_COUNTS_BYTES + word);
    }
    return f64(sum);
  }
  for (let index: u32 = 0; index < shards; index++) {
    selectShard(index);
    if (which == 0) sum += load64(shard + SHARD_ENTRIES_OFFSET);
    else if (which == 1) sum += load64(shard + SHARD_LIVE_OFFSET);
    else if (which == 2) sum += load64(shard + SHARD_SETS_OFFSET);
    else if (which == 3) sum += load64(shard + SHARD_EVICTED_OFFSET);
    else sum += load64(shard + SHARD_EXPIRED_OFFSET);
  }
  return f64(sum);
}
