/** What a wasm file consists of, read from its bytes: no engine or tool stands between the file and the judgement. */
import { createHash } from "node:crypto";

const SECTION_IMPORT = 2;
const SECTION_DATA = 11;
const KINDS = ["func", "table", "memory", "global", "tag"];

/** Reads the numbers, names and limits of the wasm binary format, one after another. */
class Reader {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  byte(): number {
    if (this.at >= this.bytes.length) throw new Error("the wasm file ends early");
    return this.bytes[this.at++] as number;
  }

  /** LEB128 */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  name(): string {
    const bytes = this.number();
    this.at += bytes;
    return new TextDecoder().decode(this.bytes.subarray(this.at - bytes, this.at));
  }
}

export interface Shape {
  /** "module.name kind" each */
  imports: string[];
  hasDataSection: boolean;
  sha256: string;
}

function skipDescription(reader: Reader, kind: number): void {
  if (kind === 0) reader.number();
  else if (kind === 2) {
    const flags = reader.byte();
    reader.number();
    if (flags & 1) reader.number();
  } else throw new Error(`an import of kind ${KINDS[kind]} is not expected`);
}

function importsOf(reader: Reader): string[] {
  return Array.from({ length: reader.number() }, () => {
    const name = `${reader.name()}.${reader.name()}`;
    const kind = reader.byte();
    skipDescription(reader, kind);
    return `${name} ${KINDS[kind]}`;
  });
}

export function sha256(wasm: Uint8Array): string {
  return createHash("sha256").update(wasm).digest("hex");
}

export function shapeOf(wasm: Uint8Array): Shape {
  const reader = new Reader(wasm);
  reader.at = 8;
  const shape: Shape = { imports: [], hasDataSection: false, sha256: sha256(wasm) };
  while (reader.at < wasm.length) {
    const section = reader.byte();
    const bytes = reader.number();
    const end = reader.at + bytes;
    if (section === SECTION_IMPORT) shape.imports = importsOf(reader);
    if (section === SECTION_DATA) shape.hasDataSection = true;
    reader.at = end;
  }
  return shape;
}
