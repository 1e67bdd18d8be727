/**
 * Which contract a shim keeps. A package and a shim of different releases can meet: in a folder that somebody copied, or where
 * a shim was built from source. The loader compares the numbers (`ts/host/native.cts`).
 *
 * Raise it with every change of what TypeScript gives to a shim or gets from it: a function, its arguments, its result or what
 * it does (`ts/host/native.ts`), the numbers of errors, the bytes that locks of the kernel stand on.
 */

/** Shims that have no such number are older than it. */
export const SHIM_CONTRACT = 2;
