/** `heap.check` tells each kind of damage as what it is, and where. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../../protocol/layout.js";
import { peek32, poke32 } from "../../lib/poke.js";
import { segmentName } from "../../lib/segments.js";

interface Ground {
  name: string;
  /** Headers of two free blocks of one size, the first and the second of their list, each between two in use. */
  free: [number, number];
  /** The header of a block in use, and of the large free block at the end. */
  used: number;
  last: number;
  fence: number;
  /** Where the list of the two begins, and the bits of its row. */
  head: number;
  columns: number;
}

const BLOCK_BYTES = 64;
/** Of row 0, where the list of such blocks is. */
const COLUMN = BLOCK_BYTES >>> 3;

function prepare(name: string, segment: Segment): Ground {
  const blocks = Array.from({ length: 5 }, () =>
    segment.heap.allocate(BLOCK_BYTES - layout.BLOCK_HEADER_BYTES),
  );
  const headers = blocks.map((block) => block.offset - layout.BLOCK_HEADER_BYTES);
  for (const index of [1, 3]) blocks[index]?.free();
  const [, second, used, first, before] = headers as [number, number, number, number, number];
  return {
    name,
    free: [first, second],
    used,
    last: before + BLOCK_BYTES,
    fence: segment.bytes - layout.BLOCK_HEADER_BYTES,
    head: layout.HEAP_HEADS_OFFSET + 4 * COLUMN,
    columns: layout.HEAP_COLUMNS_OFFSET,
  };
}

interface Damage {
  name: string;
  what: RegExp;
  /** Does the damage; the offset that is told. */
  do(at: Ground): number;
}

function change(at: Ground, offset: number, changed: (now: number) => number): void {
  poke32(at.name, offset, changed(peek32(at.name, offset)) >>> 0);
}

/** Changes one word of a block, or of the heap; that block, or that word, is told. */
function word(
  name: string,
  what: RegExp,
  block: (at: Ground) => number,
  offset: number,
  changed: (now: number, at: Ground) => number,
  told = (_: Ground, here: number): number => here,
): Damage {
  return {
    name,
    what,
    do(at) {
      change(at, block(at) + offset, (now) => changed(now, at));
      return told(at, block(at));
    },
  };
}

const first = (at: Ground): number => at.free[0];
const second = (at: Ground): number => at.free[1];
const used = (at: Ground): number => at.used;
const heap = (): number => 0;
const at = (offset: number) => (): number => offset;
const { BLOCK_SIZE_OFFSET, BLOCK_BEFORE_OFFSET, BLOCK_NEXT_OFFSET, BLOCK_PREVIOUS_OFFSET } = layout;

const SIZE = /impossible size/;
const ORDER = /does not refer back/;
const NEIGHBOURS = /two free blocks are neighbours/;
const FENCE = /do not end at the end/;
const LIST = /a wrong member, or misses one/;
const BITS = /a bitmap/;
const SUMS = /the count of/;

