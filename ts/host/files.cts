/** Where the files of this package lie. CommonJS, so that `__dirname` is right in the ESM and the CommonJS build. */
import path = require("node:path");

const root = path.resolve(__dirname, "../../../..");

/** The core, shared by both builds. */
export const coreFile: string = path.join(root, "dist", "core.wasm");

/** The same core with plain loads; see assembly/word.ts. */
export const plainCoreFile: string = path.join(root, "dist", "core-plain.wasm");
