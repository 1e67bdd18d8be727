/** The layout as a C header: constants as macros, and the structures that a C program can declare, with proof of their offsets. */
import { grouped } from "./layout-groups.js";
import { type Constant, type Field, fieldsOf } from "./layout-source.js";

const cTypes: Record<string, [declared: string, bytes: number]> = {
  u16: ["uint16_t", 2],
  u32: ["uint32_t", 4],
  u64: ["uint64_t", 8],
};

/** A struct of `bytes` bytes; what no field of a plain type covers becomes gap_N. */
function struct(name: string, fields: Field[], bytes: number): string[] {
  const lines = [`struct ${name} {`];
  const proofs: string[] = [];
  let end = 0;
  const fill = (to: number) => {
    if (to > end) lines.push(`  uint8_t gap_${end}[${to - end}];`);
  };
  for (const field of fields) {
    const [, count = "1", type = field.type] = /^(\d+) x (\w+)$/.exec(field.type) ?? [];
    const plain = cTypes[type];
    if (!plain || field.offset < end) continue;
    fill(field.offset);
    const array = count === "1" ? "" : `[${count}]`;
    lines.push(`  ${plain[0]} ${field.name}${array};${field.meaning ? ` /* ${field.meaning} */` : ""}`);
    proofs.push(
      `_Static_assert(offsetof(struct ${name}, ${field.name}) == ${field.offset}, "${field.name}");`,
    );
    end = field.offset + plain[1] * Number(count);
  }
  fill(bytes);
  return [...lines, "};", ...proofs, `_Static_assert(sizeof(struct ${name}) == ${bytes}, "${name}");`, ""];
}

/** Text of docs/isthmus_layout.h. */
export function layoutHeader(layout: Constant[], limits: Constant[], fingerprint: number): string {
  const value = (name: string) => layout.find((constant) => constant.name === name)?.value ?? 0;
  const groups = grouped(layout);
  // The names isthmus_ring, isthmus_open … are left to a C interface.
  const layoutStruct = (group: string, bytes: number) =>
    struct(`isthmus_layout_${group.toLowerCase()}`, fieldsOf(groups.get(group) ?? [], group), bytes);
  const macro = ({ name, value }: Constant) => `#define ISTHMUS_${name} 0x${value.toString(16)}u`;
  return [
    "/* Generated from protocol/layout.ts and protocol/limits.ts by scripts/generate.ts. Do not edit.",
    "   Little-endian. Words that several participants write need atomic accesses: see protocol.md. */",
    "#ifndef ISTHMUS_LAYOUT_H",
    "#define ISTHMUS_LAYOUT_H",
    "#include <stddef.h>",
    "#include <stdint.h>",
    "",
    `#define ISTHMUS_LAYOUT_FINGERPRINT 0x${fingerprint.toString(16)}u`,
    ...layout.map(macro),
    "",
    ...limits.map(macro),
    "",
    ...layoutStruct("HEADER", value("HEADER_BYTES")),
    ...layoutStruct("PARTICIPANT", value("PARTICIPANT_BYTES")),
    ...layoutStruct("ENTRY", value("ENTRY_BYTES")),
    ...layoutStruct("RING", value("RING_WAITERS_OFFSET")),
    "#endif",
    "",
  ].join("\n");
}

/** Text of shims/generated/contract.h. */
export function contractHeader(number: number): string {
  return [
    "/* Generated from protocol/shim.ts by scripts/generate.ts. Do not edit. */",
    "#ifndef ISTHMUS_GENERATED_CONTRACT_H",
    "#define ISTHMUS_GENERATED_CONTRACT_H",
    "",
    "/* Which contract this shim keeps. */",
    `#define ISTHMUS_SHIM_CONTRACT ${number}`,
    "",
    "#endif",
    "",
  ].join("\n");
}

/** Text of shims/generated/locks.h: the one thing that shims know of the layout. */
export function locksHeader(layout: Constant[]): string {
  const macro = ({ name, value, doc }: Constant) => [
    `/* ${doc} */`,
    `#define ISTHMUS_${name} 0x${value.toString(16)}ull`,
  ];
  return [
    "/* Generated from protocol/layout.ts by scripts/generate.ts. Do not edit. */",
    "#ifndef ISTHMUS_GENERATED_LOCKS_H",
    "#define ISTHMUS_GENERATED_LOCKS_H",
    "",
    ...layout.filter(({ name }) => /^KERNEL_LOCK_(BASE|STAGED_BYTE)$/.test(name)).flatMap(macro),
    "",
    "#endif",
    "",
  ].join("\n");
}
