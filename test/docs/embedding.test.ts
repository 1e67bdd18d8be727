/** docs/embedding.md describes each function and each global of the core, and no other. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { shippedCore } from "../lib/shipped.js";

const text = readFileSync(join(root, "docs/embedding.md"), "utf8");
const hosted = WebAssembly.Module.exports(
  new WebAssembly.Module(shippedCore("core-hosted.wasm") as BufferSource),
);

test("each function of the core has a row of the table, and each row a function", () => {
  const rows = [...text.matchAll(/^\| (`[a-z]\w*\(.*?) \|/gm)].map(([, cell]) => cell as string);
  const described = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)\(/g)].map(([, name]) => name as string));
  const functions = hosted.filter(({ kind }) => kind === "function").map(({ name }) => name);
  assert.equal(described.sort(), functions.sort());
});

test("each global of the core is named", () => {
  const [, line = ""] = /^Globals: (.*)$/m.exec(text) ?? [];
  const [, more = ""] = /^Globals beside those of section 6: (.*)$/m.exec(text) ?? [];
  const named = [...(line + more).matchAll(/`(\w+)`/g)].map(([, name]) => name as string);
  const globals = hosted.filter(({ kind }) => kind === "global").map(({ name }) => name);
  for (const name of globals) assert.ok(named.includes(name), name);
});

test("each import of the hosted core has a row", () => {
  const imports = WebAssembly.Module.imports(
    new WebAssembly.Module(shippedCore("core-hosted.wasm") as BufferSource),
  );
  const described = [...text.matchAll(/^\| `(sys\.\w+)\(/gm)].map(([, name]) => name as string);
  const named = imports.map(({ module, name }) => `${module}.${name}`);
  assert.equal(described.sort(), named.filter((name) => name !== "env.memory").sort());
});

test("the only import of the other one is a shared memory", () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(shippedCore() as BufferSource));
  assert.equal(
    imports.map(({ module, name, kind }) => `${module}.${name}: ${kind}`),
    ["env.memory: memory"],
  );
});

test.run();
