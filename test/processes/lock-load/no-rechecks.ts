/**
 * Intervals of this process, which can be taken away from the library: so a wait is served by a wake-up or never. The library
 * takes `setInterval` when it is loaded, so this module must be imported before it.
 */
import timers from "node:timers";

const NEVER_MS = 2 ** 31 - 1;

let forgotten = false;
let begun = 0;

const begin = timers.setInterval;
timers.setInterval = ((callback: () => void, milliseconds?: number) => {
  begun++;
  return begin(callback, forgotten ? NEVER_MS : milliseconds);
}) as typeof timers.setInterval;

/** From here on no interval that begins comes to its end. */
export function forgetIntervals(): void {
  forgotten = true;
}

/** How many intervals were begun here; those of a runtime that keeps its own are not. */
export function intervalsBegun(): number {
  return begun;
}
