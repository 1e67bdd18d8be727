import type { AbortSource } from "../arguments.js";
import { onAbort } from "./abort.js";

/**
 * The signal of all waits of a loop. It is aborted when the loop is left, or when the signal of its caller is aborted. It is
 * not an AbortSignal of the runtime, because not every realm has that class.
 */
export class Leaving implements AbortSource {
  aborted = false;
  reason: unknown;
  readonly #listeners = new Set<() => void>();
  #stopListening: (() => void) | undefined;

  /** From now on, an abort of that signal also aborts this one. */
  follow(signal: AbortSource): void {
    const stop = onAbort(signal, () => this.abort(signal.reason));
    if (this.aborted) stop();
    else this.#stopListening = stop;
  }

  unfollow(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.unfollow();
    for (const listener of [...this.#listeners]) listener();
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }
}
