/**
 * A /dev/shm of the run's own, where the system permits one: what other programs have there is neither seen nor removed then.
 *
 * The program `unshare` makes the namespace: directly for the superuser, within a user namespace for others. In the second case
 * another user namespace inside gives the user back the own id, so that tests see the user who started them.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";

/** This variable of the environment says that the process has a /dev/shm which no program outside of the run sees. */
export const PRIVATE_MEMORY = "ISTHMUS_TEST_PRIVATE_MEMORY";

const MOUNT = 'mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm && exec "$@"';
const PROBE_MS = 10_000;

/** The command that runs another command, given after it, with an empty /dev/shm. */
function prefix(): string[] {
  const [user, group] = [process.getuid?.(), process.getgid?.()];
  const mount = ["sh", "-c", MOUNT, "sh"];
  if (user === 0) return ["unshare", "--mount", ...mount];
  const back = ["unshare", "--user", `--map-user=${user}`, `--map-group=${group}`];
  return ["unshare", "--user", "--map-root-user", "--mount", ...mount, ...back];
}

/** Whether this process has a private /dev/shm already. */
export function hasPrivateMemory(): boolean {
  return process.env[PRIVATE_MEMORY] !== undefined;
}

/** The command to put before another one, or why there is none. A system without /dev/shm needs neither. */
export function privateMemory(): { through?: string[]; reason?: string } {
  if (process.platform !== "linux") return {};
  const [command, ...args] = prefix() as [string, ...string[]];
  const { status, error, stderr } = spawnSync(command, [...args, "true"], {
    encoding: "utf8",
    timeout: PROBE_MS,
  });
  if (status === 0) return { through: [command, ...args] };
  return { reason: (error?.message ?? stderr ?? "").trim() };
}

/** Starts a program of Node with a private /dev/shm. It has a channel, which tells it when this process ends. */
export function startPrivately(through: string[], args: string[]): ChildProcess {
  const [command, ...before] = through as [string, ...string[]];
  return spawn(command, [...before, process.execPath, ...args], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [PRIVATE_MEMORY]: "1" },
  });
}
