/**
 * The heap: blocks of any size, allocated and freed in constant time. Called with the right to change things (`right.ts`).
 *
 *     payload                                                                        end of segment
 *     +-----------------+-----------------+-----------------------------------------+--------+
 *     | block           | block           | ...                                     | fence  |
 *     +-----------------+-----------------+-----------------------------------------+--------+
 *       | before u32 | size u32, bit 0: free | layout u32 | 0            | bytes ...  |         a block in use
 *       | before u32 | size u32, bit 0: free | next u32   | previous u32 | (unused)   |         a free block
 *
 *     free blocks are in one of 26 x 16 lists, by size: row 0 holds sizes below 128 in steps of 8, row r > 0 holds
 *     [2^(r+6), 2^(r+7)) in 16 steps; one bit per row and per list says where there is one
 *
 * | word                     | written by                                   | read by                                |
 * | ------------------------ | -------------------------------------------- | -------------------------------------- |
 * | all of the above         | the holder of the right, through the journal | the holder; `heapCheck`, by anyone      |
 * | changes                  | the holder, before and after                 | `heapCheck`: odd or changed = not still |
 *
 * To allocate:                                             To free:
 *  1. round the size up to the next list, so that any       1. merge with the block before, if that is free
 *     block of that list fits; find one by two bit scans    2. merge with the block behind, if that is free
 *  2. take it out of its list                               3. put the result into its list
 *  3. cut off what is left in front (alignment) and
 *     behind, and put it back
 *
 * Rounding up wastes at most 1/16 of a request in what is searched for, never in what is given: the rest is cut off. No two
 * free blocks are ever neighbours.
 *
 * If a participant dies: the next holder of the right rolls the journal back; no step is ever seen half done.
 *
 * Every offset that is read here is checked before it is used: whatever the bytes are, a call ends with a result or CORRUPT.
 *
 * Source of the idea: TLSF (Masmano, Ripoll, Crespo, Real, 2004), which also bounds the fragmentation; Knuth's boundary tags.
 */
import { CORRUPT, SEGMENT_FULL, TOO_LARGE } from "../protocol/errors";
import {
  BLOCK_BEFORE_OFFSET,
  BLOCK_BYTES_MIN,
  BLOCK_FREE,
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  BLOCK_NEXT_OFFSET,
  BLOCK_PREVIOUS_OFFSET,
  BLOCK_SIZE_OFFSET,
  HEAP_BLOCKS_OFFSET,
  HEAP_CHANGES_OFFSET,
  HEAP_COLUMNS,
  HEAP_COLUMNS_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
  HEAP_HEADS_OFFSET,
  HEAP_ROWS_OFFSET,
} from "../protocol/layout";
import { heapEnd, payload } from "./instance";
import { change, journalRoom } from "./journal";
import { load32, store32 } from "./word";

/** Smallest size that is not in row 0. */
const ROW_ONE_BYTES: u32 = 128;
const ROW_ONE_SHIFT: u32 = 7;
const COLUMN_SHIFT: u32 = 4;

/** A word of the heap was found to be impossible during the current change. */
let corrupt: bool = false;

/** From here on a walk over the heap means nothing. Somebody who died in the middle of a change may have left it so. */
export function heapChanging(): void {
  store32(HEAP_CHANGES_OFFSET, load32(HEAP_CHANGES_OFFSET) | 1); // pairs with the loads in heapCheck
}

/** The heap is whole again, and other than it was. */
export function heapWhole(): void {
  store32(HEAP_CHANGES_OFFSET, (load32(HEAP_CHANGES_OFFSET) | 1) + 1); // pairs with the loads in heapCheck
}

// --- blocks ------------------------------------------------------------------------------------------------------------

/** Whether a block can begin there. */
export function isBlockOffset(block: u32): bool {
  return block >= u32(payload) && block < heapEnd && block % 8 == 0;
}

export function blockSize(block: u32): u32 {
  return load<u32>(block + BLOCK_SIZE_OFFSET) & ~BLOCK_FREE;
}

export function blockIsFree(block: u32): bool {
  return (load<u32>(block + BLOCK_SIZE_OFFSET) & BLOCK_FREE) != 0;
}

/** The size, read once; 0 and the heap is corrupt when it is impossible. */
function sizeChecked(block: u32): u32 {
  const size = blockSize(block);
  if (size >= u32(BLOCK_BYTES_MIN) && size % 8 == 0 && size <= heapEnd - block) return size;
  corrupt = true;
  return 0;
}

function setSize(block: u32, size: u32, free: u32): void {
  change(block + BLOCK_SIZE_OFFSET, size | free);
  change(block + size + BLOCK_BEFORE_OFFSET, block);
}

// --- lists -------------------------------------------------------------------------------------------------------------

