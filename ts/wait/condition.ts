/** What a wait waits for, and what its user tells the room about it. */
import { IsthmusError } from "../errors.js";
import type { Queue } from "./queue.js";

/** What an attempt gives when what is waited for is not there. */
export const NOT_YET: unique symbol = Symbol("not yet");

/** One who waits, as the queue of a condition holds it. */
export interface QueuedWait {
  readonly condition: Condition<unknown>;
}

export interface Condition<T> {
  /** What is waited for, for error texts. */
  what: string;
  /** Offset of the set of waiters that is notified of a change. A read-only opener, which cannot arm it, polls instead. */
  waiters: number;
  /**
   * Waits with the same queue are served in the order of their calls: only the first one is looked at, and the next one right
   * after it has ended. `wait` puts them in and takes them out. A try that must not overtake them looks at its `length`. Without
   * a queue every wait is looked at whenever something has changed.
   */
  queue?: Queue<QueuedWait> | undefined;
  /**
   * Takes what is waited for. Throws when it can never come. Called for the first of a queue only; the wait has left the queue
   * when its caller goes on, not yet during the call.
   */
  attempt(): T | typeof NOT_YET;
  /**
   * Whether something in this very environment keeps the first of a queue from going on, whatever the shared words say. Then it
   * sleeps without an arm, since no bell is rung for that: whoever takes the obstacle away calls `lookAtFirst`.
   */
  blocked?(): boolean;
  /** Asks the kernel whether the peer has died without saying so. Called every RECHECK_MS. */
  recheck(): void;
  /** A number that changes with the object: while it stays the same, no attempt can give anything else than before. */
  version?(): number;
  /**
   * The wait has ended without a value and stands in no queue any more.
   *
   * @param gaveUp its caller would not wait any longer: the timeout has passed, or the signal was aborted
   */
  failed?(gaveUp: boolean): void;
}

/** How often a read-only opener, which nobody can notify, looks. Milliseconds. */
export const POLL_MS = 2;

export function timedOut(what: string, timeoutMs: number): IsthmusError {
  return new IsthmusError("TIMED_OUT", `${what} took longer than ${timeoutMs} ms; nothing was changed`);
}
