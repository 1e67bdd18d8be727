/** Blocks: who freed them is noticed by all, where there is no room is said, and which there are can be listed. */
import fc from "fast-check";
import { type Block, IsthmusError, KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../../protocol/layout.js";
import { listBlocks } from "../../../ts/memory/walk.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { peek32, poke32 } from "../../lib/poke.js";
import { segmentName } from "../../lib/segments.js";

const Pair = struct({ key: "u32", list: ["u32", 2] });

function code(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof IsthmusError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

/** Two openers of one segment; the second cannot write. */
function openers(bytes = MiB) {
  const segment = Segment.createAnonymous({ bytes });
  const looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  return {
    segment,
    looking,
    [Symbol.dispose]() {
      segment.close();
      looking.close();
    },
  };
}

test("a block that was freed by another object is used by nobody, also when its bytes have a new owner", () => {
  for (const merged of [false, true]) {
    using scene = openers();
    const { segment, looking } = scene;
    const before = segment.heap.allocate(Pair.bytes);
    const block = segment.heap.allocate(Pair.bytes);
    segment.heap.allocate(8);
    const view = block.view(Pair);
    const seen = looking.heap.blockAt(block.offset) as Block;
    const seenView = seen.view(Pair);
    view.write({ key: 1, list: [2, 3] });
    const uses = {
      bytes: () => block.bytes,
      as: () => block.as(Uint8Array),
      copy: () => block.copy(),
      write: () => block.write(new Uint8Array(1)),
      view: () => block.view(Pair),
      layout: () => block.layout,
      free: () => block.free(),
      root: () => {
        segment.root = block;
      },
      "view.read": () => view.read(),
      "view.write": () => view.write({ key: 9, list: [9, 9] }),
      "view.get": () => view.get("key"),
      "view.set": () => view.set("key", 9),
      "view.set of a list": () => view.set("list", [9, 9]),
      "view.array": () => view.array("list"),
      "a read-only copy": () => seen.copy(),
      "a read-only view": () => seenView.read(),
    };
    if (merged) before.free();
    segment.heap.blockAt(block.offset)?.free();
    for (const [name, use] of Object.entries(uses)) assert.is(code(use), "NOT_FOUND", `${name}, freed`);
    const next = segment.heap.allocate(merged ? 2 * Pair.bytes : Pair.bytes);
    if (!merged) assert.is(next.offset, block.offset);
    next.bytes.fill(7);
    for (const [name, use] of Object.entries(uses)) assert.is(code(use), "NOT_FOUND", `${name}, taken`);
    assert.ok(next.copy().every((byte) => byte === 7));
    assert.ok(segment.heap.check().ok);
  }
});

test("a root that was freed is none, also when its bytes have a new owner", () => {
  using scene = openers();
  const { segment, looking } = scene;
  const block = segment.heap.allocate(32);
  segment.root = block;
  block.free();
  const next = segment.heap.allocate(32);
  assert.is(next.offset, block.offset);
  next.bytes.fill(1);
  assert.is(segment.root, undefined);
  assert.is(looking.root, undefined);
});

test("a block of a transaction that was undone does not come back with the next one at its place", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const lock = segment.lock("lock");
  let lost: Block | undefined;
  assert.throws(
    () =>
      segment.transactionSync(lock, () => {
        lost = segment.heap.allocate(64);
        throw new Error("undone");
      }),
    /undone/,
  );
  const next = segment.heap.allocate(64);
  assert.is(next.offset, lost?.offset);
  assert.is(
    code(() => lost?.copy()),
    "NOT_FOUND",
  );
  assert.is(
    code(() => lost?.free()),
    "NOT_FOUND",
  );
  next.free();
});

test("where there is no room allocate says what was asked for, what is free, and what to do; tryAllocate gives undefined", () => {
  using segment = Segment.createAnonymous({ bytes: 256 * KiB });
  const blocks: Block[] = [];
  for (let block = segment.heap.tryAllocate(1000); block; block = segment.heap.tryAllocate(1000))
    blocks.push(block);
  for (const index of [10, 20, 21]) blocks[index]?.free();
  const { free, bytes } = segment.heap.stats;
  try {
    segment.heap.allocate(5000);
    assert.unreachable();
  } catch (error) {
    const { code, message } = error as IsthmusError;
    assert.is(code, "SEGMENT_FULL");
    for (const part of ["5000", `${free}`, `${bytes}`, "larger segment", "tryAllocate"])
      assert.ok(message.includes(part), `${part} in ${message}`);
    const largest = Number(/largest piece has about (\d+)/.exec(message)?.[1]);
    assert.ok(largest >= 2000 && largest < 2200, message);
  }
  assert.is(segment.heap.tryAllocate(5000), undefined);
  assert.is(segment.heap.tryAllocate(2 ** 32 - 1), undefined);
  assert.is(
    code(() => segment.heap.allocate(2 ** 32 - 1)),
    "SEGMENT_FULL",
  );
  assert.ok(segment.heap.tryAllocate(2000));
});

test("blocks lists what users have, in order, and nothing that belongs to named objects", () => {
  using scene = openers();
  const { segment, looking } = scene;
  assert.equal([...segment.heap.blocks()], []);
  segment.lock("lock");
  const lengths = [8, 100, 0, 4000, 24];
  const made = lengths.map((length) => segment.heap.allocate(length));
  segment.ring("ring", { bytes: 4 * KiB });
  segment.latest("latest", Pair);
  made[1]?.view(Pair);
  made[2]?.free();
  const expected = made.filter((_, index) => index !== 2);
  for (const opener of [segment, looking]) {
    const found = [...opener.heap.blocks()];
    assert.equal(
      found.map(({ offset }) => offset),
      expected.map(({ offset }) => offset).sort((a, b) => a - b),
    );
    for (const block of found) {
      const one = made.find(({ offset }) => offset === block.offset) as Block;
      assert.ok(block.byteLength >= one.byteLength);
      assert.is(block.layout, one === made[1] ? Pair.hash : undefined);
    }
  }
  for (const block of segment.heap.blocks()) block.free();
  assert.equal([...segment.heap.blocks()], []);
  segment.lock("lock").acquireSync().release();
  assert.ok(segment.heap.check().ok);
});

test("blocks goes on while blocks are freed and allocated, and shows in a transaction what the transaction sees", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const made = Array.from({ length: 100 }, () => segment.heap.allocate(64));
  const live = new Set(made.map(({ offset }) => offset));
  for (const block of segment.heap.blocks()) {
    assert.ok(live.delete(block.offset), `${block.offset} was freed, or is another block by now`);
    block.free();
    const last = [...live][live.size >>> 1] as number;
    if (!live.delete(last)) continue;
    segment.heap.blockAt(last)?.free(); // it is left out when the loop comes to it
    segment.heap.allocate(64); // at its place, but not one of the blocks of that moment
  }
  assert.is(live.size, 0);
  const lock = segment.lock("lock");
  segment.transactionSync(lock, () => {
    const before = [...segment.heap.blocks()].length;
    segment.heap.allocate(8);
    assert.is([...segment.heap.blocks()].length, before + 1);
  });
});

