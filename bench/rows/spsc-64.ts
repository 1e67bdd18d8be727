import { Segment } from "isthmus";
import { Patience, rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";

/** One call per message on both sides: `trySend` copies in, `tryReceiveInto` copies out. */
export const contestant: Contestant = {
  async left(plan, link) {
    using segment = Segment.create(plan.segment, { bytes: plan.ringBytes * 2 + (1 << 20) });
    using producer = segment.ring("messages", { bytes: plan.ringBytes }).producer();
    const { bytes, words } = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    link.send("open");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      stamp(words, plan.strideWords, sequence);
      while (!producer.trySend(bytes)) patience.poll(sequence);
    }
    const perSecond = (await link.receive()) as number;
    segment.unlink();
    return { perSecond };
  },

  async right(plan, link) {
    await link.receive();
    using segment = Segment.open(plan.segment);
    using consumer = segment.ring("messages", { bytes: plan.ringBytes }).consumer();
    const { bytes, words } = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    let sum = 0;
    let start = 0;
    link.send("ready");
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      if (sequence === plan.warmup) start = performance.now();
      while (consumer.tryReceiveInto(bytes) === undefined) patience.poll(sequence);
      sum = (sum + sumWords(words, plan.strideWords)) | 0;
    }
    const perSecond = rateSince(start, plan.count);
    expectStream(plan, sum);
    link.send(perSecond);
  },
};
