import type { ChildProcess } from "node:child_process";
import { rateSince } from "../clock.js";
import type { Contestant } from "../contest.js";
import { otherProcess } from "../end.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";

/** Messages in flight before the sender waits: the channel has no other limit than memory. */
const IN_FLIGHT_MAX = 1024;

/** `process.send` of bytes from a parent to a child, with the serialisation that keeps them bytes. */
export const contestant: Contestant = {
  async left(plan, link) {
    const child = otherProcess() as ChildProcess;
    const { bytes, words } = makeFrame(plan.payloadBytes);
    link.send("count");
    await link.receive();
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      stamp(words, plan.strideWords, sequence);
      if (sequence % IN_FLIGHT_MAX !== IN_FLIGHT_MAX - 1) child.send(bytes);
      else await new Promise<unknown>((resolve) => child.send(bytes, resolve));
    }
    const perSecond = (await link.receive()) as number;
    return { perSecond };
  },

  async right(plan, link) {
    await link.receive();
    const { bytes, words } = makeFrame(plan.payloadBytes);
    let sum = 0;
    let start = 0;
    let received = 0;
    const done = new Promise<void>((resolve) => {
      process.on("message", (message: unknown) => {
        if (!ArrayBuffer.isView(message)) return;
        if (received === plan.warmup) start = performance.now();
        bytes.set(message as Uint8Array);
        sum = (sum + sumWords(words, plan.strideWords)) | 0;
        if (++received === plan.warmup + plan.count) resolve();
      });
    });
    link.send("ready");
    await done;
    const perSecond = rateSince(start, plan.count);
    expectStream(plan, sum);
    link.send(perSecond);
  },
};
