/** What hosts do with a cache, as scripts. */
import { BUSY, SEGMENT_FULL } from "../../../protocol/errors.js";
import {
  CACHE_EVICT_LRU,
  CACHE_EVICT_NONE,
  CACHED_DATA,
  CACHED_HEADER_BYTES,
  CACHED_KEY_BYTES_OFFSET,
  CACHED_META_OFFSET,
  CACHED_TEXT,
  CACHED_VALUE_BYTES_OFFSET,
  FLAG_EMPTY,
  FLAG_PRESENT,
  FLAG_WAKE,
  OBJECT_CACHE,
  RESULT_ERRORS,
  RESULT_OFFSETS,
  SUSPECT_GONE,
} from "../../../protocol/layout.js";
import { call, read, type Script, write } from "../script.js";
import { CoreError, notify, type ObjectWish, openObject, overcome } from "./segment.js";

export const BYTES = 4096;
/** The clock of the hosts stands still, but for those who say otherwise. */
export const NOW_MS = 1.7e12;

export interface Cache {
  cache: number;
  policy: number;
  waiters: number;
  dead: readonly number[];
  nowMs: number;
}

export function cacheWish(policy = CACHE_EVICT_LRU): ObjectWish {
  return { type: OBJECT_CACHE, name: "cache", first: BYTES, second: policy, third: 0, fourth: 0 };
}

export function* openCache(
  view: DataView,
  policy: number = CACHE_EVICT_LRU,
  dead: readonly number[] = [],
): Script<Cache> {
  const cache = yield* openObject(view, cacheWish(policy), dead);
  yield* call("cacheSeed", cache, 0x01234567, 0x89abcdef);
  return { cache, policy, waiters: (yield* call("cacheWaiters", cache)) >>> 0, dead, nowMs: NOW_MS };
}

export { CACHE_EVICT_NONE };

const isFailure = (result: number): boolean => result >= RESULT_ERRORS && result < RESULT_OFFSETS;

/** The key is the next one that the core means. */
function* key({ cache }: Cache, text: string): Script<number> {
  const bytes = Buffer.from(text);
  yield* write((yield* call("scratch")) >>> 0, bytes);
  yield* call("cacheKey", cache, bytes.length);
  return bytes.length;
}

/** A change of a cache, past the dead; throws when a live participant is in the way, or it fails. */
function* change(one: Cache, name: string, operation: () => Script<number>): Script<number> {
  const result = yield* overcome(one.dead, operation);
  if (result === undefined) throw new CoreError(name, BUSY);
  if (isFailure(result)) throw new CoreError(name, result);
  return result;
}

/** As `change`, again and again while others are in the way. */
export function* persist<T>(operation: () => Script<T>): Script<T> {
  for (;;) {
    yield { is: "attempt" };
    try {
      return yield* operation();
    } catch (error) {
      if (!(error instanceof CoreError) || error.status !== BUSY) throw error;
    }
    yield { is: "retry" };
  }
}

interface Setting {
  ticket?: number;
  expiresMs?: number;
}

/** Whether it was set; false: the ticket does not count any more. */
export function* set(one: Cache, name: string, value: Uint8Array, given: Setting = {}): Script<boolean> {
  const { ticket = 0, expiresMs = 0 } = given;
  const keyBytes = yield* key(one, name);
  const kind = [value.length, CACHED_DATA, ticket, one.nowMs];
  const at = yield* change(one, "cacheClaim", () =>
    call("cacheClaim", one.cache, BYTES, one.policy, keyBytes, 1, ...kind),
  );
  if (at === FLAG_EMPTY) return false;
  yield* write(at + CACHED_HEADER_BYTES, value);
  yield* commit(one, expiresMs);
  return true;
}

function* commit(one: Cache, expiresMs: number): Script {
  const result = (yield* call("cacheCommit", one.cache, BYTES, expiresMs)) >>> 0;
  if (isFailure(result)) throw new CoreError("cacheCommit", result);
  if (result & FLAG_WAKE) yield* notify(one.waiters);
}

/** Sets a value if there is room for it. */
export function* setOrFull(one: Cache, name: string, value: Uint8Array): Script<boolean> {
  try {
    return yield* set(one, name, value);
  } catch (error) {
    if (error instanceof CoreError && error.status === SEGMENT_FULL) return false;
    throw error;
  }
}

const READS_MAX = 1000;

