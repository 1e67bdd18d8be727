/**
 * `npm run bench:growth`: how costs grow with participants, live blocks, named objects and bytes per message. Each point is a
 * process of its own (an engine compiles anew for each segment that it meets), and the median of several.
 *
 *   --only NAME     this plot; may be given several times
 *   --quick         each point once, and shortly
 *   --folder PATH   where growth.json and plots/ go (bench)
 */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { conditionsNow, runtimeName } from "./conditions.js";
import { median, round } from "./figures.js";
import type { Measured, measurements } from "./growth-points.js";
import { compilerVersion, runNative } from "./native.js";
import { benchSources } from "./place.js";
import { type Chart, chartSvg, type Line } from "./plot.js";

const RUNS = 3;
/** Longest run of one point before its process is ended. Milliseconds. */
const POINT_MS = 60_000;

interface Plot {
  /** What is measured, in growth-points.ts. */
  measurement: keyof typeof measurements;
  xs: number[];
  chart: Omit<Chart, "lines" | "note">;
  /** Turns nanoseconds into what the chart shows. */
  shown?: (ns: number, x: number) => number;
  /** The twin in bench/native, and how it calls the point. */
  native?: { command: [string, ...(string | number)[]]; part: (x: number) => string; name: string };
}

const messageBytes = Array.from({ length: 8 }, (_, index) => 8 ** (index + 1));

const plots: Record<string, Plot> = {
  participants: {
    measurement: "participants",
    xs: [2, 4, 8, 16, 32, 64],
    chart: { title: "Joined participants", x: "participants", y: "ns" },
  },
  blocks: {
    measurement: "blocks",
    xs: [1e3, 1e4, 1e5, 1e6],
    chart: { title: "Live blocks of the heap", x: "live blocks", y: "ns per free and allocate" },
    native: {
      command: ["heap", "malloc", 100, 1000, 2000, 1e3, 1e4, 1e5, 1e6],
      part: (x) => `${x} live`,
      name: "malloc (C)",
    },
  },
  entries: {
    measurement: "entries",
    xs: [1e3, 1e4, 1e5, 1e6],
    chart: { title: "Entries of a cache", x: "entries of 64 B", y: "ns per get or set of a random one" },
  },
  keys: {
    measurement: "keys",
    xs: [1e3, 1e4, 1e5, 1e6],
    chart: { title: "Keys of a shared dictionary", x: "keys", y: "ns per get or set of a random one" },
  },
  objects: {
    measurement: "objects",
    xs: [1, 10, 100, 1000],
    chart: { title: "Named objects of a segment", x: "named objects", y: "ns per opening by name" },
  },
  message: {
    measurement: "message",
    xs: messageBytes,
    chart: { title: "Time per message", x: "bytes", y: "ns per send and receive", logarithmic: true },
  },
  "message-bytes": {
    measurement: "message",
    xs: messageBytes,
    chart: { title: "Bytes per nanosecond", x: "bytes per message", y: "bytes per ns", logarithmic: true },
    shown: (ns, x) => x / ns,
  },
};

/** One point, in a process that dies with the watchdog. */
async function measurePoint(measurement: string, x: number, quick: boolean): Promise<Measured> {
  const program = fileURLToPath(new URL("./growth-points.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, measurement, `${x}`, `${quick}`], {
    timeout: POINT_MS,
    killSignal: "SIGKILL",
  });
  return JSON.parse(stdout) as Measured;
}

async function linesOf({ measurement, xs, native }: Plot, quick: boolean): Promise<Line[]> {
  const lines = new Map<string, [number, number][]>();
  for (const x of xs) {
    const runs: Measured[] = [];
    for (let run = 0; run < (quick ? 1 : RUNS); run++) runs.push(await measurePoint(measurement, x, quick));
    for (const name of Object.keys(runs[0])) {
      const points = lines.get(name) ?? [];
      lines.set(name, [...points, [x, round(median(runs.map((run) => run[name])))]]);
    }
  }
  if (native && compilerVersion().missing === undefined) {
    const [program, ...args] = native.command;
    const { parts } = await runNative(program, args);
    lines.set(
      native.name,
      xs.map((x) => [x, round(parts?.[native.part(x)] ?? Number.NaN)]),
    );
  }
  return [...lines].map(([name, points]) => ({ name, points }));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      quick: { type: "boolean", default: false },
      folder: { type: "string", default: benchSources() },
    },
  });
  const quick = values.quick ?? false;
  const folder = String(values.folder);
  const names = values.only ?? Object.keys(plots);
  const unknown = names.find((name) => !Object.hasOwn(plots, name));
  if (unknown !== undefined)
    throw new RangeError(`no plot is named ${unknown}; there are ${Object.keys(plots).join(", ")}`);
  const { compiler } = compilerVersion();
  const conditions = conditionsNow({ runs: quick ? 1 : RUNS, quick, compiler });
  const runtime = runtimeName();
  const note = `${runtime}, ${conditions.platform}, ${conditions.cpu}, ${conditions.cores} cores, ${conditions.at}`;
  mkdirSync(join(folder, "plots"), { recursive: true });
  const measured = new Map<string, Line[]>();
  const figures: Record<string, Chart> = {};
  for (const name of names) {
    const plot = plots[name];
    process.stderr.write(`${name}: ${plot.chart.title}\n`);
    const lines = measured.get(plot.measurement) ?? (await linesOf(plot, quick));
    measured.set(plot.measurement, lines);
    const shown = plot.shown ?? ((ns: number) => ns);
    const chart: Chart = {
      ...plot.chart,
      lines: lines.map((line) => ({
        ...line,
        points: line.points.map(([x, ns]) => [x, round(shown(ns, x))]),
      })),
      note,
    };
    figures[name] = chart;
    writeFileSync(join(folder, "plots", `${name}.svg`), chartSvg(chart));
  }
  const text = JSON.stringify({ runtime, conditions, plots: figures }, null, 2);
  writeFileSync(join(folder, "growth.json"), `${text}\n`);
}

main().catch((problem) => {
  console.error(problem instanceof Error ? problem.message : problem);
  process.exitCode = 1;
});
