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

/** The same hooks for a module whose sites are numbered from there on. */
function shifted(hooks: Hooks, firstSite: number): Record<string, (...given: never[]) => unknown> {
  const all = Object.entries(hooks) as [string, (site: number, ...rest: unknown[]) => unknown][];
  return Object.fromEntries(
    all.map(([name, hook]) => [name, (site: number, ...rest: unknown[]) => hook(site + firstSite, ...rest)]),
  );
}

export type Exports = Record<string, (...args: number[]) => number>;

export class Arena {
  readonly sites: Site[];
  /** All bytes of the memory; the segment comes first. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly segment: Uint8Array;
  readonly #memory: WebAssembly.Memory;
  readonly #modules: { module: WebAssembly.Module; firstSite: number }[] = [];
  /** The private variables of each instance. */
  readonly #globals: WebAssembly.Global[][] = [];
  readonly #pristine: unknown[][] = [];

  /**
   * One module, or several whose sites are numbered one after the other. `spareBytes` lie beyond the segment, where the core must
   * not reach.
   */
  constructor(instrumented: Instrumented | readonly Instrumented[], segmentBytes: number, spareBytes = 0) {
    const pages = Math.ceil((segmentBytes + spareBytes) / 65536);
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.sites = [];
    for (const { wasm, sites } of [instrumented].flat()) {
      this.#modules.push({ module: new WebAssembly.Module(wasm), firstSite: this.sites.length });
      this.sites.push(...sites);
    }
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.view = new DataView(this.#memory.buffer);
    this.segment = this.bytes.subarray(0, segmentBytes);
  }

  /** `others`: what a core for hosts that block imports besides. `which`: the number of the module. */
  instantiate(hooks: Hooks, others: WebAssembly.Imports = {}, which = 0): Exports {
    const { module, firstSite } = this.#modules[which] as { module: WebAssembly.Module; firstSite: number };
    const exports = new WebAssembly.Instance(module, {
      env: { memory: this.#memory, ...(firstSite === 0 ? hooks : shifted(hooks, firstSite)) },
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
