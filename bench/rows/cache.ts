import { MiB, Segment } from "isthmus";
import type { Plan } from "../contest.js";
import { alone, ENTRIES, type Store, together } from "./cache-programme.js";

/** Bytes of a cache for so many entries, with headers, keys and room to spare: nothing is to be evicted. */
export function cacheBytes(entries: number, payloadBytes: number): number {
  return 4 * MiB + 2 * entries * (payloadBytes + 128);
}

/** Opens the cache of the row, in the segment that whoever comes first has made. */
function open(plan: Plan): Store {
  const bytes = cacheBytes(ENTRIES, plan.payloadBytes);
  const segment = Segment.openOrCreate(plan.segment, { bytes: bytes + 4 * MiB });
  const cache = segment.cache("cache", { bytes });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => void cache.set(key, value),
    close: () => segment.close(),
  };
}

export const gets = { contestant: alone(open, false) };
export const sets = { contestant: alone(open, true) };
export const mixed = { contestant: together(open) };
