/**
 * Hit ratios of a cache on keys with Zipf's distribution, beside `lru-cache` of npm with room for as many entries:
 *
 *     node build/bench/hit-ratio.js
 *
 * Each key that is not found is set. `lru-cache` is used if it is installed.
 */
import { MiB, Segment } from "isthmus";

const KEYS = 100_000;
const READS = 1_000_000;
const VALUE = new Uint8Array(100);

interface Store {
  get(key: string): unknown;
  set(key: string, value: Uint8Array): unknown;
}

/** Numbers of keys, the same ones for each store: those of small numbers are the most frequent. */
function* zipf(exponent: number): Generator<number> {
  const sums = new Float64Array(KEYS);
  let sum = 0;
  for (let key = 0; key < KEYS; key++) {
    sum += 1 / (key + 1) ** exponent;
    sums[key] = sum;
  }
  let random = 1;
  for (let read = 0; read < READS; read++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const wanted = ((random >>> 0) / 2 ** 32) * sum;
    let [low, high] = [0, KEYS - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    yield low;
  }
}

/** The share of reads of the second half that found something. */
function ratio(store: Store, exponent: number): number {
  let [reads, hits] = [0, 0];
  for (const key of zipf(exponent)) {
    const name = `key ${key}`;
    const found = store.get(name) !== undefined;
    if (!found) store.set(name, VALUE);
    if (++reads > READS / 2 && found) hits++;
  }
  return hits / (READS / 2);
}

type LruCache = new (options: { max: number }) => Store;
const peer = "lru-cache";
const lru = (await import(peer).catch(() => undefined)) as { LRUCache?: LruCache } | undefined;

for (const exponent of [0.7, 0.9, 1, 1.1]) {
  for (const mebibytes of [1, 4]) {
    using segment = Segment.createAnonymous({ bytes: 16 * MiB });
    const cache = segment.cache("c", { bytes: mebibytes * MiB });
    const ours = ratio(cache, exponent);
    const max = cache.size;
    const theirs = lru?.LRUCache ? ratio(new lru.LRUCache({ max }), exponent) : Number.NaN;
    console.log(
      `${exponent}, ${mebibytes} MiB, ${max} entries: ${ours.toFixed(3)}, lru-cache ${theirs.toFixed(3)}`,
    );
  }
}
