/**
 * The shims for Linux, as `scripts/complete-dist.mjs` writes them into the build: base64 of the files under prebuilds/,
 * compressed with Brotli. `native.cts` says why there are no others.
 */
export declare const shims: Record<string, { compressed: string; sha256: string } | undefined>;
