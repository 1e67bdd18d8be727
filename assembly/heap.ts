/**
 * The heap: blocks of any size, allocated and freed in constant time. Called with the write lock (`write-lock.ts`).
 *
 *     payload                                                                        end of segment
 *     +-----------------+-----------------+-----------------------------------------+--------+
 *     | block           | block           | ...                                     | fence  |
 *     +-----------------+-----------------+-----------------------------------------+--------+
 *       | before u32 | size u32, bit 0: free | layout u32 | generation   | bytes ...  |         a block in use
 *       | before u32 | size u32, bit 0: free | next u32   | previous u32 | (unused)   |         a free block
 *
 *     free blocks are in one of 26 x 16 lists, by size: row 0 holds sizes below 128 in steps of 8, row r > 0 holds
 *     [2^(r+6), 2^(r+7)) in 16 steps; one bit per row and per list says where there is one
 *
 * | word                     | written by                                   | read by                                |
 * | ------------------------ | -------------------------------------------- | -------------------------------------- |
 * | all of the above         | the holder of the write lock, through the journal | the holder; `heapCheck`, by anyone      |
 * | changes                  | the holder, when a change has ended          | with the write lock, whoever looks     |
 * |                          |                                              | from outside: see `heapLook`           |
 *
 * To allocate:                                             To free:
 *  1. round the size (with an alignment, the size and       1. merge with the block before, if that is free
 *     the largest gap) up to the next list, so that any     2. merge with the block behind, if that is free
 *     block of that list fits; find one by two bit scans    3. put the result into its list
 *  2. there is none: look at the blocks of the lists
 *     where one may fit by chance, each with its own gap
 *  3. take it out of its list
 *  4. cut off what is left in front (alignment) and
 *     behind, and put it back
 *
 * Rounding up wastes at most 1/16 of a request in what is searched for, never in what is given: the rest is cut off. Only a
 * request that would be refused takes step 2, and looks at no more than LOOKED_AT_MAX blocks. No two free blocks are ever
 * neighbours. A transaction that allocates and frees does the second last: what it allocates may be cut from a free block without
 * noting what was in there.
 *
 * If a participant dies: the next holder of the write lock rolls the journal back; no step is ever seen half done.
 *
 * Every offset that is read is checked before it is used (see `blocks.ts`, which has the lists): whatever the bytes are, a call
 * ends with a result or CORRUPT.
 *
 * Source of the idea: TLSF (Masmano, Ripoll, Crespo, Real, 2004), which also bounds the fragmentation; Knuth's boundary tags.
 */
import { CORRUPT, SEGMENT_FULL, TOO_LARGE } from "../protocol/errors";
import {
  BLOCK_BEFORE_OFFSET,
  BLOCK_BYTES_MIN,
  BLOCK_FREE,
  BLOCK_GENERATION_OFFSET,
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  BLOCK_NEXT_OFFSET,
  BLOCK_PREVIOUS_OFFSET,
  BLOCK_SIZE_OFFSET,
  HEAP_BLOCKS_OFFSET,
  HEAP_CHANGES_OFFSET,
  HEAP_CHANGING,
  HEAP_COLUMNS_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
  HEAP_GENERATION_OFFSET,
  HEAP_ROWS_OFFSET,
  RESULT_OFFSETS,
  SEGMENT_LOCK_OFFSET,
} from "../protocol/layout";
import {
  blockIsFree,
  columnOf,
  countFree,
  DAMAGED,
  find,
  freeSize,
  gapBefore,
  headOffset,
  insert,
  isBlockOffset,
  move,
  remove,
  rowOf,
  setSize,
  setSizeInside,
  sizeChecked,
} from "./blocks";
import { heapEnd, payload, self } from "./instance";
import { change, journalRoom } from "./journal";
import { load32, load64 } from "./word";

/** We are changing the heap: seen by another call, that one was cut off. */
let changing: bool = false;

/** A change begins. Others see that by the write lock. */
export function heapChanging(): void {
  changing = true;
}

