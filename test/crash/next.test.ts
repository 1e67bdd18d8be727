// deep: longer courses of what crash.test.ts tries
import { test } from "uvu";
import * as assert from "uvu/assert";
import { crashLane } from "../lib/shipped.js";
import { nextCases } from "./cases/next.js";

const lane = crashLane();
let points = 0;

for (const one of nextCases) {
  test(`two deaths, the second in the work that follows, are survived: ${one.name}`, () => {
    const outcome = lane.run(one);
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
  });
}

test("there were deaths in every kind of work", () => {
  console.log(`${points} points`);
  assert.ok(points > 20_000);
});

test.run();
