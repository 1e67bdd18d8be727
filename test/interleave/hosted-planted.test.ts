// deep: bugs of the core that the lane beside it notices
// watchdog: 300 s
/**
 * The lane over hosts that block notices bugs: in stores of the hosted core, in what the system does, and, with
 * `npm run test:planted`, in the sources of `assembly/hosted/`.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findSite, type Mutation, type SitePattern } from "../lib/mutation.js";
import { exhaust } from "../lib/search.js";
import { hostedWorld } from "../lib/shipped.js";
import type { System } from "../lib/system.js";
import { hostedScenarios } from "./scenarios/hosted-all.js";

const explored = hostedWorld(3);

function mustFail(noticedBy: string): void {
  const one = hostedScenarios.find(({ name }) => name === `hosted, ${noticedBy}`);
  if (!one) throw new Error(`there is no scenario "${noticedBy}"`);
  const { preemptions, deaths = 0, timeouts } = one;
  assert.throws(() => exhaust(explored, one, { preemptions, deaths, timeouts }));
}

interface Planted extends SitePattern {
  bug: string;
  how: Mutation["how"];
  noticedBy: string;
}

const PLANTED: Planted[] = [
  {
    bug: "a record is published before its header",
    ...{ func: "hostedRingCommit", name: "i64.store", how: "late" },
    noticedBy: "ring, both ends wait",
  },
  {
    bug: "a record is not published",
    ...{ func: "hostedRingCommit", name: "i64.atomic.store", how: "drop" },
    noticedBy: "ring, both ends wait",
  },
  {
    bug: "a producer that closes keeps its end",
    ...{ func: "hostedRingCloseProducer", name: "i64.atomic.rmw.cmpxchg", how: "drop" },
    noticedBy: "ring, both ends wait",
  },
  {
    bug: "the doorbell of who is called is not rung",
    ...{ func: "waitersTake", name: "i32.atomic.rmw.add", how: "drop" },
    noticedBy: "ring, both ends wait",
  },
];

for (const { bug, how, noticedBy, ...pattern } of PLANTED) {
  test(`noticed: ${bug}`, () => {
    explored.mutation = { site: findSite(explored.arena.sites, pattern), how };
    try {
      mustFail(noticedBy);
    } finally {
      explored.mutation = undefined;
    }
  });
}

/** The system does not do what it should. */
function noticedInSystem(bug: string, flaw: (genuine: System) => Partial<System>, noticedBy: string): void {
  test(`noticed: ${bug}`, () => {
    explored.flaw = flaw;
    try {
      mustFail(noticedBy);
    } finally {
      explored.flaw = undefined;
    }
  });
}

noticedInSystem("nobody is woken", () => ({ wake: () => {} }), "lock, exclusive x exclusive");
noticedInSystem(
  "who is called while it falls asleep sleeps on",
  (genuine) => ({
    wait: (offset, _expected, ms) =>
      genuine.wait(offset, explored.arena.view.getInt32(offset >>> 0, true), ms),
  }),
  "lock, exclusive x exclusive",
);
noticedInSystem(
  "the dead count as alive",
  () => ({ held: () => 1 }),
  "heap, two take, one dies at any write",
);
noticedInSystem(
  "two have one kernel lock",
  () => ({ lock: () => 1, held: () => 0 }),
  "two leave and enter again",
);

test.run();
