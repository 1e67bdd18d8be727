/** What children of the tests of caches do. */
import { type Cache, Segment } from "isthmus";

let cache: Cache<unknown, unknown>;
let bytes: Cache;

export function open(name: string): void {
  const segment = Segment.open(name);
  cache = segment.cache("json", { bytes: 256 * 1024, value: "json" });
  bytes = segment.cache("bytes", { bytes: 64 * 1024 });
}

/** Begins to compute a value, and does not end. Resolves when it has begun. */
export function computes(key: string): Promise<void> {
  return new Promise((begun) => {
    void cache.getOrSet(key, () => {
      begun();
      return new Promise(() => {});
    });
  });
}

/** Sets values for ever: each byte of a value says which key it belongs to. */
export function writes(keys: number, seed: number): void {
  let random = seed;
  const next = (limit: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return (random >>> 8) % limit;
  };
  const turn = (): void => {
    for (let count = 0; count < 500; count++) {
      const key = next(keys);
      if (next(10) === 0) bytes.delete(`k${key}`);
      else bytes.set(`k${key}`, new Uint8Array(next(700)).fill(key));
      bytes.add("changes", 1);
    }
    setImmediate(turn);
  };
  setImmediate(turn);
}

export function add(key: string, times: number): void {
  for (let time = 0; time < times; time++) cache.add(key, 1);
}

export async function once(key: string): Promise<unknown> {
  return cache.getOrSet(key, async () => {
    cache.add("computed", 1);
    return { by: process.pid };
  });
}
