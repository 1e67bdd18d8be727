/** The three transfers of the demo: through rings, through sockets, and through rings with a relay that is killed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { isWindows } from "../../host/system.js";
import { MiB, Segment } from "../../index.js";
import { atTheEnd } from "./ending.js";
import { StageProcess } from "./process.js";
import type { Runtime } from "./runtimes.js";
import { type Outcome, RING_BYTES, RINGS, type Task } from "./stage.js";
import type { StreamFile } from "./stream.js";

export interface Plan {
  runtimes: [Runtime, Runtime, Runtime];
  files: StreamFile[];
  rounds: number;
  /** Called often with the number of bytes that the last stage has received. */
  progress(bytes: number): void;
}

export interface Transfer {
  outcome: Outcome;
  milliseconds: number;
}

export interface Interrupted extends Transfer {
  killedPid: number;
  successorPid: number;
  /** Bytes that the relay had passed on when it was killed. */
  killedAtBytes: number;
  /** From the kill until the successor had both ends of its rings. */
  restartMilliseconds: number;
}

const WATCH_MS = 40;
const SEGMENT_BYTES = 2 * RING_BYTES + MiB;

function taskOf(plan: Plan): Task {
  return {
    segment: `isthmus-demo-${process.pid}`,
    sockets: ["", ""],
    files: plan.files,
    rounds: plan.rounds,
  };
}

/** Calls `look` at intervals while the promise is pending. */
async function watching<T>(promise: Promise<T>, everyMs: number, look: () => void): Promise<T> {
  const timer = setInterval(look, everyMs);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

async function outcomeOf(reader: StageProcess, relay: StageProcess, hasher: StageProcess): Promise<Outcome> {
  const [, , outcome] = await Promise.all([reader.finished, relay.finished, hasher.finished]);
  if (!outcome) throw new Error("the last stage ended without a digest");
  return outcome;
}

interface RingStages {
  reader: StageProcess;
  relay: StageProcess;
  hasher: StageProcess;
  /** Payload bytes that the relay has sent so far. Every process that has the segment open can read this counter. */
  relayedBytes(): number;
}

/** Runs `work` with three stages on a new segment, and removes the segment afterwards. The reader starts last. */
async function withRings<T>(plan: Plan, work: (stages: RingStages, task: Task) => Promise<T>): Promise<T> {
  const task = taskOf(plan);
  let segment: Segment | undefined;
  const gone = atTheEnd(() => segment?.unlink());
  try {
    segment = Segment.create(task.segment, { bytes: SEGMENT_BYTES, replace: true });
    segment.ring(RINGS.first, { bytes: RING_BYTES });
    const second = segment.ring(RINGS.second, { bytes: RING_BYTES });
    const hasher = new StageProcess("hasher", plan.runtimes[2], task);
    const relay = new StageProcess("relay", plan.runtimes[1], task);
    await Promise.all([hasher.ready(), relay.ready()]);
    const reader = new StageProcess("reader", plan.runtimes[0], task);
    await reader.ready();
    return await work({ reader, relay, hasher, relayedBytes: () => second.stats.bytes }, task);
  } finally {
    gone();
    segment?.unlink();
    segment?.close();
  }
}

/** Sends the stream through two rings. */
export function throughRings(plan: Plan): Promise<Transfer> {
  return withRings(plan, async ({ reader, relay, hasher, relayedBytes }) => {
    const begin = performance.now();
    const look = () => plan.progress(relayedBytes());
    const outcome = await watching(outcomeOf(reader, relay, hasher), WATCH_MS, look);
    return { outcome, milliseconds: performance.now() - begin };
  });
}

/** The longest path of a Unix socket that every system accepts. */
const SOCKET_PATH_BYTES_MAX = 103;

/** The folder for the sockets: the one for temporary files, unless its path is too long for a socket. */
function socketFolder(): string {
  const longest = path.join(tmpdir(), "isthmus-demo-XXXXXX", "second");
  return Buffer.byteLength(longest) > SOCKET_PATH_BYTES_MAX ? "/tmp" : tmpdir();
}

/** On Windows they are named pipes, which are no files: Node, Bun and Deno take both for the same thing. */
const pipe = (name: string): string => `\\\\.\\pipe\\isthmus-demo-${process.pid}-${name}`;

/** Sends the stream through two Unix sockets. */
export async function throughSockets(plan: Plan): Promise<Transfer> {
  let folder = "";
  const remove = () => folder && rmSync(folder, { recursive: true, force: true });
  const gone = atTheEnd(remove);
  try {
    if (!isWindows) folder = mkdtempSync(path.join(socketFolder(), "isthmus-demo-"));
    const place = (name: string): string => (isWindows ? pipe(name) : path.join(folder, name));
    const task: Task = { ...taskOf(plan), sockets: [place("first"), place("second")] };
    const hasher = await new StageProcess("socket-hasher", plan.runtimes[2], task).ready();
    const relay = await new StageProcess("socket-relay", plan.runtimes[1], task).ready();
    const reader = await new StageProcess("socket-reader", plan.runtimes[0], task).ready();
    const begin = performance.now();
    const look = () => plan.progress(hasher.progress);
    const outcome = await watching(outcomeOf(reader, relay, hasher), WATCH_MS, look);
    return { outcome, milliseconds: performance.now() - begin };
  } finally {
    gone();
    remove();
  }
}

/** Resolves with true when the relay has passed on that many bytes, with false when the stream ended before. */
function reached(relayedBytes: () => number, bytes: number, finished: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (relayedBytes() >= bytes) end(true);
    }, 1);
    const end = (result: boolean): void => {
      clearInterval(timer);
      resolve(result);
    };
    finished.then(
      () => end(false),
      () => end(false),
    );
  });
}

/**
 * Sends the stream through two rings, kills the relay when it has passed on `killAtBytes`, and starts a new relay.
 * @returns undefined when the stream was over before the kill
 */
export function throughADeath(plan: Plan, killAtBytes: number): Promise<Interrupted | undefined> {
  return withRings(plan, async ({ reader, relay, hasher, relayedBytes }, task) => {
    const begin = performance.now();
    const inTime = await reached(relayedBytes, killAtBytes, relay.finished);
    if (!inTime) {
      await outcomeOf(reader, relay, hasher);
      return undefined;
    }
    const killed = performance.now();
    await relay.kill();
    const killedAtBytes = relayedBytes();
    const successor = await new StageProcess("relay", plan.runtimes[1], task).ready();
    const restartMilliseconds = performance.now() - killed;
    const look = () => plan.progress(relayedBytes());
    const outcome = await watching(outcomeOf(reader, successor, hasher), WATCH_MS, look);
    const milliseconds = performance.now() - begin;
    return {
      outcome,
      milliseconds,
      killedPid: relay.pid,
      successorPid: successor.pid,
      killedAtBytes,
      restartMilliseconds,
    };
  });
}
