/** Rows that count messages per second: more is better. */
import type { Entry, Plan, RowSpec } from "../contest.js";
import { missingPeer } from "../peers/installed.js";

const KiB = 1024;
const MiB = 1024 * KiB;

const unixSocket: Entry = {
  load: () => import("../peers/unix-socket-stream.js"),
  plan: { warmup: 50_000, count: 100_000 },
};
const unixSocketBroker: Entry = {
  load: () => import("../peers/unix-socket-broker.js"),
  plan: { warmup: 20_000, count: 80_000, batch: 4 },
};
const processSend: Entry = {
  load: () => import("../peers/process-send-stream.js"),
  plan: { warmup: 3000, count: 10_000 },
};
const workerPostMessage: Entry = {
  load: () => import("../peers/worker-stream.js"),
  plan: { warmup: 10_000, count: 50_000 },
};

const disruptor: Entry = {
  load: () => import("../peers/disruptor-stream.js"),
  plan: { warmup: 50_000, count: 300_000 },
  missing: missingPeer("shared-memory-disruptor"),
};
const ems: Entry = {
  load: () => import("../peers/ems-stream.js"),
  plan: { warmup: 20_000, count: 100_000 },
  missing: missingPeer("ems"),
};
const zeromq: Entry = {
  load: () => import("../peers/zeromq-stream.js"),
  plan: { warmup: 10_000, count: 50_000 },
  missing: missingPeer("zeromq"),
};

function twin(mode: "copy" | "place") {
  return (plan: Plan): [string, ...(string | number)[]] => [
    "spsc",
    mode,
    plan.payloadBytes,
    plan.ringBytes,
    plan.batch,
    plan.strideWords,
    plan.warmup,
    plan.count,
  ];
}

export const streamRows: RowSpec[] = [
  {
    name: "spsc-64",
    what: "64 B messages, one call each, copied in and out",
    unit: "messages/s",
    plan: { payloadBytes: 64, ringBytes: MiB, warmup: 5_120_000, count: 5_120_000 },
    isthmus: { load: () => import("./spsc-64.js") },
    native: twin("copy"),
    peers: { unixSocket, processSend, workerPostMessage, disruptor, ems, zeromq },
    goals: { native: { atLeast: 1 / 3 }, unixSocket: { atLeast: 20 }, processSend: { atLeast: 100 } },
  },
  {
    name: "spsc-64-batch",
    what: "64 B messages, trySendMany of 64 and tryDrain",
    unit: "messages/s",
    plan: { payloadBytes: 64, ringBytes: MiB, batch: 64, warmup: 5_120_000, count: 5_120_000 },
    isthmus: { load: () => import("./spsc-64-batch.js") },
    native: twin("copy"),
    goals: { native: { atLeast: 1 / 2 } },
  },
  {
    name: "spsc-64-packed",
    what: "64 B messages, trySendPacked of 64 and tryDrainInto",
    unit: "messages/s",
    plan: { payloadBytes: 64, ringBytes: MiB, batch: 64, warmup: 5_120_000, count: 5_120_000 },
    isthmus: { load: () => import("./spsc-64-packed.js") },
    native: twin("copy"),
    goals: { native: { atLeast: 0.8 } },
  },
  {
    name: "spsc-64k",
    what: "64 KiB frames, copied in and out",
    unit: "messages/s",
    plan: { payloadBytes: 64 * KiB, ringBytes: 4 * MiB, strideWords: 16, warmup: 100_000, count: 50_000 },
    isthmus: { load: () => import("./spsc-64k.js") },
    native: twin("copy"),
    goals: { native: { atLeast: 0.8 } },
  },
  {
    name: "spsc-1m-zerocopy",
    what: "1 MiB frames, written in their claim and compared in place",
    unit: "messages/s",
    plan: { payloadBytes: MiB, ringBytes: 16 * MiB, strideWords: 1024, warmup: 10_000, count: 8000 },
    isthmus: { load: () => import("./spsc-1m-zerocopy.js") },
    native: twin("place"),
    goals: { native: { atLeast: 0.95 } },
  },
  {
    name: "mpmc-2x2",
    what: "64 B messages from two processes to two others through a queue of 1,024, `sendSync` and `receiveSync`",
    unit: "messages/s",
    plan: { payloadBytes: 64, batch: 1024, rights: 4, warmup: 300_000, count: 1_024_000 },
    isthmus: { load: () => import("./mpmc-2x2.js") },
    native: (plan) => ["mpmc", plan.payloadBytes, plan.batch, plan.strideWords, plan.warmup, plan.count],
    peers: { broker: unixSocketBroker },
    goals: { native: { atLeast: 1 / 3 }, broker: { atLeast: 20 } },
  },
  {
    name: "await-receive",
    what: "64 B messages, each awaited in `for await`; p99 delay of a 1 ms timer beside it",
    unit: "messages/s",
    plan: { payloadBytes: 64, ringBytes: MiB, warmup: 500_000, count: 2_000_000 },
    isthmus: { load: () => import("./await-receive.js") },
    peers: { unixSocket },
    goals: { timerP99Ms: { atMost: 10 } },
    derive: ({ isthmus }) => ({ timerP99Ms: isthmus("timerP99Ms") }),
  },
  {
    name: "await-send",
    what: "64 B messages, each `send` awaited; p99 delay of a 1 ms timer beside it",
    unit: "messages/s",
    plan: { payloadBytes: 64, ringBytes: MiB, warmup: 500_000, count: 2_000_000 },
    isthmus: { load: () => import("./await-send.js") },
    peers: { unixSocket },
    goals: { timerP99Ms: { atMost: 10 } },
    derive: ({ isthmus }) => ({ timerP99Ms: isthmus("timerP99Ms") }),
  },
];
