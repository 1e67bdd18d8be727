import fc from "fast-check";
import { type Fields, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("fields lie where a C compiler puts them", () => {
  const layout = struct({
    a: "u8",
    b: "f64",
    c: "u16",
    d: "u32",
    e: ["u8", 3],
    f: "bool",
    g: "utf8:5",
    h: "u64",
  });
  assert.equal(layout.offsets, { a: 0, b: 8, c: 16, d: 20, e: 24, f: 27, g: 28, h: 40 });
  assert.is(layout.bytes, 48);
});

const scalar = {
  u8: fc.integer({ min: 0, max: 255 }),
  i8: fc.integer({ min: -128, max: 127 }),
  u16: fc.integer({ min: 0, max: 65535 }),
  i16: fc.integer({ min: -32768, max: 32767 }),
  u32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  f32: fc.float(),
  f64: fc.double(),
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  bool: fc.boolean(),
  "utf8:40": fc
    .string({ unit: "grapheme", maxLength: 10 })
    .filter((s) => new TextEncoder().encode(s).length <= 40),
  "bytes:9": fc.uint8Array({ maxLength: 9 }),
};

test("every value that fits comes back as it was, also in arrays and nested", () => {
  const names = Object.keys(scalar) as (keyof typeof scalar)[];
  const field = fc
    .constantFrom(...names)
    .chain((name) => fc.tuple(fc.constant(name), scalar[name] as fc.Arbitrary<unknown>));
  const property = fc.property(
    fc.array(field, { minLength: 1, maxLength: 8 }),
    fc.boolean(),
    (fields, nest) => {
      const types = Object.fromEntries(
        fields.map(([type], i) => [`f${i}`, i % 3 === 0 ? [type, 2] : type]),
      ) as Fields;
      const value = Object.fromEntries(fields.map(([, v], i) => [`f${i}`, i % 3 === 0 ? [v, v] : v]));
      const layout = nest ? struct({ first: "u8", inner: struct(types) }) : struct(types);
      const whole = nest ? { first: 1, inner: value } : value;
      const view = new DataView(new ArrayBuffer(layout.bytes + 8));
      (layout as { write(v: DataView, x: unknown, at: number): void }).write(view, whole, 8);
      assert.equal(layout.read(view, 8), whole);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test("a value that does not fit is refused by the name of its field, and nothing is published", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  const layout = struct({ id: "u8", at: ["f64", 2], label: "utf8:3", inner: struct({ big: "u64" }) });
  const latest = segment.latest("l", layout);
  const good = { id: 1, at: [1, 2], label: "abc", inner: { big: 1n } };
  latest.write(good);
  const bad: [Record<string, unknown>, ErrorConstructor, RegExp][] = [
    [{ ...good, id: 256 }, RangeError, /^id .*255/],
    [{ ...good, id: "1" }, TypeError, /^id /],
    [{ ...good, at: [1] }, RangeError, /^at .*2 elements/],
    [{ ...good, at: [1, "2"] }, TypeError, /^at\[1\] /],
    [{ ...good, at: 1 }, TypeError, /^at /],
    [{ ...good, label: "äöü" }, RangeError, /^label .*3 bytes/],
    [{ ...good, label: 1 }, TypeError, /^label /],
    [{ ...good, inner: { big: 2n ** 64n } }, RangeError, /^inner\.big /],
    [{ ...good, inner: undefined }, TypeError, /^inner /],
    [{ id: 1 }, TypeError, /^at /],
  ];
  for (const [value, type, text] of bad) {
    assert.throws(
      () => latest.write(value as never),
      (e: Error) => e instanceof type && text.test(e.message),
    );
  }
  assert.equal(latest.read(), good);
  assert.is(latest.version, 1);
});

test("a value of which a part does not fit changes no byte, as a field, a whole, or in a view", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  const inner = struct({ a: "u32", b: "utf8:4", c: ["i8", 2] });
  const layout = struct({ one: ["u16", 4], two: inner, three: [inner, 2], four: ["bytes:3", 2] });
  const part = { a: 1, b: "abcd", c: [-1, -2] };
  const good = {
    one: [1, 2, 3, 4],
    two: part,
    three: [part, part],
    four: [Uint8Array.of(1), Uint8Array.of(2, 3)],
  };
  const other = { a: 9, b: "z", c: [9, 9] };
  const bad = {
    one: [9, 9, 9, 65536],
    two: { ...other, c: [9, 128] },
    three: [other, { ...other, b: "zzzzz" }],
    four: [Uint8Array.of(9), new Uint8Array(4)],
  };
  const block = segment.heap.allocate(layout.bytes);
  const view = block?.view(layout);
  assert.ok(block && view);
  view.write(good);
  const before = block.copy();
  const bytes = before.slice();
  const given = new DataView(bytes.buffer);
  for (const [name, value] of Object.entries(bad)) {
    assert.throws(() => view.set(name as "one", value as number[]), RangeError);
    assert.throws(() => view.write({ ...good, two: other, [name]: value }), RangeError);
    assert.throws(() => layout.write(given, { ...good, two: other, [name]: value }), RangeError);
    assert.equal(block.copy(), before, name);
    assert.equal(bytes, before, name);
  }
  view.set("three", [part, other]);
  assert.equal(view.get("three"), [part, other]);
});

test("arrays are written from anything with a length and elements", () => {
  const layout = struct({ a: ["f32", 3], b: ["u8", 2], c: "bytes:4" });
  const view = new DataView(new ArrayBuffer(layout.bytes));
  const a = [1, 2, 3] as const;
  layout.write(view, { a, b: Uint8Array.of(4, 5), c: Uint8Array.of(6) });
  assert.equal(layout.read(view), { a: [1, 2, 3], b: [4, 5], c: Uint8Array.of(6) });
});

test("a part that gives other values when it is read again changes no byte when they do not fit", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const view = segment.heap.allocate(8).view(struct({ pair: ["u32", 2] }));
  view?.set("pair", [1, 2]);
  let reads = 0;
  const unsteady = {
    length: 2,
    0: 9,
    get 1() {
      return reads++ === 0 ? 9 : "text";
    },
  } as unknown as number[];
  try {
    view?.set("pair", unsteady);
    assert.equal(view?.get("pair"), [9, 9]);
  } catch {
    assert.equal(view?.get("pair"), [1, 2]);
  }
});

test("a type that is not known is refused by the name of its field", () => {
  const bad: unknown[] = [
    {},
    { a: "u7" },
    { a: "utf8:0" },
    { a: ["u8", 0] },
    { a: 5 },
    { a: ["u8"] },
    7,
    null,
  ];
  for (const fields of bad) {
    assert.throws(
      () => struct(fields as Fields),
      (e: Error) => e instanceof TypeError || e instanceof RangeError,
    );
  }
});

test("layouts that differ in a name, a type or an order have different hashes", () => {
  const hashes = [
    struct({ a: "u32", b: "u32" }),
    struct({ b: "u32", a: "u32" }),
    struct({ a: "u32", b: "i32" }),
    struct({ a: "u32", c: "u32" }),
    struct({ a: ["u32", 2] }),
  ].map((layout) => layout.hash);
  assert.is(new Set(hashes).size, hashes.length);
  assert.is(struct({ a: "u32" }).hash, struct({ a: "u32" }).hash);
});

test("a shorter value leaves nothing of a longer one behind it", () => {
  const layout = struct({ short: "utf8:8", long: "utf8:100", blob: "bytes:8" });
  const bytes = (...labels: string[]): Uint8Array => {
    const all = new Uint8Array(layout.bytes);
    for (const label of labels) {
      const value = { short: label, long: label, blob: new TextEncoder().encode(label) };
      layout.write(new DataView(all.buffer), value);
    }
    return all;
  };
  for (const shorter of ["", "a", "\u00e4"]) {
    const expected = Buffer.from(shorter);
    for (const part of [layout.offsets.short, layout.offsets.long, layout.offsets.blob]) {
      const written = bytes("12345678", shorter).subarray(part + 4, part + 12);
      assert.equal([...written], [...expected, ...new Array(8 - expected.length).fill(0)]);
    }
  }
});

test("half a surrogate pair is refused, and a whole one is a text", () => {
  const layout = struct({ short: "utf8:8", long: "utf8:100" });
  const view = new DataView(new ArrayBuffer(layout.bytes));
  for (const half of ["\ud83d", "\ude00", "a\ud83d", "\ude00\ud83d"]) {
    for (const name of ["short", "long"]) {
      assert.throws(
        () => layout.write(view, { short: "", long: "", [name]: half }),
        (e: Error) => e instanceof RangeError && e.message.startsWith(`${name} must not contain half`),
      );
    }
  }
  const whole = { short: "\ud83d\ude00", long: "\ud83d\ude00" };
  layout.write(view, whole);
  assert.equal(layout.read(view), whole);
});

test.run();
