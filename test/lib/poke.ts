/**
 * Reads and writes the bytes of a named segment past the library, as a buggy or hostile peer could. On Linux it is a file; elsewhere
 * it takes the shim, and the segment must be open somewhere.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import * as layout from "../../protocol/layout.js";
import { internal } from "./internals.js";
import { areFiles, segmentPath } from "./segments.js";
import { isDarwin } from "./skips.js";

/** Whether the bytes lie in the file that has the name. */
const inFile = areFiles && !isDarwin;

/** The mapping and the file are the same memory, so what is written here is seen at once. */
function withFile<T>(name: string, use: (descriptor: number) => T): T {
  const descriptor = openSync(segmentPath(name), "r+");
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A mapping of this process, for as long as the function runs. */
function withMapping<T>(name: string, use: (bytes: Uint8Array) => T): T {
  const { native, Region } = internal<typeof import("../../ts/host/region.js")>("host/region");
  const region = Region.open("poking", false, () => native.openNamed(name, 0, false, false, 0));
  region.ends();
  try {
    return use(new Uint8Array(region.map(region.info().bytes).buffer));
  } finally {
    region.close();
  }
}

export function pokeBytes(name: string, offset: number, bytes: Uint8Array): void {
  if (inFile) withFile(name, (descriptor) => writeSync(descriptor, bytes, 0, bytes.length, offset));
  else withMapping(name, (all) => all.set(bytes, offset));
}

export function peekBytes(name: string, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (!inFile) return withMapping(name, (all) => Buffer.from(all.slice(offset, offset + length)));
  withFile(name, (descriptor) => readSync(descriptor, bytes, 0, length, offset));
  return bytes;
}

export function poke16(name: string, offset: number, value: number): void {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  pokeBytes(name, offset, bytes);
}

export function poke32(name: string, offset: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  pokeBytes(name, offset, bytes);
}

export function poke64(name: string, offset: number, value: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  pokeBytes(name, offset, bytes);
}

export const peek32 = (name: string, offset: number): number => peekBytes(name, offset, 4).readUInt32LE();
export const peek64 = (name: string, offset: number): bigint => peekBytes(name, offset, 8).readBigUInt64LE();

/** Offset of the directory's entry `index`. */
export function entryOffset(name: string, index: number): number {
  const payload = Number(peek64(name, layout.HEADER_PAYLOAD_OFFSET_OFFSET));
  return payload + layout.OBJECT_ALIGNMENT + index * layout.ENTRY_BYTES;
}

/** Offset of the object of that name. */
export function objectOffset(name: string, object: string): number {
  const count = peek32(name, layout.DIRECTORY_COUNT_OFFSET);
  for (let index = 0; index < count; index++) {
    const entry = entryOffset(name, index);
    const length = peek32(name, entry + layout.ENTRY_NAME_BYTES_OFFSET);
    if (peekBytes(name, entry + layout.ENTRY_NAME_OFFSET, length).toString() !== object) continue;
    return peek32(name, entry + layout.ENTRY_OBJECT_OFFSET);
  }
  throw new Error(`segment ${name} has no object ${object}`);
}
