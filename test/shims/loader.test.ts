/** Finding the binary: what somebody is told on a platform that has none, or with a damaged installation. */
import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NOT_SUPPORTED } from "../../protocol/errors.js";
import type { Native } from "../../ts/host/native.js";
import { compiled, root } from "../lib/paths.js";
import { temporaryDirectory } from "../lib/segments.js";
import { native, refuses } from "./objects.js";

const here = `${process.platform}-${process.arch}`;

/** A package of its own with only the loader in it; `files` of prebuilds/ are given. */
function installed(files: Record<string, string>): { load: () => Native; directory: string } {
  const directory = temporaryDirectory();
  const host = join(directory, "dist/esm/ts/host");
  mkdirSync(host, { recursive: true });
  copyFileSync(compiled("../ts/host/native.cts").replace(/\.cts$/, ".cjs"), join(host, "native.cjs"));
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(directory, "prebuilds", name), { recursive: true });
    writeFileSync(join(directory, "prebuilds", name, "isthmus.node"), content);
  }
  const { loadNative } = createRequire(import.meta.url)(join(host, "native.cjs"));
  return { load: loadNative as () => Native, directory };
}

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

test("a platform without a binary is NOT_SUPPORTED, and the message says which have one", () => {
  const { load } = installed({ "plan9-mips": "" });
  refuses(NOT_SUPPORTED, load, "dlopen");
  assert.match(message(load), `no native part for ${here}`);
  assert.match(message(load), "plan9-mips");
});

test("a binary that cannot be loaded is NOT_SUPPORTED, and the message says which file and why", () => {
  const { load, directory } = installed({ [here]: "not a program" });
  refuses(NOT_SUPPORTED, load, "dlopen");
  assert.match(message(load), join(directory, "prebuilds", here, "isthmus.node"));
});

test("an installation without prebuilds is NOT_SUPPORTED", () => {
  const { load, directory } = installed({ [here]: "" });
  rmSync(join(directory, "prebuilds"), { recursive: true });
  refuses(NOT_SUPPORTED, load);
  assert.match(message(load), "prebuilds");
});

test("the same thread gets the same shim", () => {
  const { loadNative } = createRequire(import.meta.url)(
    compiled("../ts/host/native.cts").replace(/\.cts$/, ".cjs"),
  );
  assert.is(loadNative(), native);
});

test.run();
