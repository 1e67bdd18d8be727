/** Every public name says what its users need to know; that the examples compile and run is shown in `examples.test.ts`. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as codes from "../../protocol/errors.js";
import { type Declaration, type Documented, declarationsOf, publicDeclarations } from "./declarations.js";

const NOTHING_RETURNED = /^(void|Promise<void>)$/;

/** The comment without its stars, each tag with its lines in one. */
function plain(comment: string): string {
  const text = comment.replace(/^\/\*\*|\*\/\s*$/g, "").replace(/^ *\* ?/gm, "");
  return text.replace(/```[\s\S]*?```/g, "```");
}

function tags(comment: string, tag: string): string[] {
  const found = plain(comment).matchAll(new RegExp(`@${tag}\\b([^@]*)`, "g"));
  return [...found].map(([, text]) => (text as string).trim());
}

/** What is missing in the comment of one thing. */
function missing(one: Documented): string[] {
  const { name, kind, comment, parameters, type } = one;
  const lacks: string[] = [];
  if (!/\w/.test(plain(comment).split("@")[0] as string)) lacks.push("a sentence");
  if (kind === "function") {
    const described = tags(comment, "param").map((text) => /^(\w+) \S/.exec(text)?.[1]);
    for (const parameter of parameters) if (!described.includes(parameter)) lacks.push(`@param ${parameter}`);
    for (const parameter of described)
      if (!parameters.includes(parameter as string)) lacks.push(`a parameter for @param ${parameter}`);
    const returns = type !== "" && !NOTHING_RETURNED.test(type);
    if (returns && tags(comment, "returns").length === 0) lacks.push("@returns");
  }
  if (kind === "function" || kind === "accessor") {
    const says = tags(comment, "throws").some((text) => text !== "") || /Never throws\./.test(comment);
    if (!says) lacks.push('@throws or "Never throws."');
  }
  for (const text of tags(comment, "throws")) {
    for (const [code] of text.matchAll(/\b[A-Z]{3,}(_[A-Z]+)*\b/g))
      if (!(code in codes) && code !== "NUL") lacks.push(`an error code called ${code}`);
  }
  return lacks.map((what) => `${name} lacks ${what}`);
}

function missingIn(declaration: Declaration): string[] {
  const { name, kind, members, comment } = declaration;
  const lacks = [declaration, ...members].flatMap(missing);
  const hasExample = ({ comment }: Documented) => comment.includes("@example");
  for (const one of [declaration, ...members]) {
    const alone = one.isStatic || (one === declaration && kind === "function");
    if (alone && !hasExample(one)) lacks.push(`${one.name} lacks an @example`);
  }
  const callable = kind === "class" && members.length > 0;
  if (callable && ![declaration, ...members].some(hasExample)) lacks.push(`${name} lacks an @example`);
  if (name.endsWith("Options")) {
    for (const { name, optional, type } of members)
      if (optional && !/\| undefined$/.test(type)) lacks.push(`${name} lacks "| undefined"`);
  }
  if (name === "IsthmusErrorCode") {
    for (const code of Object.keys(codes))
      if (!comment.includes(` ${code}: `)) lacks.push(`${name} lacks what ${code} means`);
  }
  return lacks;
}

test("every public name, member, parameter, result and error is described", () => {
  const declarations = publicDeclarations();
  assert.ok(declarations.length >= 40);
  const segment = declarations.find(({ name }) => name === "Segment") as Declaration;
  for (const name of ["Segment.create", "Segment.stale", "Segment.ring", "Segment.[Symbol.dispose]"])
    assert.ok(
      segment.members.some((member) => member.name === name),
      name,
    );
  assert.equal(declarations.flatMap(missingIn), []);
});

test("what is not described is noticed", () => {
  const [declaration] = declarationsOf(`/** Holds things. */
export declare class Box<T extends Fields> extends Base {
    #private;
    readonly bytes: number;
    /** How full. */
    get used(): number;
    /**
     * Takes one.
     *
     * @param first what
     * @param third what
     * @throws {IsthmusError} CLOSED; SHUT
     */
    static take<K extends { [key: string]: number; }>(first: Map<string, (a: number, b: K) => K>, second?: {
        a: number;
    }): Promise<K>;
    /** Does. Never throws. */
    does(): void;
}
`) as [Declaration];
  assert.is(declaration.base, "Base");
  assert.equal(missingIn(declaration), [
    "Box.bytes lacks a sentence",
    'Box.used lacks @throws or "Never throws."',
    "Box.take lacks @param second",
    "Box.take lacks a parameter for @param third",
    "Box.take lacks @returns",
    "Box.take lacks an error code called SHUT",
    "Box.take lacks an @example",
    "Box lacks an @example",
  ]);
  const [options] = declarationsOf(`/** How. */
export interface BoxOptions {
    /** Bytes, from 0. */
    bytes?: number;
}
`) as [Declaration];
  assert.equal(missingIn(options), ['BoxOptions.bytes lacks "| undefined"']);
});

test.run();
