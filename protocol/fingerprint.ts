/** Generated from protocol/layout.ts and protocol/limits.ts by scripts/generate.ts. Do not edit. */
export const LAYOUT_FINGERPRINT = 0x0069ebfb;
