/** Typed arrays in place: `block.as` and `view.array`. */
import { runInNewContext } from "node:vm";
import { IsthmusError, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

const kinds = [
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
];

function code(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof IsthmusError ? error.code : (error as Error).name;
  }
  return "nothing was thrown";
}

test("a block is any typed array, or a DataView, with as many whole elements as it has room for", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  for (const length of [0, 1, 7, 8, 100, 4096]) {
    const block = segment.heap.allocate(length);
    const { bytes } = block;
    bytes.set(Array.from({ length }, (_, i) => i));
    for (const kind of kinds) {
      const array = block.as(kind as Uint8ArrayConstructor);
      assert.instance(array, kind);
      assert.is(array.length, Math.floor(length / kind.BYTES_PER_ELEMENT), kind.name);
      assert.is(array.byteOffset, block.offset);
      assert.is(array.buffer, bytes.buffer);
    }
    const view = block.as(DataView);
    assert.is(view.byteLength, length);
    if (length > 1) {
      view.setUint8(1, 200);
      assert.is(bytes[1], 200);
    }
    assert.is(block.bytes, bytes);
  }
});

test("constructors of other realms and subclasses are taken, other things are refused", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const block = segment.heap.allocate(64);
  const Foreign = runInNewContext("Float64Array") as Float64ArrayConstructor;
  const foreign = block.as(Foreign);
  foreign[7] = 0.5;
  assert.is(block.as(Float64Array)[7], 0.5);
  assert.instance(foreign, Foreign);
  class Own extends Uint16Array {}
  assert.is(block.as(Own).length, 32);
  for (const wrong of [
    Array,
    ArrayBuffer,
    Map,
    Date,
    () => {},
    "Float64Array",
    new Float64Array(1),
    undefined,
    null,
    8,
  ]) {
    assert.throws(
      () => block.as(wrong as never),
      (error: Error) => error instanceof TypeError && /^type must be/.test(error.message),
    );
  }
});

test("an array of a struct is a typed array of its very bytes", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const Inner = struct({ x: "u8" });
  const All = struct({
    first: "u8",
    u8: ["u8", 3],
    i8: ["i8", 3],
    u16: ["u16", 3],
    i16: ["i16", 3],
    u32: ["u32", 3],
    i32: ["i32", 3],
    f32: ["f32", 3],
    f64: ["f64", 3],
    u64: ["u64", 3],
    i64: ["i64", 3],
    bool: ["bool", 3],
    texts: ["utf8:4", 3],
    inner: [Inner, 3],
    text: "utf8:8",
  });
  const view = segment.heap.allocate(All.bytes).view(All);
  const check = <T extends Uint8Array | Float64Array | BigInt64Array>(
    array: unknown,
    kind: new () => T,
  ): T => {
    assert.instance(array, kind);
    assert.is((array as T).length, 3);
    return array as T;
  };
  const fields = {
    u8: Uint8Array,
    i8: Int8Array,
    u16: Uint16Array,
    i16: Int16Array,
    u32: Uint32Array,
    i32: Int32Array,
  };
  for (const [name, kind] of Object.entries({
    ...fields,
    f32: Float32Array,
    f64: Float64Array,
    bool: Uint8Array,
  })) {
    const array = check(view.array(name as "u8"), kind as unknown as Uint8ArrayConstructor);
    array[2] = 1;
    const read = view.get(name as "u8");
    assert.equal(read, name === "bool" ? [false, false, true] : [0, 0, 1], name);
    if (name === "bool") continue;
    view.set(name as "u8", [5, 6, 7]);
    assert.equal([...array], [5, 6, 7], name);
  }
  for (const [name, kind] of Object.entries({ u64: BigUint64Array, i64: BigInt64Array })) {
    const array = check(view.array(name as "i64"), kind as BigInt64ArrayConstructor);
    array[1] = 9n;
    assert.equal(view.get(name as "i64"), [0n, 9n, 0n]);
  }
  for (const name of ["texts", "inner", "text", "first", "none"])
    assert.throws(
      () => view.array(name as never),
      (error: Error) => error instanceof TypeError && error.message.includes(name),
    );
  const typed: Float64Array = view.array("f64");
  const bigs: BigUint64Array = view.array("u64");
  assert.is(typed.length + bigs.length, 6);
});

test("typed arrays are for those who may write, of segments that are open", () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const layout = struct({ list: ["u32", 4] });
  segment.root = segment.heap.allocate(layout.bytes);
  const view = segment.root.view(layout);
  const looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  const seen = looking.root;
  assert.is(
    code(() => seen?.as(Uint8Array)),
    "READ_ONLY",
  );
  assert.is(
    code(() => seen?.view(layout).array("list")),
    "READ_ONLY",
  );
  assert.equal(seen?.view(layout).get("list"), [0, 0, 0, 0]);
  const { root } = segment;
  segment.close();
  looking.close();
  assert.is(
    code(() => root?.as(Uint8Array)),
    "CLOSED",
  );
  assert.is(
    code(() => view.array("list")),
    "CLOSED",
  );
});

test("block.as makes a Buffer without a warning, and any view whose class passes its arguments on", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const block = segment.heap.allocate(24);
  const warnings: unknown[] = [];
  const listener = (warning: unknown) => warnings.push(warning);
  process.on("warning", listener);
  const emitWarning = process.emitWarning;
  process.emitWarning = ((...given: unknown[]) => warnings.push(given)) as never;
  try {
    // Node does not warn code that is called from within node_modules, where the test runner is.
    const buffer = await new Promise<Buffer>((resolve, reject) => {
      setImmediate(() => {
        try {
          resolve(block.as(Buffer as never) as Buffer);
        } catch (error) {
          reject(error);
        }
      });
    });
    buffer.write("text", 1);
    assert.ok(Buffer.isBuffer(buffer));
    assert.equal([buffer.buffer, buffer.length], [block.bytes.buffer, 24]);
    assert.is(String.fromCharCode(block.bytes[1]), "t");
  } finally {
    process.emitWarning = emitWarning;
    process.off("warning", listener);
  }
  assert.equal(warnings, []);
  class Own extends Float64Array {}
  assert.ok(block.as(Own) instanceof Own);
  const { Float16Array } = globalThis as { Float16Array?: typeof Uint16Array };
  if (Float16Array) assert.is(block.as(Float16Array).length, 12);
});

test("what block.as cannot make is refused, and the error says what it takes", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const block = segment.heap.allocate(24);
  class Whole extends Uint8Array {
    constructor(buffer: ArrayBuffer) {
      super(buffer);
    }
  }
  class Private extends Uint8Array {
    constructor() {
      super(8);
    }
  }
  class Odd extends Uint8Array {
    static override readonly BYTES_PER_ELEMENT = 3;
  }
  for (const type of [
    Whole,
    Private,
    Odd,
    class extends Buffer {},
    Array,
    Map,
    ArrayBuffer,
    SharedArrayBuffer,
    Object,
    () => 1,
  ]) {
    assert.throws(
      () => block.as(type as never),
      (error: Error) =>
        error instanceof TypeError && /type must be the constructor of a typed array/.test(error.message),
    );
  }
});

test.run();
