// watchdog: 900 s
/**
 * The third fate: a call of the core is cut off before any of its writes, by a stack overflow that is caught or a script that is
 * stopped, and its participant lives on. Whatever it held is free again after its next call or its heartbeat, and whole.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CrashCase } from "../lib/crash.js";
import { DEEP, isTried, someOf } from "../lib/depth.js";
import { crashLane } from "../lib/shipped.js";
import { adoptCases, GROWN_BYTES } from "./cases/adopt.js";
import { crashCases, isPlayed } from "./cases/all.js";
import { cutOffInside, INSIDE } from "./cases/cut-off.js";
import { SHRINKING_BYTES, shrinkCases } from "./cases/shrink.js";

const lane = crashLane();
let points = 0;

for (const one of someOf(
  crashCases.filter((each) => each.livesOn && isPlayed(each)),
  2,
)) {
  test(`a call that is cut off at any write leaves nothing: ${one.name}`, () => {
    const outcome = lane.runCutOff(one, (second, first) => isTried(second, first, 12));
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
    assert.ok(outcome.points > 1);
  });
}

/** Their participants close the object and begin again with another instance; the same one does no harm either. */
const files: [bytes: number, cases: CrashCase[], names: RegExp][] = [
  [GROWN_BYTES, adoptCases, /as large, fresh/],
  [SHRINKING_BYTES, shrinkCases, /(used up to the new fence|one died allocating), fresh/],
];

for (const [bytes, cases, names] of files) {
  const grown = crashLane(bytes);
  for (const one of cases.filter(({ name }) => names.test(name))) {
    test(`a file is whole after a call that is cut off at any write: ${one.name}`, () => {
      const outcome = grown.runCutOff({ ...one, livesOn: {} });
      assert.is(outcome.failure, undefined, outcome.failure);
      assert.ok(outcome.points > 10);
    });
  }
}

for (const one of INSIDE) {
  for (const how of ["writes", "takes"] as const) {
    test(`a call inside of a transaction that is cut off never happened, and the body ${how}: ${one.name}`, () => {
      const counted = cutOffInside(lane, one, how);
      assert.ok(counted > 2, `${counted} points`);
      points += counted;
    });
  }
}

test("calls were cut off at the writes of the core", () => {
  const sites = lane.arena.sites.filter((site) => site.writes);
  const cut = sites.length - lane.missed.length;
  console.log(`${points} points, cut off at ${cut} of ${sites.length} write sites`);
  // The rest adopts and shrinks, in lanes of its own, or is only a hint.
  assert.ok(cut > (DEEP ? 220 : 150), lane.missed.join("\n"));
});

test.run();
