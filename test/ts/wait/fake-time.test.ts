/**
 * Waits end in real time where a test framework has replaced timers and clocks. Each case is a program of its own, which a watchdog
 * ends: a thread that is blocked for ever cannot tell.
 */
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { mock } from "node:test";
import timers from "node:timers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clearTimer, setTimeout } from "../../../ts/host/timers.js";
import { someOf } from "../../lib/depth.js";
import { compiled, root } from "../../lib/paths.js";
import { finished, start } from "../../lib/processes.js";
import { bun, presentRuntimes } from "../../lib/runtimes.js";

const program = compiled("ts/wait/fake-time-program.ts");

/** What is replaced, and when; see `fake-time-program.ts`. */
const CASES = [
  ["globals", "before"],
  ["globals", "after"],
  ["modules", "before"],
  ["modules", "after"],
  ["mock", "before"],
  ["mock", "after"],
] as const;

/** Node 18 has no `mock.timers`. */
const mocks = "timers" in mock;

async function passes(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const ended = await finished(start(command, args, { cwd: root, env }), "the end of waits with a timeout");
  assert.equal(JSON.parse(ended.stdout.split("\n").pop() || '"nothing was written"'), [], ended.stderr);
}

for (const runtime of presentRuntimes()) {
  for (const entry of ["import", "require"]) {
    for (const [what, when] of someOf(CASES)) {
      if (what === "mock" && !mocks) continue;
      test(`${runtime.name}, ${entry}: the ${what} are replaced ${when} the package is loaded`, () =>
        passes(runtime.command, [...runtime.flags, program, entry, what, when]));
    }
  }
}

if (existsSync(bun.command)) {
  for (const when of ["before", "after"]) {
    test(`bun test: jest.useFakeTimers is called ${when} the package is loaded`, () =>
      passes(bun.command, ["test", `./${relative(root, program)}`], {
        ...process.env,
        FAKE_TIME: `import bun ${when}`,
      }));
  }
}

test("where nothing is faked, timers are those of the runtime", () => {
  const timer = setTimeout(() => {}, 1000);
  assert.is(timer.constructor, timers.setTimeout(() => {}, 0).constructor);
  clearTimer(timer);
});

test.run();
