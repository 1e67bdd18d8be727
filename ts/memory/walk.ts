/** Lists the blocks of the heap at one moment. */
import { HEAP_CHANGING } from "../../protocol/layout.js";
import { isError } from "../core.js";
import { failure, IsthmusError } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import { generationAt } from "./generation.js";
import { withWriteLock } from "./write-lock.js";

/**
 * How often the walk tries without the write lock before it takes the lock. A read-only opener cannot take it, so it tries more
 * often.
 */
const TURNS_MAX = 20;
const READ_ONLY_TURNS_MAX = 1000;

/** The blocks of one moment. */
export interface BlockList {
  /** The offset of the bytes of each block. */
  readonly offsets: number[];
  /** The generation of each block, which distinguishes it from later blocks at its offset. */
  readonly generations: number[];
}

/** All blocks of users; undefined when a block has an impossible size. */
function walk(attachment: Attachment): BlockList | undefined {
  const offsets: number[] = [];
  const generations: number[] = [];
  for (let offset = 0; ; ) {
    offset = attachment.core.heapNext(offset) >>> 0;
    if (offset === 0) return { offsets, generations };
    if (isError(offset)) return undefined;
    offsets.push(offset);
    generations.push(generationAt(attachment, offset));
  }
}

/**
 * Walks the heap without a lock. The list is valid if the heap has not changed meanwhile. If it changed during each attempt, or
 * a participant died in the middle of a change, the walk takes the write lock, which also repairs the heap.
 *
 * @throws {IsthmusError} CORRUPT; BUSY
 */
export function listBlocks(attachment: Attachment): BlockList {
  const { core, readOnly, transaction } = attachment;
  for (let turn = 0; turn < (readOnly ? READ_ONLY_TURNS_MAX : TURNS_MAX); turn++) {
    const changes = core.heapLook() >>> 0;
    if (changes === HEAP_CHANGING) continue;
    const found = walk(attachment);
    if (core.heapLook() >>> 0 !== changes) continue;
    return found ?? damaged();
  }
  if (!readOnly && !transaction)
    return withHeapStill(attachment, "listing the blocks", () => walk(attachment)) ?? damaged();
  throw new IsthmusError(
    "BUSY",
    "the heap was changed during each attempt, or a change is not finished; try again later",
  );
}

/**
 * Calls it with the write lock, which also repairs what a dead participant has left. Not in a transaction.
 *
 * @throws {IsthmusError} BUSY; EVICTED
 */
export function withHeapStill<T>(attachment: Attachment, what: string, look: () => T): T {
  const { core } = attachment;
  const begun = withWriteLock(attachment, what, () => core.writeLockTake());
  if (begun !== 0) throw failure(begun, `${what} failed: close the segment and open it again`);
  try {
    return look();
  } finally {
    core.writeLockRelease();
    attachment.passOn();
  }
}

function damaged(): never {
  throw new IsthmusError("CORRUPT", "a block of the heap has an impossible size; see heap.check()");
}
