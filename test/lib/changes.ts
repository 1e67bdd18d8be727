/** Counts changes of memory and who made them. A write that leaves memory as it was is none. */
export class Changes {
  total = 0;
  readonly #by: number[];
  #pendingBy = -1;
  #word = 0;
  #before0 = 0;
  #before1 = 0;
  #bulk = false;

  constructor(
    readonly words: Int32Array,
    readonly participants: number,
  ) {
    this.#by = new Array(participants).fill(0);
  }

  reset(): void {
    this.total = 0;
    this.#by.fill(0);
    this.#pendingBy = -1;
  }

  made(by: number): void {
    this.total++;
    this.#by[by] = (this.#by[by] as number) + 1;
  }

  /** Changes by everybody else. */
  byOthers(than: number): number {
    return this.total - (this.#by[than] as number);
  }

  /** A write of at most 8 bytes, or of many, comes next; what it does is known once `settle` is called. */
  announce(by: number, address: number, bulk: boolean): void {
    this.#pendingBy = by;
    this.#word = address >> 2;
    this.#before0 = this.words[this.#word] as number;
    this.#before1 = this.words[this.#word + 1] as number;
    this.#bulk = bulk;
  }

  settle(): void {
    if (this.#pendingBy < 0) return;
    const changed = this.words[this.#word] !== this.#before0 || this.words[this.#word + 1] !== this.#before1;
    if (changed || this.#bulk) this.made(this.#pendingBy);
    this.#pendingBy = -1;
  }
}
