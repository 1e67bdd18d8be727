import type { AbortSource } from "../arguments.js";
import { clearTimer, setTimeout } from "../host/runtime.js";
import { onAbort } from "./abort.js";

/**
 * Resolves after so many milliseconds. Rejects with the signal's reason if the signal is aborted first, or is already aborted.
 */
export function pauseFor(milliseconds: number, signal: AbortSource | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let ended = false;
    let stopListening: (() => void) | undefined;
    const end = (): void => {
      ended = true;
      clearTimer(timer);
      stopListening?.();
    };
    const timer = setTimeout(() => {
      end();
      resolve();
    }, milliseconds);
    try {
      stopListening =
        signal &&
        onAbort(signal, () => {
          end();
          reject(signal.reason);
        });
      if (ended) stopListening?.(); // the signal was aborted while the listener was added
    } catch (error) {
      end();
      reject(error);
    }
  });
}
