/** `isthmus layout`: structs as tables, JSON and a C header that a compiler accepts and that lays out the same bytes. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { temporaryDirectory } from "../lib/segments.js";
import { isthmus, jsonOf } from "./command-line.js";

const folder = temporaryDirectory();
const index = pathToFileURL(join(root, "dist/index.mjs")).href;

const MODULE = `
import { struct } from ${JSON.stringify(index)};
const Point = struct({ x: "u32" });
export const Every = struct({
  a: "u8", b: "u16", c: "i64", d: "bool", e: "f32", f: "f64", g: ["i16", 3], label: "utf8:5", blob: "bytes:7",
  words: ["utf8:3", 2], point: Point, points: [Point, 2], "odd name */": "i8", int: "u64", odd_name___: "i32",
  and: "u8", uint8_t: "u8", int_fast8_t: "u8", NULL: "u8", INT32_MAX: "u8", __LINE__: "u8", _Bool: "u8", typeof: "u8",
  ["__proto__"]: "u8", constructor: "u8", ISTHMUS_ALIGNED: "u8", new: "u8", linux: "u8",
});
export const Pose = struct({ position: ["f64", 3], point: Point });
export const Thing = struct({ a: "u8" }), Thing_HASH = struct({ b: "u8" }), uint32_t = struct({ c: "u8" });
export const other = 7;
export default "not a struct";
`;

const json = {
  Inner: { id: "u8", at: "f64" },
  Outer: { first: "u8", inner: "Inner", many: ["Inner", 3], name: "utf8:9" },
};

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const compilers = (["c", "c++"] as const).flatMap((language) => {
  const names = language === "c" ? ["cc", "gcc", "clang"] : ["c++", "g++", "clang++"];
  const command = names.find((name) => spawnSync(name, ["--version"]).status === 0);
  return command ? [{ language, command }] : [];
});

function compile(command: string, language: string, source: string, to: string): Promise<Ended> {
  const standard = language === "c" ? "-std=c11" : "-std=c++17";
  return finished(
    start(command, [standard, "-Wall", "-Wextra", "-Werror", "-x", language, source, "-o", to]),
    "compiling",
  );
}

async function header(path: string): Promise<string> {
  const { code, stdout, stderr } = await isthmus(["layout", path, "--c"]);
  assert.is(code, 0, stderr);
  return stdout;
}

test("a module's structs become a header, what lies inside first, odd names made plain", async () => {
  const text = await header(file("every.mjs", MODULE));
  assert.match(text, /^struct struct_[0-9a-f]+ {\n {2}ISTHMUS_ALIGNED uint32_t x;\n};$/m);
  assert.match(text, /^ {2}struct struct_[0-9a-f]+ points\[2\];$/m);
  assert.match(text, /^ {2}int16_t g\[3\];$/m);
  assert.match(text, /^ {2}struct \{ uint32_t length; char text\[8\]; \} label;$/m);
  assert.match(text, /^ {2}int8_t odd_name___; \/\* "odd name \* \/" \*\/$/m);
  assert.match(text, /^ {2}int32_t odd_name____2; \/\* "odd_name___" \*\/$/m);
  assert.match(text, /^ {2}uint64_t _int; /m);
  assert.match(text, /^ {2}uint8_t x__LINE__; \/\* "__LINE__" \*\/$/m);
  assert.match(text, "ISTHMUS_ASSERT(offsetof(struct Pose, point) == 24");
});

test("a module and a JSON file are found by their URLs as well", async () => {
  for (const path of [file("with space.mjs", MODULE), file("with space.json", JSON.stringify(json))]) {
    const byPath = await isthmus(["layout", path, "--json"]);
    const byUrl = await isthmus(["layout", pathToFileURL(path).href, "--json"]);
    assert.is(byUrl.code, 0, byUrl.stderr);
    assert.is(byUrl.stdout, byPath.stdout);
  }
});

for (const { language, command } of compilers) {
  test(`the headers compile as ${language}, so their asserts hold; a wrong one does not`, async () => {
    const texts = [
      await header(file("every.mjs", MODULE)),
      await header(file("json.json", JSON.stringify(json))),
    ];
    for (const [number, text] of texts.entries()) {
      const path = file(`header${number}.h`, text);
      const source = file("program.c", `#include "${path}"\nint main(void) { return 0; }\n`);
      const { code, stderr } = await compile(command, language, source, join(folder, "program"));
      assert.is(code, 0, stderr);
      writeFileSync(path, text.replace("{\n  ISTHMUS_ALIGNED ", "{\n  uint64_t extra; ISTHMUS_ALIGNED "));
      assert.is.not((await compile(command, language, source, join(folder, "program"))).code, 0);
    }
  });
}