export function rowOf(size: u32): u32 {
  return size < ROW_ONE_BYTES ? 0 : 32 - clz(size) - ROW_ONE_SHIFT;
}

export function columnOf(size: u32): u32 {
  if (size < ROW_ONE_BYTES) return size >>> 3;
  return (size >>> (31 - clz(size) - COLUMN_SHIFT)) & (HEAP_COLUMNS - 1);
}

export function headOffset(row: u32, column: u32): usize {
  return HEAP_HEADS_OFFSET + ((row * HEAP_COLUMNS + column) << 2);
}

function linkable(block: u32): bool {
  if (block == 0 || (isBlockOffset(block) && blockIsFree(block))) return true;
  corrupt = true;
  return false;
}

function insert(block: u32, size: u32): void {
  const row = rowOf(size);
  const column = columnOf(size);
  const head = headOffset(row, column);
  const next = load<u32>(head);
  if (!linkable(next)) return;
  change(block + BLOCK_NEXT_OFFSET, next);
  change(block + BLOCK_PREVIOUS_OFFSET, 0);
  if (next != 0) change(next + BLOCK_PREVIOUS_OFFSET, block);
  else {
    const columns = HEAP_COLUMNS_OFFSET + (row << 2);
    change(columns, load<u32>(columns) | (1 << column));
    change(HEAP_ROWS_OFFSET, load<u32>(HEAP_ROWS_OFFSET) | (1 << row));
  }
  change(head, block);
  change(HEAP_FREE_UNITS_OFFSET, load<u32>(HEAP_FREE_UNITS_OFFSET) + (size >>> 3));
}

function remove(block: u32, size: u32): void {
  const row = rowOf(size);
  const column = columnOf(size);
  const next = load<u32>(block + BLOCK_NEXT_OFFSET);
  const previous = load<u32>(block + BLOCK_PREVIOUS_OFFSET);
  if (!linkable(next) || !linkable(previous)) return;
  if (next != 0) change(next + BLOCK_PREVIOUS_OFFSET, previous);
  if (previous != 0) change(previous + BLOCK_NEXT_OFFSET, next);
  else {
    change(headOffset(row, column), next);
    if (next == 0) forget(row, column);
  }
  change(HEAP_FREE_UNITS_OFFSET, load<u32>(HEAP_FREE_UNITS_OFFSET) - (size >>> 3));
}

/** The list is empty now. */
function forget(row: u32, column: u32): void {
  const columns = HEAP_COLUMNS_OFFSET + (row << 2);
  const left = load<u32>(columns) & ~(1 << column);
  change(columns, left);
  if (left == 0) change(HEAP_ROWS_OFFSET, load<u32>(HEAP_ROWS_OFFSET) & ~(1 << row));
}

/** A free block of at least `size` bytes, or 0. Every block of the list that is searched fits: the first will do. */
function find(size: u32): u32 {
  let wanted = size;
  if (wanted >= ROW_ONE_BYTES) {
    const step = (u32(1) << (31 - clz(wanted) - COLUMN_SHIFT)) - 1;
    if (wanted > u32.MAX_VALUE - step) return 0;
    wanted += step;
  }
  let row = rowOf(wanted);
  let columns = load<u32>(HEAP_COLUMNS_OFFSET + (row << 2)) & (u32.MAX_VALUE << columnOf(wanted));
  if (columns == 0) {
    const rows = row < 31 ? load<u32>(HEAP_ROWS_OFFSET) & (u32.MAX_VALUE << (row + 1)) : 0;
    if (rows == 0) return 0;
    row = ctz(rows);
    columns = load<u32>(HEAP_COLUMNS_OFFSET + (row << 2));
  }
  return fitting(headOffset(row, ctz(columns)), size);
}

/** The first block of a list that must fit. */
function fitting(head: usize, size: u32): u32 {
  const block = load<u32>(head);
  if (block != 0 && linkable(block) && blockSize(block) >= size) return block;
  corrupt = true;
  return 0;
}

/** The first block of the list that `size` itself belongs to, if it happens to fit: a large request may take all there is. */
function findExact(size: u32): u32 {
  const block = load<u32>(headOffset(rowOf(size), columnOf(size)));
  return block != 0 && linkable(block) && blockSize(block) >= size ? block : 0;
}

// --- allocate, free ------------------------------------------------------------------------------------------------------

