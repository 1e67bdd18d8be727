import { rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";
import { zeromqPair } from "./zeromq.js";

/** Each `send` and each `receive` is awaited: the package has no other way. */
export const contestant: Contestant = {
  async left(plan, link) {
    const socket = await zeromqPair(plan, "left");
    const { bytes, words } = makeFrame(plan.payloadBytes);
    link.send("connect");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      stamp(words, plan.strideWords, sequence);
      await socket.send(Buffer.from(bytes)); // kept until it is sent
    }
    const perSecond = (await link.receive()) as number;
    socket.close();
    return { perSecond };
  },

  async right(plan, link) {
    await link.receive();
    const socket = await zeromqPair(plan, "right");
    const { bytes, words } = makeFrame(plan.payloadBytes);
    let sum = 0;
    let start = 0;
    link.send("ready");
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      if (sequence === plan.warmup) start = performance.now();
      const [message] = await socket.receive();
      bytes.set(message);
      sum = (sum + sumWords(words, plan.strideWords)) | 0;
    }
    const perSecond = rateSince(start, plan.count);
    expectStream(plan, sum);
    link.send(perSecond);
    socket.close();
  },
};