const c = compilers.find(({ language }) => language === "c");
(c ? test : test.skip)("a C program reads what JavaScript wrote", async () => {
  const path = file("record.json", JSON.stringify({ Record: { id: "u8", at: "f64", name: "utf8:9" } }));
  const layout = file("record.h", await header(path));
  const source = file(
    "reader.c",
    `#include "${layout}"
#include <stdio.h>
int main(void) {
  struct Record record;
  if (fread(&record, sizeof record, 1, stdin) != 1) return 1;
  printf("%u %.2f %.*s", record.id, record.at, (int)record.name.length, record.name.text);
  return 0;
}`,
  );
  const program = join(folder, "reader");
  const compiled = await compile(c?.command as string, "c", source, program);
  assert.is(compiled.code, 0, compiled.stderr);
  const Record = struct({ id: "u8", at: "f64", name: "utf8:9" });
  const bytes = new Uint8Array(Record.bytes);
  Record.write(new DataView(bytes.buffer), { id: 200, at: 1.25, name: "grüße" });
  const reader = start(program, []);
  reader.stdin?.end(bytes);
  assert.is((await finished(reader, "reading")).stdout, "200 1.25 grüße");
});

test("without --c a table, with --json the same as data", async () => {
  const path = file("json.json", JSON.stringify(json));
  const shown = await isthmus(["layout", path]);
  assert.match(shown.stdout, /^Outer {2}\d+ bytes, hash [0-9a-f]{8}$/m);
  assert.match(shown.stdout, /^ +0 {2}first +u8$/m);
  const Outer = jsonOf<Record<string, { bytes: number; fields: object[] }>>(
    await isthmus(["layout", path, "--json"]),
  ).Outer;
  const Inner = struct({ id: "u8", at: "f64" });
  const same = struct({ first: "u8", inner: Inner, many: [Inner, 3], name: "utf8:9" });
  assert.is(Outer?.bytes, same.bytes);
  assert.equal(Outer?.fields[2], {
    name: "many",
    type: `struct ${Inner.hash.toString(16)}[3]`,
    offset: same.offsets.many,
  });
});

test("with --c and --json the header is one JSON document", async () => {
  const path = file("both.json", JSON.stringify(json));
  const { header } = jsonOf<{ header: string }>(await isthmus(["layout", path, "--c", "--json"]));
  assert.is(`${header}\n`, await isthmus(["layout", path, "--c"]).then(({ stdout }) => stdout));
});

test("a module may print when it is loaded, and need not come to its end", async () => {
  const text = `console.log("loading"); setInterval(() => {}, 1000); export const A = struct({ b: "u8" });`;
  const path = file("talks.mjs", `import { struct } from ${JSON.stringify(index)};\n${text}`);
  const result = await isthmus(["layout", path, "--json"]);
  assert.is(jsonOf<Record<string, { bytes: number }>>(result).A?.bytes, 8);
  assert.is(result.stderr, "loading\n");
});

test("what is no layout is refused, and says why", async () => {
  const wrong: [string, number, RegExp][] = [
    [join(folder, "missing.json"), 1, /NOT_FOUND.*missing\.json/],
    [join(folder, "missing.mjs"), 1, /NOT_FOUND.*missing\.mjs/],
    [file("bad.json", "{"), 2, /not JSON/],
    [file("empty.json", "{}"), 2, /has no struct/],
    [file("type.json", '{ "A": { "b": "u128" } }'), 2, /struct "A".*u128/],
    [file("fields.json", '{ "A": 7 }'), 2, /struct "A".*fields/],
    [file("null.json", "null"), 2, /an object of structs/],
    [file("list.json", "[1]"), 2, /an object of structs/],
    [file("syntax.mjs", "export const ="), 1, /cannot load .*syntax\.mjs/],
    [file("throws.mjs", "throw new TypeError('planted')"), 1, /cannot load .*throws\.mjs: planted/],
    [file("lost.mjs", 'import "no-such-package"'), 1, /cannot load .*no-such-package/],
    [file("nothing.mjs", "export const a = 1;"), 2, /has no struct/],
  ];
  for (const [path, code, message] of wrong) {
    const ended = await isthmus(["layout", path]);
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
    assert.not.match(ended.stderr, /^ +at /m, "a fault of ours shows its stack; this is none");
  }
  assert.ok(readFileSync(join(folder, "bad.json")));
});

test.run();
