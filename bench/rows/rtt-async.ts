import { PATIENCE_MS, timeEach, work } from "../clock.js";
import { arrived, tripsContestant } from "./rtt.js";

const options = { timeoutMs: PATIENCE_MS };

/** Both ends wait with promises; their event loops stay free. */
export const contestant = tripsContestant({
  async left(plan, { producer, consumer }, prepare, check) {
    return timeEach(plan, async (sequence) => {
      await producer.send(prepare(sequence), options);
      check(arrived(await consumer.receive(options)));
    });
  },

  async right(plan, { producer, consumer }, trips) {
    for (let i = 0; i < trips; i++) {
      const message = arrived(await consumer.receive(options));
      work(plan.workNs);
      await producer.send(message, options);
    }
  },
});
