/** A file whose heap shrinks is whole in the old size or the new one, whoever dies, and grows again with the same contents. */
import { strict as assert } from "node:assert";
import { CORRUPT } from "../../../protocol/errors.js";
import {
  BLOCK_BYTES_MIN,
  BLOCK_HEADER_BYTES,
  HEADER_TOTAL_SIZE_OFFSET,
  HEAP_BLOCKS_OFFSET,
} from "../../../protocol/layout.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import { allocate, check, picture, repair } from "../../lib/hosts/heap.js";
import { leaveSegment, NOW_NS } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { SEGMENT_BYTES } from "../../lib/shipped.js";
import { contents, takeTheEnd, useIt } from "./adopt.js";
import { FILLS, type Fill, SLOTS } from "./ground.js";
import { type Ground, prepareHeap } from "./heap.js";

/** Bytes of the lane that these cases need: a segment of one page that has grown by two. */
export const SHRINKING_BYTES = 3 * SEGMENT_BYTES;

interface Shrinking {
  name: string;
  /** What lies at the end of the heap. */
  before?(lane: CrashLane, ground: Ground): void;
  /** Slot of somebody who died before the others left. */
  dead?: number;
  /** Bytes of the segment afterwards. */
  to: number;
}

function* join(slot: number): Script {
  assert.equal(yield* call("validate", SHRINKING_BYTES, 1), 0);
  yield* call("join", slot, 100 + slot, 1, NOW_NS);
}

/** The segment of `prepareHeap`, grown to all bytes of the lane; all participants are in it. */
export function prepareGrown(lane: CrashLane, fill: Fill): Ground {
  lane.arena.segment.fill(0, SEGMENT_BYTES);
  const ground = prepareHeap(lane, fill);
  for (const id of [0, 1, 2]) lane.play(id, leaveSegment());
  lane.play(1, call("adopt", SHRINKING_BYTES));
  for (const id of [0, 1, 2]) lane.play(id, join(SLOTS[id] as number));
  return ground;
}

function shrinking(one: Shrinking, fill: Fill): CrashCase {
  let ground: Ground;
  let before: ReturnType<typeof contents>;
  return {
    name: `shrink, ${one.name}, ${fill.name}`,
    before(lane) {
      ground = prepareGrown(lane, fill);
      one.before?.(lane, ground);
      const dead = one.dead === undefined ? [] : [one.dead];
      before = lane.foresee(1, repair(dead), () => contents(lane.view, ground.payload));
      for (const id of [0, 1, 2]) if (!dead.includes(SLOTS[id] as number)) lane.play(id, leaveSegment());
    },
    operation: function* () {
      assert.equal(yield* call("shrink"), one.to, "bytes afterwards");
    },
    *goOn(lane, by, dead, finished) {
      const { view } = lane;
      const said = view.getBigUint64(HEADER_TOTAL_SIZE_OFFSET, true);
      if (said !== BigInt(SHRINKING_BYTES)) {
        assert.equal((yield* call("validate", SHRINKING_BYTES, 0)) >>> 0, CORRUPT, "another size is let in");
      }
      if (finished && by === 1) {
        // The file was truncated, and extended since: zeros are where bytes were.
        lane.arena.segment.fill(0, one.to);
        assert.equal(yield* call("validate", one.to, 0), 0, "a reader is not let in");
        yield* whole(one.to);
        const shrunk = contents(view, ground.payload);
        assert.equal(shrunk.used, before.used, "blocks in use");
        assert.equal(shrunk.free, before.free + one.to - SHRINKING_BYTES, "free bytes");
      }
      yield* whole(SHRINKING_BYTES);
      lane.settled(by);
      if (by === 2 && !dead.includes(1)) return; // the first survivor has gone on working
      const grown = contents(view, ground.payload);
      assert.equal(grown.used, before.used, "blocks in use");
      assert.equal(grown.free, before.free, "free bytes");
      if (by === 1 && grown.free > SEGMENT_BYTES) yield* useIt(view, SHRINKING_BYTES, SLOTS[by]);
    },
  };
}

function* whole(bytes: number): Script {
  yield* call("adopt", bytes);
  assert.equal(yield* call("validate", bytes, 0), 0, "validate");
  yield* check();
}

/** Where the last block begins, which is free. */
function lastFree(view: DataView, payload: number): number {
  return Number(/^(\d+) free \d+$/.exec(picture(view, payload).split("\n").at(-1) as string)?.[1]);
}

/** Blocks are in use up to there, and everything behind is one free block. */
function usedUpTo(end: number): (lane: CrashLane, ground: Ground) => void {
  return (lane, { payload }) => {
    lane.play(1, allocate({ bytes: end - lastFree(lane.view, payload) - BLOCK_HEADER_BYTES }));
    assert.equal(lastFree(lane.view, payload), end);
  };
}

/** Participant 2 dies in the middle of taking the end of the heap. */
function diesAllocating(lane: CrashLane, ground: Ground): void {
  usedUpTo(SEGMENT_BYTES + 1000)(lane, ground);
  const globals = lane.arena.globals();
  lane.playUntil(2, HEAP_BLOCKS_OFFSET, allocate({ bytes: SEGMENT_BYTES, alignment: 64 }));
  lane.arena.recall(globals);
}

const FENCE = SEGMENT_BYTES - BLOCK_HEADER_BYTES;

const SHRINKINGS: Shrinking[] = [
  { name: "nearly all free", to: SEGMENT_BYTES },
  { name: "used up to the new fence", to: SEGMENT_BYTES, before: usedUpTo(FENCE) },
  {
    name: "the least block remains",
    to: SEGMENT_BYTES,
    before: usedUpTo(FENCE - BLOCK_BYTES_MIN),
  },
  { name: "8 bytes would remain", to: 2 * SEGMENT_BYTES, before: usedUpTo(FENCE - 8) },
  { name: "16 bytes would remain", to: 2 * SEGMENT_BYTES, before: usedUpTo(FENCE - 16) },
  { name: "used into the second page", to: 2 * SEGMENT_BYTES, before: usedUpTo(SEGMENT_BYTES) },
  {
    name: "used to the end",
    to: SHRINKING_BYTES,
    before: (lane) => lane.play(1, takeTheEnd(SHRINKING_BYTES)),
  },
  {
    name: "one died allocating",
    to: 2 * SEGMENT_BYTES,
    before: diesAllocating,
    dead: SLOTS[2],
  },
];

export const shrinkCases: CrashCase[] = SHRINKINGS.flatMap((one) =>
  FILLS.map((fill) => shrinking(one, fill)),
);
