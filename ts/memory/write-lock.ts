/**
 * The write lock of the segment. A participant holds it while it changes the heap or the directory: see
 * `assembly/write-lock.ts`.
 */
import { BUSY } from "../../protocol/errors.js";
import { WRITE_LOCK_TIMEOUT_MS } from "../../protocol/limits.js";
import type { Waiting } from "../arguments.js";
import { failure, type IsthmusError } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import { timedOut } from "../wait/condition.js";
import { retryFor, retryLater } from "../wait/retry.js";

/**
 * Calls a function of the core that takes the write lock, and retries while a live participant has the lock.
 *
 * @param timeoutMs Infinity for the limit that all changes have
 * @returns its result, never BUSY
 * @throws {IsthmusError} BUSY when a live participant had the lock for 5 seconds; TIMED_OUT when a `timeoutMs` was given and
 *   has passed
 */
export function withWriteLock(
  attachment: Attachment,
  what: string,
  call: () => number,
  timeoutMs = Infinity,
): number {
  const result = retryFor(limit(timeoutMs), () => tryWriteLock(attachment, call));
  if (result === undefined) throw failed(attachment, what, timeoutMs);
  return result;
}

/** As `withWriteLock`, without blocking the thread between two attempts. */
export async function withWriteLockLater(
  attachment: Attachment,
  what: string,
  call: () => number,
  { timeoutMs, signal }: Waiting,
): Promise<number> {
  const result = await retryLater(limit(timeoutMs), signal, () => {
    attachment.check(true); // throws CLOSED if the segment was closed meanwhile
    return tryWriteLock(attachment, call);
  });
  if (result === undefined) throw failed(attachment, what, timeoutMs);
  return result;
}

/** Makes one attempt. Returns undefined when a live participant has the write lock. */
export function tryWriteLock(attachment: Attachment, call: () => number): number | undefined {
  return attachment.retryPastDead(() => {
    const status = call() >>> 0;
    return status === BUSY ? undefined : status;
  });
}

function limit(timeoutMs: number): number {
  return timeoutMs === Infinity ? WRITE_LOCK_TIMEOUT_MS : timeoutMs;
}

function failed(attachment: Attachment, what: string, timeoutMs: number): IsthmusError {
  if (timeoutMs !== Infinity) return timedOut(what, timeoutMs);
  const text = `${attachment.suspectText()} has been changing the segment for ${WRITE_LOCK_TIMEOUT_MS} ms`;
  return failure(BUSY, `${what}: ${text}; it may be stopped, or in a long transaction`);
}
