/** Where the decisions of one run come from: all of them in turn, one recorded list, or chance. */

export interface Chooser {
  /** A number below `options`; 0 is the usual one. */
  choose(options: number): number;
}

/**
 * Every list of decisions, depth first, by running again and again: each run repeats the decisions of a prefix and takes 0
 * from there on. The number of options must be the same whenever a prefix is repeated: runs are deterministic.
 */
export class DepthFirst implements Chooser {
  #prefix: { chosen: number; options: number }[] = [];
  #trace: { chosen: number; options: number }[] = [];

  choose(options: number): number {
    const known = this.#prefix[this.#trace.length];
    if (known && known.options !== options) {
      throw new Error(`not deterministic: ${options} options where there were ${known.options}`);
    }
    const chosen = known ? known.chosen : 0;
    this.#trace.push({ chosen, options });
    return chosen;
  }

  /** The decisions of the latest run. */
  get schedule(): number[] {
    return this.#trace.map((decision) => decision.chosen);
  }

  /** Moves on to the next list of decisions; false when there is none. */
  advance(): boolean {
    const trace = this.#trace;
    this.#trace = [];
    let last = trace.pop();
    while (last && last.chosen + 1 >= last.options) last = trace.pop();
    if (!last) return false;
    this.#prefix = [...trace, { chosen: last.chosen + 1, options: last.options }];
    return true;
  }
}

/** The decisions of a recorded schedule, then 0. */
export class Recorded implements Chooser {
  #at = 0;

  constructor(readonly schedule: number[]) {}

  choose(): number {
    return this.schedule[this.#at++] ?? 0;
  }
}

/** xorshift32: the same numbers for the same seed, everywhere. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Takes 0 except once in `rarity` decisions. */
export class Random implements Chooser {
  readonly #below: (below: number) => number;
  readonly schedule: number[] = [];

  constructor(
    seed: number,
    readonly rarity: number,
  ) {
    this.#below = randomFrom(seed);
  }

  choose(options: number): number {
    const chosen = this.#below(this.rarity) === 0 ? this.#below(options) : 0;
    this.schedule.push(chosen);
    return chosen;
  }
}
