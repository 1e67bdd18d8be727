/** The heap and its blocks, against a model that is a list of what was allocated. */
import fc from "fast-check";
import { type Block, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../../lib/refusals.js";
import { printedSeed } from "../../lib/series.js";

const BYTES = 256 * 1024;

interface Known {
  block: Block;
  content: Uint8Array;
}

/** What must be in the heap, and the segment that has it. */
interface Pair {
  segment: Segment;
  /** Opens the same segment, so that what one opener does is seen through another. */
  other: Segment;
  blocks: Known[];
  stats: Segment["heap"]["stats"];
  fill: number;
}

interface Expected {
  blocks: number;
}

type HeapCommand = fc.Command<Expected, Pair>;

function whole({ segment, other, blocks, stats }: Pair): void {
  const found = other.heap.check();
  assert.ok(found.ok, JSON.stringify(found));
  assert.is(segment.heap.stats.blocks, stats.blocks + blocks.length);
  assert.is(segment.heap.stats.used + segment.heap.stats.free, segment.heap.stats.bytes);
  for (const { block, content } of blocks) {
    assert.equal(block.copy(), content);
    assert.ok((other.heap.blockAt(block.offset)?.byteLength ?? 0) >= content.length);
  }
}

function allocate(length: number, alignment: number, zero: boolean): HeapCommand {
  return {
    check: () => true,
    run(model, pair) {
      const block = pair.segment.heap.tryAllocate(length, { alignment, zero });
      if (block) {
        assert.is(block.offset % alignment, 0);
        assert.is(block.byteLength, length);
        if (zero) assert.ok(block.bytes.every((byte) => byte === 0));
        pair.fill = (pair.fill % 255) + 1;
        block.bytes.fill(pair.fill);
        pair.blocks.push({ block, content: new Uint8Array(length).fill(pair.fill) });
        model.blocks++;
      } else {
        // Good fit looks for up to an eighth more, and an aligned block for what may be cut off in front.
        const { free } = pair.segment.heap.stats;
        assert.ok(length + alignment > free / 64, `no room for ${length} bytes where ${free} are free`);
      }
      whole(pair);
    },
    toString: () => `allocate(${length}, { alignment: ${alignment}, zero: ${zero} })`,
  };
}

function free(which: number, through: "block" | "offset"): HeapCommand {
  return {
    check: ({ blocks }) => blocks > 0,
    run(model, pair) {
      const [gone] = pair.blocks.splice(which % pair.blocks.length, 1) as [Known];
      const { block } = gone;
      const found = through === "block" ? block : pair.other.heap.blockAt(block.offset);
      found?.free();
      model.blocks--;
      refused("NOT_FOUND", () => block.free());
      assert.is(pair.segment.heap.blockAt(block.offset), undefined);
      whole(pair);
    },
    toString: () => `free(${which}, through ${through})`,
  };
}

function write(which: number, at: number, bytes: Uint8Array): HeapCommand {
  return {
    check: ({ blocks }) => blocks > 0,
    run(_model, pair) {
      const { block, content } = pair.blocks[which % pair.blocks.length] as Known;
      if (at + bytes.length > block.byteLength) refused("RangeError", () => block.write(bytes, at));
      else {
        block.write(bytes, at);
        content.set(bytes, at);
      }
      whole(pair);
    },
    toString: () => `write(${which}, ${bytes.length} bytes at ${at})`,
  };
}

function root(which: number): HeapCommand {
  return {
    check: ({ blocks }) => blocks > 0,
    run(_model, pair) {
      const { block } = pair.blocks[which % pair.blocks.length] as Known;
      pair.segment.root = block;
      assert.is(pair.other.root?.offset, block.offset);
      pair.other.root = undefined;
      assert.is(pair.segment.root, undefined);
    },
    toString: () => `root(${which})`,
  };
}

const lengths = fc.oneof(
  fc.nat({ max: 300 }),
  fc.nat({ max: 5000 }),
  fc.integer({ min: 5000, max: BYTES }),
  fc.constantFrom(0, 1, 7, 8, 9, 2 ** 32 - 1),
);
const alignments = fc.nat({ max: 13 }).map((shift) => 8 << shift);

const commands = fc.commands(
  [
    fc.tuple(lengths, fc.oneof(fc.constant(8), alignments), fc.boolean()).map((given) => allocate(...given)),
    fc.tuple(lengths, fc.constant(8), fc.boolean()).map((given) => allocate(...given)),
    fc.tuple(fc.nat(), fc.constantFrom("block" as const, "offset" as const)).map((given) => free(...given)),
    fc
      .tuple(fc.nat(), fc.nat({ max: 400 }), fc.uint8Array({ maxLength: 200 }))
      .map((given) => write(...given)),
    fc.nat().map(root),
  ],
  { maxCommands: 120, size: "max" },
);

test("whatever is allocated, written and freed, the heap is whole and every block keeps its bytes", () => {
  const property = fc.property(commands, (sequence) => {
    using segment = Segment.createAnonymous({ bytes: BYTES });
    using other = Segment.fromHandle(segment.handle);
    const { stats } = segment.heap;
    const pair: Pair = { segment, other, blocks: [], stats, fill: 0 };
    fc.modelRun(() => ({ model: { blocks: 0 }, real: pair }), sequence);
    for (const { block } of pair.blocks) block.free();
    assert.equal(segment.heap.stats, stats, "everything is free again");
    assert.ok(segment.heap.check().ok);
  });
  fc.assert(property, { numRuns: 60, seed: printedSeed() });
});

const Pair = struct({ key: "u32", value: "f64" });
const Other = struct({ value: "f64", key: "u32" });

function openers() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const other = Segment.fromHandle(segment.handle);
  const looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  const close = (): void => {
    for (const one of [looking, other, segment]) one.close();
  };
  return { segment, other, looking, [Symbol.dispose]: close };
}

