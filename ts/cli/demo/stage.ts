/** What the three processes of the demo share: the task that each one reads, and the reports that it prints. */
import { writeSync } from "node:fs";
import process from "node:process";
import type { StreamFile } from "./stream.js";

/** The task of a stage: the first line of its standard input, as JSON. */
export interface Task {
  /** Name of the segment for rings; paths of two sockets for the comparison. */
  segment: string;
  sockets: [string, string];
  files: StreamFile[];
  rounds: number;
  /** The numbers of the jobs that a sender of jobs sends. */
  jobs?: [from: number, to: number];
}

/** The result of the last stage. */
export interface Outcome {
  digest: string;
  bytes: number;
  /** Numbers of records that were received a second time, and dropped. */
  repeated: number[];
  /** Ranges of record numbers that were never received. */
  missing: [from: number, to: number][];
  /** Whether the runtime hashes shared memory in place; if not, it hashes a copy. */
  inPlace: boolean;
}

/** What the probe reports about a runtime. */
export interface Probed {
  name: string;
  program: string;
  pid: number;
}

/** The lines that a stage prints, as JSON. */
export type Report =
  | { kind: "ready" }
  | { kind: "done" }
  | { kind: "progress"; bytes: number }
  | { kind: "outcome"; outcome: Outcome }
  | { kind: "failed"; message: string };

export const RINGS = { first: "files", second: "relayed" } as const;
export const RING_BYTES = 8 * 1024 * 1024;

export function report(what: Report): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}

export function runtimeText(): string {
  const { versions } = process;
  if (versions.bun) return `Bun ${versions.bun}`;
  if (versions.deno) return `Deno ${versions.deno}`;
  return `Node ${versions.node}`;
}

function ready(): void {
  report({ kind: "ready" });
}

/** Reads the task and runs it. Ends the process when the work is done, or when the parent has ended. */
export function stage(work: (task: Task, ready: () => void) => Promise<void>): void {
  let text = "";
  let begun = false;
  const begin = (task: Task): void => {
    work(task, ready).then(
      () => {
        report({ kind: "done" });
        process.exit(0);
      },
      (error: Error) => {
        report({ kind: "failed", message: `${runtimeText()}: ${error.stack ?? error.message}` });
        process.exit(1);
      },
    );
  };
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (chunk: string) => {
    text += chunk;
    const end = text.indexOf("\n");
    if (begun || end < 0) return;
    begun = true;
    begin(JSON.parse(text.slice(0, end)));
  });
  process.stdin.on("end", () => process.exit(1));
}

/** How often `repeat` calls its function before the event loop runs. */
const TURNS_MAX = 64;

/**
 * Calls `turn` until it returns "done". `turn` returns true when it did something, and false when there was nothing to do.
 * In between, the event loop runs, so that heartbeats go on. When there was nothing to do several times, it sleeps for 1 ms.
 */
export async function repeat(turn: () => boolean | "done"): Promise<void> {
  for (let idle = 0; ; ) {
    for (let i = 0; i < TURNS_MAX; i++) {
      const result = turn();
      if (result === "done") return;
      if (!result) {
        idle++;
        break;
      }
      idle = 0;
    }
    await new Promise<void>((resolve) => {
      if (idle > 8) setTimeout(resolve, 1);
      else setImmediate(resolve);
    });
  }
}
