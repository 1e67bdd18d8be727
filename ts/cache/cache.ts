import {
  CACHE_EVICT_NONE,
  CACHE_OF_BYTES,
  CACHE_OF_JSON,
  CACHED_DATA,
  CACHED_NUMBER,
  OBJECT_CACHE,
} from "../../protocol/layout.js";
import { COUNTER_MAX } from "../../protocol/limits.js";
import { bytesOf, callback, integer, options, type WaitOptions, waiting } from "../arguments.js";
import { copyOf, type PrivateBytes } from "../bytes.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { TextDecoder, TextEncoder } from "../host/text.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { watchOthers } from "../segment/death-watch.js";
import { openObject } from "../segment/directory.js";
import type { Fields, Struct, StructInput, StructValue } from "../struct/struct.js";
import type { Queue } from "../wait/queue.js";
import { type Condition, failInTurn, inTurn, NOT_YET, type QueuedWait, wait } from "../wait/wait.js";
import type { CacheKey } from "./keys.js";
import {
  type CacheEviction,
  type CacheOptions,
  type CacheValues,
  cacheParameters,
  ttlOf,
} from "./parameters.js";
import { type CacheStats, cacheStats } from "./stats.js";
import { CacheStore, type Reserved, type Stored } from "./store.js";

/** What `get` gives: bytes in private memory, whatever JSON can express, or a value of the layout. */
export type CachedOf<V extends CacheValues> =
  V extends Struct<infer F> ? StructValue<F> : V extends "json" ? unknown : PrivateBytes;

/** What `set` takes: a view of any kind, whatever JSON can express, or a value of the layout. */
export type CacheInputOf<V extends CacheValues> =
  V extends Struct<infer F> ? StructInput<F> : V extends "json" ? unknown : ArrayBufferView;

/** How a value is set. */
export interface CacheSetOptions {
  /**
   * Milliseconds after which it expires, 1 to 4,294,967,295, or Infinity: never. Default: that of the cache. The clock is that
   * of the system, see `CacheOptions`.
   */
  ttlMs?: number | undefined;
}

/** How a value is set that is computed, and how long to wait for another task that computes it. */
export interface GetOrSetOptions extends WaitOptions, CacheSetOptions {}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const number = new Float64Array(1);
const numberBytes = new Uint8Array(number.buffer);

/**
 * A cache for all processes: values by keys, in a fixed number of bytes. Opened with `segment.cache(name, { bytes })`. Reads
 * take no lock, and a process that was killed or stopped never keeps others from reading. docs/cache.md says what is evicted,
 * and how much fits.
 *
 * A key is a string or bytes, up to 64 KiB; a text and bytes are different keys. Values are bytes, JSON, or values of a struct.
 * A key and its value together take at most about an eighth of a shard, which is `bytes` below 2 MiB and at least 1 MiB above.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const sessions = segment.cache("sessions", { bytes: 1 * MiB, ttlMs: 60_000, value: "json" });
 * sessions.set("ann", { id: 7 });
 * console.log(sessions.get("ann"), sessions.get("bob"), sessions.add("logins", 1));
 * const page = await sessions.getOrSet("page", async () => "computed once for all processes");
 * console.log(page, sessions.size, sessions.stats.hitRatio);
 * ```
 */
