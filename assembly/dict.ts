/**
 * A shared dictionary: strings lead to cells, in the order of insertion. Changes are made with the write lock, as steps of
 * `values.ts`; reading takes no lock. Look-up takes constant time, and so does growth: one bucket at a time.
 *
 *     the value    | header, length | first | last | inserted | buckets | chunk 0 | chunk 1 | ...
 *     buckets      | entry | entry | 0 | entry | ...       the first entry of each chain; `chunks.ts` has them
 *     an entry     | cell | number | chain | next | previous | hash | bytes of the key | key ... |      a block of its own
 *
 *     bucket of a hash, with 2^l <= buckets < 2^(l + 1): its lowest l + 1 bits, if that is one of the buckets; else its lowest l
 *     bits
 *
 * | word                                | written by                                    | read by                          |
 * | ----------------------------------- | --------------------------------------------- | -------------------------------- |
 * | length, first, last, buckets,       | the holder of the write lock, by the journal, | readers, between two `valueLook` |
 * | chains, order, cells                | while the sequence is odd                     |                                  |
 * | number, hash, key of an entry       | its maker, before it is in a chain            | the same                         |
 *
 * To set:                                             To look up:
 *  1. find the entry; if there is one, replace its     1. `valueLook`
 *     cell, and that is all                            2. `dictFind` leads to the next entry of the chain that has the hash
 *  2. make an entry: number, hash, key, cell           3. the host compares the key, then reads the cell and what it refers to
 *  3. last in the order, first in its chain            4. `valueLook` says the same as in 1; else from the beginning
 *  4. length + 1
 *  5. a step of its own: if there are more entries     To look at all in order: `dictNext` with the last entry, its generation
 *     and than buckets, there is one more bucket. The      its number. If that entry is gone, the next one is the first whose
 *     number chain that has its entries is split              is greater: nothing is seen twice, nothing that stays is missed
 *
 * Whatever the bytes are, a look-up ends: it follows no more entries than the heap has room for, and looks at nothing outside of
 * it. A chain longer than DICT_SPLIT_MAX is not split, because the journal of the smallest segment has no room for that. Only
 * keys that were chosen for it make such chains. There are never less buckets than there were.
 *
 * If a participant dies: a step is whole or undone; see `values.ts`. Between 4 and 5 the dictionary has one bucket less than it
 * would have, and the next insertion makes it.
 *
 * Source of the idea: linear hashing (Litwin, 1980), in memory as Larson has it (1988).
 */
import { CORRUPT, NOT_FOUND, NOT_SUPPORTED, TOO_LARGE } from "../protocol/errors";
import {
  DICT_BUCKETS_OFFSET,
  DICT_CHUNKS_OFFSET,
  DICT_ENTRY_CHAIN_OFFSET,
  DICT_ENTRY_HASH_OFFSET,
  DICT_ENTRY_KEY_BYTES_OFFSET,
  DICT_ENTRY_KEY_OFFSET,
  DICT_ENTRY_NEXT_OFFSET,
  DICT_ENTRY_NUMBER_OFFSET,
  DICT_ENTRY_PREVIOUS_OFFSET,
  DICT_FIRST_OFFSET,
  DICT_INSERTED_OFFSET,
  DICT_LAST_OFFSET,
  DICT_SPLIT_MAX,
  FLAG_EMPTY,
  FLAG_LINKS_CHANGED,
  RESULT_OFFSETS,
  VALUE_DICT,
  VALUE_ENTRY,
  VALUE_KEY_WIDE,
  VALUE_LENGTH_OFFSET,
} from "../protocol/layout";
import { VALUE_KEY_BYTES_MAX } from "../protocol/limits";
import { chunksCapacity, elementAt, elementFor, inHeap } from "./chunks";
import {
  blockAllocate,
  blockFree,
  blockGeneration,
  heapChanging,
  isBlockInUse,
  nextGeneration,
} from "./heap";
import { heapEnd, payload } from "./instance";
import { change, journalNote } from "./journal";
import { kindOf, markBlock } from "./kinds";
import { valuesEnd } from "./reclaim";
import { sequenceBegin } from "./sequence";
import {
  cellDrop,
  cellFill,
  cellOf,
  cellReplace,
  failed,
  isSame,
  isUnlinked,
  link,
  valuesBegin,
} from "./values";
import { load32 } from "./word";
import { endStep } from "./write-lock";

// --- keys ----------------------------------------------------------------------------------------------------------------

/** Bytes of a key, of its number of bytes with VALUE_KEY_WIDE. */
function bytesOf(key: u32): u32 {
  return key & ~VALUE_KEY_WIDE;
}