/** The heap is whole again, and other than it was. A plain store: the write lock is given back after it. */
export function heapWhole(): void {
  store<u32>(HEAP_CHANGES_OFFSET, load<u32>(HEAP_CHANGES_OFFSET) + 1); // pairs with the load in heapLook
  changing = false;
}

/**
 * What to compare before and after a look at the heap: the look counts when both are the same number of changes, and not
 * HEAP_CHANGING: somebody else has the write lock, or a call of ours was cut off in the middle. A holder takes the lock before
 * its first change, counts after its last one, and then gives the lock back: whoever finds the lock free twice, with the same
 * number of changes, has seen none of it.
 */
export function heapLook(): u32 {
  const owner = load64(SEGMENT_LOCK_OFFSET);
  if (owner != 0 && (owner != self || changing)) return HEAP_CHANGING;
  const changes = load32(HEAP_CHANGES_OFFSET);
  return changes == HEAP_CHANGING ? 0 : changes;
}

/**
 * A number that no block has had before, until 2^31 of them were allocated. It is odd: links of free blocks, which take the word
 * when the block is freed, are even. It is not noted in the journal: a block of a transaction that was undone does not come
 * back under the same number.
 */
export function nextGeneration(): u32 {
  const generation = (load<u32>(HEAP_GENERATION_OFFSET) + 1) | 1;
  store<u32>(HEAP_GENERATION_OFFSET, generation);
  return generation;
}

/** Generation of the block in use whose bytes begin at `offset`. */
export function blockGeneration(offset: u32): u32 {
  return load<u32>(offset - BLOCK_HEADER_BYTES + BLOCK_GENERATION_OFFSET);
}

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
 * A block with room for `bytes` at a multiple of `alignment` (a power of two from 8), of the given generation: see
 * `nextGeneration`; 0 for what belongs to the directory and is never given to users. Returns the offset of its bytes;
 * SEGMENT_FULL; TOO_LARGE when a transaction has filled the journal; or CORRUPT: then the change must not be kept.
 */
export function blockAllocate(bytes: u32, alignment: u32, generation: u32): u32 {
  if (!journalRoom()) return TOO_LARGE;
  if (bytes > heapEnd - payload) return SEGMENT_FULL; // from here on no sum leaves 32 bits
  const size = max(u32(BLOCK_BYTES_MIN), ((bytes + 7) & ~7) + BLOCK_HEADER_BYTES);
  const found = find(size, alignment);
  if (found < u32(RESULT_OFFSETS)) return found;
  const gap = alignment > 8 ? gapBefore(found, alignment) : 0;
  const whole = sizeChecked(found);
  if (whole < size || whole - size < gap) return CORRUPT;
  const block = found + gap;
  const left = whole - gap - size;
  const rest = left >= u32(BLOCK_BYTES_MIN) ? left : 0;
  const given = whole - gap - rest;
  if (!(gap == 0 ? takeFirst(block, whole, given, rest) : takeBehind(found, whole, gap, given, rest)))
    return CORRUPT;
  countFree(given, 0);
  change(HEAP_BLOCKS_OFFSET, load<u32>(HEAP_BLOCKS_OFFSET) + 1);
  change(block + BLOCK_LAYOUT_OFFSET, 0);
  change(block + BLOCK_GENERATION_OFFSET, generation);
  return block + BLOCK_HEADER_BYTES;
}

/** The first bytes of a free block come into use; the rest, if any, stays free. */
function takeFirst(block: u32, whole: u32, given: u32, rest: u32): bool {
  if (rest == 0) {
    if (!remove(block, whole)) return false;
    change(block + BLOCK_SIZE_OFFSET, whole);
    return true;
  }
  if (!move(block, whole, block + given, rest, true)) return false;
  change(block + BLOCK_SIZE_OFFSET, given);
  setSizeInside(block + given, block, rest, BLOCK_FREE);
  return true;
}

/** Bytes behind the first `gap` of a free block come into use. */
function takeBehind(found: u32, whole: u32, gap: u32, given: u32, rest: u32): bool {
  if (!move(found, whole, found, gap, false)) return false;
  change(found + BLOCK_SIZE_OFFSET, gap | BLOCK_FREE);
  setSizeInside(found + gap, found, given, 0);
  if (rest == 0) return true;
  setSizeInside(found + gap + given, found + gap, rest, BLOCK_FREE);
  return insert(found + gap + given, rest);
}

