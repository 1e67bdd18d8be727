/** What may still happen in a run beyond the ordinary, and what is decided whenever there is a choice. */
import type { Participant } from "./participant.js";
import type { Chooser } from "./schedule.js";

export interface Bounds {
  preemptions: number;
  deaths?: number;
  delays?: number;
  /** Sleeps in the system that may end before anybody wakes the sleeper. */
  timeouts?: number;
}

export class Decisions {
  #chooser: Chooser | undefined;
  #left: Required<Bounds> = { preemptions: 0, deaths: 0, delays: 0, timeouts: 0 };
  #mortal: readonly number[] = [];
  deaths = 0;

  begin(bounds: Bounds, mortal: readonly number[], chooser: Chooser): void {
    this.#left = { deaths: 0, delays: 0, timeouts: 0, ...bounds };
    this.#mortal = mortal;
    this.#chooser = chooser;
    this.deaths = 0;
  }

  end(): void {
    this.#chooser = undefined;
  }

  /** Nothing is decided outside of a run. */
  get running(): boolean {
    return this.#chooser !== undefined;
  }

  get mayPreempt(): boolean {
    return this.#left.preemptions > 0;
  }

  get mayTimeOut(): boolean {
    return this.#left.timeouts > 0;
  }

  /** A sleep has ended by itself while others could go on. */
  timedOut(): void {
    this.#left.timeouts--;
  }

  /** Who comes on when nobody is on: costs nothing. */
  next(runnable: Participant[]): Participant | undefined {
    return runnable.length > 1 ? runnable[this.#choose(runnable.length)] : runnable[0];
  }

  /** Before an access: it is done, another comes on first, or its owner dies. */
  beforeAccess(by: Participant, writes: boolean, others: Participant[]): Participant | "done" | "death" {
    const mayDie = writes && this.#left.deaths > 0 && this.#mortal.includes(by.id);
    const options = 1 + others.length + (mayDie ? 1 : 0);
    const chosen = options > 1 ? this.#choose(options) : 0;
    if (chosen === 0) return "done";
    const other = others[chosen - 1];
    if (other) this.#left.preemptions--;
    else {
      this.#left.deaths--;
      this.deaths++;
    }
    return other ?? "death";
  }

  /** Whether a plain store is to stay invisible to others for a while. */
  keepsBack(): boolean {
    if (this.#left.delays === 0 || this.#choose(2) === 0) return false;
    this.#left.delays--;
    return true;
  }

  #choose(options: number): number {
    return this.#chooser?.choose(options) ?? 0;
  }
}
