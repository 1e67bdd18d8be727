/** Rows that time one operation: less is better. */
import type { Plan, RowSpec } from "../contest.js";
import { missingPeer } from "../peers/installed.js";

const KiB = 1024;
/** Looks of a native reader in about the time that `receiveSync` looks again at most before it sleeps. */
const POLLING_SPINS = 50_000;

const latestPlan = { paceNs: 1000, block: 100, warmup: 10_000, count: 10_000 };

const lmdbPlan = { block: 10, warmup: 500, count: 1000 };

function latestTwin(plan: Plan): [string, ...(string | number)[]] {
  return ["latest", "read", plan.paceNs, plan.block, plan.warmup, plan.count];
}

export const latencyRows: RowSpec[] = [
  {
    name: "rtt-spin",
    what: "round trip of 64 B, both ends poll",
    unit: "ns",
    plan: { payloadBytes: 64, ringBytes: 64 * KiB, block: 64, warmup: 10_000, count: 10_000 },
    isthmus: { load: () => import("./rtt-spin.js") },
    native: (plan) => ["spin", "ring", plan.payloadBytes, plan.block, plan.warmup, plan.count],
    nativePeers: { nativeAtomics: (plan) => ["spin", "atomics", 8, plan.block, plan.warmup, plan.count] },
    peers: {
      disruptor: {
        load: () => import("../peers/disruptor-trip.js"),
        plan: { warmup: 100, count: 300 },
        missing: missingPeer("shared-memory-disruptor"),
      },
    },
    goals: { native: { atMost: 1.25 } },
  },
  {
    name: "rtt-sync",
    what: "round trip of 64 B, both ends block",
    unit: "ns",
    plan: { payloadBytes: 64, ringBytes: 64 * KiB, warmup: 10_000, count: 20_000 },
    isthmus: { load: () => import("./rtt-sync.js") },
    native: (plan) => ["futex", plan.payloadBytes, 0, plan.warmup, plan.count],
    nativePeers: {
      nativePolling: (plan) => ["futex", plan.payloadBytes, POLLING_SPINS, plan.warmup, plan.count],
    },
    peers: {
      unixSocket: { load: () => import("../peers/unix-socket-trip.js"), plan: { warmup: 1000, count: 3000 } },
    },
    goals: { native: { atMost: 1.25 } },
  },
  {
    name: "rtt-async",
    what: "round trip of 64 B through two event loops",
    unit: "ns",
    plan: { payloadBytes: 64, ringBytes: 64 * KiB, warmup: 1000, count: 3000 },
    isthmus: { load: () => import("./rtt-async.js") },
    peers: {
      unixSocket: { load: () => import("../peers/unix-socket-trip.js") },
      processSend: { load: () => import("../peers/process-send-trip.js") },
      zeromq: { load: () => import("../peers/zeromq-trip.js"), missing: missingPeer("zeromq") },
    },
    goals: { unixSocket: { atMost: 0.4 } },
  },
  {
    name: "rtt-async-work",
    what: "the same with an end that works for 50 µs before it answers, which are taken off: who waits goes to sleep",
    unit: "ns",
    plan: { payloadBytes: 64, ringBytes: 64 * KiB, workNs: 50_000, warmup: 1000, count: 3000 },
    isthmus: { load: () => import("./rtt-async.js") },
    peers: { unixSocket: { load: () => import("../peers/unix-socket-trip.js") } },
    goals: { unixSocket: { atMost: 0.6 } },
  },
  {
    name: "broadcast",
    what: "publish of 64 B while one other process reads; with 2, 4 and 8 readers it takes the same",
    unit: "ns",
    plan: {
      ...{ payloadBytes: 64, ringBytes: 1024 * KiB, block: 100, warmup: 100, count: 200 },
      ...{ workers: [1, 2, 4, 8], rights: 8 },
    },
    isthmus: { load: () => import("./broadcast.js") },
    native: ({ payloadBytes, ringBytes, block, warmup, count }) =>
      [...["broadcast", payloadBytes, ringBytes, block, warmup, count]] as [string, ...number[]],
    goals: { native: { atMost: 4 }, "8 readers, of 1": { atMost: 1.3 } },
    derive: ({ isthmus }) => ({ "8 readers, of 1": isthmus("8") / isthmus("1") }),
  },
  {
    name: "service",
    what: "call of a service with 64 B, and its response, through two event loops; beside it a round trip of two rings",
    unit: "ns",
    plan: { payloadBytes: 64, ringBytes: 64 * KiB, warmup: 1000, count: 3000 },
    isthmus: { load: () => import("./service.js") },
    peers: { ring: { load: () => import("./rtt-async.js") } },
    goals: { ring: { atMost: 1.5 } },
  },
  {
    name: "latest-64",
    what: "read of the newest 64 B value, an object of 8 numbers, while another process writes a million a second",
    unit: "ns",
    plan: latestPlan,
    isthmus: { load: () => import("./latest-64.js") },
    native: latestTwin,
    peers: {
      lmdb: {
        load: async () => (await import("../peers/lmdb.js")).reads,
        plan: lmdbPlan,
        missing: missingPeer("lmdb"),
      },
    },
    goals: { native: { atMost: 5 } },
  },
  {
    name: "latest-64-into",
    what: "the same into an object that is there already (`readInto`)",
    unit: "ns",
    plan: latestPlan,
    isthmus: { load: () => import("./latest-64-into.js") },
    native: latestTwin,
    goals: { native: { atMost: 3 } },
  },
  {
    name: "latest-64-write",
    what: "write of a 64 B value, an object of 8 numbers",
    unit: "ns",
    plan: { block: 100, warmup: 10_000, count: 10_000 },
    isthmus: { load: () => import("./latest-64-write.js") },
    native: (plan) => ["latest", "write", plan.block, plan.warmup, plan.count],
    peers: {
      lmdb: {
        load: async () => (await import("../peers/lmdb.js")).writes,
        plan: lmdbPlan,
        missing: missingPeer("lmdb"),
      },
    },
    goals: { native: { atMost: 3 } },
  },
  {
    name: "zerocopy-64",
    what: "64 B record written in its claim, then read in place: `tryClaim`, `commit`, `tryPeek`, `release`, in one process",
    unit: "ns",
    plan: { payloadBytes: 64, ringBytes: 64 * KiB, block: 100, warmup: 10_000, count: 10_000 },
    isthmus: { load: () => import("./zerocopy-64.js") },
    native: (plan) => ["alone", plan.block, plan.warmup, plan.count],
    goals: { "ns the pair": { atMost: 60 } },
    derive: ({ isthmus }) => ({ "ns the pair": isthmus() }),
  },
  {
    name: "open",
    what: "open and close a segment of 1 MiB that another process created; growth up to 64 MiB",
    unit: "ns",
    plan: { sizesMiB: [1, 16, 64], warmup: 20, count: 100 },
    isthmus: { load: () => import("./open.js") },
    native: (plan) => ["open", plan.count, ...plan.sizesMiB],
    goals: { growth: { atMost: 1.5 } },
    derive: ({ isthmus }) => ({ growth: isthmus("open 64 MiB") / isthmus("open 1 MiB") }),
  },
];
