import { timeEach } from "../clock.js";
import type { Contestant } from "../contest.js";
import { otherProcess } from "../end.js";
import { expectSum, makeFrame, messageSum, stamp, sumWords } from "../stamp.js";

/** Round trips of bytes over `process.send` between a parent and a child. */
export const contestant: Contestant = {
  async left(plan, link) {
    const child = otherProcess();
    const message = makeFrame(plan.payloadBytes);
    const answer = makeFrame(plan.payloadBytes);
    let arrived: () => void = () => {};
    (child as NodeJS.Process).on("message", (bytes: unknown) => {
      if (!ArrayBuffer.isView(bytes)) return;
      answer.bytes.set(bytes as Uint8Array);
      arrived();
    });
    link.send("echo");
    await link.receive();
    const latenciesNs = await timeEach(plan, async (sequence) => {
      stamp(message.words, 1, sequence);
      const back = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      child.send?.(message.bytes);
      await back;
      expectSum(sumWords(answer.words, 1), messageSum(answer.words.length, 1, sequence));
    });
    link.send("stop");
    return { latenciesNs };
  },

  async right(_plan, link) {
    await link.receive();
    process.on("message", (message: unknown) => {
      if (ArrayBuffer.isView(message)) process.send?.(message);
    });
    link.send("ready");
    await link.receive();
  },
};
