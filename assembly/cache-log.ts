/**
 * The shards of a cache: their logs and buckets, their locks, how room is made, and what a death leaves. `cache.ts` has what
 * hosts call, and says how the parts play together.
 *
 *     shard:  0      64     128      256                                L               + L/16    + L/32
 *             +------+------+--------+----------------------------------+---------------+---------+
 *             | lock | tail | oldest | log                              | buckets       | marks   |
 *             +------+------+--------+----------------------------------+---------------+---------+
 *
 *     entry:  | key bytes u32 | value bytes u32 | expires, kind u64 | digest u64 u64 | next u64 | value, padded to 8 | key |
 *
 *     positions only grow:  oldest <= tail <= oldest + L        index of a position = position mod L; no entry wraps around
 *
 * A bucket has the position of its newest entry, and `next` leads to older ones, down to one that is before `oldest`, which is no
 * entry any more. So whatever becomes too old leaves its bucket without a store.
 *
 * To make room (clock with a hand; evicting and tidying are the same movement), as long as the tail would come too close to
 * `oldest`:
 *  1. the oldest entry is the newest one with its key, has not expired, and stays: copy it to the tail, with one mark less;
 *     tail = its end; bucket = its new position
 *  2. oldest = its end
 *
 * It stays if it has a mark; also without one if most of the log is not in use, because values were replaced or deleted: then
 * room is made by tidying alone. After one lap, or when many were moved for one new entry, nothing stays any more. When nothing
 * may be evicted, every entry stays.
 *
 * If a participant dies with the lock of a shard: whoever takes the lock over finds a log between `oldest` and `tail` that is
 * whole, because a bucket gets a position only after the tail has passed that entry. After step 1, the key has two entries in
 * its bucket, and the newer one counts. Only the counts of entries and bytes may be wrong: `recount` walks through the log.
 * If a call is cut off (see `left-over.ts`): the private variable `holding` names the shard; the next call or the heartbeat
 * recounts it and releases its lock.
 *
 * Source of the idea: buckets that lead into a log, so that the end of the log is the end of each chain, are those of FASTER
 * (Chandramouli et al., 2018); Corbató's clock, 1968, with marks that count.
 */
import { BUSY, CORRUPT, SEGMENT_FULL } from "../protocol/errors";
import {
  CACHE_COUNTS_BYTES,
  CACHE_WAITERS_OFFSET,
  CACHED_ALIGNMENT,
  CACHED_DATA,
  CACHED_DIGEST_OFFSET,
  CACHED_EXPIRES_SHIFT,
  CACHED_HEADER_BYTES,
  CACHED_KEY_BYTES_OFFSET,
  CACHED_KIND_MASK,
  CACHED_META_OFFSET,
  CACHED_NEXT_OFFSET,
  CACHED_PADDING,
  CACHED_PENDING,
  CACHED_TEXT,
  CACHED_VALUE_BYTES_OFFSET,
  SHARD_ENTRIES_OFFSET,
  SHARD_EVICTED_OFFSET,
  SHARD_EXPIRED_OFFSET,
  SHARD_HEADER_BYTES,
  SHARD_LARGEST_OFFSET,
  SHARD_LIVE_OFFSET,
  SHARD_LOCK_OFFSET,
  SHARD_MARK_BYTES,
  SHARD_OLDEST_OFFSET,
  SHARD_SOONEST_OFFSET,
  SHARD_TAIL_OFFSET,
  SHARD_UNIT_BYTES,
} from "../protocol/layout";
import {
  CACHE_BYTES_MAX,
  CACHE_BYTES_MIN,
  CACHE_SHARD_SHIFT,
  CACHE_SHARDS_MAX,
  CACHE_SHARE_SHIFT,
} from "../protocol/limits";
import { participants, self, setSuspect, waitersBytes } from "./instance";
import { isLive, selfCheck } from "./participants";
import { load64, store64, swap64 } from "./word";

