import { Segment } from "isthmus";
import { timeBlocks } from "../clock.js";
import type { Contestant } from "../contest.js";
import { median } from "../figures.js";

const MiB = 1024 * 1024;

/** The left end creates and holds segments of several sizes; the right end opens and closes each, many times. */
export const contestant: Contestant = {
  async left(plan, link) {
    const parts: Record<string, number> = {};
    let smallest: number[] = [];
    for (const [index, mib] of plan.sizesMiB.entries()) {
      const start = performance.now();
      using segment = Segment.create(plan.segment, { bytes: mib * MiB });
      parts[`create ${mib} MiB`] = (performance.now() - start) * 1e6;
      link.send("open");
      const latenciesNs = (await link.receive()) as number[];
      parts[`open ${mib} MiB`] = median(latenciesNs);
      if (index === 0) smallest = latenciesNs;
      segment.unlink();
    }
    return { latenciesNs: smallest, parts };
  },

  async right(plan, link) {
    for (const mib of plan.sizesMiB) {
      await link.receive();
      const latenciesNs = timeBlocks({ ...plan, block: 1 }, () => {
        using segment = Segment.open(plan.segment);
        if (segment.bytes < mib * MiB) throw new Error(`a segment of ${mib} MiB has ${segment.bytes} bytes`);
      });
      link.send(latenciesNs);
    }
  },
};