/** Hash of the `key` bytes at `at`: FNV-1a, and then its bits are mixed as MurmurHash3 does. */
function hashOf(at: u32, key: u32): u32 {
  let hash: u32 = 0x811c9dc5;
  const bytes = bytesOf(key);
  for (let i: u32 = 0; i < bytes; i++) hash = (hash ^ load<u8>(at + i)) * 0x01000193;
  hash = (hash ^ (hash >>> 16)) * 0x85ebca6b;
  hash = (hash ^ (hash >>> 13)) * 0xc2b2ae35;
  return hash ^ (hash >>> 16);
}

function isKeyOf(entry: u32, at: u32, key: u32): bool {
  if (load<u32>(entry + DICT_ENTRY_KEY_BYTES_OFFSET) != key) return false;
  return memory.compare(entry + DICT_ENTRY_KEY_OFFSET, at, bytesOf(key)) == 0;
}

// --- buckets and chains --------------------------------------------------------------------------------------------------

/** Number of the bucket of a hash. */
function bucketOf(hash: u32, buckets: u32): u32 {
  const mask: u32 = u32.MAX_VALUE >>> clz(buckets);
  const bucket = hash & mask;
  return bucket < buckets ? bucket : bucket & (mask >>> 1);
}

/** Where the first entry of the chain of a hash is referred to; 0 when there is no bucket, or a word is impossible. */
function chainAt(dict: u32, hash: u32): u32 {
  const buckets = load32(dict + DICT_BUCKETS_OFFSET);
  return buckets == 0 ? 0 : elementAt(dict + DICT_CHUNKS_OFFSET, bucketOf(hash, buckets), 4);
}

/** Whether an entry with its key lies there, as far as bounds go. */
function isEntry(entry: u32): bool {
  if (!inHeap(entry, DICT_ENTRY_KEY_OFFSET, 8)) return false;
  return inHeap(entry, u64(DICT_ENTRY_KEY_OFFSET) + bytesOf(load32(entry + DICT_ENTRY_KEY_BYTES_OFFSET)), 8);
}

/** No chain and no order has more entries. */
function entriesMax(): u32 {
  return (heapEnd - payload) >>> 6;
}

/**
 * The first entry with that hash behind the entry `after`, or of all for 0; 0 when there is none; CORRUPT when what it meets is
 * impossible, or is being changed. The caller has got a sequence from `valueLook`, and asks for it again before it believes the
 * result. Takes no lock.
 */
export function dictFind(dict: u32, hash: u32, after: u32): u32 {
  let at = after == 0 ? chainAt(dict, hash) : after + DICT_ENTRY_CHAIN_OFFSET;
  if (at == 0) return load32(dict + DICT_BUCKETS_OFFSET) == 0 ? 0 : CORRUPT;
  if (after != 0 && !isEntry(after)) return CORRUPT;
  for (let hops: u32 = 0; hops <= entriesMax(); hops++) {
    const entry = load32(at);
    if (entry == 0) return 0;
    if (!isEntry(entry)) return CORRUPT;
    if (load32(entry + DICT_ENTRY_HASH_OFFSET) == hash) return entry;
    at = entry + DICT_ENTRY_CHAIN_OFFSET;
  }
  return CORRUPT;
}

/**
 * The entry behind one in the order of insertion, or the first for 0; 0 at the end; CORRUPT as `dictFind`. `generation` and
 * `number` are those of the entry `after`.
 */
export function dictNext(dict: u32, after: u32, generation: u32, number: f64): u32 {
  let at = dict + DICT_FIRST_OFFSET;
  const stays =
    after != 0 && isBlockInUse(after) && kindOf(after) == VALUE_ENTRY && blockGeneration(after) == generation;
  if (stays) at = after + DICT_ENTRY_NEXT_OFFSET;
  for (let hops: u32 = 0; hops <= entriesMax(); hops++) {
    const entry = load32(at);
    if (entry == 0) return 0;
    if (!isEntry(entry)) return CORRUPT;
    if (after == 0 || load<u64>(entry + DICT_ENTRY_NUMBER_OFFSET) > u64(number)) return entry;
    at = entry + DICT_ENTRY_NEXT_OFFSET;
  }
  return CORRUPT;
}

/** What `find` has found: where the entry is referred to. */
let foundAt: u32 = 0;

/** With the write lock: the entry of a key; 0; or CORRUPT. */
function find(dict: u32, hash: u32, keyAt: u32, key: u32): u32 {
  foundAt = chainAt(dict, hash);
  if (foundAt == 0) return load<u32>(dict + DICT_BUCKETS_OFFSET) == 0 ? 0 : CORRUPT;
  for (let hops: u32 = 0; hops <= entriesMax(); hops++) {
    const entry = load<u32>(foundAt);
    if (entry == 0) return 0;
    if (!isEntry(entry)) return CORRUPT;
    if (load<u32>(entry + DICT_ENTRY_HASH_OFFSET) == hash && isKeyOf(entry, keyAt, key)) return entry;
    foundAt = entry + DICT_ENTRY_CHAIN_OFFSET;
  }
  return CORRUPT;
}