test("an offset that is no block's is none, whichever it is", () => {
  using scene = openers();
  const { heap } = scene.segment;
  const block = heap.allocate(100);
  for (const offset of [
    0,
    1,
    8,
    512,
    block.offset - 16,
    block.offset + 8,
    block.offset + 1,
    MiB - 8,
    MiB,
    2 ** 32 - 1,
  ])
    assert.is(heap.blockAt(offset), undefined, `${offset}`);
  assert.is(heap.blockAt(block.offset)?.offset, block.offset);
});

test("a view gives a block its layout, and another layout is refused everywhere", () => {
  using scene = openers();
  const { segment, other, looking } = scene;
  const block = segment.heap.allocate(64);
  const view = block.view(Pair);
  view.write({ key: 7, value: 1.5 });
  view.set("value", 2.5);
  assert.is(view.get("key"), 7);
  assert.equal(other.heap.blockAt(block.offset)?.view(Pair).read(), { key: 7, value: 2.5 });
  assert.equal(looking.heap.blockAt(block.offset)?.view(Pair).read(), { key: 7, value: 2.5 });
  for (const one of [segment, other, looking])
    refused("LAYOUT_MISMATCH", () => one.heap.blockAt(block.offset)?.view(Other));
  refused("RangeError", () => segment.heap.allocate(8).view(Pair), /layout/);
  block.free();
  refused("NOT_FOUND", () => block.view(Pair));
});

test("a block that is allocated again has no layout yet", () => {
  using scene = openers();
  const first = scene.segment.heap.allocate(64);
  first.view(Pair);
  first.free();
  const second = scene.segment.heap.allocate(64);
  assert.is(second.offset, first.offset);
  second.view(Other).write({ value: 3, key: 1 });
});

test("a view of a block that somebody else has freed is refused, and the heap stays whole", () => {
  for (const then of ["free", "merged", "taken", "overwritten"] as const) {
    using scene = openers();
    const { segment, other } = scene;
    const blocks = Array.from({ length: 5 }, () => segment.heap.allocate(64));
    const [, , kept] = blocks as [Block, Block, Block, Block, Block];
    other.heap.blockAt(kept.offset)?.free();
    if (then !== "free") for (const i of [1, 3]) other.heap.blockAt(blocks[i]?.offset as number)?.free();
    // Alignment puts the bytes of the block elsewhere than those of the block that was freed.
    const taken = then === "taken" ? other.heap.allocate(100, { alignment: 128, zero: false }) : undefined;
    const large = then === "overwritten" ? other.heap.allocate(200) : undefined;
    // Just what a block of 24 bytes would look like.
    const at = kept.offset - (large?.offset ?? 0) - 16;
    const like = new Uint32Array([(blocks[1]?.offset as number) - 16, 24, 0, 0, 0, 0, kept.offset - 16]);
    large?.write(new Uint8Array(like.buffer), at);
    const bytes = [taken, large].map((block) => block?.copy());
    assert.is.not(taken?.offset, kept.offset);
    refused("NOT_FOUND", () => kept.view(Pair), /offset/);
    assert.equal(other.heap.check(), { ok: true, problems: [] }, then);
    assert.equal(
      [taken, large].map((block) => block?.copy()),
      bytes,
      then,
    );
    while (segment.heap.tryAllocate(40));
    assert.ok(other.heap.check().ok, then);
  }
});

