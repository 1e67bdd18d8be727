/**
 * Cache: values by their keys, for all processes. Readers are lock-free, and write nothing but marks and their own counts.
 * Writers take the lock of one of the shards.
 *
 *     object:  0      128       128+W                    + 64P
 *              +------+---------+------------------------+---------+---------+-----+
 *              | seed | waiters | counts per participant | shard 0 | shard 1 | ... |     see `cache-log.ts`
 *              +------+---------+------------------------+---------+---------+-----+
 *
 * The digest of a key (`cache-key.ts`) says in which shard and in which bucket it is. A shard is a log of entries. An entry never
 * changes, but for `next`, and for the eight bytes of a number. A new value is a new entry at the tail; the oldest entries make
 * room.
 *
 * | word            | written by                                  | read by                                                   |
 * | --------------- | ------------------------------------------- | --------------------------------------------------------- |
 * | seed            | CAS from 0 by each writer that opens        | all                                                       |
 * | counts          | each participant its own                    | statistics                                                |
 * | lock of a shard | CAS from 0 or a dead participant's token;   | writers                                                   |
 * |                 | 0 at the end                                |                                                           |
 * | oldest          | the holder, before the bytes that are older | readers, before and after they read an entry              |
 * | tail            | the holder, before the bucket               | holders                                                   |
 * | entries         | the holder, behind the tail                 | readers                                                   |
 * | next            | the holder                                  | readers                                                   |
 * | bucket          | the holder: **this store sets the value**   | readers, before and after they look for an entry          |
 * | marks           | readers, holders; a hint: lost ones and     | the hand                                                  |
 * |                 | false ones do no harm                       |                                                           |
 *
 * To set:                                                To get:
 *  1. lock = our token                                    1. load the bucket, then `oldest`
 *  2. make room (`cache-log.ts`)                          2. follow the chain to the entry with that digest, as long as
 *  3. write the header; the host writes value and key        positions are not older than `oldest`
 *  4. next = bucket                                       3. none: the bucket is still the same, else back to 1
 *  5. tail = end of the entry                             4. expired, or being computed: it counts as none. Mark it
 *  6. bucket = its position                               5. `oldest` has not passed it, else back to 1
 *  7. take older entries of the key out of the chain;     6. the host copies the value
 *     count                                               7. as 5, else back to 1
 *  8. lock = 0; anyone waiting? then wake all
 *
 * Step 3 of a reader is sound: whatever left its old place and has a new one was put at the front of the bucket, and positions
 * only grow. If the same position is at the front again, everything that was put before it was deleted since.
 *
 * To delete: the entries of the key leave the chain, the newest one last. To add to a number: its eight bytes, with the lock.
 *
 * To compute a value once: the entry of a key whose value is being computed has the token of the participant that does it, and a
 * number of its choice (its ticket). Others find it with the lock and wait. Setting the value replaces it; giving up deletes
 * it. If its owner is dead, it counts as no entry. If it is not there any more when its owner sets the value, somebody else has
 * deleted or set the key meanwhile, or it was evicted: the value may be out of date, and is not stored.
 *
 * The host passes the time, so that all hosts use the same clock: milliseconds since 1970.
 *
 * If a participant dies:
 *
 * | after step | state                                            | repair                                                   |
 * | ---------- | ------------------------------------------------ | -------------------------------------------------------- |
 * | set 1      | the lock names a dead participant                | the next writer takes it over, and recounts the shard    |
 * | set 2      | see `cache-log.ts`                               | the same                                                 |
 * | set 3, 4   | bytes behind the tail                            | the same: nobody reads them                              |
 * | set 5      | an entry that is in no chain                     | the same; the hand passes over it                        |
 * | set 6, 7   | the value is set; the chain has older ones, too, | the same; the first one in the chain counts. The counts  |
 * |            | and the counts are wrong                         | are right after that                                     |
 * | set 8      | nobody was woken                                 | none: a sleeper looks again within RECHECK_MS            |
 * | delete     | older entries have left the chain, the newest    | as after set 1: it was not deleted                       |
 * |            | one has not                                      |                                                          |
 * | computing  | an entry whose owner is dead                     | the next one that wants the value computes it            |
 *
 * If a call is cut off and its participant lives on: the same states; the private variable `holding` (see `cache-log.ts`).
 *
 * Source of the idea: MICA (Lim et al., 2014), for a log per shard as the store of a cache; Memcached's leases (Nishtala et al.,
 * 2013), for values that are computed once, and not stored if they may be out of date.
 */
