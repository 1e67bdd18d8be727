/** The only file that knows which runtime it runs in. Every other file asks here. */
import { RUNTIME_BUN, RUNTIME_DENO, RUNTIME_NODE } from "../../protocol/layout.js";
import { IsthmusError } from "../errors.js";
import { builtin } from "./builtin.cjs";
import { coreBytes } from "./core-bytes.cjs";
import { native } from "./region.js";

/*
 * Test frameworks replace timers and clocks. Everything here keeps to real time: `timers.ts` says how timers do, and timeouts are
 * measured by the clock of the system.
 */
export { clearTimer, setImmediate, setInterval, setTimeout, type Timer } from "./timers.js";

const process = builtin("node:process");
const versions: Record<string, string | undefined> = process.versions;

/** RUNTIME_… of this environment. */
export const runtime = versions.bun ? RUNTIME_BUN : versions.deno ? RUNTIME_DENO : RUNTIME_NODE;

/**
 * Callbacks of `setImmediate`, one after the other, until the event loop has looked at everything, sockets among it. Deno looks
 * at sockets when it has nothing else to do, or after 61 of them (`event_interval` of its scheduler, Tokio).
 */
export const immediatesPerTurn = runtime === RUNTIME_DENO ? 64 : 1;

export const pid: number = process.pid;

/** The user that this process acts as now; undefined where the system has no such number. */
export function userId(): number | undefined {
  return process.geteuid?.();
}

/** Milliseconds since some moment, by the clock of the system. */
export function monotonicMs(): number {
  return native.now();
}

const readDate = Date.now;

/** Nanoseconds since 1970, as precisely as a double holds them; by the clock as it was when this package was loaded. */
export function nowNs(): number {
  return readDate() * 1e6;
}

/** Milliseconds since 1970, by the clock as it was when this package was loaded. */
export function nowMs(): number {
  return readDate();
}

/** A new controller. A context of `node:vm` has no `AbortController` of its own, and gets one of the main context. */
export function abortController(): AbortController {
  if (typeof AbortController === "function") return new AbortController();
  return builtin("node:util").transferableAbortController();
}

/** A number of 32 bits that nobody can guess. */
export function secretNumber(): number {
  return builtin("node:crypto").randomBytes(4).readUInt32LE(0);
}

let nothing: Int32Array | undefined;

/** A word that nobody changes. Some global scopes have no SharedArrayBuffer (a window of Electron), but every Wasm has it. */
function still(): Int32Array {
  nothing ??= new Int32Array(
    typeof SharedArrayBuffer === "function"
      ? new SharedArrayBuffer(4)
      : new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer,
  );
  return nothing;
}

/** Blocks the thread. */
export function sleepMs(milliseconds: number): void {
  Atomics.wait(still(), 0, 0, milliseconds);
}

/**
 * JavaScriptCore makes an atomic load by adding zero. In memory mapped read-only that is a trap in Wasm, and the end of the
 * process in JavaScript.
 */
export const atomicLoadsWrite = runtime === RUNTIME_BUN;

/** No load of shared memory moves across this call. */
export function fence(): void {
  Atomics.add(still(), 0, 0);
}

const compiled = new Map<boolean, WebAssembly.Module>();

/** The core, compiled once per environment; for read-only memory, one that never writes when it loads. */
export function coreModule(readOnly: boolean): WebAssembly.Module {
  const plain = readOnly && atomicLoadsWrite;
  const known = compiled.get(plain);
  if (known) return known;
  const module = compile(contentOf(plain));
  compiled.set(plain, module);
  return module;
}

/** The code that holds the core is loaded late, and that takes a file descriptor where it was not bundled. */
function contentOf(plain: boolean): Uint8Array<ArrayBuffer> {
  try {
    return coreBytes(plain);
  } catch (error) {
    const { message, syscall = "", errno = 0 } = error as NodeJS.ErrnoException;
    throw new IsthmusError(
      "SYSTEM",
      `the core cannot be read (${message}): is the package completely installed, and may this process open more files?`,
      { syscall, errno: Math.abs(errno) },
    );
  }
}

function compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    throw new IsthmusError(
      "NOT_SUPPORTED",
      `this runtime or realm does not compile Wasm (${(error as Error).message}): a policy may forbid it, such as ` +
        "codeGeneration: { wasm: false } of a vm context",
    );
  }
}