/** A copy of the value, or the number that it is; `undefined` when there is none. */
export function* get(view: DataView, one: Cache, name: string): Script<Uint8Array | number | undefined> {
  for (let turn = 0; turn < READS_MAX; turn++) {
    const bytes = Buffer.from(name);
    yield* write((yield* call("scratch")) >>> 0, bytes);
    const found = (yield* call("cacheGet", one.cache, BYTES, bytes.length, 1, one.nowMs)) >>> 0;
    if (found === FLAG_EMPTY) return undefined;
    if (found === BUSY) continue;
    if (isFailure(found)) throw new CoreError("cacheGet", found);
    if (found & FLAG_PRESENT) return yield* call("cacheNumber");
    const length = view.getUint32(found + CACHED_VALUE_BYTES_OFFSET, true);
    const value = yield* read(found + CACHED_HEADER_BYTES, Math.min(length, BYTES));
    if (yield* call("cacheIsWhole")) return value;
  }
  throw new Error("overtaken for ever");
}

export function* remove(one: Cache, name: string, ticket = 0): Script<boolean> {
  yield* key(one, name);
  const result = yield* change(one, "cacheDelete", () =>
    call("cacheDelete", one.cache, BYTES, 1, ticket, one.nowMs),
  );
  if (result & FLAG_WAKE) yield* notify(one.waiters);
  return (result & FLAG_PRESENT) !== 0;
}

/** The sum. */
export function* add(one: Cache, name: string, amount: number): Script<number> {
  const keyBytes = yield* key(one, name);
  const at = yield* change(one, "cacheAdd", () =>
    call("cacheAdd", one.cache, BYTES, one.policy, keyBytes, 1, amount, one.nowMs),
  );
  const sum = yield* call("cacheNumber");
  if (at !== 0) yield* commit(one, 0);
  return sum;
}

/** 0: we compute the value; FLAG_PRESENT: there is one; FLAG_EMPTY: another one computes it. */
export function* reserve(one: Cache, name: string, ticket: number): Script<number> {
  yield* key(one, name);
  for (;;) {
    const result = yield* change(one, "cacheReserve", () =>
      call("cacheReserve", one.cache, BYTES, one.policy, 1, ticket, one.nowMs),
    );
    if (result !== FLAG_EMPTY) return result;
    const slot = yield* call("suspectSlot");
    if (slot !== SUSPECT_GONE && !one.dead.includes(slot)) return result;
    if (slot !== SUSPECT_GONE) yield* call("markDead");
  }
}

/** Begins to set a value, and does not. */
export function* claimInVain(one: Cache, name: string): Script {
  const keyBytes = yield* key(one, name);
  const rest = [8, CACHED_DATA, 0, one.nowMs];
  yield* change(one, "cacheClaim", () =>
    call("cacheClaim", one.cache, BYTES, one.policy, keyBytes, 1, ...rest),
  );
  yield* call("cacheAbort");
}

export function* clear(one: Cache): Script {
  const result = yield* change(one, "cacheClear", () => call("cacheClear", one.cache, BYTES, 0));
  if (result & FLAG_WAKE) yield* notify(one.waiters);
}

/** All entries, by their keys. */
export function* entriesOf(view: DataView, one: Cache): Script<Map<string, Uint8Array | number>> {
  const all = new Map<string, Uint8Array | number>();
  const buckets = yield* call("cacheBuckets", BYTES);
  for (let bucket = 0; bucket < buckets; bucket++) {
    for (let after = 0; ; after = yield* call("cacheFound")) {
      const at = (yield* call("cacheWalk", one.cache, BYTES, bucket, after, one.nowMs)) >>> 0;
      if (at === FLAG_EMPTY) break;
      if (isFailure(at)) throw new CoreError("cacheWalk", at);
      const entry = at & ~FLAG_PRESENT;
      const length = view.getUint32(entry + CACHED_VALUE_BYTES_OFFSET, true);
      const value = entry + CACHED_HEADER_BYTES;
      const name = value + ((length + 7) & ~7);
      const keyBytes = view.getUint32(entry + CACHED_KEY_BYTES_OFFSET, true);
      if ((view.getUint32(entry + CACHED_META_OFFSET, true) & CACHED_TEXT) === 0) throw new Error("no text");
      const shown = Buffer.from(yield* read(name, keyBytes)).toString();
      if (all.has(shown)) throw new Error(`${shown} comes twice`);
      all.set(shown, at & FLAG_PRESENT ? yield* call("cacheNumber") : yield* read(value, length));
    }
  }
  return all;
}

/** Entries, bytes of them, sets, evicted, expired. */
export function* counts(one: Cache): Script<number[]> {
  const all: number[] = [];
  for (let which = 0; which < 5; which++) all.push(yield* call("cacheCount", one.cache, BYTES, which));
  return all;
}
