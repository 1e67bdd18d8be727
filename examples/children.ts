/**
 * What an example with processes needs: however it ends, its children end too, and its segments are gone. That holds for errors,
 * for Ctrl-C and the other signals that ask a program to end, and for output that nobody reads any more.
 */
import { type ChildProcess, fork, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Segment } from "isthmus";

let isPrepared = false;
const running = new Set<ChildProcess>();
const names = new Set<string>();
/** In the environment of children: who started them. */
const PARENT = "ISTHMUS_EXAMPLE_PARENT";

function tidy(): void {
  for (const child of running) child.kill("SIGKILL");
  for (const name of names) {
    try {
      Segment.unlink(name);
    } catch {
      // The example has removed it already.
    }
  }
}

/** Only for a program that has something to tidy: a signal ends any other at once, also while it waits for a lock. */
function tidyAtTheEnd(): void {
  if (isPrepared) return;
  isPrepared = true;
  process.once("exit", tidy);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

function watched(make: () => ChildProcess): ChildProcess {
  tidyAtTheEnd();
  const child = make();
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Starts this program once more, with other arguments. */
export function startAgain(...args: string[]): ChildProcess {
  const env = { ...process.env, [PARENT]: `${process.pid}` };
  return watched(() => fork(process.argv[1] as string, args, { env }));
}

/** Starts another program. */
export function start(command: string, args: string[], options: SpawnOptions): ChildProcess {
  return watched(() => spawn(command, args, options));
}

/** Resolves when the child has done its work. A child that fails, or does not start, is a failure of the example. */
export async function done(child: ChildProcess): Promise<void> {
  const [code, signal] = await once(child, "exit");
  // Ctrl-C is for the children too, and we may hear of their end before we hear of the signal.
  if (signal !== null) await pause(100);
  if (code !== 0) throw new Error(`process ${child.pid} failed: ${signal ?? `exit code ${code}`}`);
}

/** Makes a segment whose name goes when this program does. */
export function temporary(make: () => Segment): Segment {
  tidyAtTheEnd();
  const segment = make();
  names.add(segment.name);
  return segment;
}

/** In a child: whether the one that started it is gone, killed without a chance to end it. */
export function isOrphan(): boolean {
  return process.ppid !== Number(process.env[PARENT]);
}
