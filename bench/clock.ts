/** Clocks of the measuring loops, and a bound on each wait. */
import { Disturbed } from "./disturbed.js";

/** Longest wait for the other end before a contestant gives up: its run was disturbed. Milliseconds. */
export const PATIENCE_MS = 15_000;
/** Failed polls between two looks at the clock: rare enough not to be measured. */
const POLLS_PER_LOOK = 1 << 20;

/** Bounds the polling loops of one contestant. */
export class Patience {
  #polls = 0;
  #until = 0;
  #sequence = -1;

  /** Call after each poll that found nothing, with the number of the message that is waited for. */
  poll(sequence: number): void {
    if (++this.#polls < POLLS_PER_LOOK) return;
    this.#polls = 0;
    const now = performance.now();
    if (sequence !== this.#sequence) this.#until = now + PATIENCE_MS;
    this.#sequence = sequence;
    if (now > this.#until) throw new Disturbed(`the other end made no progress in ${PATIENCE_MS} ms`);
  }
}

/** Messages per second since `startMs`. */
export function rateSince(startMs: number, count: number): number {
  return (count * 1000) / (performance.now() - startMs);
}

/** Times `warmup + count` blocks of `block` synchronous operations; nanoseconds per operation. */
export function timeBlocks(
  plan: { warmup: number; count: number; block: number },
  operation: (sequence: number) => void,
): number[] {
  const latenciesNs: number[] = [];
  let sequence = 0;
  for (let i = 0; i < plan.warmup + plan.count; i++) {
    const start = performance.now();
    for (let j = 0; j < plan.block; j++) operation(sequence++);
    if (i >= plan.warmup) latenciesNs.push(((performance.now() - start) * 1e6) / plan.block);
  }
  return latenciesNs;
}

/** Keeps the thread busy, as an end that works on what it received. */
export function work(ns: number): void {
  if (ns === 0) return;
  const until = performance.now() + ns / 1e6;
  while (performance.now() < until);
}

/** Times asynchronous operations one by one, without the time that the other end works. */
export async function timeEach(
  plan: { warmup: number; count: number; workNs: number },
  operation: (sequence: number) => Promise<void>,
): Promise<number[]> {
  const latenciesNs: number[] = [];
  for (let i = 0; i < plan.warmup + plan.count; i++) {
    const start = performance.now();
    await operation(i);
    if (i >= plan.warmup) latenciesNs.push((performance.now() - start) * 1e6 - plan.workNs);
  }
  return latenciesNs;
}
