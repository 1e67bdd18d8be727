/**
 * What kind of value a block of the heap is: the word that says which layout the bytes of a block have says it. Wait-free.
 *
 *     31                             8   7    6          0
 *     +--------------------------------+---+-------------+
 *     | VALUE_MARK                     | U | kind        |     U: nobody refers to the value, it is to be freed
 *     +--------------------------------+---+-------------+
 *
 * | word   | written by                                                | read by |
 * | ------ | --------------------------------------------------------- | ------- |
 * | layout | who allocates the block, with the write lock; who sets U  | anyone  |
 *
 *  1. who allocates a block for a value marks it before anybody can know of it
 *
 * If a participant dies: allocating notes the word in the journal, so the mark is undone with the block.
 *
 * Source of the idea: headers of objects in any garbage-collected heap.
 */
import {
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  VALUE_KIND_MASK,
  VALUE_MARK,
  VALUE_UNUSED,
} from "../protocol/layout";
import { load32 } from "./word";

/** Kind of the block in use whose bytes begin at `offset`; 0 when it belongs to no value. */
export function kindOf(offset: u32): u32 {
  const layout = load32(offset - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET);
  return (layout & ~(VALUE_KIND_MASK | VALUE_UNUSED)) == VALUE_MARK ? layout & VALUE_KIND_MASK : 0;
}

/** Where the layout of a block stands. */
export function layoutAt(offset: u32): usize {
  return offset - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET;
}

/** A block that was allocated in this step becomes one of that kind. */
export function markBlock(offset: u32, kind: u32): void {
  store<u32>(layoutAt(offset), VALUE_MARK | kind);
}
