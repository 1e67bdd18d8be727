import { TOO_LARGE } from "../protocol/errors.js";
import type { Attachment } from "./attachment.js";
import { failure, IsthmusError } from "./errors.js";
import { withRight } from "./right.js";

/** Blocks that the running transaction of an opener gives back when it commits. */
const freed = new WeakMap<Attachment, Freeable[]>();

interface Freeable {
  readonly offset: number;
  markFreed(): void;
}

/** Notes the old value of bytes that are about to be written, when a transaction runs. */
export function beforeWriting(attachment: Attachment, offset: number, bytes: number): void {
  if (!attachment.inTransaction) return;
  if (attachment.core.transactionNote(offset, bytes) >>> 0 === TOO_LARGE) {
    throw failure(
      TOO_LARGE,
      "the transaction changes more than its journal can hold; make it smaller, or the segment larger",
    );
  }
}

/** Inside a transaction: remembers a block to be freed when it commits. */
export function freeLater(attachment: Attachment, block: Freeable): boolean {
  if (!attachment.inTransaction) return false;
  const list = freed.get(attachment) ?? [];
  if (list.some(({ offset }) => offset === block.offset))
    throw new IsthmusError("NOT_FOUND", `the block at offset ${block.offset} was freed already`);
  list.push(block);
  freed.set(attachment, list);
  return true;
}

/**
 * Runs a function whose writes, allocations and frees happen all or not at all. The caller holds the lock that guards the data.
 */
export function runTransaction<T>(attachment: Attachment, body: () => T): T {
  if (attachment.inTransaction)
    throw new IsthmusError("BUSY", "a transaction runs already; transactions do not nest");
  const begun = withRight(attachment, "beginning a transaction", () => attachment.core.transactionBegin());
  if (begun !== 0)
    throw failure(begun, "beginning a transaction failed: close the segment and open it again");
  attachment.inTransaction = true;
  try {
    const result = body();
    if (typeof (result as { then?: unknown } | null)?.then === "function") {
      throw new TypeError("the function of a transaction must not be async: all of it runs at once");
    }
    const blocks = freed.get(attachment) ?? [];
    for (const { offset } of blocks) freeNow(attachment, offset);
    if (!end(attachment, true)) {
      if (attachment.evicted) throw attachment.removed();
      attachment.check(true); // CLOSED
      throw new IsthmusError("CORRUPT", "the transaction was undone: the heap is damaged; see heap.check()");
    }
    for (const block of blocks) block.markFreed();
    return result;
  } catch (error) {
    end(attachment, false);
    throw error;
  }
}

/** Ends the transaction, once; whether it stays. Closing the segment has undone it. */
function end(attachment: Attachment, keep: boolean): boolean {
  if (!attachment.inTransaction) return false;
  attachment.inTransaction = false;
  freed.delete(attachment);
  return !attachment.closed && attachment.core.transactionEnd(keep ? 1 : 0) !== 0;
}

function freeNow(attachment: Attachment, offset: number): void {
  const result = attachment.core.heapFree(offset) >>> 0;
  if (result !== 0)
    throw failure(result, `freeing the block at offset ${offset} failed; the transaction is undone`);
}
