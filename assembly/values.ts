/**
 * Shared values: strings, bytes, integers of any size, lists and dictionaries in the heap of the segment, and who refers to them.
 * Changes are made with the write lock (`write-lock.ts`): blocking, but only while its holder is alive. Reading takes no lock.
 *
 *     block header | count | link | sequence | length | bytes …                         a string, bytes, an integer, a box
 *     block header | count | link | sequence | length | 26 chunks                                a list: see `list.ts`
 *     block header | count | link | sequence | length | first | last | inserted | buckets | 26 chunks     a dictionary: `dict.ts`
 *       the layout of the block says its kind (`kinds.ts`), and its generation that it is still the same value
 *
 *     a cell         | kind u32 | 0 | content u64 |     an item of a list, or what an entry of a dictionary has:
 *                                                       null, a number …, or a reference: the offset of a value
 *     a handle       | value | ledger | next | previous |        a reference of a participant
 *     a ledger       | token of its owner | first handle | next ledger |
 *
 * | word                        | written by                                       | read by                                |
 * | --------------------------- | ------------------------------------------------ | -------------------------------------- |
 * | count, link, handles,       | the holder of the write lock, by the journal     | the holder; the count: tools           |
 * | ledgers, unused             |                                                  |                                        |
 * | length and bytes of a value | its maker, before anybody else knows of it       | readers                                |
 * | that cannot change          |                                                  |                                        |
 * | everything of a list or     | the holder of the write lock, by the journal,    | readers, between two calls of          |
 * | dictionary                  | while the sequence is odd (`sequence.ts`)        | `valueLook`                            |
 *
 * The count of a value is the number of cells, handles, roots, and messages of queues (`queue-values.ts`) that refer to it.
 * Moving a reference changes nobody's count.
 *
 *  1. to make a value: allocate it with count 1, and a handle in the ledger of the maker. It fills in bytes afterwards: nobody
 *     else knows of the value
 *  2. to refer to it from a cell: count + 1, and the cell
 *  3. to take a reference: count + 1, and a handle. The generation says that it is the value that was meant
 *  4. to give a reference back: the handle, or the cell, is gone, and count - 1
 *  5. a count that becomes 0: the value is marked as unused and put first in the list `unused`
 *  6. each later change works that list off a bit (`reclaim.ts`): one entry, item or block is freed at a time, and what it
 *     referred to is given back as in 4. No change frees a whole tree
 *
 * Each of these is one step: whole, or undone by the journal. A call makes its own step first, and then some of 6, each
 * committed by itself.
 *
 * Values that refer to each other in a circle would never be freed. To put a list or dictionary that others may refer to into
 * another one, or a new one that contains it:
 *
 *  1. `valuesLinks`
 *  2. the host looks through it: it must not contain what it is put into
 *  3. the step, with the number of 1: if somebody has done the same since 1, nothing is changed, and the host goes back to 1.
 *     Else the number changes in the same step
 *
 * A new value without such contents needs none of this (the number 0): nobody else can put anything into it. So of two hosts that
 * put A into B and B into A, the second one looks again. Each time that one looks again, another one has done its step.
 *
 * If a participant dies: within a step, it never happened. Its ledger stays, with a token that is not live; `valuesSettle` gives
 * its handles back one by one, and frees it. The same happens to the ledger of one that left without doing so.
 *
 * If a call is cut off and its participant lives on: the same for a step. A handle that was made, and that its host does not know
 * of, stays in its ledger until it leaves. In a transaction (`transactionBegin`) values are refused with BUSY.
 *
 * The next step would be a lock and a journal for each list and dictionary, so that two of them do not wait for each other.
 *
 * Source of the idea: reference counts (Collins, 1960), freed bit by bit (Weizenbaum, 1963); the ledger is that of a bank.
 */