import { BUSY, CORRUPT, EVICTED, OBJECT_MISMATCH, TOO_LARGE } from "../protocol/errors";
import {
  ANSWER_POSITION_OFFSET,
  CACHE_COUNTS_BYTES,
  CACHE_EVICT_NONE,
  CACHE_HITS_OFFSET,
  CACHE_MISSES_OFFSET,
  CACHE_SEED_OFFSET,
  CACHE_WAITERS_OFFSET,
  CACHED_DIGEST_OFFSET,
  CACHED_EXPIRES_SHIFT,
  CACHED_HEADER_BYTES,
  CACHED_KEY_BYTES_OFFSET,
  CACHED_META_OFFSET,
  CACHED_NEXT_OFFSET,
  CACHED_NUMBER,
  CACHED_PENDING,
  CACHED_TEXT,
  CACHED_VALUE_BYTES_OFFSET,
  FLAG_EMPTY,
  FLAG_PRESENT,
  FLAG_WAKE,
  RESULT_OFFSETS,
  SHARD_ENTRIES_OFFSET,
  SHARD_LIVE_OFFSET,
  SHARD_LOCK_OFFSET,
  SHARD_OLDEST_OFFSET,
  SHARD_SETS_OFFSET,
  SHARD_SOONEST_OFFSET,
} from "../protocol/layout";
import { COUNTER_MAX } from "../protocol/limits";
import { digestHigh, digestLow, keyBegin, keyMix, keyOfScratch, scratchBytes } from "./cache-key";
import {
  bucketAt,
  bucketOf,
  bytesAt,
  CHAIN_MAX,
  count,
  countsOf,
  empty,
  entryAt,
  entryBytes,
  hasExpired,
  holding,
  isComputed,
  isInLog,
  isKey,
  kindAt,
  largestEntry,
  locate,
  lockShard,
  makeRoom,
  mark,
  marksOf,
  place,
  publish,
  select,
  selectShard,
  settleCache,
  shard,
  shards,
  uncount,
  units,
  unlink,
  unlockShard,
} from "./cache-log";
import { self, selfSlot, setSuspect } from "./instance";
import { answers, scratch, selfCheck } from "./participants";
import { waitersAny } from "./waiters";
import { load64, store64, swap64 } from "./word";

/** A reader that is overtaken this often in one call goes on with the next call. */
const TURNS_MAX = 64;

/** What a reader has found: position and shard of the entry. */
let found: u64 = 0;
let foundShard: usize = 0;
/** The entry that is being written: position, bytes, and what it replaces (0: nothing). */
let claimed: u64 = 0;
let claimedBytes: u32 = 0;
let replaced: u64 = 0;
/** The number that `cacheAdd` has made, or that a reader has found. */
let number: f64 = 0;
/** What the bucket had when a walk through it began. */
let walked: u64 = 0;

/** The set of participants that wait for values which others compute. */
export function cacheWaiters(at: usize): usize {
  return at + CACHE_WAITERS_OFFSET;
}

/** Bytes of the largest entry: header, value and key, padded; see `entryBytes`. */
export function cacheBytesMax(at: usize, bytes: u32): u32 {
  select(at, bytes);
  return largestEntry();
}

// --- keys ----------------------------------------------------------------------------------------------------------------

/** Stores the secret of the hash, unless somebody has stored one. */
export function cacheSeed(at: usize, low: u32, high: u32): void {
  const seed = (u64(high) << 32) | low | 1;
  if (load64(at + CACHE_SEED_OFFSET) == 0) swap64(at + CACHE_SEED_OFFSET, 0, seed); // pairs with the loads of keys
}

/** The key in the scratch is the one that the next call means. */
export function cacheKey(at: usize, keyBytes: u32): void {
  keyOfScratch(load64(at + CACHE_SEED_OFFSET), keyBytes);
}

