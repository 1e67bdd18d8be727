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
    return native.info(this.object);
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
          `10 GiB of addresses per segment: raise "ulimit -v" or close other segments`,
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
