/**
 * A shared list: cells in chunks. Changes are made with the write lock, as steps of `values.ts`; reading takes no lock.
 *
 *     the value    | header, length | chunk 0 | chunk 1 | ...      see `chunks.ts`
 *     a chunk      | cell | cell | cell | cell |
 *
 * | word   | written by                                                        | read by                          |
 * | ------ | ----------------------------------------------------------------- | -------------------------------- |
 * | length | the holder of the write lock, by the journal                      | readers, between two `valueLook` |
 * | cells  | the same; a cell that is not below the length, before the length  | the same                         |
 *
 * To push:                                          To read item i:
 *  1. make the cell's value, or count its reference  1. `valueLook`
 *  2. the cell                                       2. i is below the length; `listItem` says where its cell lies
 *  3. length + 1                                     3. the host reads the cell, and what it refers to
 *                                                    4. `valueLook` says the same as in 1; else from the beginning
 *
 * To pop: length - 1. The reference of the cell becomes that of a handle, so that the host reads the value afterwards.
 *
 * If a participant dies: a step is whole or undone; see `values.ts`. A chunk stays when the items in it are gone.
 *
 * Source of the idea: Bagwell's VLists for the chunks; seqlocks for the readers.
 */
import { CORRUPT, NOT_FOUND, NOT_SUPPORTED } from "../protocol/errors";
import {
  ANSWER_CELL_OFFSET,
  FLAG_EMPTY,
  FLAG_LINKS_CHANGED,
  LIST_CHUNKS_OFFSET,
  RESULT_OFFSETS,
  VALUE_CELL_BYTES,
  VALUE_CELL_CONTENT_OFFSET,
  VALUE_CELL_KIND_OFFSET,
  VALUE_LENGTH_OFFSET,
  VALUE_LIST,
} from "../protocol/layout";
import { elementAt, elementFor } from "./chunks";
import { change } from "./journal";
import { kindOf } from "./kinds";
import { answers } from "./participants";
import { valuesEnd } from "./reclaim";
import { sequenceBegin } from "./sequence";
import {
  cellFill,
  cellOf,
  cellReplace,
  isReferred,
  isSame,
  isUnlinked,
  link,
  makeHandle,
  valuesBegin,
} from "./values";
import { load32 } from "./word";

/** Where the cell of an item lies; 0 when there is no such item, or what says so is being changed. Takes no lock. */
export function listItem(list: u32, index: u32): u32 {
  if (index >= load32(list + VALUE_LENGTH_OFFSET)) return 0;
  return elementAt(list + LIST_CHUNKS_OFFSET, index, VALUE_CELL_BYTES);
}

function isList(list: u32, generation: u32): bool {
  return isSame(list, generation) && kindOf(list) == VALUE_LIST;
}

/**
 * Appends an item; kind, low and high as in `cellOf`. `links` is that of `valuesLinks` from before a look for circles, or 0. 0;
 * FLAG_LINKS_CHANGED when that look does not count; NOT_FOUND when the list, or what is appended, is not there any more,
 * NOT_SUPPORTED for the list itself, SEGMENT_FULL, or as `valuesBegin`.
 */
export function listPush(list: u32, generation: u32, kind: u32, low: u32, high: u32, links: u32): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(push(list, generation, kind, low, high, links));
}

function push(list: u32, generation: u32, kind: u32, low: u32, high: u32, links: u32): u32 {
  if (!isList(list, generation)) return NOT_FOUND;
  if (kind == VALUE_LIST && low == list) return NOT_SUPPORTED;
  if (!isUnlinked(links)) return FLAG_LINKS_CHANGED;
  const made = cellOf(kind, low, high);
  if (made != 0) return made;
  const length = load<u32>(list + VALUE_LENGTH_OFFSET);
  sequenceBegin(list);
  const cell = elementFor(list + LIST_CHUNKS_OFFSET, length, VALUE_CELL_BYTES);
  if (cell < u32(RESULT_OFFSETS)) return cell;
  cellFill(cell);
  change(list + VALUE_LENGTH_OFFSET, length + 1);
  link(links);
  return 0;
}

/** Replaces an item. FLAG_EMPTY when there is none of that index; else as `listPush`. */
export function listSet(
  list: u32,
  generation: u32,
  index: u32,
  kind: u32,
  low: u32,
  high: u32,
  links: u32,
): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(replace(list, generation, index, kind, low, high, links));
}

function replace(list: u32, generation: u32, index: u32, kind: u32, low: u32, high: u32, links: u32): u32 {
  if (!isList(list, generation)) return NOT_FOUND;
  if (kind == VALUE_LIST && low == list) return NOT_SUPPORTED;
  if (index >= load<u32>(list + VALUE_LENGTH_OFFSET)) return FLAG_EMPTY;
  const cell = elementAt(list + LIST_CHUNKS_OFFSET, index, VALUE_CELL_BYTES);
  if (cell == 0) return CORRUPT;
  if (!isUnlinked(links)) return FLAG_LINKS_CHANGED;
  const made = cellOf(kind, low, high);
  if (made != 0) return made;
  sequenceBegin(list);
  if (!cellReplace(cell)) return CORRUPT;
  link(links);
  return 0;
}

/**
 * Takes the last item off: its cell is in the answers of this participant. 0; or the offset of a handle, when the cell refers to
 * a value: the host gives it back. FLAG_EMPTY when there is no item; NOT_FOUND, or as `valuesBegin`.
 */
export function listPop(list: u32, generation: u32): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(pop(list, generation));
}

function pop(list: u32, generation: u32): u32 {
  if (!isList(list, generation)) return NOT_FOUND;
  const length = load<u32>(list + VALUE_LENGTH_OFFSET);
  if (length == 0) return FLAG_EMPTY;
  const cell = elementAt(list + LIST_CHUNKS_OFFSET, length - 1, VALUE_CELL_BYTES);
  if (cell == 0) return CORRUPT;
  const kind = load<u32>(cell + VALUE_CELL_KIND_OFFSET);
  memory.copy(answers() + ANSWER_CELL_OFFSET, cell, VALUE_CELL_BYTES);
  let handle: u32 = 0;
  if (isReferred(kind)) {
    handle = makeHandle(load<u32>(cell + VALUE_CELL_CONTENT_OFFSET));
    if (handle < u32(RESULT_OFFSETS)) return handle;
  }
  sequenceBegin(list);
  change(list + VALUE_LENGTH_OFFSET, length - 1);
  return handle;
}
