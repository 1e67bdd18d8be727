/** Ends an environment that holds a lock, in every way there is. */
import process from "node:process";
import { Worker } from "node:worker_threads";
import { type Block, Segment } from "isthmus";
import { collect } from "../lib/garbage.js";
import { Twins } from "../processes/memory-soak/memory-actions.js";

/** What ends a thread from inside. */
export type Ending = "process.exit" | "exception" | "rejection" | "last line";

function end(how: Ending): void {
  if (how === "process.exit") process.exit(3);
  // After the answer, and outside of what could catch it.
  if (how === "exception") setTimeout(() => throwIt(), 0);
  if (how === "rejection") setTimeout(() => void Promise.reject(new Error("meant to be unhandled")), 0);
}

function throwIt(): never {
  throw new Error("meant to be uncaught");
}

/** Where the holds stay until the end: what is forgotten must not be what is tested. */
const kept: unknown[] = [];

/** Takes the lock, changes half of what it guards, and ends. */
export function endHolding(name: string, mode: "exclusive" | "shared", how: Ending): void {
  const segment = Segment.open(name);
  kept.push(segment, segment.lock("lock").acquireSync(mode));
  (segment.root as Block).view(Twins).set("plain", 2);
  end(how);
}

/** Sends a record, and ends. */
export function endSending(name: string, how: Ending): void {
  const segment = Segment.open(name);
  const producer = segment.ring("ring", { bytes: 1024 }).producer();
  kept.push(segment, producer);
  producer.trySend(Uint8Array.of(1));
  end(how);
}

/** As `endHolding`, for a segment in a file. */
export function endHoldingFile(path: string): void {
  const segment = Segment.openFile(path);
  kept.push(segment, segment.lock("lock").acquireSync());
}

/** Calls `process.exit` in a transaction; `nested`: in a hold of the same lock. */
export function exitInTransaction(name: string, nested: boolean): void {
  const segment = Segment.open(name);
  const lock = segment.lock("lock");
  segment.transactionSync(nested ? lock.acquireSync() : lock, () => {
    (segment.root as Block).view(Twins).set("journaled", 2);
    process.exit(3);
  });
}

/** Closes the segment with the lock held, or gives the hold back, in an exit handler that came first; then exits. */
export function tidyOnExit(name: string, what: "segment" | "hold"): never {
  let tidy = (): void => {};
  process.on("exit", () => tidy());
  const segment = Segment.open(name);
  const held = segment.lock("lock").acquireSync();
  tidy = () => (what === "segment" ? segment.close() : held.release());
  process.exit(3);
}

/** Takes the lock in a worker thread, and ends that; this process lives on. */
export async function endWorkerHolding(name: string, how: Ending | "terminate"): Promise<void> {
  const worker = new Worker(new URL("./exit-worker.js", import.meta.url), { workerData: { name, how } });
  const ended = new Promise<void>((resolve) => worker.on("exit", () => resolve()));
  worker.on("error", () => {});
  await new Promise<void>((resolve) => worker.on("message", () => resolve()));
  if (how === "terminate") await worker.terminate();
  else worker.postMessage("end");
  await ended;
}

/** Takes the lock and keeps only the hold, or not even that, while garbage is collected in many turns. */
export async function forgetAllBut(name: string, what: "hold" | "nothing"): Promise<void> {
  let held: { release(): void } | undefined = Segment.open(name).lock("lock").acquireSync();
  if (what === "nothing") held = undefined;
  for (let turn = 0; turn < 20; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5)); // finalizers run between turns
  }
  if (held) kept.push(held);
}

/** Gives back what was kept. */
export function releaseKept(): void {
  for (const held of kept.splice(0)) (held as { release(): void }).release();
}