const DAMAGES: Damage[] = [
  word(
    "a change is under way",
    /is being changed/,
    heap,
    layout.SEGMENT_LOCK_OFFSET,
    () => 0x10000,
    at(layout.HEAP_CHANGES_OFFSET),
  ),
  word("a block of no bytes", SIZE, used, BLOCK_SIZE_OFFSET, () => 0),
  word("a block that is longer than the heap", SIZE, used, BLOCK_SIZE_OFFSET, () => 0x7ffffff8),
  word("a size that is no multiple of 8", SIZE, used, BLOCK_SIZE_OFFSET, (now) => now + 4),
  word("a block that names another one before it", ORDER, used, BLOCK_BEFORE_OFFSET, (now) => now - 8),
  word(
    "a block that ends inside of itself",
    SIZE,
    used,
    BLOCK_SIZE_OFFSET,
    (now) => now - 8,
    (here) => here.used + BLOCK_BYTES - 8,
  ),
  word("a block in use that says that it is free", NEIGHBOURS, used, BLOCK_SIZE_OFFSET, (now) => now | 1),
  word(
    "a fence that names another last block",
    FENCE,
    (here) => here.fence,
    BLOCK_BEFORE_OFFSET,
    (now) => now + 8,
  ),
  word(
    "a fence of another size",
    FENCE,
    (here) => here.fence,
    BLOCK_SIZE_OFFSET,
    () => 24,
  ),
  word("a list that leads in a circle", LIST, second, BLOCK_NEXT_OFFSET, (_, here) => here.free[0], first),
  word("a member that follows itself", LIST, first, BLOCK_NEXT_OFFSET, (_, here) => here.free[0], first),
  word("a member that is no block", LIST, first, BLOCK_NEXT_OFFSET, () => 0xfffffff8, at(0xfffffff8)),
  word("a member that is in use", LIST, first, BLOCK_NEXT_OFFSET, (_, here) => here.used, used),
  word(
    "a member of another size",
    LIST,
    first,
    BLOCK_NEXT_OFFSET,
    (_, here) => here.last,
    (here) => here.last,
  ),
  word("a member that names another before it", LIST, second, BLOCK_PREVIOUS_OFFSET, () => 0),
  word("a list that misses one", LIST, first, BLOCK_NEXT_OFFSET, () => 0, at(layout.HEAP_ROWS_OFFSET)),
  word(
    "a list without its bit",
    BITS,
    (here) => here.columns,
    0,
    (now) => now & ~(1 << COLUMN),
    (here) => here.head,
  ),
  word(
    "a bit without its list",
    BITS,
    (here) => here.head,
    0,
    () => 0,
  ),
  word(
    "a row without its bit",
    BITS,
    heap,
    layout.HEAP_ROWS_OFFSET,
    (now) => now & ~1,
    at(layout.HEAP_ROWS_OFFSET),
  ),
  word(
    "a bit of a row that has nothing",
    BITS,
    heap,
    layout.HEAP_ROWS_OFFSET,
    (now) => now | 2,
    at(layout.HEAP_ROWS_OFFSET),
  ),
  word(
    "a wrong count of blocks",
    SUMS,
    heap,
    layout.HEAP_BLOCKS_OFFSET,
    (now) => now + 1,
    at(layout.HEAP_BLOCKS_OFFSET),
  ),
  word(
    "a wrong count of free bytes",
    SUMS,
    heap,
    layout.HEAP_FREE_UNITS_OFFSET,
    (now) => now - 1,
    at(layout.HEAP_FREE_UNITS_OFFSET),
  ),
];

for (const damage of DAMAGES) {
  test(`told as what it is: ${damage.name}`, () => {
    using segment = Segment.create(segmentName("check"), { bytes: MiB });
    try {
      const ground = prepare(segment.name, segment);
      // Whoever can write repairs what only looks like a change of somebody who has died.
      using looking = Segment.open(segment.name, { access: "read-only" });
      assert.equal(looking.heap.check(), { ok: true, problems: [] });
      const told = damage.do(ground);
      const { ok, problems } = looking.heap.check();
      assert.not(ok);
      assert.is(problems.length, 1);
      assert.match(problems[0]?.what ?? "", damage.what);
      assert.is(problems[0]?.offset, told);
    } finally {
      segment.unlink();
    }
  });
}

test("a check that meets a transaction of somebody else waits for its end; a reader says that the heap is being changed", () => {
  using segment = Segment.create(segmentName("check"), { bytes: MiB });
  try {
    using other = Segment.open(segment.name);
    using looking = Segment.open(segment.name, { access: "read-only" });
    const lock = segment.lock("lock");
    segment.transactionSync(lock, () => {
      segment.heap.allocate(100);
      assert.ok(segment.heap.check().ok, "its own");
      const [problem] = looking.heap.check().problems;
      assert.match(problem?.what ?? "", /is being changed/);
      // Nobody ends it meanwhile: this very thread is in it.
      const [found] = other.heap.check().problems;
      assert.match(found?.what ?? "", /is being changed/);
    });
    for (const each of [segment, other, looking]) assert.ok(each.heap.check().ok);
    poke32(segment.name, layout.SEGMENT_LOCK_OFFSET, 0x10000); // a slot that nobody was ever in
    assert.not(looking.heap.check().ok, "somebody died changing it");
    assert.ok(other.heap.check().ok, "repaired");
    assert.ok(looking.heap.check().ok);
  } finally {
    segment.unlink();
  }
});

test("each kind of damage that there is, is told in a case", () => {
  const kinds = Object.keys(layout).filter((name) => name.startsWith("CHECK_"));
  assert.is(new Set(DAMAGES.map(({ what }) => what.source)).size, kinds.length);
});

test.run();