/**
 * Size of the block in use whose bytes begin at `offset`, as far as its neighbours agree; 0 when there is none. Read once: it may
 * be changed meanwhile.
 */
export function usedBlockSize(offset: u32): u32 {
  const block = offset - BLOCK_HEADER_BYTES;
  if (offset < u32(BLOCK_HEADER_BYTES) || !isBlockOffset(block) || blockIsFree(block)) return 0;
  const size = sizeChecked(block);
  return size != 0 && load<u32>(block + size + BLOCK_BEFORE_OFFSET) == block ? size : 0;
}

export function isBlockInUse(offset: u32): bool {
  return usedBlockSize(offset) != 0;
}

/**
 * As `isBlockInUse`, and the block before it agrees, too. Only with the write lock: where a free block before it ends
 * changes while others allocate. It makes bytes of a user that look like a block by chance not pass: the block that has
 * them ends elsewhere.
 */
export function isBlockWhole(offset: u32): bool {
  if (!isBlockInUse(offset)) return false;
  const block = offset - BLOCK_HEADER_BYTES;
  const before = load<u32>(block + BLOCK_BEFORE_OFFSET);
  if (before == 0) return block == payload;
  return isBlockOffset(before) && before < block && sizeChecked(before) == block - before;
}

/** Gives a block back. 0; TOO_LARGE as above; CORRUPT when no block in use begins there or its surroundings are damaged. */
export function blockFree(offset: u32): u32 {
  if (!journalRoom()) return TOO_LARGE;
  if (!isBlockWhole(offset)) return CORRUPT;
  const block = offset - BLOCK_HEADER_BYTES;
  const size = sizeChecked(block);
  if (size == 0) return CORRUPT;
  const behind = freeSize(block + size);
  const before = load<u32>(block + BLOCK_BEFORE_OFFSET);
  const ahead = before != 0 ? freeSize(before) : 0;
  if (behind == DAMAGED || (ahead != 0 && before + ahead != block)) return CORRUPT;
  if (!merge(block, size, before, ahead, behind)) return CORRUPT;
  countFree(0, size);
  change(HEAP_BLOCKS_OFFSET, load<u32>(HEAP_BLOCKS_OFFSET) - 1);
  return 0;
}

/** One free block of `size` bytes and its free neighbours: `ahead` bytes before it, `behind` bytes behind it. */
function merge(block: u32, size: u32, before: u32, ahead: u32, behind: u32): bool {
  if (ahead == 0) {
    const all = size + behind;
    if (!(behind == 0 ? insert(block, size) : move(block + size, behind, block, all, false))) return false;
    setSize(block, all, BLOCK_FREE);
    return true;
  }
  if (behind != 0 && !remove(block + size, behind)) return false;
  if (!move(before, ahead, before, ahead + size + behind, false)) return false;
  // Nothing inside of a free block looks like one in use: freeing twice is noticed.
  change(block + BLOCK_GENERATION_OFFSET, 0);
  change(block + BLOCK_SIZE_OFFSET, 0);
  setSize(before, ahead + size + behind, BLOCK_FREE);
  return true;
}

/**
 * Ends the heap at `end`, which lies at `last`, its last block, or inside of it with room for a smaller one. False when that is
 * no free block, or its surroundings are damaged: then the change must not be kept.
 */
export function blockCut(last: u32, end: u32): bool {
  if (!isBlockOffset(last) || !blockIsFree(last)) return false;
  const size = sizeChecked(last);
  if (size == 0 || last + size != heapEnd) return false;
  const left = end - last;
  if (!(left == 0 ? remove(last, size) : move(last, size, last, left, false))) return false;
  countFree(size, left);
  if (left != 0) setSize(last, left, BLOCK_FREE);
  change(end + BLOCK_SIZE_OFFSET, BLOCK_HEADER_BYTES); // the fence; what lies before it says so already
  return true;
}
