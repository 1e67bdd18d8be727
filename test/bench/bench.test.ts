import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Result } from "../../bench/run.js";

const PROGRAM = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
/** Ends a run that hangs. Milliseconds. */
const WATCHDOG_MS = 180_000;

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the benchmark; its ends die with it, because their channel to it closes. */
function bench(args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { timeout: WATCHDOG_MS, killSignal: "SIGKILL" as const };
    execFile(process.execPath, [PROGRAM, ...args], options, (problem, stdout, stderr) => {
      const code = problem === null ? 0 : typeof problem.code === "number" ? problem.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

function isFigure(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

test("one quick row prints a table and writes rows of the documented shape", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bench-test-"));
  try {
    const path = join(folder, "results.json");
    const { code, stdout, stderr } = await bench(["--quick", "--only", "open", "--json", path]);
    assert.is(code, 0, stderr);
    assert.match(stdout, /^row +contestant +median/);
    const results = JSON.parse(readFileSync(path, "utf8")) as Result[];
    assert.is(results.length, 1);
    const [row] = results;
    assert.is(row.name, "open");
    assert.is(row.unit, "ns");
    assert.ok(isFigure(row.isthmus), `isthmus is ${row.isthmus}`);
    assert.ok(
      row.native === undefined ? row.missing.native : isFigure(row.native),
      "native twin, or why not",
    );
    assert.type(row.peers, "object");
    assert.ok(isFigure(row.ratios.growth), `growth is ${row.ratios.growth}`);
    assert.is(row.goals.growth.met, row.ratios.growth <= (row.goals.growth.atMost ?? 0));
    assert.ok(row.runs.isthmus.length >= 5, `${row.runs.isthmus.length} runs`);
    const { p50, p99, p999, max } = row.latency?.isthmus ?? { p50: 0, p99: 0, p999: 0, max: 0 };
    assert.ok(0 < p50 && p50 <= p99 && p99 <= p999 && p999 <= max, `percentiles ${[p50, p99, p999, max]}`);
    assert.match(row.runtime, /^(node|bun|deno) \d/);
    assert.ok(isFigure((row.conditions as { cores: number }).cores), "conditions name the cores");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a row that does not exist is refused with the names of those that do", async () => {
  const { code, stderr } = await bench(["--only", "nothing"]);
  assert.is(code, 1);
  assert.match(stderr, /nothing.*spsc-64.*open/);
});

test.run();
