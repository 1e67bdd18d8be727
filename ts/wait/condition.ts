/** What waits look at, and what they say. */
import { IsthmusError } from "../errors.js";

/** What an attempt gives when the time has not come. */
export const NOT_YET: unique symbol = Symbol("not yet");

export interface Condition<T> {
  /** What is waited for, for error texts. */
  what: string;
  /** The set of waiters that is notified of a change; 0 to look from time to time (read-only openers). */
  waiters: number;
  /** Takes what is waited for. Throws when it can never come. */
  attempt(): T | typeof NOT_YET;
  /** Looks whether the peer died without a word. */
  recheck(): void;
  /** The wait ended without a value; `gaveUp` when it was its caller that would not wait any longer. */
  failed?(gaveUp: boolean): void;
}

/** How often a read-only opener, whom nobody can notify, looks. Milliseconds. */
export const POLL_MS = 2;

export function timedOut(what: string, timeoutMs: number): IsthmusError {
  return new IsthmusError("TIMED_OUT", `${what} took longer than ${timeoutMs} ms; nothing was changed`);
}
