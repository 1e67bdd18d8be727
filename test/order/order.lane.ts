// watchdog: 240 s
/**
 * What compilers make of the core: its writes stand in the machine code in the order in which the core has them, and the barriers
 * where they stood. The consistency model of WebAssembly does not promise that for plain writes; docs/memory-model.md says why it
 * matters. "npm run test:order".
 *
 * | compiler                            | what is read                                    | how it is made to compile                |
 * | ----------------------------------- | ----------------------------------------------- | ---------------------------------------- |
 * | V8 (Node): Liftoff, TurboFan        | the instructions, disassembled by V8 itself     | not lazily, and only by the one          |
 * | JavaScriptCore (Bun): OMG           | Air, which the assembler takes line by line     | each function is called until OMG is due |
 *
 * The first stages of JavaScriptCore are not read: an interpreter, and BBQ, which makes the code of one instruction after the other.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import binaryen from "binaryen";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { RING_CURSOR_OFFSET, RING_RECEIVED_OFFSET, RING_RELEASED_OFFSET } from "../../protocol/layout.js";
import { compiled, root } from "../lib/paths.js";
import { bun } from "../lib/runtimes.js";
import { compare } from "./compare.js";
import { type Code, omgCode, v8Code } from "./machine.js";
import { type FunctionWrites, text, writesOf } from "./runs.js";

const ENGINE_MS = 60_000;
const SCRIPT = compiled("order/core-in-engine.ts");
const directory = mkdtempSync(join(tmpdir(), "isthmus-order-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

interface Compiler {
  name: string;
  /** The code of each function of the file, by its index. */
  code(file: string): Map<number, Code>;
  /** Runs of the core that must be found at least: a compiler that prints nothing, or something else, passes nothing. */
  runsMin: number;
  /** It compiles every function. */
  all: boolean;
}

function run(command: string, args: string[], environment: Record<string, string> = {}): string {
  const env = { ...process.env, ...environment };
  const options = { env, encoding: "utf8", timeout: ENGINE_MS, maxBuffer: 2 ** 28 } as const;
  return execFileSync(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
}

function v8(name: string, only: string): Compiler {
  const flags = ["--print-wasm-code", "--no-wasm-lazy-compilation", only];
  const code = (file: string): Map<number, Code> => {
    const found = v8Code(run(process.execPath, [...flags, SCRIPT, file]));
    return new Map([...found].filter(([, { compiler }]) => compiler === name));
  };
  return { name: `V8 ${name}`, code, runsMin: 60, all: true };
}

const OMG: Record<string, string> = {
  BUN_JSC_dumpOMGDisassembly: "1",
  BUN_JSC_useConcurrentJIT: "0",
  BUN_JSC_thresholdForBBQOptimizeAfterWarmUp: "5",
  BUN_JSC_thresholdForBBQOptimizeSoon: "5",
  BUN_JSC_thresholdForOMGOptimizeAfterWarmUp: "50",
  BUN_JSC_thresholdForOMGOptimizeSoon: "50",
};

/** Bun prints it to its standard error. */
function omg(file: string): Map<number, Code> {
  const command = `"${bun.command}" "${SCRIPT}" "${file}" 2>&1`;
  return omgCode(run("/bin/sh", ["-c", command], OMG));
}

const COMPILERS: Compiler[] = [
  v8("TurboFan", "--no-liftoff"),
  v8("Liftoff", "--liftoff-only"),
  { name: "JavaScriptCore OMG", code: omg, runsMin: 25, all: false },
];

const core = join(root, "dist/core.wasm");
const functions = writesOf(readFileSync(core));

test("the core has the writes whose order matters", () => {
  const has = (name: string, ...runs: string[]): void => {
    const found = functions.filter((one) => one.name === name).flatMap(({ runs }) => runs);
    for (const one of runs)
      assert.ok(found.map((all) => all.map(text).join(", ")).includes(one), `${name}: ${one}`);
  };
  // An entry of the journal, its count; then the word itself.
  has("transactionNote", "32 bits at +0, 32 bits at +4");
  has("heapSetRoot", "32 bits at +0, 32 bits at +4, 32 bits at +0, atomic 32");
  // The sums of a ring, then its head or tail.
  has("ringCommit", "64 bits at +8, 64 bits at +16, atomic 64");
  const own = [RING_RECEIVED_OFFSET, RING_CURSOR_OFFSET, RING_RELEASED_OFFSET].map(
    (at) => `64 bits at +${at}`,
  );
  has("ringRelease", `${own[0]}, ${own[1]}, atomic 64, ${own[2]}`);
  // What is told of a participant, then that it lives; then what it forgets of the owner before.
  has(
    "join",
    "atomic 32, atomic 32, 32 bits at +8, 32 bits at +12, 64 bits at +16, 64 bits at +24, atomic 64",
    "32 bits at +144, atomic 32",
  );
});

for (const { name, code, runsMin, all } of COMPILERS) {
  test(`${name}: every run of writes stands in its order`, () => {
    if (process.arch !== "x64") return; // what is read here are instructions of x86-64
    const made = code(core);
    const compiledOnes = functions.filter(({ index }) => made.has(index));
    if (all) assert.is(compiledOnes.length, functions.length, "a function was not compiled");
    let kept = 0;
    const broken: string[] = [];
    for (const one of compiledOnes) {
      const verdict = compare(one, (made.get(one.index) as Code).writes);
      kept += verdict.kept;
      broken.push(...verdict.broken);
    }
    console.log(
      `${name}: ${kept} runs of writes in ${compiledOnes.length} of ${functions.length} functions that write`,
    );
    assert.equal(broken, []);
    assert.ok(kept >= runsMin, `only ${kept} runs were found`);
  });
}

/** A function with these writes to its argument. */
function small(...writes: string[]): string {
  const body = writes.map((write) => `(${write} (local.get 0) (i32.const 7))`).join(" ");
  const module = binaryen.parseText(`(module
    (import "env" "memory" (memory 1 65536 shared))
    (func (export "writes") (param i32) ${body}))`);
  module.setFeatures(binaryen.Features.All);
  const file = join(directory, `${writes.join(" ").replace(/\W+/g, "-")}.wasm`);
  writeFileSync(file, module.emitBinary());
  module.dispose();
  return file;
}

const [FIRST, SECOND, PUBLISH] = ["i32.store offset=24", "i32.store offset=40", "i32.atomic.store"] as const;

for (const { name, code } of COMPILERS) {
  test(`${name}: writes that change places are noticed`, () => {
    if (process.arch !== "x64") return;
    const [wanted] = writesOf(readFileSync(small(FIRST, SECOND, PUBLISH))) as [FunctionWrites];
    const verdict = (...writes: string[]): string[] => {
      const made = code(small(...writes)).get(wanted.index) as Code;
      return compare(wanted, made.writes).broken;
    };
    assert.equal(verdict(FIRST, SECOND, PUBLISH), []);
    assert.is(verdict(SECOND, FIRST, PUBLISH).length, 1, "two plain writes");
    assert.is(verdict(FIRST, PUBLISH, SECOND).length, 1, "a write behind the one that publishes it");
    assert.is(verdict(FIRST, SECOND).length, 1, "a barrier that is missing");
  });
}

test.run();
