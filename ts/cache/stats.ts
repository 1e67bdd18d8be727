/** Reads the counters of a cache. It takes no lock and writes nothing. */
import type { Attachment } from "../segment/attachment.js";

/**
 * Counters of a cache, of all its users since it was created. Each of them is exact up to 2^53. They are read one after the
 * other, so while others use the cache, they need not fit together.
 */
export interface CacheStats {
  /** Entries, those included that have expired and were not dropped yet. */
  entries: number;
  /** Bytes of these entries, with headers and keys. */
  bytes: number;
  /** Bytes for entries. Some of them stay free, and some have entries that were replaced, until the hand comes to them. */
  capacity: number;
  /** How often `get` and `getOrSet` found a value. Read-only openers are not counted. */
  hits: number;
  /** How often they found none. */
  misses: number;
  /** hits / (hits + misses); 0 before the first. */
  hitRatio: number;
  /** How often an entry was written. */
  sets: number;
  /** Entries that were evicted to make room. */
  evicted: number;
  /** Entries that were dropped because they had expired. */
  expired: number;
}

/** @internal Where a cache is. It is inside the segment with these bytes: the core has checked that. */
export interface CachePlace {
  /** Offset of the object. */
  readonly cache: number;
  readonly bytes: number;
}

/** @internal The current counters of a cache. */
export function cacheStats({ core }: Attachment, { cache, bytes }: CachePlace): CacheStats {
  const [entries, used, sets, evicted, expired, hits, misses, capacity] = Array.from(
    { length: 8 },
    (_, which) => core.cacheCount(cache, bytes, which),
  ) as [number, number, number, number, number, number, number, number];
  const hitRatio = hits === 0 ? 0 : hits / (hits + misses);
  return { entries, bytes: used, capacity, hits, misses, hitRatio, sets, evicted, expired };
}
