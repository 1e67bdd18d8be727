// watchdog: 900 s
/**
 * The third fate: a call of the core is cut off before any of its writes, by a stack overflow that is caught or a script that is
 * stopped, and its participant lives on. Whatever it held is free again after its next call or its heartbeat, and whole.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { crashLane } from "../lib/shipped.js";
import { crashCases } from "./cases/all.js";
import { cutOffInside, INSIDE } from "./cases/cut-off.js";

const lane = crashLane();
let points = 0;

for (const one of crashCases.filter(({ livesOn }) => livesOn)) {
  test(`a call that is cut off at any write leaves nothing: ${one.name}`, () => {
    const outcome = lane.runCutOff(one);
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
    assert.ok(outcome.points > 1);
  });
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
  // The rest creates, adopts and shrinks (a participant that is cut off there closes the segment), or is only a hint.
  assert.ok(cut > 220, lane.missed.join("\n"));
});

test.run();
