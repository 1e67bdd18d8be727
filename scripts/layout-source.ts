/** Reads the constants of `protocol/*.ts` together with their doc comments, which only the source text has. */
import { readFileSync } from "node:fs";

export interface Constant {
  name: string;
  value: number;
  /** The doc comment on one line; empty when there is none. */
  doc: string;
}

/** A constant that says where a field lies. */
export interface Field {
  name: string;
  offset: number;
  /** "u16", "u32" or "u64"; empty when the field is a run of bytes or a structure of its own. */
  type: string;
  meaning: string;
}

const declaration = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?export const ([A-Z0-9_]+) = /g;

/** The constants of one file of `protocol/`, in the order of the source. */
export function constantsOf(path: string, values: Record<string, number>): Constant[] {
  const source = readFileSync(path, "utf8");
  return [...source.matchAll(declaration)].map(([, doc, name]) => ({
    name,
    value: values[name],
    doc: (doc ?? "")
      .replace(/^\s*\*?/gm, "")
      .replace(/\s+/g, " ")
      .trim(),
  }));
}

/** The fields of one structure: what is named …_OFFSET among the constants of its group. */
export function fieldsOf(constants: Constant[], group: string): Field[] {
  return constants
    .filter(({ name }) => name.endsWith("_OFFSET"))
    .map(({ name, value, doc }) => {
      const [, type = "", condition = "", meaning = doc] =
        /^(u16|u32|u64|\d+ x u\d+|u\d+ each|u\d+ per \w+)(?:, ([^:]*))?(?:: (.*)|$)/.exec(doc) ?? [];
      return {
        name: name.slice(group.length + 1, -"_OFFSET".length).toLowerCase(),
        offset: value,
        type,
        meaning: [condition, type === doc ? "" : meaning].filter(Boolean).join(": "),
      };
    });
}
