import { BUSY } from "../../protocol/errors.js";
import { PAGE_BYTES } from "../../protocol/limits.js";
import { attempt, IsthmusError } from "../errors.js";
import { addressAdvice, memoryAdvice } from "./advice.js";
import { memoryShortage } from "./limits.js";
import { loadNative } from "./native.cjs";
import type { Native, NativeError, NativeInfo, NativeStorage } from "./native.js";
import { type EventEmitter, emitter, withoutStores } from "./process.js";
import { begins, ends, isUnderWay } from "./under-way.js";

/**
 * The shim of this platform. The first use of any of its functions loads it. So importing the package loads nothing and cannot
 * fail.
 */
export let native: Native = new Proxy({} as Native, {
  get: (_, name) => {
    native = attempt("loading the shim", loadNative);
    return native[name as keyof Native];
  },
});

const BELL = Symbol.for("isthmus.bell");

/** The listener of this copy of the package for doorbells; undefined while it has none. */
let look: (() => void) | undefined;

/**
 * The shim calls one function when a doorbell has changed, and several copies of the package may use one shim. So the function
 * belongs to an emitter of the runtime's own realm. It keeps no copy alive, and none of the realms (for instance in Jest) of
 * the copies. Nor does it keep the stores of `AsyncLocalStorage` of the code that waited first.
 */
function bell(): EventEmitter {
  const shim = native as Native & { [BELL]?: EventEmitter };
  if (shim[BELL]) return shim[BELL];
  const made = emitter();
  withoutStores(() => native.setBell(made.emit.bind(made, "bell")));
  shim[BELL] = made;
  return made;
}

/** Calls the function when a doorbell has changed, as `Native.setBell` describes, until every region of this copy is closed. */
export function onBell(callback: () => void): void {
  if (look) return;
  bell().on("bell", callback);
  look = callback;
}

function offBell(): void {
  if (look) bell().off("bell", look);
  look = undefined;
}

/**
 * Every mapped memory of this environment, with strong references. If the engine collected a memory with a segment over it, it
 * would reuse the pages of the segment as new memory.
 */
const mapped = new Set<WebAssembly.Memory>();

/** A Wasm memory of exactly so many pages. */
export function newMemory(pages: number): WebAssembly.Memory {
  if (typeof WebAssembly === "undefined") {
    throw new IsthmusError(
      "NOT_SUPPORTED",
      "this engine runs without WebAssembly (node --jitless, or an option of V8 such as --no-expose-wasm), and Isthmus " +
        "cannot do without it: start the process without that option",
    );
  }
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    throw new IsthmusError(
      "OUT_OF_SHARED_MEMORY",
      `no address space for a segment of ${pages * PAGE_BYTES} bytes (${(error as Error).message}). ${addressAdvice()}`,
    );
  }
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** How many memories are tried for one mapping. */
const MEMORIES_MAX = 8;

/** How often bytes that keep changing are compared. */
const STILL_TURNS_MAX = 10;

/**
 * An object of the operating system and, after it is mapped, the Wasm memory over which it lies. It does not know the meaning
 * of the bytes.
 */
export class Region {
  /** 0 until it is open. */
  object = 0;
  readonly readOnly: boolean;
  memory: WebAssembly.Memory | undefined;
  #holder: { close(): void } = this;
  #released = false;
  #closed = false;
  /** Known after the first question. */
  #layered: boolean | undefined;

  private constructor(readOnly: boolean) {
    this.readOnly = readOnly;
  }

  /**
   * Opens an object. The opening is unfinished until `ends` says that the caller has the object, or it is closed.
   *
   * @param what for error texts
   * @param open calls the shim
   * @param advice what to do when the system refuses, where the general advice says too little
   */
  static open(
    what: string,
    readOnly: boolean,
    open: () => number,
    advice?: (error: NativeError) => string | undefined,
  ): Region {
    const region = new Region(readOnly);
    region.begins(() => region.holder.close());
    try {
      attempt(
        what,
        () => {
          region.object = open();
        },
        advice,
      );
    } catch (error) {
      if (region.object === 0) region.ends();
      throw error;
    }
    return region;
  }

  /** What closes it: itself, or the object that has it. */
  get holder(): { close(): void } {
    return this.#holder;
  }

  set holder(holder: { close(): void }) {
    this.#holder = holder;
  }

  /** Something is under way with this object: see `under-way.ts`. */
  begins(settle: () => void): void {
    begins(this, settle);
  }

  ends(): void {
    ends(this);
  }

  /** The work with this object is finished: the caller has it. */
  get kept(): boolean {
    return !isUnderWay(this);
  }

  info(): NativeInfo {
    return attempt("looking at an object", () => native.info(this.object));
  }

  /** Takes a lock, unless another holder prevents it. Never waits. */
  lock(index: number, shared: boolean): boolean {
    return attempt("locking", () => native.lock(this.object, index, shared));
  }

  unlock(index: number): void {
    attempt("unlocking", () => native.unlock(this.object, index));
  }

