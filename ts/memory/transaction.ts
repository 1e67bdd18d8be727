import { BUSY, TOO_LARGE } from "../../protocol/errors.js";
import { type Waiting, wrongType } from "../arguments.js";
import { isBranded } from "../brand.js";
import { failure, IsthmusError } from "../errors.js";
import { monotonicMs } from "../host/runtime.js";
import { soon } from "../host/under-way.js";
import type { Attachment, Closable, RunningTransaction } from "../segment/attachment.js";
import { checkSynchronous, refusePromise } from "../synchronous.js";
import { tryWriteLock, withWriteLock, withWriteLockLater } from "./write-lock.js";

interface Freeable {
  readonly offset: number;
}

/**
 * One run of a transaction. Its end may be cut off together with the body: by a stack overflow, after which `finally` may fail,
 * too, or by an engine that stops the script without running `finally`. Then `undo` ends it: if `over` is true, in the next
 * call of this opener that checks (`Attachment.check`); otherwise as soon as the stack is empty, when no body can be running.
 */
class Transaction<T> implements RunningTransaction {
  /** Blocks to free when it commits. */
  readonly freed: Freeable[] = [];
  over = false;
  readonly #attachment: Attachment;
  readonly #hold: Closable;
  readonly #body: () => T;
  #result: T | undefined;

  constructor(attachment: Attachment, hold: Closable, body: () => T) {
    this.#attachment = attachment;
    this.#hold = hold;
    this.#body = body;
  }

  /**
   * Begins the transaction if the write lock is free, and then runs all of it, so that no other call of this opener comes in
   * between.
   */
  attempt(): number {
    const attachment = this.#attachment;
    if (attachment.transaction) return BUSY;
    attachment.transaction = this;
    endWhenLeft(attachment);
    const status = attachment.core.transactionBegin() >>> 0;
    if (status === 0) this.#run();
    else attachment.transaction = undefined;
    return status;
  }

  /** Returns the result of the body; throws if the transaction did not begin. */
  outcome(status: number): T {
    if (status !== 0) throw failure(status, `${BEGINNING} failed: close the segment and open it again`);
    return this.#result as T;
  }

  /** Runs the body. Its writes, allocations and frees happen completely or not at all. */
  #run(): void {
    const attachment = this.#attachment;
    try {
      const body = this.#body;
      const result = body();
      refusePromise("body", result, `the transaction was undone; ${WHY}`);
      for (const { offset } of this.freed) freeNow(attachment, offset);
      if (!this.#end(true)) {
        if (attachment.evicted) throw attachment.removed();
        attachment.check(true); // CLOSED
        throw new IsthmusError(
          "CORRUPT",
          "the transaction was undone: the heap is damaged; see heap.check()",
        );
      }
      this.#result = result;
    } catch (error) {
      this.#end(false);
      throw error;
    }
  }

  /** Ends the transaction, once. Returns whether it was committed. If the segment was closed, it was undone. */
  #end(keep: boolean): boolean {
    const attachment = this.#attachment;
    if (attachment.transaction !== this) return false;
    const stays = !attachment.closed && attachment.core.transactionEnd(keep ? 1 : 0) !== 0;
    attachment.transaction = undefined;
    if (!attachment.closed) attachment.passOn();
    return stays;
  }

  undo(): void {
    this.#end(false);
    this.#hold.close();
  }

  /** Releases its lock, unless its changes are neither committed nor undone yet: then `undo` releases it. */
  close(): void {
    if (this.#attachment.transaction === this) this.over = true;
    else this.#hold.close();
  }
}

/** Openers whose transactions are checked when the stack is empty. */
const watched = new Set<Attachment>();

/** Ends a transaction that still runs when the stack is empty: its body was cut off. */
function endWhenLeft(attachment: Attachment): void {
  if (watched.has(attachment)) return;
  watched.add(attachment);
  soon(() => {
    watched.delete(attachment);
    attachment.transaction?.undo();
  });
}

/** If a transaction runs, records the old value of bytes that are about to be written. */
export function beforeWriting(attachment: Attachment, offset: number, bytes: number): void {
  if (attachment.transaction === undefined) return;
  if (attachment.core.transactionNote(offset, bytes) >>> 0 === TOO_LARGE) {
    throw failure(
      TOO_LARGE,
      "the transaction changes more than its journal can hold; make it smaller, or the segment larger",
    );
  }
}

/** Inside a transaction: remembers a block to be freed when it commits. */
export function freeLater(attachment: Attachment, block: Freeable): boolean {
  const running = attachment.transaction as Transaction<unknown> | undefined;
  if (!running) return false;
  if (running.freed.some(({ offset }) => offset === block.offset))
    throw new IsthmusError("NOT_FOUND", `the block at offset ${block.offset} was freed already`);
  running.freed.push(block);
  return true;
}

const WHY = "all of it must run at once: await what it needs before the transaction";

/** The source of the lock of a transaction: the lock itself, or a hold of it in which to nest. */
export interface TransactionLock {
  tryTransact(attachment: Attachment): Closable | undefined;
  transact(attachment: Attachment, how: Waiting): Promise<Closable>;
  transactSync(attachment: Attachment, how: Waiting): Closable;
}

/** The argument of the user as such a source. */
export function transactionLock(lock: unknown): TransactionLock {
  if (isBranded(lock, "Lock") || isBranded(lock, "Held")) return lock as unknown as TransactionLock;
  throw wrongType("lock", "a lock of this segment, or a hold of one", lock);
}

/** Runs the transaction if the lock and the write lock are free now; otherwise returns undefined. */
export function tryTransaction<T>(
  attachment: Attachment,
  lock: TransactionLock,
  body: () => T,
): T | undefined {
  checkBegin(attachment, body);
  if (attachment.changes.length > 0) return undefined;
  const held = lock.tryTransact(attachment);
  if (!held) return undefined;
  const running = new Transaction(attachment, held, body);
  try {
    const status = tryWriteLock(attachment, () => running.attempt());
    return status === undefined ? undefined : running.outcome(status);
  } finally {
    running.close();
  }
}

/** Waits for both locks without blocking the thread. The timeout covers both waits. */
export async function transaction<T>(
  attachment: Attachment,
  lock: TransactionLock,
  body: () => T,
  how: Waiting,
): Promise<T> {
  checkBegin(attachment, body);
  const end = monotonicMs() + how.timeoutMs;
  const running = new Transaction(attachment, await lock.transact(attachment, how), body);
  try {
    const left = { timeoutMs: Math.max(0, end - monotonicMs()), signal: how.signal };
    return running.outcome(
      await withWriteLockLater(attachment, BEGINNING, () => running.attempt(), left, how.timeoutMs),
    );
  } finally {
    running.close();
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
  const running = new Transaction(attachment, lock.transactSync(attachment, how), body);
  try {
    const left = Math.max(0, end - monotonicMs());
    return running.outcome(
      withWriteLock(attachment, BEGINNING, () => running.attempt(), left, how.timeoutMs),
    );
  } finally {
    running.close();
  }
}

const BEGINNING = "beginning a transaction";

function checkBegin(attachment: Attachment, body: unknown): void {
  checkSynchronous("body", body, WHY);
  attachment.check(true);
  if (attachment.transaction)
    throw new IsthmusError("BUSY", "a transaction runs already; transactions do not nest");
}

function freeNow(attachment: Attachment, offset: number): void {
  const result = attachment.core.heapFree(offset) >>> 0;
  if (result !== 0)
    throw failure(result, `freeing the block at offset ${offset} failed; the transaction is undone`);
}
