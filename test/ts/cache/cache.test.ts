/** A cache as its users see it, within one process. */

import fc from "fast-check";
import { IsthmusError, KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused, rejected } from "../../lib/refusals.js";
import { segmentName } from "../../lib/segments.js";
import { until, within } from "../../lib/watchdog.js";

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString();
const bytes = (value: string): Uint8Array => Buffer.from(value);

function code(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return error instanceof IsthmusError ? error.code : (error as Error).name;
  }
  return undefined;
}

test("values are copies of bytes, and the newest one counts", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 256 * KiB });
  assert.is(cache.get("a"), undefined);
  const given = bytes("one");
  assert.is(cache.set("a", given), cache);
  given.fill(0);
  assert.is(text(cache.get("a")), "one");
  cache.set("a", new Uint16Array([1, 2]));
  assert.equal(cache.get("a"), new Uint8Array([1, 0, 2, 0]));
  cache.set("a", new Uint8Array(0));
  assert.equal(cache.get("a"), new Uint8Array(0));
  assert.ok(cache.has("a"));
  assert.not(cache.has("b"));
  assert.is(cache.size, 1);
  assert.is(cache.delete("a"), true);
  assert.is(cache.delete("a"), false);
  assert.equal([cache.get("a"), cache.size], [undefined, 0]);
});

const KEYS: (string | Uint8Array)[] = [
  "",
  "\0",
  "\0\0",
  "__proto__",
  "constructor",
  "\ud800",
  "\udc00",
  "\udc00\ud800",
  "😀",
  "é",
  "e\u0301",
  "\ufeff",
  "\ufffd",
  "a".repeat(255),
  "a".repeat(256),
  "a".repeat(257),
  "b".repeat(65_536),
  `${"b".repeat(65_535)}c`,
  "é".repeat(128),
  new Uint8Array(0),
  new Uint8Array(1),
  new Uint8Array(256).fill(97),
  new Uint8Array(65_536).fill(98),
  bytes("é"),
];

test("keys of any content and length are different keys, and come back as they were", () => {
  using segment = Segment.createAnonymous({ bytes: 4 * MiB });
  const cache = segment.cache("c", { bytes: 2 * MiB, value: "json" });
  for (const [index, key] of KEYS.entries()) cache.set(key, { index });
  for (const [index, key] of KEYS.entries()) assert.equal(cache.get(key), { index });
  const seen = new Map([...cache.entries()].map(([key, value]) => [(value as { index: number }).index, key]));
  assert.is(seen.size, KEYS.length);
  for (const [index, key] of KEYS.entries()) {
    const found = seen.get(index);
    assert.is(typeof found, typeof key === "string" ? "string" : "object");
    assert.equal(
      typeof found === "string" ? found : [...(found ?? [])],
      typeof key === "string" ? key : [...key],
    );
  }
  assert.is(
    code(() => cache.get("a".repeat(65_537))),
    "RangeError",
  );
  assert.is(
    code(() => cache.set("é".repeat(40_000), 1)),
    "RangeError",
  );
  for (const key of [1, undefined, null, {}, Symbol("a"), new ArrayBuffer(3)])
    assert.is(
      code(() => cache.get(key as never)),
      "TypeError",
    );
});

test("a read-only opener finds all keys, and changes nothing", () => {
  const name = segmentName("cache");
  using segment = Segment.create(name, { bytes: 4 * MiB });
  const cache = segment.cache("c", { bytes: 2 * MiB });
  for (const [index, key] of KEYS.entries()) cache.set(key, new Uint8Array([index]));
  cache.add("n", 3);
  using reader = Segment.open(name, { access: "read-only" });
  const seen = reader.cache("c");
  for (const [index, key] of KEYS.entries()) assert.equal(seen.get(key), new Uint8Array([index]));
  assert.is(new DataView((seen.get("n") as Uint8Array<ArrayBuffer>).buffer).getFloat64(0, true), 3);
  assert.is(seen.get("other"), undefined);
  assert.is([...seen.entries()].length, KEYS.length + 1);
  for (const call of [
    () => seen.set("a", bytes("a")),
    () => seen.delete("a"),
    () => seen.clear(),
    () => seen.add("a", 1),
  ])
    assert.is(code(call), "READ_ONLY");
  segment.unlink();
});

