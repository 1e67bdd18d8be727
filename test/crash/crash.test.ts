import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CrashCase, IsTried } from "../lib/crash.js";
import { DEEP, isTried, someOf } from "../lib/depth.js";
import { instrument, type Site } from "../lib/instrument.js";
import { shapeOf } from "../lib/shape.js";
import { crashLane, shippedCore } from "../lib/shipped.js";
import { adoptCases, GROWN_BYTES } from "./cases/adopt.js";
import { crashCases, isPlayed } from "./cases/all.js";
import { SHRINKING_BYTES, shrinkCases } from "./cases/shrink.js";

const lane = crashLane();
/** Room for a file that grows. */
const growing = crashLane(GROWN_BYTES);
/** Room for one that has grown, and shrinks. */
const shrinking = crashLane(SHRINKING_BYTES);
let points = 0;

test("the core that is tested is the one that ships: no import but memory, no data", () => {
  const shape = shapeOf(shippedCore());
  assert.equal(shape.imports, ["env.memory memory"]);
  assert.not(shape.hasDataSection);
  assert.is(lane.source, shape.sha256);
});

test("the core for read-only memory has the same shape, and the same writes", () => {
  const plain = shippedCore("core-plain.wasm");
  assert.equal(shapeOf(plain).imports, ["env.memory memory"]);
  assert.not(shapeOf(plain).hasDataSection);
  const writes = (sites: Site[]): string[] =>
    sites
      .filter((site) => site.writes)
      .map((site) => site.name)
      .sort();
  assert.equal(writes(instrument(plain).sites), writes(lane.arena.sites));
});
const isSecondTried: IsTried = (second, first) => isTried(second, first, 6);
/** Some writes are only made by a survivor, in few of its courses: those cases are tried whole. */
const tried = ({ name }: CrashCase): IsTried | undefined =>
  /^(cache: clear|values, settle)/.test(name) ? undefined : isSecondTried;

for (const one of someOf(crashCases.filter(isPlayed), 2)) {
  test(`a death at any write is survived: ${one.name}`, () => {
    const outcome = lane.run(one, "both", tried(one));
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
    assert.ok(outcome.points > 1);
  });
}

for (const one of adoptCases) {
  test(`a death at any write is survived: ${one.name}`, () => {
    const outcome = growing.run(one, "both", isSecondTried);
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
    assert.ok(outcome.points > 1);
  });
}

for (const one of shrinkCases) {
  test(`a death at any write is survived: ${one.name}`, () => {
    const outcome = shrinking.run(one, "both", isSecondTried);
    points += outcome.points;
    assert.is(outcome.failure, undefined, outcome.failure);
    assert.ok(outcome.points > 1);
  });
}

/** A plain run plays half of the cases, which have fewer. */
const MISSED_MAX = DEEP ? 0 : 100;

test(`somebody was killed at every write of the core, but for ${MISSED_MAX}`, () => {
  const writes = lane.arena.sites.filter((site) => site.writes).length;
  const missed = lane.missed.filter(
    (site) => growing.missed.includes(site) && shrinking.missed.includes(site),
  );
  console.log(`${points} points, killed at ${writes - missed.length} of ${writes} write sites`);
  assert.ok(missed.length <= MISSED_MAX, missed.join("\n"));
});

test.run();
