/** How much longer than on two idle cores a test may take here and now: the factor of every watchdog. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The tests read the factor from this variable of the environment. */
export const WATCHDOG_FACTOR = "ISTHMUS_TEST_WATCHDOG_FACTOR";
/** Steps of the loop that is timed, and the milliseconds of processor time that they take on an ordinary core. */
const STEPS = 10_000_000;
const ORDINARY_MS = 25;
/** A machine that is slower than that is not waited for. */
const FACTOR_MAX = 12;

/** Milliseconds of processor time and of the clock that a fixed amount of work takes now. */
function timed(): { processorMs: number; clockMs: number } {
  const processor = process.cpuUsage();
  const begin = performance.now();
  let state = 1;
  for (let step = 0; step < STEPS; step++) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  if (state === 0) throw new Error("the generator has no such period");
  const { user, system } = process.cpuUsage(processor);
  return { processorMs: (user + system) / 1000, clockMs: performance.now() - begin };
}

/** Threads of the whole machine that want a processor; undefined where the system does not say. */
function runnable(): number | undefined {
  try {
    return Number(/ (\d+)\/\d+ /.exec(readFileSync("/proc/loadavg", "latin1"))?.[1]);
  } catch {
    return undefined;
  }
}

/** The factor of measured numbers: a slow core counts, and how many want it. */
export function factorOf(measured: {
  processorMs: number;
  clockMs: number;
  runnable: number;
  cores: number;
}): number {
  const { processorMs, clockMs, runnable, cores } = measured;
  const slow = Math.max(1, processorMs / ORDINARY_MS);
  const crowded = Math.max(1, clockMs / Math.max(1, processorMs), runnable / cores);
  return Math.min(FACTOR_MAX, Math.max(slow * crowded, 2 / cores));
}

/** Measures the machine; takes some tens of milliseconds. */
export function watchdogFactor(): number {
  return factorOf({ ...timed(), runnable: runnable() ?? 1, cores: availableParallelism() });
}