export class Cache<T = PrivateBytes, I = ArrayBufferView> {
  static {
    describe(Cache.prototype, "Cache", ({ name, bytes, evict, stats: { entries, hitRatio } }) => ({
      ...{ name, bytes, evict },
      ...{ entries, hitRatio },
    }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Its name in the segment. */
  readonly name: string;
  /** Bytes for entries and what leads to them. */
  readonly bytes: number;
  /** Milliseconds after which entries expire by default; Infinity: never. */
  readonly ttlMs: number;
  /** What happens when it is full. */
  readonly evict: CacheEviction;
  readonly #lease: Lease;
  readonly #offset: number;
  readonly #kind: number;
  readonly #struct: Struct<Fields> | undefined;
  readonly #store: CacheStore;

  /** @internal */
  constructor(lease: Lease, name: string, given: CacheOptions | undefined) {
    checkMade(lease, "Cache", "segment.cache(name, { bytes })");
    const { attachment } = lease;
    const { struct, parameters } = cacheParameters(attachment, name, given);
    const object = openObject(attachment, name, OBJECT_CACHE, { ...parameters }, struct);
    const { bytes, policy, ttlMs } = parameters;
    this.name = name;
    this.bytes = bytes;
    this.ttlMs = ttlMs === 0 ? Number.POSITIVE_INFINITY : ttlMs;
    this.evict = policy & CACHE_EVICT_NONE ? "none" : "lru";
    this.#lease = lease;
    this.#offset = object.offset;
    this.#kind = policy & ~CACHE_EVICT_NONE;
    this.#struct = struct;
    const place = { cache: object.offset, bytes, policy, end: object.offset + object.bytes };
    this.#store = CacheStore.of(attachment, name, place);
  }

  /** The store, when this opener may read, or write. */
  #open(writing: boolean): CacheStore {
    this.#lease.attachment.check(writing);
    if (this.#struct === undefined && this.#kind > CACHE_OF_JSON) {
      throw new IsthmusError(
        "OBJECT_MISMATCH",
        `cache "${this.name}" was made with a layout; open it with { value: layout }`,
      );
    }
    return this.#store;
  }

  /**
   * Looks a key up. It counts as a use of the entry: entries in use stay when others are evicted.
   *
   * @param key a string of any characters, or bytes; up to 64 KiB
   * @returns the value, in private memory; undefined when there is none, or it has expired. In a cache of bytes, a number that
   *   `add` has made is 8 bytes: a float64, little-endian
   * @throws {TypeError | RangeError} when it is not such a key
   * @throws {IsthmusError} CLOSED: the segment was closed; CORRUPT: the cache is damaged; BUSY when writers were faster each
   *   time; OBJECT_MISMATCH: the values have a layout that was not given
   */
  get(key: CacheKey): T | undefined {
    const stored = this.#open(false).get(key);
    return stored === undefined ? undefined : this.#decode(stored);
  }

  /**
   * Whether a key has a value. It does not count as a use.
   *
   * @param key as for `get`
   * @returns whether it has one that has not expired
   * @throws {TypeError | RangeError} as `get`
   * @throws {IsthmusError} as `get`
   */
  has(key: CacheKey): boolean {
    return this.#open(false).has(key);
  }

  /**
   * Sets the value of a key. A reader of the key gets the old value or the new one meanwhile.
   *
   * @param key as for `get`
   * @param value bytes, whatever JSON can express, or a value of the layout; it is copied
   * @param given when it expires
   * @returns the cache
   * @throws {TypeError | RangeError} when it is not such a key, value or option; nothing is changed
   * @throws {IsthmusError} SEGMENT_FULL with `evict: "none"`: the old value stays; TOO_LARGE for this cache; BUSY when another
   *   live process is stopped in the middle of a change; READ_ONLY; EVICTED: this participant was removed; otherwise as `get`
   */
  set(key: CacheKey, value: I, given?: CacheSetOptions): this {
    const ttl = this.#ttl(given);
    this.#open(true);
    this.#set(key, value, ttl, 0);
    return this;
  }

  #set(key: CacheKey, value: unknown, ttlMs: number, ticket: number): void {
    if (this.#struct) {
      const staged = this.#struct.stage(value as never);
      this.#open(true).set(key, staged.bytes, CACHED_DATA, ttlMs, ticket);
      this.#struct.done(staged);
      return;
    }
    if (this.#kind === CACHE_OF_BYTES) {
      const bytes = bytesOf("value", value);
      this.#open(true).set(key, bytes, CACHED_DATA, ttlMs, ticket);
      return;
    }
    if (Number.isSafeInteger(value)) {
      number[0] = (value as number) + 0; // as JSON: no -0
      this.#store.set(key, numberBytes, CACHED_NUMBER, ttlMs, ticket);
      return;
    }
    const text = jsonOf(value);
    if (text === undefined)
      throw new TypeError(`value must be something that JSON can express, got ${typeof value}`);
    this.#open(true).set(key, encoder.encode(text), CACHED_DATA, ttlMs, ticket); // toJSON may have closed the segment
  }

  #decode(stored: Stored): T {
    if (typeof stored === "number") {
      if (this.#kind === CACHE_OF_JSON) return stored as T;
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, stored, true);
      return bytes as T;
    }
    if (this.#kind === CACHE_OF_BYTES) return stored as T;
    if (this.#struct && stored.length === this.#struct.bytes) {
      return this.#struct.codec.read(new DataView(stored.buffer), 0) as T;
    }
    try {
      if (!this.#struct) return JSON.parse(decoder.decode(stored)) as T;
    } catch {
      // no set has written that
    }
    throw new IsthmusError(
      "CORRUPT",
      `cache "${this.name}": a value is damaged; delete its key, or clear the cache`,
    );
  }

  #ttl(given: CacheSetOptions | undefined, others: readonly string[] = []): number {
    const own = this.ttlMs === Number.POSITIVE_INFINITY ? 0 : this.ttlMs;
    if (given === undefined) return own;
    const { ttlMs } = options<CacheSetOptions>("options", given, ["ttlMs", ...others]);
    return ttlMs === undefined ? own : ttlOf(ttlMs);
  }

  /**
   * Deletes a key. If its value is being computed, it will not be stored.
   *
   * @param key as for `get`
   * @returns whether it had a value
   * @throws {TypeError | RangeError} as `get`
   * @throws {IsthmusError} as `set`
   */
  delete(key: CacheKey): boolean {
    return this.#open(true).delete(key);
  }

  /**
   * Deletes all entries. It also makes a damaged cache usable again. What others set meanwhile may stay.
   *
   * @throws {IsthmusError} as `set`
   */
  clear(): void {
    this.#lease.attachment.check(true);
    this.#store.clear();
  }

  /**
   * How many keys have a value. Entries that have expired count until room is needed.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get size(): number {
    const { attachment } = this.#lease;
    attachment.check(false);
    return attachment.core.cacheCount(this.#offset, this.bytes, 0);
  }

  /**
   * All entries, in no order. An entry that is there from the beginning to the end comes once; one that is set or deleted
   * meanwhile comes or not.
   *
   * @returns an iterator of pairs: a key (a string, or bytes in private memory) and its value
   * @throws {IsthmusError} as `get`
   */
  *entries(): Generator<[key: string | PrivateBytes, value: T], void, undefined> {
    const { buckets } = this.#open(false);
    for (let index = 0; index < buckets; index++) {
      for (const [key, stored] of this.#open(false).bucket(index))
        yield [key as string | PrivateBytes, this.#decode(stored)];
    }
  }

  /**
   * Adds to the number that is the value of a key, as one step for all processes. If the key has no value, it gets the number.
   *
   * @param key as for `get`
   * @param amount an integer, -(2^53 - 1) to 2^53 - 1
   * @param given when the number expires, if it is new; a number that exists keeps its time
   * @returns the sum
   * @throws {TypeError | RangeError} when it is not such a key or amount, the sum is none, or the value is no number that `add`
   *   has made (or, in a cache of "json", `set`); nothing is changed
   * @throws {IsthmusError} as `set`
   */
  add(key: CacheKey, amount: number, given?: CacheSetOptions): number {
    integer("amount", amount, -COUNTER_MAX, COUNTER_MAX);
    const ttl = this.#ttl(given);
    const store = this.#open(true);
    if (this.#struct)
      throw new TypeError(
        `add: the values of cache "${this.name}" have a layout; use one of "bytes" or "json"`,
      );
    const sum = store.add(key, amount, ttl);
    if (sum === undefined)
      throw new TypeError(`add: the value of the key in cache "${this.name}" must be an integer`);
    if (Number.isNaN(sum)) throw new RangeError(`amount must give a sum of at most 2^53 - 1, got ${amount}`);
    return sum;
  }

  /**
   * The value of a key; if it has none, computes it, once for all processes: others that want it wait. If the process dies that
   * computes, or its function throws, the next one computes. If the key is set or deleted meanwhile, the value is returned, and
   * not stored: it may be out of date.
   *
   * @param key as for `get`
   * @param compute gives the value, or a promise of it
   * @param given how long to wait for another task that computes the value, and a signal that ends this wait; and when the
   *   value expires. They do not end a function of one's own
   * @returns the value: what the function gave, or a copy of what is in the cache
   * @throws {TypeError | RangeError} when it is not such a key, function, value or option
   * @throws {IsthmusError} TIMED_OUT; otherwise as `set`
   * @throws the signal's reason, when it is aborted; or what the function has thrown
   */
  async getOrSet(key: CacheKey, compute: () => I | Promise<I>, given?: GetOrSetOptions): Promise<T | I> {
    callback("compute", compute);
    const how = waiting(given, ["ttlMs"]);
    const ttl = this.#ttl(given, ["signal", "timeoutMs"]);
    const own = typeof key === "string" ? key : copyOf(bytesOf("key", key));
    for (;;) {
      if (how.signal?.aborted) return await failInTurn(how.signal.reason);
      const found = this.get(own);
      if (found !== undefined) return await inTurn(found);
      this.#lease.attachment.check(true);
      const ticket = this.#store.ticket();
      const reserved = await this.#store.inQueue(own, (queue) =>
        wait(this.#lease.attachment, this.#forValue(own, ticket, queue), how),
      );
      if (reserved === "present") continue;
      this.#store.owns(ticket);
      return await this.#compute(own, ticket, compute, ttl);
    }
  }

  async #compute(key: CacheKey, ticket: number, compute: () => I | Promise<I>, ttlMs: number): Promise<I> {
    try {
      const value = await compute();
      this.#open(true);
      this.#set(key, value, ttlMs, ticket);
      return value;
    } catch (error) {
      this.#store.giveUp(key, ticket);
      throw error;
    }
  }

  #forValue(key: CacheKey, ticket: number, queue: Queue<QueuedWait>): Condition<Reserved> {
    return {
      what: `waiting for a value of cache "${this.name}" that another task computes`,
      waiters: this.#store.waiters,
      queue,
      attempt: () => {
        const reserved = this.#open(true).reserve(key, ticket);
        return reserved === "computed" ? NOT_YET : reserved;
      },
      recheck: () => watchOthers(this.#lease.attachment),
    };
  }

  /**
   * The current counters. Every opener of the segment can read them.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  get stats(): CacheStats {
    const { attachment } = this.#lease;
    attachment.check(false);
    return cacheStats(attachment, { cache: this.#offset, bytes: this.bytes });
  }
}

/** A value as JSON. What a method of the value itself throws is the error of the caller. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`value must be something that JSON can express: ${error.message}`);
  }
}
