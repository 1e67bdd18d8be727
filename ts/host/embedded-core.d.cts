/**
 * The core, as `scripts/complete-dist.mjs` writes it into the build: base64 of core.wasm and core-plain.wasm of dist/, with a
 * table in place of most exports, one behind the other, compressed with Brotli. The second costs next to nothing that way.
 */
export declare const cores: string;
/** How many of the bytes are the first one. */
export declare const coreBytes: number;
/** The names of the functions in the table, with a space between. */
export declare const names: string;
