/** Copying large payloads into and out of shared memory as fast as the runtime can. */
import { Buffer } from "node:buffer";
import { RUNTIME_NODE } from "../../protocol/layout.js";
import { runtime } from "./runtime.js";

/**
 * From this many bytes on it pays. V8 copies between shared and private memory with a loop over words; in Node,
 * `Buffer.fill` with a source as long as the target is one memcpy (Node 18 to 26): for 64 KiB a third of the time into
 * shared memory, half of it out of it.
 */
export const LARGE_BYTES_MIN = 4096;

/** A function that copies a source of at least LARGE_BYTES_MIN bytes to the start of this target. */
export function copierTo(target: Uint8Array): (source: Uint8Array) => void {
  if (runtime !== RUNTIME_NODE) return (source) => target.set(source);
  const buffer = Buffer.from(target.buffer, target.byteOffset, target.byteLength);
  return (source) => buffer.fill(source, 0, source.length);
}

/** A function that copies a source of any length to a place in this shared memory. */
export function copierInto(shared: Uint8Array): (source: Uint8Array, at: number) => void {
  if (runtime !== RUNTIME_NODE) return (source, at) => shared.set(source, at);
  const buffer = Buffer.from(shared.buffer, shared.byteOffset, shared.byteLength);
  return (source, at) => {
    if (source.length < LARGE_BYTES_MIN) shared.set(source, at);
    else buffer.fill(source, at, at + source.length);
  };
}
