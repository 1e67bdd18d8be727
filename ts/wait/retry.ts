/**
 * Retries an attempt at intervals, where there is no doorbell. What is waited for takes microseconds, unless its owner is
 * stopped.
 */
import type { AbortSource } from "../arguments.js";
import { monotonicMs, sleepMs } from "../host/runtime.js";
import { pauseFor } from "./pause.js";

/** Pauses between two attempts: the first ones, and the later ones. Milliseconds. */
const FIRST_PAUSE_MS = 0.05;
const PAUSE_MS = 0.5;
const FIRST_PAUSES_END_MS = 1;
/** A pause during which the event loop runs. Milliseconds. */
const TIMER_MS = 1;

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

/** As `retryFor`, without blocking the thread. Rejects with the signal's reason if the signal is aborted first. */
export async function retryLater<T>(
  timeoutMs: number,
  signal: AbortSource | undefined,
  attempt: () => T | undefined,
): Promise<T | undefined> {
  const begin = monotonicMs();
  for (;;) {
    const result = attempt();
    if (result !== undefined) return result;
    if (monotonicMs() - begin >= timeoutMs) return undefined;
    await pauseFor(TIMER_MS, signal);
  }
}
