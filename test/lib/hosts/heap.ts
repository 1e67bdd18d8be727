/** What hosts do with the heap, as scripts; and a picture of the heap, to compare. */
import {
  BLOCK_BEFORE_OFFSET,
  BLOCK_FREE,
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  BLOCK_SIZE_OFFSET,
  DIRECTORY_COUNT_OFFSET,
  ENTRY_BYTES,
  HEAP_ROOT_OFFSET,
  OBJECT_ALIGNMENT,
} from "../../../protocol/layout.js";
import { call, type Script, variable, write } from "../script.js";
import { CoreError, offsetOf, overcome } from "./segment.js";

/** Takes the write lock, past the dead, and with it whatever a dead holder has left; false while a live participant has it. */
export function* begin(dead: readonly number[] = []): Script<boolean> {
  const status = yield* overcome(dead, () => call("transactionBegin"));
  if (status) throw new CoreError("transactionBegin", status);
  return status === 0;
}

/** Puts the heap and the directory in order after a death; false while a live participant has the write lock. */
export function* repair(dead: readonly number[]): Script<boolean> {
  if (!(yield* begin(dead))) return false;
  yield* call("transactionEnd", 1);
  return true;
}

export interface BlockWish {
  bytes: number;
  alignment?: number;
  zero?: boolean;
}

/** Offset of a new block's bytes; `undefined` while a live participant has the write lock. */
export function* allocate(wish: BlockWish, dead: readonly number[] = []): Script<number | undefined> {
  const { bytes, alignment = 8, zero = false } = wish;
  const result = yield* overcome(dead, () => call("heapAllocate", bytes, alignment, zero ? 1 : 0));
  return result === undefined ? undefined : offsetOf("heapAllocate", result);
}

/** False while a live participant has the write lock. */
export function* free(offset: number, dead: readonly number[] = []): Script<boolean> {
  const status = yield* overcome(dead, () => call("heapFree", offset));
  if (status) throw new CoreError("heapFree", status);
  return status === 0;
}

/** Inside a transaction: notes the bytes and writes them. */
export function* writeNoted(offset: number, bytes: Uint8Array): Script {
  const status = yield* call("transactionNote", offset, bytes.length);
  if (status !== 0) throw new CoreError("transactionNote", status >>> 0);
  yield* write(offset, bytes);
}

/** The heap is whole. */
export function* check(): Script {
  const problem = yield* call("heapCheck");
  if (problem !== 0) throw new Error(`heapCheck: ${problem} at ${yield* variable("heapCheckOffset")}`);
}

/** Every block, with the bytes of those in use but of a `hidden` one, the root, and how many objects there are. */
export function picture(view: DataView, payload: number, hidden?: number): string {
  const text = [`root ${view.getUint32(HEAP_ROOT_OFFSET, true)}`];
  text.push(`${view.getUint32(DIRECTORY_COUNT_OFFSET, true)} objects`);
  for (let at = payload, before = 0; ; ) {
    const size = view.getUint32(at + BLOCK_SIZE_OFFSET, true);
    if (view.getUint32(at + BLOCK_BEFORE_OFFSET, true) !== before)
      throw new Error(`block ${at} is not linked`);
    if (size === BLOCK_HEADER_BYTES) return text.join("\n");
    const whole = size & ~BLOCK_FREE;
    if (size & BLOCK_FREE) text.push(`${at} free ${whole}`);
    else
      text.push(
        `${at} used ${whole} ${view.getUint32(at + BLOCK_LAYOUT_OFFSET, true)} ${at + BLOCK_HEADER_BYTES === hidden ? "" : bytesOf(view, at + BLOCK_HEADER_BYTES, whole - BLOCK_HEADER_BYTES, payload)}`,
      );
    before = at;
    at += whole;
  }
}

/** Of the block that is the directory, only what is published. */
function bytesOf(view: DataView, from: number, length: number, payload: number): string {
  const isDirectory = from === payload + OBJECT_ALIGNMENT;
  const bytes = isDirectory ? view.getUint32(DIRECTORY_COUNT_OFFSET, true) * ENTRY_BYTES : length;
  return Buffer.from(view.buffer, view.byteOffset + from, bytes).toString("latin1");
}
