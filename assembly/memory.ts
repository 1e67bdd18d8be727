/**
 * The functions with which hosts use the heap. Each takes the write lock, changes the heap, and releases the lock. Blocking,
 * but only while the holder of the lock is alive.
 */
import { CORRUPT, NOT_FOUND, TOO_LARGE } from "../protocol/errors";
import {
  BLOCK_BYTES_MIN,
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  HEAP_ROOT_OFFSET,
  RESULT_OFFSETS,
} from "../protocol/layout";
import { blockIsFree, blockSize, isBlockOffset, largestSize } from "./blocks";
import {
  blockAllocate,
  blockFree,
  blockGeneration,
  heapChanging,
  heapWhole,
  isBlockInUse,
  isBlockWhole,
  nextGeneration,
  usedBlockSize,
} from "./heap";
import { heapEnd, payload } from "./instance";
import { change, journalNote, journalRoom } from "./journal";
import { kindOf } from "./kinds";
import { giveRootBack } from "./values";
import { load32, store32 } from "./word";
import { releaseWriteLock, takeWriteLock } from "./write-lock";

/** Ends a change. A change that failed is undone first, because the heap is consistent only then. */
function ended(keep: bool): void {
  if (keep) heapWhole();
  releaseWriteLock(keep);
}

/**
 * Allocates a block. Returns the offset of its bytes; SEGMENT_FULL, TOO_LARGE, BUSY (the suspect is set), EVICTED, or CORRUPT.
 * The bytes are zeroed after the write lock was released, because no other participant knows the block yet. If the participant
 * dies meanwhile, the block stays in use, as after a death directly after the call.
 */
export function heapAllocate(bytes: u32, alignment: u32, zero: bool): u32 {
  const failed = takeWriteLock();
  if (failed != 0) return failed;
  heapChanging();
  const offset = blockAllocate(bytes, alignment, nextGeneration());
  ended(offset != CORRUPT);
  if (zero && offset >= u32(RESULT_OFFSETS)) memory.fill(offset, 0, bytes);
  return offset;
}

/** A block that belongs to a shared value is no block of a user: see `values.ts`. */
function isOfValue(offset: u32): bool {
  return isBlockInUse(offset) && kindOf(offset) != 0;
}

/**
 * Frees a block. If it was the root, there is no root any more. Returns 0, NOT_FOUND for one that belongs to a shared value, or
 * an error as above.
 */
export function heapFree(offset: u32): u32 {
  const failed = takeWriteLock();
  if (failed != 0) return failed;
  heapChanging();
  const result = isOfValue(offset) ? u32(NOT_FOUND) : blockFree(offset);
  // A root that refers to a free block would later refer to the bytes of the next owner.
  if (result == 0 && heapRoot() == offset) changeRoot(0);
  ended(result == 0);
  return result;
}

/** Bytes of the largest free piece, approximately: for error texts. */
export function heapLargest(): u32 {
  const size = largestSize();
  return size < u32(BLOCK_HEADER_BYTES) ? 0 : size - BLOCK_HEADER_BYTES;
}

/** Bytes of a block in use; 0 if there is none at `offset`, or it belongs to a shared value. */
export function heapBlockBytes(offset: u32): u32 {
  const size = usedBlockSize(offset);
  return size == 0 || kindOf(offset) != 0 ? 0 : size - BLOCK_HEADER_BYTES;
}

/**
 * The next block of a user after the one whose bytes begin at `offset`, or the first one for 0. Returns the offset of its
 * bytes; 0 at the end; CORRUPT if there is no such block. Takes no lock. While others change the heap, `offset` may be inside
 * another block, and then the result has no meaning. Each step goes forward, so the walk ends, whatever the bytes are.
 */
export function heapNext(offset: u32): u32 {
  let block: u32 = payload;
  if (offset != 0) {
    if (offset < u32(BLOCK_HEADER_BYTES)) return CORRUPT;
    block = blockBehind(offset - BLOCK_HEADER_BYTES);
  }
  while (block != 0 && block < heapEnd) {
    const bytes = block + BLOCK_HEADER_BYTES;
    if (!blockIsFree(block) && blockGeneration(bytes) != 0 && kindOf(bytes) == 0) return bytes;
    block = blockBehind(block);
  }
  return block == 0 ? CORRUPT : 0;
}

/** The end of a block: the offset of the next one, or of the fence. 0 if no block can begin there or its size is impossible. */
function blockBehind(block: u32): u32 {
  if (!isBlockOffset(block)) return 0;
  const size = blockSize(block);
  if (size < u32(BLOCK_BYTES_MIN) || size % 8 != 0 || size > heapEnd - block) return 0;
  return block + size;
}

/** The layout of the bytes of a block in use; 0 if it has none yet, or there is no such block. */
export function heapLayout(offset: u32): u32 {
  return isBlockInUse(offset) ? load32(offset - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET) : 0;
}

/**
 * Gives the bytes of a block in use a layout, unless they have one. It takes the write lock, because the block could be freed
 * meanwhile, and the word would then be a link of a list. Returns 0, NOT_FOUND if there is no such block, TOO_LARGE if a
 * transaction has left no room in the journal, or an error as above.
 */
export function heapSetLayout(offset: u32, hash: u32): u32 {
  const failed = takeWriteLock();
  if (failed != 0) return failed;
  const result = setLayout(offset, hash);
  releaseWriteLock(true);
  return result;
}

function setLayout(offset: u32, hash: u32): u32 {
  if (!isBlockWhole(offset)) return NOT_FOUND;
  const at = offset - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET;
  if (load32(at) != 0) return 0;
  if (!journalRoom()) return TOO_LARGE;
  change(at, hash);
  return 0;
}

/**
 * The root block, or 0. It may be that of a transaction that has not ended. To exclude that, hold the lock of the transaction.
 */
export function heapRoot(): u32 {
  return load32(HEAP_ROOT_OFFSET);
}

/**
 * Makes a block in use the root; with 0, there is no root. A value that was the root has one reference less. Returns 0,
 * NOT_FOUND if there is no such block (a value becomes the root by `valueSetRoot`), TOO_LARGE if a transaction has left no room
 * in the journal, or an error as above.
 */
export function heapSetRoot(offset: u32): u32 {
  const failed = takeWriteLock();
  if (failed != 0) return failed;
  let result: u32 = 0;
  if (offset != 0 && (!isBlockWhole(offset) || kindOf(offset) != 0)) result = NOT_FOUND;
  else if (!journalRoom()) result = TOO_LARGE;
  else if (!giveRootBack()) result = CORRUPT;
  else changeRoot(offset);
  releaseWriteLock(result != CORRUPT);
  return result;
}

/** Stores the root, so that a participant that reads it without a lock also sees what was written to its block before. */
function changeRoot(offset: u32): void {
  journalNote(HEAP_ROOT_OFFSET);
  store32(HEAP_ROOT_OFFSET, offset); // pairs with the load in heapRoot
}
