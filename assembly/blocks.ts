/**
 * Blocks, and the lists of the free ones: what the heap (`heap.ts`, with the drawing) is made of. Called with the write lock to
 * change things; every change of a word that counts goes through the journal, so that a death leaves nothing half done. The
 * bytes of a free block behind its header do not count: a header that is put together there needs no note.
 *
 * Every offset that is read here is checked before it is used. Where a word is impossible, a function says so by what it returns:
 * 0 for a size, false, or CORRUPT. Then the change must not be kept.
 */
import { CORRUPT, SEGMENT_FULL } from "../protocol/errors";
import {
  BLOCK_BEFORE_OFFSET,
  BLOCK_BYTES_MIN,
  BLOCK_FREE,
  BLOCK_HEADER_BYTES,
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

/** Free blocks that a request looks at before it is refused. It bounds the time with the write lock. */
const LOOKED_AT_MAX: u32 = 4096;

/** In place of a size: it is impossible. */
export const DAMAGED: u32 = 1;

/** In place of the number of a list. */
const NO_LIST: u32 = u32.MAX_VALUE;

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

/** The size, read once; 0 when it is impossible. */
export function sizeChecked(block: u32): u32 {
  const size = blockSize(block);
  return size >= u32(BLOCK_BYTES_MIN) && size % 8 == 0 && size <= heapEnd - block ? size : 0;
}

/** The header of a block says its size, and that of the block behind says where this one begins. */
export function setSize(block: u32, size: u32, free: u32): void {
  change(block + BLOCK_SIZE_OFFSET, size | free);
  change(block + size + BLOCK_BEFORE_OFFSET, block);
}

/** As `setSize`, of a block that comes to lie behind the header of a free one. */
export function setSizeInside(block: u32, before: u32, size: u32, free: u32): void {
  store<u32>(block + BLOCK_BEFORE_OFFSET, before);
  store<u32>(block + BLOCK_SIZE_OFFSET, size | free);
  change(block + size + BLOCK_BEFORE_OFFSET, block);
}

/** Size of a block if it is free; 0 when it is in use, or the fence; DAMAGED. */
export function freeSize(block: u32): u32 {
  if (block == heapEnd || !blockIsFree(block)) return 0;
  const size = sizeChecked(block);
  return size == 0 ? DAMAGED : size;
}

/** Bytes to cut off so that the bytes of the block behind are aligned: 0, or at least a block. */
export function gapBefore(block: u32, alignment: u32): u32 {
  const bytes = block + BLOCK_HEADER_BYTES;
  const gap = ((bytes + alignment - 1) & ~(alignment - 1)) - bytes;
  return gap == 0 || gap >= u32(BLOCK_BYTES_MIN) ? gap : gap + alignment;
}

// --- lists -------------------------------------------------------------------------------------------------------------

export function rowOf(size: u32): u32 {
  return size < ROW_ONE_BYTES ? 0 : 32 - clz(size) - ROW_ONE_SHIFT;
}

export function columnOf(size: u32): u32 {
  if (size < ROW_ONE_BYTES) return size >>> 3;
  return (size >>> (31 - clz(size) - COLUMN_SHIFT)) & (HEAP_COLUMNS - 1);
}

/** Number of the list that blocks of this size are in. */
function listOf(size: u32): u32 {
  return rowOf(size) * HEAP_COLUMNS + columnOf(size);
}

function headOf(list: u32): usize {
  return HEAP_HEADS_OFFSET + (list << 2);
}

export function headOffset(row: u32, column: u32): usize {
  return headOf(row * HEAP_COLUMNS + column);
}

function columnsOffset(row: u32): usize {
  return HEAP_COLUMNS_OFFSET + (row << 2);
}

function linkable(block: u32): bool {
  return block == 0 || (isBlockOffset(block) && blockIsFree(block));
}

/** As many bytes as those of a size were free, and as many are. */
export function countFree(were: u32, are: u32): void {
  change(HEAP_FREE_UNITS_OFFSET, load<u32>(HEAP_FREE_UNITS_OFFSET) - (were >>> 3) + (are >>> 3));
}

/** Puts a free block first in the list of its size. False when the list is damaged. */
export function insert(block: u32, size: u32): bool {
  const list = listOf(size);
  if (!link(block, list, false)) return false;
  setBits(NO_LIST, list);
  return true;
}

/** Takes a free block out of the list of its size. False when the list is damaged. */
export function remove(block: u32, size: u32): bool {
  const list = listOf(size);
  if (!unlink(block, list)) return false;
  setBits(list, NO_LIST);
  return true;
}

/**
 * A free block becomes another one, which may begin elsewhere: `inside` of it, where nothing counts yet, or where a block was in
 * use. In the same list it takes the same place. False when a list is damaged.
 */
export function move(from: u32, fromSize: u32, to: u32, toSize: u32, inside: bool): bool {
  const left = listOf(fromSize);
  const come = listOf(toSize);
  if (left == come) return from == to || relink(from, to, left, inside);
  if (!unlink(from, left) || !link(to, come, inside)) return false;
  setBits(left, come);
  return true;
}

function setLinks(block: u32, next: u32, previous: u32, inside: bool): void {
  if (inside) {
    store<u32>(block + BLOCK_NEXT_OFFSET, next);
    store<u32>(block + BLOCK_PREVIOUS_OFFSET, previous);
  } else {
    change(block + BLOCK_NEXT_OFFSET, next);
    change(block + BLOCK_PREVIOUS_OFFSET, previous);
  }
}

function link(block: u32, list: u32, inside: bool): bool {
  const next = load<u32>(headOf(list));
  if (!linkable(next)) return false;
  setLinks(block, next, 0, inside);
  if (next != 0) change(next + BLOCK_PREVIOUS_OFFSET, block);
  change(headOf(list), block);
  return true;
}

function unlink(block: u32, list: u32): bool {
  const next = load<u32>(block + BLOCK_NEXT_OFFSET);
  const previous = load<u32>(block + BLOCK_PREVIOUS_OFFSET);
  if (!linkable(next) || !linkable(previous)) return false;
  if (next != 0) change(next + BLOCK_PREVIOUS_OFFSET, previous);
  change(previous != 0 ? usize(previous) + BLOCK_NEXT_OFFSET : headOf(list), next);
  return true;
}

function relink(from: u32, to: u32, list: u32, inside: bool): bool {
  const next = load<u32>(from + BLOCK_NEXT_OFFSET);
  const previous = load<u32>(from + BLOCK_PREVIOUS_OFFSET);
  if (!linkable(next) || !linkable(previous)) return false;
  setLinks(to, next, previous, inside);
  if (next != 0) change(next + BLOCK_PREVIOUS_OFFSET, to);
  change(previous != 0 ? usize(previous) + BLOCK_NEXT_OFFSET : headOf(list), to);
  return true;
}

/** The bits say what the lists say: one that a block has left, and one that a block has come to. */
function setBits(left: u32, come: u32): void {
  const emptied = left != NO_LIST && load<u32>(headOf(left)) == 0;
  let rows = load<u32>(HEAP_ROWS_OFFSET);
  if (come != NO_LIST) {
    const row = come / HEAP_COLUMNS;
    let columns = load<u32>(columnsOffset(row)) | (1 << (come % HEAP_COLUMNS));
    if (emptied && left / HEAP_COLUMNS == row) columns &= ~(1 << (left % HEAP_COLUMNS));
    changeTo(columnsOffset(row), columns);
    rows |= 1 << row;
  }
  if (emptied && (come == NO_LIST || left / HEAP_COLUMNS != come / HEAP_COLUMNS)) {
    const row = left / HEAP_COLUMNS;
    const columns = load<u32>(columnsOffset(row)) & ~(1 << (left % HEAP_COLUMNS));
    change(columnsOffset(row), columns);
    if (columns == 0) rows &= ~(1 << row);
  }
  changeTo(HEAP_ROWS_OFFSET, rows);
}

/** Notes nothing when the word has that value. */
function changeTo(at: usize, value: u32): void {
  if (load<u32>(at) != value) change(at, value);
}

// --- search --------------------------------------------------------------------------------------------------------------

/**
 * A free block that has room for `size` bytes behind the gap that the alignment wants. SEGMENT_FULL when there is none, or none
 * among LOOKED_AT_MAX of those that may have it; CORRUPT.
 */
export function find(size: u32, alignment: u32): u32 {
  const all = heapEnd - payload;
  if (size > all) return SEGMENT_FULL;
  // A block of so many bytes fits wherever it lies.
  const enough = alignment > 8 ? u64(size) + alignment + (BLOCK_BYTES_MIN - 8) : u64(size);
  if (enough <= all) {
    const block = findAtOnce(u32(enough));
    if (block != SEGMENT_FULL) return block;
  }
  return findSlowly(size, alignment, u32(min(enough, u64(all))));
}

/** The same for 8 bytes of alignment, where every block of the list that is searched fits: its first one will do. */
function findAtOnce(size: u32): u32 {
  let wanted = size;
  if (wanted >= ROW_ONE_BYTES) {
    const step = (u32(1) << (31 - clz(wanted) - COLUMN_SHIFT)) - 1;
    if (wanted > u32.MAX_VALUE - step) return SEGMENT_FULL;
    wanted += step;
  }
  let row = rowOf(wanted);
  let columns = load<u32>(columnsOffset(row)) & (u32.MAX_VALUE << columnOf(wanted));
  if (columns == 0) {
    const rows = row < 31 ? load<u32>(HEAP_ROWS_OFFSET) & (u32.MAX_VALUE << (row + 1)) : 0;
    if (rows == 0) return SEGMENT_FULL;
    row = ctz(rows);
    columns = load<u32>(columnsOffset(row));
  }
  const block = load<u32>(headOffset(row, ctz(columns)));
  return block != 0 && linkable(block) && blockSize(block) >= size ? block : CORRUPT;
}

/** Looks through the lists whose blocks may fit or not: from that of `size` to that of what fits wherever it lies. */
function findSlowly(size: u32, alignment: u32, enough: u32): u32 {
  const last = listOf(enough);
  let looked: u32 = 0;
  for (let list = listOf(size); list <= last; list++) {
    let block = load<u32>(headOf(list));
    while (block != 0) {
      if (looked++ == LOOKED_AT_MAX) return SEGMENT_FULL;
      if (!linkable(block)) return CORRUPT;
      const whole = sizeChecked(block);
      if (whole == 0) return CORRUPT;
      const gap = alignment > 8 ? gapBefore(block, alignment) : 0;
      if (whole >= size && whole - size >= gap) return block;
      block = load<u32>(block + BLOCK_NEXT_OFFSET);
    }
  }
  return SEGMENT_FULL;
}

/** Size of the first block of the last list that has one: no free block is larger by more than 1/16. 0 when there is none. */
export function largestSize(): u32 {
  const rows = load<u32>(HEAP_ROWS_OFFSET);
  if (rows == 0) return 0;
  const row: u32 = 31 - clz(rows);
  if (row >= u32(HEAP_ROWS)) return 0;
  const columns = load<u32>(columnsOffset(row));
  if (columns == 0) return 0;
  const column: u32 = (31 - clz(columns)) & (HEAP_COLUMNS - 1);
  const block = load<u32>(headOffset(row, column));
  return isBlockOffset(block) && blockIsFree(block) ? blockSize(block) : 0;
}
