import { Patience, rateSince } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { expectSum } from "../stamp.js";
import { loadPeer } from "./installed.js";

interface Queue {
  enqueue(text: string): number;
  dequeue(): string | undefined;
  destroy(unlink: boolean): void;
}

interface Ems {
  /** Makes a shared array, which is a queue as well. */
  new: (options: object) => Queue;
}

type MakeEms = (processes: number, pins: boolean, kind: "user", file: string) => Ems;

const ELEMENTS = 16_384;

function open(plan: Plan, useExisting: boolean): Queue {
  const ems = loadPeer<MakeEms>("ems")(
    1,
    false,
    "user",
    `/${plan.segment}-${useExisting ? "right" : "left"}`,
  );
  return ems.new({
    dimensions: [ELEMENTS],
    heapSize: ELEMENTS * plan.payloadBytes * 4,
    filename: `${plan.socket}.ems`,
    useExisting,
    persist: true,
    doSetFEtags: !useExisting,
    setFEtags: "empty",
  });
}

/** EMS carries texts, no bytes: the sequence with as many letters as our messages have bytes. */
export const contestant: Contestant = {
  async left(plan, link) {
    const queue = open(plan, false);
    link.send("open");
    await link.receive();
    for (let i = 0; i < plan.warmup + plan.count; i++)
      queue.enqueue(String(i).padStart(plan.payloadBytes, "0"));
    const perSecond = (await link.receive()) as number;
    queue.destroy(true);
    return { perSecond };
  },

  async right(plan, link) {
    await link.receive();
    const queue = open(plan, true);
    const patience = new Patience();
    let sum = 0;
    let expected = 0;
    let start = 0;
    link.send("ready");
    for (let i = 0; i < plan.warmup + plan.count; i++) {
      if (i === plan.warmup) start = performance.now();
      let text = queue.dequeue();
      while (text === undefined) {
        patience.poll(i);
        text = queue.dequeue();
      }
      sum = (sum + Number(text)) | 0;
      expected = (expected + i) | 0;
    }
    const perSecond = rateSince(start, plan.count);
    expectSum(sum, expected);
    link.send(perSecond);
  },
};
