// only: linux, the benchmarks run there
import { execFile, fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Plan, Sample } from "../../bench/contest.js";
import { DISTURBED_CODE, Disturbed } from "../../bench/disturbed.js";
import { tablesOf, withTables } from "../../bench/documents.js";
import { isLeftOver } from "../../bench/ends.js";
import { compilerVersion, runNative } from "../../bench/native.js";
import { benchSources } from "../../bench/place.js";
import { chartSvg } from "../../bench/plot.js";
import { planOf, ROWS, rowOf } from "../../bench/rows.js";
import { type Result, takeTurns } from "../../bench/run.js";
import { blocksBytes, Series } from "../../bench/series.js";

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

/** Runs the ends of isthmus in a row with a plan of our own. The ends die with the left one, and that with the watchdog. */
async function runContestant(row: string, small: Partial<Record<keyof Plan, unknown>>): Promise<Sample> {
  const segment = `bench-test-${process.pid}-${row}`;
  const plan = JSON.stringify({ ...planOf(rowOf(row), undefined, { segment }, 1), ...small });
  const program = fileURLToPath(new URL("../../bench/end.js", import.meta.url));
  const left = fork(program, ["left", row, "isthmus", plan], { serialization: "advanced" });
  const watchdog = setTimeout(() => left.kill("SIGKILL"), WATCHDOG_MS);
  try {
    return await new Promise<Sample>((resolve, reject) => {
      left.on("message", ({ sample }: { sample?: Sample }) => sample && resolve(sample));
      left.once("exit", (code, signal) => reject(new Error(`the left end ended with ${signal ?? code}`)));
    });
  } finally {
    clearTimeout(watchdog);
    left.kill("SIGKILL");
    if (existsSync(`/dev/shm/isthmus.${segment}`)) rmSync(`/dev/shm/isthmus.${segment}`);
  }
}

