/**
 * Blocks, and the lists of the free ones: what the heap (`heap.ts`, with the drawing) is made of. Called with the write lock to
 * change things; every change goes through the journal, so that a death leaves nothing half done.
 *
 * Every offset that is read here is checked before it is used. What is impossible sets `corrupt`: then the change must not be
 * kept.
 */
import {
  BLOCK_BEFORE_OFFSET,
  BLOCK_BYTES_MIN,
  BLOCK_FREE,
  BLOCK_NEXT_OFFSET,
  BLOCK_PREVIOUS_OFFSET,
  BLOCK_SIZE_OFFSET,
  HEAP_COLUMNS,
  HEAP_COLUMNS_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
  HEAP_HEADS_OFFSET,
  HEAP_ROWS,
  HEAP_ROWS_OFFSET,
} from "../protocol/layout";
import { heapEnd, payload } from "./instance";
import { change } from "./journal";

/** Smallest size that is not in row 0. */
const ROW_ONE_BYTES: u32 = 128;
const ROW_ONE_SHIFT: u32 = 7;
const COLUMN_SHIFT: u32 = 4;

/** Blocks of one list that a request looks at before it is refused. It bounds the time with the write lock. */
const LOOKED_AT_MAX: u32 = 4096;

/** A word of the heap was found to be impossible since `trustBlocks`. */
export let corrupt: bool = false;

/** A change begins: nothing impossible was found yet. */
export function trustBlocks(): void {
  corrupt = false;
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
export function sizeChecked(block: u32): u32 {
  const size = blockSize(block);
  if (size >= u32(BLOCK_BYTES_MIN) && size % 8 == 0 && size <= heapEnd - block) return size;
  corrupt = true;
  return 0;
}

export function setSize(block: u32, size: u32, free: u32): void {
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

export function insert(block: u32, size: u32): void {
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

export function remove(block: u32, size: u32): void {
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
export function find(size: u32): u32 {
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

/** Size of the first block of the last list that has one: no free block is larger by more than 1/16. 0 when there is none. */
export function largestSize(): u32 {
  const rows = load<u32>(HEAP_ROWS_OFFSET);
  if (rows == 0) return 0;
  const row: u32 = 31 - clz(rows);
  if (row >= u32(HEAP_ROWS)) return 0;
  const columns = load<u32>(HEAP_COLUMNS_OFFSET + (row << 2));
  if (columns == 0) return 0;
  const column: u32 = (31 - clz(columns)) & (HEAP_COLUMNS - 1);
  const block = load<u32>(headOffset(row, column));
  return isBlockOffset(block) && blockIsFree(block) ? blockSize(block) : 0;
}

/** The first block of a list that must fit. */
function fitting(head: usize, size: u32): u32 {
  const block = load<u32>(head);
  if (block != 0 && linkable(block) && blockSize(block) >= size) return block;
  corrupt = true;
  return 0;
}

/**
 * The first block that fits of the list that `size` itself belongs to, where blocks are up to 1/16 larger or smaller: a request
 * may take the last block that there is. 0 when none of the first LOOKED_AT_MAX fits.
 */
export function findExact(size: u32): u32 {
  let block = load<u32>(headOffset(rowOf(size), columnOf(size)));
  for (let looked: u32 = 0; block != 0 && looked < LOOKED_AT_MAX; looked++) {
    if (!linkable(block)) return 0;
    if (blockSize(block) >= size) return block;
    block = load<u32>(block + BLOCK_NEXT_OFFSET);
  }
  return 0;
}
