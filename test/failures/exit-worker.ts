/** A worker thread that takes a lock, says so, and ends in the way that it is told, or is terminated. */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { Segment } from "isthmus";
import type { Ending } from "./exit-actions.js";

const { name, how } = workerData as { name: string; how: Ending | "terminate" };
const segment = Segment.open(name);
export const held = segment.lock("lock").acquireSync();
parentPort?.on("message", () => {
  if (how === "process.exit") process.exit(3);
  if (how === "exception") throw new Error("meant to be uncaught");
  if (how === "rejection") void Promise.reject(new Error("meant to be unhandled"));
  if (how === "last line") parentPort?.close();
});
parentPort?.postMessage("held");