function isFigure(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

test("a run that was disturbed is tried again and said; only one that is wrong fails", async () => {
  const sample: Sample = { latenciesNs: [1] };
  let tries = 0;
  const counts: Record<string, number> = { fine: 0, always: 0, wrong: 0 };
  const fine = async () => {
    counts.fine++;
    if (tries++ % 3 === 1) throw new Disturbed("no core");
    return sample;
  };
  const always = async () => {
    counts.always++;
    throw new Disturbed("never a core");
  };
  const wrong = async () => {
    if (++counts.wrong > 1) throw new Error("the payload is not what was sent");
    return sample;
  };
  const runners = new Map(Object.entries({ fine, always, wrong }));
  const { samples, failed, disturbed } = await takeTurns(runners, 5);
  assert.is(samples.get("fine")?.length, 5);
  assert.equal(disturbed, { fine: ["no core", "no core"], always: Array(3).fill("never a core") });
  assert.equal(failed, { wrong: "the payload is not what was sent" });
  assert.is(samples.has("wrong") || samples.has("always"), false);
  assert.equal(counts, { fine: 7, always: 3, wrong: 2 });
});

test("the benchmark goes on after a disturbed row, and fails after a wrong payload", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bench-test-"));
  try {
    const json = ["--quick", "--runtime", "none", "--json", join(folder, "results.json")];
    const calm = await bench(["--only", "stub-disturbed", ...json]);
    assert.is(calm.code, 0, calm.stderr);
    assert.match(calm.stdout, /isthmus was disturbed 3 times: right end 0 ended with 3/);
    const wrong = await bench(["--only", "stub-wrong", ...json]);
    assert.is(wrong.code, 1);
    assert.match(
      wrong.stdout,
      /isthmus FAILED.*\n?.*the payload that arrived \(1\) is not what was sent \(2\)/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a writer that was never scheduled is a disturbance, in the twin as well", async () => {
  // One read sees one value: nobody has written meanwhile.
  await runContestant("latest-64", { warmup: 0, count: 1, block: 1 }).then(
    () => assert.unreachable("a run with one read says nothing"),
    (problem) => assert.match(problem.message, new RegExp(`ended with ${DISTURBED_CODE}$`)),
  );
  if (compilerVersion().missing !== undefined) return;
  await runNative("latest", ["read", 1000, 1, 0, 1]).then(
    () => assert.unreachable("a run with one read says nothing"),
    (problem) => assert.instance(problem, Disturbed),
  );
});

test("one quick row prints a table and writes rows of the documented shape", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bench-test-"));
  try {
    const path = join(folder, "results.json");
    const { code, stdout, stderr } = await bench([
      "--quick",
      "--only",
      "open",
      "--runtime",
      "none",
      "--json",
      path,
    ]);
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

test("each row can be planned, and names what it is measured against", () => {
  for (const name of ["lock-uncontended", "heap", "tree", "zerocopy-64", "latest-64-write"])
    assert.is(rowOf(name).name, name);
  for (const row of ROWS) {
    const plan = planOf(row, row.isthmus, { segment: "segment" }, 1);
    assert.ok(plan.count > 0 && plan.rights > 0, row.name);
    const [program, ...args] = row.native?.(plan) ?? [""];
    if (program) assert.ok(existsSync(join(benchSources(), "native", `${program}.cpp`)), program);
    assert.ok(!args.some((arg) => Number.isNaN(arg)), `${row.name}: ${args}`);
    const figures = { isthmus: () => 6, native: () => 2 };
    const derived = Object.keys(row.derive?.(figures) ?? {});
    for (const goal of Object.keys(row.goals))
      assert.ok(
        ["native", ...derived, ...Object.keys(row.peers ?? {})].includes(goal),
        `${row.name}: ${goal}`,
      );
  }
});

test("the lock is held against the native pair and two calls across the boundary", () => {
  const { derive } = rowOf("lock-uncontended");
  const derived = derive?.({ isthmus: (part) => (part === "boundary" ? 6 : 30), native: () => 14 });
  assert.equal(derived, { "native and boundary": 1.5 });
});

test("the heap and the tree do their work with few blocks, and few keys in two processes", async () => {
  for (const [name, small] of [
    ["heap", { liveBlocks: [10, 100], warmup: 1, count: 3, block: 10 }],
    ["tree", { workers: [1, 2], rights: 2, warmup: 1, count: 20, searches: 2 }],
  ] as const) {
    const { latenciesNs, parts } = await runContestant(name, small);
    assert.ok(latenciesNs?.every(isFigure), `${name}: ${latenciesNs}`);
    assert.equal(
      Object.keys(parts ?? {}).sort(),
      name === "heap" ? ["10 live", "100 live"] : ["1", "2"],
      name,
    );
    assert.ok(Object.values(parts ?? {}).every(isFigure), JSON.stringify(parts));
  }
});

test("entries of a cache and of a dictionary are got and set alone, and by two processes", async () => {
  for (const row of ["cache", "cache-set", "cache-1k", "cache-1k-set", "values", "values-set"]) {
    const { latenciesNs } = await runContestant(row, { warmup: 1, count: 3, block: 10 });
    assert.ok(latenciesNs?.length === 3 && latenciesNs.every(isFigure), `${row}: ${latenciesNs}`);
  }
  const { perSecond } = await runContestant("cache-4", { rights: 2, warmup: 10, count: 1000 });
  assert.ok(isFigure(perSecond), `${perSecond}`);
});

test("records are published with one and with two readers, which account for all of them", async () => {
  const small = { workers: [1, 2], rights: 2, ringBytes: 4096, warmup: 2, count: 5, block: 10 };
  const { latenciesNs, parts } = await runContestant("broadcast", small);
  assert.ok(latenciesNs?.length === 5 && latenciesNs.every(isFigure), `${latenciesNs}`);
  assert.equal(Object.keys(parts ?? {}).sort(), ["1", "2"]);
  assert.ok(Object.values(parts ?? {}).every(isFigure), JSON.stringify(parts));
});

test("sizes of blocks are from 16 B to 4 KiB, the same in each series of a seed", () => {
  const [one, other] = [new Series(7), new Series(7)];
  const sizes = Array.from({ length: 200_000 }, () => one.nextBytes());
  assert.ok(sizes.every((bytes) => bytes >= 16 && bytes <= 4096 && bytes === other.nextBytes()));
  assert.ok(
    sizes.some((bytes) => bytes > 2048),
    "large ones come too",
  );
  assert.ok(blocksBytes(200_000) > sizes.reduce((sum, bytes) => sum + bytes + 16, 0), "the bound holds");
});

/** A row as a run writes it. */
function resultOf(name: string, more: Partial<Result>): Result {
  const conditions = {
    runs: 5,
    quick: true,
    platform: "p",
    kernel: "k",
    cores: 2,
    cpu: "c",
    at: "2026-01-02T03:04",
  };
  return {
    ...{
      name,
      what: "what",
      unit: "ns",
      peers: {},
      runtimes: {},
      ratios: {},
      goals: {},
      runs: {},
      missing: {},
    },
    ...{ failed: {}, disturbed: {}, runtime: "node 1.2.3", conditions, ...more },
  };
}

test("tables of documents hold the figures, the goals and what they must be read with", () => {
  const row = resultOf("rtt-spin", {
    isthmus: 900,
    native: 600,
    runtimes: { bun: 950 },
    ratios: { native: 1.5, "native, in bun": 1.58 },
    goals: { native: { atMost: 1.25, ratio: 1.5, met: false } },
    disturbed: { native: ["no core"] },
    othersShare: 0.5,
  });
  const { short, full } = tablesOf([row]);
  assert.match(short, "| round trip, both poll | 900 ns | 950 ns | – | 600 ns | – |");
  assert.match(short, /Other work ran on the same cores\*\* during 1 of 1 rows and had up to 50 %/);
  assert.match(full, "| `rtt-spin` | what | 900 ns | 950 ns | – | 600 ns | 1.50 | ≤ 1.25 **missed** |");
  assert.match(full, "- `rtt-spin`: native: 1 runs were disturbed");
  assert.match(tablesOf([resultOf("open", { othersShare: 0 })]).short, "Nothing else ran on the cores.");
  const marked = "a\n<!-- figures: short -->\nold\n<!-- end of figures -->\nb";
  const written = withTables(marked, { short: "new" });
  assert.is(written, "a\n<!-- figures: short -->\n\nnew\n\n<!-- end of figures -->\nb");
  assert.is(withTables(written, { short: "new" }), written);
});

test("the figures in the documents are those of bench/results.json", () => {
  const results = JSON.parse(readFileSync(join(benchSources(), "results.json"), "utf8")) as Result[];
  const tables = tablesOf(results);
  for (const document of ["README.md", "docs/performance.md"]) {
    const text = readFileSync(join(benchSources(), "..", document), "utf8");
    assert.match(text, "<!-- figures: ");
    assert.ok(text === withTables(text, tables), `${document} is out of date: npm run bench:documents`);
  }
});

test("a chart has each point of each line, its units, and no text that ends the drawing", () => {
  const line = {
    name: "a<b",
    points: [
      [1, 5],
      [1000, 20],
    ] as [number, number][],
  };
  const svg = chartSvg({ title: "t", x: "blocks", y: "ns", lines: [line], note: "n" });
  assert.is(svg.match(/<circle/g)?.length, 2);
  assert.match(svg, ">blocks<");
  assert.match(svg, ">ns<");
  assert.not.match(svg, "a<b");
  const heights = [...svg.matchAll(/cy="([\d.]+)"/g)].map((match) => Number(match[1]));
  assert.ok(heights[0] > heights[1], "more is higher");
});

test("a row that does not exist is refused with the names of those that do", async () => {
  const { code, stderr } = await bench(["--only", "nothing"]);
  assert.is(code, 1);
  assert.match(stderr, /nothing.*spsc-64.*open/);
});

test("what a run leaves behind is known by its name, whoever made it; other runs have other names", () => {
  const unique = "bench-12-3";
  const names = [unique, `${unique}.socket`, `${unique}-lock`, `isthmus.${unique}`, `isthmus.${unique}-b`];
  for (const name of names) assert.ok(isLeftOver(name, unique), name);
  const others = [
    "bench-12-30",
    "isthmus.bench-12-30",
    "isthmus.bench-112-3",
    "bench-12",
    `x${unique}`,
    `other.${unique}`,
  ];
  for (const name of others) assert.not(isLeftOver(name, unique), name);
});

test.run();
