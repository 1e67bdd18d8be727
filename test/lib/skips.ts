/** Tests that need something this machine does not give are left out, and the runner shows why. */
import { spawnSync } from "node:child_process";
import type { Test } from "uvu";
import { hasPrivateMemory } from "../../scripts/private-memory.js";

/** The test itself when there is no reason against it; else it says the reason aloud and skips. */
export function unless(
  reason: string | undefined,
  test: Test,
): (name: string, run: () => Promise<void> | void) => void {
  if (reason === undefined) return (name, run) => test(name, run);
  return (name) => {
    console.log(`\nSKIPPED "${name}": ${reason}`);
    test.skip(name);
  };
}

/** Why these namespaces cannot be made here, or undefined. */
export function noNamespaces(...flags: string[]): string | undefined {
  const { status, error, stderr } = spawnSync("unshare", [...flags, "true"], {
    encoding: "utf8",
    timeout: 10_000,
  });
  if (status === 0) return undefined;
  return `unshare ${flags.join(" ")} is not permitted (${(error?.message ?? stderr ?? "").trim()})`;
}

export const notSuperuser =
  process.getuid?.() === 0 ? undefined : "only the superuser can become another user";

/** Only where no other program is may a test remove every segment that nobody holds. */
export const notAlone = hasPrivateMemory()
  ? undefined
  : "it removes idle segments, and /dev/shm is shared with other programs";

/** Why a test that needs something of Linux is left out here; undefined on Linux. */
export function onlyLinux(needed: string): string | undefined {
  return process.platform === "linux" ? undefined : `only on Linux: it needs ${needed}`;
}

/** Also where a stand-in of its calls runs on Linux: `npm run test:darwin` says so by this variable. */
export const isDarwin = process.platform === "darwin" || Boolean(process.env.ISTHMUS_STAND_IN);

/** Why a test is left out on macOS; undefined elsewhere. */
export function notOnDarwin(difference: string): string | undefined {
  return isDarwin ? `not on macOS: ${difference}` : undefined;
}

/** Why a test that stops a process, and lets it go on, is left out here. */
export const noStops = process.platform === "win32" ? "Windows has no SIGSTOP" : undefined;
