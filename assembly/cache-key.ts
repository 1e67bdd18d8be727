/**
 * Keys of a cache: SipHash-2-4 with a result of 128 bits, the digest. Nothing in this file writes to shared memory.
 *
 * Two keys are the same if they have the same digest and are both texts, or both bytes. The key of the hash is a secret number
 * that the first opener has stored in the cache. SipHash is a pseudo-random function: who does not know the secret can neither
 * choose keys that meet in one bucket, nor two keys with one digest. By chance, two of 2^32 keys have the same digest with a
 * probability of 2^-65. So the bytes of keys are never compared, and a key of any length costs its reader no room.
 *
 * The core reads a key of up to PARTICIPANT_SCRATCH_BYTES from the scratch. The host passes any other one, and each of a host
 * that can only read, as words of 8 bytes. The digest is a private variable: the functions of `cache.ts` use that of the last
 * key.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and its reference code for 128 bits.
 */
import { scratch } from "./participants";

/** The digest of the last key. */
export let digestLow: u64 = 0;
export let digestHigh: u64 = 0;
/** Bytes of that key if it is in the scratch; else more than any key has. */
export let scratchBytes: u32 = u32.MAX_VALUE;

/** The state between two words of a key. */
let state0: u64 = 0;
let state1: u64 = 0;
let state2: u64 = 0;
let state3: u64 = 0;

/** Begins a key. `seed`: the secret of the cache; the second half of the key of the hash follows from it. */
// biome-ignore-start lint/correctness/noPrecisionLoss: they are u64, not JavaScript numbers
export function keyBegin(seed: u64): void {
  const other = rotl<u64>(seed * 0x9e3779b97f4a7c15, 32);
  state0 = seed ^ 0x736f6d6570736575;
  state1 = other ^ 0x646f72616e646f6d ^ 0xee;
  state2 = seed ^ 0x6c7967656e657261;
  state3 = other ^ 0x7465646279746573;
  scratchBytes = u32.MAX_VALUE;
}
// biome-ignore-end lint/correctness/noPrecisionLoss: see above

/** Goes on with `words` words at an offset, and with `last`. `ends`: that is the end of the key. */
export function keyMix(at: usize, words: u32, last: u64, ends: bool): void {
  let v0 = state0;
  let v1 = state1;
  let v2 = state2;
  let v3 = state3;
  const turns = words + (ends ? 3 : 1);
  for (let turn: u32 = 0; turn < turns; turn++) {
    const word = turn < words ? load<u64>(at + (usize(turn) << 3)) : last;
    if (turn <= words) v3 ^= word;
    else if (turn == words + 1) v2 ^= 0xee;
    else {
      digestLow = v0 ^ v1 ^ v2 ^ v3;
      v1 ^= 0xdd;
    }
    const rounds = turn <= words ? 2 : 4;
    for (let round = 0; round < rounds; round++) {
      v0 += v1;
      v2 += v3;
      v1 = rotl<u64>(v1, 13) ^ v0;
      v3 = rotl<u64>(v3, 16) ^ v2;
      v0 = rotl<u64>(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = rotl<u64>(v1, 17) ^ v2;
      v3 = rotl<u64>(v3, 21) ^ v0;
      v2 = rotl<u64>(v2, 32);
    }
    if (turn <= words) v0 ^= word;
  }
  state0 = v0;
  state1 = v1;
  state2 = v2;
  state3 = v3;
  if (ends) digestHigh = v0 ^ v1 ^ v2 ^ v3;
}

/** The key is in the scratch, as a whole. */
export function keyOfScratch(seed: u64, bytes: u32): void {
  const at = scratch();
  const words = bytes >>> 3;
  let last = u64(bytes) << 56;
  for (let index = words << 3; index < bytes; index++) {
    last |= u64(load<u8>(at + index)) << ((index & 7) << 3);
  }
  keyBegin(seed);
  keyMix(at, words, last, true);
  scratchBytes = bytes;
}
