// watchdog: 300 s
/** However the demo ends, nothing of it stays. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MARKER, survivorsOf } from "../../scripts/leftovers.js";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { temporaryDirectory } from "../lib/segments.js";
import { until } from "../lib/watchdog.js";
import { main } from "./command-line.js";

const DEMO_MS_MAX = 200_000;

/** What the demo of that process has in shared memory now. */
function segmentsOf({ pid }: ChildProcess): string[] {
  return readdirSync("/dev/shm").filter((name) => name.includes(`isthmus-demo-${pid}`));
}

interface Running {
  child: ChildProcess;
  /** Where it puts its sockets. */
  sockets: string;
  ended: boolean;
}

/** Runs the demo, does something to it, and checks that no process, segment or socket is left. */
async function disturbed(act: (demo: Running) => Promise<void>): Promise<Ended> {
  const marker = `${process.env[MARKER] ?? "alone"}disturbed`;
  const sockets = temporaryDirectory();
  const child = start(process.execPath, [main, "demo"], {
    env: { ...process.env, [MARKER]: marker, TMPDIR: sockets },
  });
  const demo: Running = { child, sockets, ended: false };
  const ended = finished(child, "the demo", DEMO_MS_MAX);
  ended.catch(() => {}).finally(() => (demo.ended = true));
  try {
    await act(demo);
    const result = await ended;
    await until("its processes are gone", () => survivorsOf(marker).length === 0);
    assert.equal([segmentsOf(child), readdirSync(sockets)], [[], []]);
    return result;
  } finally {
    child.kill("SIGKILL");
  }
}

for (const [signal, expected] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  test(`a demo that gets ${signal} leaves no process, no segment, no socket`, async () => {
    for (const moment of [
      ({ child }: Running) => segmentsOf(child).length > 0,
      ({ sockets }: Running) => readdirSync(sockets).length > 0,
    ]) {
      const { code, stdout, stderr } = await disturbed(async (demo) => {
        await until("it has something to leave", () => demo.ended || moment(demo));
        demo.child.kill(signal);
      });
      assert.is(code, expected, `${stdout}${stderr}`);
    }
  });
}

test("a demo whose reader stops early is no failure, and leaves nothing", async () => {
  const { code, stderr } = await disturbed(async ({ child }) => {
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    child.stdout?.destroy();
  });
  assert.is(code, 0);
  assert.is(stderr, "");
});

test("a demo one of whose stages dies fails, and leaves nothing", async () => {
  const { code, stderr } = await disturbed(async (demo) => {
    const stages = () => survivorsOf(`${process.env[MARKER] ?? "alone"}disturbed`);
    const reader = () => stages().find(({ command }) => command.endsWith("demo/reader.js"));
    await until("the reader runs", () => demo.ended || reader() !== undefined);
    process.kill(reader()?.pid as number, "SIGKILL");
  });
  assert.is(code, 1);
  assert.match(stderr, "the reader ended without finishing: SIGKILL");
});

test("one thing that cannot be tidied does not keep the others", async () => {
  const file = join(temporaryDirectory(), "tidied");
  const program = `
    import { writeFileSync } from "node:fs";
    import { atTheEnd } from ${JSON.stringify(pathToFileURL(join(root, "dist/ts/cli/demo/ending.js")).href)};
    const write = () => writeFileSync(${JSON.stringify(file)}, "", { flag: "a" });
    const fail = () => { throw new Error("the terminal is gone"); };
    for (const each of [fail, write, fail]) atTheEnd(each);
    process.kill(process.pid, "SIGHUP");
    setInterval(() => {}, 1000);
  `;
  const { code } = await finished(
    start(process.execPath, ["--input-type=module", "-e", program]),
    "the program",
  );
  assert.is(code, 129);
  assert.ok(existsSync(file));
});

test.run();
