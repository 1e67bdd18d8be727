/** What the hosted core imports besides the memory, and kernel locks as a table. */

/** See `assembly/hosted/system.ts`. */
export interface System extends WebAssembly.ModuleImports {
  lock(index: number, mode: number): number;
  held(index: number): number;
  wake(offset: number): void;
  wait(offset: number, expected: number, ms: number): void;
  sleep(ms: number): void;
  now(): number;
  wall(): number;
}

/** Who holds which kernel lock alone. The kernel drops those of the dead. */
export class KernelLocks {
  #holders = new Map<number, number>();

  take(index: number, by: number): boolean {
    if ((this.#holders.get(index) ?? by) !== by) return false;
    this.#holders.set(index, by);
    return true;
  }

  giveBack(index: number, by: number): void {
    if (this.#holders.get(index) === by) this.#holders.delete(index);
  }

  heldByOther(index: number, than: number): boolean {
    return (this.#holders.get(index) ?? than) !== than;
  }

  drop(dead: number): void {
    for (const [index, holder] of [...this.#holders]) if (holder === dead) this.#holders.delete(index);
  }

  get state(): ReadonlyMap<number, number> {
    return new Map(this.#holders);
  }

  set state(state: ReadonlyMap<number, number>) {
    this.#holders = new Map(state);
  }
}
