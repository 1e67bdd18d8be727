/**
 * The journal: the holder of the write lock records the old value of each shared word before it changes the word. Wait-free.
 *
 *     +-------+---------------------+---------------------+-----
 *     | count | offset 0, old 0     | offset 1, old 1     | ...        u32 each
 *     +-------+---------------------+---------------------+-----
 *
 *     an offset that is a multiple of 4 is that of a word, and old is its value. The two low bits of another one are a number of
 *     bytes, 1 to 3, of the word at the offset without them: the top byte of old says how far into the word the first one lies,
 *     and the bytes below it are the old ones, the first lowest
 *
 * | word    | written by                   | read by                                                             |
 * | ------- | ---------------------------- | ------------------------------------------------------------------- |
 * | entries | the holder of the write lock | the holder, and a participant that takes the lock from a dead owner |
 * | count   | the same                     | the same                                                            |
 *
 * To change a word:          To commit:              To roll back:
 *  1. write entry[count]      1. count = 0            1. restore the words, from the last entry to the first
 *  2. count = count + 1                               2. count = 0
 *  3. change the word
 *
 * A transaction records only the bytes that it is going to write. Another participant may write to the other bytes of such a word
 * under another lock. Undoing the transaction does not change those bytes.
 *
 * These are plain stores: a participant reads them only after it has taken the lock, and taking the lock is a CAS.
 *
 * If the holder dies: after step 1 or 2, the word still has its old value, and rolling back stores that value again. After 3, or
 * before the commit: the next holder rolls back, and the change of the dead holder has never happened. After the commit: it has
 * happened. During rolling back: the next holder begins again at the last entry. Restoring a word twice gives the same value.
 *
 * If a call of the holder is cut off and the holder lives on: the same, with the holder as its own successor. Its private copy of
 * the count then differs from the shared one, by the entry of step 1 or by all entries: `journalBegin` forgets the copy.
 *
 * Source of the idea: undo logging, as in ARIES (Mohan et al., 1992) and Intel's PMDK, without the disk.
 */
import {
  DIRECTORY_NEXT_OFFSET,
  JOURNAL_COUNT_OFFSET,
  JOURNAL_ENTRIES_OFFSET,
  JOURNAL_ENTRY_BYTES,
} from "../protocol/layout";
import { JOURNAL_ENTRIES_PER_CHANGE } from "../protocol/limits";
import { journal, journalEntries, segmentBytes } from "./instance";

/** Entries that we have noted and not committed: what the shared word says is for others, and they can change it. */
let noted: u32 = 0;

function entry(index: u32): usize {
  return journal + JOURNAL_ENTRIES_OFFSET + index * JOURNAL_ENTRY_BYTES;
}

/** Entries that count now; at most the capacity, whatever the shared word says. */
export function journalCount(): u32 {
  return min(load<u32>(journal + JOURNAL_COUNT_OFFSET), journalEntries);
}

/** Whether one more change of the heap or the directory can be noted, whatever it does. */
export function journalRoom(): bool {
  return journalEntries - noted >= u32(JOURNAL_ENTRIES_PER_CHANGE);
}

/** Words that a transaction may still note, leaving room for one change of the heap. */
export function journalLeft(): u32 {
  return journalRoom() ? journalEntries - noted - u32(JOURNAL_ENTRIES_PER_CHANGE) : 0;
}

/** Notes the value of the 32-bit word at `at`. The caller has made sure of the room. */
export function journalNote(at: usize): void {
  noteEntry(u32(at), load<u32>(at));
}

function noteEntry(what: u32, old: u32): void {
  if (noted == journalEntries) unreachable(); // our own mistake: journalRoom was not asked
  store<u32>(entry(noted), what);
  store<u32>(entry(noted) + 4, old);
  noted++;
  store<u32>(journal + JOURNAL_COUNT_OFFSET, noted);
}

/**
 * Notes `count` bytes, 1 to 3, that lie in one word at `at`. The caller has made sure of the room.
 */
export function journalNoteBytes(at: usize, count: u32): void {
  let old = (u32(at) & 3) << 24;
  for (let i: u32 = 0; i < count; i++) old |= u32(load<u8>(at + i)) << (i << 3);
  noteEntry((u32(at) & ~3) | count, old);
}

/** Changes a 32-bit word so that it can be undone. */
export function change(at: usize, value: u32): void {
  journalNote(at);
  store<u32>(at, value);
}

/** The write lock was taken: nothing was noted by us, whatever a call of ours that was cut off thought. */
export function journalBegin(): void {
  noted = 0;
}

/** Where the journal ends now, for `journalRollBackTo`. */
export function journalMark(): u32 {
  return noted;
}

/** What was changed since the last commit stays. */
export function journalCommit(): void {
  noted = 0;
  store<u32>(journal + JOURNAL_COUNT_OFFSET, 0);
}

/** Restores every word and byte that was noted. Bounded; an entry that the protocol cannot have written is passed over. */
export function journalRollBack(): void {
  journalRollBackTo(0);
}

/** Restores every word and byte that was noted since the journal ended at `mark`. */
export function journalRollBackTo(mark: u32): void {
  for (let left = journalCount(); left > mark; left--) {
    const what = load<u32>(entry(left - 1));
    const word = what & ~3;
    if (word >= u32(DIRECTORY_NEXT_OFFSET) && u64(word) + 4 <= segmentBytes) {
      restore(word, what & 3, load<u32>(entry(left - 1) + 4));
    }
  }
  noted = mark;
  store<u32>(journal + JOURNAL_COUNT_OFFSET, mark);
}

/** Restores a word (count 0), or that many bytes of it. */
function restore(word: usize, count: u32, old: u32): void {
  if (count == 0) {
    store<u32>(word, old);
    return;
  }
  const first = old >>> 24;
  if (first + count > 4) return;
  for (let i: u32 = 0; i < count; i++) store<u8>(word + first + i, old >>> (i << 3));
}
