/** What a cache keeps when it makes room, and what it evicts. */
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** As large as an entry of a cache with these bytes may be, but for a short key. */
const LARGEST = 119_000;

/** So often an entry is read that it has all marks that it can have. */
const READS = 3;

for (const cacheBytes of [MiB, 2 * MiB]) {
  for (const part of [1, 0.8, 0.66, 0.5, 0.3]) {
    const size = Math.floor(LARGEST * part);
    test(`a cache of ${cacheBytes / MiB} MiB full of values of ${size} bytes that are all in use takes another one`, () => {
      using segment = Segment.createAnonymous({ bytes: 8 * MiB });
      const cache = segment.cache("c", { bytes: cacheBytes });
      const value = new Uint8Array(size);
      const most = Math.ceil(cacheBytes / size);
      for (let index = 0; index < 2 * most; index++) {
        cache.set(`k${index}`, value.fill(index));
        for (let old = Math.max(0, index - most); old <= index; old++)
          for (let read = 0; read < READS; read++) cache.get(`k${old}`);
        assert.is(cache.get(`k${index}`)?.at(-1), index & 255);
      }
      assert.ok(cache.stats.entries >= most / 3, `${cache.stats.entries} of ${most}`);
    });
  }
}

/** Writes new values under a few keys, until the log was written many times over. */
function overwrite(cache: ReturnType<Segment["cache"]>, sizes: number[]): void {
  const laps = 8;
  for (let written = 0, index = 0; written < laps * cache.bytes; index++) {
    const value = new Uint8Array(sizes[index % sizes.length]).fill(index);
    cache.set(`hot ${index % 50}`, value);
    written += value.length;
  }
}

for (const [what, sizes] of [
  ["of one size", [100]],
  ["small and large", [10, 30, 100, 2000]],
  ["that are large", [6000]],
] as [string, number[]][]) {
  test(`new values ${what} under keys that are there evict nothing, while all that is in use has room`, () => {
    using segment = Segment.createAnonymous({ bytes: 4 * MiB });
    const cache = segment.cache("c", { bytes: MiB });
    const cold = Array.from({ length: 1000 }, (_, index) => [`cold ${index}`, index & 255] as const);
    for (const [key, number] of cold) cache.set(key, new Uint8Array(100).fill(number));
    overwrite(cache, sizes);
    assert.equal(
      cold.filter(([key, number]) => cache.get(key)?.[99] !== number),
      [],
    );
    assert.is(cache.stats.evicted, 0);
    assert.is(cache.size, cold.length + 50);
  });
}

test("deleted entries make room for new ones before anything is evicted", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 256 * KiB });
  const value = new Uint8Array(100);
  for (let index = 0; index < 500; index++) cache.set(`stays ${index}`, value);
  for (let index = 0; index < 20_000; index++) {
    cache.set(`goes ${index}`, value);
    cache.delete(`goes ${index}`);
  }
  assert.is(cache.stats.evicted, 0);
  assert.is(cache.size, 500);
});

test("what nobody used goes first, when all that is in use has no room", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 256 * KiB });
  const value = new Uint8Array(100);
  for (let index = 0; index < 50; index++) cache.set(`used ${index}`, value);
  for (let index = 0; index < 5000; index++) {
    cache.set(`new ${index}`, value);
    cache.get(`used ${index % 50}`);
  }
  for (let index = 0; index < 50; index++) assert.ok(cache.has(`used ${index}`), `used ${index}`);
  const { evicted, entries, sets } = cache.stats;
  assert.ok(evicted > 3000, `${evicted}`);
  assert.is(sets - evicted, entries);
});

test.run();
