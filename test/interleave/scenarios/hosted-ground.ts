/** What the scenarios over the hosted core stand on. Participants that block wait inside of one call; others do what `ts/` does. */
import { KERNEL_LOCK_PARTICIPANTS, RESULT_ERRORS } from "../../../protocol/layout.js";
import type { World } from "../../lib/explore.js";
import { hostedOpen } from "../../lib/hosts/hosted.js";
import { call, type Script } from "../../lib/script.js";
import { type Explored, OBSERVER, populate, SLOTS } from "./ground.js";

/** Waits until it has it: such a sleep ends by itself only after a death. */
export const FOREVER = Number.POSITIVE_INFINITY;
/** Shorter than RECHECK_MS: the time of who waits so long is over when nobody else can go on, or by one of `timeouts`. */
export const SHORT_MS = 50;

export interface HostedScenario extends Omit<Explored, "before"> {
  /** The type of the object that the scenario is about, and its first parameter. */
  type?: number;
  first?: number;
  before?(world: World, object: number): void;
  timeouts?: number;
  /** What a sleep lasts for one that is woken; RECHECK_MS: it asks the kernel after each sleep. */
  wakingMs?: number;
  /** The last participants that are played as hosts with an event loop, by the plain core. */
  plain?: number;
}

/** All have joined, their kernel locks are taken, and who waits tries once before it sleeps. */
function prepare(world: World, one: HostedScenario): void {
  populate(world);
  for (const { id, exports } of world.participants) {
    world.kernel.take(KERNEL_LOCK_PARTICIPANTS + (SLOTS[id] as number), id);
    if (exports.hostedSpins) world.play(id, call("hostedSpins", 0));
  }
  world.wakingMs = one.wakingMs ?? 0;
  const object = one.type === undefined ? 0 : world.play(0, hostedOpen(one.type, "object", one.first));
  one.before?.(world, object);
}

export function hosted(one: HostedScenario): Explored & { timeouts: number; plain: number } {
  const { timeouts = 0, plain = 0 } = one;
  return {
    ...one,
    ...{ timeouts, plain },
    name: `hosted, ${one.name}${plain > 0 ? `, ${plain} by the plain core` : ""}`,
    before: (world) => prepare(world, one),
  };
}

/** The same where who is woken has slept for long, and where one sleep ends early. */
export function slowly(one: HostedScenario, wakingMs: number): HostedScenario {
  return { ...one, wakingMs, name: `${one.name}, ${wakingMs} ms until it is woken` };
}

export function impatiently(one: HostedScenario, preemptions: number): HostedScenario {
  return { ...one, preemptions, timeouts: 1, name: `${one.name}, one sleep ends early` };
}

/** Slots of those who have died. */
export function deadSlots(world: World): number[] {
  return world.participants.flatMap(({ id }) => (world.state(id) === "dead" ? [SLOTS[id] as number] : []));
}

/** Calls, and throws when that gives an error. */
export function* succeed(name: string, ...given: number[]): Script<number> {
  const result = (yield* call(name, ...given)) >>> 0;
  if (result >= RESULT_ERRORS && result < 1024) throw new Error(`${name} gave ${result}`);
  return result;
}

export { OBSERVER, SLOTS };
