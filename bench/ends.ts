/** Runs the ends of one contestant, in this runtime or in another one, and ends their processes whatever happens. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Entry, RowSpec, Sample } from "./contest.js";
import { DISTURBED_CODE, Disturbed, lastLine } from "./disturbed.js";
import { planOf } from "./rows.js";

/** Longest run of one contestant before its processes are ended. Milliseconds. */
const RUN_MS = 20_000;

/** A runtime and the arguments before the file. */
export interface Program {
  command: string;
  flags: string[];
}

let runNumber = 0;

export async function runEnds(
  row: RowSpec,
  name: string,
  entry: Entry,
  scale: number,
  { command, flags }: Program = { command: process.execPath, flags: process.execArgv },
): Promise<Sample> {
  const unique = `bench-${process.pid}-${runNumber++}`;
  const socket = join(tmpdir(), `${unique}.socket`);
  const plan = planOf(row, entry, { segment: unique, socket }, scale);
  const program = fileURLToPath(new URL("./end.js", import.meta.url));
  const args = [...flags, program, "left", row.name, name, JSON.stringify(plan)];
  const left = spawn(command, args, { stdio: ["ignore", "ignore", "pipe", "ipc"], serialization: "json" });
  const pids = [left.pid];
  let said = "";
  left.stderr?.on("data", (text) => {
    said += text;
  });
  try {
    return await new Promise<Sample>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Disturbed(`not done after ${RUN_MS} ms`)), RUN_MS);
      let sample: Sample | undefined;
      left.on("message", (message: { right?: number; sample?: Sample }) => {
        if (message.right !== undefined) pids.push(message.right);
        sample = message.sample ?? sample;
      });
      left.once("error", reject);
      left.once("close", (code, signal) => {
        clearTimeout(timer);
        if (sample && code === 0) resolve(sample);
        else if (code === DISTURBED_CODE) reject(new Disturbed(lastLine(said)));
        else reject(new Error(`its process ended with ${signal ?? code}: ${said.trim().slice(0, SAID_MAX)}`));
      });
    });
  } finally {
    for (const pid of pids) endProcess(pid);
    await unlinkSegment(unique);
    removeLeftOvers(tmpdir(), unique);
    removeLeftOvers("/dev/shm", unique);
  }
}

/** Characters of what a process said that are shown. */
const SAID_MAX = 300;

function endProcess(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** Sockets, databases and shared memory of peers, which are called as this run is; also segments that nobody could unlink. */
function removeLeftOvers(folder: string, unique: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (isLeftOver(name, unique)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Whether a file belongs to the run of that name. Segments of Isthmus have a prefix in the file system. */
export function isLeftOver(file: string, unique: string): boolean {
  const name = file.replace(/^isthmus\./, "");
  return name === unique || name.startsWith(`${unique}-`) || name.startsWith(`${unique}.`);
}

async function unlinkSegment(name: string): Promise<void> {
  try {
    const { Segment } = await import("isthmus");
    Segment.unlink(name);
  } catch {
    // The contestant has unlinked it, never made it, or there is no isthmus to ask.
  }
}
