/** A write that throws has written nothing: whatever does not fit, wherever in the value it is, whichever way it is written. */
import { runInNewContext } from "node:vm";
import { type Fields, type IsthmusError, MiB, Segment, type Struct, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

const Inner = struct({ n: "u32", b: "bytes:8" });
const fields = {
  n: "u32",
  inner: Inner,
  list: [Inner, 2],
  blobs: ["bytes:8", 2],
  b: "bytes:8",
  t: "utf8:8",
} as const;
const Small = struct(fields);
const Large = struct({ ...fields, filler: ["u8", 400] });

interface Value {
  n: number;
  inner: { n: number; b: Uint8Array };
  list: { n: number; b: Uint8Array }[];
  blobs: Uint8Array[];
  b: Uint8Array;
  t: string;
  filler?: number[];
}

function value(fill: number, layout: Struct<Fields>): Value {
  const bytes = (): Uint8Array => new Uint8Array(8).fill(fill);
  const inner = (): { n: number; b: Uint8Array } => ({ n: fill, b: bytes() });
  const all: Value = {
    n: fill,
    inner: inner(),
    list: [inner(), inner()],
    blobs: [bytes(), bytes()],
    b: bytes(),
    t: String.fromCharCode(96 + fill).repeat(8),
  };
  return layout === (Large as unknown) ? { ...all, filler: new Array(400).fill(fill) } : all;
}

/** Puts bytes into a value; `field` is the one of the whole that changes. */
const positions: Record<string, (into: Value, bytes: Uint8Array) => keyof Value> = {
  "a field": (into, bytes) => {
    into.b = bytes;
    return "b";
  },
  "a field of an inner struct": (into, bytes) => {
    into.inner = { n: 9, b: bytes };
    return "inner";
  },
  "the last of an array of structs": (into, bytes) => {
    into.list = [
      { n: 9, b: new Uint8Array(2).fill(9) },
      { n: 9, b: bytes },
    ];
    return "list";
  },
  "the last of an array of bytes": (into, bytes) => {
    into.blobs = [new Uint8Array(3).fill(9), bytes];
    return "blobs";
  },
};

function detached(): Uint8Array {
  const bytes = new Uint8Array(8).fill(9);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

type Resizable = ArrayBuffer & { resize(bytes: number): void };
const resizable = (bytes: number): Resizable =>
  new (ArrayBuffer as unknown as new (bytes: number, options: object) => Resizable)(bytes, {
    maxByteLength: 64,
  });
const canResize = "resize" in ArrayBuffer.prototype;

function outOfBounds(): Uint8Array {
  const buffer = resizable(32);
  const bytes = new Uint8Array(buffer, 16, 8);
  buffer.resize(20);
  return bytes;
}

class Liar extends Uint8Array {
  says = 2;
  // biome-ignore lint/suspicious/noExplicitAny: the engine's own property is a getter of the prototype
  override get length(): any {
    return this.says;
  }
}

const unfit: Record<string, () => unknown> = {
  "detached bytes": detached,
  "detached bytes of another realm": () => {
    const bytes = runInNewContext("new Uint8Array(8)") as Uint8Array;
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
  },
  "bytes that are too long": () => new Uint8Array(9),
  "bytes that say less than they have": () => new Liar(16),
  "bytes that say more than they have": () => Object.assign(new Liar(1), { says: 8 }),
  "a proxy of bytes": () => new Proxy(new Uint8Array(8), {}),
  "what only inherits from bytes": () => Object.create(new Uint8Array(8)),
  "a buffer": () => new ArrayBuffer(8),
  "an array of numbers": () => [1, 2, 3],
  "other numbers": () => new Uint16Array(4),
  nothing: () => undefined,
  ...(canResize ? { "bytes out of the bounds of their buffer": outOfBounds } : {}),
};

interface Way {
  write(given: Value, field: keyof Value): void;
  /** What can be read now, byte for byte or as a value. */
  now(): unknown;
}

function ways(segment: Segment, layout: Struct<Fields>): Record<string, Way> {
  const block = segment.heap.allocate(layout.bytes);
  const view = block.view(layout);
  const latest = segment.latest(`latest ${layout.bytes}`, layout);
  const data = new DataView(new ArrayBuffer(layout.bytes + 16));
  const shared = segment.heap.allocate(layout.bytes);
  const all = value(1, layout) as never;
  view.write(all);
  latest.write(all);
  layout.write(data, all, 8);
  layout.write(shared.as(DataView), all);
  return {
    "Struct.write": {
      write: (given) => layout.write(data, given as never, 8),
      now: () => new Uint8Array(data.buffer.slice(0)),
    },
    "Struct.write in place": {
      write: (given) => layout.write(shared.as(DataView), given as never),
      now: () => shared.copy(),
    },
    "view.write": { write: (given) => view.write(given as never), now: () => block.copy() },
    "view.set": { write: (given, field) => view.set(field, given[field] as never), now: () => block.copy() },
    "latest.write": {
      write: (given) => latest.write(given as never),
      now: () => [latest.version, latest.read()],
    },
    "view.write in a transaction": {
      write: (given) => segment.transactionSync(segment.lock("lock"), () => view.write(given as never)),
      now: () => block.copy(),
    },
  };
}

for (const [size, layout] of [
  ["small", Small as unknown as Struct<Fields>],
  ["large", Large as unknown as Struct<Fields>],
] as const) {
  test(`nothing of a ${size} value is written when a part of it does not fit, whatever it is and wherever`, () => {
    using segment = Segment.createAnonymous({ bytes: MiB });
    for (const [how, { write, now }] of Object.entries(ways(segment, layout))) {
      for (const [where, put] of Object.entries(positions)) {
        for (const [what, make] of Object.entries(unfit)) {
          const given = value(9, layout);
          const field = put(given, make() as Uint8Array);
          const before = now();
          const text = `${how}: ${what} in ${where}`;
          try {
            write(given, field);
            assert.unreachable(`${text} was taken`);
          } catch (error) {
            assert.ok(error instanceof TypeError || error instanceof RangeError, `${text}: ${error}`);
            assert.match((error as Error).message, /^(?:b|inner\.b|list\[1\]\.b|blobs\[1\]) /, text);
          }
          assert.equal(now(), before, text);
        }
      }
    }
  });

  test(`a getter of a ${size} value that throws, or takes away what is read next, leaves all as it was`, () => {
    using segment = Segment.createAnonymous({ bytes: MiB });
    for (const [how, { write, now }] of Object.entries(ways(segment, layout))) {
      for (const act of ["throws", "detaches", ...(canResize ? ["shrinks"] : [])]) {
        const buffer = act === "shrinks" ? resizable(32) : new ArrayBuffer(32);
        const bytes = new Uint8Array(buffer, 16, 8);
        const given = value(9, layout);
        given.list = [
          {
            n: 9,
            get b() {
              if (act === "throws") throw new SyntaxError("of the getter");
              if (act === "detaches") structuredClone(buffer, { transfer: [buffer] });
              else (buffer as Resizable).resize(8);
              return new Uint8Array(2);
            },
          },
          { n: 9, b: bytes },
        ];
        const before = now();
        assert.throws(
          () => write(given, "list"),
          act === "throws" ? /of the getter/ : /^list\[1\]\.b .*detached/,
        );
        assert.equal(now(), before, `${how}: ${act}`);
      }
    }
  });

  test(`a getter of a ${size} value that closes the segment: CLOSED, and never silence`, () => {
    for (const how of ["view.write", "view.set", "latest.write"] as const) {
      const segment = Segment.createAnonymous({ bytes: MiB });
      const way = ways(segment, layout)[how] as Way;
      const given = value(9, layout);
      given.inner = {
        n: 9,
        get b() {
          segment.close();
          return new Uint8Array(2);
        },
      };
      try {
        way.write(given, "inner");
        assert.unreachable(`${how} was silent`);
      } catch (error) {
        assert.is((error as IsthmusError).code, "CLOSED", how);
      }
    }
  });

  test(`a getter of a ${size} value that writes to the same place: the outer value is there in the end, whole`, () => {
    using segment = Segment.createAnonymous({ bytes: MiB });
    for (const [how, { write, now }] of Object.entries(ways(segment, layout))) {
      if (how.endsWith("transaction")) continue; // they do not nest
      write(value(5, layout), "inner");
      const expected = now();
      let depth = 0;
      const given = value(5, layout);
      given.inner = {
        n: 5,
        get b() {
          if (depth++ < 2) write(value(7, layout), "inner");
          return new Uint8Array(8).fill(5);
        },
      };
      write(given, "inner");
      const found = now();
      if (how === "latest.write") assert.equal((found as unknown[])[1], (expected as unknown[])[1]);
      else assert.equal(found, expected, how);
    }
  });
}

test("a freed block is noticed after the getters of a value have run", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const block = segment.heap.allocate(Inner.bytes);
  const view = block.view(Inner);
  const n = {
    n: 1,
    get b() {
      segment.heap.blockAt(block.offset)?.free();
      segment.heap.allocate(Inner.bytes).bytes.fill(3);
      return new Uint8Array(1);
    },
  };
  assert.throws(() => view.write(n), /NOT_FOUND/);
  assert.ok(
    segment.heap
      .blockAt(block.offset)
      ?.copy()
      .every((byte) => byte === 3),
  );
});

test("bytes of every honest kind are taken: other realms, subclasses, shared and growing memory", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const view = segment.heap.allocate(Inner.bytes).view(Inner);
  const shared = new Uint8Array(new SharedArrayBuffer(8));
  class Own extends Uint8Array {}
  const kinds: Record<string, Uint8Array> = {
    "another realm": runInNewContext("new Uint8Array(8)") as Uint8Array,
    "a subclass": new Own(8),
    "a Buffer": Buffer.alloc(8),
    "shared memory": shared,
    "the segment": segment.heap.allocate(8).bytes,
    ...(canResize ? { "a view that follows its buffer": new Uint8Array(resizable(8)) } : {}),
  };
  for (const [kind, bytes] of Object.entries(kinds)) {
    for (let i = 0; i < 8; i++) bytes[i] = i + 1;
    view.write({ n: 1, b: bytes });
    assert.equal(view.get("b"), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), kind);
    view.set("b", bytes.subarray(2, 4));
    assert.equal(view.get("b"), Uint8Array.of(3, 4), kind);
  }
});

