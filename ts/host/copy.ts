/** Copying large payloads into and out of shared memory as fast as the runtime can. */
import { RUNTIME_NODE } from "../../protocol/layout.js";
import { builtin } from "./builtin.cjs";
import { runtime } from "./runtime.js";

/**
 * From this many bytes on, the faster way pays off. V8 copies between shared and private memory with a loop over words. In Node
 * 18 to 26, `Buffer.fill` with a source as long as the target is one memcpy. For 64 KiB it takes a third of the time into
 * shared memory, and half of the time out of it.
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

/** A function that copies a source of any length to an offset of this shared memory. */
export function copierInto(shared: Uint8Array): (source: Uint8Array, at: number) => void {
  if (runtime !== RUNTIME_NODE) return (source, at) => shared.set(source, at);
  const buffer = bufferOver(shared);
  return (source, at) => {
    // A source inside the segment may overlap with its target, and `fill` is not defined for that.
    if (source.length < LARGE_BYTES_MIN || source.buffer === shared.buffer) shared.set(source, at);
    else buffer.fill(source, at, at + source.length);
  };
}
