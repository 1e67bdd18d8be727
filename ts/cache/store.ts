/**
 * The entries of a cache, as one opener of the segment uses them. `assembly/cache.ts` has the rules; this file passes keys to
 * the core, copies values, and wakes those that wait.
 *
 * Between `cacheClaim` and `cacheCommit` the lock of a shard is held, and no code of the user runs. If a call is cut off there,
 * the core releases the lock with the next call, or with the heartbeat.
 */
import { BUSY, CORRUPT, EVICTED, OBJECT_MISMATCH, SEGMENT_FULL, TOO_LARGE } from "../../protocol/errors.js";
import {
  CACHED_HEADER_BYTES,
  CACHED_KEY_BYTES_OFFSET,
  CACHED_META_OFFSET,
  CACHED_TEXT,
  CACHED_VALUE_BYTES_OFFSET,
  FLAG_EMPTY,
  FLAG_PRESENT,
  FLAG_WAKE,
  PARTICIPANT_SCRATCH_BYTES,
} from "../../protocol/layout.js";
import { CACHE_WRITE_TIMEOUT_MS } from "../../protocol/limits.js";
import { copyOf } from "../bytes.js";
import { type Core, flagsOf, isError, offsetOf } from "../core.js";
import { failure, type IsthmusError } from "../errors.js";
import { fence, nowMs, secretNumber } from "../host/runtime.js";
import type { Attachment, Closable } from "../segment/attachment.js";
import { Queue } from "../wait/queue.js";
import { retryFor } from "../wait/retry.js";
import type { QueuedWait } from "../wait/wait.js";
import { type CacheKey, decodeKey, encodeKey, keyBytesOf, keyName } from "./keys.js";
import type { CachePlace } from "./stats.js";

/** How often a read, or a walk through a bucket, is repeated when writers were faster. */
const READS_MAX = 10_000;

/** A value as the core has it: bytes in private memory, or a number. */
export type Stored = Uint8Array | number;

/** What `reserve` found. */
export type Reserved = "ours" | "present" | "computed";

/** Where a cache is, what it does when it is full, and where it ends. */
interface StorePlace extends CachePlace {
  readonly policy: number;
  readonly end: number;
}

export class CacheStore implements Closable {
  /** The set of participants that wait for values which others compute. */
  readonly waiters: number;
  readonly attachment: Attachment;
  readonly #core: Core;
  readonly #name: string;
  readonly #cache: number;
  readonly #bytes: number;
  readonly #policy: number;
  readonly #end: number;
  /** The key of the call under way: bytes of it; 1 if it is a text; and itself if it is not in the scratch. */
  #keyBytes = 0;
  #text: 0 | 1 = 0;
  #long: Uint8Array | undefined;
  /** Keys whose values this opener has said to compute, and that no task has yet: by their tickets. */
  readonly #unowned = new Map<number, { key: CacheKey; beats: number }>();
  #tickets = 0;
  /** Tasks of this opener that wait for values of the same key. */
  readonly #tasks = new Map<string, Queue<QueuedWait>>();

  /** Returns the store of this cache for this opener. There is only one. */
  static of(attachment: Attachment, name: string, place: StorePlace): CacheStore {
    const known = attachment.states.get(place.cache) as CacheStore | undefined;
    if (known) return known;
    const store = new CacheStore(attachment, name, place);
    attachment.states.set(place.cache, store);
    return store;
  }

  private constructor(attachment: Attachment, name: string, place: StorePlace) {
    const { core } = attachment;
    this.attachment = attachment;
    this.#core = core;
    this.#name = name;
    this.#cache = place.cache;
    this.#bytes = place.bytes;
    this.#policy = place.policy;
    this.#end = place.end;
    this.waiters = core.cacheWaiters(place.cache) >>> 0;
    if (attachment.readOnly) return;
    core.cacheSeed(place.cache, secretNumber(), secretNumber());
    attachment.parts.add(this);
  }

  // --- keys ------------------------------------------------------------------------------------------------------------

