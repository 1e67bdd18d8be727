/** No wait of a test is without an end. The limits are generous: they catch hangs and assert no speed. */
import { setTimeout as after } from "node:timers";
import { IsthmusError } from "isthmus";

export const WATCHDOG_MS = 60_000;

/** The promise's value, or a failure that says what did not happen in time. */
export function within<T>(what: string, promise: Promise<T>, milliseconds = WATCHDOG_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = after(
      () => reject(new Error(`watchdog: ${what} did not happen within ${milliseconds} ms`)),
      milliseconds,
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
  const begin = Date.now();
  while (!(await holds())) {
    if (Date.now() - begin > milliseconds)
      throw new Error(`watchdog: ${what} did not happen within ${milliseconds} ms`);
    await pause(5);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => after(resolve, milliseconds));
}
