/** The table that a person reads. */
import type { Goal } from "./contest.js";
import type { Result } from "./run.js";

const HEADINGS = ["row", "contestant", "median", "isthmus ÷ it", "goal", "p50", "p99", "p99.9", "max"];

/** Up to this share of the cores for others a row counts as measured on a quiet machine. */
export const QUIET_SHARE_MAX = 0.05;

export function formatFigure(value: number, unit: string): string {
  if (unit === "messages/s") {
    if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M/s`;
    return value >= 1e3 ? `${(value / 1e3).toFixed(1)} k/s` : `${value.toFixed(1)} /s`;
  }
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} ms`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)} µs` : `${value.toFixed(value < 100 ? 1 : 0)} ns`;
}

function formatGoal(goal: (Goal & { met: boolean }) | undefined): string {
  if (!goal) return "";
  const bound = goal.atLeast !== undefined ? `≥ ${goal.atLeast.toFixed(2)}` : `≤ ${goal.atMost?.toFixed(2)}`;
  return `${bound} ${goal.met ? "met" : "MISSED"}`;
}

function linesOf(result: Result): string[][] {
  const figures: [string, number | undefined][] = [
    ["isthmus", result.isthmus],
    ["native", result.native],
    ...Object.entries(result.peers),
    ...Object.entries(result.runtimes).map(([name, figure]): [string, number] => [`in ${name}`, figure]),
  ];
  const lines: string[][] = [];
  for (const [name, figure] of figures) {
    if (figure === undefined) continue;
    const ratio = result.ratios[name];
    const latency = result.latency?.[name.replace(/^in /, "isthmus in ")];
    const tail = latency ? [latency.p50, latency.p99, latency.p999, latency.max] : [];
    lines.push([
      lines.length === 0 ? result.name : "",
      name,
      formatFigure(figure, result.unit),
      ratio === undefined ? "" : ratio.toFixed(ratio < 10 ? 2 : 0),
      formatGoal(result.goals[name]),
      ...tail.map((ns) => formatFigure(ns, "ns")),
    ]);
  }
  for (const [name, ratio] of Object.entries(result.ratios)) {
    if (figures.some(([contestant]) => contestant === name)) continue;
    lines.push(["", name, "", ratio.toFixed(2), formatGoal(result.goals[name])]);
  }
  return lines;
}

export function formatTable(results: Result[]): string {
  const lines = [HEADINGS, ...results.flatMap(linesOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const table = lines.map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
  return [...table, ...results.flatMap(notesOf)].join("\n");
}

/** What a figure must be read with. */
function notesOf({ name, missing, failed, disturbed, othersShare, runs, conditions }: Result): string[] {
  const notes = Object.entries(missing).map(([contestant, why]) => `${name}: no ${contestant}: ${why}`);
  for (const [contestant, how] of Object.entries(failed)) notes.push(`${name}: ${contestant} FAILED: ${how}`);
  for (const [contestant, said] of Object.entries(disturbed))
    notes.push(`${name}: ${contestant} was disturbed ${said.length} times: ${said[0]}`);
  const fewest = Math.min(...Object.values(runs).map((figures) => figures.length));
  if (fewest < (conditions as { runs: number }).runs)
    notes.push(`${name}: only ${fewest} runs of each contestant, or of some: there was no time for more`);
  if (othersShare !== undefined && othersShare > QUIET_SHARE_MAX)
    notes.push(`${name}: others had ${Math.round(othersShare * 100)} % of the cores`);
  return notes;
}
