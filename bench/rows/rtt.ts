import { type Consumer, type Producer, Segment } from "isthmus";
import type { Contestant, Link, Plan, Sample } from "../contest.js";
import { expectSum, type Frame, makeFrame, messageSum, stamp, sumWords } from "../stamp.js";

/** A message that was waited for; the other end must not close before the last trip. */
export function arrived(message: Uint8Array | undefined): Uint8Array {
  if (message === undefined) throw new Error("the other end closed its ring too early");
  return message;
}

export interface Ends {
  producer: Producer;
  consumer: Consumer;
}

type Prepare = (sequence: number) => Uint8Array;

/** How one kind of round trip is made, given both ends of two rings. */
export interface Trips {
  /** Makes and times all trips; `prepare` fills the message, `check` looks at the answer. */
  left(plan: Plan, ends: Ends, prepare: Prepare, check: (answer: Uint8Array) => void): Promise<number[]>;
  /** Sends back as many messages as come. */
  right(plan: Plan, ends: Ends, trips: number): Promise<void>;
}

function open(plan: Plan, segment: Segment, mine: "there" | "back"): Ends {
  const ring = (name: string) => segment.ring(name, { bytes: plan.ringBytes });
  const theirs = mine === "there" ? "back" : "there";
  return { producer: ring(mine).producer(), consumer: ring(theirs).consumer() };
}

/** Two rings between two processes; what comes back must be what was sent. */
export function tripsContestant(trips: Trips): Contestant {
  return {
    async left(plan: Plan, link: Link): Promise<Sample> {
      using segment = Segment.create(plan.segment, { bytes: plan.ringBytes * 2 + (1 << 20) });
      const ends = open(plan, segment, "there");
      const message: Frame = makeFrame(plan.payloadBytes);
      const answer: Frame = makeFrame(plan.payloadBytes);
      let sent = 0;
      link.send("open");
      await link.receive();
      const latenciesNs = await trips.left(
        plan,
        ends,
        (sequence) => {
          stamp(message.words, 1, sequence);
          sent = sequence;
          return message.bytes;
        },
        (bytes) => {
          answer.bytes.set(bytes);
          expectSum(sumWords(answer.words, 1), messageSum(answer.words.length, 1, sent));
        },
      );
      segment.unlink();
      return { latenciesNs };
    },

    async right(plan: Plan, link: Link): Promise<void> {
      await link.receive();
      using segment = Segment.open(plan.segment);
      const ends = open(plan, segment, "back");
      link.send("ready");
      await trips.right(plan, ends, (plan.warmup + plan.count) * plan.block);
    },
  };
}
