/** A module with every kind of memory access that the instrumenter understands, made from text. */
import { assemble } from "../lib/instrument.js";

const WIDTHS: Record<string, string[]> = { i32: ["8", "16"], i64: ["8", "16", "32"] };
const RMW = ["add", "sub", "and", "or", "xor", "xchg"];

/** Export name and instruction, in the order of the module. */
export interface Access {
  export: string;
  instruction: string;
  type: string;
}

function integerInstructions(type: string): string[] {
  const narrow = WIDTHS[type] as string[];
  const widths = ["", ...narrow];
  return [
    `${type}.load`,
    ...narrow.flatMap((width) => [`${type}.load${width}_s`, `${type}.load${width}_u`]),
    ...widths.map((width) => `${type}.store${width}`),
    ...widths.map((width) => `${type}.atomic.load${width}${width ? "_u" : ""}`),
    ...widths.map((width) => `${type}.atomic.store${width}`),
    ...[...RMW, "cmpxchg"].flatMap((op) =>
      widths.map((width) => `${type}.atomic.rmw${width}.${op}${width ? "_u" : ""}`),
    ),
  ];
}

function instructions(): string[] {
  const floats = ["f32.load", "f32.store", "f64.load", "f64.store"];
  return [...integerInstructions("i32"), ...integerInstructions("i64"), ...floats];
}

/** Each access with no offset and with an offset. */
export const ACCESSES: Access[] = instructions().flatMap((instruction) =>
  ["", " offset=16"].map((offset) => ({
    export: instruction + offset,
    instruction: instruction + offset,
    type: instruction.slice(0, 3),
  })),
);

/** All parameters and results are f64, so that JavaScript passes plain numbers. */
function operand(type: string, local: string): string {
  if (type === "i32") return `(i32.trunc_sat_f64_s ${local})`;
  if (type === "i64") return `(i64.trunc_sat_f64_s (f64.mul ${local} (f64.const 1048577)))`;
  return type === "f32" ? `(f32.demote_f64 ${local})` : local;
}

function asNumber(type: string, result: string): string {
  if (type === "f64") return result;
  return type === "f32" ? `(f64.promote_f32 ${result})` : `(f64.convert_${type}_s ${result})`;
}

function body({ instruction, type }: Access): string {
  const address = "(local.get 0)";
  const [first, second] = ["(local.get 1)", "(local.get 2)"].map((local) => operand(type, local));
  if (instruction.includes("store")) return `(${instruction} ${address} ${first}) (f64.const 0)`;
  if (instruction.includes("cmpxchg"))
    return asNumber(type, `(${instruction} ${address} ${first} ${second})`);
  if (instruction.includes("rmw")) return asNumber(type, `(${instruction} ${address} ${first})`);
  return asNumber(type, `(${instruction} ${address})`);
}

/** Beside the accesses: bulk ones, a loop of stores, a spin loop, and a counter that only the instance knows. */
const OTHERS = `
  (func (export "copy") (param i32 f64 f64) (result f64)
    (memory.copy (local.get 0) (i32.trunc_sat_f64_u (local.get 1)) (i32.trunc_sat_f64_u (local.get 2)))
    (f64.const 0))
  (func (export "fill") (param i32 f64 f64) (result f64)
    (memory.fill (local.get 0) (i32.trunc_sat_f64_u (local.get 1)) (i32.trunc_sat_f64_u (local.get 2)))
    (f64.const 0))
  (func (export "stores") (param $at i32) (param $count i32)
    (loop $again
      (i32.atomic.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
  (func (export "awaitNonZero") (param $at i32)
    (loop $again (br_if $again (i32.eqz (i32.atomic.load (local.get $at))))))
  (func (export "publish") (param $data i32) (param $flag i32) (param $value i32)
    (i32.store (local.get $data) (local.get $value))
    (i32.store (local.get $flag) (i32.const 1)))
  (func (export "publishAtomically") (param $data i32) (param $flag i32) (param $value i32)
    (i32.store (local.get $data) (local.get $value))
    (i32.atomic.store (local.get $flag) (i32.const 1)))
  (func (export "take") (param $lock i32) (param $self i32) (result i32)
    (i32.eqz (i32.atomic.rmw.cmpxchg (local.get $lock) (i32.const 0) (local.get $self))))
  (func (export "loadOf") (param $at i32) (result i32) (i32.atomic.load (local.get $at)))
  (global $calls (mut i32) (i32.const 0))
  (func (export "calls") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (global.get $calls))`;

export function everyAccess(): Uint8Array<ArrayBuffer> {
  const functions = ACCESSES.map(
    (access) => `(func (export "${access.export}") (param i32 f64 f64) (result f64) ${body(access)})`,
  );
  return assemble(`(module
    (import "env" "memory" (memory 1 65536 shared))
    ${functions.join("\n")}
    ${OTHERS})`);
}
