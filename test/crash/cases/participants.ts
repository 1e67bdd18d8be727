/** Join, leave, death and its recovery: every slot has one owner, and the dead are found dead once. */
import { strict as assert } from "node:assert";
import {
  HEADER_CLEAN_OFFSET,
  HEADER_RECOVERIES_OFFSET,
  SLOT_DEAD,
  SLOT_FREE,
} from "../../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../../protocol/limits.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import { joinSegment, leaveSegment, markDead } from "../../lib/hosts/segment.js";
import { type Fill, onEachFill, populate, SLOTS, slotsOf, someoneDied } from "./ground.js";
import { livesIn, slotAt, slotState } from "./slots.js";

const LOST_SLOT = 7;

/** Who had the slot before. */
const HISTORIES: [name: string, make: (lane: CrashLane) => void][] = [
  ["free slot", () => {}],
  ["slot of a dead one", (lane) => someoneDied(lane, LOST_SLOT, () => {})],
  [
    "slot of a marked dead one",
    (lane) => {
      someoneDied(lane, LOST_SLOT, () => {});
      lane.play(2, markDead(LOST_SLOT));
    },
  ],
];

function joining(history: (typeof HISTORIES)[number], fill: Fill): CrashCase {
  return {
    name: `join, ${history[0]}`,
    before: (lane) => {
      populate(lane, fill);
      history[1](lane);
    },
    livesOn: {},
    operation: () => joinSegment(LOST_SLOT),
    *goOn({ view }, by, dead, finished) {
      const recoveries = view.getUint32(HEADER_RECOVERIES_OFFSET, true);
      if (finished && by === 1) assert.equal(recoveries, history === HISTORIES[0] ? 0 : 1, "recoveries");
      const old = view.getBigUint64(slotAt(LOST_SLOT), true);
      assert.equal(view.getUint32(HEADER_CLEAN_OFFSET, true), 0, "clean, though participants live");
      if (dead.includes(0)) yield* markDead(LOST_SLOT);
      yield* joinSegment(LOST_SLOT);
      yield* livesIn(view, LOST_SLOT);
      assert.ok(view.getBigUint64(slotAt(LOST_SLOT), true) >> 32n > old >> 32n, "a new generation");
      yield* leaveSegment();
    },
  };
}

/** Slots that say anything but FREE. */
function occupied(view: DataView): number {
  const slots = Array.from({ length: PARTICIPANTS_MIN }, (_, slot) => slotState(view, slot));
  return slots.filter((state) => state !== SLOT_FREE).length;
}

function leaving(fill: Fill): CrashCase {
  return {
    name: "leave",
    before: (lane) => populate(lane, fill),
    operation: () => leaveSegment(),
    *goOn({ view }, by, dead) {
      for (const slot of slotsOf(dead)) yield* markDead(slot);
      yield* livesIn(view, SLOTS[by] as number);
      yield* leaveSegment();
      assert.equal(slotState(view, SLOTS[by] as number), SLOT_FREE);
      if (by === 2)
        assert.equal(view.getUint32(HEADER_CLEAN_OFFSET, true), occupied(view) === 0 ? 1 : 0, "clean");
    },
  };
}

/** The last one leaves, and dies before it has called the segment clean; somebody joins afterwards. */
function leavingLast(fill: Fill): CrashCase {
  return {
    name: "leave as the last",
    before: (lane) => {
      populate(lane, fill);
      lane.play(1, leaveSegment());
      lane.play(2, leaveSegment());
    },
    livesOn: {},
    operation: () => leaveSegment(),
    *goOn({ view }, by, dead, finished) {
      if (finished && by === 1)
        assert.equal(view.getUint32(HEADER_CLEAN_OFFSET, true), 1, "left, but not clean");
      yield* joinSegment(SLOTS[by] as number);
      assert.equal(view.getUint32(HEADER_CLEAN_OFFSET, true), 0, "clean, though participants live");
      for (const slot of slotsOf(dead)) yield* markDead(slot);
      yield* livesIn(view, SLOTS[by] as number);
      yield* leaveSegment();
      if (occupied(view) === 0) assert.equal(view.getUint32(HEADER_CLEAN_OFFSET, true), 1, "clean");
    },
  };
}

function markingDead(fill: Fill): CrashCase {
  return {
    name: "markDead",
    before: (lane) => {
      populate(lane, fill);
      someoneDied(lane, LOST_SLOT, () => {});
    },
    operation: () => markDead(LOST_SLOT),
    *goOn({ view }, by, dead, finished) {
      if (finished) assert.equal(slotState(view, LOST_SLOT), SLOT_DEAD, "marked dead");
      for (const slot of [LOST_SLOT, ...slotsOf(dead)]) {
        yield* markDead(slot);
        assert.equal(slotState(view, slot), SLOT_DEAD);
      }
      assert.equal(yield* markDead(LOST_SLOT), false, "marked dead twice");
      const recoveries = view.getUint32(HEADER_RECOVERIES_OFFSET, true);
      assert.ok(recoveries >= (dead.includes(0) ? 1 : 0) + (finished ? 1 : 0), "recoveries are counted");
      assert.ok(recoveries <= 4, "recoveries are counted once");
      yield* livesIn(view, SLOTS[by] as number);
    },
  };
}

export const participantCases: CrashCase[] = [
  ...HISTORIES.flatMap((history) => onEachFill((fill) => joining(history, fill))),
  ...onEachFill(leaving),
  ...onEachFill(leavingLast),
  ...onEachFill(markingDead),
];
