/** No wait of a test is without an end. The limits are generous: they catch hangs and assert no speed. */
import process from "node:process";
import { setTimeout as after } from "node:timers";
import { IsthmusError } from "isthmus";

/** On two idle cores. */
export const WATCHDOG_MS = 60_000;
/** How much longer everything takes on this machine now; the runner has measured it. */
const FACTOR = Number(process.env.ISTHMUS_TEST_WATCHDOG_FACTOR ?? 1);

/** The promise's value, or a failure that says what did not happen in time. The limit is that of two idle cores. */
export function within<T>(what: string, promise: Promise<T>, milliseconds = WATCHDOG_MS): Promise<T> {
  const limitMs = milliseconds * FACTOR;
  return new Promise((resolve, reject) => {
    const timer = after(
      () => reject(new Error(`watchdog: ${what} did not happen within ${limitMs} ms`)),
      limitMs,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The code of the IsthmusError by which the promise is rejected in time. */
export async function codeWithin(promise: Promise<unknown>): Promise<string> {
  try {
    await within("a rejection", promise);
  } catch (error) {
    if (error instanceof IsthmusError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

/** Looks again and again until the condition holds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  milliseconds = WATCHDOG_MS,
): Promise<void> {
  const limitMs = milliseconds * FACTOR;
  const begin = performance.now();
  while (!(await holds())) {
    if (performance.now() - begin > limitMs)
      throw new Error(`watchdog: ${what} did not happen within ${limitMs} ms`);
    await pause(5);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => after(resolve, milliseconds));
}
