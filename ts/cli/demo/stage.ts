/** What the three processes of the demo have in common: how they are told what to do, and how they report. */
import { writeSync } from "node:fs";
import process from "node:process";
import type { StreamFile } from "./stream.js";

/** What a stage is asked to do: the first line of its standard input, as JSON. */
export interface Task {
  /** Name of the segment for rings; paths of two sockets for the comparison. */
  segment: string;
  sockets: [string, string];
  files: StreamFile[];
  rounds: number;
}

/** What the last stage found out. */
export interface Outcome {
  digest: string;
  bytes: number;
  /** Records that came again with a number that was seen before, and were dropped. */
  repeated: number[];
  /** Ranges of numbers that never came. */
  missing: [from: number, to: number][];
  /** Whether the runtime hashes shared memory in place, or a copy. */
  inPlace: boolean;
}

/** What a runtime says of itself before it gets a stage. */
export interface Probed {
  name: string;
  program: string;
  pid: number;
}

/** Lines that a stage prints, as JSON. */
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

/** Reads the task and does it; ends the process when the parent goes away, or the work is done. */
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

/** Most turns of a loop between two looks at the event loop. */
const TURNS_MAX = 64;

/**
 * Calls `turn` again and again: it returns true when it did something, false when there was nothing to do, "done" at the
 * end. Between turns the event loop runs, so heartbeats go on; when there is nothing to do the process sleeps shortly.
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
