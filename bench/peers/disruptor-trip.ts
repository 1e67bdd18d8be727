import { Patience, timeBlocks } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { expectSum, makeFrame, messageSum, stamp, sumWords } from "../stamp.js";
import { disruptor, tryConsume, tryProduce } from "./disruptor.js";

function ends(plan: Plan, init: boolean) {
  const [mine, theirs] = init ? ["there", "back"] : ["back", "there"];
  return {
    to: disruptor(`${plan.segment}-${mine}`, plan.payloadBytes, "produces", init),
    from: disruptor(`${plan.segment}-${theirs}`, plan.payloadBytes, "consumes", init),
  };
}

/** Round trips through two disruptors; both ends poll. */
export const contestant: Contestant = {
  async left(plan, link) {
    const { to, from } = ends(plan, true);
    const message = makeFrame(plan.payloadBytes);
    const answer = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    link.send("open");
    await link.receive();
    const latenciesNs = timeBlocks(plan, (sequence) => {
      stamp(message.words, 1, sequence);
      while (!tryProduce(to, message.bytes)) patience.poll(sequence);
      while (tryConsume(from, answer.bytes, () => {}) === 0) patience.poll(sequence);
      expectSum(sumWords(answer.words, 1), messageSum(answer.words.length, 1, sequence));
    });
    to.release();
    from.release();
    return { latenciesNs };
  },

  async right(plan, link) {
    await link.receive();
    const { to, from } = ends(plan, false);
    const { bytes } = makeFrame(plan.payloadBytes);
    const patience = new Patience();
    link.send("ready");
    for (let i = 0; i < (plan.warmup + plan.count) * plan.block; i++) {
      while (tryConsume(from, bytes, () => {}) === 0) patience.poll(i);
      while (!tryProduce(to, bytes)) patience.poll(i);
    }
  },
};
