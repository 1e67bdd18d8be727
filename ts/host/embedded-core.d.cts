/** The core, as `scripts/complete-dist.mjs` writes it into the build: base64 of the two files in dist/, deflated. */
export declare const core: string;
export declare const plain: string;
