/** The root block of a segment, from which a program finds everything else in the heap. */
import { wrongType } from "../arguments.js";
import { isBranded } from "../brand.js";
import { failure } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import type { Block } from "./block.js";
import type { Heap } from "./heap.js";
import { withWriteLock } from "./write-lock.js";

export function rootOf(attachment: Attachment, heap: Heap): Block | undefined {
  attachment.check(false);
  const offset = attachment.core.heapRoot() >>> 0;
  return offset === 0 ? undefined : heap.blockAt(offset);
}

export function setRoot(attachment: Attachment, block: Block | undefined): void {
  if (block !== undefined && !isBranded(block, "Block"))
    throw wrongType("root", "a block, a shared value or undefined", block);
  attachment.check(true);
  block?.check(false);
  if (block !== undefined && !attachment.liesUnder(block.buffer))
    throw new TypeError(`root must be a block of segment "${attachment.name}", got one of another segment`);
  const result = withWriteLock(attachment, "setting the root", () =>
    attachment.core.heapSetRoot(block?.offset ?? 0),
  );
  if (result !== 0) throw failure(result, "the root must be a block in use of this segment");
}
