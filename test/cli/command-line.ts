/** Runs the command line as a user does, and gives what it printed. */
import type { SpawnOptions } from "node:child_process";
import { join } from "node:path";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";

export const main = join(root, "dist/ts/cli/main.js");

/** The environment without what forces or forbids colours. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NO_COLOR, FORCE_COLOR, ...rest } = process.env;
  return rest;
}

export function isthmus(args: string[], options: SpawnOptions = {}): Promise<Ended> {
  const env = { ...plainEnvironment(), ...options.env };
  return finished(start(process.execPath, [main, ...args], { ...options, env }), `isthmus ${args.join(" ")}`);
}

/** Runs a shell script in which "$0" is Node and "$1" the command line. */
export function shell(script: string, options: SpawnOptions = {}): Promise<Ended> {
  const env = { ...plainEnvironment(), ...options.env };
  return finished(start("sh", ["-c", script, process.execPath, main], { ...options, env }), script, 120_000);
}

/** A script that runs with a /dev/shm of its own, of that many MiB. */
export function withOwnSharedMemory(mebibytes: number, script: string): string {
  return `unshare --mount sh -c 'mount -t tmpfs -o size=${mebibytes}m tmpfs /dev/shm && ${script}' "$0" "$1"`;
}

/** Whether this user may have a /dev/shm of its own. */
export async function canHaveOwnSharedMemory(): Promise<boolean> {
  return (await shell(withOwnSharedMemory(8, "true"))).code === 0;
}

/** The result that a command printed as JSON. */
export function jsonOf<T>({ stdout }: Ended): T {
  return JSON.parse(stdout) as T;
}