/** Marks of an entry: how often the hand passes it before it is evicted. */
const MARKS_MAX: u32 = 3;
/** How many entries with marks are moved for one new one. After that, marks do not count. */
const MOVES_MAX: u32 = 256;
/** How many are moved for one new one while the log has room for all of them. */
const TIDIED_MAX: u32 = 1024;
/** log bytes >> this: what must be free, or out of use, for that. Then at most three bytes are moved for each that is written. */
const ROOM_SHIFT: u32 = 2;
/** log bytes >> this: the most room that is kept free, so that entries can be moved, if larger ones may be evicted instead. */
const SPARE_SHIFT: u32 = 3;
/** A longer chain is damaged: a bucket has less than three entries on average, and its length has a Poisson distribution. */
export const CHAIN_MAX: u32 = 64;
/** The bits that a position may have. A larger one is damaged: sums must not overflow, and hosts get positions as f64. */
const POSITION_MASK: u64 = 0x01fffffffffffff0;

/** The cache that functions work on, and what follows from its bytes. */
let cache: usize = 0;
let cacheSize: u32 = 0;
export let shards: u32 = 0;
let shardBytes: u32 = 0;
export let units: u32 = 0;
export let logBytes: u32 = 0;
let firstShard: usize = 0;

/** The shard that functions work on, and its parts. */
export let shard: usize = 0;
let log: usize = 0;
let buckets: usize = 0;
let marks: usize = 0;

/** The shard whose lock we have, and its cache; 0: none. */
export let holding: usize = 0;
let holdingCache: usize = 0;
let holdingBytes: u32 = 0;

// --- where things are ----------------------------------------------------------------------------------------------------

function shardsOf(bytes: u32): u32 {
  const wanted = min(max(bytes >>> CACHE_SHARD_SHIFT, 1), u32(CACHE_SHARDS_MAX));
  return 1 << (31 - clz(wanted));
}

function shardBytesOf(bytes: u32): u32 {
  return (bytes / shardsOf(bytes)) & ~(SHARD_UNIT_BYTES - 1);
}

/** Bytes of the log of a shard, in units: each has a bucket and some marks besides. */
function unitsOf(bytes: u32): u32 {
  const each = SHARD_UNIT_BYTES + 8 + SHARD_UNIT_BYTES / SHARD_MARK_BYTES;
  return (shardBytesOf(bytes) - SHARD_HEADER_BYTES) / each;
}

export function countsOf(at: usize): usize {
  return at + CACHE_WAITERS_OFFSET + waitersBytes();
}

function shardsAt(at: usize): usize {
  return countsOf(at) + participants * CACHE_COUNTS_BYTES;
}

/** Bytes of the object; 0 when that is not allowed. */
export function cacheBytes(bytes: u32): u64 {
  if (bytes < u32(CACHE_BYTES_MIN) || bytes > u32(CACHE_BYTES_MAX)) return 0;
  return u64(shardsAt(0)) + u64(shardsOf(bytes)) * shardBytesOf(bytes);
}

export function cacheInitialise(at: usize, bytes: u32): void {
  memory.fill(at, 0, shardsAt(at) - at);
  select(at, bytes);
  for (let index: u32 = 0; index < shards; index++) {
    selectShard(index);
    memory.fill(shard, 0, SHARD_HEADER_BYTES);
    empty();
  }
}

export function select(at: usize, bytes: u32): void {
  if (at == cache && bytes == cacheSize) return;
  cache = 0; // a call that is cut off here must not be believed
  cacheSize = bytes;
  shards = shardsOf(bytes);
  shardBytes = shardBytesOf(bytes);
  units = unitsOf(bytes);
  logBytes = units * SHARD_UNIT_BYTES;
  firstShard = shardsAt(at);
  cache = at;
}

export function selectShard(index: u32): void {
  selectShardAt(firstShard + usize(index) * shardBytes);
}

function selectShardAt(at: usize): void {
  shard = at;
  log = at + SHARD_HEADER_BYTES;
  buckets = log + logBytes;
  marks = buckets + (usize(units) << 3);
}

/** How many shards a cache of so many bytes has. */
export function cacheShards(bytes: u32): u32 {
  return shardsOf(bytes);
}

/** How many buckets all of its shards have. */
export function cacheBuckets(bytes: u32): u32 {
  return shardsOf(bytes) * unitsOf(bytes);
}

/** The shard of a digest is selected; its bucket is returned. */
export function bucketOf(low: u64): usize {
  selectShard(u32(low >> 32) & (shards - 1));
  return bucketIn(low);
}

