/** What the victims of the failure tests do, besides what every child can do. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { Segment } from "isthmus";
import { opened, sender } from "../lib/actions.js";
import { areFiles, segmentPath } from "../lib/segments.js";

export * from "../lib/actions.js";

/** Opens and closes a segment that is in use, and its file where it has one, in several ways. */
export function touchFile(name: string): void {
  if (areFiles) for (const flags of ["r", "r+"]) closeSync(openSync(segmentPath(name), flags));
  Segment.open(name).close();
  Segment.open(name, { access: "read-only" }).close();
  Segment.list();
}

/** Starts a process that inherits what this one lets it inherit, and outlives it. Returns its id. */
/** Starts a program that lives for ten minutes, whatever becomes of this one. Its process id. */
export function leaveChild(): number {
  const live = ["-e", "setTimeout(() => {}, 600_000)"];
  const child = spawn(process.execPath, live, { stdio: ["ignore", "ignore", "ignore"], detached: true });
  child.unref();
  return child.pid as number;
}

export function handle(name: string): string {
  return opened(name).handle;
}

export function createAnonymous(bytes: number): string {
  kept = Segment.createAnonymous({ bytes });
  return kept.handle;
}
let kept: Segment | undefined;

/** Opens the segment in a file, closes it, and says how large it was. */
export function openFile(path: string, bytes: number): number {
  using segment = Segment.openFile(path, { bytes });
  return segment.bytes;
}

/** Claims room and fills half of it; nothing is committed. */
export function claimHalf(ring: string, length: number): boolean {
  const claim = sender(ring).tryClaim(length);
  claim?.bytes.fill(0xee, 0, length >>> 1);
  return claim !== undefined;
}

export function wait(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Creates and unlinks the segment without end, until killed. */
/** Several processes may do so with one name. */
export function createForEver(name: string, bytes: number): never {
  let last: Segment | undefined;
  for (let i = 0; ; i++) {
    try {
      const made = Segment.create(name, { bytes, replace: i % 2 === 1 });
      last?.close(); // not before: elsewhere than on Linux the name is there as long as somebody has it open
      last = made;
      if (i % 2 === 1) Segment.unlink(name);
    } catch (error) {
      // Another one was faster.
      const { code } = error as { code?: string };
      if (code !== "ALREADY_EXISTS" && code !== "NOT_FOUND") throw error;
    }
  }
}

export function exitProcess(code: number): never {
  process.exit(code);
}

/** Opens the segment in a worker thread, waits there, and ends the worker from outside. */
export async function useInWorker(name: string, ring: string): Promise<string> {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: { name, ring } });
  const message = await new Promise<string>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  await worker.terminate();
  return message;
}
