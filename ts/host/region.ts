import { PAGE_BYTES } from "../../protocol/limits.js";
import { attempt, IsthmusError } from "../errors.js";
import { loadNative } from "./native.cjs";
import type { Native, NativeInfo } from "./native.js";

/** The shim of this platform. */
export const native: Native = attempt("loading the shim", loadNative);

const BELLS = Symbol.for("isthmus.bells");

/**
 * Calls the function when a bell rings, as `Native.setBell` describes. All such functions are kept with the shim, which takes
 * one: the builds of this package for ESM and for CommonJS may run side by side, each with modules of its own.
 */
export function onBell(look: () => void): void {
  const shim = native as Native & { [BELLS]?: Set<() => void> };
  let looks = shim[BELLS];
  if (!looks) {
    const all = new Set<() => void>();
    native.setBell(() => {
      for (const one of all) one();
    });
    looks = shim[BELLS] = all;
  }
  looks.add(look);
}

/**
 * Every mapped memory of this environment, held strongly: an engine that collects a memory with a segment over it would
 * hand out the segment's pages as new memory.
 */
const mapped = new Set<WebAssembly.Memory>();

/**
 * An object of the operating system and, once mapped, the Wasm memory that it lies over. Knows nothing of what the bytes
 * mean.
 */
export class Region {
  readonly object: number;
  readonly readOnly: boolean;
  memory: WebAssembly.Memory | undefined;
  #open = true;

  constructor(object: number, readOnly: boolean) {
    this.object = object;
    this.readOnly = readOnly;
  }

  info(): NativeInfo {
    return attempt("looking at an object", () => native.info(this.object));
  }

  /** Takes a lock, unless somebody else is in the way; never waits. */
  lock(index: number, shared: boolean): boolean {
    return attempt("locking", () => native.lock(this.object, index, shared));
  }

  unlock(index: number): void {
    attempt("unlocking", () => native.unlock(this.object, index));
  }

  /** Whether anybody else has the lock, in any mode. */
  held(index: number): boolean {
    return attempt("looking at a lock", () => native.held(this.object, index));
  }

  /** The bytes at `offset`, read without a mapping; fewer than asked for where the object ends. */
  read(offset: number, bytes: number): Uint8Array {
    const into = new Uint8Array(bytes);
    const copied = attempt("reading", () => native.read(this.object, offset, into));
    return into.subarray(0, copied);
  }

  /** Removes the name, if it still leads to this object. The caller has LOCK_CREATION. */
  remove(): boolean {
    return attempt("removing the name", () => native.remove(this.object));
  }

  /** Makes a longer object exactly that long. Nobody has it mapped. */
  shrink(bytes: number): void {
    attempt("shrinking", () => native.shrink(this.object, bytes));
  }

  /** Lays the object's bytes, a multiple of PAGE_BYTES, under a new Wasm memory. */
  map(bytes: number): WebAssembly.Memory {
    const pages = bytes / PAGE_BYTES;
    let memory: WebAssembly.Memory;
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (error) {
      throw new IsthmusError(
        "OUT_OF_SHARED_MEMORY",
        `no address space for a segment of ${bytes} bytes (${(error as Error).message}). Engines reserve up to ` +
          `10 GiB of addresses per segment, also for a closed one while a view of its bytes is kept: raise "ulimit -v", ` +
          "close other segments, or drop views of closed ones",
      );
    }
    const view = new Uint8Array(memory.buffer);
    attempt(`mapping ${bytes} bytes`, () => native.map(this.object, view, this.readOnly));
    mapped.add(memory);
    this.memory = memory;
    return memory;
  }

  /** Puts private pages back; the object stays open and can be mapped again. */
  unmap(): void {
    attempt("unmapping", () => native.unmap(this.object));
    if (this.memory) mapped.delete(this.memory);
    this.memory = undefined;
  }

  /** Takes the bytes away, leaving zeros to whoever still holds a view, and closes the object. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    native.close(this.object);
    if (this.memory) mapped.delete(this.memory);
    this.memory = undefined;
  }
}
