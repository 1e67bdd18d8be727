/** What the tests of the shim share: opening, mapping and expecting a refusal. */
import * as assert from "uvu/assert";
import { loadNative } from "../../ts/host/native.cjs";
import type { NativeError } from "../../ts/host/native.js";

export const native = loadNative();

export const LOCAL = 0;
export const PAGE_BYTES = 65536;

export interface Mapped {
  object: number;
  memory: WebAssembly.Memory;
  bytes: Uint8Array;
  words: Int32Array;
}

/** Creates when absent, and opens for writing. */
export function open(name: string): number {
  return native.openNamed(name, LOCAL, true, false, 0o600);
}

/** Maps the object, giving it one page when it is empty. */
export function mapped(object: number, readOnly = false): Mapped {
  if (!readOnly) native.allocate(object, PAGE_BYTES);
  const pages = native.info(object).bytes / PAGE_BYTES;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  native.map(object, new Uint8Array(memory.buffer), readOnly);
  return {
    object,
    memory,
    bytes: new Uint8Array(memory.buffer),
    words: new Int32Array(memory.buffer),
  };
}

/** The function fails with that status of `protocol/errors.ts`, and says what the system said; `syscall` is that of Linux. */
export function refuses(status: number, run: () => unknown, syscall?: string): void {
  let caught: NativeError | undefined;
  try {
    run();
  } catch (error) {
    caught = error as NativeError;
  }
  assert.ok(caught, "nothing was thrown");
  assert.is(caught.status, status, `${caught.message} has status ${caught.status}, not ${status}`);
  assert.type(caught.syscall, "string");
  assert.type(caught.errno, "number");
  if (syscall !== undefined && process.platform === "linux") assert.is(caught.syscall, syscall);
}

/** The function fails because an argument is wrong: TypeError or RangeError, naming the argument. */
export function rejects(name: string, run: () => unknown): void {
  assert.throws(
    run,
    (error: Error) =>
      (error instanceof TypeError || error instanceof RangeError) && error.message.includes(name),
  );
}
