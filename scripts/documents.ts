/**
 * The parts of the documents that repeat `protocol/`. A document holds a marker, and this fills what follows it:
 *
 *     <!-- generated: fields HEADER -->      a table of the fields of one structure
 *     <!-- generated: constants SLOT -->     a table of the constants of one group (see layout-groups.ts)
 *     <!-- generated: limits -->             every limit
 *     <!-- generated: errors -->             every error code
 *     <!-- generated: hosted ring -->        the functions of one source of the hosted core, of its system what it imports
 *     <!-- end of generated -->
 */
import { readFileSync } from "node:fs";
import * as errors from "../protocol/errors.js";
import * as layout from "../protocol/layout.js";
import * as limits from "../protocol/limits.js";
import { SHIM_CONTRACT } from "../protocol/shim.js";
import { functionsOf } from "./exports.js";
import { grouped } from "./layout-groups.js";
import { contractHeader, layoutHeader, locksHeader } from "./layout-header.js";
import { type Constant, constantsOf, fieldsOf } from "./layout-source.js";

const layoutConstants = constantsOf("protocol/layout.ts", { ...layout });
const groups = grouped(layoutConstants);
const limitConstants = constantsOf("protocol/limits.ts", { ...limits });
const errorConstants = constantsOf("protocol/errors.ts", { ...errors });

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function fieldTable(group: string): string {
  const fields = fieldsOf(groups.get(group) ?? [], group);
  if (fields.length === 0) throw new Error(`no fields are named ${group}_…_OFFSET`);
  return table(
    ["offset", "type", "field", "meaning"],
    fields.map((field) => [`${field.offset}`, field.type || "bytes", `\`${field.name}\``, field.meaning]),
  );
}

function constantTable(constants: Constant[]): string {
  if (constants.length === 0) throw new Error("no constants of that name");
  return table(
    ["constant", "value", "meaning"],
    constants.map(({ name, value, doc }) => [`\`${name}\``, `${value}`, doc]),
  );
}

function constantsIn(group: string): Constant[] {
  const constants = groups.get(group) ?? [];
  // Where something lies is a field of its structure; only PARTS are places in the segment itself.
  return group === "PARTS" ? constants : constants.filter(({ name }) => !name.endsWith("_OFFSET"));
}

function functionTable(file: string): string {
  return table(
    ["function", "returns", "meaning and errors"],
    functionsOf(file).map(({ name, parameters, returns, doc }) => [
      `\`${name}(${parameters.join(", ")})\``,
      returns,
      doc,
    ]),
  );
}

function content(what: string, argument: string): string {
  if (what === "fields") return fieldTable(argument);
  if (what === "constants") return constantTable(constantsIn(argument));
  if (what === "limits") return constantTable(limitConstants);
  if (what === "errors") return constantTable(errorConstants);
  if (what === "hosted") return functionTable(argument);
  throw new Error(`a marker asks for "${what} ${argument}"`);
}

const marked = /(<!-- generated: (\w+) ?(\w*) -->\n)[\s\S]*?(<!-- end of generated -->)/g;

/** The document with every marked part made anew. */
export function filled(text: string): string {
  return text.replace(
    marked,
    (_, begin, what, argument, end) => `${begin}\n${content(what, argument)}\n\n${end}`,
  );
}

/**
 * Path and text of the documents and C headers that are generated, in whole or in part.
 *
 * @param fingerprint of the layout as it is now
 */
export function documents(fingerprint: number): Record<string, string> {
  return {
    "docs/embedding.md": filled(readFileSync("docs/embedding.md", "utf8")),
    "docs/protocol.md": filled(readFileSync("docs/protocol.md", "utf8")),
    "docs/isthmus_layout.h": layoutHeader(layoutConstants, limitConstants, fingerprint),
    "shims/generated/contract.h": contractHeader(SHIM_CONTRACT),
    "shims/generated/locks.h": locksHeader(layoutConstants),
  };
}
