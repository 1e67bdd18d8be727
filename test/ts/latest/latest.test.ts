import { type IsthmusError, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

const Small = struct({ id: "u32", words: ["u32", 40] });
const Large = struct({ id: "u32", blob: "bytes:5000" });

function segments() {
  const writer = Segment.createAnonymous({ bytes: 65536 * 2 });
  const reader = Segment.fromHandle(writer.handle);
  const readOnly = Segment.fromHandle(writer.handle, { access: "read-only" });
  return { writer, reader, readOnly };
}

test("the newest value is seen by every opener, small and large, read-only too", () => {
  const { writer, reader, readOnly } = segments();
  using _a = writer;
  using _b = reader;
  using _c = readOnly;
  const small = writer.latest("s", Small);
  const large = writer.latest("l", Large);
  assert.is(reader.latest("s", Small).read(), undefined);
  for (let id = 1; id < 20; id++) {
    small.write({ id, words: Array.from({ length: 40 }, (_, i) => id * 100 + i) });
    large.write({ id, blob: new Uint8Array(4000 + id).fill(id) });
    for (const opener of [writer, reader, readOnly]) {
      assert.is(opener.latest("s", Small).read()?.words[39], id * 100 + 39);
      assert.equal(opener.latest("l", Large).read()?.blob, new Uint8Array(4000 + id).fill(id));
    }
    assert.is(readOnly.latest("s", Small).version, id);
  }
});

test("getters of a value may use Isthmus while it is written: nothing is mixed", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
  const other = segment.latest("other", Small);
  const words = Array.from({ length: 40 }, (_, i) => i);
  other.write({ id: 99, words: words.map(() => 0) });
  for (const [layout, name, part] of [
    [Small, "s", { words }],
    [struct({ id: "u32", words: ["u32", 400] }), "l", { words: [...Array(10)].flatMap(() => words) }],
  ] as const) {
    const latest = segment.latest(name, layout as typeof Small);
    let depth = 0;
    const value = (id: number) => ({
      ...part,
      id,
      get words() {
        if (depth++ < 2) {
          other.read();
          other.write({ id: 98, words: words.map(() => 7) });
          latest.write({ ...part, id: 50 });
          latest.read();
        }
        return part.words;
      },
    });
    latest.write(value(1));
    assert.equal(latest.read(), { id: 1, words: part.words });
  }
});

test("several openers may write in turn", () => {
  const { writer, reader, readOnly } = segments();
  using _a = writer;
  using _b = reader;
  using _c = readOnly;
  const first = writer.latest("l", Large);
  const second = reader.latest("l", Large);
  for (let id = 0; id < 10; id++) (id % 2 ? first : second).write({ id, blob: new Uint8Array(id) });
  assert.is(readOnly.latest("l", Large).read()?.id, 9);
});

test("a read-only opener cannot write or make anything, and says so", () => {
  const { writer, reader, readOnly } = segments();
  using _a = writer;
  using _b = reader;
  using _c = readOnly;
  const code = (call: () => unknown): string => {
    try {
      call();
      return "nothing was thrown";
    } catch (error) {
      return (error as IsthmusError).code;
    }
  };
  assert.is(
    code(() => readOnly.latest("s", Small)),
    "NOT_FOUND",
  );
  writer.latest("s", Small);
  const ring = writer.ring("r", { bytes: 100 });
  assert.is(
    code(() => readOnly.latest("s", Small).write({ id: 1, words: Array(40).fill(0) })),
    "READ_ONLY",
  );
  assert.is(
    code(() => readOnly.ring("r", { bytes: 100 }).producer()),
    "READ_ONLY",
  );
  assert.is(
    code(() => readOnly.ring("r", { bytes: 100 }).consumer()),
    "READ_ONLY",
  );
  assert.is(readOnly.ring("r", { bytes: 100 }).stats.capacity, ring.capacity);
});

test("another layout under the same name is refused, naming the difference", () => {
  const { writer, reader, readOnly } = segments();
  using _a = writer;
  using _b = reader;
  using _c = readOnly;
  writer.latest("s", Small);
  assert.throws(() => reader.latest("s", Large), /OBJECT_MISMATCH.*bytes/);
  assert.throws(
    () => reader.latest("s", struct({ di: "u32", words: ["u32", 40] })),
    /OBJECT_MISMATCH.*layout/,
  );
  assert.throws(() => reader.ring("s", { bytes: 100 }), /OBJECT_MISMATCH.*latest.*ring/);
});

test.run();
