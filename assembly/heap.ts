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
 * | changes                  | the holder, before and after                 | `heapCheck`: odd or changed = not still |
 *
 * To allocate:                                             To free:
 *  1. round the size up to the next list, so that any       1. merge with the block before, if that is free
 *     block of that list fits; find one by two bit scans;   2. merge with the block behind, if that is free
 *     when there is none, look through the list of the      3. put the result into its list
 *     size itself
 *  2. take it out of its list
 *  3. cut off what is left in front (alignment) and
 *     behind, and put it back
 *
 * Rounding up wastes at most 1/16 of a request in what is searched for, never in what is given: the rest is cut off. Only a
 * request that would be refused looks through a list, at no more than LOOKED_AT_MAX of its blocks. No two free blocks are ever
 * neighbours.
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
  HEAP_COLUMNS_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
  HEAP_GENERATION_OFFSET,
  HEAP_ROWS_OFFSET,
} from "../protocol/layout";
import {
  blockIsFree,
  columnOf,
  corrupt,
  find,
  findExact,
  headOffset,
  insert,
  isBlockOffset,
  remove,
  rowOf,
  setSize,
  sizeChecked,
  trustBlocks,
} from "./blocks";
import { heapEnd, payload } from "./instance";
import { change, journalRoom } from "./journal";
import { load32, store32 } from "./word";

/** From here on a walk over the heap means nothing. Somebody who died in the middle of a change may have left it so. */
export function heapChanging(): void {
  store32(HEAP_CHANGES_OFFSET, load32(HEAP_CHANGES_OFFSET) | 1); // pairs with the loads in heapCheck
}

/** The heap is whole again, and other than it was. */
export function heapWhole(): void {
  store32(HEAP_CHANGES_OFFSET, (load32(HEAP_CHANGES_OFFSET) | 1) + 1); // pairs with the loads in heapCheck
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
  if (bytes > heapEnd - payload) return SEGMENT_FULL;
  trustBlocks();
  const size = max(u32(BLOCK_BYTES_MIN), ((bytes + 7) & ~7) + BLOCK_HEADER_BYTES);
  // In front, up to alignment - 8 bytes may be cut off, and a cut is never smaller than a block.
  const enough = alignment > 8 ? u64(size) + alignment + BLOCK_BYTES_MIN : u64(size);
  if (enough > u64(heapEnd - payload)) return SEGMENT_FULL; // from here on no sum leaves 32 bits
  const searched = u32(enough);
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
  change(block + BLOCK_GENERATION_OFFSET, generation);
  change(HEAP_BLOCKS_OFFSET, load<u32>(HEAP_BLOCKS_OFFSET) + 1);
  return corrupt ? CORRUPT : block + BLOCK_HEADER_BYTES;
}

/** Bytes to cut off so that the bytes of the block behind are aligned: 0, or at least a block. */
function gapBefore(block: u32, alignment: u32): u32 {
  const bytes = block + BLOCK_HEADER_BYTES;
  const gap = ((bytes + alignment - 1) & ~(alignment - 1)) - bytes;
  return gap == 0 || gap >= u32(BLOCK_BYTES_MIN) ? gap : gap + alignment;
}

/**
 * Size of the block in use whose bytes begin at `offset`, as far as its neighbours agree; 0 when there is none. Read once: it may
 * be changed meanwhile.
 */
export function usedBlockSize(offset: u32): u32 {
  const block = offset - BLOCK_HEADER_BYTES;
  if (offset < u32(BLOCK_HEADER_BYTES) || !isBlockOffset(block) || blockIsFree(block)) return 0;
  trustBlocks();
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
    change(block + BLOCK_GENERATION_OFFSET, 0);
    change(block + BLOCK_SIZE_OFFSET, 0); // nothing inside of a free block looks like one in use: freeing twice is noticed
    block = before;
  }
  setSize(block, size, BLOCK_FREE);
  insert(block, size);
  change(HEAP_BLOCKS_OFFSET, load<u32>(HEAP_BLOCKS_OFFSET) - 1);
  return corrupt ? CORRUPT : 0;
}

/**
 * Ends the heap at `end`, which lies at `last`, its last block, or inside of it with room for a smaller one. False when that is
 * no free block, or its surroundings are damaged: then the change must not be kept.
 */
export function blockCut(last: u32, end: u32): bool {
  trustBlocks();
  if (!isBlockOffset(last) || !blockIsFree(last)) return false;
  const size = sizeChecked(last);
  if (last + size != heapEnd) return false;
  remove(last, size);
  if (end != last) {
    setSize(last, end - last, BLOCK_FREE);
    insert(last, end - last);
  }
  change(end + BLOCK_SIZE_OFFSET, BLOCK_HEADER_BYTES); // the fence; what lies before it says so already
  return !corrupt;
}