/** The bucket of a digest in the shard that is selected. */
export function bucketIn(low: u64): usize {
  return bucketAt(u32(low) % units);
}

export function bucketAt(index: u32): usize {
  return buckets + (usize(index) << 3);
}

export function entryAt(position: u64): usize {
  return log + usize(position % logBytes);
}

function markAt(position: u64): usize {
  return marks + usize(position % logBytes) / SHARD_MARK_BYTES;
}

/** Whether an entry may begin at a position; 0 is none, whatever `oldest` says. */
export function isInLog(position: u64, oldest: u64): bool {
  if (position == 0) return false;
  return position >= oldest && position - oldest < logBytes && (position & ~POSITION_MASK) == 0;
}

/** Bytes of an entry; more than any log has when they are not 32 bits. */
export function entryBytes(keyBytes: u32, valueBytes: u32): u32 {
  const bytes = u64(CACHED_HEADER_BYTES) + ((u64(valueBytes) + 7) & ~7) + keyBytes;
  return u32(min((bytes + (CACHED_ALIGNMENT - 1)) & ~u64(CACHED_ALIGNMENT - 1), 0xfffffff0));
}

/** Bytes of the largest entry of this cache. */
export function largestEntry(): u32 {
  return (logBytes >>> CACHE_SHARE_SHIFT) & ~(CACHED_ALIGNMENT - 1);
}

/** Bytes of the entry or padding at a position; 0 when it is damaged. */
export function bytesAt(position: u64): u32 {
  const at = entryAt(position);
  const contiguous = logBytes - u32(position % logBytes);
  const kind = u32(load<u64>(at + CACHED_META_OFFSET)) & CACHED_KIND_MASK;
  const valueBytes = load<u32>(at + CACHED_VALUE_BYTES_OFFSET);
  if (kind == CACHED_PADDING) return valueBytes == contiguous ? contiguous : 0;
  if (kind < u32(CACHED_DATA) || kind > u32(CACHED_PENDING)) return 0;
  const bytes = entryBytes(load<u32>(at + CACHED_KEY_BYTES_OFFSET), valueBytes);
  return bytes <= contiguous && bytes <= largestEntry() ? bytes : 0;
}

export function kindAt(at: usize): u32 {
  return u32(load<u64>(at + CACHED_META_OFFSET)) & CACHED_KIND_MASK;
}

export function hasExpired(at: usize, nowMs: f64): bool {
  const expires = load<u64>(at + CACHED_META_OFFSET) >> CACHED_EXPIRES_SHIFT;
  return expires != 0 && nowMs >= f64(expires);
}

/** Whether the entry has that key. */
export function isKey(at: usize, low: u64, high: u64, text: bool): bool {
  if (load<u64>(at + CACHED_DIGEST_OFFSET) != low || load<u64>(at + CACHED_DIGEST_OFFSET + 8) != high)
    return false;
  return ((u32(load<u64>(at + CACHED_META_OFFSET)) & CACHED_TEXT) != 0) == text;
}

/** An entry was used. */
export function mark(position: u64): void {
  const at = markAt(position);
  const known: u32 = load<u8>(at);
  if (known < MARKS_MAX) store<u8>(at, known + 1);
}

// --- the lock ------------------------------------------------------------------------------------------------------------

/** Takes the lock of the selected shard. 0; BUSY (the suspect is set); EVICTED, CORRUPT. */
export function lockShard(): u32 {
  const word = load64(shard + SHARD_LOCK_OFFSET);
  setSuspect(word);
  if (word != 0 && word != self && isLive(word)) return BUSY;
  holdingCache = cache;
  holdingBytes = cacheSize;
  holding = shard;
  if (!swap64(shard + SHARD_LOCK_OFFSET, word, self)) {
    holding = 0;
    setSuspect(load64(shard + SHARD_LOCK_OFFSET));
    return BUSY;
  }
  // If we were evicted before the CAS, the word names a participant that counts as dead, and the next one takes it over.
  const removed = selfCheck();
  if (removed != 0) {
    holding = 0;
    return removed;
  }
  const failed = word != 0 ? recount() : 0;
  if (failed != 0) unlockShard();
  return failed;
}

export function unlockShard(): void {
  swap64(shard + SHARD_LOCK_OFFSET, self, 0); // pairs with the load in lockShard
  holding = 0;
}

