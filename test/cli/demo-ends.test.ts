// only: linux, it sends signals that a program handles
// watchdog: 300 s
/** However the demo ends, nothing of it stays. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MARKER, survivorsOf } from "../../scripts/leftovers.js";
import { someOf } from "../lib/depth.js";
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
  /** The process of the stage that is held, once it has begun. */
  held(): number | undefined;
  ended: boolean;
}

/**
 * What Node loads first in every process of the demo: the stage of that name goes no further. So the demo stays where it is,
 * however busy this machine is. It ends when the process that started it does.
 */
const HOLD = `
  const { writeFileSync } = require("node:fs");
  const { basename } = require("node:path");
  const { DEMO_HELD_STAGE: stage, DEMO_HELD_FILE: file } = process.env;
  if (stage && basename(process.argv[1] ?? "") === stage + ".js") {
    const parent = process.ppid;
    writeFileSync(file, String(process.pid));
    const never = new Int32Array(new SharedArrayBuffer(4));
    while (process.ppid === parent) Atomics.wait(never, 0, 0, 100);
    process.exit(1);
  }
`;

/** Runs the demo, does something to it, and checks that no process, segment or socket is left. `stage` is held where it begins. */
async function disturbed(stage: string, act: (demo: Running) => Promise<void>): Promise<Ended> {
  const hold = join(temporaryDirectory(), "hold.cjs");
  const heldFile = `${hold}.pid`;
  writeFileSync(hold, HOLD);
  const marker = `${process.env[MARKER] ?? "alone"}disturbed`;
  const sockets = temporaryDirectory();
  const child = start(process.execPath, [main, "demo"], {
    env: {
      ...process.env,
      ...{ [MARKER]: marker, TMPDIR: sockets, NODE_OPTIONS: `--require ${hold}` },
      ...{ DEMO_HELD_STAGE: stage, DEMO_HELD_FILE: heldFile },
    },
  });
  const held = (): number | undefined =>
    existsSync(heldFile) ? Number(readFileSync(heldFile, "utf8")) || undefined : undefined;
  const demo: Running = { child, sockets, held, ended: false };
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

for (const [signal, expected] of someOf([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)) {
  test(`a demo that gets ${signal} leaves no process, no segment, no socket`, async () => {
    for (const [stage, hasSomething] of [
      ["reader", ({ child }: Running) => segmentsOf(child).length > 0],
      ["socket-reader", ({ sockets }: Running) => readdirSync(sockets).length > 0],
    ] as const) {
      const { code, stdout, stderr } = await disturbed(stage, async (demo) => {
        await until("the stage is held", () => demo.ended || demo.held() !== undefined, DEMO_MS_MAX);
        assert.ok(hasSomething(demo), "it has nothing to leave");
        demo.child.kill(signal);
      });
      assert.is(code, expected, `${stdout}${stderr}`);
    }
  });
}

test("a demo whose reader stops early is no failure, and leaves nothing", async () => {
  const { code, stderr } = await disturbed("", async ({ child }) => {
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    child.stdout?.destroy();
  });
  assert.is(code, 0);
  assert.is(stderr, "");
});

test("a demo one of whose stages dies fails, and leaves nothing", async () => {
  const { code, stderr } = await disturbed("reader", async (demo) => {
    await until("the reader is held", () => demo.ended || demo.held() !== undefined, DEMO_MS_MAX);
    process.kill(demo.held() as number, "SIGKILL");
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
