/** The newest value is whole, and as new as the last write that returned; no death stops the next writer. */
import { strict as assert } from "node:assert";
import { LATEST_WAITERS_OFFSET, LATEST_WRITER_OFFSET } from "../../../protocol/layout.js";
import type { CrashCase, CrashLane } from "../../lib/crash.js";
import {
  beginLatest,
  type LatestValue,
  openLatest,
  readInPlace,
  readLatest,
  writeLatest,
} from "../../lib/hosts/latest.js";
import { joinSegment, latestWish } from "../../lib/hosts/segment.js";
import { call, type Script } from "../../lib/script.js";
import { type Fill, onEachFill, populate, SLOTS, slotsOf, someoneDied } from "./ground.js";

const LOST_SLOT = 7;
const NUMBERS = 5;

interface LatestCase {
  name: string;
  valueBytes: number;
  before(lane: CrashLane, value: LatestValue): void;
  /** Number of the newest value before the operation. */
  newest: number;
  operation(value: LatestValue): Script<unknown>;
  /** Number of the value that the operation writes, if any. */
  writes?: number;
}

function wrote(...numbers: number[]): LatestCase["before"] {
  return (lane, value) => {
    for (const number of numbers) lane.play(1, writeLatest(value, number));
  };
}

/** Somebody pinned the slot that is current, and died. */
function diedReading(lane: CrashLane, value: LatestValue): void {
  wrote(1)(lane, value);
  someoneDied(lane, LOST_SLOT, () => lane.play(2, call("latestPeek", value.latest, value.valueBytes, 1)));
}

/** Somebody died when the value stood but was not current yet. */
function diedWriting(lane: CrashLane, value: LatestValue): void {
  wrote(1)(lane, value);
  someoneDied(lane, LOST_SLOT, () => lane.playUntil(2, value.latest, writeLatest(value, 5)));
}

function* abort(value: LatestValue): Script {
  assert.notEqual(yield* beginLatest(value), undefined);
  yield* call("latestAbort", value.latest);
}

const write =
  (number: number) =>
  (value: LatestValue): Script<unknown> =>
    writeLatest(value, number, [LOST_SLOT]);

function casesFor(valueBytes: number): LatestCase[] {
  const waits = (lane: CrashLane, value: LatestValue): void => {
    lane.play(2, call("waitersArm", lane.play(2, call("latestWaiters", value.latest)) >>> 0));
  };
  const cases: LatestCase[] = [
    { name: "first write", valueBytes, before: () => {}, newest: 0, operation: write(1), writes: 1 },
    { name: "write", valueBytes, before: wrote(1, 2, 3, 4, 5, 6), newest: 6, operation: write(7), writes: 7 },
    { name: "write to a waiter", valueBytes, before: waits, newest: 0, operation: write(1), writes: 1 },
    {
      name: "write after one who died writing",
      valueBytes,
      before: diedWriting,
      newest: 1,
      operation: write(2),
      writes: 2,
    },
    {
      name: "write after one who died reading",
      valueBytes,
      before: diedReading,
      newest: 1,
      operation: write(2),
      writes: 2,
    },
    { name: "abort a write", valueBytes, before: wrote(1), newest: 1, operation: abort },
    { name: "read", valueBytes, before: wrote(1, 2), newest: 2, operation: readLatest },
    {
      name: "read in place",
      valueBytes,
      before: wrote(1, 2),
      newest: 2,
      operation: (value) => readInPlace(value, 1),
    },
  ];
  return cases.map((one) => ({ ...one, name: `latest, ${valueBytes} bytes: ${one.name}` }));
}

/** Who is done has no pin and no right to write any more. */
function* isPutBack(view: DataView, { latest }: LatestValue): Script {
  const waitersBytes = (yield* call("ringWaitersRoom", 0)) - (yield* call("ringWaitersData", 0));
  const pin = latest + LATEST_WAITERS_OFFSET + waitersBytes + 4 * SLOTS[0];
  assert.equal(view.getUint32(pin, true), 0, "pin");
  assert.equal(view.getBigUint64(latest + LATEST_WRITER_OFFSET, true), 0n, "writer");
}

/** Begins to write, if nobody else does, and gives up. */
function* beginInVain(value: LatestValue): Script {
  if ((yield* beginLatest(value)) !== undefined) yield* call("latestAbort", value.latest);
}

function latestCase(one: LatestCase, fill: Fill): CrashCase {
  let value: LatestValue;
  /** Newest that must be seen, and what may be. */
  let [floor, possible]: [number, number[]] = [0, []];
  return {
    name: one.name,
    before: (lane) => {
      populate(lane, fill);
      value = lane.play(1, openLatest(lane.view, latestWish("value", one.valueBytes)));
      one.before(lane, value);
    },
    operation: () => one.operation(value),
    *goOn({ view }, by, dead, finished) {
      const slots = [...slotsOf(dead), LOST_SLOT];
      if (by === 1) {
        if (finished) yield* isPutBack(view, value);
        floor = finished && one.writes !== undefined ? one.writes : one.newest;
        possible = [one.newest, ...(one.writes === undefined ? [] : [one.writes])];
      }
      const newest = yield* readLatest(value);
      assert.equal(yield* readInPlace(value, 0), newest, "read in place");
      assert.ok(newest !== undefined && possible.includes(newest), `read ${newest} of ${possible}`);
      assert.ok(newest >= floor, `read ${newest}, which is older than ${floor}`);
      floor = newest;
      const version = yield* call("latestVersion", value.latest);
      for (let number = newest + 1; number <= newest + NUMBERS; number++) {
        possible.push(number);
        assert.ok(yield* writeLatest(value, number, slots), "busy");
        floor = number;
        assert.equal(yield* readLatest(value), number, "the value just written");
      }
      assert.equal(yield* call("latestVersion", value.latest), version + NUMBERS, "version");
    },
    livesOn: { meanwhile: () => beginInVain(value) },
  };
}

/** The slot of one who pinned and died is taken by somebody else: its pin hinders nobody. */
function inheriting(fill: Fill): CrashCase {
  const one = casesFor(512)[0] as LatestCase;
  const inherited = latestCase({ ...one, name: "latest, 512 bytes: write with an inherited pin" }, fill);
  return {
    ...inherited,
    before: (lane) => {
      inherited.before(lane);
      lane.play(2, joinSegment(SLOTS[2]));
    },
  };
}

export const latestCases: CrashCase[] = [
  ...[16, 40, 512].flatMap((bytes) =>
    casesFor(bytes).flatMap((one) => onEachFill((fill) => latestCase(one, fill))),
  ),
  ...onEachFill(inheriting),
];
