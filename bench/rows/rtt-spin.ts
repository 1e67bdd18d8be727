import { Patience, timeBlocks } from "../clock.js";
import { tripsContestant } from "./rtt.js";

/** Both ends poll with calls that never wait. */
export const contestant = tripsContestant({
  async left(plan, { producer, consumer }, prepare, check) {
    const answer = new Uint8Array(plan.payloadBytes);
    const patience = new Patience();
    return timeBlocks(plan, (sequence) => {
      const message = prepare(sequence);
      while (!producer.trySend(message)) patience.poll(sequence);
      while (consumer.tryReceiveInto(answer) === undefined) patience.poll(sequence);
      check(answer);
    });
  },

  async right(plan, { producer, consumer }, trips) {
    const message = new Uint8Array(plan.payloadBytes);
    const patience = new Patience();
    for (let i = 0; i < trips; i++) {
      while (consumer.tryReceiveInto(message) === undefined) patience.poll(i);
      while (!producer.trySend(message)) patience.poll(i);
    }
  },
});
