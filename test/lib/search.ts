/** Explores a scenario: all schedules within bounds, or some by chance; and tells how a failure came about. */
import type { Bounds } from "./decisions.js";
import type { World } from "./explore.js";
import { type Chooser, DepthFirst, Random, Recorded } from "./schedule.js";
import type { Script } from "./script.js";

export interface Scenario {
  name: string;
  /** Brings the segment, and the instances, into the state in which every run begins. */
  before(world: World): void;
  /** One script per participant; made anew for each run. */
  scripts(world: World): Script<unknown>[];
  /** Throws if something that must hold does not, once everybody has ended. */
  after?(world: World): void;
  /** Participants that may die, where `deaths` are explored. */
  mortal?: number[];
}

export interface Outcome {
  schedules: number;
  /** Every schedule within the bounds was run. */
  complete: boolean;
  failure?: { message: string; schedule: number[] };
}

function runOnce(world: World, scenario: Scenario, bounds: Bounds, chooser: Chooser): Error | undefined {
  try {
    world.run(scenario.scripts(world), bounds, scenario.mortal ?? [], chooser);
    scenario.after?.(world);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** All schedules within the bounds, up to the first failure or the limit. */
export function explore(
  world: World,
  scenario: Scenario,
  bounds: Bounds,
  limit = Number.POSITIVE_INFINITY,
): Outcome {
  world.prepare(() => scenario.before(world));
  const chooser = new DepthFirst();
  for (let schedules = 1; ; schedules++) {
    const error = runOnce(world, scenario, bounds, chooser);
    if (error) {
      return { schedules, complete: false, failure: { message: error.message, schedule: chooser.schedule } };
    }
    if (!chooser.advance()) return { schedules, complete: true };
    if (schedules >= limit) return { schedules, complete: false };
  }
}

/** `runs` schedules by chance, beyond what can be explored. */
export function wander(
  world: World,
  scenario: Scenario,
  bounds: Bounds,
  seed: number,
  runs: number,
): Outcome {
  world.prepare(() => scenario.before(world));
  for (let schedules = 1; schedules <= runs; schedules++) {
    const chooser = new Random(seed * 65536 + schedules, 8);
    const error = runOnce(world, scenario, bounds, chooser);
    if (error) {
      return { schedules, complete: false, failure: { message: error.message, schedule: chooser.schedule } };
    }
  }
  return { schedules: runs, complete: false };
}

/** What happened in one schedule, line by line. */
export function replay(world: World, scenario: Scenario, bounds: Bounds, schedule: number[]): string[] {
  world.prepare(() => scenario.before(world));
  const log: string[] = [];
  world.log = log;
  try {
    const error = runOnce(world, scenario, bounds, new Recorded(schedule));
    log.push(error ? `=> ${error.message}` : "=> no failure");
  } finally {
    world.log = undefined;
  }
  return log;
}

/**
 * Explores with 0, 1 … `bounds.preemptions` preemptions in turn, so that the shortest failure comes first.
 * @param limit how many schedules are run with each of these numbers at most
 * @returns the number of schedules
 * @throws with the failing schedule, access by access
 */
export function exhaust(
  world: World,
  scenario: Scenario,
  bounds: Bounds,
  limit = Number.POSITIVE_INFINITY,
): number {
  let schedules = 0;
  for (let preemptions = 0; preemptions <= bounds.preemptions; preemptions++) {
    const within = { ...bounds, preemptions };
    const outcome = explore(world, scenario, within, limit);
    schedules += outcome.schedules;
    if (outcome.failure) {
      const log = replay(world, scenario, within, outcome.failure.schedule);
      throw new Error(`${scenario.name}: ${outcome.failure.message}\n${log.join("\n")}`);
    }
  }
  return schedules;
}
