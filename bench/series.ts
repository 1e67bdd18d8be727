/**
 * A series of numbers that looks random and is the same in each run, and sizes of blocks drawn from it: from 16 B to 4 KiB,
 * half as many for each doubling. bench/native/series.hpp does the same.
 */

/** Doublings between the smallest and the largest size. */
const DOUBLINGS = 8;
const SMALLEST_BYTES = 16;

export class Series {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** The next 32 bits. Source: George Marsaglia, "Xorshift RNGs" (2003). */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }

  /** Bytes of the next block. */
  nextBytes(): number {
    const bits = this.next();
    const smallest = SMALLEST_BYTES << Math.min(31 - Math.clz32(bits & -bits), DOUBLINGS - 1);
    return smallest + ((bits >>> DOUBLINGS) & (smallest - 1));
  }
}

/** A bound on what so many blocks take together, for a segment that must hold them. */
export function blocksBytes(blocks: number): number {
  return blocks * 160 + (4 << 20);
}
