/** The two cores that lie in the JavaScript. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { internal } from "../../lib/internals.js";
import { root } from "../../lib/paths.js";
import { segmentName } from "../../lib/segments.js";

interface CoreBytes {
  coreBytes(plain: boolean): Uint8Array<ArrayBuffer>;
  coreNames(): string[];
}

type Functions = Record<string, unknown>;

const { coreBytes, coreNames } = createRequire(import.meta.url)(
  join(root, "dist/ts/host/core-bytes.cjs"),
) as CoreBytes;
const { coreFunctions } = internal<{ coreFunctions(exports: WebAssembly.Exports): Functions }>(
  "core-functions",
);

/** The number of the section of a Wasm module that contains the code. */
const CODE = 10;

/** The code of a module, read by hand. */
function codeOf(bytes: Uint8Array): Buffer {
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at++];
    let length = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      more = bytes[at] >= 0x80;
      length |= (bytes[at++] & 0x7f) << shift;
    }
    if (id === CODE) return Buffer.from(bytes.subarray(at, at + length));
    at += length;
  }
  throw new Error("a module without code");
}

const CORES = [
  [false, "core.wasm"],
  [true, "core-plain.wasm"],
] as const;

test("readers of memory that cannot be written get the core that never writes, all others the usual one", () => {
  for (const [plain, file] of CORES) {
    const original = readFileSync(join(root, "dist", file));
    assert.is(Buffer.compare(codeOf(coreBytes(plain)), codeOf(original)), 0, file);
  }
});

test("each export of the core is there under its name, whether it is a property or in the table", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  for (const [plain, file] of CORES) {
    const module = new WebAssembly.Module(readFileSync(join(root, "dist", file)));
    const original = new WebAssembly.Instance(module, { env: { memory } }).exports;
    const embedded = new WebAssembly.Instance(new WebAssembly.Module(coreBytes(plain)), { env: { memory } });
    const functions = coreFunctions(embedded.exports);
    const wrong = Object.entries(original).filter(([name, one]) => !isSame(one, functions[name]));
    assert.equal(wrong, [], file);
    assert.is(
      Object.keys(original).length,
      Object.keys(embedded.exports).length - 1 + coreNames().length,
      "nothing is there twice",
    );
  }
});

/** A function of Wasm has its index as its name. The table and the list of exports of a core do not change the indexes. */
function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== "function") return typeof other === typeof one;
  return typeof other === "function" && other.name === one.name && other.length === one.length;
}

test("what a segment calls when it is opened and closed is a property", () => {
  const core = internal<{ instantiate: (...given: unknown[]) => { asked: unknown[] } }>("core");
  const { instantiate } = core;
  const made: { asked: unknown[] }[] = [];
  const name = segmentName("properties");
  const creator = Segment.create(name, { bytes: 2 ** 20 });
  core.instantiate = (...given) => {
    const instance = instantiate(...given);
    made.push(instance);
    return instance;
  };
  try {
    Segment.open(name).close();
  } finally {
    core.instantiate = instantiate;
    creator.unlink();
    creator.close();
  }
  assert.is(made.length, 1);
  assert.equal(made[0].asked, []);
});

test.run();
