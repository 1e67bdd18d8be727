import { Segment } from "isthmus";
import { Patience, rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { makeFrame, stamp } from "../stamp.js";

/** The same memory as a Buffer, whose `fill` and `compare` are memcpy and memcmp, as in the native twin. */
function inPlace(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Frames are written straight into their claim, and compared byte by byte where they lie. */
export const contestant: Contestant = {
  async left(plan, link) {
    using segment = Segment.create(plan.segment, { bytes: plan.ringBytes * 2 + (1 << 20) });
    using producer = segment.ring("frames", { bytes: plan.ringBytes }).producer();
    const frame = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    link.send("open");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      stamp(frame.words, plan.strideWords, sequence);
      let claim = producer.tryClaim(plan.payloadBytes);
      while (!claim) {
        patience.poll(sequence);
        claim = producer.tryClaim(plan.payloadBytes);
      }
      inPlace(claim.bytes).fill(frame.bytes);
      claim.commit();
    }
    const perSecond = (await link.receive()) as number;
    segment.unlink();
    return { perSecond };
  },

  async right(plan, link) {
    await link.receive();
    using segment = Segment.open(plan.segment);
    using consumer = segment.ring("frames", { bytes: plan.ringBytes }).consumer();
    const frame = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    let start = 0;
    let equal = true;
    link.send("ready");
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      if (sequence === plan.warmup) start = performance.now();
      let record = consumer.tryPeek();
      while (!record) {
        patience.poll(sequence);
        record = consumer.tryPeek();
      }
      stamp(frame.words, plan.strideWords, sequence);
      equal = Buffer.compare(record.bytes, frame.bytes) === 0 && equal;
      record.release();
    }
    const perSecond = rateSince(start, plan.count);
    if (!equal) throw new Error("a frame that was read in place is not the frame that was sent");
    link.send(perSecond);
  },
};
