/**
 * What one opener of a segment knows and no peer can change: the globals of its Wasm instance. `validate` and `join`
 * fill them once; every other function trusts them and nothing else.
 */
import {
  BLOCK_HEADER_BYTES,
  ENTRY_BYTES,
  JOURNAL_ENTRIES_OFFSET,
  JOURNAL_ENTRY_BYTES,
  OBJECT_ALIGNMENT,
  PARTICIPANT_BYTES,
  PARTICIPANTS_OFFSET,
  WAITERS_WORDS_OFFSET,
} from "../protocol/layout";
import {
  DIRECTORY_BYTES_PER_ENTRY,
  DIRECTORY_ENTRIES_MAX,
  DIRECTORY_ENTRIES_MIN,
  HEAP_BYTES_MIN,
  JOURNAL_BYTES_PER_ENTRY,
  JOURNAL_ENTRIES_MAX,
  JOURNAL_ENTRIES_MIN,
} from "../protocol/limits";

/** Bytes of the segment, as mapped. */
export let segmentBytes: u64 = 0;
/** Participant slots. */
export let participants: u32 = 0;
export let directoryEntries: u32 = 0;
/** Where the heap begins, and where its fence lies. */
export let payload: u32 = 0;
export let heapEnd: u32 = 0;
/** The journal, and how many entries it has. */
export let journal: usize = 0;
export let journalEntries: u32 = 0;

/** Our slot, and our token (see `token.ts`). Zero until joined. */
export let selfSlot: u32 = 0;
export let self: u64 = 0;

/** The owner that stood in the way when a function returned BUSY; see `participants.ts`, suspectSlot. */
export let suspect: u64 = 0;

/** The last addresses stay free, so that no end of anything is the offset 2^32, which 32 bits cannot hold. */
const END_MAX: u64 = 0xffffff80;

/**
 * Everything that follows from the size of a segment, its number of slots, and the bytes that it had at `first`. False when it
 * is too small for them.
 */
export function setGeometry(bytes: u64, slots: u32, first: u64): bool {
  segmentBytes = bytes;
  participants = slots;
  directoryEntries = bounded(first / DIRECTORY_BYTES_PER_ENTRY, DIRECTORY_ENTRIES_MIN, DIRECTORY_ENTRIES_MAX);
  journalEntries = bounded(first / JOURNAL_BYTES_PER_ENTRY, JOURNAL_ENTRIES_MIN, JOURNAL_ENTRIES_MAX);
  journal = PARTICIPANTS_OFFSET + slots * PARTICIPANT_BYTES;
  const begin = alignObject(
    u64(journal) + JOURNAL_ENTRIES_OFFSET + u64(journalEntries) * JOURNAL_ENTRY_BYTES,
  );
  heapEnd = u32(min(bytes, END_MAX)) - BLOCK_HEADER_BYTES;
  payload = u32(begin);
  return heapEndMin() <= u64(heapEnd);
}

/** The fence cannot lie before: directory and heap have their least room. */
export function heapEndMin(): u64 {
  return u64(payload) + u64(directoryEntries) * ENTRY_BYTES + HEAP_BYTES_MIN + 8;
}

function bounded(value: u64, least: u64, most: u64): u32 {
  return u32(max(min(value, most), least));
}

export function setSelf(slot: u32, token: u64): void {
  selfSlot = slot;
  self = token;
}

export function setSuspect(owner: u64): void {
  suspect = owner;
}

export function alignObject(bytes: u64): u64 {
  return (bytes + (OBJECT_ALIGNMENT - 1)) & ~u64(OBJECT_ALIGNMENT - 1);
}

/** Where the entries of the directory lie: in the first block of the heap. */
export function directoryOffset(): usize {
  return usize(payload + OBJECT_ALIGNMENT);
}

/** Bytes of one set of waiters in this segment. */
export function waitersBytes(): u32 {
  return u32(alignObject(u64(WAITERS_WORDS_OFFSET + (participants >>> 3))));
}
