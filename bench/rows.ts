/** The rows: what is measured, against what, and the ratios to reach. */

import type { Entry, Plan, RowSpec } from "./contest.js";
import { cacheRows } from "./rows/cache-rows.js";
import { latencyRows } from "./rows/latency-rows.js";
import { memoryRows } from "./rows/memory-rows.js";
import { streamRows } from "./rows/stream-rows.js";
import { stubRows } from "./rows/stub-rows.js";
import { valuesRows } from "./rows/values-rows.js";

export const ROWS: RowSpec[] = [...streamRows, ...latencyRows, ...memoryRows, ...cacheRows, ...valuesRows];

const PLAN_DEFAULTS: Plan = {
  segment: "",
  socket: "",
  warmup: 1,
  count: 1,
  payloadBytes: 64,
  ringBytes: 256 * 1024,
  batch: 1,
  strideWords: 1,
  block: 1,
  paceNs: 0,
  workNs: 0,
  sizesMiB: [],
  liveBlocks: [],
  rights: 1,
  workers: [],
  searches: 0,
};

export function rowOf(name: string): RowSpec {
  const row = [...ROWS, ...stubRows].find((each) => each.name === name);
  if (!row)
    throw new RangeError(`no row is named ${name}; there are ${ROWS.map((each) => each.name).join(", ")}`);
  return row;
}

export function entryOf(rowName: string, contestantName: string): Entry {
  const row = rowOf(rowName);
  const entry = contestantName === "isthmus" ? row.isthmus : row.peers?.[contestantName];
  if (!entry) throw new RangeError(`the row ${rowName} has no contestant ${contestantName}`);
  return entry;
}

/** The plan of one run; `scale` stretches what is counted, not the warm-up. */
export function planOf(row: RowSpec, entry: Entry | undefined, names: Partial<Plan>, scale: number): Plan {
  const plan = { ...PLAN_DEFAULTS, ...row.plan, ...entry?.plan, ...names };
  const count = Math.ceil((plan.count * scale) / plan.batch) * plan.batch;
  return { ...plan, count };
}
