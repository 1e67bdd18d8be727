import { Segment } from "isthmus";
import { timeBlocks } from "../clock.js";
import type { Contestant } from "../contest.js";

/** One process with both ends: a record is written in its claim, and read where it lies. */
export const contestant: Contestant = {
  async left(plan) {
    using segment = Segment.create(plan.segment, { bytes: plan.ringBytes * 2 + (1 << 20) });
    const ring = segment.ring("records", { bytes: plan.ringBytes });
    using producer = ring.producer();
    using consumer = ring.consumer();
    const { payloadBytes } = plan;
    const last = payloadBytes - 1;
    let wrong = 0;
    const latenciesNs = timeBlocks(plan, (sequence) => {
      const claim = producer.tryClaim(payloadBytes);
      if (!claim) throw new Error("a ring that was just emptied is full");
      const { bytes } = claim;
      bytes[0] = sequence;
      bytes[last] = sequence + 1;
      claim.commit();
      const record = consumer.tryPeek();
      if (!record) throw new Error("a record that was just sent is missing");
      const found = record.bytes;
      if (
        found.length !== payloadBytes ||
        found[0] !== (sequence & 255) ||
        found[last] !== ((sequence + 1) & 255)
      )
        wrong++;
      record.release();
    });
    if (wrong > 0) throw new Error(`${wrong} records are not what was written`);
    segment.unlink();
    return { latenciesNs };
  },
};