import { BUSY, CORRUPT, NOT_FOUND, OBJECT_MISMATCH, TOO_LARGE } from "../protocol/errors";
import {
  DICT_BYTES,
  HANDLE_BYTES,
  HANDLE_LEDGER_OFFSET,
  HANDLE_NEXT_OFFSET,
  HANDLE_PREVIOUS_OFFSET,
  HANDLE_VALUE_OFFSET,
  HEAP_ROOT_OFFSET,
  LEDGER_BYTES,
  LEDGER_FIRST_OFFSET,
  LEDGER_NEXT_OFFSET,
  LEDGER_OWNER_OFFSET,
  LIST_BYTES,
  RESULT_OFFSETS,
  VALUE_BOX,
  VALUE_CELL_CONTENT_OFFSET,
  VALUE_CELL_KIND_OFFSET,
  VALUE_COPY,
  VALUE_COUNT_OFFSET,
  VALUE_DICT,
  VALUE_HANDLE,
  VALUE_HEADER_BYTES,
  VALUE_INTEGER,
  VALUE_LATIN1,
  VALUE_LEDGER,
  VALUE_LENGTH_OFFSET,
  VALUE_LINK_OFFSET,
  VALUE_LIST,
  VALUE_NULL,
  VALUE_SEQUENCE_OFFSET,
  VALUE_UNUSED,
  VALUES_LEDGERS_OFFSET,
  VALUES_LINKS_OFFSET,
  VALUES_UNUSED_OFFSET,
  VALUES_VERSION,
  VALUES_VERSION_OFFSET,
} from "../protocol/layout";
import { PARTICIPANTS_MAX } from "../protocol/limits";
import { inHeap } from "./chunks";
import {
  blockAllocate,
  blockFree,
  blockGeneration,
  heapChanging,
  isBlockInUse,
  isBlockWhole,
  nextGeneration,
} from "./heap";
import { heapEnd, self } from "./instance";
import { change, journalNote } from "./journal";
import { kindOf, layoutAt, markBlock } from "./kinds";
import { isLive } from "./participants";
import { load32, load64, store32 } from "./word";
import { outsideTransaction, takeWriteLock } from "./write-lock";

// --- steps ---------------------------------------------------------------------------------------------------------------

/** Takes the write lock for a change of values; 0, BUSY (the suspect is set), EVICTED, or OBJECT_MISMATCH. */
export function valuesBegin(): u32 {
  if (load32(VALUES_VERSION_OFFSET) > u32(VALUES_VERSION)) return OBJECT_MISMATCH;
  if (outsideTransaction() != 0) return BUSY;
  const failed = takeWriteLock();
  if (failed == 0) heapChanging();
  return failed;
}

/** A code is an error of the step: the step never happened. */
export function failed(result: u32): bool {
  return result >= 16 && result < u32(RESULT_OFFSETS);
}

// --- counts --------------------------------------------------------------------------------------------------------------

export function isReferred(kind: u32): bool {
  return kind >= u32(VALUE_LATIN1) && kind <= u32(VALUE_DICT);
}

/** Whether a value that somebody refers to begins there. With the write lock. */
export function isValue(value: u32): bool {
  return isBlockWhole(value) && isReferred(kindOf(value)) && (load32(layoutAt(value)) & VALUE_UNUSED) == 0;
}

export function isSame(value: u32, generation: u32): bool {
  return isValue(value) && blockGeneration(value) == generation;
}

/** One more refers to a value that `isValue`. False when that cannot be: nobody has so many references. */
export function countUp(value: u32): bool {
  const count = load<u32>(value + VALUE_COUNT_OFFSET);
  if (count == 0 || count == u32.MAX_VALUE) return false;
  change(value + VALUE_COUNT_OFFSET, count + 1);
  return true;
}

/** One less refers to it. False when no value is there: then the step must not be kept. */
export function giveBack(value: u32): bool {
  if (!isValue(value)) return false;
  const count = load<u32>(value + VALUE_COUNT_OFFSET);
  if (count == 0) return false;
  change(value + VALUE_COUNT_OFFSET, count - 1);
  if (count > 1) return true;
  change(layoutAt(value), load<u32>(layoutAt(value)) | VALUE_UNUSED);
  change(value + VALUE_LINK_OFFSET, load<u32>(VALUES_UNUSED_OFFSET));
  change(VALUES_UNUSED_OFFSET, value);
  return true;
}

/** How many refer to the value now; 0 when there is no such value. For display: others change it at any time. */
export function valueCount(value: u32, generation: u32): u32 {
  if (!isBlockInUse(value) || !isReferred(kindOf(value))) return 0;
  const count = load32(value + VALUE_COUNT_OFFSET);
  return blockGeneration(value) == generation ? count : 0;
}

