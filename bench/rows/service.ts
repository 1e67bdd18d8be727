import { Segment, type Service } from "isthmus";
import { PATIENCE_MS, timeEach } from "../clock.js";
import type { Contestant, Link, Plan, Sample } from "../contest.js";
import { expectSum, type Frame, makeFrame, messageSum, stamp, sumWords } from "../stamp.js";

const options = { timeoutMs: PATIENCE_MS };

function open(plan: Plan, segment: Segment): Service {
  const { payloadBytes } = plan;
  return segment.service("echo", { requestBytes: payloadBytes, responseBytes: payloadBytes, capacity: 16 });
}

/** One process calls, one call after the other; another one serves and returns what it got. */
export const contestant: Contestant = {
  async left(plan: Plan, link: Link): Promise<Sample> {
    using segment = Segment.create(plan.segment, { bytes: 1 << 20 });
    const service = open(plan, segment);
    const message: Frame = makeFrame(plan.payloadBytes);
    const answer: Frame = makeFrame(plan.payloadBytes);
    link.send("open");
    await link.receive();
    const latenciesNs = await timeEach(plan, async (sequence) => {
      stamp(message.words, 1, sequence);
      answer.bytes.set(await service.call(message.bytes, options));
      expectSum(sumWords(answer.words, 1), messageSum(answer.words.length, 1, sequence));
    });
    link.send("done");
    segment.unlink();
    return { latenciesNs };
  },

  async right(plan: Plan, link: Link): Promise<void> {
    await link.receive();
    using segment = Segment.open(plan.segment);
    using _server = open(plan, segment).serve((request) => request);
    link.send("ready");
    await link.receive();
  },
};
