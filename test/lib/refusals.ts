/** Checks that a call is refused, and how. */
import * as assert from "uvu/assert";
import { within } from "./watchdog.js";

interface Refusal {
  name: string;
  code?: string;
  message: string;
  stack?: string;
}

function check(error: unknown, code: string, text: RegExp | undefined): Refusal {
  const refusal = error as Refusal;
  assert.is(refusal.code ?? refusal.name, code, refusal.stack);
  if (text) assert.match(refusal.message, text, refusal.message);
  return refusal;
}

/** The error of the call, which has that code, or is that "TypeError" or "RangeError". */
export function refused(code: string, call: () => unknown, text?: RegExp): Refusal {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    return check(error, code, text);
  }
  return assert.unreachable(`gave ${String(value)} instead of ${code}`) as never;
}

/** As `refused`, for a promise. */
export async function rejected(code: string, call: Promise<unknown>, text?: RegExp): Promise<Refusal> {
  const settled = call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const result = await within("a rejection", settled);
  if ("error" in result) return check(result.error, code, text);
  return assert.unreachable(`gave ${String(result.value)} instead of ${code}`) as never;
}
