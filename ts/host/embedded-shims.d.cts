/**
 * The shims, as `scripts/complete-dist.mjs` writes them into the build: base64 of the files
 * under prebuilds/, compressed with Brotli; not those for Windows, see native.cts. */
export declare const shims: Record<string, { compressed: string; sha256: string } | undefined>;
