// watchdog: 600 s
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEEP, often } from "../lib/depth.js";
import { exhaust, wander } from "../lib/search.js";
import { sha256 } from "../lib/shape.js";
import { shippedCore, world } from "../lib/shipped.js";
import { scenarios } from "./scenarios/all.js";

const explored = world(4);
/** Runs by chance of each scenario. */
const WANDERINGS = often(100, 5);
let total = 0;

test("the core that is explored is the one that ships", () => {
  assert.is(explored.source, sha256(shippedCore()));
});

/** Orders with two and three preemptions are most of the work, and so are some scenarios with a death or late stores. */
const PREEMPTIONS_MAX = DEEP ? Number.POSITIVE_INFINITY : 1;
const SCHEDULES_MAX = DEEP ? Number.POSITIVE_INFINITY : 100;

for (const one of scenarios) {
  const { deaths = 0, delays = 0 } = one;
  const preemptions = Math.min(one.preemptions, PREEMPTIONS_MAX);
  test(`orders with at most ${preemptions} preemptions hold${DEEP ? ", all" : ""}: ${one.name}`, () => {
    const schedules = exhaust(explored, one, { preemptions, deaths, delays }, SCHEDULES_MAX);
    total += schedules;
    assert.ok(schedules > 2);
  });
}

const seed = Number(process.env.ISTHMUS_SEED ?? Date.now() % 2 ** 31);

for (const one of scenarios) {
  test(`orders by chance hold, beyond the bounds, ISTHMUS_SEED=${seed}: ${one.name}`, () => {
    const { deaths = 0, delays = 0 } = one;
    const outcome = wander(explored, one, { preemptions: 50, deaths, delays: delays + 1 }, seed, WANDERINGS);
    const { failure } = outcome;
    assert.is(failure, undefined, `${failure?.message} in schedule ${failure?.schedule.join(" ")}`);
    assert.is(outcome.schedules, WANDERINGS);
  });
}

test("the scenarios reach most of the core", () => {
  const reached = explored.reached.filter((count) => count > 0).length;
  console.log(`${total} schedules, ${reached} of ${explored.arena.sites.length} accesses interleaved`);
  assert.ok(total > (DEEP ? 10_000 : 1_000));
});

test.run();
