import { type RingRecord, Segment } from "isthmus";
import { Patience, rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";

/** `trySendMany` publishes a batch at once; `tryDrain` gives what is there to one callback and releases at its end. */
export const contestant: Contestant = {
  async left(plan, link) {
    using segment = Segment.create(plan.segment, { bytes: plan.ringBytes * 2 + (1 << 20) });
    using producer = segment.ring("messages", { bytes: plan.ringBytes }).producer();
    const frames = Array.from({ length: plan.batch }, () => makeFrame(plan.payloadBytes));
    const batch = frames.map((frame) => frame.bytes);
    const patience = new Patience();
    link.send("open");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence += plan.batch) {
      for (let i = 0; i < plan.batch; i++) stamp(frames[i].words, plan.strideWords, sequence + i);
      let sent = producer.trySendMany(batch);
      while (sent < plan.batch) {
        patience.poll(sequence);
        sent += producer.trySendMany(batch.slice(sent));
      }
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
    const take = (record: RingRecord): void => {
      record.copyInto(bytes);
      sum = (sum + sumWords(words, plan.strideWords)) | 0;
    };
    let start = 0;
    let counted = 0;
    link.send("ready");
    for (let received = 0; received < plan.warmup + plan.count; ) {
      if (start === 0 && received >= plan.warmup) {
        start = performance.now();
        counted = plan.warmup + plan.count - received;
      }
      // Without a limit one call may take the whole stream, warm-up and all.
      const handled = consumer.tryDrain(take, { limit: plan.batch * 16 });
      if (handled === 0) patience.poll(received);
      received += handled;
    }
    const perSecond = rateSince(start, counted);
    expectStream(plan, sum);
    link.send(perSecond);
  },
};
