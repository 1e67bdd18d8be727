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

test.run();
