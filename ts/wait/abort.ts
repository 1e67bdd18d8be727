/**
 * Aborted signals. Each signal has one listener of ours while any wait of this environment depends on it, however many do, and
 * none afterwards: a program may use one signal for its whole life.
 *
 * The object may be the caller's own. Whatever its methods do, the bookkeeping here stays whole: they may throw, call back at
 * once, call back twice, or never.
 */
import type { AbortSource } from "../arguments.js";

class Listeners {
  readonly #signal: AbortSource;
  readonly #callbacks = new Set<() => void>();

  constructor(signal: AbortSource) {
    this.#signal = signal;
  }

  add(callback: () => void): void {
    this.#callbacks.add(callback);
    if (this.#callbacks.size > 1) return;
    all.set(this.#signal, this);
    try {
      this.#signal.addEventListener("abort", this.#aborted);
    } catch (error) {
      this.#forget(callback);
      throw error;
    }
  }

  delete(callback: () => void): void {
    if (!this.#forget(callback)) return;
    try {
      this.#signal.removeEventListener("abort", this.#aborted);
    } catch {
      // The wait has ended already, and its result counts: a value that was taken must reach its caller.
    }
  }

  /** Whether it was the last one. */
  #forget(callback: () => void): boolean {
    if (!this.#callbacks.delete(callback) || this.#callbacks.size > 0) return false;
    all.delete(this.#signal);
    return true;
  }

  readonly #aborted = (): void => {
    for (const callback of [...this.#callbacks]) callback();
  };
}

const all = new WeakMap<AbortSource, Listeners>();

/**
 * Calls back when the signal is aborted; at once when it is aborted already.
 *
 * @returns takes the callback back. The caller does so in any case, also after a call
 */
export function onAbort(signal: AbortSource, callback: () => void): () => void {
  const listeners = all.get(signal) ?? new Listeners(signal);
  listeners.add(callback);
  try {
    // Its event may have come and gone while the caller prepared its wait.
    if (signal.aborted) callback();
  } catch (error) {
    listeners.delete(callback);
    throw error;
  }
  return () => listeners.delete(callback);
}
