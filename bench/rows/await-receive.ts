import { Segment } from "isthmus";
import { Patience, rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";
import { TimerDelays } from "./timer-delays.js";

/** The left end sends as fast as it can; the right one awaits each message in `for await`, with a timer beside it. */
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
    const { perSecond, timerP99Ms } = (await link.receive()) as { perSecond: number; timerP99Ms: number };
    segment.unlink();
    return { perSecond, parts: { timerP99Ms } };
  },

  async right(plan, link) {
    await link.receive();
    using segment = Segment.open(plan.segment);
    using consumer = segment.ring("messages", { bytes: plan.ringBytes }).consumer();
    let sum = 0;
    let start = 0;
    let received = 0;
    let delays: TimerDelays | undefined;
    link.send("ready");
    for await (const bytes of consumer) {
      if (received === plan.warmup) {
        start = performance.now();
        delays = new TimerDelays();
      }
      const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
      sum = (sum + sumWords(words, plan.strideWords)) | 0;
      if (++received === plan.warmup + plan.count) break;
    }
    const perSecond = rateSince(start, plan.count);
    expectStream(plan, sum);
    link.send({ perSecond, timerP99Ms: await delays?.end() });
  },
};
