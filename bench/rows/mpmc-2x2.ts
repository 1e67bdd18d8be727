import { type Queue, Segment } from "isthmus";
import { PATIENCE_MS } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { makeFrame, stamp, sumWords } from "../stamp.js";
import { lead, PRODUCERS, roundsOf, type Told } from "./mpmc.js";

const options = { timeoutMs: PATIENCE_MS };
/** Ends a round for the one consumer that gets it. */
const END = new Uint8Array(0);

/** Sends every other message of a round, and its end. */
function produce(plan: Plan, index: number, count: number, queue: Queue): void {
  const { bytes, words } = makeFrame(plan.payloadBytes);
  for (let sequence = index; sequence < count; sequence += PRODUCERS) {
    stamp(words, plan.strideWords, sequence);
    queue.sendSync(bytes, options);
  }
  queue.sendSync(END, options);
}

function consume(plan: Plan, queue: Queue): Told {
  const { bytes, words } = makeFrame(plan.payloadBytes);
  let [taken, sum] = [0, 0];
  for (;;) {
    const message = queue.receiveSync(options);
    if (message.length === 0) return { taken, sum };
    bytes.set(message);
    sum = (sum + sumWords(words, plan.strideWords)) | 0;
    taken++;
  }
}

/** Two processes send and two receive, all of them blocking when they must wait. */
export const contestant: Contestant = {
  async left(plan, link) {
    using segment = Segment.create(plan.segment, { bytes: 16 << 20 });
    segment.queue("messages", { capacity: plan.batch, slotBytes: plan.payloadBytes });
    const rounds = roundsOf(plan).map((_, round) => segment.event(`go ${round}`));
    link.send("open");
    const sample = await lead(plan, link, (round) => rounds[round]?.signal());
    segment.unlink();
    return sample;
  },

  async right(plan, link, index) {
    await link.receive();
    using segment = Segment.open(plan.segment);
    const queue = segment.queue("messages");
    for (const [round, count] of roundsOf(plan).entries()) {
      link.send("ready");
      segment.event(`go ${round}`).waitSync(options);
      if (index < PRODUCERS) {
        produce(plan, index, count, queue);
        link.send({ taken: 0, sum: 0 } satisfies Told);
      } else link.send(consume(plan, queue));
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
};
