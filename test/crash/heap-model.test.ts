// watchdog: 300 s
/**
 * The heap against a model that is a list of blocks: two participants allocate and free what they like, die before any of their
 * writes, and come back. Nothing overlaps, everybody's bytes stay, the counts are right, and all of it becomes one again.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SEGMENT_FULL } from "../../protocol/errors.js";
import {
  BLOCK_BYTES_MIN,
  BLOCK_FREE,
  BLOCK_HEADER_BYTES,
  BLOCK_SIZE_OFFSET,
  HEAP_BLOCKS_OFFSET,
  HEAP_FREE_UNITS_OFFSET,
} from "../../protocol/layout.js";
import type { CrashLane } from "../lib/crash.js";
import { check, free, picture, repair } from "../lib/hosts/heap.js";
import { joinSegment, offsetOf } from "../lib/hosts/segment.js";
import { call, variable } from "../lib/script.js";
import { printedSeed } from "../lib/series.js";
import { crashLane } from "../lib/shipped.js";
import { FILLS, type Fill, populate, SLOTS, scribbleJournal } from "./cases/ground.js";

/** What is known of a block; of one whose owner died when it had it, only its size. */
interface Known {
  offset: number;
  bytes: number;
  fill: number;
}

interface Model {
  blocks: number;
}

/** Who does something, and before which of its writes it dies; 0: it lives. */
interface Doer {
  by: number;
  dies: number;
  /** It is back in its slot before anybody has met what it left. */
  backFirst: boolean;
}

const lane = crashLane();
/** What an instance knows before it has joined. */
const fresh = lane.arena.globals();

class Heap {
  readonly known: Known[] = [];
  readonly payload: number;
  readonly end: number;
  readonly empty: string;
  readonly #used: number;
  #fill = 0;
  deaths = 0;

  constructor(readonly lane: CrashLane) {
    lane.arena.recall(fresh);
    populate(lane, FILLS[1] as Fill);
    this.payload = lane.play(1, variable("payload")) >>> 0;
    this.end = lane.play(1, variable("heapEnd")) >>> 0;
    this.empty = picture(lane.view, this.payload);
    this.#used = this.used().length;
  }

