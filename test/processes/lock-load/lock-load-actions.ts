/** What the processes under load do. Their timers can be taken away from the library, where the runtime lets that happen. */
import { forgetIntervals, intervalsBegun } from "./no-rechecks.js"; // before the library

export * from "../memory-soak/memory-actions.js";

import { Segment } from "isthmus";

/** From here on nothing looks again by itself. False where the library does not take its timers from the module of that name. */
export function forgetRechecks(): boolean {
  forgetIntervals();
  const before = intervalsBegun();
  Segment.createAnonymous({ bytes: 65536 }).close(); // whoever has a segment open shows signs of life in an interval
  return intervalsBegun() > before;
}
