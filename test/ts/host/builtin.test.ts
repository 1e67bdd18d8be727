/** Modules of the runtime where the usual ways to them are missing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../lib/paths.js";

interface Builtin {
  builtin(name: string): unknown;
  provide(modules: Record<string, unknown>): void;
}

const file = join(root, "dist/ts/host/builtin.cjs");
const source = `(function (exports, require) {${readFileSync(file, "utf8")}\n})`;

/** The module in a context with that `process` and that `require`. */
function load(process: object | undefined, require: (name: string) => unknown): Builtin {
  const exports = {};
  vm.runInContext(source, vm.createContext({ process }), { filename: file })(exports, require);
  return exports as Builtin;
}

/** What a bundler makes of `require` in an ES module. */
function cannotRequire(name: string): never {
  throw new Error(`dynamic require of ${name} is not supported`);
}

const required = (name: string): string => `${name}, required`;
const getBuiltinModule = (name: string): string => `${name}, of the runtime`;

test("a module that the entry provides is used where nothing else gives one", () => {
  for (const process of [undefined, {}]) {
    const { builtin, provide } = load(process, cannotRequire);
    assert.throws(() => builtin("node:fs"), /not supported/);
    provide({ "node:fs": "provided" });
    assert.is(builtin("node:fs"), "provided");
    assert.throws(() => builtin("node:os"), /not supported/);
  }
});

test("the runtime is asked first, then the entry, then require", () => {
  const asked = load({ getBuiltinModule }, required);
  asked.provide({ "node:fs": "provided" });
  assert.is(asked.builtin("node:fs"), "node:fs, of the runtime");
  const { builtin, provide } = load({ getBuiltinModule: () => undefined }, required);
  provide({ "node:fs": "provided" });
  assert.is(builtin("node:fs"), "provided");
  assert.is(builtin("node:os"), "node:os, required");
});

test("a module that was used is not asked for again: a test framework may have taken the runtime's process away", () => {
  let gone = false;
  const { builtin } = load(
    {
      getBuiltinModule: (name: string) => {
        if (gone) throw new Error("taken down");
        return getBuiltinModule(name);
      },
    },
    required,
  );
  assert.is(builtin("node:process"), "node:process, of the runtime");
  gone = true;
  assert.is(builtin("node:process"), "node:process, of the runtime");
  assert.throws(() => builtin("node:fs"), /taken down/);
});

test("the entry provides every module that the library may ask for", () => {
  const names = (text: string, pattern: RegExp): string[] =>
    [...text.matchAll(pattern)].map(([, name]) => name as string).sort();
  const asked = names(
    readFileSync(join(root, "ts/host/builtin.cts"), "utf8"),
    /"(node:\w+)": typeof import/g,
  );
  const given = names(readFileSync(join(root, "dist/builtins.mjs"), "utf8"), /"(node:\w+)": \w+,/g);
  assert.ok(asked.length > 10);
  assert.equal(given, asked);
});

test.run();
