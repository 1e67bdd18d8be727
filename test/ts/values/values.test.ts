/** Shared values: what is put in comes out, in every opening; and nothing of what was dropped stays. */
import { strict } from "node:assert";
import fc from "fast-check";
import {
  Dict,
  IsthmusError,
  isShared,
  KiB,
  List,
  MiB,
  type PlainValue,
  Segment,
  type Shareable,
} from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** Everything is given back and freed. */
function used(segment: Segment): number {
  segment.share(null).close();
  for (let turn = 0; turn < 50; turn++) segment.share(null).close(); // each change frees a bit
  return segment.heap.stats.used;
}

/** A segment, and what it has in use before. */
function fresh(bytes = MiB): { segment: Segment; before: number } {
  const segment = Segment.createAnonymous({ bytes });
  return { segment, before: used(segment) };
}

const EVERYTHING: Record<string, Shareable> = {
  nothing: null,
  yes: true,
  no: false,
  zero: 0,
  minusZero: -0,
  nan: Number.NaN,
  infinite: -Infinity,
  large: 2 ** 53 + 2,
  big: 2n ** 80n,
  minusBig: -(2n ** 200n),
  small: -1n,
  edges: [2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 63n) - 1n, 127n, 128n, -128n, -129n],
  text: "text",
  empty: "",
  nul: "a\0b",
  latin: "\u00ff\u0080",
  emoji: "🙂 and \u4e2d",
  lone: "\ud800 \udfff",
  long: "long ".repeat(5000),
  wide: "\u4e2d".repeat(5000),
  bytes: new Uint8Array([0, 255, 1]),
  noBytes: new Uint8Array(0),
  date: new Date(1e12 + 1),
  list: [1, [2, [3, { deep: [] }]]],
  "": "the empty key",
  __proto__x: 1,
  "a\0key": 2,
  "🙂": 3,
};

test("what is shared is what toJSON gives, in every opening", () => {
  const { segment, before } = fresh();
  using other = Segment.fromHandle(segment.handle);
  using looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  const value = segment.share(EVERYTHING);
  segment.root = value;
  for (const opening of [segment, other, looking]) {
    const root = opening.rootValue as Dict;
    strict.deepEqual(root.toJSON(), EVERYTHING);
    assert.ok(Object.is((root.toJSON() as { minusZero: number }).minusZero, -0));
    for (const [key, expected] of Object.entries(EVERYTHING)) {
      const got = root.get(key);
      strict.deepEqual(isShared(got) ? got.toJSON() : got, expected, key);
      if (isShared(got)) got.close();
    }
    assert.equal([...root.keys()], Object.keys(EVERYTHING));
    assert.is(root.size, Object.keys(EVERYTHING).length);
    root.close();
  }
  assert.is(value.refCount, 2);
  segment.root = undefined;
  assert.is(value.refCount, 1);
  value.close();
  assert.is(used(segment), before + 32, "something is lost"); // the ledger of the other opener
  assert.ok(segment.heap.check().ok);
  segment.close();
});

test("single values are shared, too, and keys of any kind", () => {
  const { segment, before } = fresh();
  for (const value of [
    null,
    true,
    -0,
    Number.NaN,
    5n,
    2n ** 100n,
    "s",
    "🙂",
    new Date(5),
    new Uint8Array([1]),
  ]) {
    using shared = segment.share(value);
    assert.equal(shared.value, value);
    using holder = segment.share([shared, shared]);
    assert.equal(holder.toJSON(), [value, value]);
  }
  using noDate = segment.share(new Date(Number.NaN));
  assert.ok(Number.isNaN((noDate.value as Date).getTime()));
  noDate.close();
  using dict = segment.share({});
  const keys = ["__proto__", "constructor", "", "x".repeat(65536), "\u4e2d".repeat(30000), "\ud800"];
  for (const key of keys) dict.set(key, key.length);
  assert.equal([...dict.keys()], keys);
  assert.equal(
    keys.map((key) => dict.get(key)),
    keys.map((key) => key.length),
  );
  assert.is(Object.getPrototypeOf(dict.toJSON()), Object.prototype);
  assert.throws(() => dict.set("x".repeat(2 ** 20 + 1), 1), /key must have at most/);
  for (const key of keys) assert.ok(dict.delete(key));
  assert.not(dict.delete("x"));
  using list = segment.share([1, 2]);
  assert.equal([list.at(-1), list.at(-3), list.at(2)], [2, undefined, undefined]);
  list.close();
  dict.close();
  assert.is(used(segment), before);
  segment.close();
});