test("values of JSON and of a struct", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const json = segment.cache("j", { bytes: 64 * KiB, value: "json" });
  for (const value of [null, false, 0, -0, 7, 1.5, "é\ud800", [1, { a: [] }], { __proto__x: 1 }, 2 ** 60]) {
    json.set("k", value);
    assert.equal(json.get("k"), JSON.parse(JSON.stringify(value)));
  }
  for (const value of [undefined, () => 1, Symbol("s")])
    assert.is(
      code(() => json.set("k", value)),
      "TypeError",
    );
  assert.equal(json.get("k"), 2 ** 60);
  const Pose = struct({ id: "u32", at: ["f64", 2] });
  const poses = segment.cache("p", { bytes: 64 * KiB, value: Pose });
  poses.set("k", { id: 3, at: [1, 2] });
  assert.is(poses.get("k")?.id, 3);
  assert.equal([...(poses.get("k")?.at ?? [])], [1, 2]);
  assert.is(
    code(() => poses.set("k", { id: 3 } as never)),
    "TypeError",
  );
  assert.is(
    code(() => poses.add("k", 1)),
    "TypeError",
  );
  assert.is(
    code(() => segment.cache("p").get("k")),
    "OBJECT_MISMATCH",
  );
});

test("other parameters are refused, and without bytes it only opens", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  assert.is(
    code(() => segment.cache("c")),
    "NOT_FOUND",
  );
  segment.cache("c", { bytes: 64 * KiB, ttlMs: 5000, evict: "none", value: "json" });
  const again = segment.cache("c");
  assert.equal([again.bytes, again.ttlMs, again.evict], [64 * KiB, 5000, "none"]);
  for (const other of [
    { bytes: 65 * KiB, ttlMs: 5000, evict: "none", value: "json" },
    { bytes: 64 * KiB, evict: "none", value: "json" },
    { bytes: 64 * KiB, ttlMs: 5000, value: "json" },
    { bytes: 64 * KiB, ttlMs: 5000, evict: "none" },
  ] as const) {
    refused("OBJECT_MISMATCH", () => segment.cache("c", other), /cache "c" was made with/);
  }
  refused("TypeError", () => segment.cache("d", { byte: 1 } as never), /bytes/);
});

test("entries expire, by their own time or that of the cache", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB, ttlMs: 20, value: "json" });
  cache.set("short", 1);
  cache.set("long", 2, { ttlMs: 60_000 });
  cache.set("ever", 3, { ttlMs: Number.POSITIVE_INFINITY });
  await until("it has expired", () => !cache.has("short"));
  assert.equal([cache.get("short"), cache.get("long"), cache.get("ever")], [undefined, 2, 3]);
  assert.is(cache.delete("short"), false);
  assert.is(cache.add("short", 5), 5);
  assert.equal(
    [...cache.entries()]
      .map(([key]) => key)
      .filter((key) => key !== "short")
      .sort(),
    ["ever", "long"],
  );
});

test("what was used stays when others are evicted", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB });
  const value = new Uint8Array(100);
  cache.set("used", value);
  for (let index = 0; index < 10_000; index++) {
    cache.set(`k${index}`, value);
    if (index % 50 === 0) assert.ok(cache.get("used"), `evicted after ${index}`);
  }
  assert.is(cache.get("k0"), undefined);
  assert.ok(cache.get("k9999"));
  const { entries, bytes: used, capacity, evicted, sets, hits, misses, hitRatio } = cache.stats;
  assert.ok(entries > 300 && used > capacity * 0.8, `${entries} entries, ${used} of ${capacity}`);
  assert.is(sets - evicted, entries);
  assert.is(cache.size, entries);
  assert.is(hitRatio, hits / (hits + misses));
  assert.is([...cache.entries()].length, entries);
});

