import { test } from "uvu";
import * as assert from "uvu/assert";
import { Arena, type Hooks } from "../lib/arena.js";
import { assemble, type InstrumentOptions, instrument } from "../lib/instrument.js";
import { Interception, type Mutation } from "../lib/mutation.js";
import { Participant } from "../lib/participant.js";
import { randomFrom } from "../lib/schedule.js";
import { shapeOf } from "../lib/shape.js";
import { ACCESSES, everyAccess } from "./every-access.js";

const SEED = 20_417;
const SEGMENT_BYTES = 65536;
const wasm = everyAccess();

type Call = [name: string, at: number, first: number, second: number];

/** Calls of every export at aligned addresses; atomics trap at others. Everything happens in the first 1024 bytes. */
function randomCalls(count: number): Call[] {
  const below = randomFrom(SEED);
  const names = [...ACCESSES.map((access) => access.export), "copy", "fill"];
  return Array.from({ length: count }, (_, index) => {
    const name = names[index % names.length] as string;
    const second = name === "copy" || name === "fill" ? below(60) : below(1 << 30) - (1 << 29);
    const first = name === "copy" || name === "fill" ? below(900) : below(1 << 30) - (1 << 29);
    return [name, below(118) * 8, first, second];
  });
}

const calls = randomCalls(Math.max(400, ACCESSES.length + 2));

/** The shipped bytes, run as they are. */
function shippedRun(): { results: number[]; bytes: Uint8Array } {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const exports = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory } })
    .exports as Record<string, (...args: number[]) => number>;
  const bytes = new Uint8Array(memory.buffer);
  startBytes(bytes);
  return {
    results: calls.map(([name, ...args]) => exports[name]?.(...args) as number),
    bytes: bytes.slice(),
  };
}

function startBytes(bytes: Uint8Array): void {
  for (let at = 0; at < 1024; at++) bytes[at] = (at * 37) & 0xff;
}

function instrumentedRun(options: InstrumentOptions, step: (arena: Arena, site: number, at: number) => void) {
  const built = instrument(wasm, options);
  const arena: Arena = new Arena(built, SEGMENT_BYTES, 4096);
  startBytes(arena.bytes);
  const hooks: Hooks = { step: (site, at) => step(arena, site, at), defer: () => 0, alter: () => 0 };
  hooks.deferI32 = hooks.deferI64 = () => assert.unreachable("nothing was taken over");
  const exports = arena.instantiate(hooks);
  const results = calls.map(([name, ...args]) => exports[name]?.(...args) as number);
  return { results, bytes: arena.segment.slice(), sites: built.sites };
}

const BUILDS: InstrumentOptions[] = [
  { loads: false },
  { loads: true },
  { hooks: true },
  { asyncify: true },
  { hooks: true, asyncify: true },
];

for (const options of BUILDS) {
  test(`an instrumented module ${JSON.stringify(options)} computes what the original does, seed ${SEED}`, () => {
    const expected = shippedRun();
    const seen = instrumentedRun(options, () => {});
    assert.equal(seen.results, expected.results);
    assert.ok(Buffer.compare(seen.bytes, expected.bytes) === 0, "the memories differ");
  });
}

test("between two steps only the announced bytes change", () => {
  let before = new Uint8Array();
  let [from, to] = [0, 0];
  let writes = 0;
  const outside = (arena: Arena): number =>
    before.findIndex((byte, at) => arena.bytes[at] !== byte && (at < from || at >= to));
  instrumentedRun({ hooks: true }, (arena, site, at) => {
    assert.is(outside(arena), -1, "this byte changed unannounced");
    before = arena.bytes.slice(0, 1024);
    const { writes: isWrite, bytes } = built.sites[site] as { writes: boolean; bytes: number };
    // A bulk write is announced by its first byte; no call here makes one longer than 60 bytes.
    [from, to] = isWrite ? [at, at + (bytes || 60)] : [0, 0];
    if (isWrite) writes++;
  });
  assert.ok(writes > 200);
});

const built = instrument(wasm, { hooks: true });

test("asyncify keeps every access and their order", () => {
  const trace = (options: InstrumentOptions): string => {
    const seen: string[] = [];
    instrumentedRun(options, (_arena, site, at) => seen.push(`${site}@${at}`));
    return seen.join(" ");
  };
  assert.is(trace({ hooks: true, asyncify: true }), trace({ hooks: true }));
  assert.is(trace({ asyncify: true }), trace({}));
});

