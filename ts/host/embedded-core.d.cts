/** The core, as `scripts/complete-dist.mjs` writes it into the build: base64 of dist/core.wasm and of dist/core-plain.wasm. */
export declare const core: string;
export declare const plain: string;
