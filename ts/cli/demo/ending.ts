/** What must not outlive the demo, whatever ends it: an error, a signal, or a reader of its output that stops early. */
import { constants } from "node:os";
import process from "node:process";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const pending = new Set<() => void>();

/** Calls now what waits for the end, the latest first. */
export function tidy(): void {
  for (const each of [...pending].reverse()) {
    try {
      each();
    } catch {
      // The terminal may be gone on which the cursor is to be shown again: that must not keep the others.
    }
  }
}

function endBySignal(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}

/**
 * Calls the function when this process ends. Ask for it before you make what it tidies, so that no signal comes between. Until
 * there is something to call, a signal ends the process at once, also while it reads files.
 * @returns takes the function back
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
