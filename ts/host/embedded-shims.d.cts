/** The shims, as `scripts/complete-dist.mjs` writes them into the build: base64 of the deflated files under prebuilds/. */
export declare const shims: Record<string, { deflated: string; sha256: string } | undefined>;
