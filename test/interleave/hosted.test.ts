// watchdog: 600 s
/** The interleavings of hosts that block, at each of their accesses and calls of the system, also beside the plain core. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEEP, often } from "../lib/depth.js";
import type { World } from "../lib/explore.js";
import { exhaust, wander } from "../lib/search.js";
import { sha256 } from "../lib/shape.js";
import { hostedWorld, shippedCore } from "../lib/shipped.js";
import { hostedScenarios } from "./scenarios/hosted-all.js";

const worlds: World[] = [];
/** A world in which so many participants are played by the plain core. It takes seconds to make, so once, and when it is needed. */
function world(plain: number): World {
  worlds[plain] ??= hostedWorld(3, plain);
  return worlds[plain];
}
/** Runs by chance of each scenario. */
const WANDERINGS = often(100, 5);
let total = 0;
/** Orders with two preemptions are most of the work. */
const PREEMPTIONS_MAX = DEEP ? Number.POSITIVE_INFINITY : 1;
const SCHEDULES_MAX = DEEP ? Number.POSITIVE_INFINITY : 100;

test("the cores that are explored are those that ship", () => {
  const [hosted, plain] = [sha256(shippedCore("core-hosted.wasm")), sha256(shippedCore())];
  assert.is(world(0).source, hosted);
  assert.is(world(1).source, `${hosted} ${plain}`);
});

for (const one of hostedScenarios) {
  const { deaths = 0, timeouts } = one;
  const preemptions = Math.min(one.preemptions, PREEMPTIONS_MAX);
  test(`orders with at most ${preemptions} preemptions hold${DEEP ? ", all" : ""}: ${one.name}`, () => {
    const schedules = exhaust(world(one.plain), one, { preemptions, deaths, timeouts }, SCHEDULES_MAX);
    total += schedules;
    assert.ok(schedules > 2);
  });
}

const seed = Number(process.env.ISTHMUS_SEED ?? Date.now() % 2 ** 31);

for (const one of hostedScenarios) {
  test(`orders by chance hold, beyond the bounds, ISTHMUS_SEED=${seed}: ${one.name}`, () => {
    const { deaths = 0, timeouts } = one;
    const bounds = { preemptions: 50, deaths, delays: 1, timeouts };
    const { schedules, failure } = wander(world(one.plain), one, bounds, seed, WANDERINGS);
    assert.is(failure, undefined, `${failure?.message} in schedule ${failure?.schedule.join(" ")}`);
    assert.is(schedules, WANDERINGS);
  });
}

test("the scenarios reach most of what the hosted core adds", () => {
  const { arena, reached } = world(0);
  const of = (sites: number[]): number[] => sites.filter((site) => (reached[site] as number) > 0);
  const added = arena.sites.flatMap(({ func }, site) => (func.startsWith("hosted") ? [site] : []));
  console.log(
    `${total} schedules, ${of(added).length} of ${added.length} accesses in hosted calls interleaved`,
  );
  assert.ok(total > (DEEP ? 10_000 : 1_000));
});

test.run();
