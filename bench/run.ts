/** Runs the contestants of a row in turn and makes one result of what they gave. */
import type { Goal, RowSpec, Sample } from "./contest.js";
import { Disturbed } from "./disturbed.js";
import { type Program, runEnds } from "./ends.js";
import { type Latency, latencyOf, median, round } from "./figures.js";
import { watchLoad } from "./load.js";
import { runNative } from "./native.js";
import { planOf } from "./rows.js";

/** On a busy machine a row takes no more turns after this, once each contestant had one. Milliseconds. */
const ROW_MS = 60_000;
/** Turns more, for contestants whose runs were disturbed. */
const MORE_TURNS = 2;

export interface Result {
  name: string;
  what: string;
  unit: string;
  /** Median over the runs; absent when isthmus failed. */
  isthmus?: number;
  native?: number;
  peers: Record<string, number>;
  /** Isthmus in other runtimes, by their names. */
  runtimes: Record<string, number>;
  /** isthmus ÷ contestant; of another runtime: isthmus in it ÷ native, as "native, in bun". */
  ratios: Record<string, number>;
  goals: Record<string, Goal & { ratio: number; met: boolean }>;
  /** Nanoseconds, of all runs together. */
  latency?: Record<string, Latency>;
  /** Medians of further figures, by contestant. */
  parts?: Record<string, Record<string, number>>;
  /** What each run gave, in order. */
  runs: Record<string, number[]>;
  /** Contestants that are not there, and why. */
  missing: Record<string, string>;
  /** Contestants that failed, and how. */
  failed: Record<string, string>;
  /** What disturbed runs of contestants said; they count in no figure. */
  disturbed: Record<string, string[]>;
  /** The share of all cores, from 0 to 1, that neither the contestants nor this program had while the row ran. */
  othersShare?: number | undefined;
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
  /** Where isthmus is measured besides this runtime, by name. */
  programs: Record<string, Program>;
}

type Runner = () => Promise<Sample>;

/** How isthmus in another runtime is called among the contestants. */
function inRuntime(name: string): string {
  return `isthmus in ${name}`;
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
    const why = entry.missing?.();
    if (why === undefined) runners.set(name, () => runEnds(row, name, entry, scale));
    else missing[name] = why;
  }
  for (const [name, program] of Object.entries(settings.programs)) {
    runners.set(inRuntime(name), () => runEnds(row, "isthmus", row.isthmus, scale, program));
  }
  return runners;
}

/** What the turns of a row gave, by contestant. */
interface Turns {
  samples: Map<string, Sample[]>;
  failed: Record<string, string>;
  disturbed: Record<string, string[]>;
}

/** A contestant that fails once is out: a median of what is left would hide it. One that was disturbed gets more turns. */
export async function takeTurns(runners: Map<string, Runner>, runs: number): Promise<Turns> {
  const failed: Record<string, string> = {};
  const samples = new Map<string, Sample[]>();
  const disturbed: Record<string, string[]> = {};
  const done = (name: string) => samples.get(name)?.length ?? 0;
  const end = performance.now() + ROW_MS;
  for (let turn = 0; turn < runs + MORE_TURNS; turn++) {
    if (turn > 0 && performance.now() > end) break;
    for (const [name, runner] of runners) {
      if (failed[name] !== undefined || done(name) === runs) continue;
      const before = disturbed[name] ?? [];
      if (done(name) === 0 && before.length > MORE_TURNS) continue;
      try {
        samples.set(name, [...(samples.get(name) ?? []), await runner()]);
      } catch (problem) {
        const text = problem instanceof Error ? problem.message : String(problem);
        if (problem instanceof Disturbed) {
          disturbed[name] = [...before, text];
          continue;
        }
        failed[name] = text;
        samples.delete(name);
      }
    }
  }
  return { samples, failed, disturbed };
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
  const othersSince = watchLoad();
  const missing: Record<string, string> = {};
  const runners = runnersOf(row, settings, missing);
  const { samples, failed, disturbed } = await takeTurns(runners, settings.runs);
  const { runtime, conditions } = settings;
  const { name, what, unit } = row;
  const result: Result = {
    ...{ name, what, unit, peers: {}, runtimes: {}, ratios: {}, goals: {}, runs: {} },
    ...{ missing, failed, disturbed, othersShare: othersSince(), runtime, conditions },
  };
  for (const [contestant, own] of samples) {
    const figures = own.map(figureOf);
    result.runs[contestant] = figures.map(round);
    addFigure(result, contestant, round(median(figures)), settings);
    if (own[0]?.latenciesNs) {
      result.latency = { ...result.latency, [contestant]: latencyOf(own.map((s) => s.latenciesNs ?? [])) };
    }
    if (own[0]?.parts && Object.keys(own[0].parts).length > 0) {
      result.parts = { ...result.parts, [contestant]: mediansOfParts(own) };
    }
  }
  addRatios(result);
  Object.assign(result.ratios, derived(row, result));
  result.goals = judge(row.goals, result.ratios);
  return result;
}

function addFigure(result: Result, contestant: string, figure: number, { programs }: Settings): void {
  const runtime = Object.keys(programs).find((name) => inRuntime(name) === contestant);
  if (runtime !== undefined) result.runtimes[runtime] = figure;
  else if (contestant === "isthmus" || contestant === "native") result[contestant] = figure;
  else result.peers[contestant] = figure;
}

function addRatios(result: Result): void {
  const { isthmus, native } = result;
  const against = { ...(native !== undefined && { native }), ...result.peers };
  for (const [name, figure] of Object.entries(against)) {
    if (isthmus !== undefined) result.ratios[name] = round(isthmus / figure);
  }
  for (const [name, figure] of Object.entries(result.runtimes)) {
    if (native !== undefined) result.ratios[`native, in ${name}`] = round(figure / native);
  }
}