/** Releases the lock of a shard whose holder, this participant, was cut off. */
export function settleCache(): void {
  if (holding == 0) return;
  select(holdingCache, holdingBytes);
  selectShardAt(holding);
  if (load64(shard + SHARD_LOCK_OFFSET) == self) recount();
  unlockShard();
}

/** Counts entries and bytes anew. 0; CORRUPT: the log is damaged. */
function recount(): u32 {
  // Somebody was cut off who dropped everything (see `empty`).
  if (load64(shard + SHARD_TAIL_OFFSET) - load64(shard + SHARD_OLDEST_OFFSET) > u64(logBytes)) empty();
  return survey(-1);
}

/**
 * Walks through the log, drops what has expired, and counts anew the entries, their bytes, and when the next one expires. 0;
 * CORRUPT: the log is damaged.
 */
function survey(nowMs: f64): u32 {
  const tail = load64(shard + SHARD_TAIL_OFFSET);
  let position = load64(shard + SHARD_OLDEST_OFFSET);
  let entries: u64 = 0;
  let live: u64 = 0;
  let soonest: u64 = 0;
  let largest: u64 = 0;
  if (tail - position > u64(logBytes) || ((tail | position) & ~POSITION_MASK) != 0) return CORRUPT;
  while (position < tail) {
    const bytes = bytesAt(position);
    if (bytes == 0) return CORRUPT;
    const at = entryAt(position);
    if (isNewest(position)) {
      const meta = load<u64>(at + CACHED_META_OFFSET);
      const expires = meta >> CACHED_EXPIRES_SHIFT;
      if (hasExpired(at, nowMs)) {
        const text = (u32(meta) & CACHED_TEXT) != 0;
        unlink(load<u64>(at + CACHED_DIGEST_OFFSET), load<u64>(at + CACHED_DIGEST_OFFSET + 8), text, false);
        count(SHARD_EXPIRED_OFFSET, 1);
      } else {
        live += bytes;
        largest = max(largest, u64(bytes));
        if (kindAt(at) != u32(CACHED_PENDING)) entries++;
        if (expires != 0 && (soonest == 0 || expires < soonest)) soonest = expires;
      }
    }
    position += bytes;
  }
  store64(shard + SHARD_ENTRIES_OFFSET, entries); // pairs with the load in cacheCount
  store64(shard + SHARD_LIVE_OFFSET, live); // pairs with the load in makeRoom
  store64(shard + SHARD_SOONEST_OFFSET, soonest); // pairs with the load in isFull
  store64(shard + SHARD_LARGEST_OFFSET, largest); // pairs with the load in makeRoom
  return 0;
}

// --- with the lock -------------------------------------------------------------------------------------------------------

/** Position of the newest entry with that key in the selected shard; 0 if there is none. */
export function locate(low: u64, high: u64, text: bool): u64 {
  const oldest = load64(shard + SHARD_OLDEST_OFFSET);
  let position = load64(bucketIn(low));
  for (let step: u32 = 0; step < CHAIN_MAX && isInLog(position, oldest); step++) {
    const at = entryAt(position);
    if (isKey(at, low, high, text)) return position;
    const next = load64(at + CACHED_NEXT_OFFSET);
    if (next >= position) return 0;
    position = next;
  }
  return 0;
}

/** Whether an entry of the log can be found: it is the newest one with its key. Padding can not. */
function isNewest(position: u64): bool {
  const at = entryAt(position);
  const meta = load<u64>(at + CACHED_META_OFFSET);
  if ((u32(meta) & CACHED_KIND_MASK) == CACHED_PADDING) return false;
  const low = load<u64>(at + CACHED_DIGEST_OFFSET);
  return locate(low, load<u64>(at + CACHED_DIGEST_OFFSET + 8), (u32(meta) & CACHED_TEXT) != 0) == position;
}

/** Adds to a word of the shard, of which only the holder of its lock writes. */
export function count(word: usize, amount: i64): void {
  store64(shard + word, load64(shard + word) + u64(amount)); // pairs with the load in cacheCount
}

/** An entry that could be found is dropped. */
export function uncount(position: u64): void {
  if (kindAt(entryAt(position)) != u32(CACHED_PENDING)) count(SHARD_ENTRIES_OFFSET, -1);
  count(SHARD_LIVE_OFFSET, -i64(bytesAt(position)));
}