test("a full cache that evicts nothing refuses, and keeps what it has; deleted and expired entries make room", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB, evict: "none", value: "json" });
  const value = "x".repeat(500);
  let count = 0;
  while (code(() => cache.set(`k${count}`, value)) === undefined) count++;
  assert.ok(count > 90, `${count}`);
  assert.is(
    code(() => cache.set("k0", "y".repeat(5000))),
    "SEGMENT_FULL",
  );
  await rejected(
    "SEGMENT_FULL",
    cache.getOrSet("new", async () => value),
  );
  assert.is(cache.size, count);
  for (let index = 0; index < count; index++) assert.is(cache.get(`k${index}`), value);
  for (let round = 0; round < 50; round++) {
    const index = (round * 7) % count;
    assert.ok(cache.delete(`k${index}`));
    cache.set(`k${index}`, value, { ttlMs: round === 49 ? 1 : 60_000 });
  }
  assert.is(cache.size, count);
  await until("one has expired", () => !cache.has(`k${(49 * 7) % count}`));
  cache.set("new", value);
  assert.is(cache.get("new"), value);
});

test("entries that are too large are refused, in words", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB });
  const error = refused("TOO_LARGE", () => cache.set("k", new Uint8Array(20_000)));
  const [, most] = /must have (\d+) bytes/.exec(error.message) ?? [];
  cache.set("k", new Uint8Array(Number(most) - 1));
  assert.is(cache.get("k")?.length, Number(most) - 1);
});

test("add makes numbers, and refuses what is none", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB, value: "json" });
  assert.equal([cache.add("n", 2), cache.add("n", -5), cache.get("n")], [2, -3, -3]);
  cache.set("n", Number.MAX_SAFE_INTEGER - 1);
  assert.is(cache.add("n", 1), Number.MAX_SAFE_INTEGER);
  assert.is(
    code(() => cache.add("n", 1)),
    "RangeError",
  );
  assert.is(cache.get("n"), Number.MAX_SAFE_INTEGER);
  cache.set("n", "5");
  assert.is(
    code(() => cache.add("n", 1)),
    "TypeError",
  );
  assert.is(
    code(() => cache.add("n", 1.5)),
    "RangeError",
  );
  assert.is(cache.get("n"), "5");
  const long = "n".repeat(1000);
  assert.is(cache.add(long, 1) + cache.add(long, 1), 3);
});

test("a value is computed once for all tasks, and again when the function throws", async () => {
  const name = segmentName("cache");
  using segment = Segment.create(name, { bytes: MiB });
  using other = Segment.open(name);
  const [one, two] = [
    segment.cache("c", { bytes: 64 * KiB, value: "json" }),
    other.cache("c", { bytes: 64 * KiB, value: "json" }),
  ];
  let computed = 0;
  const compute = async (): Promise<unknown> => {
    computed++;
    if (computed === 1) throw new Error("not this time");
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { computed };
  };
  const calls = [one, two, one, two].map((cache) => cache.getOrSet("k", compute));
  const all = await within("all values", Promise.allSettled(calls));
  assert.is(computed, 2);
  assert.is(all.filter(({ status }) => status === "rejected").length, 1);
  for (const one of all) if (one.status === "fulfilled") assert.equal(one.value, { computed: 2 });
  assert.equal(await two.getOrSet("k", compute), { computed: 2 });
  segment.unlink();
});

