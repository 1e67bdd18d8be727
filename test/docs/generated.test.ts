/** What the documents repeat of the layout is generated and fresh, and the generated C header compiles. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../protocol/layout.js";
import { grouped } from "../../scripts/layout-groups.js";
import { constantsOf } from "../../scripts/layout-source.js";
import { root } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { temporaryDirectory } from "../lib/segments.js";

const generate = join(root, "build/scripts/generate.js");

/** A copy of what the generator reads and writes. */
function copyOfSources(): string {
  const folder = temporaryDirectory();
  for (const part of ["protocol", "docs", "shims/generated", "assembly/hosted"]) {
    mkdirSync(join(folder, part, ".."), { recursive: true });
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  return folder;
}

test("generated files are fresh", async () => {
  const { code, stderr } = await finished(
    start(process.execPath, [generate, "--check"], { cwd: root }),
    "check",
  );
  assert.is(code, 0, stderr);
});

test("a table that was edited by hand is noticed and made anew", async () => {
  const cwd = copyOfSources();
  const path = join(cwd, "docs/protocol.md");
  const fresh = readFileSync(path, "utf8");
  writeFileSync(
    path,
    fresh.replace(`| ${layout.HEADER_STATE_OFFSET} | u32 | \`state\``, "| 9 | u32 | `state`"),
  );
  const check = await finished(start(process.execPath, [generate, "--check"], { cwd }), "check");
  assert.is(check.code, 1);
  assert.match(check.stderr, "docs/protocol.md is out of date");
  const write = await finished(start(process.execPath, [generate], { cwd }), "generate");
  assert.is(write.code, 0, write.stderr);
  assert.is(readFileSync(path, "utf8"), fresh);
});

test("every structure and constant group of the layout has its table in docs/protocol.md", () => {
  const text = readFileSync(join(root, "docs/protocol.md"), "utf8");
  const shown = new Set(
    [...text.matchAll(/<!-- generated: (?:fields|constants) (\w+) -->/g)].map(([, name]) => name),
  );
  const spelledOut = new Set(["MAGIC", "ABI", "STATE"]);
  const groups = [...grouped(constantsOf(join(root, "protocol/layout.ts"), { ...layout })).keys()];
  const missing = groups.filter((group) => !shown.has(group) && !spelledOut.has(group));
  assert.equal(missing, []);
});

test("every constant of a table has a name and a meaning, and stands in the table of its group", () => {
  const text = readFileSync(join(root, "docs/protocol.md"), "utf8");
  assert.not.match(text, /\| `` \|/);
  const table = (group: string) =>
    text.split(`<!-- generated: constants ${group} -->`)[1]?.split("<!-- end")[0];
  assert.match(table("KERNEL_LOCK") as string, /KERNEL_LOCK_BASE` \| 1099511627776 \|/);
  assert.not.match(table("KERNEL_LOCK") as string, "LOCK_HELD");
  assert.match(table("LOCK") as string, "LOCK_HELD");
  assert.not.match(table("LOCK") as string, "CREATION");
  assert.not.match(table("OBJECT") as string, "OBJECT_ALIGNMENT");
  assert.not.match(text, /^\| `[A-Z_]+` \| \d+ \| {2}\|$/m);
});

const compiler = ["cc", "gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);
const compiles = compiler ? test : test.skip;

compiles("docs/isthmus_layout.h compiles, so its asserts about offsets hold", async () => {
  const folder = temporaryDirectory();
  const flags = ["-std=c11", "-Wall", "-Werror", "-fsyntax-only"];
  const header = join(root, "docs/isthmus_layout.h");
  const source = join(folder, "layout.c");
  writeFileSync(source, `#include "${header}"\n`);
  const good = await finished(start(compiler as string, [...flags, source]), "compiling");
  assert.is(good.code, 0, good.stderr);
  const wrong = readFileSync(header, "utf8").replace("uint16_t header_size", "uint32_t header_size");
  writeFileSync(source, wrong);
  assert.is.not((await finished(start(compiler as string, [...flags, source]), "compiling")).code, 0);
});

test.run();