test("the offset of a named object is no block: it can be neither written nor freed as one", () => {
  using segment = Segment.create(segmentName("objects"), { bytes: MiB });
  segment.ring("ring", { bytes: 4 * KiB });
  const directory =
    Number(peek32(segment.name, layout.HEADER_PAYLOAD_OFFSET_OFFSET)) + layout.OBJECT_ALIGNMENT;
  for (let at = directory & ~7; at < directory + 64 * KiB; at += 8)
    assert.is(segment.heap.blockAt(at), undefined, `${at}`);
  segment.unlink();
});

test("a heap that is damaged or half changed does not keep blocks from ending", () => {
  using segment = Segment.create(segmentName("walk"), { bytes: MiB });
  const made = Array.from({ length: 5 }, () => segment.heap.allocate(64));
  const header = (made[2]?.offset as number) - layout.BLOCK_HEADER_BYTES;
  const size = peek32(segment.name, header + layout.BLOCK_SIZE_OFFSET);
  for (const bad of [0, 4, 16, 2 ** 31, 2 ** 32 - 8, size + 4]) {
    poke32(segment.name, header + layout.BLOCK_SIZE_OFFSET, bad);
    assert.is(
      code(() => segment.heap.blocks()),
      "CORRUPT",
      `size ${bad}`,
    );
  }
  poke32(segment.name, header + layout.BLOCK_SIZE_OFFSET, size);
  // Somebody has died in the middle of a change: a writer repairs that, a read-only opener says so.
  using looking = Segment.open(segment.name, { access: "read-only" });
  poke32(segment.name, layout.SEGMENT_LOCK_OFFSET, 0x10000); // a slot that nobody was ever in
  assert.is(
    code(() => looking.heap.blocks()),
    "BUSY",
  );
  assert.is([...segment.heap.blocks()].length, 5);
  assert.is([...looking.heap.blocks()].length, 5);
  segment.unlink();
});

