/** The condition that a call waits for. */
import { IsthmusError } from "../errors.js";
import type { Queue } from "./queue.js";

/** The result of an attempt when the condition does not hold yet. */
export const NOT_YET: unique symbol = Symbol("not yet");

/** A waiting call, as an entry in the queue of a condition. */
export interface QueuedWait {
  readonly condition: Condition<unknown>;
}

export interface Condition<T> {
  /** Describes the condition, for error texts. */
  what: string;
  /**
   * Offset of the set of waiters that notifiers of this condition wake. A read-only opener cannot arm in it, and polls instead.
   */
  waiters: number;
  /**
   * Calls with the same queue are served in order: only the first one is checked, and the next one directly after the first has
   * ended. `wait` adds them and removes them. A call with "try" that must not overtake them checks the `length`. Without a
   * queue, every waiting call is checked whenever something has changed.
   */
  queue?: Queue<QueuedWait> | undefined;
  /**
   * Tries to get the value. Throws when it can never be there. It is called only for the first entry of a queue. The entry is
   * still in the queue during the call, and has left it when its caller continues.
   */
  attempt(): T | typeof NOT_YET;
  /**
   * Whether something in this environment blocks the first entry of the queue, whatever the shared words contain. Then it
   * sleeps without arming, because no notifier wakes it. The code that removes the obstacle calls `lookAtFirst`.
   */
  blocked?(): boolean;
  /**
   * Throws DEADLOCK when nobody but the calling thread could change anything. Called before the thread blocks without a timeout,
   * after an attempt that gave nothing.
   */
  checkBlocking?(): void;
  /** Asks the kernel whether the peer has died. Called every RECHECK_MS. */
  recheck(): void;
  /** A number that changes with the object. While it stays the same, every attempt gives the same result. */
  version?(): number;
  /**
   * For things that only one waiter can take: calls the next waiter. Called when a wait ends, with a value or without one, that
   * may have been called and has not checked since. Without this function, changes wake everybody in the set.
   */
  passOn?(): void;
  /**
   * Called when the wait has ended with a value, is disarmed, and no other wait follows it in its queue: it may have been called
   * once more since the attempt that gave the value.
   */
  served?(): void;
  /**
   * Called when the wait has ended without a value and has left its queue.
   *
   * @param gaveUp whether the timeout has passed or the signal was aborted
   */
  failed?(gaveUp: boolean): void;
}

/** How often a read-only opener checks, because it cannot be notified. Milliseconds. */
export const POLL_MS = 2;

/** The error of a wait that has taken all its time. */
export function timedOut(what: string, timeoutMs: number): IsthmusError {
  return new IsthmusError("TIMED_OUT", `${what} took longer than ${timeoutMs} ms; nothing was changed`);
}
