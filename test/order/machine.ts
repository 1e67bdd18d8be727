/**
 * The writes of machine code, in the order of its instructions. A write to the stack or to the engine's own data looks like any
 * other; whoever compares leaves out what the function does not write.
 */
import type { Write } from "./runs.js";

/** A write of machine code. */
export interface MachineWrite extends Write {
  /** Its address is one register: it may be a variable of the instance, which is the engine's own data. */
  single?: boolean;
}

const WIDTHS: Record<string, number> = { b: 1, w: 2, l: 4, q: 8 };

function hex(text: string | undefined): number {
  return text === undefined ? 0 : Number.parseInt(text, 16);
}

/** What was added to addresses before the instruction that writes: "leaq rdx,[rbx+0x10]", by register. */
type Added = Map<string, number>;

/** Notes what an instruction does to its first register. A call may change them all. */
function noteAddress(line: string, added: Added): void {
  const address = /\bleaq (\w+),\[(\w+)\+0x([0-9a-f]+)\]/.exec(line);
  if (/\bcall\b/.test(line)) added.clear();
  else if (address) added.set(address[1] as string, hex(address[3]) + (added.get(address[2] as string) ?? 0));
  else added.delete(/\s(?!cmp|test|push)[a-z]\w* (r\w+)(?:,|$)/.exec(line)?.[1] ?? "");
}

/** One line of V8's disassembly for x86-64: "… movl [r8+rdi*1+0x88],r12". */
function x64Write(line: string, added: Added): MachineWrite | undefined {
  const atomic = /\b(?:xchg([bwlq]) |lock\s+(?:REX\.W\s+)?\w+?([bwlq]) )\S*\[/.exec(line);
  if (atomic) return { bytes: WIDTHS[(atomic[1] ?? atomic[2]) as string] as number, offset: undefined };
  const plain = /\b(?:v?mov(?:[bwlq]|ss|sd|dqu|ups)|vmov\w+) \[([^\]]+)\],/.exec(line);
  if (!plain || /rbp|rsp/.test(plain[1] as string)) return undefined;
  const width = /\b(?:v?mov)(\w+) \[/.exec(line)?.[1] as string;
  const bytes = WIDTHS[width] ?? (width === "ss" ? 4 : 8);
  const registers = (plain[1] as string).split("+").map((part) => part.replace(/\*1$/, ""));
  const before = registers.reduce((sum, register) => sum + (added.get(register) ?? 0), 0);
  const offset = hex(/\+0x([0-9a-f]+)$/.exec(plain[1] as string)?.[1]) + before;
  return { bytes, offset, single: !/\*/.test(plain[1] as string) };
}

export interface Code {
  compiler: string;
  writes: MachineWrite[];
}

/** What "node --print-wasm-code" prints, by the index of the function. */
export function v8Code(printed: string): Map<number, Code> {
  const found = new Map<number, Code>();
  for (const part of printed.split("--- WebAssembly code ---").slice(1)) {
    const index = Number(/^index: (\d+)$/m.exec(part)?.[1] ?? Number.NaN);
    if (!/^kind: wasm function$/m.test(part) || Number.isNaN(index)) continue;
    const compiler = /^compiler: (\w+)$/m.exec(part)?.[1] ?? "";
    const lines = part.slice(part.indexOf("Instructions (")).split("\n");
    const added: Added = new Map();
    const writes = lines.flatMap((line) => {
      const write = x64Write(line, added);
      noteAddress(line, added);
      return write ?? [];
    });
    found.set(index, { compiler, writes });
  }
  return found;
}

const AIR_WIDTHS: Record<string, number> = { Store8: 1, Store16: 2, MoveFloat: 4, MoveDouble: 8, Move: 8 };

/**
 * Lines of what JavaScriptCore's last stage before the assembler holds: "Air  Move32<Effects> %rcx, 8(%r14,%rbx)". A constant address is
 * put into a register before, and there it is found again.
 */
function airWrites(lines: string[]): MachineWrite[] {
  const constants = new Map<string, number>();
  return lines.flatMap((line) => {
    const [, branch, opcode = "", , operands = ""] = /^Air\s+(Branch)?(\w+?)(<\w+>)? (.*)$/.exec(line) ?? [];
    const bytes = AIR_WIDTHS[opcode] ?? (/64$/.test(opcode) ? 8 : 4);
    const constant = /^\$(-?\d+), (%\w+)$/.exec(operands);
    if (/^Move(32)?$/.test(opcode) && constant) constants.set(constant[2] as string, Number(constant[1]));
    else if (!branch) constants.delete(/(%\w+)$/.exec(operands)?.[1] ?? "");
    // An atomic load is an addition of 0 there: it may stand anywhere.
    if (/^Atomic/.test(opcode)) return { bytes, offset: undefined, single: /^AtomicXchgAdd/.test(opcode) };
    if (!/^(Move(32|Float|Double)?|Store\d+|(Add|Sub|And|Or|Xor)\d+)$/.test(opcode)) return [];
    const [, offset, base, index] = /, (-?\d*)\((%\w+)(?:,(%\w+))?[^()]*\)$/.exec(operands) ?? [];
    if (base === undefined || /%rbp|%rsp/.test(base)) return [];
    return { bytes, offset: Number(offset) + (constants.get(index ?? "") ?? 0), single: index === undefined };
  });
}

/** What Bun prints with BUN_JSC_dumpOMGDisassembly, by the index of the function. */
export function omgCode(printed: string): Map<number, Code> {
  const found = new Map<number, Code>();
  for (const part of printed.split(/^Generated /m).slice(1)) {
    const index = /^OMG functionIndexSpace:\((\d+)\)/.exec(part)?.[1];
    if (index === undefined) continue;
    found.set(Number(index), { compiler: "OMG", writes: airWrites(part.split("\n")) });
  }
  return found;
}
