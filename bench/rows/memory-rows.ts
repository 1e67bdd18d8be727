/** Rows about locks and the heap, which one process can measure alone, and a programme that uses both in many. */
import type { Figures, RowSpec } from "../contest.js";

const WORKERS = [1, 2, 4, 8];

const lockPlan = { block: 100, warmup: 10_000, count: 10_000 };

/** Any lock of a Wasm core pays for two calls from JavaScript, which a native one does not. */
function boundaryRatio({ isthmus, native }: Figures): Record<string, number> {
  return { "native and boundary": isthmus() / (native() + isthmus("boundary")) };
}

export const memoryRows: RowSpec[] = [
  {
    name: "lock-uncontended",
    what: "exclusive hold of a lock that nobody else wants: `acquireSync` and `release`",
    unit: "ns",
    plan: lockPlan,
    isthmus: { load: () => import("./lock-uncontended.js") },
    native: (plan) => ["mutex", plan.block, plan.warmup, plan.count],
    goals: { "native and boundary": { atMost: 1.5 } },
    derive: boundaryRatio,
  },
  {
    name: "lock-uncontended-using",
    what: "the same with `using`: as the compiler translates it, where the runtime has none",
    unit: "ns",
    plan: lockPlan,
    isthmus: { load: () => import("./lock-uncontended-using.js") },
    native: (plan) => ["mutex", plan.block, plan.warmup, plan.count],
    goals: { "native and boundary": { atMost: 1.5 } },
    derive: boundaryRatio,
  },
  {
    name: "heap",
    what: "free one of 1,000 live blocks, allocate another, 16 B to 4 KiB, not zeroed; growth up to 1,000,000",
    unit: "ns",
    plan: { liveBlocks: [1000, 1_000_000], block: 100, warmup: 1000, count: 2000 },
    isthmus: { load: () => import("./heap.js") },
    native: (plan) => ["heap", "malloc", plan.block, plan.warmup, plan.count, ...plan.liveBlocks],
    nativePeers: {
      nativeLocked: (plan) => ["heap", "locked", plan.block, plan.warmup, plan.count, plan.liveBlocks[0]],
    },
    goals: { native: { atMost: 2 }, growth: { atMost: 1.5 } },
    derive: ({ isthmus, native }) => ({
      growth: isthmus("1000000 live") / isthmus("1000 live"),
      "growth of native": native("1000000 live") / native("1000 live"),
    }),
  },
  {
    name: "tree",
    what: "tree programme, 5,000 keys per process (2,500 with --quick) searched 10 times; time of 1 process",
    unit: "ns",
    plan: { workers: WORKERS, rights: Math.max(...WORKERS), searches: 10, warmup: 5, count: 2500 },
    isthmus: { load: () => import("./tree.js") },
    native: (plan) => ["tree", plan.searches, plan.count, ...plan.workers],
    goals: {
      native: { atMost: 3 },
      ...Object.fromEntries(WORKERS.slice(1).map((n) => [`native, ${n} processes`, { atMost: 3 }])),
      linear: { atMost: 1.5 },
    },
    derive: ({ isthmus, native }) => ({
      ...Object.fromEntries(
        WORKERS.slice(1).map((n) => [`native, ${n} processes`, isthmus(`${n}`) / native(`${n}`)]),
      ),
      linear: isthmus("8") / (8 * isthmus("1")),
      "linear of native": native("8") / (8 * native("1")),
    }),
  },
];