test("what cannot be shared is named by its path, and nothing of the rest stays", () => {
  const { segment, before } = fresh();
  class Own {}
  const circle: Record<string, unknown> = { a: [] };
  (circle.a as unknown[]).push({ back: circle });
  const bad: [unknown, RegExp][] = [
    [undefined, /^value must be .*undefined/],
    [() => {}, /^value must be .*a function/],
    [{ a: [1, { b: Symbol("s") }] }, /^value\.a\[1\]\.b must be .*a symbol/],
    [{ "a b": new Own() }, /^value\["a b"\] must be .*an instance of Own/],
    [new Array(2), /^value\[0\] must be .*undefined/],
    [circle, /^value\.a\[0\]\.back must not contain itself/],
    [new Map([[1, 2]]), /^value must be a Map whose keys are strings/],
    [new Set([1]), /^value must be .*an instance of Set/],
    [new Float64Array(1), /^value must be bytes as a Uint8Array/],
    [Promise.resolve(), /^value must be/],
  ];
  for (const [value, message] of bad) {
    assert.throws(
      () => segment.share(value as never),
      (error: Error) =>
        error instanceof TypeError && (message.test(error.message) || assert.unreachable(error.message)),
    );
    assert.is(used(segment), before);
  }
  using dict = segment.share({ list: [] });
  const list = dict.get("list") as List;
  assert.throws(() => dict.set("self", dict), /must not contain what it is put into/);
  assert.throws(() => list.push({ deep: [dict] }), /must not contain what it is put into/);
  assert.equal(dict.toJSON(), { list: [] });
  using stranger = Segment.createAnonymous({ bytes: MiB });
  using foreign = stranger.share([]);
  assert.throws(() => dict.set("foreign", foreign), /must be a value of segment .*got one of segment/);
  segment.close();
});

test("what occurs twice is one value", () => {
  const { segment, before } = fresh();
  const twice = { n: 1 };
  const value = segment.share({ a: twice, b: [twice], map: new Map([["c", twice]]) });
  const a = value.get("a") as Dict;
  assert.is(a.refCount, 4);
  a.set("n", 2);
  assert.equal(value.toJSON(), { a: { n: 2 }, b: [{ n: 2 }], map: { c: { n: 2 } } });
  const copy = value.toJSON() as { a: object; b: object[] };
  assert.is(copy.a, copy.b[0]);
  value.close();
  used(segment);
  assert.is(a.refCount, 1);
  assert.equal(a.toJSON(), { n: 2 });
  a.close();
  assert.throws(() => a.get("n"), /CLOSED/);
  assert.is(used(segment), before);
  segment.close();
});

test("a full segment leaves what there was untouched", () => {
  const segment = Segment.createAnonymous({ bytes: 128 * KiB });
  const dict = segment.share({ old: "old", list: [1] });
  const refused = (run: () => unknown): void =>
    assert.throws(run, (error: Error) => error instanceof IsthmusError && error.code === "SEGMENT_FULL");
  refused(() => dict.set("old", "x".repeat(200 * KiB)));
  refused(() => dict.set("old", { a: ["y".repeat(60 * KiB), "x".repeat(90 * KiB)] }));
  refused(() => segment.share(Array.from({ length: 100_000 }, (_, index) => index)));
  assert.equal(dict.toJSON(), { old: "old", list: [1] });
  let keys = 0;
  refused(() => {
    for (; ; keys++) dict.set(`key ${keys}`, keys);
  });
  assert.is(dict.size, keys + 2);
  for (let key = 0; key < keys; key++) assert.ok(dict.delete(`key ${key}`));
  dict.set("old", "y".repeat(20 * KiB));
  assert.ok(segment.heap.check().ok);
  segment.close();
});

test("values are no blocks of the user, and blocks no values", () => {
  const { segment } = fresh();
  const dict = segment.share({ a: 1 });
  assert.equal([...segment.heap.blocks()], []);
  segment.root = dict;
  const root = segment.root as unknown as Dict;
  assert.equal(root.toJSON(), { a: 1 });
  root.close();
  segment.root ??= segment.heap.allocate(8); // that sets no block in place of the value
  assert.equal(segment.rootValue?.toJSON(), { a: 1 });
  const block = segment.heap.allocate(8);
  segment.root = block;
  assert.is(segment.rootValue, undefined);
  assert.ok(dict.refCount >= 1);
  const lock = segment.lock("l");
  assert.throws(
    () => segment.tryTransaction(lock, () => dict.set("a", 2)),
    /BUSY: .*cannot be changed inside a transaction/,
  );
  assert.is(dict.get("a"), 1);
  assert.match(
    `${(dict as object)[Symbol.for("nodejs.util.inspect.custom") as never] ? "shown" : ""}`,
    "shown",
  );
  segment.close();
  assert.throws(() => dict.get("a"), /CLOSED/);
});