// --- cells ---------------------------------------------------------------------------------------------------------------

/** What `cellOf` has put together. */
export let cellKind: u32 = 0;
export let cellLow: u32 = 0;
export let cellHigh: u32 = 0;

/**
 * Puts a cell together, with the write lock. `kind` and content are those of a cell; of a kind that is referred to, `low` is the
 * offset of the value and `high` its generation: it gets one more reference. With VALUE_COPY, `low` is where the bytes lie and
 * `high` their number, and a value is made of them. 0, or an error.
 */
export function cellOf(kind: u32, low: u32, high: u32): u32 {
  cellKind = kind & ~VALUE_COPY;
  cellLow = low;
  cellHigh = high;
  if (kind >= u32(VALUE_NULL) && kind <= u32(VALUE_INTEGER)) return 0;
  if (!isReferred(cellKind)) return NOT_FOUND;
  cellHigh = 0;
  if (kind == cellKind) {
    if (!isSame(low, high) || kindOf(low) != kind) return NOT_FOUND;
    return countUp(low) ? 0 : CORRUPT;
  }
  if (cellKind >= u32(VALUE_BOX) || u64(low) + high > u64(heapEnd)) return NOT_FOUND;
  const value = allocateValue(cellKind, high);
  if (value < u32(RESULT_OFFSETS)) return value;
  memory.copy(value + VALUE_HEADER_BYTES, low, high);
  cellLow = value;
  return 0;
}

/** Writes what `cellOf` has put together where nobody reads yet. */
export function cellFill(at: u32): void {
  store<u32>(at + VALUE_CELL_KIND_OFFSET, cellKind);
  store<u32>(at + VALUE_CELL_KIND_OFFSET + 4, 0);
  store<u32>(at + VALUE_CELL_CONTENT_OFFSET, cellLow);
  store<u32>(at + VALUE_CELL_CONTENT_OFFSET + 4, cellHigh);
}

/** Writes it over another cell, and gives back what that one refers to. False as `giveBack`. */
export function cellReplace(at: u32): bool {
  const kind = load<u32>(at + VALUE_CELL_KIND_OFFSET);
  const value = load<u32>(at + VALUE_CELL_CONTENT_OFFSET);
  change(at + VALUE_CELL_KIND_OFFSET, cellKind);
  change(at + VALUE_CELL_CONTENT_OFFSET, cellLow);
  change(at + VALUE_CELL_CONTENT_OFFSET + 4, cellHigh);
  return !isReferred(kind) || giveBack(value);
}

/** A cell ends: what it refers to is given back. False as `giveBack`. */
export function cellDrop(at: u32): bool {
  return (
    !isReferred(load<u32>(at + VALUE_CELL_KIND_OFFSET)) || giveBack(load<u32>(at + VALUE_CELL_CONTENT_OFFSET))
  );
}

// --- circles -------------------------------------------------------------------------------------------------------------

/** For step 1 of the opening comment; never 0. Takes no lock. */
export function valuesLinks(): u32 {
  return (load32(VALUES_LINKS_OFFSET) << 1) | 1;
}

/** Step 3 begins: whether `links` is still the number. With the write lock. */
export function isUnlinked(links: u32): bool {
  return links == 0 || links == valuesLinks();
}

/**
 * Step 3 ends: the number changes. The sequence of what was changed is odd: whoever gets the new number looks through that value
 * only after the step.
 */
export function link(links: u32): void {
  if (links == 0) return;
  journalNote(VALUES_LINKS_OFFSET);
  store32(VALUES_LINKS_OFFSET, load32(VALUES_LINKS_OFFSET) + 1); // pairs with the load in valuesLinks
}

// --- values --------------------------------------------------------------------------------------------------------------

