/** Reads of a Mach-O file (64-bit, little-endian) what its tests look at: no tool of the system is needed. */
import type { Buffer } from "node:buffer";

export interface MachoSymbol {
  /** Without the underscore that the linker puts before each name of C. */
  name: string;
  defined: boolean;
  /** Of the library that the loader takes it from, from 1; LOOKED_UP_ANYWHERE: whatever has it. Undefined for what is defined. */
  library: number | undefined;
}

export interface Macho {
  machine: number;
  type: number;
  /** The libraries that the loader must find. */
  libraries: string[];
  /** Under which name the file itself can be asked for. */
  installName: string;
  /** The oldest macOS that loads it, "11.0". */
  minimum: string;
  signed: boolean;
  /** What others see, and what is asked of others. */
  symbols: MachoSymbol[];
  segments: { name: string; writable: boolean; executable: boolean }[];
}

export const MACHO_X64 = 0x01000007;
export const MACHO_ARM64 = 0x0100000c;
export const DYLIB = 6;
export const LOOKED_UP_ANYWHERE = -2;

const MAGIC = 0xfeedfacf;
const HEADER_BYTES = 32;
const SYMBOL_BYTES = 16;
const PLATFORM_MACOS = 1;
const WRITE = 2;
const EXECUTE = 4;
const EXTERNAL = 1;
const KIND = 0x0e;
const DEBUG = 0xe0;

const LC_SYMTAB = 0x2;
const LC_LOAD_DYLIB = 0xc;
const LC_ID_DYLIB = 0xd;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const LC_DYLD_INFO = 0x22;
const LC_BUILD_VERSION = 0x32;
const LC_VERSION_MIN_MACOSX = 0x24;

function text(file: Buffer, at: number, end = file.length): string {
  const zero = file.indexOf(0, at);
  return file.toString("utf8", at, Math.min(zero < 0 ? end : zero, end));
}

function version(word: number): string {
  return `${word >>> 16}.${(word >>> 8) & 0xff}`;
}

/** What a program for the loader says, byte after byte: a high half that means what to do, and a low half. */
const BIND = {
  library: 0x10,
  libraryLong: 0x20,
  librarySpecial: 0x30,
  name: 0x40,
  withNumber: [0x60, 0x70, 0x80, 0xa0],
  withTwoNumbers: 0xc0,
  now: [0x90, 0xa0, 0xb0, 0xc0],
};

/** From which library the loader takes each name, by the programs that it runs at once and at the first call. */
function bindingsOf(file: Buffer, command: number): Map<string, number> {
  const bindings = new Map<string, number>();
  for (const field of [16, 32]) {
    let at = file.readUInt32LE(command + field);
    const end = at + file.readUInt32LE(command + field + 4);
    const number = (): number => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = file[at++] as number;
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) return value;
      }
    };
    let [library, name] = [0, ""];
    while (at < end) {
      const byte = file[at++] as number;
      const [todo, low] = [byte & 0xf0, byte & 0x0f];
      if (todo === BIND.library) library = low;
      if (todo === BIND.libraryLong) library = number();
      if (todo === BIND.librarySpecial) library = low === 0 ? 0 : low - 16;
      if (todo === BIND.name) {
        name = text(file, at);
        at = file.indexOf(0, at) + 1;
      }
      if (BIND.withNumber.includes(todo)) number();
      if (todo === BIND.withTwoNumbers) [number(), number()];
      if (BIND.now.includes(todo)) bindings.set(name, library);
    }
  }
  return bindings;
}

function symbolsOf(file: Buffer, command: number): MachoSymbol[] {
  const [at, count, strings] = [8, 12, 16].map((offset) => file.readUInt32LE(command + offset)) as [
    number,
    number,
    number,
  ];
  return Array.from({ length: count }, (_, i) => at + i * SYMBOL_BYTES)
    .filter((symbol) => {
      const type = file[symbol + 4] as number;
      return (type & DEBUG) === 0 && (type & EXTERNAL) !== 0 && (type & 0x10) === 0;
    })
    .map((symbol) => ({
      name: text(file, strings + file.readUInt32LE(symbol)),
      defined: ((file[symbol + 4] as number) & KIND) !== 0,
      library: undefined,
    }));
}

export function readMacho(file: Buffer): Macho {
  if (file.readUInt32LE(0) !== MAGIC) throw new Error("not a Mach-O file");
  const out: Macho = {
    machine: file.readUInt32LE(4),
    type: file.readUInt32LE(12),
    libraries: [],
    installName: "",
    minimum: "",
    signed: false,
    symbols: [],
    segments: [],
  };
  let bindings = new Map<string, number>();
  let at = HEADER_BYTES;
  for (let i = file.readUInt32LE(16); i > 0; i--) {
    const kind = file.readUInt32LE(at) & 0x7fffffff;
    const bytes = file.readUInt32LE(at + 4);
    if (kind === LC_LOAD_DYLIB) out.libraries.push(text(file, at + file.readUInt32LE(at + 8)));
    if (kind === LC_ID_DYLIB) out.installName = text(file, at + file.readUInt32LE(at + 8));
    if (kind === LC_VERSION_MIN_MACOSX) out.minimum = version(file.readUInt32LE(at + 8));
    if (kind === LC_BUILD_VERSION && file.readUInt32LE(at + 8) === PLATFORM_MACOS)
      out.minimum = version(file.readUInt32LE(at + 12));
    if (kind === LC_CODE_SIGNATURE) out.signed = true;
    if (kind === LC_DYLD_INFO) bindings = bindingsOf(file, at);
    if (kind === LC_SYMTAB) out.symbols = symbolsOf(file, at);
    if (kind === LC_SEGMENT_64) {
      const protection = file.readUInt32LE(at + 60);
      const name = text(file, at + 8, at + 24);
      out.segments.push({
        name,
        writable: (protection & WRITE) !== 0,
        executable: (protection & EXECUTE) !== 0,
      });
    }
    at += bytes;
  }
  out.symbols = out.symbols.map(({ name, defined }) => ({
    name: name.replace(/^_/, ""),
    defined,
    library: bindings.get(name),
  }));
  return out;
}
