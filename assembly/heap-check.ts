/**
 * Walks the whole heap and says what is wrong where. Takes no lock and writes nothing, so anyone may run it at any time; it
 * ends after at most as many steps as the segment could have blocks, whatever the bytes are.
 *
 *  1. note what `heapLook` says, unless somebody is changing the heap, or died doing so
 *  2. walk the blocks in memory: sizes, back references, no two free neighbours, up to the fence
 *  3. walk the lists: members are free, of the right class, linked both ways; as many as were free in step 2
 *  4. the bits say what the lists say; the sums are right
 *  5. `heapLook` says something else: what was found means nothing
 */
import {
  BLOCK_BEFORE_OFFSET,
  BLOCK_BYTES_MIN,
  BLOCK_HEADER_BYTES,
  BLOCK_NEXT_OFFSET,
  BLOCK_PREVIOUS_OFFSET,
  CHECK_BITS,
  CHECK_CHANGING,
  CHECK_FENCE,
  CHECK_FREE_NEIGHBOURS,
  CHECK_LIST,
  CHECK_ORDER,
  CHECK_SIZE,
  CHECK_SUMS,
  HEAP_BLOCKS_OFFSET,
  HEAP_CHANGES_OFFSET,
  HEAP_CHANGING,
  HEAP_COLUMNS,
  HEAP_COLUMNS_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
  HEAP_ROWS,
  HEAP_ROWS_OFFSET,
} from "../protocol/layout";
import { blockIsFree, blockSize, columnOf, headOffset, isBlockOffset, rowOf } from "./blocks";
import { heapLook } from "./heap";
import { heapEnd, payload } from "./instance";

/** Where the first problem lies. */
export let heapCheckOffset: u32 = 0;

let freeBlocks: u32 = 0;
let freeBytes: u64 = 0;
let usedBlocks: u32 = 0;

function problem(what: u32, offset: u32): u32 {
  heapCheckOffset = offset;
  return what;
}

/** 0, or CHECK_… for the first problem. */
export function heapCheck(): u32 {
  const changes = heapLook();
  if (changes == HEAP_CHANGING) return problem(CHECK_CHANGING, HEAP_CHANGES_OFFSET);
  let result = checkBlocks();
  if (result == 0) result = checkLists();
  if (result == 0) result = checkSums();
  return heapLook() == changes ? result : problem(CHECK_CHANGING, HEAP_CHANGES_OFFSET);
}

function checkBlocks(): u32 {
  freeBlocks = usedBlocks = 0;
  freeBytes = 0;
  let before: u32 = 0;
  let wasFree = false;
  let block = payload;
  while (block < heapEnd) {
    const size = blockSize(block);
    if (size < u32(BLOCK_BYTES_MIN) || size % 8 != 0 || size > heapEnd - block)
      return problem(CHECK_SIZE, block);
    if (load<u32>(block + BLOCK_BEFORE_OFFSET) != before) return problem(CHECK_ORDER, block);
    const free = blockIsFree(block);
    if (free && wasFree) return problem(CHECK_FREE_NEIGHBOURS, block);
    if (free) {
      freeBlocks++;
      freeBytes += size;
    } else usedBlocks++;
    wasFree = free;
    before = block;
    block += size;
  }
  const fence =
    load<u32>(heapEnd + BLOCK_BEFORE_OFFSET) == before && blockSize(heapEnd) == BLOCK_HEADER_BYTES;
  return fence ? 0 : problem(CHECK_FENCE, heapEnd);
}

function checkLists(): u32 {
  let left = freeBlocks;
  for (let row: u32 = 0; row < u32(HEAP_ROWS); row++) {
    const columns = load<u32>(HEAP_COLUMNS_OFFSET + (row << 2));
    for (let column: u32 = 0; column < u32(HEAP_COLUMNS); column++) {
      let block = load<u32>(headOffset(row, column));
      if (((block != 0) != ((columns >>> column) & 1)) != 0)
        return problem(CHECK_BITS, u32(headOffset(row, column)));
      let previous: u32 = 0;
      while (block != 0) {
        if (left-- == 0 || !isMember(block, previous, row, column)) return problem(CHECK_LIST, block);
        previous = block;
        block = load<u32>(block + BLOCK_NEXT_OFFSET);
      }
    }
    const rows = load<u32>(HEAP_ROWS_OFFSET);
    if (((columns != 0) != ((rows >>> row) & 1)) != 0) return problem(CHECK_BITS, HEAP_ROWS_OFFSET);
  }
  return left == 0 ? 0 : problem(CHECK_LIST, HEAP_ROWS_OFFSET);
}

function isMember(block: u32, previous: u32, row: u32, column: u32): bool {
  if (!isBlockOffset(block) || !blockIsFree(block)) return false;
  if (load<u32>(block + BLOCK_PREVIOUS_OFFSET) != previous) return false;
  return rowOf(blockSize(block)) == row && columnOf(blockSize(block)) == column;
}

function checkSums(): u32 {
  if (load<u32>(HEAP_BLOCKS_OFFSET) != usedBlocks) return problem(CHECK_SUMS, HEAP_BLOCKS_OFFSET);
  const units = u64(load<u32>(HEAP_FREE_UNITS_OFFSET));
  return units * 8 == freeBytes ? 0 : problem(CHECK_SUMS, HEAP_FREE_UNITS_OFFSET);
}
