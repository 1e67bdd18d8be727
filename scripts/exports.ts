/** The exported functions of the hosted core, as tables: signatures and comments are read off `assembly/hosted/`. */
import { readFileSync } from "node:fs";

/** How docs/embedding.md writes types. */
const TYPES: Record<string, string> = { usize: "o", u32: "n", bool: "b", f64: "f", void: "-" };

export interface ExportedFunction {
  name: string;
  /** As in docs/embedding.md: a letter for the type, then the name. */
  parameters: string[];
  returns: string;
  /** The comment before it, in one line. */
  doc: string;
}

const declaration =
  /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n(?:@external\("\w+", "(\w+)"\)\n)?export (?:declare )?function (\w+)\(([^)]*)\): (\w+)/g;

function typed(type: string): string {
  const letter = TYPES[type];
  if (!letter) throw new Error(`no letter for the type ${type}`);
  return letter;
}

/** Functions with a comment that a source exports. */
export function exportedFunctions(source: string): ExportedFunction[] {
  return [...source.matchAll(declaration)].map(
    ([, comment = "", external, name = "", list = "", type = ""]) => ({
      name: external ? `sys.${external}` : name,
      parameters: list
        .split(",")
        .map((one) => one.trim())
        .filter((one) => one !== "")
        .map((one) => {
          const [parameter = "", of = ""] = one.split(/: */);
          return `${typed(of)} ${parameter}`;
        }),
      returns: typed(type),
      doc: comment
        .split("\n")
        .map((line) => line.replace(/^ *\* ?/, "").trim())
        .filter((line) => line !== "")
        .join(" ")
        .trim(),
    }),
  );
}

/** What core-hosted.wasm offers beside core.wasm, or, for "system", what it imports; in the order of the sources. */
export function functionsOf(file: string): ExportedFunction[] {
  const found = exportedFunctions(readFileSync(`assembly/hosted/${file}.ts`, "utf8"));
  const offered = file === "system" ? /^sys\./ : /^hosted/;
  return found.filter(({ name }) => offered.test(name));
}
