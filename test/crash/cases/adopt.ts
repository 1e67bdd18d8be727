/** A file whose writers died is whole after the next one has adopted it, and longer if it had grown, whoever dies meanwhile. */
import { strict as assert } from "node:assert";
import { CORRUPT } from "../../../protocol/errors.js";
import {
  DIRECTORY_COUNT_OFFSET,
  HEADER_RECOVERIES_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  HEAP_BLOCKS_OFFSET,
  PARTICIPANT_BYTES,
  PARTICIPANTS_OFFSET,
  SEGMENT_LOCK_OFFSET,
} from "../../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import { allocate, check, free, picture, repair } from "../../lib/hosts/heap.js";
import { leaveSegment, NOW_NS, openObject, ringWish } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { SEGMENT_BYTES } from "../../lib/shipped.js";
import { FILLS, type Fill, SLOTS } from "./ground.js";
import { type Ground, LOST, lost, prepareHeap } from "./heap.js";

/** Bytes of the lane that these cases need: a segment of one page and room to grow. */
export const GROWN_BYTES = 2 * SEGMENT_BYTES;

interface Adoption {
  name: string;
  to: number;
  before?(lane: CrashLane, ground: Ground): void;
  /** All leave before the adoption. */
  left?: boolean;
  /** Participants that died before. */
  dead: number;
}

/** Blocks in use with their bytes, and what is free altogether. */
export function contents(view: DataView, payload: number): { used: string; free: number } {
  const lines = picture(view, payload).split("\n");
  const free = lines.map((line) => Number(/ free (\d+)$/.exec(line)?.[1] ?? 0));
  const used = lines.filter((line) => !/ free \d+$/.test(line)).join("\n");
  return { used, free: free.reduce((sum, bytes) => sum + bytes, 0) };
}

export function* useIt(view: DataView, to: number, slot: number): Script {
  yield* call("join", slot, 100 + slot, 1, NOW_NS);
  const block = (yield* allocate({ bytes: (to - SEGMENT_BYTES) / 2 + 64, zero: true })) as number;
  yield* check();
  assert.ok(yield* free(block));
  yield* openObject(view, ringWish(`ring of ${slot}`, 128));
  yield* check();
  yield* leaveSegment();
}

function adoption(one: Adoption, fill: Fill): CrashCase {
  let ground: Ground;
  let before: ReturnType<typeof contents>;
  return {
    name: `adopt, ${one.name}, ${fill.name}`,
    before(lane) {
      lane.arena.segment.fill(0, SEGMENT_BYTES);
      ground = prepareHeap(lane, fill);
      one.before?.(lane, ground);
      before = lane.foresee(1, repair(LOST), () => contents(lane.view, ground.payload));
      if (one.left) for (const id of [0, 1, 2]) lane.play(id, leaveSegment());
    },
    operation: () => call("adopt", one.to),
    *goOn(lane, by, _dead, finished) {
      const { view } = lane;
      if (!finished && by === 1 && view.getBigUint64(HEADER_TOTAL_SIZE_OFFSET, true) !== BigInt(one.to)) {
        assert.equal((yield* call("validate", one.to, 0)) >>> 0, CORRUPT, "a half adopted segment is let in");
      }
      yield* call("adopt", one.to);
      lane.settled(by);
      assert.equal(yield* call("validate", one.to, 0), 0, "validate");
      assert.equal(view.getBigUint64(SEGMENT_LOCK_OFFSET, true), 0n, "segment lock");
      for (let slot = 0; slot < PARTICIPANTS_MIN; slot++) {
        assert.equal(view.getUint32(PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES, true) & 3, 0, "slot");
      }
      assert.ok(view.getUint32(HEADER_RECOVERIES_OFFSET, true) >= one.dead, "recoveries");
      yield* check();
      if (by === 2) return;
      const now = contents(view, ground.payload);
      assert.equal(now.used, before.used, "blocks in use");
      assert.equal(now.free, before.free + one.to - SEGMENT_BYTES, "free bytes");
      if (now.free > 1024) yield* useIt(view, one.to, SLOTS[by] as number);
    },
  };
}

/** Nothing is free at the end of the old heap. */
export function* takeTheEnd(all = SEGMENT_BYTES): Script {
  for (let bytes = all; bytes >= 8; bytes = bytes > 256 ? bytes >>> 1 : bytes - 8) {
    while ((yield* call("heapAllocate", bytes, 8, 0)) >>> 0 >= 1024);
  }
}

const diedAllocating = lost(HEAP_BLOCKS_OFFSET, () => allocate({ bytes: 56, alignment: 128 }));

const ADOPTIONS: Omit<Adoption, "to">[] = [
  { name: "left in good order", dead: 0, left: true },
  { name: "all killed", dead: 3 },
  { name: "full", dead: 3, before: (lane) => lane.play(1, takeTheEnd()) },
  { name: "killed while allocating", dead: 3, ...diedAllocating },
  {
    name: "killed before an object was published",
    dead: 3,
    ...lost(DIRECTORY_COUNT_OFFSET, function* () {
      const view = new DataView(new ArrayBuffer(SEGMENT_BYTES)); // nobody lives to read from it
      yield* openObject(view, ringWish("late", 128));
    }),
  },
];

export const adoptCases: CrashCase[] = ADOPTIONS.flatMap((one) =>
  [SEGMENT_BYTES, GROWN_BYTES].flatMap((to) =>
    FILLS.map((fill) =>
      adoption({ ...one, to, name: `${one.name}, ${to === SEGMENT_BYTES ? "as large" : "grown"}` }, fill),
    ),
  ),
);