/** Bytes from the tail to the end of an entry that is written next, with the padding before it. */
function needed(tail: u64, bytes: u32): u32 {
  const contiguous = logBytes - u32(tail % logBytes);
  return bytes <= contiguous ? bytes : contiguous + bytes;
}

/** The tail, which may have been damaged since it was checked: where we write depends on it. */
function tailToWrite(): u64 {
  return load64(shard + SHARD_TAIL_OFFSET) & POSITION_MASK;
}

/** Writes the padding before an entry of so many bytes, if it needs any, and returns the position of the entry. */
export function place(bytes: u32): u64 {
  const tail = tailToWrite();
  const padding = needed(tail, bytes) - bytes;
  if (padding == 0) return tail;
  const at = entryAt(tail);
  store<u32>(at + CACHED_KEY_BYTES_OFFSET, 0);
  store<u32>(at + CACHED_VALUE_BYTES_OFFSET, padding);
  store<u64>(at + CACHED_META_OFFSET, CACHED_PADDING);
  return tail + padding;
}

/** Puts an entry that was written behind the tail into the log, and into its bucket. */
export function publish(position: u64, bytes: u32, marked: u32): void {
  const at = entryAt(position);
  const bucket = bucketIn(load<u64>(at + CACHED_DIGEST_OFFSET));
  store64(at + CACHED_NEXT_OFFSET, load64(bucket)); // pairs with the loads of chains
  store<u8>(markAt(position), marked);
  store64(shard + SHARD_TAIL_OFFSET, position + bytes); // pairs with the load in recount
  store64(bucket, position); // pairs with the load in cacheFind
}

/** The marks of an entry. */
export function marksOf(position: u64): u32 {
  return min(u32(load<u8>(markAt(position))), MARKS_MAX);
}

/** Copies an entry to the tail. False when there is no room for that. */
function move(position: u64, bytes: u32, oldest: u64): bool {
  const tail = load64(shard + SHARD_TAIL_OFFSET);
  if (tail + needed(tail, bytes) > oldest + logBytes) return false;
  const left = marksOf(position);
  const to = place(bytes);
  memory.copy(entryAt(to), entryAt(position), bytes);
  publish(to, bytes, left > 0 ? left - 1 : 0);
  return true;
}

/** Whether the value is being computed by a participant that is alive. */
export function isComputed(at: usize): bool {
  return kindAt(at) == u32(CACHED_PENDING) && isLive(load64(at + CACHED_HEADER_BYTES));
}

/** Whether an entry of so many bytes has no place beside those that must not be evicted. What has expired is dropped first. */
function isFull(bytes: u64, nowMs: f64): bool {
  if (load64(shard + SHARD_LIVE_OFFSET) + bytes <= u64(logBytes)) return false;
  const soonest = load64(shard + SHARD_SOONEST_OFFSET);
  if (soonest == 0 || nowMs < f64(soonest) || survey(nowMs) != 0) return true;
  return load64(shard + SHARD_LIVE_OFFSET) + bytes > u64(logBytes);
}

/** Whether the oldest entry stays in a cache that may evict it, when so many were moved for a new one of so many bytes. */
function isWorthMoving(oldest: u64, bytes: u32, moved: u32): bool {
  const live = load64(shard + SHARD_LIVE_OFFSET);
  if (live + bytes <= u64(logBytes - (logBytes >>> ROOM_SHIFT))) return moved < TIDIED_MAX;
  return moved < MOVES_MAX && (marksOf(oldest) > 0 || isComputed(entryAt(oldest)));
}

/**
 * Makes room for an entry of so many bytes. `keeps`: nothing may be evicted; `replaced`: bytes of the entry that it will replace.
 * 0; SEGMENT_FULL; CORRUPT: the log is damaged.
 */
