/** The tables of figures in the documents, made from the JSON of a run: no figure is typed by hand. */
import type { Result } from "./run.js";
import { formatFigure, QUIET_SHARE_MAX } from "./table.js";

/** What a reader of the README asks first, and how it is called there. */
const SHORT: [row: string, what: string][] = [
  ["spsc-64", "64 B messages, one call each"],
  ["spsc-64-batch", "64 B messages in batches"],
  ["spsc-64k", "64 KiB frames, copied"],
  ["spsc-1m-zerocopy", "1 MiB frames, in place"],
  ["rtt-spin", "round trip, both poll"],
  ["rtt-async", "round trip, two event loops"],
  ["latest-64-into", "read of the newest 64 B value"],
  ["lock-uncontended", "exclusive hold of a free lock"],
];

interface Conditions {
  cpu: string;
  cores: number;
  kernel: string;
  platform: string;
  runs: number;
  quick: boolean;
  compiler?: string;
  runtimes?: string[];
  at: string;
}

function table(headings: string[], lines: string[][]): string {
  return [headings, headings.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** A figure, or a dash where there is none. */
function shown(figure: number | undefined, { unit }: Result): string {
  return figure === undefined ? "–" : formatFigure(figure, unit);
}

function ratioText(ratio: number | undefined): string {
  if (ratio === undefined) return "–";
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2);
}

function goalText(result: Result, name: string): string {
  const goal = result.goals[name];
  if (!goal) return "";
  const bound = goal.atLeast !== undefined ? `≥ ${goal.atLeast.toFixed(2)}` : `≤ ${goal.atMost?.toFixed(2)}`;
  return `${bound} ${goal.met ? "met" : "**missed**"}`;
}

function conditionsText(results: Result[]): string {
  const { cpu, cores, kernel, platform, runs, quick, compiler, runtimes, at } = results[0]
    .conditions as Conditions;
  const busy = results.filter(({ othersShare }) => (othersShare ?? 0) > QUIET_SHARE_MAX);
  const most = Math.round(Math.max(0, ...busy.map(({ othersShare }) => othersShare ?? 0)) * 100);
  const load =
    busy.length === 0
      ? "Nothing else ran on the cores."
      : `**Other work ran on the same cores** during ${busy.length} of ${results.length} rows and had up to ${most} % of them: read ratios only.`;
  return (
    `Medians of ${runs} runs in turn${quick ? ", short ones" : ""}; ${(runtimes ?? [results[0].runtime]).join(", ")}; ${platform}, kernel ` +
    `${kernel}, ${cores} cores of ${cpu}; ${compiler ?? "no C++ compiler"}; ${at.slice(0, 10)}. ${load}`
  );
}

/** The table of the README. */
export function shortTable(results: Result[]): string {
  const lines = SHORT.flatMap(([row, what]) => {
    const result = results.find(({ name }) => name === row);
    if (!result) return [];
    const { isthmus, runtimes, native, peers } = result;
    const figures = [isthmus, runtimes.bun, runtimes.deno, native, peers.unixSocket];
    return [[what, ...figures.map((figure) => shown(figure, result))]];
  });
  const headings = ["", "Node", "Bun", "Deno", "the same in C++", "Unix socket in Node"];
  return `${table(headings, lines)}\n\n${conditionsText(results)}`;
}

/** Lines of one row: itself, its peers, and the ratios that it computes. */
function fullLines(result: Result): string[][] {
  const { name, what, isthmus, runtimes, native, peers, ratios } = result;
  const figures = [isthmus, runtimes.bun, runtimes.deno, native].map((figure) => shown(figure, result));
  const lines = [[`\`${name}\``, what, ...figures, ratioText(ratios.native), goalText(result, "native")]];
  for (const [peer, figure] of Object.entries(peers))
    lines.push([
      "",
      peer,
      shown(figure, result),
      "",
      "",
      "",
      ratioText(ratios[peer]),
      goalText(result, peer),
    ]);
  for (const [ratio, value] of Object.entries(ratios)) {
    if (ratio === "native" || ratio in peers || ratio.startsWith("native, in ")) continue;
    lines.push(["", ratio, "", "", "", "", ratioText(value), goalText(result, ratio)]);
  }
  return lines;
}

function notes(results: Result[]): string[] {
  return results.flatMap(({ name, missing, failed, disturbed }) => [
    ...Object.entries(missing).map(([who, why]) => `- \`${name}\`: no ${who}: ${why}`),
    ...Object.entries(failed).map(([who]) => `- \`${name}\`: ${who} failed`),
    ...Object.entries(disturbed).map(
      ([who, said]) => `- \`${name}\`: ${who}: ${said.length} runs were disturbed`,
    ),
  ]);
}

/** The table of docs/performance.md. */
export function fullTable(results: Result[]): string {
  const headings = ["row", "what", "Node", "Bun", "Deno", "C++", "Node ÷ it", "goal"];
  const all = notes(results);
  const parts = [conditionsText(results), table(headings, results.flatMap(fullLines))];
  return [...parts, ...(all.length > 0 ? [all.join("\n")] : [])].join("\n\n");
}

/** Percentiles of single operations, of the rows that time them. */
export function latencyTable(results: Result[]): string {
  const lines = results.flatMap(({ name, latency = {} }) =>
    Object.entries(latency).map(([who, { p50, p99, p999, max }]) => [
      `\`${name}\``,
      who === "isthmus" ? "Node" : who.replace("isthmus in ", ""),
      ...[p50, p99, p999, max].map((ns) => formatFigure(ns, "ns")),
    ]),
  );
  return table(["row", "who", "p50", "p99", "p99.9", "max"], lines);
}

/** What stands between two marks of a document: the mark that begins names the table. */
export function withTables(text: string, tables: Record<string, string>): string {
  return text.replace(/<!-- figures: (\w+) -->\n[\s\S]*?<!-- end of figures -->/g, (found, name: string) =>
    tables[name] === undefined
      ? found
      : `<!-- figures: ${name} -->\n\n${tables[name]}\n\n<!-- end of figures -->`,
  );
}

export function tablesOf(results: Result[]): Record<string, string> {
  return { short: shortTable(results), full: fullTable(results), latency: latencyTable(results) };
}
