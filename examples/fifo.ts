/**
 * A queue made by hand out of heap, lock, semaphores and an event: any number of producers and consumers share it. Consumers
 * stop when nothing has come for a while.
 *
 *     node build/examples/fifo.js [--producers 2] [--consumers 2] [--messages 10000] [--silence 10000]
 *     node build/examples/fifo.js --produce NAME --messages 500        another producer for a queue that runs already
 *     node build/examples/fifo.js --consume NAME --silence 3000        another consumer
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Block, IsthmusError, KiB, MiB, Segment, struct } from "isthmus";
import { done, startAgain, temporary } from "./children.js";
import { participantsFor, wholeNumber } from "./numbers.js";

const Ends = struct({ first: "u32", last: "u32" });
const Message = struct({ next: "u32", number: "u32" });
/** So many messages may wait at once. */
const ROOM = 1000;

/** A list of blocks: `items` counts what can be taken, `room` what can still be put, and the lock guards the links. */
class Fifo {
  readonly #segment: Segment;
  readonly #ends;
  readonly #lock;
  readonly #items;
  readonly #room;

  constructor(segment: Segment) {
    this.#segment = segment;
    this.#lock = segment.lock("fifo");
    this.#items = segment.semaphore("items", { initial: 0 });
    this.#room = segment.semaphore("room", { initial: ROOM });
    using _held = this.#lock.acquireSync();
    segment.root ??= segment.heap.allocate(Ends.bytes);
    this.#ends = segment.root.view(Ends);
  }

  #at(offset: number): Block {
    const block = this.#segment.heap.blockAt(offset);
    if (!block) throw new Error(`there is no message at ${offset}`);
    return block;
  }

  put(number: number): void {
    this.#room.acquireSync({ timeoutMs: 60_000 });
    {
      using _held = this.#lock.acquireSync();
      const block = this.#segment.heap.allocate(Message.bytes);
      block.view(Message).write({ next: 0, number });
      const { first, last } = this.#ends.read();
      if (last !== 0) this.#at(last).view(Message).set("next", block.offset);
      this.#ends.write({ first: first || block.offset, last: block.offset });
    }
    this.#items.release();
  }

  /** Undefined when nothing came for so long. */
  take(silenceMs: number): number | undefined {
    try {
      this.#items.acquireSync({ timeoutMs: silenceMs });
    } catch (error) {
      if (error instanceof IsthmusError && error.code === "TIMED_OUT") return undefined;
      throw error;
    }
    using _held = this.#lock.acquireSync();
    const block = this.#at(this.#ends.get("first"));
    const { next, number } = block.view(Message).read();
    this.#ends.set("first", next);
    if (next === 0) this.#ends.set("last", 0);
    block.free();
    this.#room.release();
    return number;
  }
}

function produce(name: string, messages: number): void {
  using segment = Segment.open(name);
  const fifo = new Fifo(segment);
  segment.event("go").waitSync({ timeoutMs: 60_000 });
  for (let number = 1; number <= messages; number++) fifo.put(number);
  segment.counter("sent").add(messages);
}

function consume(name: string, silenceMs: number): void {
  using segment = Segment.open(name);
  const fifo = new Fifo(segment);
  let count = 0;
  let sum = 0;
  for (let number = fifo.take(silenceMs); number !== undefined; number = fifo.take(silenceMs)) {
    count++;
    sum += number;
  }
  segment.counter("received").add(count);
  segment.counter("sum").add(sum);
}

interface Wish {
  producers: number;
  consumers: number;
  messages: number;
  silence: number;
}

async function run({ producers, consumers, messages, silence }: Wish): Promise<void> {
  const bytes = 2 * MiB + ROOM * KiB;
  const options = { bytes, participants: participantsFor(producers + consumers) };
  using segment = temporary(() => Segment.create(`example-fifo-${process.pid}`, options));
  const { name } = segment;
  console.log(`queue ${name}`);
  const start = (count: number, ...args: string[]) =>
    Array.from({ length: count }, () => done(startAgain(...args)));
  const children = [
    ...start(producers, "--produce", name, "--messages", `${messages}`),
    ...start(consumers, "--consume", name, "--silence", `${silence}`),
  ];
  segment.event("go").signal();
  await Promise.all(children);
  const value = (counter: string): number => segment.counter(counter).value;
  console.log(`${value("sent")} sent, ${value("received")} received, numbers add up to ${value("sum")}`);
  console.log(segment.heap.check().ok ? "heap in order" : "heap damaged");
}

const { values } = parseArgs({
  options: {
    producers: { type: "string", default: "2" },
    consumers: { type: "string", default: "2" },
    messages: { type: "string", default: "10000" },
    silence: { type: "string", default: "10000" },
    produce: { type: "string" },
    consume: { type: "string" },
  },
});
const messages = wholeNumber("messages", values.messages);
const silence = wholeNumber("silence", values.silence);
if (values.produce !== undefined) {
  produce(values.produce, messages);
} else if (values.consume !== undefined) {
  consume(values.consume, silence);
} else {
  const producers = wholeNumber("producers", values.producers);
  const consumers = wholeNumber("consumers", values.consumers);
  await run({ producers, consumers, messages, silence });
}
