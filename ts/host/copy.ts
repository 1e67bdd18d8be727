/** Copying large payloads into and out of shared memory as fast as the runtime can. */
import { RUNTIME_NODE } from "../../protocol/layout.js";
import { builtin } from "./builtin.cjs";
import { runtime } from "./runtime.js";

/**
 * From this many bytes on it pays. V8 copies between shared and private memory with a loop over words; in Node,
 * `Buffer.fill` with a source as long as the target is one memcpy (Node 18 to 26): for 64 KiB a third of the time into
 * shared memory, half of it out of it.
 */
export const LARGE_BYTES_MIN = 4096;

function bufferOver({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return builtin("node:buffer").Buffer.from(buffer, byteOffset, byteLength);
}

/** A function that copies a source of at least LARGE_BYTES_MIN bytes to the start of this target. */
export function copierTo(target: Uint8Array): (source: Uint8Array) => void {
  if (runtime !== RUNTIME_NODE) return (source) => target.set(source);
  const buffer = bufferOver(target);
  return (source) => buffer.fill(source, 0, source.length);
}

/** A function that copies a source of any length to a place in this shared memory. */
export function copierInto(shared: Uint8Array): (source: Uint8Array, at: number) => void {
  if (runtime !== RUNTIME_NODE) return (source, at) => shared.set(source, at);
  const buffer = bufferOver(shared);
  return (source, at) => {
    // Bytes of the segment itself may overlap with where they go, and `fill` is not defined for that.
    if (source.length < LARGE_BYTES_MIN || source.buffer === shared.buffer) shared.set(source, at);
    else buffer.fill(source, at, at + source.length);
  };
}
