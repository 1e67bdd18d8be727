import { timeEach } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectSum, makeFrame, messageSum, stamp, sumWords } from "../stamp.js";
import { zeromqPair } from "./zeromq.js";

/** Round trips between two event loops. */
export const contestant: Contestant = {
  async left(plan, link) {
    const socket = await zeromqPair(plan, "left");
    const message = makeFrame(plan.payloadBytes);
    const answer = makeFrame(plan.payloadBytes);
    link.send("connect");
    await link.receive();
    const latenciesNs = await timeEach(plan, async (sequence) => {
      stamp(message.words, 1, sequence);
      await socket.send(Buffer.from(message.bytes));
      const [bytes] = await socket.receive();
      answer.bytes.set(bytes);
      expectSum(sumWords(answer.words, 1), messageSum(answer.words.length, 1, sequence));
    });
    socket.close();
    return { latenciesNs };
  },

  async right(plan, link) {
    await link.receive();
    const socket = await zeromqPair(plan, "right");
    link.send("ready");
    for (let i = 0; i < plan.warmup + plan.count; i++) {
      const [bytes] = await socket.receive();
      await socket.send(bytes);
    }
    await new Promise((resolve) => setTimeout(resolve, 50)); // the last answer leaves from a thread of its own
    socket.close();
  },
};
