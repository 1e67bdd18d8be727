/** Formats results for a terminal: tables, sizes with units, times, colours. Piped output is plain text. */
import process from "node:process";
import colors from "picocolors";

export { bytesText } from "../host/limits.js";

const { stdout, stderr, env } = process;

function wantsColor({ isTTY }: { isTTY?: boolean }): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return isTTY === true && env.TERM !== "dumb";
}

export const paint = colors.createColors(wantsColor(stdout));
/** Colours for text on stderr. */
export const paintError = colors.createColors(wantsColor(stderr));

export function line(text = ""): void {
  stdout.write(`${text}\n`);
}

export function json(value: unknown): void {
  line(JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}` : each), 2));
}

/** "850 ms", "12.5 s", "3 min", "4 h", "2 d" */
export function durationText(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** "3.2 s ago" */
export function agoText(time: Date | undefined): string {
  return time ? `${durationText(Date.now() - time.getTime())} ago` : "never";
}

const introducer = String.fromCharCode(27);
const colorCode = new RegExp(`${introducer}\\[[0-9;]*m`, "g");

function width(text: string): number {
  return [...text.replace(colorCode, "")].length;
}

/**
 * Formats rows in aligned columns. A column whose title begins with ">" is aligned to the right. If a row is wider than the
 * terminal, each cell gets its own line instead, so that nothing is cut or wrapped.
 */
export function tableLines(titles: string[], rows: string[][], columns: number): string[] {
  const heads = titles.map((title) => title.replace(/^>/, ""));
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => width(row[i]))));
  const shown = (cells: string[]): string =>
    cells
      .map((cell, i) => {
        const gap = " ".repeat(widths[i] - width(cell));
        return titles[i].startsWith(">") ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd();
  const lines = rows.map(shown);
  if (Math.max(...[shown(heads), ...lines].map(width)) <= columns) return [paint.dim(shown(heads)), ...lines];
  const widest = Math.max(...heads.map((head) => head.length));
  return rows.flatMap((row, number) => [
    ...(number > 0 ? [""] : []),
    ...row.flatMap((cell, i) => (cell ? `${paint.dim((heads[i] as string).padEnd(widest))}  ${cell}` : [])),
  ]);
}

export function table(titles: string[], rows: string[][]): void {
  for (const text of tableLines(titles, rows, (stdout.isTTY && stdout.columns) || Infinity)) line(text);
}

/** "  label   value" lines with aligned values. */
export function pairs(rows: [label: string, value: string][]): void {
  const widest = Math.max(...rows.map(([label]) => label.length));
  for (const [label, value] of rows) line(`  ${paint.dim(label.padEnd(widest))}  ${value}`);
}

/** Makes a text from shared memory safe for a terminal, because any process may have written it. */
export function safe(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "\u{fffd}");
}
