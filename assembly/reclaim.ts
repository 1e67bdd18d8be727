/**
 * Values that nobody refers to are freed bit by bit: each change of any value does some of it, after its own step. Called with
 * the write lock; see `values.ts` for the list that this works off.
 *
 * | word    | written by                                      | read by                                               |
 * | ------- | ----------------------------------------------- | ----------------------------------------------------- |
 * | unused  | the holder of the write lock, by the journal    | the holder; whoever asks whether there is something   |
 * | a value in the list | the same, with its sequence         | readers that have no reference: they see it shrink    |
 *
 * The first value of the list:
 *  1. a dictionary with entries: the first entry is freed, and what its cell refers to is given back. That may put another value
 *     first in the list, which then is freed before this one goes on
 *  2. a list with items: the last item is given back
 *  3. a list or dictionary with chunks: the last chunk is freed
 *  4. anything else: it leaves the list, and is freed
 *
 * If a participant dies: each of these is one step, whole or undone. The next change of anybody goes on.
 *
 * Source of the idea: Weizenbaum, "Symmetric list processor", 1963: the list of what is to be freed holds only its top.
 */
import { BUSY, CORRUPT, EVICTED } from "../protocol/errors";
import {
  DICT_BUCKETS_OFFSET,
  DICT_CHUNKS_OFFSET,
  DICT_ENTRY_NEXT_OFFSET,
  DICT_FIRST_OFFSET,
  LIST_CHUNKS_OFFSET,
  VALUE_CELL_BYTES,
  VALUE_DICT,
  VALUE_ENTRY,
  VALUE_LENGTH_OFFSET,
  VALUE_LINK_OFFSET,
  VALUE_LIST,
  VALUE_UNUSED,
  VALUES_MORE,
  VALUES_UNUSED_OFFSET,
} from "../protocol/layout";
import { VALUES_FREED_PER_CHANGE } from "../protocol/limits";
import { elementAt, lastChunk } from "./chunks";
import { blockFree, heapChanging, isBlockWhole } from "./heap";
import { change } from "./journal";
import { kindOf, layoutAt } from "./kinds";
import { sequenceBegin } from "./sequence";
import {
  cellDrop,
  dropHandle,
  failed,
  giveLedgerUp,
  leftLedger,
  makeReference,
  makeRoot,
  makeValue,
  settleLedger,
  valuesBegin,
} from "./values";
import { load32 } from "./word";
import { endStep, releaseWriteLock } from "./write-lock";

/** Ends a change: the step of the caller, then some freeing, then the write lock is released. Returns `result`. */
export function valuesEnd(result: u32): u32 {
  if (endStep(!failed(result))) free(VALUES_FREED_PER_CHANGE);
  releaseWriteLock(true);
  return result;
}

/** Up to so many steps of freeing, each committed. How many there were. A damaged list is left alone. */
function free(steps: u32): u32 {
  let done: u32 = 0;
  while (done < steps && load32(VALUES_UNUSED_OFFSET) != 0) {
    heapChanging();
    const result = freeSome(load32(VALUES_UNUSED_OFFSET));
    if (!endStep(result == 0) || result != 0) break;
    done++;
  }
  return done;
}

/** One step. 0, or an error. */
function freeSome(value: u32): u32 {
  if (!isBlockWhole(value) || (load32(layoutAt(value)) & VALUE_UNUSED) == 0) return CORRUPT;
  const kind = kindOf(value);
  if (kind == VALUE_LIST || kind == VALUE_DICT) {
    sequenceBegin(value);
    if (kind == VALUE_DICT && load<u32>(value + DICT_FIRST_OFFSET) != 0) return freeEntry(value);
    if (kind == VALUE_LIST && load<u32>(value + VALUE_LENGTH_OFFSET) != 0) return freeItem(value);
    const at = lastChunk(value + (kind == VALUE_LIST ? LIST_CHUNKS_OFFSET : DICT_CHUNKS_OFFSET));
    if (at != 0) return freeChunk(value, kind, at);
  }
  change(VALUES_UNUSED_OFFSET, load<u32>(value + VALUE_LINK_OFFSET));
  return blockFree(value);
}

function freeEntry(dict: u32): u32 {
  const entry = load<u32>(dict + DICT_FIRST_OFFSET);
  if (!isBlockWhole(entry) || kindOf(entry) != VALUE_ENTRY) return CORRUPT;
  change(dict + DICT_FIRST_OFFSET, load<u32>(entry + DICT_ENTRY_NEXT_OFFSET));
  change(dict + DICT_BUCKETS_OFFSET, 0); // chains have entries that are gone
  return cellDrop(entry) ? blockFree(entry) : CORRUPT;
}

function freeItem(list: u32): u32 {
  const last = load<u32>(list + VALUE_LENGTH_OFFSET) - 1;
  const cell = elementAt(list + LIST_CHUNKS_OFFSET, last, VALUE_CELL_BYTES);
  if (cell == 0) return CORRUPT;
  change(list + VALUE_LENGTH_OFFSET, last);
  return cellDrop(cell) ? 0 : CORRUPT;
}

function freeChunk(value: u32, kind: u32, at: u32): u32 {
  const chunk = load<u32>(at);
  if (kind == VALUE_DICT) change(value + DICT_BUCKETS_OFFSET, 0);
  change(at, 0);
  return blockFree(chunk);
}

// --- functions for hosts -------------------------------------------------------------------------------------------------

/** Makes a value: see `makeValue`. The offset of its handle, or an error. */
export function valueMake(kind: u32, bytes: u32): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(makeValue(kind, bytes));
}

/** Takes a reference to a value: see `makeReference`. The offset of a handle, or an error. */
export function valueAcquire(value: u32, generation: u32): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(makeReference(value, generation));
}

/** Gives a handle back. 0, NOT_FOUND when it is none of this participant, or an error. */
export function valueRelease(handle: u32): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(dropHandle(handle));
}

/** Makes a value the root. 0, NOT_FOUND when there is no such value, or an error. */
export function valueSetRoot(value: u32, generation: u32): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(makeRoot(value, generation));
}

/** Gives all handles of this participant up, for one that leaves. 0, or an error. */
export function valuesLeave(): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(giveLedgerUp());
}

/** Whether there is something for `valuesSettle` to do. Takes no lock. */
export function valuesPending(): bool {
  return load32(VALUES_UNUSED_OFFSET) != 0 || leftLedger() != 0;
}

/**
 * Gives back what the dead have left, and frees what nobody refers to: up to so many steps. VALUES_MORE when there is more to
 * do, 0 when there is nothing, or an error.
 */
export function valuesSettle(steps: u32): u32 {
  if (!valuesPending()) return 0;
  const begun = valuesBegin();
  if (begun != 0) return begun;
  let result: u32 = 0;
  let done: u32 = 0;
  for (; done < steps && result == 0; done++) {
    const at = leftLedger();
    if (at == 0) break;
    heapChanging();
    result = settleLedger(at);
    if (!endStep(result == 0)) return EVICTED;
  }
  if (result == 0) done += free(steps - done);
  if (!endStep(true)) return EVICTED;
  releaseWriteLock(true);
  if (result != 0) return result == BUSY ? CORRUPT : result;
  return valuesPending() ? (done < steps ? CORRUPT : VALUES_MORE) : 0;
}
