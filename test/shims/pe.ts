/** Reads of a PE file (64-bit) what its tests look at: no tool of the system is needed. */
import type { Buffer } from "node:buffer";

export interface Pe {
  machine: number;
  characteristics: number;
  imports: { library: string; names: string[] }[];
  exports: string[];
  sections: { name: string; flags: number }[];
}

export const PE_X64 = 0x8664;
export const PE_ARM64 = 0xaa64;
/** DllCharacteristics: any address, also a high one; no data that is executed. */
export const ANY_ADDRESS = 0x160;
export const SECTION_WRITES = 0x80000000;
export const SECTION_RUNS = 0x20000000;

const OPTIONAL_64 = 0x20b;
const DIRECTORY_EXPORTS = 0;
const DIRECTORY_IMPORTS = 1;
const BY_ORDINAL = 1n << 63n;

function text(file: Buffer, at: number): string {
  return file.toString("latin1", at, file.indexOf(0, at));
}

export function readPe(file: Buffer): Pe {
  const header = file.readUInt32LE(0x3c);
  if (file.toString("latin1", 0, 2) !== "MZ" || file.toString("latin1", header, header + 4) !== "PE\0\0")
    throw new Error("not a PE file");
  const optional = header + 24;
  if (file.readUInt16LE(optional) !== OPTIONAL_64) throw new Error("not a 64-bit PE file");
  const sectionTable = optional + file.readUInt16LE(header + 20);
  const sections = Array.from({ length: file.readUInt16LE(header + 6) }, (_, index) => {
    const at = sectionTable + 40 * index;
    return {
      name: file.toString("latin1", at, at + 8).replace(/\0+$/, ""),
      address: file.readUInt32LE(at + 12),
      bytes: file.readUInt32LE(at + 16),
      offset: file.readUInt32LE(at + 20),
      flags: file.readUInt32LE(at + 36),
    };
  });
  const offsetOf = (address: number): number => {
    const found = sections.find((each) => address >= each.address && address < each.address + each.bytes);
    if (!found) throw new Error(`no section has the address ${address}`);
    return address - found.address + found.offset;
  };
  const directory = (index: number): number => file.readUInt32LE(optional + 112 + 8 * index);
  return {
    machine: file.readUInt16LE(header + 4),
    characteristics: file.readUInt16LE(optional + 70),
    imports: importsOf(file, directory(DIRECTORY_IMPORTS), offsetOf),
    exports: exportsOf(file, directory(DIRECTORY_EXPORTS), offsetOf),
    sections: sections.map(({ name, flags }) => ({ name, flags })),
  };
}

type OffsetOf = (address: number) => number;

function importsOf(file: Buffer, table: number, offsetOf: OffsetOf): Pe["imports"] {
  const found: Pe["imports"] = [];
  for (let at = offsetOf(table); file.readUInt32LE(at + 12) !== 0; at += 20) {
    const names: string[] = [];
    for (let entry = offsetOf(file.readUInt32LE(at)); file.readBigUInt64LE(entry) !== 0n; entry += 8) {
      const value = file.readBigUInt64LE(entry);
      names.push(value & BY_ORDINAL ? `#${value}` : text(file, offsetOf(Number(value)) + 2));
    }
    found.push({ library: text(file, offsetOf(file.readUInt32LE(at + 12))), names });
  }
  return found;
}

function exportsOf(file: Buffer, table: number, offsetOf: OffsetOf): string[] {
  if (table === 0) return [];
  const at = offsetOf(table);
  const names = offsetOf(file.readUInt32LE(at + 32));
  return Array.from({ length: file.readUInt32LE(at + 24) }, (_, index) =>
    text(file, offsetOf(file.readUInt32LE(names + 4 * index))),
  );
}
