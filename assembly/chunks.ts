/**
 * Arrays that grow without moving what they contain: the items of lists, the buckets of dictionaries. Called with the write lock
 * to grow; read without a lock.
 *
 *     the value      +----------+----------+----------+---- ... ----+
 *                    | chunk 0  | chunk 1  | chunk 2  | 0           |     26 x u32: offsets of blocks, in the order of growth
 *                    +----------+----------+----------+---- ... ----+
 *     the chunks     4 elements, 8 elements, 16 elements, 32 …: element i lies in chunk log2(i / 4 + 1)
 *
 * | word              | written by                                   | read by                                          |
 * | ----------------- | -------------------------------------------- | ------------------------------------------------ |
 * | offset of a chunk | the holder of the write lock, by the journal | readers, who check it before they use it         |
 * | elements          | the file that has the array                  | the same                                         |
 *
 *  1. to reach element i: find its chunk by one count of leading zeros
 *  2. to grow: the first element of a chunk that does not exist allocates it. Nothing is copied, nothing is cleared
 *
 * If a participant dies: the chunk and its offset are undone together.
 *
 * Source of the idea: Bagwell's VLists; Dechev, Pirkelbauer, Stroustrup, "Lock-free dynamically resizable arrays", 2006.
 */
import { CORRUPT, SEGMENT_FULL } from "../protocol/errors";
import {
  BLOCK_HEADER_BYTES,
  CHUNKS_FIRST_SHIFT,
  CHUNKS_MAX,
  RESULT_OFFSETS,
  VALUE_CHUNK,
} from "../protocol/layout";
import { blockAllocate, nextGeneration } from "./heap";
import { heapEnd, payload } from "./instance";
import { change } from "./journal";
import { markBlock } from "./kinds";
import { load32 } from "./word";

/** Elements of the largest array. */
export function chunksCapacity(): u32 {
  return firstOf(CHUNKS_MAX);
}

/** Number of the chunk that has element `index`, which is below the capacity. */
function chunkOf(index: u32): u32 {
  return 31 - clz((index >>> CHUNKS_FIRST_SHIFT) + 1);
}

function firstOf(chunk: u32): u32 {
  return ((u32(1) << chunk) - 1) << CHUNKS_FIRST_SHIFT;
}

/** Whether so many bytes at an offset, a multiple of `alignment`, lie in the heap: then reading them does no harm. */
export function inHeap(offset: u32, bytes: u64, alignment: u32): bool {
  return (
    offset >= u32(payload) + BLOCK_HEADER_BYTES &&
    offset % alignment == 0 &&
    u64(offset) + bytes <= u64(heapEnd)
  );
}

/** Where element `index` lies whose chunks stand at `chunks`; 0 when what stands there is impossible, or no chunk. */
export function elementAt(chunks: u32, index: u32, bytes: u32): u32 {
  if (index >= chunksCapacity()) return 0;
  const number = chunkOf(index);
  const chunk = load32(chunks + (number << 2));
  const at = u64(chunk) + u64(index - firstOf(number)) * bytes;
  return at + bytes <= u64(heapEnd) && inHeap(chunk, bytes, 8) ? u32(at) : 0;
}

/** As `elementAt`, with the write lock: makes the chunk if there is none. An offset, or an error. */
export function elementFor(chunks: u32, index: u32, bytes: u32): u32 {
  if (index >= chunksCapacity()) return SEGMENT_FULL;
  const number = chunkOf(index);
  const at = chunks + (number << 2);
  if (load<u32>(at) == 0) {
    const whole = (u64(1) << (number + CHUNKS_FIRST_SHIFT)) * bytes;
    if (whole > u64(heapEnd)) return SEGMENT_FULL;
    const chunk = blockAllocate(u32(whole), 8, nextGeneration());
    if (chunk < u32(RESULT_OFFSETS)) return chunk;
    markBlock(chunk, VALUE_CHUNK);
    change(at, chunk);
  }
  const element = elementAt(chunks, index, bytes);
  return element == 0 ? CORRUPT : element;
}

/** The last chunk that exists, for whoever frees the array: where its offset stands; 0 when there is none. */
export function lastChunk(chunks: u32): u32 {
  for (let number: u32 = CHUNKS_MAX; number > 0; number--) {
    const at = chunks + ((number - 1) << 2);
    if (load<u32>(at) != 0) return at;
  }
  return 0;
}
