// only: linux, it sends signals that a program handles
// deep: how each example ends
/** However an example ends, nothing of it stays: no process and no segment. */
import type { ChildProcess } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MARKER, survivorsOf } from "../../scripts/leftovers.js";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { until } from "../lib/watchdog.js";

/** How many children each has, and arguments that let it run for long, if it has any. */
const examples: Record<string, { children: number; args: string[] }> = {
  bank: { children: 3, args: ["--seconds", "100"] },
  counter: { children: 2, args: ["--additions", "100000000"] },
  fifo: { children: 4, args: ["--silence", "100000"] },
  tree: { children: 2, args: ["--runtimes", "node", "--workers", "2", "--keys", "200000"] },
  anonymous: { children: 1, args: [] },
  latest: { children: 1, args: [] },
  "zero-copy": { children: 1, args: [] },
};
const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

let runs = 0;

interface Example {
  child: ChildProcess;
  running(): boolean;
  /** Those that it started and itself. */
  processes(): number[];
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself just now.
  }
}

/** Runs an example, does something to it, waits for its end, and checks that nothing is left. */
async function run(name: string, act: (example: Example) => Promise<void>): Promise<Ended> {
  const marker = `${process.env[MARKER] ?? "alone"}run${++runs}`;
  const { args } = examples[name] as { args: string[] };
  const processes = () => survivorsOf(marker).map(({ pid }) => pid);
  const env = { ...process.env, [MARKER]: marker };
  const file = join(root, `build/examples/${name}.js`);
  const child = start(process.execPath, [file, ...args], { env });
  const ended = finished(child, name);
  try {
    await act({ child, running: () => child.exitCode === null && child.signalCode === null, processes });
    const result = await ended;
    await until(`the processes of ${name} are gone`, () => processes().length === 0);
    const left = readdirSync("/dev/shm").filter((entry) => entry.includes(`example-${name}-${child.pid}`));
    assert.equal(left, []);
    return result;
  } finally {
    for (const pid of processes()) end(pid);
  }
}

for (const [name, { children, args }] of Object.entries(examples)) {
  for (const [signal, expected] of Object.entries(signals)) {
    test(`${name}: ${signal} ends its children, and its segment is gone`, async () => {
      const { code, stderr } = await run(name, async ({ child, running, processes }) => {
        await until(`${name} has children`, () => !running() || processes().length > children);
        child.kill(signal as NodeJS.Signals);
      });
      // What takes no arguments may be done, or about to end, when the signal comes.
      if (args.length > 0 || code) assert.is(code, expected, stderr);
    });
  }

  test(`${name}: a reader that stops early is no failure`, async () => {
    const { code, stderr } = await run(name, async ({ child, running, processes }) => {
      child.stdout?.destroy();
      await until(`${name} has children`, () => !running() || processes().length > children);
      // Those that print at the end only need not be waited for.
      if (args.length > 0 && name !== "fifo") child.kill("SIGTERM");
    });
    assert.ok(code === 0 || code === 143, stderr);
    assert.is(stderr, "");
  });
}

test("an example whose child fails ends with an error, and nothing is left", async () => {
  const { code, stderr } = await run("counter", async ({ child, processes }) => {
    await until("counter has two children", () => processes().length > 2);
    const victim = processes().find((pid) => pid !== child.pid);
    process.kill(victim as number, "SIGKILL");
  });
  assert.is(code, 1);
  assert.match(stderr, /process \d+ failed: SIGKILL/);
});

for (const name of ["bank", "zero-copy"]) {
  test(`${name}: children whose parent was killed end by themselves`, async () => {
    await run(name, async ({ child, running, processes }) => {
      await until(`${name} has children`, () => !running() || processes().length > 1);
      child.kill("SIGKILL");
      await until("they are gone", () => processes().length === 0);
      // Nobody is left to remove it.
      rmSync(`/dev/shm/isthmus.example-${name}-${child.pid}`, { force: true });
    });
  });
}

test.run();
