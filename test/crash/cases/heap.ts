/** Blocks are taken and given back whole or not at all, whoever dies, and the bytes of the others stay as they are. */
import { strict as assert } from "node:assert";
import { CORRUPT, NOT_FOUND, SEGMENT_FULL } from "../../../protocol/errors.js";
import {
  BLOCK_BYTES_MIN,
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  DIRECTORY_COUNT_OFFSET,
  HEAP_BLOCKS_OFFSET,
  HEAP_ROOT_OFFSET,
} from "../../../protocol/layout.js";
import type { CrashCase, CrashLane, LivingOn } from "../../lib/crash.js";
import { allocate, type BlockWish, check, free, picture, repair } from "../../lib/hosts/heap.js";
import { insertOnce, offsetOf, overcome, ringWish } from "../../lib/hosts/segment.js";
import { call, type Script, variable, write } from "../../lib/script.js";
import { SEGMENT_BYTES } from "../../lib/shipped.js";
import { FILLS, type Fill, populate, scribbleJournal, slotsOf, someoneDied } from "./ground.js";

const LOST_SLOT = 7;
export const LOST = [LOST_SLOT];

/** Bytes that each block of the ground has. Of the free ones, 5 and 6 are one. */
const SIZES = [40, 64, 48, 200, 48, 64, 400, 48];
const FREE = [1, 3, 5, 6];

/** Where the blocks of the ground are, or were. */
export interface Ground {
  payload: number;
  blocks: number[];
}

/** Blocks in use with free ones between them, each in use with bytes of its own; the first is the root. */
function* fragment(): Script<number[]> {
  const blocks: number[] = [];
  for (const [index, bytes] of SIZES.entries()) {
    const block = (yield* allocate({ bytes })) as number;
    yield* write(block, new Uint8Array(bytes).fill(index + 1));
    blocks.push(block);
  }
  for (const index of FREE) yield* free(blocks[index] as number);
  yield* call("heapSetRoot", blocks[0] as number);
  return blocks;
}

export function prepareHeap(lane: CrashLane, fill: Fill): Ground {
  populate(lane, fill);
  const blocks = lane.play(1, fragment());
  return { payload: lane.play(1, variable("payload")) >>> 0, blocks };
}

export interface HeapOperation {
  name: string;
  run(ground: Ground): Script<unknown>;
  /** As `run`, without the zeroing of the block, which comes after the commit: what a death between the two leaves. */
  unzeroed?(ground: Ground): Script<number | undefined>;
  /** What happens before, beyond the ground. */
  before?(lane: CrashLane, ground: Ground): void;
  fill?: Fill;
  /** There is no room for anything. */
  full?: boolean;
  /** No survivor dies. */
  survivorsLive?: boolean;
  livesOn?: LivingOn;
  /** A call of the victim was cut off before: what brings everything back to what it was before that. */
  cutOff?: () => Script<unknown>;
}

/** A survivor allocates, writes and frees as if nothing had happened; then the heap is as before. */
function* work(view: DataView, payload: number): Script {
  const before = picture(view, payload);
  const blocks = [
    (yield* allocate({ bytes: 100, alignment: 64, zero: true })) as number,
    (yield* allocate({ bytes: 30 })) as number,
  ];
  assert.equal((blocks[0] as number) % 64, 0, "alignment");
  assert.ok(
    new Uint8Array(view.buffer, blocks[0], 100).every((byte) => byte === 0),
    "zeros",
  );
  yield* write(blocks[0] as number, new Uint8Array(100).fill(0xee));
  yield* write(blocks[1] as number, new Uint8Array(30).fill(0xdd));
  yield* check();
  for (const block of blocks) assert.ok(yield* free(block));
  yield* check();
  assert.equal(picture(view, payload), before, "work that was undone leaves traces");
}

