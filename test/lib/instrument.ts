/**
 * Instruments a built wasm file: every memory instruction becomes a call of a small function that first calls
 * `env.step(site, address)` and then does the instruction. Operands keep their order and are evaluated as before, no
 * optimisation runs on the code under test, and each instruction has a number of its own, its *site*.
 *
 * The text that binaryen prints is folded: a parent precedes its operands, so site numbers are not execution order.
 * Anything that touches memory and is not understood is refused: an access can't slip through unannounced.
 */
import binaryen from "binaryen";
import { outlined } from "./outline.js";
import { sha256 } from "./shape.js";

export type Kind = "load" | "store" | "rmw" | "cmpxchg" | "copy" | "fill";

/** One memory instruction of the file. */
export interface Site {
  /** The exported name of the function it stands in; an internal name such as "7" when that is not exported. */
  func: string;
  /** e.g. "i32.atomic.store" */
  name: string;
  kind: Kind;
  /** Bytes accessed; 0 for copy and fill. */
  bytes: number;
  atomic: boolean;
  writes: boolean;
}

export interface InstrumentOptions {
  /** Announce loads too. Default true. */
  loads?: boolean;
  /** Make `step`, and what waits or is seen by others of the system's functions, able to suspend the instance; what is suspended lies in the main memory. Default false. */
  asyncify?: boolean;
  /** Ask `env.defer` before each store, and `env.alter` before each read-modify-write. Default false. */
  hooks?: boolean;
}

export interface Instrumented {
  wasm: Uint8Array<ArrayBuffer>;
  sites: Site[];
  /** SHA-256 of the file that was instrumented. */
  source: string;
}