/** Begins a key that is passed in words, because it is too long for the scratch, or the host can only read. */
export function cacheKeyBegin(at: usize): void {
  keyBegin(load64(at + CACHE_SEED_OFFSET));
}

/** The next 8 bytes of the key. */
export function cacheKeyWord(low: u32, high: u32): void {
  keyMix(0, 0, (u64(high) << 32) | low, false);
}

/** The last 0 to 7 bytes of the key, and how many bytes it has as a whole. */
export function cacheKeyEnd(low: u32, high: u32, keyBytes: u32): void {
  keyMix(0, 0, (u64(keyBytes) << 56) | (u64(high & 0xffffff) << 32) | low, true);
}

// --- readers -------------------------------------------------------------------------------------------------------------

/** Whether what was read at a position of the selected shard was not being overwritten. */
function isWhole(position: u64): bool {
  // A participant that may only read has no word to store to: its host orders the loads.
  if (self != 0) store64(answers() + ANSWER_POSITION_OFFSET, position); // only orders the plain loads before the load below
  return load64(shard + SHARD_OLDEST_OFFSET) <= position;
}

function counted(at: usize, word: usize): void {
  if (self == 0) return;
  const word64 = countsOf(at) + selfSlot * CACHE_COUNTS_BYTES + word;
  store<u64>(word64, load<u64>(word64) + 1);
}

/** As `cacheKey`, then `cacheFind`: the usual case. */
export function cacheGet(at: usize, bytes: u32, keyBytes: u32, text: bool, nowMs: f64): u32 {
  keyOfScratch(load64(at + CACHE_SEED_OFFSET), keyBytes);
  return cacheFind(at, bytes, text, nowMs, true);
}

/**
 * Finds the value of the key. Returns the offset of its entry, with FLAG_PRESENT if the value is a number (`cacheNumber`);
 * FLAG_EMPTY when there is none; BUSY: call it again; CORRUPT. `uses`: it is a use of the value, not only a look.
 */
export function cacheFind(at: usize, bytes: u32, text: bool, nowMs: f64, uses: bool): u32 {
  select(at, bytes);
  const low = digestLow;
  const high = digestHigh;
  const bucket = bucketOf(low);
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const first = load64(bucket);
    const oldest = load64(shard + SHARD_OLDEST_OFFSET);
    const position = follow(first, oldest, low, high, text);
    if (position == DAMAGED) {
      if (load64(shard + SHARD_OLDEST_OFFSET) == oldest && load64(bucket) == first) return CORRUPT;
      continue;
    }
    const entry = entryAt(position);
    const kind = position != 0 ? kindAt(entry) : u32(CACHED_PENDING);
    if (kind == CACHED_PENDING || hasExpired(entry, nowMs)) {
      if (position != 0 ? !isWhole(position) : load64(bucket) != first) continue;
      if (uses) counted(at, CACHE_MISSES_OFFSET);
      return FLAG_EMPTY;
    }
    if (kind == CACHED_NUMBER) number = reinterpret<f64>(load64(entry + CACHED_HEADER_BYTES));
    const size = bytesAt(position);
    if (!isWhole(position)) continue;
    if (size == 0) return CORRUPT;
    found = position;
    foundShard = shard;
    if (uses) {
      if (self != 0) mark(position);
      counted(at, CACHE_HITS_OFFSET);
    }
    return u32(entry) | (kind == CACHED_NUMBER ? FLAG_PRESENT : 0);
  }
  return BUSY;
}

/** No position of an entry. */
const DAMAGED: u64 = u64.MAX_VALUE;

/** The first entry of a chain with that key; 0 if there is none; DAMAGED: the chain is, or it was changed meanwhile. */
function follow(first: u64, oldest: u64, low: u64, high: u64, text: bool): u64 {
  let position = first;
  for (let step: u32 = 0; step < CHAIN_MAX; step++) {
    if (position < oldest) return 0;
    if (!isInLog(position, oldest)) return DAMAGED;
    const at = entryAt(position);
    if (isKey(at, low, high, text)) return position;
    const next = load64(at + CACHED_NEXT_OFFSET);
    if (next >= position) return DAMAGED;
    position = next;
  }
  return DAMAGED;
}

