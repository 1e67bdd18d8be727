/** The write lock goes to those who wait for it, and nobody who dies or is cut off while it is given keeps it from the others. */
import { strict as assert } from "node:assert";
import {
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  SEGMENT_LOCK_OFFSET,
  TOKEN_SLOT_MASK,
  TOKEN_SLOT_SHIFT,
  WAITERS_SUMMARY_OFFSET,
  WRITE_LOCK_TURN_OFFSET,
  WRITE_LOCK_WAITERS_OFFSET,
} from "../../../protocol/layout.js";
import { TURN_MS } from "../../../protocol/limits.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import { check, repair } from "../../lib/hosts/heap.js";
import { joinSegment, leaveSegment } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { FILLS, type Fill, populate, SLOTS, slotsOf, someoneDied } from "./ground.js";

const LOST_SLOT = 7;
const SET = WRITE_LOCK_WAITERS_OFFSET;

/** Changes something, past the dead and past those who do not use their turn. */
export function* changePastTurns(dead: readonly number[]): Script {
  for (let now = 0; now < 100 * TURN_MS; now += TURN_MS) {
    if (yield* repair(dead)) return;
    yield* call("turnPass", now);
  }
  throw new Error("the write lock is not to be had");
}

/** The slot whose turn it is; undefined: nobody's. */
function turnOf(view: DataView): number | undefined {
  const turn = view.getBigUint64(WRITE_LOCK_TURN_OFFSET, true);
  return turn === 0n ? undefined : Number(turn >> BigInt(TOKEN_SLOT_SHIFT)) & TOKEN_SLOT_MASK;
}

function rings(view: DataView, slot: number): number {
  const bell = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_DOORBELL_OFFSET;
  return view.getUint32(bell, true);
}

function* arm(): Script {
  yield* call("waitersArm", SET);
}

interface TurnCase {
  name: string;
  before(lane: CrashLane): void;
  operation(lane: CrashLane): Script<unknown>;
  /** Whose turn it is when the operation has returned, by slot. */
  turn: number | undefined;
  /** Slots that were rung since `before`, once each. */
  rung: number[];
  meanwhile?(lane: CrashLane, address: number): void;
}

const SURVIVOR = SLOTS[1];
const OTHER = SLOTS[2];

function armed(...ids: number[]): TurnCase["before"] {
  return (lane) => {
    for (const id of ids) lane.play(id, arm());
  };
}

/** Participant 1 has got its turn from participant 2, and has not come yet. */
function turnOfSurvivor(lane: CrashLane, ...others: number[]): void {
  lane.play(1, arm());
  lane.play(2, repair([]));
  assert.equal(turnOf(lane.view), SURVIVOR);
  for (const id of others) lane.play(id, arm());
}

/** It is the turn of the one who is about to die. */
function turnOfVictim(lane: CrashLane, ...others: number[]): void {
  lane.play(0, arm());
  lane.play(2, repair([]));
  assert.equal(turnOf(lane.view), SLOTS[0]);
  for (const id of others) lane.play(id, arm());
}

/** Somebody waits who then dies. */
function lostWaiter(lane: CrashLane): void {
  someoneDied(lane, LOST_SLOT, () => lane.play(2, arm()));
  lane.view.setBigUint64(PARTICIPANTS_OFFSET + LOST_SLOT * PARTICIPANT_BYTES, 0n, true);
}