test("a read-only opener reads copies, and can change nothing", () => {
  using scene = openers();
  const { segment, looking } = scene;
  const block = segment.heap.allocate(32);
  block.write(Uint8Array.of(1, 2, 3), 4);
  block.view(Pair);
  segment.root = block;
  const seen = looking.root as Block;
  assert.equal(seen.copy().subarray(4, 7), Uint8Array.of(1, 2, 3));
  assert.ok(looking.heap.check().ok);
  assert.equal(looking.heap.stats, segment.heap.stats);
  refused("READ_ONLY", () => seen.bytes);
  refused("READ_ONLY", () => seen.write(Uint8Array.of(1)));
  refused("READ_ONLY", () => seen.free());
  refused("READ_ONLY", () => seen.view(Pair).set("key", 1));
  refused("READ_ONLY", () => seen.view(Pair).write({ key: 1, value: 1 }));
  refused("READ_ONLY", () => looking.heap.allocate(8));
  refused("READ_ONLY", () => (looking.root = undefined));
});

test("a root that was freed is none, and a freed block cannot become it", () => {
  using scene = openers();
  const { segment, other } = scene;
  const block = segment.heap.allocate(32);
  segment.root = block;
  block.free();
  assert.is(other.root, undefined);
  refused("NOT_FOUND", () => (segment.root = block));
});

test("a block of another segment cannot become the root", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.createAnonymous({ bytes: MiB });
  const [own, foreign] = [segment.heap.allocate(8), other.heap.allocate(8)];
  assert.is(own.offset, foreign.offset);
  segment.root = own;
  refused(
    "TypeError",
    () => (segment.root = foreign),
    /root must be a block of segment "", got one of another segment/,
  );
  assert.is(segment.root?.offset, own.offset);
});

test("a block that was freed through this object is not used any more; one whose freeing was undone is", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const layout = struct({ key: "u32" });
  const block = segment.heap.allocate(8);
  const lock = segment.lock("lock");
  assert.throws(
    () =>
      segment.transactionSync(lock, () => {
        block.free();
        throw new Error("undone");
      }),
    /undone/,
  );
  block.write(new Uint8Array(8));
  segment.transactionSync(lock, () => block.free());
  // Its place has another owner now.
  assert.is(segment.heap.allocate(8).offset, block.offset);
  for (const use of [
    () => block.bytes,
    () => block.copy(),
    () => block.write(new Uint8Array(1)),
    () => block.view(layout),
    () => block.free(),
  ])
    refused("NOT_FOUND", use, /was freed/);
});

test("the heap can be filled to the last byte, and is as before when all is free again", () => {
  using scene = openers();
  const { heap } = scene.segment;
  const before = heap.stats;
  const taken: Block[] = [];
  for (let length = before.free; heap.stats.free > 0; ) {
    const block = heap.tryAllocate(length);
    if (block) taken.push(block);
    else length = Math.floor(length / 2);
  }
  assert.is(heap.tryAllocate(0), undefined);
  assert.ok(heap.check().ok);
  for (const block of taken) block.free();
  assert.equal(heap.stats, before);
  assert.ok(heap.check().ok);
});

test("freeing twice is refused, also when the block has become part of a larger free one", () => {
  using scene = openers();
  const { heap } = scene.segment;
  const blocks = Array.from({ length: 9 }, () => heap.allocate(100));
  for (const i of [1, 3, 2, 7, 5, 6, 0, 4, 8]) {
    blocks[i]?.free();
    for (const [j, block] of blocks.entries())
      if (heap.blockAt(block.offset) === undefined) refused("NOT_FOUND", () => blocks[j]?.free());
    refused("NOT_FOUND", () => blocks[i]?.free());
    assert.ok(heap.check().ok);
  }
});

test("after close a block answers CLOSED", () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const { heap } = segment;
  const block = heap.allocate(32);
  const view = block.view(Pair);
  const kept = block.bytes;
  segment.close();
  assert.ok(kept.every((byte) => byte === 0));
  for (const call of [
    () => block.bytes,
    () => block.copy(),
    () => block.write(new Uint8Array(1)),
    () => block.view(Pair),
    () => block.free(),
    () => view.read(),
    () => view.get("key"),
    () => view.set("key", 1),
    () => heap.allocate(8),
    () => heap.blockAt(block.offset),
    () => heap.check(),
    () => heap.stats,
    () => segment.root,
  ])
    refused("CLOSED", call);
});

test.run();
