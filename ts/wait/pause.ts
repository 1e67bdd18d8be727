import type { AbortSource } from "../arguments.js";
import { clearTimer, setTimeout } from "../host/runtime.js";
import { onAbort } from "./abort.js";

/** Resolves after so many milliseconds; rejects with the signal's reason when that is aborted first, or was before. */
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
      if (ended) stopListening?.(); // aborted while the signal was asked
    } catch (error) {
      end();
      reject(error);
    }
  });
}
