/**
 * Multicast through queues: each reader has a queue of its own, and the sender puts every message into each of them. So no message is
 * lost, and a reader that is slow for a while slows the sender down. One that takes nothing for too long is dropped.
 *
 *     node build/examples/multicast.js [--readers 3] [--slow 1] [--messages 1000] [--patience 1000]
 *
 * When readers may lose old messages, use a broadcast instead (docs/broadcast.md): `segment.broadcast` copies each message once for all
 * readers, its publisher never waits for any of them, and each knows how many it has lost.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { IsthmusError, MiB, type Queue, Segment } from "isthmus";
import { done, startAgain, temporary } from "./children.js";
import { participantsFor, wholeNumber } from "./numbers.js";

/** Messages that a reader may be behind. */
const BEHIND_MAX = 64;
/** A slow reader stops after so many messages. */
const SLOW_AFTER = 10;
const QUEUE = { capacity: BEHIND_MAX, slotBytes: 64 };
const END = new Uint8Array(0);

interface Reader {
  queue: Queue;
  sent: number;
  dropped: boolean;
}

/** Puts a message into each queue. A reader without room after that time is dropped: the others wait for it only once. */
async function multicast(readers: Reader[], message: Uint8Array, timeoutMs: number): Promise<void> {
  const send = async (reader: Reader): Promise<void> => {
    try {
      if (!reader.queue.trySend(message)) await reader.queue.send(message, { timeoutMs });
      reader.sent++;
    } catch (error) {
      if (!(error instanceof IsthmusError) || error.code !== "TIMED_OUT") throw error;
      reader.dropped = true;
    }
  };
  await Promise.all(readers.filter(({ dropped }) => !dropped).map(send));
}

/** In a child: receives until the end, or, when it is slow, stops in the middle until all is over. */
async function read(name: string, index: number, slow: boolean): Promise<void> {
  using segment = Segment.open(name);
  const received = segment.counter(`received ${index}`);
  segment.semaphore("ready", { initial: 0 }).release();
  for await (const message of segment.queue(`reader ${index}`, QUEUE)) {
    if (message.length === 0) return;
    received.add(1);
    if (slow && received.value === SLOW_AFTER) break;
  }
  await segment.event("over").wait();
}

interface Wish {
  readers: number;
  slow: number;
  messages: number;
  patience: number;
}

async function run({ readers: count, slow, messages, patience }: Wish): Promise<void> {
  const options = { bytes: 4 * MiB, participants: participantsFor(count) };
  using segment = temporary(() => Segment.create(`example-multicast-${process.pid}`, options));
  const readers = Array.from({ length: count }, (_, index): Reader => {
    return { queue: segment.queue(`reader ${index}`, QUEUE), sent: 0, dropped: false };
  });
  const children = readers.map((_, index) => {
    const speed = index < slow ? ["--slowly"] : [];
    return done(startAgain("--read", segment.name, "--index", `${index}`, ...speed));
  });
  const all = Promise.all(children);
  all.catch(() => process.exit(1)); // a reader that fails would be waited for
  await segment.semaphore("ready", { initial: 0 }).acquire({ count });
  const encoder = new TextEncoder();
  for (let number = 1; number <= messages; number++)
    await multicast(readers, encoder.encode(`message ${number}`), patience);
  const sent = readers.map((reader) => reader.sent);
  await multicast(readers, END, patience);
  segment.event("over").signal();
  await all;
  for (const [index, { dropped }] of readers.entries()) {
    const received = segment.counter(`received ${index}`).value;
    const fate = dropped ? `was dropped after ${sent[index]} messages` : "is up to date";
    console.log(`reader ${index} received ${received} and ${fate}`);
  }
}

const { values } = parseArgs({
  options: {
    readers: { type: "string", default: "3" },
    slow: { type: "string", default: "1" },
    messages: { type: "string", default: "1000" },
    patience: { type: "string", default: "1000" },
    read: { type: "string" },
    index: { type: "string", default: "0" },
    slowly: { type: "boolean", default: false },
  },
});
if (values.read !== undefined) {
  process.once("disconnect", () => process.exit(1)); // who started it is gone
  await read(values.read, Number(values.index), values.slowly);
  process.exit(0);
} else {
  await run({
    readers: wholeNumber("readers", values.readers),
    slow: wholeNumber("slow", values.slow),
    messages: wholeNumber("messages", values.messages),
    patience: wholeNumber("patience", values.patience),
  });
}