test("a call that is suspended and resumed before any of its accesses gives the original's result", () => {
  const expected = shippedRun();
  let suspendAt = -1;
  let steps = 0;
  const owner = {
    mutation: undefined,
    keepsBack: () => false,
    step(one: Participant): void {
      if (one.arrived()) return;
      if (steps++ === suspendAt) one.suspend();
    },
  };
  const arena = new Arena(instrument(wasm, { hooks: true, asyncify: true }), SEGMENT_BYTES, 4096);
  const participant = new Participant(0, arena, owner);
  startBytes(arena.bytes);
  let suspensions = 0;
  const results = calls.map(([name, ...args]) => {
    const [begin, start] = [arena.segment.slice(0, 2048), steps];
    for (suspendAt = start; ; suspendAt++) {
      arena.segment.set(begin);
      steps = start;
      participant.begin(() => participant.exports[name]?.(...args) as number);
      if (participant.enter()) return participant.answer as number;
      suspensions++;
      arena.segment.fill(0, 0, 8); // somebody else ran meanwhile …
      arena.segment.set(begin.subarray(0, 8)); // … and put everything back
      assert.ok(participant.enter(), "suspended once only");
    }
  });
  assert.equal(results, expected.results);
  assert.ok(Buffer.compare(arena.segment.slice(), expected.bytes) === 0, "the memories differ");
  assert.ok(suspensions >= calls.length, `${suspensions} suspensions`);
});

test("a compare-exchange can be split into a load and a store with a step between", () => {
  const site = built.sites.findIndex((one) => one.func === "take");
  const arena = new Arena(built, SEGMENT_BYTES);
  let steps = 0;
  const exports = arena.instantiate({
    step: () => steps++,
    ...new Interception(arena.view, () => ({ site, how: "split" })).hooks(),
  });
  assert.is(exports.take?.(64, 7), 1);
  assert.is(steps, 2);
  assert.is(arena.view.getInt32(64, true), 7);
  assert.is(exports.take?.(64, 8), 0);
  assert.is(arena.view.getInt32(64, true), 7);
});

test("a read-modify-write that is split does what the whole one does, one that is dropped leaves memory alone", () => {
  for (const [number, site] of built.sites.entries()) {
    if (site.kind !== "rmw" && site.kind !== "cmpxchg") continue;
    const [whole, split, dropped] = [undefined, "split" as const, "drop" as const].map((how) => {
      const arena = new Arena(built, SEGMENT_BYTES);
      startBytes(arena.bytes);
      const alter = (): Mutation | undefined => how && { site: number, how };
      const hooks = { step: () => {}, ...new Interception(arena.view, alter).hooks() };
      const result = arena.instantiate(hooks)[site.func]?.(64, 12345, 678);
      return { result, bytes: arena.segment.slice(0, 128) };
    });
    assert.equal(split, whole, site.func);
    assert.is(dropped?.result, whole?.result, site.func);
    const before = new Uint8Array(1024);
    startBytes(before);
    assert.equal(dropped?.bytes, before.slice(0, 128), site.func);
  }
});

const REFUSED: [what: string, code: string][] = [
  ["a lane store", "(v128.store8_lane 0 (i32.const 0) (v128.const i32x4 0 0 0 0))"],
  ["memory.grow", "(drop (memory.grow (i32.const 1)))"],
  ["a fence", "(atomic.fence)"],
  ["a futex wait", "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))"],
  ["a futex wake", "(drop (memory.atomic.notify (i32.const 0) (i32.const 1)))"],
  ["memory.init", '(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1))) (data "x"'],
];

for (const [what, code] of REFUSED) {
  test(`${what} is refused, not overlooked`, () => {
    const module = assemble(
      `(module (import "env" "memory" (memory 1 1 shared)) (func (export "f") ${code}))`,
    );
    assert.throws(() => instrument(module), /not instrumented/);
    assert.throws(() => instrument(module, { loads: false }), /not instrumented/);
  });
}

test("the shape of a file tells its imports and whether it has a data section", () => {
  assert.equal(shapeOf(wasm).imports, ["env.memory memory"]);
  assert.not(shapeOf(wasm).hasDataSection);
  const data = assemble('(module (import "env" "memory" (memory 1 1 shared)) (data (i32.const 8) "x"))');
  assert.ok(shapeOf(data).hasDataSection);
  const more = assemble('(module (import "env" "memory" (memory 1 1 shared)) (import "env" "abort" (func)))');
  assert.equal(shapeOf(more).imports.sort(), ["env.abort func", "env.memory memory"]);
});

test.run();
