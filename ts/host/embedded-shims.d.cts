/**
 * The shims for Linux, as `scripts/complete-dist.mjs` writes them into the build: base64 of the files under prebuilds/,
 * compressed with Brotli. `native.cts` says why there is none for Windows; those for macOS are not in the package yet.
 */
export declare const shims: Record<string, { compressed: string; sha256: string } | undefined>;