/** Makes everything from the payload to the end one free block. Only while the segment is created. */
export function heapInitialise(): void {
  const size = heapEnd - payload;
  store<u32>(payload + BLOCK_BEFORE_OFFSET, 0);
  store<u32>(payload + BLOCK_SIZE_OFFSET, size | BLOCK_FREE);
  store<u32>(heapEnd + BLOCK_BEFORE_OFFSET, payload);
  store<u32>(heapEnd + BLOCK_SIZE_OFFSET, BLOCK_HEADER_BYTES);
  store<u32>(payload + BLOCK_NEXT_OFFSET, 0);
  store<u32>(payload + BLOCK_PREVIOUS_OFFSET, 0);
  const row = rowOf(size);
  store<u32>(HEAP_ROWS_OFFSET, 1 << row);
  store<u32>(HEAP_COLUMNS_OFFSET + (row << 2), 1 << columnOf(size));
  store<u32>(headOffset(row, columnOf(size)), payload);
  store<u32>(HEAP_FREE_UNITS_OFFSET, size >>> 3);
}

/**
 * A block with room for `bytes` at a multiple of `alignment` (a power of two from 8). Returns the offset of its bytes;
 * SEGMENT_FULL; TOO_LARGE when a transaction has filled the journal; or CORRUPT: then the change must not be kept.
 */
export function blockAllocate(bytes: u32, alignment: u32): u32 {
  if (!journalRoom()) return TOO_LARGE;
  if (bytes > heapEnd - payload) return SEGMENT_FULL;
  corrupt = false;
  const size = max(u32(BLOCK_BYTES_MIN), ((bytes + 7) & ~7) + BLOCK_HEADER_BYTES);
  // In front, up to alignment - 8 bytes may be cut off, and a cut is never smaller than a block.
  const searched = alignment > 8 ? size + alignment + BLOCK_BYTES_MIN : size;
  let block = find(searched);
  if (block == 0 && !corrupt) block = findExact(searched);
  if (corrupt) return CORRUPT;
  if (block == 0) return SEGMENT_FULL;
  let whole = sizeChecked(block);
  if (whole < searched) return CORRUPT;
  remove(block, whole);
  const front = alignment > 8 ? gapBefore(block, alignment) : 0;
  if (front != 0) {
    setSize(block, front, BLOCK_FREE);
    insert(block, front);
    block += front;
    whole -= front;
  }
  const rest = whole - size;
  if (rest >= u32(BLOCK_BYTES_MIN)) {
    setSize(block, size, 0);
    setSize(block + size, rest, BLOCK_FREE);
    insert(block + size, rest);
  } else setSize(block, whole, 0);
  change(block + BLOCK_LAYOUT_OFFSET, 0);
  change(block + BLOCK_PREVIOUS_OFFSET, 0);
  change(HEAP_BLOCKS_OFFSET, load<u32>(HEAP_BLOCKS_OFFSET) + 1);
  return corrupt ? CORRUPT : block + BLOCK_HEADER_BYTES;
}

/** Bytes to cut off so that the bytes of the block behind are aligned: 0, or at least a block. */
function gapBefore(block: u32, alignment: u32): u32 {
  const bytes = block + BLOCK_HEADER_BYTES;
  const gap = ((bytes + alignment - 1) & ~(alignment - 1)) - bytes;
  return gap == 0 || gap >= u32(BLOCK_BYTES_MIN) ? gap : gap + alignment;
}

/** Whether `offset` is where the bytes of a block in use begin, as far as its neighbours agree. */
export function isBlockInUse(offset: u32): bool {
  const block = offset - BLOCK_HEADER_BYTES;
  if (offset < u32(BLOCK_HEADER_BYTES) || !isBlockOffset(block) || blockIsFree(block)) return false;
  corrupt = false;
  const size = sizeChecked(block);
  return size != 0 && load<u32>(block + size + BLOCK_BEFORE_OFFSET) == block;
}

/** Gives a block back. 0; TOO_LARGE as above; CORRUPT when no block in use begins there or its surroundings are damaged. */
export function blockFree(offset: u32): u32 {
  if (!journalRoom()) return TOO_LARGE;
  if (!isBlockInUse(offset)) return CORRUPT;
  let block = offset - BLOCK_HEADER_BYTES;
  let size = sizeChecked(block);
  if (size == 0) return CORRUPT;
  const next = block + size;
  if (next != heapEnd && blockIsFree(next)) {
    const nextSize = sizeChecked(next);
    if (nextSize == 0) return CORRUPT;
    remove(next, nextSize);
    size += nextSize;
  }
  const before = load<u32>(block + BLOCK_BEFORE_OFFSET);
  if (before != 0 && isBlockOffset(before) && blockIsFree(before)) {
    const beforeSize = sizeChecked(before);
    if (before + beforeSize != block) return CORRUPT;
    remove(before, beforeSize);
    size += beforeSize;
    change(block + BLOCK_SIZE_OFFSET, 0); // nothing inside of a free block looks like one in use: freeing twice is noticed
    block = before;
  }
  setSize(block, size, BLOCK_FREE);
  insert(block, size);
  change(HEAP_BLOCKS_OFFSET, load<u32>(HEAP_BLOCKS_OFFSET) - 1);
  return corrupt ? CORRUPT : 0;
}
