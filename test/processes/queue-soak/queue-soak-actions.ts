/** Producers and consumers of two queues, which are killed and stopped at any moment, and say in files what they have done. */
import { openSync, writeSync } from "node:fs";
import process from "node:process";
import { IsthmusError, type Job, type Queue, Segment } from "isthmus";
import { numbered, numberOf, randomFrom } from "../../lib/series.js";

/** One queue delivers again what the dead had taken, the other one drops it. */
export const QUEUES = {
  again: { capacity: 50, slotBytes: 400, onConsumerDeath: "redeliver" },
  drop: { capacity: 50, slotBytes: 400, onConsumerDeath: "drop" },
} as const;

export type QueueName = keyof typeof QUEUES;

/** Messages of one `sendMany`. */
export const BATCH = 4;
/** Messages of each producer have numbers from its life times this on. */
export const LIFE = 2 ** 32;
/** In the log of a consumer: the message was given back. */
export const GIVEN_BACK = 2 ** 52;
const WAIT = { timeoutMs: 50 };

let stopping = false;
const loops: Promise<void>[] = [];

/** What goes wrong must not wait until somebody asks. */
function run(step: () => Promise<void>): void {
  const forEver = async (): Promise<void> => {
    while (!stopping) {
      await step();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const failed = (error: Error): void => {
    writeSync(2, `${error.stack}\n`);
    process.exit(70);
  };
  loops.push(forEver().catch(failed));
}

/** That nothing came in time is part of the game. */
async function unlessLate(call: () => Promise<unknown> | unknown): Promise<number> {
  try {
    await call();
    return 1;
  } catch (error) {
    if (error instanceof IsthmusError && error.code === "TIMED_OUT") return 0;
    throw error;
  }
}

/** Sends one or more messages, from `number` on. How many. */
async function sendSome(queue: Queue, number: number, way: number): Promise<number> {
  const message = (offset: number): Uint8Array =>
    numbered(number + offset, 8 + (((number + offset) * 61) % 300));
  if (way === 0) return queue.trySend(message(0)) ? 1 : 0;
  if (way === 1) return unlessLate(() => queue.send(message(0), WAIT));
  if (way === 2) return unlessLate(() => queue.sendSync(message(0), WAIT));
  const batch = Array.from({ length: BATCH }, (_, i) => message(i));
  if (way === 3) return queue.trySendMany(batch);
  const progress = { sent: 0 };
  await unlessLate(() => queue.sendMany(batch, { ...WAIT, progress }));
  return progress.sent;
}

/** Writes to its ledger, for each queue, how many messages it has surely sent. */
export function produce(name: string, life: number, ledger: string, seed: number): void {
  const segment = Segment.open(name);
  const random = randomFrom(seed);
  const file = openSync(ledger, "w");
  Object.entries(QUEUES).forEach(([key, options], index) => {
    const queue = segment.queue(key, options);
    const count = new Float64Array(1);
    run(async () => {
      const way = Math.floor(random() * 5);
      for (let i = 0; i < 20; i++) {
        const sent = await sendSome(queue, life * LIFE + (count[0] as number), way);
        if (sent === 0) return;
        count[0] = (count[0] as number) + sent;
        writeSync(file, count, 0, 8, 8 * index);
      }
    });
  });
}

/** Writes to its logs, one for each queue, each message when it has begun to work on it, and again when it gives it back. */
export function consume(name: string, log: string, seed: number): void {
  const segment = Segment.open(name);
  const random = randomFrom(seed);
  for (const [key, options] of Object.entries(QUEUES)) {
    const queue: Queue = segment.queue(key, options);
    const file = openSync(`${log}-${key}`, "w");
    const number = new Float64Array(1);
    const work = (job: Job): void => {
      number[0] = numberOf(job.bytes);
      writeSync(file, number);
      if (random() > 0.05 || key === "drop") {
        job.done();
        return;
      }
      number[0] += GIVEN_BACK;
      writeSync(file, number);
      job.giveBack();
    };
    run(async () => {
      const way = Math.floor(random() * 5);
      if (way === 0) for (let i = 0; i < 10; i++) await unlessLate(() => queue.take(WAIT).then(work));
      if (way === 1) await unlessLate(() => work(queue.takeSync(WAIT)));
      if (way === 2) await unlessLate(() => queue.drain(work, { ...WAIT, limit: 10 }));
      const job = way === 3 ? queue.tryTake() : undefined;
      if (job) work(job);
      if (way !== 4) return;
      await unlessLate(async () => {
        for await (const one of queue.jobs(WAIT)) {
          work(one);
          if (random() < 0.2) return;
        }
      });
    });
  }
}

export async function stop(): Promise<void> {
  stopping = true;
  await Promise.all(loops);
}
