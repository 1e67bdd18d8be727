/** Creation is taken over, whole; heartbeat and counters hinder nobody. */
import { strict as assert } from "node:assert";
import {
  BAD_MAGIC,
  BROKEN,
  INITIALIZING,
  LAYOUT_MISMATCH,
  VERSION_MISMATCH,
} from "../../../protocol/errors.js";
import {
  HEADER_ABI_VERSION_OFFSET,
  HEADER_CREATED_NS_OFFSET,
  HEADER_CREATOR_PID_OFFSET,
  HEADER_DROPS_OFFSET,
  HEADER_FINGERPRINT_OFFSET,
  HEADER_GENERATION_OFFSET,
  HEADER_HEARTBEAT_NS_OFFSET,
  HEADER_LAYOUT_MISMATCHES_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_REFUSALS_OFFSET,
  HEADER_STALE_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_VERSION_MISMATCHES_OFFSET,
  MAGIC,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  STATE_BROKEN,
  STATE_READY,
} from "../../../protocol/layout.js";
import type { CrashCase, LivingOn } from "../../lib/crash.js";
import {
  createSegment,
  joinSegment,
  leaveSegment,
  markDead,
  NOW_NS,
  openObject,
  ringWish,
} from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { SEGMENT_BYTES } from "../../lib/shipped.js";
import { FILLS, type Fill, populate, SLOTS, slotsOf } from "./ground.js";
import { livesIn, slotAt } from "./slots.js";

/** As an opener that holds the creation lock: takes over an unfinished creation. */
function* openOrCreate(slot: number, unfinished: readonly number[]): Script<boolean> {
  const status = yield* call("validate", SEGMENT_BYTES, 1);
  if (unfinished.includes(status)) {
    yield* createSegment(slot);
    return true;
  }
  assert.equal(status, 0, "validate");
  yield* joinSegment(slot);
  return false;
}

/** Memory that is no segment; its state word happens to say READY. */
const GARBAGE: Fill = {
  name: "garbage",
  fill: (bytes) => {
    bytes.fill(0x5a);
    new DataView(bytes.buffer).setUint32(HEADER_STATE_OFFSET, 1, true);
  },
};

/** A whole segment of a version that we cannot use. */
const OLD: Fill = {
  name: "an old segment",
  fill: (bytes) => {
    const view = new DataView(bytes.buffer);
    bytes.fill(0);
    view.setUint32(HEADER_MAGIC_OFFSET, MAGIC, true);
    view.setUint16(HEADER_ABI_VERSION_OFFSET, 99, true);
    view.setUint32(HEADER_STATE_OFFSET, STATE_READY, true);
  },
};

/** `unusable`: what validation says until the old magic is gone; from then on it says INITIALIZING. */
function creation(fill: Fill, unusable: number, livesOn?: LivingOn): CrashCase {
  return {
    name: `${livesOn ? "create, or be cut off and begin again" : "create"}, ${fill.name}`,
    ...(livesOn && { livesOn }),
    before: (lane) => fill.fill(lane.arena.segment),
    operation: () => createSegment(SLOTS[0]),
    *goOn({ view }, by, dead, finished) {
      const magic = view.getUint32(HEADER_MAGIC_OFFSET, true);
      const created = yield* openOrCreate(
        SLOTS[by] as number,
        magic === 0 ? [INITIALIZING] : [INITIALIZING, unusable],
      );
      // Where a creation is also cut off, nobody else need have completed it.
      const complete = finished || (!livesOn && by === 2 && !dead.includes(1));
      assert.ok(!(created && complete), "a finished segment was made again");
      yield* livesIn(view, SLOTS[by] as number);
      for (const counter of [HEADER_DROPS_OFFSET, HEADER_STALE_OFFSET, HEADER_REFUSALS_OFFSET]) {
        assert.equal(view.getUint32(counter, true), 0, `counter at ${counter}`);
      }
      assert.equal(view.getBigUint64(HEADER_GENERATION_OFFSET, true), 1n, "generation");
      const times = [HEADER_CREATED_NS_OFFSET, ...(livesOn ? [] : [HEADER_HEARTBEAT_NS_OFFSET])];
      for (const time of times) {
        assert.equal(view.getBigUint64(time, true), BigInt(NOW_NS), `the time at ${time}`);
      }
      const creator = view.getUint32(HEADER_CREATOR_PID_OFFSET, true);
      assert.ok(
        SLOTS.some((slot) => creator === 100 + slot),
        "creator",
      );
      yield* openObject(view, ringWish(`ring of ${by}`, 128), slotsOf([0, 1]));
      yield* leaveSegment();
    },
  };
}