test("iteration is safe while entries are removed and added", () => {
  const { segment } = fresh();
  const dict = segment.share(
    Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, index])),
  );
  const seen: string[] = [];
  for (const [key, value] of dict) {
    seen.push(key);
    const number = value as number;
    dict.delete(key);
    if (number % 2 === 0) dict.delete(`k${number + 1}`);
    if (number < 50) dict.set(`new${number}`, 1000 + number);
  }
  assert.is(new Set(seen).size, seen.length);
  assert.equal(
    seen.filter((key) => key.startsWith("k")),
    Array.from({ length: 50 }, (_, index) => `k${2 * index}`),
  );
  segment.close();
});

const content = fc.letrec((tie) => ({
  one: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(null, true, false, -0, Number.NaN),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie("one"), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: "binary", maxLength: 5 }), tie("one"), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
  ),
})).one as fc.Arbitrary<Shareable>;

const key = fc.oneof(
  fc.constantFrom("", "a", "b", "c", "__proto__"),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const operation = fc.oneof(
  fc.record({ is: fc.constant("set" as const), key, content }),
  fc.record({ is: fc.constant("delete" as const), key }),
  fc.record({ is: fc.constant("push" as const), content }),
  fc.record({ is: fc.constant("put" as const), index: fc.nat(20), content }),
  fc.record({ is: fc.constant("pop" as const) }),
);

test("a dictionary and a list behave as a Map and an array, and leave nothing", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const { segment, before } = fresh();
      const dict = segment.share({});
      const list = segment.share([]);
      const map = new Map<string, Shareable>();
      const array: Shareable[] = [];
      for (const one of operations) {
        if (one.is === "set") {
          dict.set(one.key, one.content);
          map.set(one.key, one.content);
        } else if (one.is === "delete") assert.is(dict.delete(one.key), map.delete(one.key));
        else if (one.is === "push") assert.is(list.push(one.content), array.push(one.content));
        else if (one.is === "put") {
          if (one.index < array.length) {
            list.set(one.index, one.content);
            array[one.index] = one.content;
          } else assert.throws(() => list.set(one.index, one.content), RangeError);
        } else {
          const popped = list.pop();
          assert.equal(isShared(popped) ? popped.toJSON() : popped, array.pop());
          if (isShared(popped)) popped.close();
        }
      }
      assert.equal([...dict.keys()], [...map.keys()]);
      assert.is(dict.size, map.size);
      const both = dict.toJSON() as Record<string, PlainValue>;
      for (const [name, expected] of map)
        assert.equal(Object.getOwnPropertyDescriptor(both, name)?.value, expected);
      assert.equal(list.toJSON(), array);
      assert.ok(segment.heap.check().ok);
      dict.close();
      list.close();
      for (let turn = 0; turn < 20; turn++) used(segment);
      assert.is(used(segment), before, "something is lost");
      segment.close();
    }),
    { numRuns: 100 },
  );
});

test("a hundred thousand keys", () => {
  const { segment, before } = fresh(64 * MiB);
  const dict = segment.share({});
  const keys = 100_000;
  for (let index = 0; index < keys; index++) dict.set(`key ${index}`, index);
  for (let index = 0; index < keys; index += 7) assert.is(dict.get(`key ${index}`), index);
  assert.is(dict.get(`key ${keys}`), undefined);
  assert.is(dict.size, keys);
  dict.close();
  while (segment.heap.stats.used > before) used(segment);
  segment.close();
});

test("objects of values cannot be made by hand", () => {
  assert.throws(() => new (Dict as unknown as new () => unknown)(), /Dict cannot be constructed/);
  assert.throws(() => new (List as unknown as new () => unknown)(), /List cannot be constructed/);
});

test("a property of the object itself is refused: it would be in this process only", () => {
  const { segment } = fresh();
  using _ = segment;
  const shared = segment.share({ inner: { deep: [1] }, list: [1] }) as Dict;
  for (const one of [shared, shared.get("inner"), shared.get("list"), segment.share(5)])
    assert.throws(() => Object.assign(one as object, { key: 5 }), /key, object is not extensible/);
});

test.run();
