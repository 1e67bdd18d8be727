import type { AbortSource } from "../arguments.js";
import { clearTimeout, setTimeout } from "../host/runtime.js";

/** Resolves after so many milliseconds; rejects with the signal's reason when that is aborted first. */
export function pauseFor(milliseconds: number, signal: AbortSource | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}