/** A new value with count 1. `bytes`: of one that cannot change. An offset, or an error. */
function allocateValue(kind: u32, bytes: u32): u32 {
  const all =
    kind == VALUE_LIST ? u32(LIST_BYTES) : kind == VALUE_DICT ? u32(DICT_BYTES) : VALUE_HEADER_BYTES + bytes;
  if (all < bytes) return TOO_LARGE;
  const value = blockAllocate(all, 8, nextGeneration());
  if (value < u32(RESULT_OFFSETS)) return value;
  markBlock(value, kind);
  const changes = kind == VALUE_LIST || kind == VALUE_DICT;
  if (changes) memory.fill(value, 0, all);
  store<u32>(value + VALUE_COUNT_OFFSET, 1);
  store<u32>(value + VALUE_LINK_OFFSET, 0);
  store<u32>(value + VALUE_SEQUENCE_OFFSET, RESULT_OFFSETS);
  store<u32>(value + VALUE_LENGTH_OFFSET, changes ? 0 : bytes);
  return value;
}

/**
 * Step 1: makes a value, of the kinds that are referred to, with so many bytes; a list or dictionary is empty. Returns its
 * handle. The host writes the bytes, behind VALUE_HEADER_BYTES, before it passes the value on. SEGMENT_FULL, NOT_SUPPORTED for
 * another kind, or as `valuesBegin`.
 */
export function makeValue(kind: u32, bytes: u32): u32 {
  if (load<u32>(VALUES_VERSION_OFFSET) != u32(VALUES_VERSION)) change(VALUES_VERSION_OFFSET, VALUES_VERSION);
  const value = allocateValue(kind, bytes);
  return value < u32(RESULT_OFFSETS) ? value : makeHandle(value);
}

/** Step 3: an offset of a handle; NOT_FOUND when the value is not there any more. */
export function makeReference(value: u32, generation: u32): u32 {
  if (!isSame(value, generation)) return NOT_FOUND;
  return countUp(value) ? makeHandle(value) : CORRUPT;
}

/** Makes the value the root of the segment, instead of what was it before. 0, NOT_FOUND, or CORRUPT. */
export function makeRoot(value: u32, generation: u32): u32 {
  if (!isSame(value, generation)) return NOT_FOUND;
  if (!countUp(value) || !giveRootBack()) return CORRUPT;
  journalNote(HEAP_ROOT_OFFSET);
  store32(HEAP_ROOT_OFFSET, value); // pairs with the load in heapRoot
  return 0;
}

/** What was the root is not the root any more: if it is a value, it has one reference less. False when it is damaged. */
export function giveRootBack(): bool {
  const root = load32(HEAP_ROOT_OFFSET);
  if (root == 0 || !isBlockWhole(root) || !isReferred(kindOf(root))) return true;
  return giveBack(root);
}

// --- handles -------------------------------------------------------------------------------------------------------------

/** A handle of ours: the reference that the caller has counted becomes its. An offset, or an error. */
export function makeHandle(value: u32): u32 {
  const ledger = ownLedger();
  if (ledger < u32(RESULT_OFFSETS)) return ledger;
  const handle = blockAllocate(HANDLE_BYTES, 8, nextGeneration());
  if (handle < u32(RESULT_OFFSETS)) return handle;
  markBlock(handle, VALUE_HANDLE);
  const first = load<u32>(ledger + LEDGER_FIRST_OFFSET);
  store<u32>(handle + HANDLE_VALUE_OFFSET, value);
  store<u32>(handle + HANDLE_LEDGER_OFFSET, ledger);
  store<u32>(handle + HANDLE_NEXT_OFFSET, first);
  store<u32>(handle + HANDLE_PREVIOUS_OFFSET, 0);
  if (first != 0) {
    if (!isHandle(first)) return CORRUPT;
    change(first + HANDLE_PREVIOUS_OFFSET, handle);
  }
  change(ledger + LEDGER_FIRST_OFFSET, handle);
  return handle;
}

function isHandle(handle: u32): bool {
  return isBlockWhole(handle) && kindOf(handle) == VALUE_HANDLE;
}

function isLedger(ledger: u32): bool {
  return isBlockInUse(ledger) && kindOf(ledger) == VALUE_LEDGER;
}

