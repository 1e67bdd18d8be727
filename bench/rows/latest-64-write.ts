import { Segment } from "isthmus";
import { timeBlocks } from "../clock.js";
import type { Contestant } from "../contest.js";
import { isWhole, Value, valueFrom } from "./latest.js";

/** One process that writes, and looks at its last value in the end. */
export const contestant: Contestant = {
  async left(plan) {
    using segment = Segment.create(plan.segment, { bytes: 1 << 20 });
    const latest = segment.latest("value", Value);
    const latenciesNs = timeBlocks(plan, (sequence) => latest.write(valueFrom(sequence)));
    const last = latest.read();
    const written = (plan.warmup + plan.count) * plan.block;
    if (!last || !isWhole(last) || last.a !== written - 1)
      throw new Error(`${last?.a} is not the last value`);
    segment.unlink();
    return { latenciesNs };
  },
};
