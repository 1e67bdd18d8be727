/** What the processes under load do. Their timers can be taken away from the library, where the runtime lets that happen. */
import { syncBuiltinESMExports } from "node:module";
import timers, * as exported from "node:timers";

export * from "../memory-soak/memory-actions.js";

/**
 * From here on no interval begins in this process, so that a wait is served by a wake-up or never. False where the runtime keeps
 * its own timers: there a wait looks again by itself, too.
 */
export function forgetRechecks(): boolean {
  const begin = timers.setInterval;
  const never = ((callback: () => void) => begin(callback, 2 ** 31 - 1)) as typeof timers.setInterval;
  timers.setInterval = never;
  syncBuiltinESMExports();
  return exported.setInterval === never;
}