/** Our ledger; a new one, first in the list, if we have none. An offset, or an error. */
function ownLedger(): u32 {
  const first = load<u32>(VALUES_LEDGERS_OFFSET);
  let hops: u32 = 0;
  for (let ledger = first; ledger != 0; ledger = load<u32>(ledger + LEDGER_NEXT_OFFSET)) {
    if (!isLedger(ledger) || hops++ > ledgersMax()) return CORRUPT;
    if (load<u64>(ledger + LEDGER_OWNER_OFFSET) == self) return ledger;
  }
  const made = blockAllocate(LEDGER_BYTES, 8, nextGeneration());
  if (made < u32(RESULT_OFFSETS)) return made;
  markBlock(made, VALUE_LEDGER);
  store<u64>(made + LEDGER_OWNER_OFFSET, self);
  store<u32>(made + LEDGER_FIRST_OFFSET, 0);
  store<u32>(made + LEDGER_NEXT_OFFSET, first);
  change(VALUES_LEDGERS_OFFSET, made);
  return made;
}

/** Those of the living, and of some that died since somebody looked: a list that is longer is damaged. */
function ledgersMax(): u32 {
  return 64 * PARTICIPANTS_MAX;
}

/** Step 4, of a handle of this participant: 0; NOT_FOUND when it is none of ours; CORRUPT. */
export function dropHandle(handle: u32): u32 {
  if (!isHandle(handle)) return NOT_FOUND;
  const ledger = load<u32>(handle + HANDLE_LEDGER_OFFSET);
  if (!isLedger(ledger) || load<u64>(ledger + LEDGER_OWNER_OFFSET) != self) return NOT_FOUND;
  return unlinkHandle(ledger, handle);
}

function unlinkHandle(ledger: u32, handle: u32): u32 {
  const next = load<u32>(handle + HANDLE_NEXT_OFFSET);
  const previous = load<u32>(handle + HANDLE_PREVIOUS_OFFSET);
  if ((next != 0 && !isHandle(next)) || (previous != 0 && !isHandle(previous))) return CORRUPT;
  if (next != 0) change(next + HANDLE_PREVIOUS_OFFSET, previous);
  change(previous != 0 ? usize(previous) + HANDLE_NEXT_OFFSET : usize(ledger) + LEDGER_FIRST_OFFSET, next);
  const value = load<u32>(handle + HANDLE_VALUE_OFFSET);
  if (!giveBack(value)) return CORRUPT;
  return blockFree(handle);
}

// --- what the dead have left ---------------------------------------------------------------------------------------------

/** Where the ledger of one that is not live is referred to; 0 when there is none. Takes no lock. */
export function leftLedger(): u32 {
  let at: u32 = VALUES_LEDGERS_OFFSET;
  for (let hops: u32 = 0; hops < ledgersMax(); hops++) {
    const ledger = load32(at);
    if (ledger == 0 || !isLedger(ledger)) return 0;
    if (!isLive(load64(ledger + LEDGER_OWNER_OFFSET))) return at;
    at = ledger + LEDGER_NEXT_OFFSET;
  }
  return 0;
}

/** One handle of that ledger is given back; or it has none, and ends. 0, or an error. With the write lock. */
export function settleLedger(at: u32): u32 {
  const ledger = load<u32>(at);
  const handle = load<u32>(ledger + LEDGER_FIRST_OFFSET);
  if (handle != 0) return isHandle(handle) ? unlinkHandle(ledger, handle) : CORRUPT;
  change(at, load<u32>(ledger + LEDGER_NEXT_OFFSET));
  return blockFree(ledger);
}

/** Gives this participant's ledger up: with its next change, somebody gives its handles back. For one that leaves. */
export function giveLedgerUp(): u32 {
  const first = load<u32>(VALUES_LEDGERS_OFFSET);
  let hops: u32 = 0;
  for (let ledger = first; ledger != 0; ledger = load<u32>(ledger + LEDGER_NEXT_OFFSET)) {
    if (!isLedger(ledger) || hops++ > ledgersMax()) return CORRUPT;
    if (load<u64>(ledger + LEDGER_OWNER_OFFSET) != self) continue;
    journalNote(ledger + LEDGER_OWNER_OFFSET);
    journalNote(ledger + LEDGER_OWNER_OFFSET + 4);
    store<u64>(ledger + LEDGER_OWNER_OFFSET, 0);
    return 0;
  }
  return 0;
}

/** Whether a value's bytes lie in the heap: for readers that have its length from there. */
export function bytesInHeap(value: u32, bytes: u32): bool {
  return inHeap(value, u64(VALUE_HEADER_BYTES) + bytes, 8);
}
