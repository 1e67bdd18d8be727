/** Trying again and again where nobody rings a bell: what is waited for takes microseconds, unless its owner is stopped. */
import type { AbortSource } from "../arguments.js";
import { monotonicMs, sleepMs } from "../host/runtime.js";
import { pauseFor } from "./pause.js";

/** Pauses between two attempts: at first, and when that did not help. Milliseconds. */
const FIRST_PAUSE_MS = 0.05;
const PAUSE_MS = 0.5;
const FIRST_PAUSES_END_MS = 1;
/** A pause that the event loop is free in. Milliseconds. */
const TIMER_MS = 1;

/**
 * Calls an attempt until it gives something, blocking the thread.
 *
 * @returns undefined when it took longer
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

/** As `retryFor`, without blocking; rejects with the signal's reason when that is aborted first. */
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
