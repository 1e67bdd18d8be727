/** The parameters of a cache: those that its opener gives, or those of the existing one. */
import {
  CACHE_EVICT_LRU,
  CACHE_EVICT_NONE,
  CACHE_OF_BYTES,
  CACHE_OF_JSON,
  CACHE_OF_STRUCT,
} from "../../protocol/layout.js";
import { CACHE_BYTES_MAX, CACHE_BYTES_MIN } from "../../protocol/limits.js";
import { integer, oneOf, options } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import { findObject } from "../segment/directory.js";
import { type Fields, type Struct, structOf } from "../struct/struct.js";

/** What a cache does when it is full. */
export type CacheEviction = "lru" | "none";

/** What the values of a cache may be. */
export type CacheValues = "bytes" | "json" | Struct<Fields>;

/** How a cache is created. Every opener must pass the same values, or leave out `bytes`. */
export interface CacheOptions<V extends CacheValues = CacheValues> {
  /**
   * Bytes for entries and what leads to them, 4,096 to 2,147,418,112. The object takes some more: 64 per participant slot, and
   * 256. Without it, the call opens an existing cache with its parameters, and creates none.
   */
  bytes?: number | undefined;
  /**
   * Milliseconds after which entries expire for which `set` is not told another time, 1 to 4,294,967,295 (49 days), or Infinity
   * (the default): never. Time is the clock of the system (since 1970): it goes on while the machine sleeps, and jumps when it
   * is set.
   */
  ttlMs?: number | undefined;
  /**
   * What happens when the cache is full. "lru" (the default): entries that were not used for a while make room. "none": `set`
   * throws SEGMENT_FULL, and nothing is lost.
   */
  evict?: CacheEviction | undefined;
  /** What the values are: "bytes" (the default), "json" (whatever JSON can express), or a layout made by `struct`. */
  value?: V | undefined;
}

/** @internal As the directory has them, in its order. */
export interface CacheParameters {
  bytes: number;
  /** CACHE_EVICT_… and CACHE_OF_…. */
  policy: number;
  /** Hash of the layout, or 0. */
  layout: number;
  /** 0: entries do not expire by default. */
  ttlMs: number;
}

/** @internal The longest time after which an entry expires. */
export const TTL_MS_MAX = 0xffffffff;

/** @internal A time to live as the core takes it: 0 for never. */
export function ttlOf(ttlMs: unknown): number {
  return ttlMs === Number.POSITIVE_INFINITY ? 0 : integer("ttlMs", ttlMs, 1, TTL_MS_MAX);
}

/** @internal The parameters with which a cache is opened, and the layout that was given. */
export function cacheParameters(
  attachment: Attachment,
  name: string,
  given: CacheOptions | undefined,
): { struct: Struct<Fields> | undefined; parameters: CacheParameters } {
  const { bytes, ttlMs, evict, value } = options<CacheOptions>("options", given, [
    "bytes",
    "ttlMs",
    "evict",
    "value",
  ]);
  const struct = typeof value === "object" && value !== null ? structOf("value", value) : undefined;
  const kind = struct
    ? CACHE_OF_STRUCT
    : oneOf("value", value ?? "bytes", ["bytes", "json"]) === "json"
      ? CACHE_OF_JSON
      : CACHE_OF_BYTES;
  const eviction =
    oneOf("evict", evict ?? "lru", ["lru", "none"]) === "none" ? CACHE_EVICT_NONE : CACHE_EVICT_LRU;
  const ttl = ttlMs === undefined ? 0 : ttlOf(ttlMs);
  if (bytes !== undefined) {
    const size = integer("bytes", bytes, CACHE_BYTES_MIN, CACHE_BYTES_MAX);
    return {
      struct,
      parameters: { bytes: size, policy: eviction | kind, layout: struct?.hash ?? 0, ttlMs: ttl },
    };
  }
  const found = existing(attachment, name);
  const evicts = evict === undefined ? found.policy & CACHE_EVICT_NONE : eviction;
  const values = value === undefined ? found.policy & ~CACHE_EVICT_NONE : kind;
  return {
    struct,
    parameters: {
      bytes: found.bytes,
      policy: evicts | values,
      layout: struct?.hash ?? found.layout,
      ttlMs: ttlMs === undefined ? found.ttlMs : ttl,
    },
  };
}

/** Those of the existing cache. If the name belongs to another kind of object, they are 0, and opening it is refused. */
function existing(attachment: Attachment, name: string): CacheParameters {
  attachment.check(false);
  const found = findObject(attachment, name);
  if (!found) {
    throw new IsthmusError(
      "NOT_FOUND",
      `segment "${attachment.name}" has no object "${name}"; give { bytes } to make a cache`,
    );
  }
  const { bytes = 0, policy = 0, layout = 0, ttlMs = 0 } = found.type === "cache" ? found.parameters : {};
  return { bytes, policy, layout, ttlMs };
}
