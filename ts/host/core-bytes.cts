/** The bytes of the core. The JavaScript contains them, so that a bundle needs no file. */
import { builtin } from "./builtin.cjs";

/** Decodes the core; with `plain`, the one whose loads never write (see assembly/word.ts). */
export function coreBytes(plain: boolean): Uint8Array<ArrayBuffer> {
  const embedded = require("./embedded-core.cjs") as typeof import("./embedded-core.cjs");
  const deflated = builtin("node:buffer").Buffer.from(plain ? embedded.plain : embedded.core, "base64");
  return builtin("node:zlib").inflateRawSync(deflated);
}

/** The functions of both cores that are in their table, in its order. */
export function coreNames(): string[] {
  return (require("./embedded-core.cjs") as typeof import("./embedded-core.cjs")).names.split(" ");
}
