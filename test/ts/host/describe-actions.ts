/** Makes one of each object, and says what `console.log` shows of it and whether it can be cloned; run in every runtime. */
import process from "node:process";
import { MessageChannel } from "node:worker_threads";
import { KiB, MiB, Segment, struct } from "isthmus";

const Pose = struct({ id: "u32", label: "utf8:8" });
const segment = Segment.createAnonymous({ bytes: MiB });
const ring = segment.ring("frames", { bytes: KiB });
const producer = ring.producer();
const consumer = ring.consumer();
const lock = segment.lock("state");
const semaphore = segment.semaphore("slots", { initial: 3 });
const event = segment.event("go");
const counter = segment.counter("hits");
const latest = segment.latest("pose", Pose);
const queue = segment.queue("jobs", { capacity: 4, slotBytes: 8 });
queue.trySendMany([new Uint8Array(3), new Uint8Array(3)]);
const job = queue.tryTake();
const topic = segment.broadcast("ticks", { bytes: KiB });
const subscriber = topic.subscriber();
const publisher = topic.publisher();
publisher.publish(new Uint8Array(5));
const published = subscriber.tryPeek();
const cache = segment.cache("cache", { bytes: 8 * KiB });
const service = segment.service("resize", { requestBytes: 8, responseBytes: 8, capacity: 2 });
const dictionary = segment.share({ list: [1, "x"] });
const block = segment.heap.tryAllocate(Pose.bytes);
const view = block?.view(Pose);
producer.trySend(new Uint8Array(5));
counter.add(41);
latest.write({ id: 7, label: "x" });
view?.write({ id: 9, label: "y" });
const held = lock.acquireSync("exclusive");
const record = consumer.tryPeek();
const claim = producer.tryClaim(12);

const all: Record<string, unknown> = {
  ...{
    segment,
    ring,
    producer,
    consumer,
    record,
    claim,
    lock,
    held,
    semaphore,
    event,
    counter,
    latest,
    queue,
    job,
    topic,
    publisher,
    subscriber,
    published,
    block,
    view,
  },
  ...{ heap: segment.heap, struct: Pose },
  ...{ cache, service, dictionary, list: dictionary.get("list") },
  ...{
    records: segment.ring("others", { bytes: KiB }).consumer().records(),
    queued: queue.records(),
    jobs: queue.jobs(),
    heard: topic.subscriber().records(),
    values: latest.values(),
  },
};

function refuses(what: string, copy: (value: unknown) => unknown): void {
  for (const [name, one] of Object.entries(all)) {
    for (const value of [one, [one], { inside: one }]) {
      try {
        copy(value);
      } catch (error) {
        if ((error as Error).name === "DataCloneError") continue;
        throw error;
      }
      throw new Error(`${what} took the ${name}`);
    }
  }
}

const { port1 } = new MessageChannel();
refuses("structuredClone", (value) => structuredClone(value));
refuses("postMessage", (value) => port1.postMessage(value));
port1.close();

for (const [name, one] of Object.entries(all)) console.log(`${name}:`, one);
console.log("nested:", { a: { b: { c: { segment, block } } } });
/** What an object refers to is megabytes; what it is and holds is a line. */
const JSON_LENGTH_MAX = 1000;
for (const [name, one] of Object.entries(all)) {
  for (const value of [one, { ...(one as object) }, { inside: [one] }]) {
    const { length } = JSON.stringify(value);
    if (length > JSON_LENGTH_MAX) throw new Error(`JSON of the ${name} has ${length} characters`);
  }
}
console.log(`json: ${JSON.stringify({ counter, ring, list: dictionary })}`);
segment.close();
for (const [name, one] of Object.entries(all)) console.log(`closed ${name}:`, one);
for (const one of Object.values(all)) console.log(Object.getPrototypeOf(one));
process.exit(0);
