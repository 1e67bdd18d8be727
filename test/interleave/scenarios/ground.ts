/** What the scenarios stand on: a segment, and three participants who have joined; the third looks on or recovers. */
import type { World } from "../../lib/explore.js";
import { createSegment, joinSegment } from "../../lib/hosts/segment.js";
import type { Scenario } from "../../lib/search.js";

/** Slot of each participant: in different words of the sets of waiters. */
export const SLOTS = [5, 33, 63] as const;
export const OBSERVER = 2;
/** One more, for scenarios in which two give and two take. */
export const FOURTH = 3;
const FOURTH_SLOT = 12;

/** The slot of any participant. */
export function slotOf(id: number): number {
  return SLOTS[id] ?? FOURTH_SLOT;
}

/** As `populate`, with the fourth one. */
export function populateFour(world: World): void {
  populate(world);
  world.play(FOURTH, joinSegment(FOURTH_SLOT));
}

export function populate(world: World): void {
  world.play(OBSERVER, createSegment(SLOTS[OBSERVER]));
  world.play(0, joinSegment(SLOTS[0]));
  world.play(1, joinSegment(SLOTS[1]));
}

/** A scenario and how far it is explored. */
export interface Explored extends Scenario {
  preemptions: number;
  deaths?: number;
  delays?: number;
}

/** The same where plain stores may become visible late. */
export function late(one: Explored, preemptions: number, delays: number): Explored {
  return { ...one, name: `${one.name}, ${delays} late stores`, preemptions, delays };
}
