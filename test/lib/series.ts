/** A numbered series of records that can be checked byte for byte. */

const LENGTH_MAX = 300;

/** The payload of record `index`: 0 to 299 bytes, different from its neighbours in length and content. */
export function payload(index: number): Uint8Array {
  const bytes = new Uint8Array((index * 37) % LENGTH_MAX);
  for (let i = 0; i < bytes.length; i++) bytes[i] = index * 31 + i;
  return bytes;
}

export function checkPayload(index: number, bytes: Uint8Array): void {
  const wanted = payload(index);
  if (bytes.length === wanted.length && bytes.every((byte, i) => byte === wanted[i])) return;
  throw new Error(`record ${index} has ${bytes.length} bytes instead of ${wanted.length}, or other content`);
}

/** A record of at least 8 bytes that carries its number; for series whose reader does not know what comes. */
export function numbered(number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, number, true);
  for (let i = 8; i < length; i++) bytes[i] = number * 7 + i;
  return bytes;
}

/** The number that a record carries; throws when its content is not what `numbered` made. */
export function numberOf(bytes: Uint8Array): number {
  const number = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0, true);
  for (let i = 8; i < bytes.length; i++) {
    if (bytes[i] !== ((number * 7 + i) & 255))
      throw new Error(`record ${number} is torn at byte ${i} of ${bytes.length}`);
  }
  return number;
}

/** Random numbers that depend on the seed alone (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A new seed, printed, or the one of the environment: ISTHMUS_SEED=… repeats a run. */
export function printedSeed(): number {
  const seed = process.env.ISTHMUS_SEED ? Number(process.env.ISTHMUS_SEED) : (Math.random() * 2 ** 32) >>> 0;
  console.log(`ISTHMUS_SEED=${seed}`);
  return seed;
}