test("a write into a block is undone to its last byte, wherever it begins and whatever its length", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const lock = segment.lock("lock");
  const block = segment.heap.allocate(64);
  const lengths = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(1, 5, 9, 13, 17));
  const property = fc.property(
    fc.integer({ min: 0, max: 24 }),
    lengths,
    fc.uint8Array({ minLength: 64, maxLength: 64 }),
    (at, length, old) => {
      block.write(old);
      assert.throws(
        () =>
          segment.transactionSync(lock, () => {
            block.write(
              old.slice(at, at + length).map((byte) => ~byte),
              at,
            );
            assert.is.not(length > 0 && block.copy()[at + length - 1], old[at + length - 1]);
            throw new Error("undone");
          }),
        /undone/,
      );
      assert.equal(block.copy(), new Uint8Array(old));
    },
  );
  for (let at = 0; at < 8; at++)
    for (let length = 0; length < 20; length++)
      fc.assert(property, { numRuns: 1, examples: [[at, length, new Uint8Array(64).fill(at + 1)]] });
  fc.assert(property, { numRuns: 300 });
});

test("bytes of a block may be written to another part of it that overlaps", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const block = segment.heap.allocate(20_000);
  for (const [from, to] of [
    [0, 100],
    [100, 0],
  ] as const) {
    for (let i = 0; i < block.byteLength; i++) block.bytes[i] = i * 7;
    const expected = block.copy();
    expected.copyWithin(to, from, from + 15_000);
    block.write(block.bytes.subarray(from, from + 15_000), to);
    assert.equal(block.copy(), expected);
  }
});

test("fields of a view are undone to their last byte, too", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const lock = segment.lock("lock");
  const Odd = struct({ a: "u8", b: ["u8", 5], c: "bool", d: "utf8:5", e: ["u8", 3], f: "u16", g: "f64" });
  const block = segment.heap.allocate(Odd.bytes);
  const view = block.view(Odd);
  view.write({ a: 1, b: [1, 2, 3, 4, 5], c: true, d: "abcde", e: [1, 2, 3], f: 1, g: 1 });
  const before = block.copy();
  const other = { a: 2, b: [9, 9, 9, 9, 9], c: false, d: "z", e: [9, 9, 9], f: 9, g: 9 } as const;
  for (const [field, value] of Object.entries(other)) {
    assert.throws(
      () =>
        segment.transactionSync(lock, () => {
          view.set(field as "a", value as number);
          throw new Error("undone");
        }),
      /undone/,
    );
    assert.equal(block.copy(), before, field);
  }
});

test("a list that was made while the heap changed is made again", () => {
  let walks = 0;
  let changes = 6;
  const heapLook = (): number => changes;
  const heapNext = (after: number): number => {
    if (after !== 0) return 0;
    if (++walks === 1) changes += 2;
    return walks * 64 * KiB;
  };
  const changing = { u32: new Uint32Array(64 * KiB), readOnly: true, transaction: undefined };
  const { offsets } = listBlocks({ ...changing, core: { heapLook, heapNext } } as unknown as Attachment);
  assert.equal(offsets, [2 * 64 * KiB]);
});

test.run();
