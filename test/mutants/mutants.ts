/**
 * How much do the lanes notice? Each write of the core is dropped, one at a time, and each read-modify-write also split into
 * a load and a store. Whatever no lane notices is printed: it is either without consequence or a gap of the lanes.
 *
 * Known to be without consequence when dropped: the cached head at attach (it is looked up again), and the unused parameters
 * of an entry (they are zero already). When split: every compare-exchange by which an owner gives up its own word, since
 * nobody else writes there unless the owner was evicted alive, which no lane does. The same holds for the claim of a
 * semaphore: it decides about turns only, and whoever lost it looks again.
 */
import { crashCases } from "../crash/cases/all.js";
import { scenarios } from "../interleave/scenarios/all.js";
import type { CrashCase, Deaths } from "../lib/crash.js";
import type { Mutation } from "../lib/mutation.js";
import { explore, type Scenario } from "../lib/search.js";
import { crashLane, world } from "../lib/shipped.js";

/** Schedules of one scenario per mutant: a mutant that needs more would need its own scenario. */
const SCHEDULES_MAX = { drop: 500, split: 1000, late: 0, plain: 0 };
/** Schedules of every scenario that comes to the site, when nothing else has noticed. */
const SCHEDULES_LAST = 2000;
/** Of those that come to a site: cases that are run to their end, cases with a death at every write, scenarios. */
const CASES_MAX = 40;
const DEADLY_CASES_MAX = 8;
const SCENARIOS_MAX = { drop: 12, split: 12, late: 0, plain: 0 };

/**
 * What changes the size of a segment needs more room than this lane has: `test/crash/adopt.test.ts` drops its writes. What only
 * repairs a call that was cut off is played by `test/crash/cut-off.test.ts`; no call is cut off here.
 */
const ELSEWHERE = ["adopt", "shrink", "lockSettle"];

const lane = crashLane();
const explored = world(4);
const prompt = scenarios.filter((one) => !one.delays);

/** Of all cases or scenarios, those that come to a site, by site. */
function reaching<T>(all: T[], counts: Uint32Array, run: (one: T) => void): T[][] {
  const bySite: T[][] = Array.from(counts, () => []);
  for (const one of all) {
    counts.fill(0);
    run(one);
    counts.forEach((count, site) => {
      if (count > 0) bySite[site]?.push(one);
    });
  }
  return bySite;
}

/** At most so many of them, from all over the list. */
function spread<T>(all: T[], most: number): T[] {
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(all.length, most) }, (_, index) => all[Math.floor(index * step)] as T);
}

const casesBySite = reaching(crashCases, lane.reached, (one) => lane.run(one, "none"));
const scenariosBySite = reaching(prompt, explored.reached, (one) =>
  explore(explored, one, { preemptions: 2, deaths: one.deaths ?? 0 }, SCHEDULES_MAX.drop),
);

function failsInCrashLane(one: CrashCase, deaths: Deaths): boolean {
  try {
    return lane.run(one, deaths).failure !== undefined;
  } catch {
    return true; // the state before could not be reached
  }
}

function failsInExplorer(one: Scenario & { deaths?: number }, schedules: number): boolean {
  try {
    const bounds = { preemptions: 2, deaths: one.deaths ?? 0 };
    return explore(explored, one, bounds, schedules).failure !== undefined;
  } catch {
    return true;
  }
}

function noticed(mutation: Mutation): string | undefined {
  const reachingCases = mutation.how === "split" ? [] : (casesBySite[mutation.site] as CrashCase[]);
  const reachingScenarios = scenariosBySite[mutation.site] as Scenario[];
  lane.mutation = explored.mutation = mutation;
  try {
    if (spread(reachingCases, CASES_MAX).some((one) => failsInCrashLane(one, "none"))) return "crash lane";
    if (reachingCases.some((one) => failsInCrashLane(one, "victim"))) return "crash lane";
    const most = SCHEDULES_MAX[mutation.how];
    const tried = spread(reachingScenarios, SCENARIOS_MAX[mutation.how]);
    if (tried.some((one) => failsInExplorer(one, most))) return "interleavings";
    // Only half of the cases: what stale memory shows, fresh memory seldom adds to.
    const stale = reachingCases.filter((one) => !one.name.endsWith("fresh memory"));
    const deadly = spread(stale, DEADLY_CASES_MAX);
    if (deadly.some((one) => failsInCrashLane(one, "both"))) return "crash lane";
    return reachingScenarios.some((one) => failsInExplorer(one, SCHEDULES_LAST))
      ? "interleavings"
      : undefined;
  } finally {
    lane.mutation = explored.mutation = undefined;
  }
}

/** Plants the mutation at every site of those kinds; gives the part of them that was noticed, and prints the others. */
export function partNoticed(how: Mutation["how"], kinds: string[]): number {
  const missed: string[] = [];
  let noticedCount = 0;
  lane.arena.sites.forEach(({ kind, name, func }, site) => {
    if (!kinds.includes(kind) || ELSEWHERE.includes(func)) return;
    if (noticed({ site, how })) noticedCount++;
    else missed.push(`${name} in ${func} (site ${site})`);
  });
  const count = noticedCount + missed.length;
  console.log(`${how}: ${noticedCount} of ${count} noticed; not noticed:\n  ${missed.join("\n  ")}`);
  return noticedCount / count;
}
