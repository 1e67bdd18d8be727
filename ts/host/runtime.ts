/** The only file that knows which runtime it runs in. Every other file asks here. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from "node:timers";
import { RUNTIME_BUN, RUNTIME_DENO, RUNTIME_NODE } from "../../protocol/layout.js";
import { IsthmusError } from "../errors.js";
import { coreFile, plainCoreFile } from "./files.cjs";

export { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout };

const versions: Record<string, string | undefined> = process.versions;

/** RUNTIME_… of this environment. */
export const runtime = versions.bun ? RUNTIME_BUN : versions.deno ? RUNTIME_DENO : RUNTIME_NODE;

export const pid: number = process.pid;

const clock = performance;
const readClock = clock.now;

/** Milliseconds since some moment, by the clock as it was when the package was loaded: test frameworks replace it later. */
export function monotonicMs(): number {
  return readClock.call(clock);
}

/** Nanoseconds since 1970, as precisely as a double holds them. */
export function nowNs(): number {
  return Date.now() * 1e6;
}

const nothing = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread. */
export function sleepMs(milliseconds: number): void {
  Atomics.wait(nothing, 0, 0, milliseconds);
}

/** Calls back when this environment ends in good order. */
export function onExit(callback: () => void): void {
  process.on("exit", callback);
}

/**
 * JavaScriptCore makes an atomic load by adding zero. In memory mapped read-only that is a trap in Wasm, and the end of the
 * process in JavaScript.
 */
export const atomicLoadsWrite = runtime === RUNTIME_BUN;

/** No load of shared memory moves across this call. */
export function fence(): void {
  Atomics.add(nothing, 0, 0);
}

const compiled = new Map<string, WebAssembly.Module>();

/** The core, compiled once per environment; for read-only memory, one that never writes when it loads. */
export function coreModule(readOnly: boolean): WebAssembly.Module {
  const file = readOnly && atomicLoadsWrite ? plainCoreFile : coreFile;
  const known = compiled.get(file);
  if (known) return known;
  const module = new WebAssembly.Module(contentOf(file));
  compiled.set(file, module);
  return module;
}

function contentOf(file: string): Uint8Array<ArrayBuffer> {
  try {
    return readFileSync(file);
  } catch (error) {
    const { message, syscall = "", errno = 0 } = error as NodeJS.ErrnoException;
    throw new IsthmusError(
      "SYSTEM",
      `the core cannot be read (${message}): is the package completely installed, and may this process open more files?`,
      { syscall, errno: Math.abs(errno) },
    );
  }
}
