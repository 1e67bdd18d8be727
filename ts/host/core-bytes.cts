/** The bytes of the core. They lie in the JavaScript, so that no file has to be found wherever a bundler puts this. */
import { builtin } from "./builtin.cjs";

/** Decodes the core; with `plain` the one that never writes when it loads (see assembly/word.ts). */
export function coreBytes(plain: boolean): Uint8Array<ArrayBuffer> {
  const embedded = require("./embedded-core.cjs") as typeof import("./embedded-core.cjs");
  const deflated = builtin("node:buffer").Buffer.from(plain ? embedded.plain : embedded.core, "base64");
  return builtin("node:zlib").inflateRawSync(deflated);
}