// --- changes -------------------------------------------------------------------------------------------------------------

/** 0 when it is a dictionary, and a key; else NOT_FOUND, TOO_LARGE. */
function check(dict: u32, generation: u32, keyAt: u32, key: u32): u32 {
  if (!isSame(dict, generation) || kindOf(dict) != VALUE_DICT) return NOT_FOUND;
  if (bytesOf(key) > u32(VALUE_KEY_BYTES_MAX)) return TOO_LARGE;
  return u64(keyAt) + bytesOf(key) <= u64(heapEnd) ? 0 : NOT_FOUND;
}

/**
 * Sets the entry of the key whose bytes lie at `keyAt`: `key` is their number, with VALUE_KEY_WIDE for UTF-16; kind, low and high
 * as in `cellOf`; `links` as for `listPush`. 0, FLAG_LINKS_CHANGED, NOT_FOUND when the dictionary, or the value, is not there any
 * more, NOT_SUPPORTED for the dictionary itself, TOO_LARGE for a key above VALUE_KEY_BYTES_MAX, SEGMENT_FULL, or as
 * `valuesBegin`.
 */
export function dictSet(
  dict: u32,
  generation: u32,
  keyAt: u32,
  key: u32,
  kind: u32,
  low: u32,
  high: u32,
  links: u32,
): u32 {
  const begun = valuesBegin();
  if (begun != 0) return begun;
  const result = set(dict, generation, keyAt, key, kind, low, high, links);
  if (failed(result) || load<u32>(dict + VALUE_LENGTH_OFFSET) <= load<u32>(dict + DICT_BUCKETS_OFFSET))
    return valuesEnd(result);
  if (!endStep(true)) return result;
  heapChanging();
  // There is no need for it: the next insertion tries again.
  endStep(split(dict) == 0);
  heapChanging();
  return valuesEnd(result);
}

function set(
  dict: u32,
  generation: u32,
  keyAt: u32,
  key: u32,
  kind: u32,
  low: u32,
  high: u32,
  links: u32,
): u32 {
  const checked = check(dict, generation, keyAt, key);
  if (checked != 0) return checked;
  if (kind == VALUE_DICT && low == dict) return NOT_SUPPORTED;
  const hash = hashOf(keyAt, key);
  const entry = find(dict, hash, keyAt, key);
  if (entry == CORRUPT) return CORRUPT;
  if (!isUnlinked(links)) return FLAG_LINKS_CHANGED;
  const made = cellOf(kind, low, high);
  if (made != 0) return made;
  if (entry == 0) {
    const added = add(dict, hash, keyAt, key);
    if (added != 0) return added;
  } else {
    sequenceBegin(dict);
    if (!cellReplace(entry)) return CORRUPT;
  }
  link(links);
  return 0;
}

/** A new entry, with the cell that `cellOf` has put together. */
function add(dict: u32, hash: u32, keyAt: u32, key: u32): u32 {
  const entry = blockAllocate(DICT_ENTRY_KEY_OFFSET + bytesOf(key), 8, nextGeneration());
  if (entry < u32(RESULT_OFFSETS)) return entry;
  markBlock(entry, VALUE_ENTRY);
  sequenceBegin(dict);
  if (load<u32>(dict + DICT_BUCKETS_OFFSET) == 0) {
    const first = elementFor(dict + DICT_CHUNKS_OFFSET, 0, 4);
    if (first < u32(RESULT_OFFSETS)) return first;
    store<u32>(first, 0);
    change(dict + DICT_BUCKETS_OFFSET, 1);
  }
  const bucket = chainAt(dict, hash);
  const last = load<u32>(dict + DICT_LAST_OFFSET);
  if (bucket == 0 || (last != 0 && !isEntry(last))) return CORRUPT;
  const number = load<u64>(dict + DICT_INSERTED_OFFSET) + 1;
  cellFill(entry);
  store<u64>(entry + DICT_ENTRY_NUMBER_OFFSET, number);
  store<u32>(entry + DICT_ENTRY_CHAIN_OFFSET, load<u32>(bucket));
  store<u32>(entry + DICT_ENTRY_NEXT_OFFSET, 0);
  store<u32>(entry + DICT_ENTRY_PREVIOUS_OFFSET, last);
  store<u32>(entry + DICT_ENTRY_HASH_OFFSET, hash);
  store<u32>(entry + DICT_ENTRY_KEY_BYTES_OFFSET, key);
  memory.copy(entry + DICT_ENTRY_KEY_OFFSET, keyAt, bytesOf(key));
  change(last == 0 ? dict + DICT_FIRST_OFFSET : last + DICT_ENTRY_NEXT_OFFSET, entry);
  change(dict + DICT_LAST_OFFSET, entry);
  changeNumber(dict, number);
  change(bucket, entry);
  change(dict + VALUE_LENGTH_OFFSET, load<u32>(dict + VALUE_LENGTH_OFFSET) + 1);
  return 0;
}

