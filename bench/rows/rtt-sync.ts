import { PATIENCE_MS, timeBlocks } from "../clock.js";
import { arrived, tripsContestant } from "./rtt.js";

const options = { timeoutMs: PATIENCE_MS };

/** Both ends block their thread until the message is there. */
export const contestant = tripsContestant({
  async left(plan, { producer, consumer }, prepare, check) {
    return timeBlocks(plan, (sequence) => {
      producer.sendSync(prepare(sequence), options);
      check(arrived(consumer.receiveSync(options)));
    });
  },

  async right(_plan, { producer, consumer }, trips) {
    for (let i = 0; i < trips; i++) producer.sendSync(arrived(consumer.receiveSync(options)), options);
  },
});
