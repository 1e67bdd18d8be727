/** Reads what the package declares: the public names of `ts/index.ts`, their members and the comments above them. */
import { filesOf, textOf } from "./code-blocks.js";

/** Something with a comment: a declaration, or a member of one. */
export interface Documented {
  /** "Segment.create": for messages. */
  name: string;
  kind: "class" | "interface" | "type" | "constant" | "function" | "accessor" | "property";
  isStatic: boolean;
  comment: string;
  /** Names of the parameters, of functions and methods. */
  parameters: string[];
  /** The declared type: what a function returns, or a property holds. */
  type: string;
  optional: boolean;
}

export interface Declaration extends Documented {
  members: Documented[];
  /** The class that it extends. */
  base: string | undefined;
}

/** A declaration as the compiler writes it: comment and first line; members are indented by four, the end is not. */
const TOP =
  /^(\/\*\*[\s\S]*?\*\/\n)?(export )?(?:declare )?(?:abstract )?(class|interface|type|const|function) (\w+)/gm;

/** Where the bracket that opens at `from` closes. */
function closing(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    if ("([{<".includes(text[i] as string)) depth++;
    else if (")]}".includes(text[i] as string) || (text[i] === ">" && text[i - 1] !== "=")) depth--;
    if (depth === 0) return i;
  }
  throw new Error(`no end of ${text.slice(from, from + 40)}`);
}

/** The text up to the semicolon that is in no brackets. */
function statement(text: string, from: number): string {
  let i = from;
  for (; text[i] !== ";"; i++) if ("([{<".includes(text[i] as string)) i = closing(text, i);
  return text.slice(from, i);
}

/** Splits at the commas that are in no brackets. */
function parts(list: string): string[] {
  const found: string[] = [];
  let begin = 0;
  for (let i = 0; i < list.length; i++) {
    if ("([{<".includes(list[i] as string)) i = closing(list, i);
    else if (list[i] === ",") {
      found.push(list.slice(begin, i));
      begin = i + 1;
    }
  }
  return [...found, list.slice(begin)].map((part) => part.trim()).filter((part) => part !== "");
}

/** What a signature says behind its name: type parameters, parameters, type. */
function signature(text: string): { parameters: string[]; type: string } {
  const rest = text.startsWith("<") ? text.slice(closing(text, 0) + 1) : text;
  const end = closing(rest, 0);
  const parameters = parts(rest.slice(1, end)).map((part) => /^\.{0,3}(\w+)/.exec(part)?.[1] as string);
  return { parameters, type: rest.slice(end + 1).replace(/^: ?/, "") };
}

const MEMBER =
  /^ {4}(\/\*\*[\s\S]*?\*\/\n {4})?((?:static |readonly |get |set |declare )*)(#?[\w.]+|\[[\w.]+\])(\??)(?=([(<:;]))/gm;

function membersOf(owner: string, body: string): Documented[] {
  const found: Documented[] = [];
  for (const match of body.matchAll(MEMBER)) {
    const [whole, comment = "", modifiers, name, optional, next] = match;
    if (name?.startsWith("#") || modifiers?.includes("set ")) continue;
    const from = match.index + whole.length;
    const isFunction = next === "(" || next === "<";
    const text = statement(body, from);
    const { parameters, type } = isFunction
      ? signature(text)
      : { parameters: [], type: text.replace(/^: ?/, "") };
    const kind = modifiers?.includes("get ") ? "accessor" : isFunction ? "function" : "property";
    found.push({
      name: `${owner}.${name}`,
      kind,
      isStatic: modifiers?.includes("static ") === true,
      comment,
      parameters: kind === "function" ? parameters : [],
      type,
      optional: optional === "?",
    });
  }
  return found;
}

const KINDS = {
  class: "class",
  interface: "interface",
  type: "type",
  const: "constant",
  function: "function",
} as const;

/** All declarations of one emitted file. */
export function declarationsOf(text: string): Declaration[] {
  return [...text.matchAll(TOP)].map((match) => {
    const [whole, comment = "", , keyword, name = ""] = match;
    const from = match.index + whole.length;
    const line = text.slice(from, text.indexOf("\n", from));
    const hasBody = keyword === "class" || keyword === "interface";
    const body = hasBody ? text.slice(text.indexOf("\n", from) + 1, text.indexOf("\n}", from) + 1) : "";
    return {
      name,
      kind: KINDS[keyword as keyof typeof KINDS],
      isStatic: false,
      comment,
      optional: false,
      ...(keyword === "function" ? signature(statement(text, from)) : { parameters: [], type: line }),
      members: membersOf(name, body),
      base: hasBody ? /^(?:<.*>)? extends (\w+)/.exec(line)?.[1] : undefined,
    };
  });
}

/** The names that a module exports, its own and those it passes on. */
function exportedBy(index: string): string[] {
  const passedOn = [...index.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    (names as string).split(",").map((name) => name.replace(/\btype\b/, "").trim()),
  );
  const own = [...index.matchAll(/^export declare \w+ (\w+)/gm)].map(([, name]) => name as string);
  return [...passedOn, ...own].filter((name) => name !== "");
}

/** Every public declaration; members that it inherits are its own. */
export function publicDeclarations(): Declaration[] {
  const all = new Map<string, Declaration>();
  for (const file of filesOf("dist/ts", ".d.cts")) {
    if (/dist\/ts\/(cli|host)\//.test(file)) continue;
    for (const one of declarationsOf(textOf(file))) if (!all.has(one.name)) all.set(one.name, one);
  }
  return exportedBy(textOf("dist/ts/index.d.cts")).map((name) => {
    const found = all.get(name);
    if (!found) throw new Error(`${name} is exported and declared nowhere`);
    const members = [...found.members];
    for (let base = all.get(found.base ?? ""); base; base = all.get(base.base ?? ""))
      members.push(...base.members);
    return { ...found, members };
  });
}