  /**
   * Whether another holder has the lock: in any mode, or only `exclusively`. A process that can only read the object can hold
   * any lock shared. So a shared lock proves nothing if the lock is always taken exclusively.
   */
  held(index: number, exclusively = false): boolean {
    return attempt("looking at a lock", () => native.held(this.object, index, exclusively));
  }

  /** Reads the bytes at `offset`, without a mapping: fewer bytes than requested at the end of the object. */
  read(offset: number, bytes: number): Uint8Array {
    const into = new Uint8Array(bytes);
    const copied = attempt("reading", () => native.read(this.object, offset, into));
    return into.subarray(0, copied);
  }

  /** Removes the name, if it still leads to this object. The caller has KERNEL_LOCK_CREATION. Arguments: for error texts. */
  remove(what = "removing the name", advice?: (error: NativeError) => string | undefined): boolean {
    return attempt(what, () => native.remove(this.object), advice);
  }

  /** The storage of the object, and how much room there is. */
  storage(): NativeStorage {
    return attempt("looking at the storage of an object", () => native.storage(this.object));
  }

  /**
   * Makes the object at least that long, with storage for every byte. No process may write to it meanwhile.
   *
   * If memory does not fit into a cgroup, the system gives no error: the kernel kills a process of the group. So this checks
   * the limits first.
   *
   * @param what for error texts: what it is for
   * @param advice what to do when there is no room
   */
  allocate(what: string, bytes: number, advice: (error: NativeError) => string | undefined): void {
    const { inMemory, storedBytes } = this.storage();
    const more = bytes - storedBytes;
    const shortage = inMemory && more > 0 ? memoryShortage(more) : undefined;
    if (shortage) {
      throw new IsthmusError("OUT_OF_SHARED_MEMORY", `${what} failed: ${memoryAdvice(more, shortage)}`);
    }
    attempt(what, () => native.allocate(this.object, bytes), advice);
  }

  /** Sets the time of the last change to now, because file systems do not notice every write to a mapping. Never throws. */
  touch(): void {
    if (!this.#released) native.touch(this.object);
  }

  /**
   * Whether the mapping shows bytes to which writers do not write any more. On overlayfs, a writer causes the file to be copied
   * to the upper layer, and the mapping of a reader stays on the lower one. Reading the file then gives the bytes of the upper
   * layer. On every other file system, mapping and file have the same bytes.
   *
   * @param bytes how many bytes to compare, from the start; they must include a word that every writer changes, and never back
   */
  isLeftBehind(bytes: number): boolean {
    if (!this.readOnly || !this.memory) return false;
    this.#layered ??= this.storage().layered;
    if (!this.#layered) return false;
    const mapping = new Uint8Array(this.memory.buffer, 0, bytes);
    // A live writer may change the bytes between two reads. Only bytes that do not change can be compared.
    for (let turn = 0; turn < STILL_TURNS_MAX; turn++) {
      const before = mapping.slice();
      const inFile = this.read(0, bytes);
      if (areEqual(mapping, before)) return !areEqual(before, inFile);
    }
    return false;
  }

  /** Truncates the object to exactly that length. No process has it mapped. */
  shrink(bytes: number): void {
    attempt("shrinking", () => native.shrink(this.object, bytes));
  }

  /** Lays the object's bytes, a multiple of PAGE_BYTES, under a new Wasm memory. */
  map(bytes: number): WebAssembly.Memory {
    const memory = attempt(`mapping ${bytes} bytes`, () => this.#newMapped(bytes));
    mapped.add(memory);
    this.memory = memory;
    return memory;
  }

  /** On Windows, another thread can take the addresses of a memory just when it is being mapped over. */
  #newMapped(bytes: number): WebAssembly.Memory {
    for (let turn = 1; ; turn++) {
      let memory: WebAssembly.Memory | undefined;
      const make = (): Uint8Array => {
        memory = newMemory(bytes / PAGE_BYTES);
        return new Uint8Array(memory.buffer);
      };
      try {
        native.map(this.object, make, this.readOnly);
        return memory as unknown as WebAssembly.Memory;
      } catch (error) {
        const { status, syscall } = error as NativeError;
        if (status !== BUSY || syscall === "" || turn === MEMORIES_MAX) throw error;
      }
    }
  }

  /** Puts private pages back; the object stays open and can be mapped again. */
  unmap(): void {
    attempt("unmapping", () => native.unmap(this.object));
    if (this.memory) mapped.delete(this.memory);
    this.memory = undefined;
  }

  /**
   * Replaces the mapping by zeros, for views that still exist, and closes the object. A holder other than this region ends the
   * work that is under way itself.
   */
  close(): void {
    if (this.#closed) return;
    this.begins(() => this.holder.close());
    if (!this.#released && this.object !== 0) native.close(this.object);
    this.#released = true;
    if (this.memory) mapped.delete(this.memory);
    this.memory = undefined;
    if (mapped.size === 0) offBell();
    this.#closed = true;
    if (this.holder === this) this.ends();
  }
}
