/**
 * Listens to abort signals. Each signal has one listener of Isthmus while waits of this environment depend on it, however many
 * these are, and none afterwards. So a program may use one signal for its whole life.
 *
 * The object may be one that the caller has made. Its methods may throw, call back at once, call back twice, or never. The data
 * in this file stays consistent in each case.
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
      // The wait has already ended, and its result counts: a value that was taken must reach its caller.
    }
  }

  /** Returns whether it was the last one. */
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
 * Calls back when the signal is aborted; at once if it is already aborted.
 *
 * @returns a function that removes the callback. The caller must call it in any case, also after the callback was called
 */
export function onAbort(signal: AbortSource, callback: () => void): () => void {
  const listeners = all.get(signal) ?? new Listeners(signal);
  listeners.add(callback);
  try {
    // The event may have happened while the caller prepared its wait.
    if (signal.aborted) callback();
  } catch (error) {
    listeners.delete(callback);
    throw error;
  }
  return () => listeners.delete(callback);
}
