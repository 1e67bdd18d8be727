/** Reads of an ELF file (64-bit, little-endian) what its tests look at: no tool of the system is needed. */
import type { Buffer } from "node:buffer";

export interface ElfSymbol {
  name: string;
  defined: boolean;
}

export interface Elf {
  machine: number;
  /** DT_NEEDED: the libraries that the loader must find. */
  needed: string[];
  /** Whether there is any table of symbol versions. */
  versioned: boolean;
  /** Whether the loader must write into code. */
  textRelocations: boolean;
  symbols: ElfSymbol[];
  segments: { type: number; flags: number; alignment: number }[];
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_TEXTREL = 22;
const DT_GNU_HASH = 0x6ffffef5;
const VERSION_TAGS = [0x6ffffff0, 0x6ffffffc, 0x6ffffffe]; // VERSYM, VERDEF, VERNEED
const SYMBOL_BYTES = 24;

export const MACHINE_X64 = 62;
export const MACHINE_ARM64 = 183;
export const PT_GNU_STACK = 0x6474e551;
export const EXECUTABLE = 1;
export { PT_LOAD };

interface Header {
  type: number;
  flags: number;
  offset: number;
  address: number;
  fileBytes: number;
  alignment: number;
}

function programHeaders(file: Buffer): Header[] {
  const start = Number(file.readBigUInt64LE(32));
  const bytes = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = start + index * bytes;
    const wide = (offset: number): number => Number(file.readBigUInt64LE(at + offset));
    return {
      type: file.readUInt32LE(at),
      flags: file.readUInt32LE(at + 4),
      offset: wide(8),
      address: wide(16),
      fileBytes: wide(32),
      alignment: wide(48),
    };
  });
}

function text(file: Buffer, at: number): string {
  return file.toString("utf8", at, file.indexOf(0, at));
}

export function readElf(file: Buffer): Elf {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error("not an ELF file");
  const headers = programHeaders(file);
  const offsetOf = (address: number): number => {
    const inside = (each: Header): boolean =>
      address >= each.address && address < each.address + each.fileBytes;
    const header = headers.find((each) => each.type === PT_LOAD && inside(each)) as Header;
    return address - header.address + header.offset;
  };
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC) as Header;
  const entries: [tag: number, value: number][] = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.fileBytes; at += 16) {
    const tag = Number(file.readBigUInt64LE(at));
    if (tag === 0) break;
    entries.push([tag, Number(file.readBigUInt64LE(at + 8))]);
  }
  const value = (wanted: number): number | undefined => entries.find(([tag]) => tag === wanted)?.[1];
  const strings = offsetOf(value(DT_STRTAB) as number);
  const first = offsetOf(value(DT_SYMTAB) as number);
  // No field gives the number of symbols; every linker puts the strings or the table of hashes after them.
  const hashes = value(DT_GNU_HASH);
  const after = [strings, hashes === undefined ? 0 : offsetOf(hashes)].filter((offset) => offset > first);
  const end = Math.min(file.length, ...after);
  const symbols: ElfSymbol[] = [];
  for (let at = first + SYMBOL_BYTES; at + SYMBOL_BYTES <= end; at += SYMBOL_BYTES) {
    const name = text(file, strings + file.readUInt32LE(at));
    if (name === "" || (file[at + 4] as number) >> 4 === 0) break;
    symbols.push({ name, defined: file.readUInt16LE(at + 6) !== 0 });
  }
  return {
    machine: file.readUInt16LE(18),
    needed: entries.filter(([tag]) => tag === DT_NEEDED).map(([, at]) => text(file, strings + at)),
    versioned: entries.some(([tag]) => VERSION_TAGS.includes(tag)),
    textRelocations: entries.some(([tag]) => tag === DT_TEXTREL),
    symbols,
    segments: headers.map(({ type, flags, alignment }) => ({ type, flags, alignment })),
  };
}