  /** Passes the key to the core; with `hash` false only if it has to be passed in words. */
  #pass(key: CacheKey, hash: boolean): void {
    const { attachment } = this;
    if (typeof key === "string") {
      this.#text = 1;
      if (!attachment.readOnly && key.length <= PARTICIPANT_SCRATCH_BYTES && this.#passAscii(key)) {
        this.#long = undefined;
        if (hash) this.#core.cacheKey(this.#cache, this.#keyBytes);
        return;
      }
      this.#passBytes(encodeKey(key), hash);
    } else {
      this.#text = 0;
      this.#passBytes(keyBytesOf(key), hash);
    }
  }

  /** Copies a text to the scratch, unless it has other characters than those of ASCII. */
  #passAscii(key: string): boolean {
    const { u8, scratch } = this.attachment;
    const { length } = key;
    this.attachment.scratchUses++;
    for (let index = 0; index < length; index++) {
      const code = key.charCodeAt(index);
      if (code > 0x7f) return false;
      u8[scratch + index] = code;
    }
    this.#keyBytes = length;
    return true;
  }

  #passBytes(key: Uint8Array, hash: boolean): void {
    const { attachment } = this;
    this.#keyBytes = key.length;
    if (!attachment.readOnly && key.length <= PARTICIPANT_SCRATCH_BYTES) {
      attachment.scratchUses++;
      attachment.u8.set(key, attachment.scratch);
      this.#long = undefined;
      if (hash) this.#core.cacheKey(this.#cache, key.length);
      return;
    }
    this.#long = copyOf(key); // a peer, or another thread, may change shared bytes meanwhile
    const words = new Uint32Array(((key.length >>> 3) + 1) * 2);
    new Uint8Array(words.buffer).set(this.#long);
    this.#core.cacheKeyBegin(this.#cache);
    const last = words.length - 2;
    for (let index = 0; index < last; index += 2)
      this.#core.cacheKeyWord(words[index] as number, words[index + 1] as number);
    this.#core.cacheKeyEnd(words[last] as number, words[last + 1] as number, key.length);
  }

  // --- reading ---------------------------------------------------------------------------------------------------------

  /** The value of the key. */
  get(key: CacheKey): Stored | undefined {
    this.#pass(key, false);
    const now = nowMs();
    for (let read = 0; read < READS_MAX; read++) {
      const found =
        (this.#long
          ? this.#core.cacheFind(this.#cache, this.#bytes, this.#text, now, 1)
          : this.#core.cacheGet(this.#cache, this.#bytes, this.#keyBytes, this.#text, now)) >>> 0;
      if (found === FLAG_EMPTY) return undefined;
      if (found === BUSY) continue;
      const value = this.#copy(found);
      if (value !== undefined) return value;
    }
    throw this.failed(BUSY);
  }

  /** Whether the key has a value. */
  has(key: CacheKey): boolean {
    this.#pass(key, true);
    for (let read = 0; read < READS_MAX; read++) {
      const found = this.#core.cacheFind(this.#cache, this.#bytes, this.#text, nowMs(), 0) >>> 0;
      if (found === FLAG_EMPTY) return false;
      if (found === BUSY) continue;
      if (isError(found)) throw this.failed(found);
      return true;
    }
    throw this.failed(BUSY);
  }

  /** The value that the core has found; undefined when it was overwritten meanwhile. */
  #copy(found: number): Stored | undefined {
    if (isError(found)) throw this.failed(found);
    if (flagsOf(found) & FLAG_PRESENT) return this.#core.cacheNumber();
    const { attachment } = this;
    const begin = found + CACHED_HEADER_BYTES;
    const length = attachment.u32[(found + CACHED_VALUE_BYTES_OFFSET) >>> 2] as number;
    const fits = begin + length <= this.#end;
    if (attachment.readOnly) fence();
    const value = fits ? attachment.u8.slice(begin, begin + length) : undefined;
    if (attachment.readOnly) fence();
    if (!this.#core.cacheIsWhole()) return undefined;
    if (value === undefined) throw this.failed(CORRUPT);
    return value;
  }

  /** All entries of a bucket. */
  bucket(index: number): [string | Uint8Array, Stored][] {
    for (let read = 0; read < READS_MAX; read++) {
      const all = this.#tryBucket(index);
      if (all !== undefined) return all;
    }
    throw this.failed(BUSY);
  }

  get buckets(): number {
    return this.#core.cacheBuckets(this.#bytes);
  }

  #tryBucket(index: number): [string | Uint8Array, Stored][] | undefined {
    const all: [string | Uint8Array, Stored][] = [];
    const { u8, u32 } = this.attachment;
    for (let after = 0; ; after = this.#core.cacheFound()) {
      const found = this.#core.cacheWalk(this.#cache, this.#bytes, index, after, nowMs()) >>> 0;
      if (found === FLAG_EMPTY) return all;
      if (found === BUSY) return undefined;
      if (isError(found)) throw this.failed(found);
      const at = offsetOf(found);
      const keyBytes = u32[(at + CACHED_KEY_BYTES_OFFSET) >>> 2] as number;
      const valueBytes = u32[(at + CACHED_VALUE_BYTES_OFFSET) >>> 2] as number;
      const text = ((u32[(at + CACHED_META_OFFSET) >>> 2] as number) & CACHED_TEXT) !== 0;
      const begin = at + CACHED_HEADER_BYTES + ((valueBytes + 7) & ~7);
      const key =
        begin >= at && begin + keyBytes <= this.#end ? u8.slice(begin, begin + keyBytes) : undefined;
      const value = this.#copy(found);
      if (value === undefined) return undefined;
      if (key === undefined) throw this.failed(CORRUPT);
      all.push([text ? decodeKey(key) : key, value]);
    }
  }

  // --- changing --------------------------------------------------------------------------------------------------------

  /** Calls a function of the core that takes the lock of a shard, and retries while a live participant has it. */
  #change(call: () => number): number {
    const first = call() >>> 0;
    const result = first === BUSY ? this.#contend(call) : first;
    if (isError(result)) throw this.failed(result);
    return result;
  }

  #contend(call: () => number): number {
    const { attachment } = this;
    const result = retryFor(CACHE_WRITE_TIMEOUT_MS, () =>
      attachment.retryPastDead(() => {
        const found = call() >>> 0;
        return found === BUSY ? undefined : found;
      }),
    );
    if (result !== undefined) return result;
    const text = `${attachment.suspectText()} is in the middle of a change; try again later`;
    throw failure(BUSY, `cache "${this.#name}": ${text}`);
  }

  /**
   * Sets the value of the key.
   *
   * @param kind CACHED_DATA, or CACHED_NUMBER with the 8 bytes of a number
   * @param ttlMs 0: it does not expire
   * @param ticket that of the one who computed it; 0: it is set in any case
   * @returns whether it was set
   */
  set(key: CacheKey, value: Uint8Array, kind: number, ttlMs: number, ticket = 0): boolean {
    const { length } = value;
    this.#pass(key, true);
    const now = nowMs();
    const at = this.#change(() =>
      this.#core.cacheClaim(
        this.#cache,
        this.#bytes,
        this.#policy,
        this.#keyBytes,
        this.#text,
        length,
        kind,
        ticket,
        now,
      ),
    );
    if (at === FLAG_EMPTY) return false;
    this.#checkClaim(at, length);
    if (length < 4096) this.attachment.u8.set(value, at + CACHED_HEADER_BYTES);
    else this.attachment.copyIn(value, at + CACHED_HEADER_BYTES);
    this.#commit(at, length, now, ttlMs);
    return true;
  }

  /** The offset comes from shared words, which a peer can damage. */
  #checkClaim(at: number, length: number): void {
    const end = at + CACHED_HEADER_BYTES + ((length + 7) & ~7) + this.#keyBytes;
    if (at >= this.#cache && end <= this.#end) return;
    this.#core.cacheAbort();
    throw this.failed(CORRUPT);
  }

  #commit(at: number, valueBytes: number, now: number, ttlMs: number): void {
    const { attachment } = this;
    if (this.#long) attachment.u8.set(this.#long, at + CACHED_HEADER_BYTES + ((valueBytes + 7) & ~7));
    const expires = ttlMs === 0 ? 0 : now + ttlMs;
    this.#woken(this.#core.cacheCommit(this.#cache, this.#bytes, expires) >>> 0);
  }

  #woken(result: number): number {
    if (isError(result)) throw this.failed(result);
    if (flagsOf(result) & FLAG_WAKE) this.attachment.notify(this.waiters);
    return result;
  }

  /** Adds to a number. Returns the sum; undefined when the value is no number, NaN when the sum is none. */
  add(key: CacheKey, amount: number, ttlMs: number): number | undefined {
    this.#pass(key, true);
    const now = nowMs();
    const given = [this.#cache, this.#bytes, this.#policy, this.#keyBytes] as const;
    const most = this.#core.cacheBytesMax(this.#cache, this.#bytes) >>> 0;
    const fits = CACHED_HEADER_BYTES + 8 + this.#keyBytes <= most;
    let refused: number | undefined;
    const at = this.#change(() => {
      const result = this.#core.cacheAdd(...given, this.#text, amount, now) >>> 0;
      const isRefused = result === OBJECT_MISMATCH || (result === TOO_LARGE && fits);
      refused = isRefused ? result : undefined;
      return isRefused ? 0 : result;
    });
    if (refused !== undefined) return refused === TOO_LARGE ? Number.NaN : undefined;
    const sum = this.#core.cacheNumber();
    if (at !== 0) {
      this.#checkClaim(at, 8);
      this.#commit(at, 8, now, ttlMs);
    }
    return sum;
  }

  /** Whether the key had a value. */
  delete(key: CacheKey, ticket = 0): boolean {
    this.#pass(key, true);
    const now = nowMs();
    const result = this.#change(() =>
      this.#core.cacheDelete(this.#cache, this.#bytes, this.#text, ticket, now),
    );
    return (this.#woken(result) & FLAG_PRESENT) !== 0;
  }

  clear(): void {
    const shards = this.#core.cacheShards(this.#bytes);
    for (let index = 0; index < shards; index++)
      this.#woken(this.#change(() => this.#core.cacheClear(this.#cache, this.#bytes, index)));
  }

  // --- values that are computed once -----------------------------------------------------------------------------------

  /** A number for `reserve`. */
  ticket(): number {
    this.#tickets++;
    return this.#tickets;
  }

  /** Says that this opener computes the value, unless there is one, or somebody alive computes it. Then `owns` must follow. */
  reserve(key: CacheKey, ticket: number): Reserved {
    this.#pass(key, true);
    this.#unowned.set(ticket, { key, beats: 0 });
    let result = FLAG_EMPTY;
    try {
      result = this.#change(() =>
        this.#core.cacheReserve(this.#cache, this.#bytes, this.#policy, this.#text, ticket, nowMs()),
      );
    } finally {
      if (result !== 0) this.#unowned.delete(ticket);
    }
    return result === 0 ? "ours" : result === FLAG_PRESENT ? "present" : "computed";
  }

  /**
   * Waits in a queue with the other tasks of this opener that want the value of this key, so that only the first of them looks.
   *
   * @param begin begins the wait in the queue
   */
  async inQueue<T>(key: CacheKey, begin: (queue: Queue<QueuedWait>) => Promise<T>): Promise<T> {
    const name = keyName(key);
    const queue = this.#tasks.get(name) ?? new Queue<QueuedWait>();
    this.#tasks.set(name, queue);
    try {
      return await begin(queue);
    } finally {
      if (queue.length === 0 && this.#tasks.get(name) === queue) this.#tasks.delete(name);
    }
  }

  /** A task has what was reserved, and ends it. */
  owns(ticket: number): void {
    this.#unowned.delete(ticket);
  }

  /** Gives up to compute: the next one does. */
  giveUp(key: CacheKey, ticket: number): void {
    if (this.attachment.closed || this.attachment.evicted) return; // others see that
    this.delete(key, ticket);
  }

  /** A task that gets what was reserved has it before the heartbeat after the next one. */
  settleLeftOver(): void {
    for (const [ticket, one] of this.#unowned) {
      if (one.beats++ === 0) continue;
      this.#unowned.delete(ticket);
      this.giveUp(one.key, ticket);
    }
  }

  close(): void {
    this.attachment.parts.delete(this);
  }

  /** The error for a status of the core. */
  failed(status: number): IsthmusError {
    if (status === EVICTED) return this.attachment.removed();
    const most = this.#core.cacheBytesMax(this.#cache, this.#bytes) >>> 0;
    const texts = new Map([
      [BUSY, "others changed it during each attempt; try again"],
      [
        TOO_LARGE,
        `key and value must have ${most - CACHED_HEADER_BYTES - 16} bytes together at most; use a larger cache`,
      ],
      [SEGMENT_FULL, 'it is full, and evicts nothing (evict: "none"); delete entries, or use a larger cache'],
    ]);
    const text = texts.get(status) ?? "its shared words are damaged; clear() makes it empty and usable again";
    return failure(status, `cache "${this.#name}": ${text}`);
  }
}