const CASES: TurnCase[] = [
  { name: "nobody waits", before: () => {}, operation: () => repair([]), turn: undefined, rung: [] },
  { name: "one waits", before: armed(1), operation: () => repair([]), turn: SURVIVOR, rung: [SURVIVOR] },
  { name: "two wait", before: armed(2, 1), operation: () => repair([]), turn: SURVIVOR, rung: [SURVIVOR] },
  { name: "ourselves wait", before: armed(0), operation: () => repair([]), turn: undefined, rung: [] },
  {
    name: "we and another wait",
    before: armed(0, 2),
    operation: () => repair([]),
    turn: OTHER,
    rung: [OTHER],
  },
  {
    name: "the one who waits is before us",
    before: (lane) => {
      lane.play(2, leaveSegment());
      lane.play(2, joinSegment(SLOTS[0] - 1));
      lane.play(2, arm());
    },
    operation: () => repair([]),
    turn: SLOTS[0] - 1,
    rung: [SLOTS[0] - 1],
  },
  {
    name: "one who waited is dead",
    before: (lane) => {
      lostWaiter(lane);
      lane.play(1, arm());
    },
    operation: () => repair([]),
    turn: SURVIVOR,
    rung: [SURVIVOR],
  },
  {
    name: "one has given up, another begins to wait",
    before: (lane) => {
      lane.play(1, arm());
      lane.play(1, call("turnLeave"));
    },
    operation: () => repair([]),
    turn: SURVIVOR,
    rung: [SURVIVOR],
    // The summary is about to be cleared: who arms just then must not be forgotten.
    meanwhile: (lane, address) => {
      const first = rings(lane.view, SURVIVOR) === 0 && turnOf(lane.view) === undefined;
      if (address === SET + WAITERS_SUMMARY_OFFSET && first) lane.play(1, arm());
    },
  },
  {
    name: "another begins to wait when we have looked",
    before: () => {},
    operation: () => repair([]),
    turn: undefined,
    rung: [SURVIVOR],
    meanwhile: (lane, address) => {
      const held = lane.view.getBigUint64(SEGMENT_LOCK_OFFSET, true) !== 0n;
      if (address === SEGMENT_LOCK_OFFSET && held) lane.play(1, arm());
    },
  },
  {
    name: "we give up when we were told that the lock is free, and another waits",
    before: (lane) => {
      lane.play(0, arm());
      lane.play(0, call("waitersDisarm", SET));
      lane.play(1, arm());
    },
    operation: () => call("turnLeave"),
    turn: undefined,
    rung: [SURVIVOR],
  },
  {
    name: "it is our turn, and another waits",
    before: (lane) => turnOfVictim(lane, 1),
    operation: () => repair([]),
    turn: SURVIVOR,
    rung: [SURVIVOR],
  },
  {
    name: "it is our turn",
    before: (lane) => turnOfVictim(lane),
    operation: () => repair([]),
    turn: undefined,
    rung: [],
  },
  {
    name: "it is our turn, and the set is known to be empty",
    before: (lane) => {
      turnOfVictim(lane);
      lane.view.setUint32(SET + WAITERS_SUMMARY_OFFSET, 0, true);
    },
    operation: () => repair([]),
    turn: undefined,
    rung: [],
  },
  {
    name: "we give up our turn, and another waits",
    before: (lane) => turnOfVictim(lane, 1, 2),
    operation: () => call("turnLeave"),
    turn: SURVIVOR,
    rung: [SURVIVOR],
  },
  {
    name: "we give up our turn",
    before: (lane) => turnOfVictim(lane),
    operation: () => call("turnLeave"),
    turn: undefined,
    rung: [],
  },
  {
    name: "one who does not come is passed over",
    before: (lane) => turnOfSurvivor(lane),
    operation: () => changePastTurns([]),
    turn: undefined,
    rung: [],
  },
  {
    name: "one who does not come is passed over, and another waits",
    before: (lane) => turnOfSurvivor(lane, 2),
    *operation() {
      assert.equal(yield* repair([]), false, "the lock was taken out of turn");
      assert.equal(yield* call("turnPass", 5), 0);
      assert.equal(yield* call("turnPass", 4 + TURN_MS), 0, "passed over too early");
      assert.equal(yield* call("turnPass", 5 + TURN_MS), 1);
      assert.equal(yield* repair([]), false, "the lock was taken out of turn");
    },
    turn: OTHER,
    rung: [OTHER],
  },
];

function turnCase(one: TurnCase): CrashCase {
  let before: number[] = [];
  const counts = (view: DataView): number[] => [...Array(64).keys()].map((slot) => rings(view, slot));
  return {
    name: `turn, ${one.name}`,
    before: (lane) => {
      populate(lane, FILLS[0] as Fill);
      one.before(lane);
      before = counts(lane.view);
    },
    operation: one.operation,
    ...(one.meanwhile && { meanwhile: one.meanwhile }),
    *goOn({ view }, by, dead, finished) {
      if (finished && by === 1 && dead.length > 0) {
        assert.equal(turnOf(view), one.turn, "whose turn it is");
        const rung = counts(view).flatMap((count, slot) => (count > (before[slot] ?? 0) ? [slot] : []));
        assert.deepEqual(rung, one.rung, "rung");
        if (one.turn === SURVIVOR) assert.ok(yield* repair(slotsOf(dead)), "it is its turn");
      }
      yield* changePastTurns(slotsOf(dead));
      yield* check();
      // Whoever waits from now on gets its turn.
      yield* call("waitersArm", SET);
      yield* changePastTurns(slotsOf(dead));
      yield* call("turnLeave");
    },
    livesOn: {},
  };
}

export const turnCases: CrashCase[] = CASES.map(turnCase);
