import { Segment } from "isthmus";
import { Patience, rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";

/** A batch in one slab: `trySendPacked` copies it in one piece, `tryDrainInto` puts the payloads one behind the other. */
export const contestant: Contestant = {
  async left(plan, link) {
    using segment = Segment.create(plan.segment, { bytes: plan.ringBytes * 2 + (1 << 20) });
    using producer = segment.ring("messages", { bytes: plan.ringBytes }).producer();
    const { slab, frames, lengths } = slabOf(plan.payloadBytes, plan.batch);
    const patience = new Patience();
    link.send("open");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence += plan.batch) {
      for (let i = 0; i < plan.batch; i++) stamp(frames[i], plan.strideWords, sequence + i);
      let sent = producer.trySendPacked(slab, lengths);
      while (sent < plan.batch) {
        patience.poll(sequence);
        sent += producer.trySendPacked(slab.subarray(sent * plan.payloadBytes), lengths.subarray(sent));
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
    const { slab, frames, lengths } = slabOf(plan.payloadBytes, plan.batch);
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
      const count = consumer.tryDrainInto(slab, lengths);
      if (count === 0) patience.poll(received);
      for (let i = 0; i < count; i++) sum = (sum + sumWords(frames[i], plan.strideWords)) | 0;
      received += count;
    }
    const perSecond = rateSince(start, counted);
    expectStream(plan, sum);
    link.send(perSecond);
  },
};

/** Private frames one behind the other. */
function slabOf(payloadBytes: number, batch: number) {
  const slab = new Uint8Array(payloadBytes * batch);
  const { bytes } = makeFrame(payloadBytes);
  const frames = Array.from({ length: batch }, (_, index) => {
    slab.set(bytes, index * payloadBytes);
    return new Int32Array(slab.buffer, index * payloadBytes, payloadBytes >>> 2);
  });
  return { slab, frames, lengths: new Uint32Array(batch).fill(payloadBytes) };
}