export function heapCase(one: HeapOperation): CrashCase {
  let ground: Ground;
  let before = "";
  let after = "";
  /** The block that is not zeroed yet, and what stands beside its bytes. */
  let unzeroed: number | undefined;
  let committed = "";
  function* takeUnzeroed(): Script {
    unzeroed = yield* (one.unzeroed as NonNullable<typeof one.unzeroed>)(ground);
  }
  const beside = (lane: CrashLane): string => picture(lane.view, ground.payload, unzeroed);
  return {
    name: `heap, ${one.name}`,
    before: (lane) => {
      ground = prepareHeap(lane, one.fill ?? (FILLS[1] as Fill));
      one.before?.(lane, ground);
      scribbleJournal(lane);
      const look = (): string => picture(lane.view, ground.payload);
      before = one.cutOff ? lane.foresee(0, one.cutOff(), look) : lane.foresee(1, repair(LOST), look);
      after = lane.foresee(0, one.run(ground), look);
      if (one.unzeroed) committed = lane.foresee(0, takeUnzeroed(), () => beside(lane));
    },
    operation: () => one.run(ground),
    *goOn(lane, by, dead, finished) {
      if (one.survivorsLive) lane.settled(by);
      assert.ok(yield* repair([...slotsOf(dead), LOST_SLOT]), "the write lock is not to be had");
      lane.settled(by);
      yield* check();
      const now = picture(lane.view, ground.payload);
      const unfinished = !finished && (now === before || beside(lane) === committed);
      assert.ok(now === after || unfinished, `neither before nor after:\n${now}`);
      if (by === 1 && !one.full) yield* work(lane.view, ground.payload);
    },
    ...(one.survivorsLive ? {} : { livesOn: one.livesOn ?? { meanwhile: () => repair([]) } }),
  };
}

function allocating(name: string, wish: BlockWish, more: Partial<HeapOperation> = {}): HeapOperation {
  const unzeroed = (): Script<number | undefined> => allocate({ ...wish, zero: false }, LOST);
  return { name: `allocate ${name}`, run: () => allocate(wish, LOST), unzeroed, ...more };
}

function freeing(name: string, index: number, more: Partial<HeapOperation> = {}): HeapOperation {
  return { name: `free ${name}`, run: ({ blocks }) => free(blocks[index] as number, LOST), ...more };
}

/** Frees another block of the ground first. */
function without(...indices: number[]): Partial<HeapOperation> {
  return {
    before: (lane, { blocks }) => {
      for (const index of indices) lane.play(1, free(blocks[index] as number));
    },
  };
}

function insertRing(): Script<unknown> {
  return overcome(LOST, () => insertOnce(ringWish("ring", 128)));
}

/** Everything is taken. */
function* takeAll(): Script {
  for (let bytes = 60_000; bytes >= 8; ) {
    const result = (yield* call("heapAllocate", bytes, 8, 0)) >>> 0;
    if (result === SEGMENT_FULL) bytes -= 8;
    else offsetOf("heapAllocate", result);
  }
}

function* allocateInVain(): Script {
  const result = yield* overcome(LOST, () => call("heapAllocate", 65_000, 8, 0));
  assert.equal(result, SEGMENT_FULL);
}

/** The first layout holds. */
function* giveLayout({ blocks }: Ground): Script {
  const block = blocks[2] as number;
  for (const hash of [77, 79])
    assert.equal(yield* overcome(LOST, () => call("heapSetLayout", block, hash)), 0);
  assert.equal(yield* call("heapLayout", block), 77);
}

/** Bytes of a user that look like a block, as far as what follows agrees. */
function* writeLookalike({ blocks }: Ground): Script {
  const like = blocks[4] as number;
  const words = Uint32Array.of(like - BLOCK_HEADER_BYTES, BLOCK_BYTES_MIN, 0, 0, 0, 0, like);
  yield* write(like, new Uint8Array(words.buffer));
  assert.ok(yield* call("heapBlockBytes", like + BLOCK_HEADER_BYTES), "it does not look like one");
}

/** What is no block in use gets no layout, is no root, and is not freed. */
function* inVain({ blocks, payload }: Ground): Script {
  const like = (blocks[4] as number) + BLOCK_HEADER_BYTES;
  for (const at of [like, blocks[1] as number, like + 8, payload, 8, SEGMENT_BYTES, 0xfffffff8]) {
    assert.equal(yield* overcome(LOST, () => call("heapSetLayout", at, 77)), NOT_FOUND, `layout at ${at}`);
    assert.equal((yield* call("heapSetRoot", at)) >>> 0, NOT_FOUND, `root at ${at}`);
    assert.equal((yield* call("heapFree", at)) >>> 0, CORRUPT, `free at ${at}`);
  }
}

const allTaken: Partial<HeapOperation> = { before: (lane) => lane.play(1, takeAll()), full: true };

/** Somebody died when about to write to that address, in the middle of this. */
export function lost(address: number, run: (ground: Ground) => Script<unknown>): Partial<HeapOperation> {
  return {
    before: (lane, ground) => someoneDied(lane, LOST_SLOT, () => lane.playUntil(2, address, run(ground))),
  };
}

