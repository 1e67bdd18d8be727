/** Names of fields: which are refused, which are taken though they are special, and values with names that no struct knows. */
import { type Fields, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

function refused(call: () => unknown, type: ErrorConstructor, text: RegExp): void {
  assert.throws(call, (e: Error) => e instanceof type && text.test(e.message));
}

test("names that look like an index are refused: JavaScript would put them before all others", () => {
  for (const name of ["0", "1", "42", "007", "4294967295"])
    refused(() => struct({ b: "u8", [name]: "u8" }), RangeError, new RegExp(`field ${name} `));
  assert.equal(Object.keys(struct({ b: "u8", "1a": "u8", "-1": "u8" }).offsets), ["b", "1a", "-1"]);
});

const special = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "then",
  "a b",
  "π",
  '"',
  "\u2028",
];

test("names that every object inherits are fields like others", () => {
  const fields = Object.fromEntries([
    ...special.map((name) => [name, "u32"]),
    ["inner", struct(Object.fromEntries([["__proto__", ["u8", 2]]]))],
  ]) as Fields;
  const layout = struct(fields);
  const value = Object.fromEntries([
    ...special.map((name, i) => [name, i + 1]),
    ["inner", Object.fromEntries([["__proto__", [7, 8]]])],
  ]);
  const view = new DataView(new ArrayBuffer(layout.bytes + 8));
  layout.write(view, value as never, 8);
  const read = layout.read(view, 8) as Record<string, unknown>;
  assert.equal(Object.keys(read), Object.keys(value));
  assert.is(Object.getPrototypeOf(read), Object.prototype);
  for (const [i, name] of special.entries()) {
    assert.is(Object.getOwnPropertyDescriptor(read, name)?.value, i + 1, name);
    assert.is(layout.offsets[name], 4 * i);
  }
  const inner = Object.getOwnPropertyDescriptor(read, "inner")?.value as object;
  assert.equal(Object.getOwnPropertyDescriptor(inner, "__proto__")?.value, [7, 8]);
  assert.is((Object.prototype as Record<string, unknown>)[0], undefined);
  // What every object inherits is no value of a field.
  refused(() => layout.write(view, {} as never), TypeError, /^__proto__ /);

  using segment = Segment.createAnonymous({ bytes: MiB });
  const latest = segment.latest("latest", layout);
  latest.write(value as never);
  const target = {};
  assert.ok(latest.readInto(target));
  assert.is(Object.getPrototypeOf(target), Object.prototype);
  assert.equal(Object.keys(target), Object.keys(value));
  for (const [i, name] of special.entries())
    assert.is(Object.getOwnPropertyDescriptor(target, name)?.value, i + 1, name);
});

test("a field that the struct does not have is refused, with the nearest that it has", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const layout = struct({ id: "u32", position: ["f64", 3], inner: struct({ label: "utf8:8" }) });
  const view = segment.heap.allocate(layout.bytes).view(layout);
  const latest = segment.latest("latest", layout);
  const data = new DataView(new ArrayBuffer(layout.bytes));
  const good = { id: 1, position: [1, 2, 3], inner: { label: "a" } };
  const ways: Record<string, (value: unknown) => void> = {
    "view.write": (value) => view.write(value as never),
    "latest.write": (value) => latest.write(value as never),
    "Struct.write": (value) => layout.write(data, value as never),
  };
  for (const [way, write] of Object.entries(ways)) {
    refused(() => write({ ...good, positon: [] }), TypeError, /value has no field "positon".*"position"/);
    refused(() => write({ idd: 1, position: [1, 2, 3], inner: good.inner }), TypeError, /"idd".*"id"/);
    refused(() => write({ colour: 1, ...good }), TypeError, /"colour".*id, position, inner/);
    refused(
      () => write({ ...good, inner: { label: "a", lable: 1 } }),
      TypeError,
      /^inner has no field "lable"/,
    );
    refused(() => write({ ...good, extra: undefined }), TypeError, /"extra"/);
    refused(() => write(Object.assign(Object.create(good), { extra: 1 })), TypeError, /"extra"/);
    refused(() => write(new Proxy({ ...good, extra: 1 }, {})), TypeError, /"extra"/);
    refused(() => write({ id: 1, position: [1, 2, 3] }), TypeError, /^inner /);
    write({ inner: good.inner, position: good.position, id: 2 });
    write(Object.create(good));
    write(new Proxy(good, {}));
    write(Object.assign(Object.create({ inherited: true }), good));
    write(Object.defineProperty({ ...good, [Symbol("mark")]: 1 }, "hidden", { value: 1 }));
    assert.ok(way);
  }
  refused(
    () => view.set("inner", { label: "a", lable: 1 } as never),
    TypeError,
    /^inner has no field "lable"/,
  );
  refused(() => view.get("positions" as never), TypeError, /"positions".*"position"/);
  refused(() => view.set("ID" as never, 1 as never), TypeError, /"ID".*"id"/);
  refused(() => view.array("idd" as never), TypeError, /"idd".*"id"/);
  refused(() => view.get(Symbol("id") as never), TypeError, /^field /);
});

test("a value of a class is one with getters, inherited or not", () => {
  class Point {
    readonly #at: number;
    constructor(at: number) {
      this.#at = at;
    }
    get x(): number {
      return this.#at;
    }
    get y(): number {
      return this.#at * 2;
    }
  }
  const layout = struct({ x: "f64", y: "f64" });
  const view = new DataView(new ArrayBuffer(layout.bytes));
  layout.write(view, new Point(3));
  assert.equal(layout.read(view), { x: 3, y: 6 });
});

test("what a struct was made of cannot be changed afterwards", () => {
  const fields = { a: "u8", b: "u8" } as Record<string, "u8" | "u32">;
  const layout = struct(fields);
  const { hash } = layout;
  fields.a = "u32";
  fields.c = "u8";
  assert.equal(layout.fields, { a: "u8", b: "u8" });
  assert.throws(() => {
    (layout.fields as Record<string, string>).a = "u32";
  }, TypeError);
  assert.is(struct(layout.fields).hash, hash);
});

test("a struct of more than 2^28 bytes is refused, however it comes about", () => {
  const MAX = 2 ** 28;
  assert.is(struct({ all: ["u8", MAX] }).bytes, MAX);
  for (const fields of [
    { all: ["u8", MAX], more: "u8" },
    { all: ["u16", MAX / 2 + 1] },
    { all: ["f64", MAX] },
    { text: `utf8:${MAX}` },
    { half: struct({ all: ["u8", MAX / 2] }), other: struct({ all: ["u8", MAX / 2] }), more: "bool" },
    { all: [struct({ one: "u8" }), MAX / 8 + 1] },
  ] as Fields[])
    refused(() => struct(fields), RangeError, /268435456/);
});

test.run();