test("tasks wait for keys of equal length apart", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB, value: "json" });
  const never = () => new Promise<string>(() => {});
  for (const key of ["a", "a", "a", Buffer.of(1), Buffer.of(1), Buffer.of(1)])
    cache.getOrSet(key, never).catch(() => {});
  const keys = ["b", Uint8Array.of(97), Uint8Array.of(98), Buffer.of(0xfe), Buffer.of(0xff)];
  const others = keys.map((key, index) => cache.getOrSet(key, async () => `${index}`));
  assert.equal(await within("the values of the others", Promise.all(others)), ["0", "1", "2", "3", "4"]);
});

test("a key of bytes is the one that it was when the call was made", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB });
  for (const length of [4, 2000]) {
    for (const key of [new Uint8Array(length), Buffer.alloc(length)]) {
      const whole = cache.getOrSet(key, async () => Uint8Array.of(1));
      key.fill(1);
      await whole;
      assert.equal([cache.has(new Uint8Array(length)), cache.has(key)], [true, false], `${length}`);
      cache.clear();
    }
  }
});

test("a key that is deleted or set while its value is computed does not get the old value", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB, value: "json" });
  const value = await cache.getOrSet("k", async () => {
    cache.delete("k");
    return "old";
  });
  assert.equal([value, cache.has("k")], ["old", false]);
  await cache.getOrSet("k", async () => {
    cache.set("k", "new");
    return "old";
  });
  assert.is(cache.get("k"), "new");
  assert.is(cache.size, 1);
});

test("waiting for another task ends with its timeout or signal, and the other goes on", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB, value: "json" });
  let finish = (_: unknown): void => {};
  const first = cache.getOrSet("k", () => new Promise((resolve) => (finish = resolve)));
  await rejected(
    "TIMED_OUT",
    cache.getOrSet("k", () => 2, { timeoutMs: 5 }),
  );
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  assert.is(await cache.getOrSet("k", () => 2, { signal }).catch((error) => error), reason);
  finish(1);
  assert.equal([await first, cache.get("k")], [1, 1]);
});

test("a cache that was cleared is empty, and takes values", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB });
  for (let index = 0; index < 10; index++) cache.set(`k${index}`, bytes("v"));
  cache.clear();
  assert.equal([cache.size, cache.get("k1")], [0, undefined]);
  cache.set("k1", bytes("w"));
  assert.is(text(cache.get("k1")), "w");
});

test("it shows what it is", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("c", { bytes: 64 * KiB });
  cache.set("a", bytes("a"));
  cache.get("a");
  const [info] = segment.objects();
  assert.is(info?.type, "cache");
  assert.is(info?.cache?.hitRatio, 1);
  assert.equal(info?.parameters, { bytes: 64 * KiB, policy: 0, ttlMs: 0 });
  segment.close();
  for (const call of [
    () => cache.get("a"),
    () => cache.set("a", bytes("a")),
    () => cache.stats,
    () => cache.size,
  ])
    assert.is(code(call), "CLOSED");
});

test("a cache behaves as a map, as long as nothing is evicted", () => {
  const key = fc.oneof(
    fc.string({ maxLength: 3, unit: "binary" }),
    fc.constantFrom("a", "b", "é".repeat(200)),
  );
  const step = fc.oneof(
    fc.record({ is: fc.constant("set" as const), key, value: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({ is: fc.constantFrom("delete" as const, "get" as const), key, value: fc.constant(undefined) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      using segment = Segment.createAnonymous({ bytes: MiB });
      const cache = segment.cache("c", { bytes: 512 * KiB, evict: "none" });
      const map = new Map<string, Uint8Array>();
      for (const { is, key, value } of steps) {
        if (is === "set") {
          cache.set(key, value);
          map.set(key, value);
        } else if (is === "delete") assert.is(cache.delete(key), map.delete(key));
        else assert.equal(cache.get(key), map.get(key));
      }
      assert.is(cache.size, map.size);
      assert.equal(new Map(cache.entries() as Iterable<[string, Uint8Array]>), map);
    }),
    { numRuns: 40 },
  );
});

test.run();