test("a struct is read and written inside of its view only, at offsets that are whole numbers", () => {
  const { buffer } = new Uint8Array(64).fill(0xff);
  const short = new DataView(buffer, 8, Inner.bytes - 1);
  const exact = new DataView(buffer, 8, Inner.bytes);
  const good = { n: 1, b: new Uint8Array(1) };
  for (const use of [
    (view: DataView, at: number) => Inner.read(view, at),
    (view: DataView, at: number) => Inner.write(view, good, at),
  ]) {
    for (const [view, at] of [
      [short, 0],
      [exact, 1],
      [exact, -1],
      [exact, 0.5],
      [exact, Number.NaN],
      [exact, Infinity],
    ] as const)
      assert.throws(
        () => use(view, at),
        (e: Error) => e instanceof RangeError && /offset/.test(e.message),
      );
    assert.throws(
      () => use(exact, "0" as never),
      (e: Error) => e instanceof TypeError && /offset/.test(e.message),
    );
    for (const view of [new Uint8Array(64), buffer, {}, undefined, null])
      assert.throws(
        () => use(view as never, 0),
        (e: Error) => e instanceof TypeError && /view/.test(e.message),
      );
  }
  assert.ok(new Uint8Array(buffer).every((byte) => byte === 0xff));
  Inner.write(exact, good);
  assert.equal(Inner.read(exact), good);
  assert.is(new Uint8Array(buffer)[7], 0xff);
  assert.is(new Uint8Array(buffer)[8 + Inner.bytes], 0xff);
});

test("a view whose memory a getter takes away while a value is put together is refused", () => {
  const buffer = new ArrayBuffer(64);
  const view = new DataView(buffer);
  const given = {
    n: 1,
    get b() {
      structuredClone(buffer, { transfer: [buffer] });
      return new Uint8Array(1);
    },
  };
  assert.throws(() => Inner.write(view, given), /^view .*detached|TypeError/);
  assert.throws(() => Inner.read(view), /view must not be detached/);
});

test.run();
