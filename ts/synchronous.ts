/** Checks that a function of the user has done all its work when it returns. */
import { callback } from "./arguments.js";

/** Functions of these kinds return before their work is done. */
const RUNS_LATER = /^\[object (?:Async|Generator|AsyncGenerator)Function\]$/;

/**
 * Refuses a function of one of these kinds before it runs.
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
 * Refuses a result that is a promise. If the promise rejects later, the rejection is ignored.
 *
 * @param consequence what the caller does about it, and what to do instead
 */
export function refusePromise(argument: string, result: unknown, consequence: string): void {
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") return;
  const nothing = (): void => {};
  try {
    // The function of the engine accepts promises of all realms, and calls nothing of an object that only looks like a
    // promise.
    Promise.prototype.then.call(result, nothing, nothing);
  } catch {
    // It is not a promise.
  }
  throw new TypeError(`${argument} returned a promise, or something with a method "then": ${consequence}`);
}
