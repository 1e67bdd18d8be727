/**
 * Retries an attempt at intervals, where there is no doorbell. What is waited for takes microseconds, unless its owner is
 * stopped.
 */
import { monotonicMs, sleepMs } from "../host/runtime.js";

/** Pauses between two attempts: the first ones, and the later ones. Milliseconds. */
const FIRST_PAUSE_MS = 0.05;
const PAUSE_MS = 0.5;
const FIRST_PAUSES_END_MS = 1;

/**
 * Calls an attempt until it returns a value, blocking the thread.
 *
 * @returns the value; undefined when the timeout has passed
 */
export function retryFor<T>(timeoutMs: number, attempt: () => T | undefined): T | undefined {
  let begin: number | undefined;
  for (;;) {
    const result = attempt();
    if (result !== undefined) return result;
    const now = monotonicMs();
    begin ??= now;
    if (now - begin >= timeoutMs) return undefined;
    sleepMs(now - begin < FIRST_PAUSES_END_MS ? FIRST_PAUSE_MS : PAUSE_MS);
  }
}
