/** The system of a core for hosts that block, as the crash lane plays it: who lives is said, and the clock goes on by sleeping. */
import { KERNEL_LOCK_PARTICIPANTS } from "../../protocol/layout.js";
import type { System } from "./system.js";

const SLEEPS_MAX = 1000;

export class PlayedSystem {
  /** Slots whose kernel lock somebody has. */
  alive = new Set<number>();
  /** What others do while somebody sleeps. */
  asleep: (() => void) | undefined;
  #now = 0;
  #sleeps = 0;

  /** Begins anew: these live, and nobody does anything. */
  begin(alive: Iterable<number>, asleep?: () => void): void {
    this.alive = new Set(alive);
    this.asleep = asleep;
    this.#sleeps = 0;
  }

  functions(view: DataView): System {
    const held = (index: number): boolean => this.alive.has(index - KERNEL_LOCK_PARTICIPANTS);
    return {
      lock: (index, mode) => (mode !== 0 && held(index) ? 0 : 1),
      held: (index) => (held(index) ? 1 : 0),
      wake: () => {},
      wait: (offset, expected, ms) => this.#sleep(ms, () => view.getInt32(offset >>> 0, true) === expected),
      sleep: (ms) => this.#sleep(ms, () => true),
      now: () => this.#now,
      wall: () => 1e18,
    };
  }

  #sleep(ms: number, sleeps: () => boolean): void {
    if (!sleeps()) return;
    if (++this.#sleeps > SLEEPS_MAX) throw new Error("sleeps for ever");
    this.asleep?.();
    if (sleeps()) this.#now += ms;
  }
}
