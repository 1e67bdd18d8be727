/** Rows for the tests of the benchmark itself: found by their names only. */
import type { Entry, RowSpec } from "../contest.js";

function stub(name: string, isthmus: Entry): RowSpec {
  return { name, what: "a stub", unit: "ns", plan: {}, isthmus, goals: { native: { atMost: 1 } } };
}

export const stubRows: RowSpec[] = [
  stub("stub-disturbed", { load: async () => (await import("./stub.js")).disturbed }),
  stub("stub-wrong", { load: async () => (await import("./stub.js")).wrong }),
];
