/**
 * One dies, another puts the heap in order, and dies in what it does next on memory that was recovered: a third finds the heap as
 * it was before that or after it. No block is lost or had twice; the counts are those of what is there.
 */
import { strict as assert } from "node:assert";
import { SEGMENT_FULL } from "../../../protocol/errors.js";
import { BLOCK_FREE, HEAP_BLOCKS_OFFSET, HEAP_FREE_UNITS_OFFSET } from "../../../protocol/layout.js";
import type { CrashCase } from "../../lib/crash.js";
import { begin, check, free, picture, repair, writeNoted } from "../../lib/hosts/heap.js";
import { insertOnce, offsetOf, ringWish } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { FILLS, type Fill, scribbleJournal, slotsOf } from "./ground.js";
import { type Ground, HEAP_OPERATIONS, type HeapOperation, LOST, prepareHeap } from "./heap.js";
import { TRANSACTIONS } from "./transaction.js";

type Next = (ground: Ground) => Script;

/** An offset, unless there is no room. */
function* unlessFull(what: string, made: Script<number>): Script {
  const result = (yield* made) >>> 0;
  if (result !== SEGMENT_FULL) offsetOf(what, result);
}

/** The blocks of the ground that are still in use. */
function* inUse({ blocks }: Ground): Script<number[]> {
  const found: number[] = [];
  for (const block of blocks) if (yield* call("heapBlockBytes", block)) found.push(block);
  return found;
}

/** What a survivor does next: a cut in front, a merge, a new object, and all of it as one. */
const NEXT: Next[] = [
  () => unlessFull("heapAllocate", call("heapAllocate", 72, 128, 0)),
  function* (ground) {
    const [first, second] = yield* inUse(ground);
    yield* free((second ?? first) as number);
  },
  () => unlessFull("objectOpen", insertOnce(ringWish("next", 128))),
  function* (ground) {
    const [block] = yield* inUse(ground);
    assert.ok(yield* begin());
    yield* writeNoted(block as number, new Uint8Array(8).fill(0xd1));
    yield* unlessFull("heapAllocate", call("heapAllocate", 40, 8, 0));
    yield* free(block as number);
    assert.equal(yield* call("transactionEnd", 1), 1);
  },
];

/** Counts what the picture shows, and compares it with what the segment says. */
function counted(view: DataView, shown: string): void {
  const used = shown.split("\n").filter((line) => /^\d+ used /.test(line)).length;
  const bytes = [...shown.matchAll(/^\d+ free (\d+)$/gm)].reduce((sum, [, size]) => sum + Number(size), 0);
  assert.equal(bytes & BLOCK_FREE, 0);
  assert.equal(view.getUint32(HEAP_BLOCKS_OFFSET, true), used, "blocks");
  assert.equal(view.getUint32(HEAP_FREE_UNITS_OFFSET, true) * 8, bytes, "free bytes");
}

/** The deaths of the victim take turns in what is done after them. */
function nextCase(one: HeapOperation, index: number): CrashCase {
  let ground: Ground;
  let turn = index;
  let next: Next;
  let before = "";
  let after = "";
  return {
    name: `${one.name}; the survivor dies in what it does next`,
    before: (lane) => {
      turn = index;
      ground = prepareHeap(lane, one.fill ?? (FILLS[1] as Fill));
      one.before?.(lane, ground);
      scribbleJournal(lane);
    },
    operation: () => one.run(ground),
    *recover(lane, dead) {
      assert.ok(yield* repair([...slotsOf(dead), ...LOST]), "the write lock is not to be had");
      yield* check();
      next = NEXT[turn++ % NEXT.length] as Next;
      before = picture(lane.view, ground.payload);
      after = lane.foresee(1, next(ground), () => picture(lane.view, ground.payload));
    },
    *goOn({ view }, by, dead) {
      if (by === 1) return yield* next(ground);
      assert.ok(yield* repair([...slotsOf(dead), ...LOST]), "the write lock is not to be had");
      yield* check();
      const now = picture(view, ground.payload);
      const died = dead.includes(1);
      assert.ok(now === after || (died && now === before), `neither before nor after:\n${now}`);
      counted(view, now);
    },
  };
}

export const nextCases: CrashCase[] = [...HEAP_OPERATIONS, ...TRANSACTIONS].map(nextCase);
