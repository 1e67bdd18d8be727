/**
 * One memory, several instances of one instrumented module over it, and a way back to an earlier state. A participant
 * consists of an instance (its globals are what it knows privately) and of the bytes that all share.
 */
import type { Instrumented, Site } from "./instrument.js";

/** What instrumented code calls; see `instrument.ts`. */
export interface Hooks {
  step(site: number, address: number): void;
  /** Whether the host takes this store over; `deferI32` or `deferI64` follows if so. */
  defer?(site: number, address: number, bytes: number): number;
  deferI32?(site: number, address: number, bytes: number, value: number): void;
  deferI64?(site: number, address: number, bytes: number, value: bigint): void;
  /** What becomes of a read-modify-write: 0 it is done, 1 it is split into load and store, 2 its store is dropped. */
  alter?(site: number, address: number): number;
}

export type Exports = Record<string, (...args: number[]) => number>;

export class Arena {
  readonly sites: Site[];
  /** All bytes of the memory; the segment comes first. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly segment: Uint8Array;
  readonly #memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  /** The private variables of each instance. */
  readonly #globals: WebAssembly.Global[][] = [];
  readonly #pristine: unknown[][] = [];

  /** `spareBytes` lie beyond the segment, where the core must not reach. */
  constructor(instrumented: Instrumented, segmentBytes: number, spareBytes = 0) {
    const pages = Math.ceil((segmentBytes + spareBytes) / 65536);
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.#module = new WebAssembly.Module(instrumented.wasm);
    this.sites = instrumented.sites;
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.view = new DataView(this.#memory.buffer);
    this.segment = this.bytes.subarray(0, segmentBytes);
  }

  /** `others`: what a core for hosts that block imports besides. */
  instantiate(hooks: Hooks, others: WebAssembly.Imports = {}): Exports {
    const exports = new WebAssembly.Instance(this.#module, {
      env: { memory: this.#memory, ...hooks },
      ...others,
    }).exports;
    const names = Object.keys(exports).filter((name) => name.startsWith("$g"));
    const globals = names.map((name) => exports[name] as WebAssembly.Global);
    this.#globals.push(globals);
    this.#pristine.push(globals.map((global) => global.value));
    return exports as unknown as Exports;
  }

  /** The private state of all instances, for `recall`. */
  globals(): unknown[][] {
    return this.#globals.map((globals) => globals.map((global) => global.value));
  }

  /** Puts all instances back to that private state; without one, to what they were when they were made. */
  recall(values: readonly unknown[][] = this.#pristine): void {
    this.#globals.forEach((globals, instance) => {
      globals.forEach((global, index) => {
        global.value = values[instance]?.[index];
      });
    });
  }

  /** Throws when the core reaches for what is not the segment. */
  checkInside(address: number): void {
    if (address < 0 || address >= this.segment.length)
      throw new Error(`access outside the segment at ${address}`);
  }

  /** "i64.atomic.store of [512] in join (site 7)" */
  describe(site: number, address: number): string {
    const { name, func } = this.sites[site] as Site;
    return `${name} of [${address}] in ${func} (site ${site})`;
  }
}