/** An operation on words that nothing depends on: whatever happens, the participants go on. */
function harmless(
  name: string,
  operation: () => Script<unknown>,
  counter: number,
  most: number,
  spoil?: (view: DataView) => () => void,
): CrashCase {
  let repair = (): void => {};
  return {
    name,
    before: (lane) => {
      populate(lane, FILLS[0] as Fill);
      repair = spoil?.(lane.view) ?? repair;
    },
    operation,
    *goOn({ view }, by, dead, finished) {
      const value = view.getUint32(counter, true);
      assert.ok(value <= most && (!finished || value === most), `the counter at ${counter} is ${value}`);
      repair();
      for (const slot of slotsOf(dead)) yield* markDead(slot);
      yield* livesIn(view, SLOTS[by] as number);
      assert.equal(yield* call("validate", SEGMENT_BYTES, 1), 0);
    },
  };
}

/** Openers are refused for this header, and counted; the survivors find it repaired. */
function refusal(
  name: string,
  at: number,
  bytes: 2 | 4,
  value: number,
  counter: number,
  status: number,
): CrashCase {
  function* validate(): Script {
    assert.equal(yield* call("validate", SEGMENT_BYTES, 1), status);
  }
  return harmless(`validate, ${name}`, validate, counter, 1, (view) => {
    const old = view.getUint32(at, true);
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    return () => view.setUint32(at, old, true);
  });
}

function* beats(view: DataView): Script {
  yield* call("beat", NOW_NS + 4096);
  assert.equal(
    view.getBigUint64(slotAt(SLOTS[0]) + PARTICIPANT_HEARTBEAT_NS_OFFSET, true),
    BigInt(NOW_NS + 4096),
    "heartbeat",
  );
  assert.equal(
    view.getBigUint64(HEADER_HEARTBEAT_NS_OFFSET, true),
    BigInt(NOW_NS + 4096),
    "heartbeat of all",
  );
}

function beating(): CrashCase {
  const one = harmless("heartbeat", () => call("selfCheck"), HEADER_DROPS_OFFSET, 0);
  return { ...one, operation: (lane) => beats(lane.view) };
}

export const headerCases: CrashCase[] = [
  creation(FILLS[0] as Fill, INITIALIZING),
  creation(GARBAGE, BAD_MAGIC),
  creation(OLD, VERSION_MISMATCH),
  creation(FILLS[0] as Fill, INITIALIZING, {}),
  beating(),
  harmless("count a drop", () => call("countDrop"), HEADER_DROPS_OFFSET, 1),
  harmless("mark stale", () => call("markStale"), HEADER_STALE_OFFSET, 1),
  refusal("version", HEADER_ABI_VERSION_OFFSET, 2, 99, HEADER_VERSION_MISMATCHES_OFFSET, VERSION_MISMATCH),
  refusal("fingerprint", HEADER_FINGERPRINT_OFFSET, 4, 99, HEADER_LAYOUT_MISMATCHES_OFFSET, LAYOUT_MISMATCH),
  refusal("broken", HEADER_STATE_OFFSET, 4, STATE_BROKEN, HEADER_REFUSALS_OFFSET, BROKEN),
];
