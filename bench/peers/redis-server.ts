/** Where Debian's redis-server is, and how it is started: over a Unix socket, in memory alone. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { laneFiles } from "../../scripts/lanes/places.js";
import { PATIENCE_MS } from "../clock.js";
import { Disturbed } from "../disturbed.js";

const UNPACKED = laneFiles("redis");
const LIBRARIES = join(UNPACKED, "usr/lib/x86_64-linux-gnu");

/** The program: what `npm run bench:redis` has unpacked, or one of the system. */
export function redisProgram(): string | undefined {
  const folders = [join(UNPACKED, "usr/bin"), ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, "redis-server")).find((path) => existsSync(path));
}

/** Why Redis cannot be measured, if it cannot. */
export function missingRedis(): string | undefined {
  return redisProgram() ? undefined : "redis-server is not installed; see npm run bench:redis";
}

/** The environment in which the program finds its libraries. */
export function redisEnvironment(): NodeJS.ProcessEnv {
  const known = process.env.LD_LIBRARY_PATH;
  return { ...process.env, LD_LIBRARY_PATH: known ? `${LIBRARIES}${delimiter}${known}` : LIBRARIES };
}

/** Whether somebody listens at a socket. It is there a moment before. */
function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (listening: boolean) => () => {
      socket.destroy();
      resolve(listening);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}

/** Starts a server at the socket, which the harness ends with the contestant. Returns what ends it. */
export async function startRedis(socket: string): Promise<() => void> {
  const args = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"];
  const server = spawn(redisProgram() ?? "redis-server", args, { env: redisEnvironment(), stdio: "ignore" });
  process.send?.({ right: server.pid });
  let failed: string | undefined;
  server.once("error", (problem) => {
    failed = problem.message;
  });
  server.once("exit", (code, signal) => {
    failed ??= `redis-server ended with ${signal ?? code}`;
  });
  const until = performance.now() + PATIENCE_MS;
  while (!(await listens(socket))) {
    if (failed !== undefined) throw new Error(failed);
    if (performance.now() > until)
      throw new Disturbed(`redis-server does not listen after ${PATIENCE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return () => void server.kill("SIGKILL");
}
