/** Runs clean-up functions when the demo ends: by an error, by a signal, or because the reader of its output has stopped. */
import { constants } from "node:os";
import process from "node:process";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const pending = new Set<() => void>();

/** Runs the pending functions now, the latest first. */
export function tidy(): void {
  for (const each of [...pending].reverse()) {
    try {
      each();
    } catch {
      // The terminal may be gone, so that showing the cursor fails. The other functions must run nevertheless.
    }
  }
}

function endBySignal(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}

/**
 * Calls the function when this process ends. Register it before you create what it removes, so that no signal comes between.
 * While no function is registered, a signal ends the process at once.
 * @returns a function that cancels the call
 */
export function atTheEnd(call: () => void): () => void {
  if (pending.size === 0) {
    process.once("exit", tidy);
    for (const signal of SIGNALS) process.once(signal, endBySignal);
  }
  pending.add(call);
  return () => {
    pending.delete(call);
    if (pending.size > 0) return;
    process.off("exit", tidy);
    for (const signal of SIGNALS) process.off(signal, endBySignal);
  };
}