/** Whether the value that was copied since `cacheFind` or `cacheWalk` was whole. */
export function cacheIsWhole(): bool {
  if (self != 0) store64(answers() + ANSWER_POSITION_OFFSET, found); // only orders the plain loads before the load below
  return load64(foundShard + SHARD_OLDEST_OFFSET) <= found;
}

/** The number that was found, or made. */
export function cacheNumber(): f64 {
  return number;
}

/** The position of the entry that was found. */
export function cacheFound(): f64 {
  return f64(found);
}

/**
 * The next entry of a bucket (0 to `cacheBuckets` - 1) behind a position; 0: the first one. As `cacheFind`; BUSY: the bucket has
 * changed, begin again with its first entry.
 */
export function cacheWalk(at: usize, bytes: u32, index: u32, after: f64, nowMs: f64): u32 {
  select(at, bytes);
  selectShard((index / units) % shards);
  const bucket = bucketAt(index % units);
  const first = load64(bucket);
  const oldest = load64(shard + SHARD_OLDEST_OFFSET);
  if (after == 0) walked = first;
  else if (walked != first) return BUSY;
  const begin = u64(after);
  let position = first;
  for (let step: u32 = 0; step < CHAIN_MAX && position >= oldest; step++) {
    if (!isInLog(position, oldest)) break;
    const entry = entryAt(position);
    const next = load64(entry + CACHED_NEXT_OFFSET);
    const low = load<u64>(entry + CACHED_DIGEST_OFFSET);
    const high = load<u64>(entry + CACHED_DIGEST_OFFSET + 8);
    const text = (u32(load<u64>(entry + CACHED_META_OFFSET)) & CACHED_TEXT) != 0;
    const kind = kindAt(entry);
    const shown =
      (begin == 0 || position < begin) && kind != u32(CACHED_PENDING) && !hasExpired(entry, nowMs);
    if (shown && follow(first, oldest, low, high, text) == position) {
      if (kind == CACHED_NUMBER) number = reinterpret<f64>(load64(entry + CACHED_HEADER_BYTES));
      const size = bytesAt(position);
      if (!isWhole(position)) return BUSY;
      if (size == 0) return CORRUPT;
      found = position;
      foundShard = shard;
      return u32(entry) | (kind == CACHED_NUMBER ? FLAG_PRESENT : 0);
    }
    if (next >= position) break;
    position = next;
  }
  if (load64(bucket) != first) return BUSY;
  return FLAG_EMPTY;
}

// --- writers -------------------------------------------------------------------------------------------------------------

/** Begins a change of the key: settles one of ours that was cut off, takes the lock of the shard. As `lockShard`. */
function enter(at: usize, bytes: u32): u32 {
  const removed = selfCheck();
  if (removed != 0) return removed;
  settleCache();
  select(at, bytes);
  bucketOf(digestLow);
  return lockShard();
}

/** Whether the value of the key is being computed by us, with that ticket. */
function isOurs(position: u64, ticket: f64): bool {
  if (position == 0) return false;
  const value = entryAt(position) + CACHED_HEADER_BYTES;
  return (
    kindAt(entryAt(position)) == u32(CACHED_PENDING) &&
    load64(value) == self &&
    load64(value + 8) == u64(ticket)
  );
}

/** With the lock: makes room for an entry of the key and writes its header. Its offset; or an error, and the lock is released. */
function begin(keyBytes: u32, text: bool, valueBytes: u32, kind: u32, policy: u32, nowMs: f64): u32 {
  const size = entryBytes(keyBytes, valueBytes);
  let failed: u32 = size > largestEntry() ? TOO_LARGE : 0;
  if (failed == 0) {
    const before = locate(digestLow, digestHigh, text);
    failed = makeRoom(size, (policy & CACHE_EVICT_NONE) != 0, before != 0 ? bytesAt(before) : 0, nowMs);
  }
  if (failed != 0) {
    unlockShard();
    return failed;
  }
  replaced = locate(digestLow, digestHigh, text); // making room may have moved or evicted it
  claimed = place(size);
  claimedBytes = size;
  const at = entryAt(claimed);
  store<u32>(at + CACHED_KEY_BYTES_OFFSET, keyBytes);
  store<u32>(at + CACHED_VALUE_BYTES_OFFSET, valueBytes);
  store<u64>(at + CACHED_META_OFFSET, kind | u32(text));
  store<u64>(at + CACHED_DIGEST_OFFSET, digestLow);
  store<u64>(at + CACHED_DIGEST_OFFSET + 8, digestHigh);
  if (keyBytes != 0 && keyBytes == scratchBytes) {
    memory.copy(at + CACHED_HEADER_BYTES + ((valueBytes + 7) & ~7), scratch(), keyBytes);
  }
  return u32(at);
}