/** Six blocks in a row, larger than the free ones before them; the free ones among them, 0, 2 and 4, are one list. */
const inOneList: Partial<HeapOperation> = {
  before: (lane, ground) => {
    const row = [0, 0, 0, 0, 0, 0].map(() => lane.play(1, allocate({ bytes: 500 })) as number);
    for (const index of [0, 2, 4]) lane.play(1, free(row[index] as number));
    ground.blocks.push(...row);
  },
};

/** Two large free blocks of one list, each behind one in use that is small enough for the list, and fits nowhere before them. */
const besideLarge: Partial<HeapOperation> = {
  before: (lane, ground) => {
    for (const bytes of [488, 8688, 488, 488, 8688, 488])
      ground.blocks.push(lane.play(1, allocate({ bytes })) as number);
    for (const index of [1, 4]) lane.play(1, free(ground.blocks[SIZES.length + index] as number));
  },
};

/** Nothing is free but three blocks: not all of them have room at every multiple of 64. */
const scattered: Partial<HeapOperation> = {
  before: (lane, ground) => {
    for (const bytes of [24, 600, 24, 600, 24, 600])
      ground.blocks.push(lane.play(1, allocate({ bytes })) as number);
    lane.play(1, takeAll());
    const places = [1, 3, 5].map((index) => ground.blocks[SIZES.length + index] as number);
    for (const block of places) lane.play(1, free(block));
  },
  full: true,
};

const lostAllocating = lost(HEAP_BLOCKS_OFFSET, () => allocate({ bytes: 56, alignment: 128 }));
const lostFreeing = lost(HEAP_BLOCKS_OFFSET, ({ blocks }) => free(blocks[4] as number));

export const HEAP_OPERATIONS: HeapOperation[] = [
  allocating("from the last, largest block", { bytes: 1000, zero: true }),
  allocating("in new memory", { bytes: 1000, zero: true }, { fill: FILLS[0] as Fill }),
  allocating("a whole free block", { bytes: 64 }),
  allocating("a part of a free block", { bytes: 100, zero: true }),
  allocating("behind a cut in front", { bytes: 72, alignment: 128, zero: true }),
  allocating("behind a cut in front, all there is", { bytes: 488 - 152, alignment: 64 }),
  allocating("where the list has another", { bytes: 64 }, without(7)),
  allocating("aligned, what fits by chance", { bytes: 500, alignment: 64 }, scattered),
  { name: "allocate in vain", run: allocateInVain },
  allocating("the smallest block", { bytes: 1 }),
  allocating("when the next one died allocating", { bytes: 100, alignment: 32 }, lostAllocating),
  allocating("when one died freeing", { bytes: 100 }, lostFreeing),
  freeing("with free neighbours on both sides", 2),
  freeing("with a free neighbour behind", 0),
  freeing("with a free neighbour before, and the rest behind", 7),
  freeing("between others of one list", SIZES.length + 1, inOneList),
  freeing("beside the last of a list", SIZES.length + 3, inOneList),
  freeing("before the first of a list, which stays in it", SIZES.length + 3, besideLarge),
  freeing("before the last of a list, which stays in it", SIZES.length, besideLarge),
  freeing("the last block", 7, allTaken),
  freeing("without free neighbours", 2, allTaken),
  freeing("the first block", 0, allTaken),
  freeing("when one died freeing the neighbour", 2, lostFreeing),
  freeing("when one died allocating", 4, lostAllocating),
  {
    name: "set the root",
    run: ({ blocks }) => overcome(LOST, () => call("heapSetRoot", blocks[2] as number)),
  },
  { name: "clear the root", run: () => overcome(LOST, () => call("heapSetRoot", 0)) },
  {
    name: "set the root when one died doing so",
    run: ({ blocks }) => overcome(LOST, () => call("heapSetRoot", blocks[2] as number)),
    ...lost(HEAP_ROOT_OFFSET, ({ blocks }) => call("heapSetRoot", blocks[4] as number)),
  },
  { name: "insert an object", run: insertRing },
  {
    name: "insert an object when one died publishing another",
    run: insertRing,
    ...lost(DIRECTORY_COUNT_OFFSET, () => insertOnce(ringWish("lost", 64))),
  },
  { name: "give a layout", run: giveLayout },
  {
    name: "give a layout when one died doing so",
    run: giveLayout,
    before: (lane, ground) => {
      const at = (ground.blocks[2] as number) - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET;
      lost(at, ({ blocks }) => call("heapSetLayout", blocks[2] as number, 78)).before?.(lane, ground);
    },
  },
  {
    name: "what is no block in use",
    run: inVain,
    before: (lane, ground) => lane.play(1, writeLookalike(ground)),
  },
];

export const heapCases: CrashCase[] = HEAP_OPERATIONS.map(heapCase);
