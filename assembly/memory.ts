/**
 * What hosts call to use the heap: each takes the write lock, changes, and gives it back. Blocking on the living only.
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
import { load32, store32 } from "./word";
import { releaseWriteLock, takeWriteLock } from "./write-lock";

/** What is not to stay is undone first: only then is the heap whole. */
function ended(keep: bool): void {
  if (keep) heapWhole();
  releaseWriteLock(keep);
}

/**
 * Allocates. Offset of the bytes; SEGMENT_FULL, TOO_LARGE, BUSY (the suspect is set), EVICTED, or CORRUPT. The bytes are zeroed
 * without the write lock: nobody else knows the block yet. Who dies before the end of that has a block that nobody knows, as who
 * dies right after the call.
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

/** Frees; a root that is freed is no root any more. 0, or an error as above. */
export function heapFree(offset: u32): u32 {
  const failed = takeWriteLock();
  if (failed != 0) return failed;
  heapChanging();
  const result = blockFree(offset);
  // A root that points at a free block would give the next owner's bytes to whoever asks for it.
  if (result == 0 && heapRoot() == offset) changeRoot(0);
  ended(result == 0);
  return result;
}

/** Bytes that the largest free piece offers, or nearly so: for error texts. */
export function heapLargest(): u32 {
  const size = largestSize();
  return size < u32(BLOCK_HEADER_BYTES) ? 0 : size - BLOCK_HEADER_BYTES;
}

/** Bytes that a block in use offers; 0 when there is none at `offset`. */
export function heapBlockBytes(offset: u32): u32 {
  const size = usedBlockSize(offset);
  return size == 0 ? 0 : size - BLOCK_HEADER_BYTES;
}

/**
 * The next block of a user behind the one whose bytes begin at `offset`, or the first for 0. Returns the offset of its bytes; 0
 * at the end; CORRUPT when there is no such block. Takes no lock: while others change the heap, `offset` may lie inside of
 * another block by now, and what comes back means nothing. Each step goes forward, so it ends whatever the bytes are.
 */
export function heapNext(offset: u32): u32 {
  let block: u32 = payload;
  if (offset != 0) {
    if (offset < u32(BLOCK_HEADER_BYTES)) return CORRUPT;
    block = blockBehind(offset - BLOCK_HEADER_BYTES);
  }
  while (block != 0 && block < heapEnd) {
    if (!blockIsFree(block) && blockGeneration(block + BLOCK_HEADER_BYTES) != 0)
      return block + BLOCK_HEADER_BYTES;
    block = blockBehind(block);
  }
  return block == 0 ? CORRUPT : 0;
}

/** Where a block ends: the next one, or the fence. 0 when no block can begin there or its size is impossible. */
function blockBehind(block: u32): u32 {
  if (!isBlockOffset(block)) return 0;
  const size = blockSize(block);
  if (size < u32(BLOCK_BYTES_MIN) || size % 8 != 0 || size > heapEnd - block) return 0;
  return block + size;
}

/** The layout of the bytes of a block in use; 0 when it has none yet, or there is no such block. */
export function heapLayout(offset: u32): u32 {
  return isBlockInUse(offset) ? load32(offset - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET) : 0;
}

/**
 * Gives the bytes of a block in use a layout, unless they have one. Without the write lock it could be freed meanwhile, and
 * the word is a link of the lists then. 0, NOT_FOUND when there is no such block, TOO_LARGE when a transaction has left no
 * room in the journal, or an error as above.
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

/** The root block, or 0. Of a transaction that has not ended, too: who must not see that asks with its lock held. */
export function heapRoot(): u32 {
  return load32(HEAP_ROOT_OFFSET);
}

/**
 * Makes a block in use the root; 0 for none. 0, NOT_FOUND when there is no such block, TOO_LARGE when a transaction has left
 * no room in the journal, or an error as above.
 */
export function heapSetRoot(offset: u32): u32 {
  const failed = takeWriteLock();
  if (failed != 0) return failed;
  let result: u32 = 0;
  if (offset != 0 && !isBlockWhole(offset)) result = NOT_FOUND;
  else if (!journalRoom()) result = TOO_LARGE;
  else changeRoot(offset);
  releaseWriteLock(true);
  return result;
}

/** Who finds the root without a lock finds what was written to its block before. */
function changeRoot(offset: u32): void {
  journalNote(HEAP_ROOT_OFFSET);
  store32(HEAP_ROOT_OFFSET, offset); // pairs with the load in heapRoot
}
