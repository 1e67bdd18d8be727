/**
 * The write lock of the segment. A participant holds it while it changes the heap or the directory: see
 * `assembly/write-lock.ts`.
 *
 * Most changes take microseconds. So a call that finds the lock taken retries for a moment. Only then it waits for its turn
 * (`assembly/turn.ts`): with a promise, which leaves the event loop free, or asleep in the kernel.
 */
import { BUSY } from "../../protocol/errors.js";
import { WRITE_LOCK_GRANTS_OFFSET, WRITE_LOCK_WAITERS_OFFSET } from "../../protocol/layout.js";
import { WRITE_LOCK_TIMEOUT_MS } from "../../protocol/limits.js";
import type { Waiting } from "../arguments.js";
import { failure, IsthmusError } from "../errors.js";
import { monotonicMs } from "../host/runtime.js";
import type { Attachment } from "../segment/attachment.js";
import { type Condition, NOT_YET, timedOut } from "../wait/condition.js";
import { retryFor } from "../wait/retry.js";
import { wait, waitSync } from "../wait/wait.js";

/** How long a thread that blocks tries again before it waits for its turn. Milliseconds. */
const TRIES_MS = 1;

/**
 * Calls a function of the core that takes the write lock, blocking the thread while live participants have it: for
 * microseconds, in a transaction for as long as the user's function runs. Without a timeout of its own it waits for
 * WRITE_LOCK_TIMEOUT_MS.
 *
 * @param timeoutMs Infinity for the limit that all changes have
 * @returns its result, never BUSY
 * @throws {IsthmusError} BUSY when others had it for 5 seconds; TIMED_OUT when a `timeoutMs` was given, and passed; DEADLOCK, at
 *   once without a timeout, inside the transaction of another opener of this thread
 */
export function withWriteLock(
  attachment: Attachment,
  what: string,
  call: () => number,
  timeoutMs = Infinity,
  givenMs = timeoutMs,
): number {
  const change = new Change(attachment, what, call, timeoutMs, givenMs);
  const early = retryFor(Math.min(TRIES_MS, change.limitMs), () => tryWriteLock(attachment, call));
  if (early !== undefined) return early;
  if (timeoutMs === Infinity && attachment.transactsElsewhere()) throw waitsForItself(attachment, what);
  try {
    return waitSync(attachment, change, { timeoutMs: change.leftMs, signal: undefined });
  } catch (error) {
    throw change.errorOf(error);
  }
}

function waitsForItself({ name }: Attachment, what: string): IsthmusError {
  return new IsthmusError(
    "DEADLOCK",
    `${what}: this thread would wait for itself: it runs a transaction through another opener of segment "${name}"; ` +
      "use the segment object of the transaction in its body",
  );
}

/** As `withWriteLock`, without blocking the thread. Changes of one opener that wait run in the order of their calls. */
export async function withWriteLockLater(
  attachment: Attachment,
  what: string,
  call: () => number,
  { timeoutMs, signal }: Waiting,
  givenMs = timeoutMs,
): Promise<number> {
  const change = new Change(attachment, what, call, timeoutMs, givenMs);
  change.queue = attachment.changes;
  try {
    return await wait(attachment, change, { timeoutMs: change.limitMs, signal });
  } catch (error) {
    throw change.errorOf(error);
  }
}

/** One attempt, which asks the kernel about whoever is in the way: undefined when a live participant is. */
export function tryWriteLock(attachment: Attachment, call: () => number): number | undefined {
  return attachment.retryPastDead(() => attempt(attachment, call));
}

/** One attempt: undefined when somebody has the write lock, or has its turn. */
function attempt(attachment: Attachment, call: () => number): number | undefined {
  try {
    let status = call() >>> 0;
    if (status === BUSY && attachment.core.turnPass(monotonicMs()) !== 0) status = call() >>> 0;
    return status === BUSY ? undefined : status;
  } finally {
    if (!attachment.closed) attachment.passOn();
  }
}

/** A change that waits for the write lock. */
class Change implements Condition<number> {
  readonly what: string;
  readonly waiters = WRITE_LOCK_WAITERS_OFFSET;
  queue: Condition<number>["queue"];
  readonly #attachment: Attachment;
  readonly #call: () => number;
  readonly #timeoutMs: number;
  readonly #givenMs: number;
  readonly #beginMs = monotonicMs();
  readonly #grants: number;
  /** The function itself has thrown: a transaction runs its body in it. */
  #threw = false;

  /** `givenMs` is the timeout that the caller gave; `timeoutMs` is what is left of it. */
  constructor(attachment: Attachment, what: string, call: () => number, timeoutMs: number, givenMs: number) {
    this.what = what;
    this.#attachment = attachment;
    this.#call = call;
    this.#timeoutMs = timeoutMs;
    this.#givenMs = givenMs;
    this.#grants = this.#granted;
  }

  get limitMs(): number {
    return this.#timeoutMs === Infinity ? WRITE_LOCK_TIMEOUT_MS : this.#timeoutMs;
  }

  get leftMs(): number {
    return Math.max(0, this.#beginMs + this.limitMs - monotonicMs());
  }

  /** How often the lock was taken, by whomever. */
  get #granted(): number {
    return this.#attachment.u32[WRITE_LOCK_GRANTS_OFFSET >>> 2] as number;
  }

  attempt(): number | typeof NOT_YET {
    this.#attachment.check(true); // CLOSED, when it was closed meanwhile
    try {
      return attempt(this.#attachment, this.#call) ?? NOT_YET;
    } catch (error) {
      this.#threw = true;
      throw error;
    }
  }

  /** Does not run the function: nothing of the user runs while the kernel is asked. */
  recheck(): void {
    const { core } = this.#attachment;
    this.#attachment.retryPastDead(() => (core.writeLockState() === 0 ? true : undefined));
  }

  /** A turn that came after the change goes to the next. */
  served(): void {
    const attachment = this.#attachment;
    if (attachment.closed) return;
    attachment.core.turnServed();
    attachment.passOn();
  }

  failed(): void {
    const attachment = this.#attachment;
    if (attachment.closed || attachment.changes.length > 0) return;
    attachment.core.turnLeave();
    attachment.passOn();
  }

  /** Without a timeout of its own the change has been refused, and the text says by whom. */
  errorOf(error: unknown): unknown {
    if (this.#threw || !(error instanceof IsthmusError) || error.code !== "TIMED_OUT") return error;
    if (this.#timeoutMs !== Infinity) return timedOut(this.what, this.#givenMs);
    const changes = (this.#granted - this.#grants) >>> 0;
    const who = this.#attachment.suspectText();
    const limit = `${WRITE_LOCK_TIMEOUT_MS} ms`;
    const text =
      changes === 0
        ? `${who} has been changing the segment for ${limit}; it may be stopped, or in a long transaction`
        : `others have changed the segment ${changes} times in ${limit}; now ${who} does. Shorten transactions`;
    return failure(BUSY, `${this.what}: ${text}`);
  }
}
