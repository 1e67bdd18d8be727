/**
 * The core, as `scripts/complete-dist.mjs` writes it into the build: base64 of the two files in dist/, with a table in place of
 * most exports, deflated.
 */
export declare const core: string;
export declare const plain: string;
/** The names of the functions in the table, with a space between. */
export declare const names: string;