  #word(at: number): number {
    return this.lane.view.getUint32(at, true);
  }

  /** Blocks in use, as a walk finds them. */
  used(): { offset: number; bytes: number }[] {
    const found = [];
    for (let at = this.payload; at < this.end; at += this.#word(at + BLOCK_SIZE_OFFSET) & ~BLOCK_FREE) {
      const size = this.#word(at + BLOCK_SIZE_OFFSET);
      if ((size & BLOCK_FREE) === 0)
        found.push({ offset: at + BLOCK_HEADER_BYTES, bytes: size - BLOCK_HEADER_BYTES });
    }
    return found;
  }

  /** Whether a free block has room for the bytes behind the gap that the alignment wants, as a walk finds it. */
  fits(bytes: number, alignment: number): boolean {
    const wanted = sizeOf(bytes);
    for (let at = this.payload; at < this.end; at += this.#word(at + BLOCK_SIZE_OFFSET) & ~BLOCK_FREE) {
      const size = this.#word(at + BLOCK_SIZE_OFFSET);
      if ((size & BLOCK_FREE) === 0) continue;
      if ((size & ~BLOCK_FREE) >= gapOf(at, alignment) + wanted) return true;
    }
    return false;
  }

  /** A block that the model has from now on, filled with bytes of its own. */
  add(offset: number, bytes: number): void {
    this.#fill = (this.#fill % 250) + 1;
    this.lane.arena.segment.fill(this.#fill, offset, offset + bytes);
    this.known.push({ offset, bytes, fill: this.#fill });
  }

  /** Does it, or dies on the way: then it is put in order, and it is back. Returns the result, or undefined of the dead. */
  does({ by, dies, backFirst }: Doer, name: string, ...args: number[]): number | undefined {
    if (dies === 0) return this.lane.play(by, call(name, ...args)) >>> 0;
    let result = 0;
    scribbleJournal(this.lane);
    const survived = this.lane.playMortally(by, dies - 1, function* () {
      result = (yield* call(name, ...args)) >>> 0;
    });
    if (survived) return result;
    this.deaths++;
    const other = by === 0 ? 1 : 0;
    const back = (): void => {
      this.lane.arena.recall(
        this.lane.arena.globals().map((now, id) => (id === by ? fresh[id] : now)) as unknown[][],
      );
      this.lane.play(by, joinSegment(SLOTS[by] as number));
    };
    if (backFirst) back();
    assert.ok(
      this.lane.play(other, repair(backFirst ? [] : [SLOTS[by] as number])),
      "the write lock is not to be had",
    );
    if (!backFirst) back();
    return undefined;
  }

  /** All that must hold between two commands. */
  holds(): void {
    this.lane.play(2, check());
    const used = this.used();
    assert.is(used.length, this.#used + this.known.length, "blocks in use");
    assert.is(this.#word(HEAP_BLOCKS_OFFSET), used.length, "the count of blocks");
    const bytes = used.reduce((sum, one) => sum + one.bytes + BLOCK_HEADER_BYTES, 0);
    assert.is(this.#word(HEAP_FREE_UNITS_OFFSET) * 8, this.end - this.payload - bytes, "free bytes");
    const sorted = [...this.known].sort((a, b) => a.offset - b.offset);
    for (const [index, { offset, bytes, fill }] of sorted.entries()) {
      const before = sorted[index - 1];
      assert.ok(!before || before.offset + before.bytes + BLOCK_HEADER_BYTES <= offset, "two blocks overlap");
      const room = used.find((one) => one.offset === offset)?.bytes ?? -1;
      assert.ok(
        room >= bytes && room < bytes + 8 + BLOCK_BYTES_MIN + BLOCK_HEADER_BYTES,
        `${room} for ${bytes}`,
      );
      const { segment } = this.lane.arena;
      assert.ok(
        segment.subarray(offset, offset + bytes).every((byte) => byte === fill),
        "bytes of a block",
      );
    }
  }
}

type Command = fc.Command<Model, Heap>;

/** Bytes of a block with room for so many. */
function sizeOf(bytes: number): number {
  return Math.max(BLOCK_BYTES_MIN, Math.ceil(bytes / 8) * 8 + BLOCK_HEADER_BYTES);
}

/** Bytes before the first aligned place in a free block: none, or enough for a block. */
function gapOf(block: number, alignment: number): number {
  const bytes = block + BLOCK_HEADER_BYTES;
  let gap = Math.ceil(bytes / alignment) * alignment - bytes;
  while (gap !== 0 && gap < BLOCK_BYTES_MIN) gap += alignment;
  return gap;
}

function allocates(heap: Heap, model: Model, doer: Doer, wish: [number, number, boolean]): boolean {
  const [bytes, alignment, zero] = wish;
  const before = new Set(heap.used().map(({ offset }) => offset));
  const result = heap.does(doer, "heapAllocate", bytes, alignment, zero ? 1 : 0);
  if (result === SEGMENT_FULL) {
    assert.not(heap.fits(bytes, alignment), `refused ${bytes} at ${alignment}, though it fits`);
    return false;
  }
  // A dead one's block is in use, or was never taken; nobody else knows of it.
  const found = heap.used().filter(({ offset }) => !before.has(offset));
  assert.ok(found.length === 1 || (result === undefined && found.length === 0), `${found.length} taken`);
  if (found[0] === undefined) return true;
  const { offset } = found[0];
  if (result !== undefined) assert.is(offsetOf("heapAllocate", result), offset);
  assert.is(offset % alignment, 0, "alignment");
  const { segment } = heap.lane.arena;
  if (zero && result !== undefined)
    assert.ok(
      segment.subarray(offset, offset + bytes).every((byte) => byte === 0),
      "zeros",
    );
  heap.add(offset, bytes);
  model.blocks++;
  return true;
}

function frees(heap: Heap, model: Model, doer: Doer, index: number): void {
  const { offset } = heap.known[index] as Known;
  const result = heap.does(doer, "heapFree", offset);
  if (result !== undefined) assert.is(result, 0);
  else if (heap.used().some((one) => one.offset === offset)) return;
  heap.known.splice(index, 1);
  model.blocks--;
}

function command(
  text: string,
  needs: (model: Model) => boolean,
  run: (heap: Heap, model: Model) => void,
): Command {
  return {
    check: needs,
    run(model, heap) {
      run(heap, model);
      assert.is(heap.known.length, model.blocks);
      heap.holds();
    },
    toString: () => text,
  };
}

const doer: fc.Arbitrary<Doer> = fc.record({
  by: fc.nat({ max: 1 }),
  dies: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 120 })),
  backFirst: fc.boolean(),
});
const lives = (by: number): Doer => ({ by, dies: 0, backFirst: false });
const alignment = fc.oneof(
  fc.constant(8),
  fc.nat({ max: 9 }).map((shift) => 8 << shift),
);
const wish = fc.tuple(
  fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 3000 }), fc.nat({ max: 60_000 }), fc.constantFrom(0, 8, 9)),
  alignment,
  fc.boolean(),
);
const always = (): boolean => true;

const commands = fc.commands(
  [
    fc.tuple(doer, wish).map(([who, wanted]) =>
      command(`allocate(${wanted}) by ${JSON.stringify(who)}`, always, (heap, model) => {
        allocates(heap, model, who, wanted);
      }),
    ),
    fc.tuple(doer, fc.nat()).map(([who, which]) =>
      command(
        `free(${which}) by ${JSON.stringify(who)}`,
        ({ blocks }) => blocks > 0,
        (heap, model) => frees(heap, model, who, which % heap.known.length),
      ),
    ),
    fc.tuple(fc.nat({ max: 1 }), fc.integer({ min: 500, max: 20_000 }), alignment).map(([by, bytes, at]) =>
      command(`until full(${bytes} at ${at}) by ${by}`, always, (heap, model) => {
        while (allocates(heap, model, lives(by), [bytes, at, false]));
      }),
    ),
    fc.nat({ max: 1 }).map((by) =>
      command(`free all by ${by}`, always, (heap, model) => {
        while (heap.known.length > 0) frees(heap, model, lives(by), heap.known.length >> 1);
        assert.is(picture(heap.lane.view, heap.payload), heap.empty, "not one again");
      }),
    ),
  ],
  { maxCommands: 60, size: "max" },
);

test("whoever takes, gives back and dies, the heap is what a list of blocks says", () => {
  let deaths = 0;
  const property = fc.property(commands, (sequence) => {
    const heap = new Heap(lane);
    fc.modelRun(() => ({ model: { blocks: 0 }, real: heap }), sequence);
    for (const { offset } of heap.known) lane.play(0, free(offset));
    assert.is(picture(lane.view, heap.payload), heap.empty, "not one again");
    deaths += heap.deaths;
  });
  fc.assert(property, { numRuns: 60, seed: printedSeed() });
  console.log(`${deaths} deaths`);
  assert.ok(deaths > 50);
});

test.run();
