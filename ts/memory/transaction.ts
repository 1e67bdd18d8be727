import { TOO_LARGE } from "../../protocol/errors.js";
import type { Waiting } from "../arguments.js";
import { failure, IsthmusError } from "../errors.js";
import { monotonicMs } from "../host/runtime.js";
import type { Attachment, Closable } from "../segment/attachment.js";
import { checkSynchronous, refusePromise } from "../synchronous.js";
import { tryWriteLock, withWriteLock, withWriteLockLater } from "./write-lock.js";

/** Blocks that the running transaction of an opener gives back when it commits. */
const freed = new WeakMap<Attachment, Freeable[]>();

interface Freeable {
  readonly offset: number;
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

const WHY = "all of it must run at once: await what it needs before the transaction";

/** What a transaction takes the lock by: the lock itself, or a hold of it to nest in. */
export interface TransactionLock {
  tryTransact(attachment: Attachment): Closable | undefined;
  transact(attachment: Attachment, how: Waiting): Promise<Closable>;
  transactSync(attachment: Attachment, how: Waiting): Closable;
}

/** Runs it if the lock and the write lock are free now; undefined: not now. */
export function tryTransaction<T>(
  attachment: Attachment,
  lock: TransactionLock,
  body: () => T,
): T | undefined {
  checkBegin(attachment, body);
  const held = lock.tryTransact(attachment);
  if (!held) return undefined;
  try {
    const begun = tryWriteLock(attachment, () => begin(attachment));
    return begun === undefined ? undefined : run(attachment, begun, body);
  } finally {
    held.close();
  }
}

/** Waits for both without blocking the thread. The time for the second is what the first has left. */
export async function transaction<T>(
  attachment: Attachment,
  lock: TransactionLock,
  body: () => T,
  how: Waiting,
): Promise<T> {
  checkBegin(attachment, body);
  const end = monotonicMs() + how.timeoutMs;
  const held = await lock.transact(attachment, how);
  try {
    const left = { timeoutMs: Math.max(0, end - monotonicMs()), signal: how.signal };
    const begun = await withWriteLockLater(attachment, BEGINNING, () => begin(attachment), left);
    return run(attachment, begun, body);
  } finally {
    held.close();
  }
}

/** As `transaction`, blocking the thread. */
export function transactionSync<T>(
  attachment: Attachment,
  lock: TransactionLock,
  body: () => T,
  how: Waiting,
): T {
  checkBegin(attachment, body);
  const end = monotonicMs() + how.timeoutMs;
  const held = lock.transactSync(attachment, how);
  try {
    const left = Math.max(0, end - monotonicMs());
    return run(
      attachment,
      withWriteLock(attachment, BEGINNING, () => begin(attachment), left),
      body,
    );
  } finally {
    held.close();
  }
}

const BEGINNING = "beginning a transaction";

function begin(attachment: Attachment): number {
  return attachment.core.transactionBegin();
}

function checkBegin(attachment: Attachment, body: unknown): void {
  checkSynchronous("body", body, WHY);
  attachment.check(true);
  if (attachment.inTransaction)
    throw new IsthmusError("BUSY", "a transaction runs already; transactions do not nest");
}

/** Runs the function in the transaction that has begun: its writes, allocations and frees happen all or not at all. */
function run<T>(attachment: Attachment, begun: number, body: () => T): T {
  if (begun !== 0) throw failure(begun, `${BEGINNING} failed: close the segment and open it again`);
  attachment.inTransaction = true;
  try {
    const result = body();
    refusePromise("body", result, `the transaction was undone; ${WHY}`);
    const blocks = freed.get(attachment) ?? [];
    for (const { offset } of blocks) freeNow(attachment, offset);
    if (!end(attachment, true)) {
      if (attachment.evicted) throw attachment.removed();
      attachment.check(true); // CLOSED
      throw new IsthmusError("CORRUPT", "the transaction was undone: the heap is damaged; see heap.check()");
    }
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