/** Puts the entry that was begun into its bucket, and releases the lock. Whether somebody may wait for it. */
function finish(at: usize, expiresMs: f64): u32 {
  const entry = entryAt(claimed);
  const meta = load<u64>(entry + CACHED_META_OFFSET);
  const expires = u64(expiresMs);
  store<u64>(entry + CACHED_META_OFFSET, meta | (expires << CACHED_EXPIRES_SHIFT));
  const text = (u32(meta) & CACHED_TEXT) != 0;
  const wakes = replaced != 0 && kindAt(entryAt(replaced)) == u32(CACHED_PENDING);
  const soonest = load64(shard + SHARD_SOONEST_OFFSET);
  if (expires != 0 && (soonest == 0 || expires < soonest)) {
    store64(shard + SHARD_SOONEST_OFFSET, expires); // pairs with the load in isFull
  }
  publish(claimed, claimedBytes, replaced != 0 ? marksOf(replaced) : 0);
  if (replaced != 0) {
    uncount(replaced);
    unlink(digestLow, digestHigh, text, true);
  }
  count(SHARD_LIVE_OFFSET, claimedBytes);
  if (kindAt(entry) != u32(CACHED_PENDING)) {
    count(SHARD_ENTRIES_OFFSET, 1);
    count(SHARD_SETS_OFFSET, 1);
  }
  unlockShard();
  return wakes && waitersAny(cacheWaiters(at)) ? FLAG_WAKE : 0;
}

/**
 * Begins to set the value of the key. Returns the offset of an entry: the host writes the value behind its header, and the key
 * behind that if it was not in the scratch, and calls `cacheCommit`. Or FLAG_EMPTY: with a ticket, which is not 0, the value is
 * not being computed with that ticket any more; or BUSY (the suspect is set), EVICTED, TOO_LARGE, SEGMENT_FULL, CORRUPT.
 */
export function cacheClaim(
  at: usize,
  bytes: u32,
  policy: u32,
  keyBytes: u32,
  text: bool,
  valueBytes: u32,
  kind: u32,
  ticket: f64,
  nowMs: f64,
): u32 {
  const failed = enter(at, bytes);
  if (failed != 0) return failed;
  if (ticket != 0 && !isOurs(locate(digestLow, digestHigh, text), ticket)) {
    unlockShard();
    return FLAG_EMPTY;
  }
  return begin(keyBytes, text, valueBytes, kind, policy, nowMs);
}

/** Sets the value that was written since `cacheClaim`; it expires at that time, 0: never. 0, FLAG_WAKE: wake all; EVICTED. */
export function cacheCommit(at: usize, bytes: u32, expiresMs: f64): u32 {
  if (selfCheck() != 0 || holding == 0 || load64(holding + SHARD_LOCK_OFFSET) != self) return EVICTED;
  select(at, bytes);
  bucketOf(digestLow);
  return finish(at, expiresMs);
}

/** The value was not written: the key keeps its value. */
export function cacheAbort(): void {
  if (holding != 0) unlockShard();
}

/**
 * Adds to the number that is the value of the key. Returns 0: `cacheNumber` is the sum; or, when the key has no value, the offset
 * of an entry with that number, as `cacheClaim`; or OBJECT_MISMATCH: the value is no number; TOO_LARGE: the sum is none, or the
 * entry has no place; or an error of `cacheClaim`.
 */
