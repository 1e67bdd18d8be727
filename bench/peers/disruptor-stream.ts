import { Patience, rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";
import { disruptor, tryConsume, tryProduce } from "./disruptor.js";

/** One element per message; the reader takes all that are new at once, which is how the package is meant to be used. */
export const contestant: Contestant = {
  async left(plan, link) {
    const ring = disruptor(plan.segment, plan.payloadBytes, "produces", true);
    const { bytes, words } = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    link.send("open");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      stamp(words, plan.strideWords, sequence);
      while (!tryProduce(ring, bytes)) patience.poll(sequence);
    }
    const perSecond = (await link.receive()) as number;
    ring.release();
    return { perSecond };
  },

  async right(plan, link) {
    await link.receive();
    const ring = disruptor(plan.segment, plan.payloadBytes, "consumes", false);
    const { bytes, words } = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    let sum = 0;
    let start = 0;
    let counted = 0;
    link.send("ready");
    for (let received = 0; received < plan.warmup + plan.count; ) {
      if (start === 0 && received >= plan.warmup) {
        start = performance.now();
        counted = plan.warmup + plan.count - received;
      }
      const taken = tryConsume(ring, bytes, () => {
        sum = (sum + sumWords(words, plan.strideWords)) | 0;
      });
      if (taken === 0) patience.poll(received);
      received += taken;
    }
    const perSecond = rateSince(start, counted);
    expectStream(plan, sum);
    link.send(perSecond);
  },
};
