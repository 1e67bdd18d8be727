/** Runs the contestants of a row in turn and makes one result of what they gave. */
import { fork } from "node:child_process";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Entry, Goal, RowSpec, Sample } from "./contest.js";
import { type Latency, latencyOf, median, round } from "./figures.js";
import { runNative } from "./native.js";
import { planOf } from "./rows.js";

/** Longest run of one contestant before its processes are ended. Milliseconds. */
const RUN_MS = 120_000;

export interface Result {
  name: string;
  what: string;
  unit: string;
  /** Median over the runs; absent when isthmus failed. */
  isthmus?: number;
  native?: number;
  peers: Record<string, number>;
  /** isthmus ÷ contestant. */
  ratios: Record<string, number>;
  goals: Record<string, Goal & { ratio: number; met: boolean }>;
  /** Nanoseconds, of all runs together. */
  latency?: Record<string, Latency>;
  /** Medians of further figures, by contestant. */
  parts?: Record<string, Record<string, number>>;
  /** What each run gave, in order. */
  runs: Record<string, number[]>;
  /** Contestants that failed or are missing, and why. */
  missing: Record<string, string>;
  runtime: string;
  conditions: object;
}

export interface Settings {
  runs: number;
  scale: number;
  runtime: string;
  conditions: object;
  /** Why there are no native twins, if there are none. */
  nativeMissing: string | undefined;
}

type Runner = () => Promise<Sample>;

let runNumber = 0;

/** Runs all ends of a contestant and ends their processes whatever happens. */
async function runEnds(row: RowSpec, name: string, entry: Entry, scale: number): Promise<Sample> {
  const unique = `bench-${process.pid}-${runNumber++}`;
  const socket = join(tmpdir(), `${unique}.socket`);
  const plan = planOf(row, entry, { segment: unique, socket }, scale);
  const program = fileURLToPath(new URL("./end.js", import.meta.url));
  const left = fork(program, ["left", row.name, name, JSON.stringify(plan)], { serialization: "advanced" });
  const pids = [left.pid];
  try {
    return await new Promise<Sample>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not done after ${RUN_MS} ms`)), RUN_MS);
      let sample: Sample | undefined;
      left.on("message", (message: { right?: number; sample?: Sample }) => {
        if (message.right !== undefined) pids.push(message.right);
        sample = message.sample ?? sample;
      });
      left.once("exit", (code, signal) => {
        clearTimeout(timer);
        if (sample && code === 0) resolve(sample);
        else reject(new Error(`its process ended with ${signal ?? code}`));
      });
    });
  } finally {
    for (const pid of pids) endProcess(pid);
    rmSync(socket, { force: true });
    await unlinkSegment(unique);
  }
}

function endProcess(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

async function unlinkSegment(name: string): Promise<void> {
  try {
    const { Segment } = await import("isthmus");
    Segment.unlink(name);
  } catch {
    // The contestant has unlinked it, never made it, or there is no isthmus to ask.
  }
}

function runnersOf(row: RowSpec, settings: Settings, missing: Record<string, string>): Map<string, Runner> {
  const { scale } = settings;
  const runners = new Map<string, Runner>([["isthmus", () => runEnds(row, "isthmus", row.isthmus, scale)]]);
  const natives = { ...(row.native && { native: row.native }), ...row.nativePeers };
  for (const [name, command] of Object.entries(natives)) {
    if (settings.nativeMissing !== undefined) {
      missing[name] = settings.nativeMissing;
      continue;
    }
    const [program, ...args] = command(planOf(row, undefined, {}, scale));
    runners.set(name, () => runNative(program, args));
  }
  for (const [name, entry] of Object.entries(row.peers ?? {})) {
    runners.set(name, () => runEnds(row, name, entry, scale));
  }
  return runners;
}

/** A contestant that fails once is out: a median of what is left would hide it. */
async function runAll(row: RowSpec, settings: Settings, missing: Record<string, string>) {
  const runners = runnersOf(row, settings, missing);
  const samples = new Map<string, Sample[]>([...runners.keys()].map((name) => [name, []]));
  for (let run = 0; run < settings.runs; run++) {
    for (const [name, runner] of runners) {
      if (missing[name] !== undefined) continue;
      try {
        samples.get(name)?.push(await runner());
      } catch (problem) {
        missing[name] = problem instanceof Error ? problem.message : String(problem);
        samples.delete(name);
      }
    }
  }
  return samples;
}

function figureOf(sample: Sample): number {
  if (sample.perSecond !== undefined) return sample.perSecond;
  return median(sample.latenciesNs ?? []);
}

function mediansOfParts(samples: Sample[]): Record<string, number> {
  const names = Object.keys(samples[0]?.parts ?? {});
  return Object.fromEntries(
    names.map((name) => [name, round(median(samples.map((s) => s.parts?.[name] ?? 0)))]),
  );
}

function judge(goals: Record<string, Goal>, ratios: Record<string, number>): Result["goals"] {
  const judged: Result["goals"] = {};
  for (const [name, goal] of Object.entries(goals)) {
    const ratio = ratios[name];
    if (ratio === undefined) continue;
    const met = ratio >= (goal.atLeast ?? 0) && ratio <= (goal.atMost ?? Number.POSITIVE_INFINITY);
    judged[name] = { ...goal, ratio, met };
  }
  return judged;
}

/** The ratios that a row computes from figures and parts, as far as these are there. */
function derived(row: RowSpec, result: Result): Record<string, number> {
  const figureFrom = (contestant: "isthmus" | "native") => (part?: string) =>
    (part === undefined ? result[contestant] : result.parts?.[contestant]?.[part]) ?? Number.NaN;
  const ratios = row.derive?.({ isthmus: figureFrom("isthmus"), native: figureFrom("native") }) ?? {};
  const known = Object.entries(ratios).filter(([, ratio]) => Number.isFinite(ratio));
  return Object.fromEntries(known.map(([name, ratio]) => [name, round(ratio)]));
}

export async function runRow(row: RowSpec, settings: Settings): Promise<Result> {
  const missing: Record<string, string> = {};
  const samples = await runAll(row, settings, missing);
  const { runtime, conditions } = settings;
  const { name, what, unit } = row;
  const result: Result = {
    name,
    what,
    unit,
    peers: {},
    ratios: {},
    goals: {},
    runs: {},
    missing,
    runtime,
    conditions,
  };
  for (const [contestant, own] of samples) {
    const figures = own.map(figureOf);
    result.runs[contestant] = figures.map(round);
    const figure = round(median(figures));
    if (contestant === "isthmus" || contestant === "native") result[contestant] = figure;
    else result.peers[contestant] = figure;
    if (contestant !== "isthmus" && result.isthmus !== undefined) {
      result.ratios[contestant] = round(result.isthmus / figure);
    }
    if (own[0]?.latenciesNs) {
      result.latency = { ...result.latency, [contestant]: latencyOf(own.map((s) => s.latenciesNs ?? [])) };
    }
    if (own[0]?.parts && Object.keys(own[0].parts).length > 0) {
      result.parts = { ...result.parts, [contestant]: mediansOfParts(own) };
    }
  }
  Object.assign(result.ratios, derived(row, result));
  result.goals = judge(row.goals, result.ratios);
  return result;
}