const NUMERIC =
  /\((i32|i64|f32|f64|v128)\.((?:atomic\.)?(?:load|store)[a-z0-9_]*|atomic\.rmw[a-z0-9_.]*)((?: offset=\d+)?(?: align=\d+)?)(?=$| \()/g;
const BULK = /\((memory\.(?:copy|fill))(?=$| \()/g;
const MEMORY_WORDS =
  "(?:memory|table)\\.(?:init|copy|fill|grow|atomic)|data\\.drop|(?:array|struct)\\.|atomic\\.fence";
const LEFT = new RegExp(`\\((?:[ifv]\\d+\\.(?:atomic|load|store)|${MEMORY_WORDS})[^()\\n]*`);
const LEFT_WRITES = new RegExp(
  `\\((?:[ifv]\\d+\\.(?:atomic\\.rmw|atomic\\.store|store)|${MEMORY_WORDS})[^()\\n]*`,
);
const TYPE_BYTES: Record<string, number> = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 };
/** What a core imports that may suspend its instance. */
const SUSPENDING = ["env.step", ...["lock", "held", "wake", "wait", "sleep"].map((name) => `sys.${name}`)];
const STEP_IMPORT = '(import "env" "step" (func $env.step (param i32 i32)))';
const HOOK_IMPORTS = [
  '(import "env" "defer" (func $env.defer (param i32 i32 i32) (result i32)))',
  '(import "env" "deferI32" (func $env.defer_i32 (param i32 i32 i32 i32)))',
  '(import "env" "deferI64" (func $env.defer_i64 (param i32 i32 i32 i64)))',
  '(import "env" "alter" (func $env.alter (param i32 i32) (result i32)))',
];

function kindOf(name: string): Kind {
  if (name === "memory.copy") return "copy";
  if (name === "memory.fill") return "fill";
  for (const kind of ["cmpxchg", "rmw", "store"] as const) if (name.includes(kind)) return kind;
  return "load";
}

/** Bytes that an instruction accesses; 0 where an operand says it. */
function bytesOf(name: string): number {
  const narrow = /(?:load|store|rmw)(8|16|32)/.exec(name)?.[1];
  if (narrow !== undefined) return Number(narrow) / 8;
  return TYPE_BYTES[name.slice(0, name.indexOf("."))] ?? 0;
}

function siteOf(func: string, name: string): Site {
  const kind = kindOf(name);
  return { func, name, kind, bytes: bytesOf(name), atomic: name.includes("atomic"), writes: kind !== "load" };
}

/** Replaces the memory instructions in one module's text; collects the sites and the functions that stand in. */
class Rewriter {
  readonly sites: Site[] = [];
  readonly #functions = new Map<string, string>();
  readonly #exported: Map<string, string>;
  #func = "";

  constructor(
    readonly text: string,
    readonly options: Required<InstrumentOptions>,
  ) {
    const exports = text.matchAll(/\(export "([^"]+)" \(func \$(\S+?)\)\)/g);
    this.#exported = new Map([...exports].map((found) => [found[2] as string, found[1] as string]));
  }

  rewritten(): string {
    const lines = this.text.split("\n").map((line) => this.#line(line));
    const body = this.#exportGlobals(lines.join("\n"));
    const left = body.match(this.options.loads ? LEFT : LEFT_WRITES);
    if (left) throw new Error(`not instrumented: ${left[0]}`);
    const imports = this.options.hooks ? [STEP_IMPORT, ...HOOK_IMPORTS] : [STEP_IMPORT];
    const withImports = body.replace(
      /^ \(import /m,
      `${imports.map((line) => ` ${line}\n`).join("")} (import `,
    );
    return withImports.replace(/\)\s*$/, `${[...this.#functions.values()].join("\n")}\n)\n`);
  }

  #line(line: string): string {
    const start = /^ \(func \$(\S+)/.exec(line)?.[1];
    if (start !== undefined) this.#func = this.#exported.get(start) ?? start;
    return line
      .replace(NUMERIC, (all, type: string, op: string, immediates: string) =>
        this.#call(all, `${type}.${op}`, immediates),
      )
      .replace(BULK, (all, name: string) => this.#call(all, name, ""));
  }

  #call(instruction: string, name: string, immediates: string): string {
    const site = siteOf(this.#func, name);
    if (site.kind === "load" && !this.options.loads) return instruction;
    const id = `$at_${(name + immediates).replace(/[ =]/g, "_")}`;
    if (!this.#functions.has(id)) {
      this.#functions.set(id, outlined(id, site, immediates.trim(), this.options.hooks));
    }
    return `(call ${id} (i32.const ${this.sites.push(site) - 1})`;
  }

  /** Exports the private variables of an instance as $g0, $g1 …, so that it can be put back to an earlier state. */
  #exportGlobals(text: string): string {
    let count = 0;
    return text.replace(/^ \(global \$(\S+) \(mut/gm, (all, name: string) => {
      this.#functions.set(`global ${count}`, ` (export "$g${count++}" (global $${name}))`);
      return all;
    });
  }
}

/** The wasm's text in binaryen's folded form. */
function textOf(wasm: Uint8Array): string {
  const module = binaryen.readBinary(wasm);
  module.setFeatures(binaryen.Features.All);
  const text = module.emitText();
  module.dispose();
  return text;
}

/** An instrumented copy of `wasm` and its sites, numbered as `step` reports them. */
export function instrument(wasm: Uint8Array, options: InstrumentOptions = {}): Instrumented {
  const all = { loads: true, asyncify: false, hooks: false, ...options };
  const rewriter = new Rewriter(textOf(wasm), all);
  const module = binaryen.parseText(rewriter.rewritten());
  try {
    module.setFeatures(binaryen.Features.All);
    if (all.asyncify) {
      binaryen.setPassArgument("asyncify-imports", SUSPENDING.join(","));
      module.runPasses(["asyncify"]);
      binaryen.clearPassArguments(); // they are global
    }
    if (!module.validate()) throw new Error("the instrumented module does not validate");
    return { wasm: new Uint8Array(module.emitBinary()), sites: rewriter.sites, source: sha256(wasm) };
  } finally {
    module.dispose();
  }
}

/** A wasm file from text: fixtures need no compiler. */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(text);
  try {
    module.setFeatures(binaryen.Features.All);
    if (!module.validate()) throw new Error("the text does not validate");
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}