export function makeRoom(bytes: u32, keeps: bool, replaced: u32, nowMs: f64): u32 {
  const known = min(load64(shard + SHARD_LARGEST_OFFSET), u64(logBytes));
  const largest = max(known, u64(bytes));
  // An entry and the padding before it take less than twice the largest one. So with `keeps`, each entry can be moved, and when
  // there is nothing else in the log than entries that are kept, and padding at its end, there is room enough.
  if (keeps && isFull(bytes + (largest << 2) - replaced, nowMs)) return SEGMENT_FULL;
  const spare = keeps ? largest << 1 : min(largest << 1, u64(logBytes >>> SPARE_SHIFT));
  if (largest != known) store64(shard + SHARD_LARGEST_OFFSET, largest); // pairs with the load above
  let moved: u32 = 0;
  const begin = load64(shard + SHARD_OLDEST_OFFSET);
  let oldest = begin;
  while (oldest - begin < u64(logBytes) << 1) {
    const tail = load64(shard + SHARD_TAIL_OFFSET);
    if (tail - oldest > u64(logBytes) || ((tail | oldest) & ~POSITION_MASK) != 0) return CORRUPT;
    if (tail + needed(tail, bytes) + spare <= oldest + logBytes) return 0;
    const again = oldest - begin >= u64(logBytes);
    // once around: what is left has no gap that is large enough
    if (keeps && again) return SEGMENT_FULL;
    const size = bytesAt(oldest);
    if (size == 0 || u64(size) > tail - oldest) return CORRUPT;
    if (isNewest(oldest)) {
      const expired = hasExpired(entryAt(oldest), nowMs);
      const stays = !expired && (keeps || (!again && isWorthMoving(oldest, bytes, moved)));
      if (stays && move(oldest, size, oldest)) {
        moved++;
      } else {
        if (keeps && !expired) return SEGMENT_FULL;
        uncount(oldest);
        count(expired ? SHARD_EXPIRED_OFFSET : SHARD_EVICTED_OFFSET, 1);
      }
    }
    oldest += size;
    store64(shard + SHARD_OLDEST_OFFSET, oldest); // pairs with the loads of `oldest` in cacheFind and cacheIsWhole
    load64(shard + SHARD_OLDEST_OFFSET); // a later plain store must not become visible before that store
  }
  return CORRUPT;
}

/**
 * Takes all entries of the key out of its bucket; the newest one last, or not at all (`keeps`). Until then it hides the others.
 */
export function unlink(low: u64, high: u64, text: bool, keeps: bool): void {
  const oldest = load64(shard + SHARD_OLDEST_OFFSET);
  let link = bucketIn(low);
  let newest: usize = 0;
  for (let step: u32 = 0; step < CHAIN_MAX; step++) {
    const position = load64(link);
    if (!isInLog(position, oldest)) break;
    const at = entryAt(position);
    const next = load64(at + CACHED_NEXT_OFFSET);
    if (next >= position) break;
    if (!isKey(at, low, high, text)) {
      link = at + CACHED_NEXT_OFFSET;
    } else if (newest == 0) {
      newest = link;
      link = at + CACHED_NEXT_OFFSET;
    } else {
      store64(link, next); // pairs with the loads of chains
    }
  }
  if (newest == 0 || keeps) return;
  const position = load64(newest);
  if (!isInLog(position, oldest)) return; // damaged meanwhile
  const next = load64(entryAt(position) + CACHED_NEXT_OFFSET);
  store64(newest, next); // pairs with the loads of chains
}

/** Drops everything in the selected shard, also if it is damaged. */
export function empty(): void {
  memory.fill(buckets, 0, usize(units) << 3); // pairs with the load in cacheFind
  memory.fill(marks, 0, usize(logBytes) / SHARD_MARK_BYTES);
  // Positions go on, so that who reads an entry of before notices it: a lap later, at the begin of the log.
  const oldest = load64(shard + SHARD_OLDEST_OFFSET) & POSITION_MASK;
  const tail = tailToWrite();
  const from = max(oldest, tail - oldest <= u64(logBytes) ? tail : oldest);
  const after = (from / logBytes + 2) * logBytes;
  const next = after <= POSITION_MASK ? after : u64(logBytes); // only damage leads there
  store64(shard + SHARD_TAIL_OFFSET, next); // pairs with the load in recount
  store64(shard + SHARD_OLDEST_OFFSET, next); // pairs with the loads of `oldest` in cacheFind and cacheIsWhole
  store64(shard + SHARD_ENTRIES_OFFSET, 0); // pairs with the load in cacheCount
  store64(shard + SHARD_LIVE_OFFSET, 0); // pairs with the load in makeRoom
}
