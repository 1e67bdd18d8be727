/** Compares the writes that a function asks for with those of its machine code. */
import type { MachineWrite } from "./machine.js";
import { type FunctionWrites, same, text, type Write } from "./runs.js";

export interface Verdict {
  /** Runs of two writes or more that stand in the code in their order. */
  kept: number;
  /** Runs that do not, in words. */
  broken: string[];
}

function key(run: readonly Write[]): string {
  return run.map(text).join(", ");
}

/** Whether the run, from `index` on, stands at `at`; what may be a variable of the instance may stand in between. */
function standsAt(run: readonly Write[], index: number, code: readonly MachineWrite[], at: number): boolean {
  if (index === run.length) return true;
  const write = code[at];
  if (!write) return false;
  if (same(run[index], write) && standsAt(run, index + 1, code, at + 1)) return true;
  return index > 0 && write.single === true && standsAt(run, index, code, at + 1);
}

function occurrences(run: readonly Write[], code: readonly MachineWrite[]): number {
  return code.filter((_, at) => standsAt(run, 0, code, at)).length;
}

/**
 * Each run stands in the code as often as in the function at least, with no other write of the function in between: a compiler may
 * copy a block, or move it as a whole.
 */
export function compare({ name, runs }: FunctionWrites, code: readonly MachineWrite[]): Verdict {
  const known = runs.flat();
  const relevant = code.filter((write) => known.some((one) => same(one, write)));
  const wanted = new Map<string, { run: Write[]; count: number }>();
  for (const run of runs) {
    if (run.length < 2) continue;
    const entry = wanted.get(key(run)) ?? { run, count: 0 };
    entry.count++;
    wanted.set(key(run), entry);
  }
  const verdict: Verdict = { kept: 0, broken: [] };
  for (const { run, count } of wanted.values()) {
    if (occurrences(run, relevant) >= count) verdict.kept += count;
    else verdict.broken.push(`${name}: ${key(run)} is not in ${key(relevant)}`);
  }
  return verdict;
}
