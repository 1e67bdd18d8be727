import { Segment } from "isthmus";
import { PATIENCE_MS, Patience, rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";
import { TimerDelays } from "./timer-delays.js";

const options = { timeoutMs: PATIENCE_MS };

/** The left end awaits each `send`, with a timer beside it; the right one receives as fast as it can. */
export const contestant: Contestant = {
  async left(plan, link) {
    using segment = Segment.create(plan.segment, { bytes: plan.ringBytes * 2 + (1 << 20) });
    using producer = segment.ring("messages", { bytes: plan.ringBytes }).producer();
    const { bytes, words } = makeFrame(plan.payloadBytes);
    let start = 0;
    let delays: TimerDelays | undefined;
    link.send("open");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      if (sequence === plan.warmup) {
        start = performance.now();
        delays = new TimerDelays();
      }
      stamp(words, plan.strideWords, sequence);
      await producer.send(bytes, options);
    }
    const perSecond = rateSince(start, plan.count);
    const timerP99Ms = (await delays?.end()) as number;
    await link.receive();
    segment.unlink();
    return { perSecond, parts: { timerP99Ms } };
  },

  async right(plan, link) {
    await link.receive();
    using segment = Segment.open(plan.segment);
    using consumer = segment.ring("messages", { bytes: plan.ringBytes }).consumer();
    const { bytes, words } = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    let sum = 0;
    link.send("ready");
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      while (consumer.tryReceiveInto(bytes) === undefined) patience.poll(sequence);
      sum = (sum + sumWords(words, plan.strideWords)) | 0;
    }
    expectStream(plan, sum);
    link.send("done");
  },
};
