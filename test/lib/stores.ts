/** Stores taken over from an instance: done later, in the order they were made. See `Hooks` in `arena.ts`. */
export class KeptStores {
  readonly #stores: { address: number; bytes: number; value: number | bigint }[] = [];

  constructor(readonly view: DataView) {}

  keep(address: number, bytes: number, value: number | bigint): void {
    this.#stores.push({ address, bytes, value });
  }

  get any(): boolean {
    return this.#stores.length > 0;
  }

  forget(): void {
    this.#stores.length = 0;
  }

  /** Does the stores that touch the range; whether there were any. */
  flush(from = 0, bytes = Number.POSITIVE_INFINITY): boolean {
    const touched = this.#stores.filter(
      (store) => store.address < from + bytes && from < store.address + store.bytes,
    );
    for (const store of touched) {
      this.#do(store.address, store.bytes, BigInt(store.value));
      this.#stores.splice(this.#stores.indexOf(store), 1);
    }
    return touched.length > 0;
  }

  #do(address: number, bytes: number, value: bigint): void {
    const unsigned = BigInt.asUintN(bytes * 8, value);
    if (bytes === 8) this.view.setBigUint64(address, unsigned, true);
    else if (bytes === 4) this.view.setUint32(address, Number(unsigned), true);
    else if (bytes === 2) this.view.setUint16(address, Number(unsigned), true);
    else this.view.setUint8(address, Number(unsigned));
  }
}
