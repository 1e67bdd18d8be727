/** Functions of the user that must have done all their work when they return. */
import { callback } from "./arguments.js";

/** Functions of these kinds return before they have done all, or anything. */
const RUNS_LATER = /^\[object (?:Async|Generator|AsyncGenerator)Function\]$/;

/**
 * Refuses, before anything runs, a function that says of itself that it is not done when it returns.
 *
 * @param why what to do instead
 */
export function checkSynchronous(argument: string, value: unknown, why: string): void {
  callback(argument, value);
  const kind = Object.prototype.toString.call(value);
  if (RUNS_LATER.test(kind))
    throw new TypeError(`${argument} must not be async or a generator, got ${kind}; ${why}`);
}

/**
 * Refuses a result that stands for a value which comes later. When that fails later, too, nobody waits for it.
 *
 * @param consequence what the caller does because of it, and what to do instead
 */
export function refusePromise(argument: string, result: unknown, consequence: string): void {
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") return;
  const nothing = (): void => {};
  try {
    // The engine's own function takes promises of all realms, and begins nothing that only looks like a promise.
    Promise.prototype.then.call(result, nothing, nothing);
  } catch {
    // It is no promise.
  }
  throw new TypeError(`${argument} returned a promise, or something with a method "then": ${consequence}`);
}