export function cacheAdd(
  at: usize,
  bytes: u32,
  policy: u32,
  keyBytes: u32,
  text: bool,
  amount: f64,
  nowMs: f64,
): u32 {
  const failed = enter(at, bytes);
  if (failed != 0) return failed;
  const position = locate(digestLow, digestHigh, text);
  const entry = entryAt(position);
  number = amount;
  if (position == 0 || kindAt(entry) == u32(CACHED_PENDING) || hasExpired(entry, nowMs)) {
    const made = begin(keyBytes, text, 8, CACHED_NUMBER, policy, nowMs);
    if (made >= u32(RESULT_OFFSETS)) store<u64>(usize(made) + CACHED_HEADER_BYTES, reinterpret<u64>(amount));
    return made;
  }
  let result: u32 = OBJECT_MISMATCH;
  if (kindAt(entry) == u32(CACHED_NUMBER)) {
    const sum = reinterpret<f64>(load64(entry + CACHED_HEADER_BYTES)) + amount;
    result = abs(sum) <= f64(COUNTER_MAX) ? 0 : TOO_LARGE;
    if (result == 0) {
      number = sum;
      store64(entry + CACHED_HEADER_BYTES, reinterpret<u64>(sum)); // pairs with the load in cacheFind
      mark(position);
    }
  }
  unlockShard();
  return result;
}

/**
 * Deletes the key; with a ticket, which is not 0, only if its value is being computed with that ticket. FLAG_PRESENT if it had a
 * value, with FLAG_WAKE: wake all; or 0; or BUSY (the suspect is set), EVICTED, CORRUPT.
 */
export function cacheDelete(at: usize, bytes: u32, text: bool, ticket: f64, nowMs: f64): u32 {
  const failed = enter(at, bytes);
  if (failed != 0) return failed;
  const position = locate(digestLow, digestHigh, text);
  let flags: u32 = 0;
  if (position != 0 && (ticket == 0 || isOurs(position, ticket))) {
    const entry = entryAt(position);
    if (kindAt(entry) == u32(CACHED_PENDING)) flags = u32(waitersAny(cacheWaiters(at)));
    else if (!hasExpired(entry, nowMs)) flags = FLAG_PRESENT;
    unlink(digestLow, digestHigh, text, false);
    uncount(position);
  }
  unlockShard();
  return flags;
}

/**
 * Says that this participant computes the value of the key, with a ticket of its choice, not 0. 0: it does; FLAG_PRESENT: the
 * key has a value; FLAG_EMPTY: another task computes it (the suspect is the participant that does it); or an error of
 * `cacheClaim`.
 */
export function cacheReserve(at: usize, bytes: u32, policy: u32, text: bool, ticket: f64, nowMs: f64): u32 {
  const failed = enter(at, bytes);
  if (failed != 0) return failed;
  const position = locate(digestLow, digestHigh, text);
  if (position != 0) {
    const entry = entryAt(position);
    const pending = kindAt(entry) == u32(CACHED_PENDING);
    const computed = isComputed(entry);
    if (computed || (!pending && !hasExpired(entry, nowMs))) {
      if (computed) setSuspect(load64(entry + CACHED_HEADER_BYTES));
      unlockShard();
      return computed ? FLAG_EMPTY : FLAG_PRESENT;
    }
  }
  const made = begin(0, text, 16, CACHED_PENDING, policy, nowMs);
  if (made < u32(RESULT_OFFSETS)) return made;
  store<u64>(usize(made) + CACHED_HEADER_BYTES, self);
  store<u64>(usize(made) + CACHED_HEADER_BYTES + 8, u64(ticket));
  finish(at, 0);
  return 0;
}

/** Drops everything in a shard, also if it is damaged. 0, FLAG_WAKE: wake all; or BUSY (the suspect is set), EVICTED. */
export function cacheClear(at: usize, bytes: u32, index: u32): u32 {
  const removed = selfCheck();
  if (removed != 0) return removed;
  settleCache();
  select(at, bytes);
  selectShard(index % shards);
  let failed = lockShard();
  if (failed == CORRUPT) failed = lockShard(); // it was released, and is not counted again
  if (failed != 0) return failed;
  empty();
  unlockShard();
  return waitersAny(cacheWaiters(at)) ? FLAG_WAKE : 0;
}
