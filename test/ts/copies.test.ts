/** Two copies of the package in one process: what one makes, the other takes, or says why not. */
import { cpSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as ours from "isthmus";
import { type IsthmusError, MiB, Segment, type Struct, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root, scratchFolder } from "../lib/paths.js";

/** Below the root, so that what the package depends on is found. */
const folder = scratchFolder("copy");
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const name of ["dist", "package.json"])
  cpSync(join(root, name), join(folder, name), { recursive: true });
symlinkSync(join(root, "prebuilds"), join(folder, "prebuilds"));
const theirs = createRequire(join(folder, "user.cjs"))(folder) as typeof ours;

const fields = { id: "u32", list: ["f64", 3], text: "utf8:8" } as const;
const value = { id: 1, list: [1, 2, 3], text: "text" };

test("there are two copies", () => {
  assert.is.not(theirs.Segment, Segment);
  assert.is.not(theirs.Struct, ours.Struct);
});

test("structs of another copy are layouts, also inside of others", () => {
  const Foreign = theirs.struct(fields) as unknown as Struct<typeof fields>;
  using segment = Segment.createAnonymous({ bytes: MiB });
  const latest = segment.latest("latest", Foreign);
  latest.write(value);
  assert.equal(segment.latest("latest", struct(fields)).read(), value);
  const block = segment.heap.allocate(Foreign.bytes);
  block.view(Foreign).write(value);
  assert.equal(block.view(struct(fields)).read(), value);
  const Outer = struct({ one: Foreign, more: [Foreign, 2] });
  assert.is(Outer.hash, struct({ one: struct(fields), more: [struct(fields), 2] }).hash);
  const view = new DataView(new ArrayBuffer(Outer.bytes));
  Outer.write(view, { one: value, more: [value, value] });
  assert.equal(Outer.read(view).more[1], value);
});

test("a struct of a release that lays out fields in another way is refused", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const Foreign = theirs.struct(fields) as unknown as Struct<typeof fields>;
  for (const [name, wrong] of Object.entries({ hash: Foreign.hash ^ 1, bytes: Foreign.bytes + 8 })) {
    const other = Object.create(Foreign, Object.getOwnPropertyDescriptors(Foreign));
    Object.defineProperty(other, name, { value: wrong });
    for (const use of [
      () => segment.latest("latest", other),
      () => segment.heap.allocate(64).view(other),
      () => struct({ inner: other }),
    ])
      assert.throws(use, (e: Error) => e instanceof TypeError && /same release/.test(e.message));
  }
});

test("a block of another copy is known as one, and becomes the root if it is of the same segment", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using same = theirs.Segment.fromHandle(segment.handle);
  const block = segment.heap.allocate(8);
  const foreign = same.heap.blockAt(block.offset) as ours.Block;
  segment.root = foreign;
  assert.is(same.root?.offset, block.offset);
  using stranger = theirs.Segment.createAnonymous({ bytes: MiB });
  const other = stranger.heap.allocate(8) as ours.Block;
  assert.throws(
    () => {
      segment.root = other;
    },
    (e: Error) => e instanceof TypeError && /got one of another segment/.test(e.message),
  );
  assert.is(Segment.containing(foreign), undefined);
  assert.is(Segment.containing(foreign.view(theirs.struct({ a: "u8" }) as never)), undefined);
  foreign.free();
  assert.throws(
    () => block.copy(),
    (e: IsthmusError) => e.code === "NOT_FOUND",
  );
});

test("what only looks like a struct or a block is none", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const like = { ...struct(fields), fields, hash: 1, bytes: 8, codec: {} };
  for (const wrong of [like, {}, fields, struct, null, undefined, "Struct", Object.create(null)]) {
    assert.throws(() => segment.latest("latest", wrong as never), /layout must be a struct/);
    assert.throws(() => segment.heap.allocate(64).view(wrong as never), /layout must be a struct/);
  }
  for (const wrong of [{ offset: 8, buffer: segment.heap.allocate(8).bytes.buffer }, 8, null])
    assert.throws(() => {
      segment.root = wrong as never;
    }, /root must be a block/);
});

test.run();
