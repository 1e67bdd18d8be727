/**
 * Waits end in real time where a test framework has replaced timers and clocks. Each case is a program of its own, which a watchdog
 * ends: a thread that is blocked for ever cannot tell.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compiled, root } from "../../lib/paths.js";
import { finished, start } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";

/** What is replaced, and when; see `fake-time-program.ts`. */
const CASES = [
  ["globals", "before"],
  ["globals", "after"],
  ["modules", "before"],
  ["modules", "after"],
] as const;

for (const runtime of presentRuntimes()) {
  for (const entry of ["import", "require"]) {
    for (const [what, when] of CASES) {
      test(`${runtime.name}, ${entry}: the ${what} are replaced ${when} the package is loaded`, async () => {
        const program = [compiled("ts/wait/fake-time-program.ts"), entry, what, when];
        const child = start(runtime.command, [...runtime.flags, ...program], { cwd: root });
        const ended = await finished(child, "the end of waits with a timeout");
        assert.is(ended.stderr, "");
        assert.equal(JSON.parse(ended.stdout), []);
      });
    }
  }
}

test.run();
