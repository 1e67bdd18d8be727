/** The bytes of the core. The JavaScript contains them, so that a bundle needs no file. */
import { builtin } from "./builtin.cjs";

/** Decodes the core; with `plain`, the one whose loads never write (see assembly/word.ts). */
export function coreBytes(plain: boolean): Uint8Array<ArrayBuffer> {
  const embedded = require("./embedded-core.cjs") as typeof import("./embedded-core.cjs");
  const cores = builtin("node:zlib").brotliDecompressSync(
    builtin("node:buffer").Buffer.from(embedded.cores, "base64"),
  );
  return plain ? cores.subarray(embedded.coreBytes) : cores.subarray(0, embedded.coreBytes);
}

/** The functions of both cores that are in their table, in its order. */
export function coreNames(): string[] {
  return (require("./embedded-core.cjs") as typeof import("./embedded-core.cjs")).names.split(" ");
}