function changeNumber(dict: u32, number: u64): void {
  journalNote(dict + DICT_INSERTED_OFFSET);
  journalNote(dict + DICT_INSERTED_OFFSET + 4);
  store<u64>(dict + DICT_INSERTED_OFFSET, number);
}

/** One more bucket: the chain that has its entries is split. 0, or an error: then nothing is changed. */
function split(dict: u32): u32 {
  const buckets = load<u32>(dict + DICT_BUCKETS_OFFSET);
  if (buckets == 0 || buckets >= chunksCapacity()) return TOO_LARGE;
  const mask: u32 = u32.MAX_VALUE >>> clz(buckets);
  const from = elementAt(dict + DICT_CHUNKS_OFFSET, buckets & (mask >>> 1), 4);
  if (from == 0) return CORRUPT;
  let entry = load<u32>(from);
  let entries: u32 = 0;
  for (; entry != 0; entry = load<u32>(entry + DICT_ENTRY_CHAIN_OFFSET)) {
    if (!isEntry(entry)) return CORRUPT;
    if (entries++ == DICT_SPLIT_MAX) return TOO_LARGE;
  }
  sequenceBegin(dict);
  const to = elementFor(dict + DICT_CHUNKS_OFFSET, buckets, 4);
  if (to < u32(RESULT_OFFSETS)) return to;
  store<u32>(to, 0);
  change(dict + DICT_BUCKETS_OFFSET, buckets + 1);
  moveEntries(from, to, buckets, mask);
  return 0;
}

/** The entries of the chain at `from` whose hash, with `mask`, is `bucket` become that at `to`; both keep their order. */
function moveEntries(from: u32, to: u32, bucket: u32, mask: u32): void {
  let staysAt = from;
  let goesAt = to;
  let entry = load<u32>(from);
  // Looked at once more: a peer that keeps no rule may have made the chain longer, or lead elsewhere.
  for (let left: u32 = DICT_SPLIT_MAX; entry != 0 && left > 0 && isEntry(entry); left--) {
    const next = load<u32>(entry + DICT_ENTRY_CHAIN_OFFSET);
    const goes = (load<u32>(entry + DICT_ENTRY_HASH_OFFSET) & mask) == bucket;
    const at = goes ? goesAt : staysAt;
    if (load<u32>(at) != entry) change(at, entry);
    if (goes) goesAt = entry + DICT_ENTRY_CHAIN_OFFSET;
    else staysAt = entry + DICT_ENTRY_CHAIN_OFFSET;
    entry = next;
  }
  if (load<u32>(staysAt) != 0) change(staysAt, 0);
  if (load<u32>(goesAt) != 0) change(goesAt, 0);
}

/** Removes the entry of a key. 0, FLAG_EMPTY when there is none; NOT_FOUND, or as `valuesBegin`. */
export function dictDelete(dict: u32, generation: u32, keyAt: u32, key: u32): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(remove(dict, generation, keyAt, key));
}

function remove(dict: u32, generation: u32, keyAt: u32, key: u32): u32 {
  const checked = check(dict, generation, keyAt, key);
  if (checked != 0) return checked;
  const entry = find(dict, hashOf(keyAt, key), keyAt, key);
  if (entry == 0) return FLAG_EMPTY;
  if (entry == CORRUPT) return CORRUPT;
  const next = load<u32>(entry + DICT_ENTRY_NEXT_OFFSET);
  const previous = load<u32>(entry + DICT_ENTRY_PREVIOUS_OFFSET);
  if ((next != 0 && !isEntry(next)) || (previous != 0 && !isEntry(previous))) return CORRUPT;
  sequenceBegin(dict);
  change(foundAt, load<u32>(entry + DICT_ENTRY_CHAIN_OFFSET));
  change(next == 0 ? dict + DICT_LAST_OFFSET : next + DICT_ENTRY_PREVIOUS_OFFSET, previous);
  change(previous == 0 ? dict + DICT_FIRST_OFFSET : previous + DICT_ENTRY_NEXT_OFFSET, next);
  change(dict + VALUE_LENGTH_OFFSET, load<u32>(dict + VALUE_LENGTH_OFFSET) - 1);
  return cellDrop(entry) ? blockFree(entry) : CORRUPT;
}
