/** Waits for each kind of object in a process where nothing but a wake-up ends a wait. */
import "../lock-load/no-rechecks.js"; // before the library
import {
  type Consumer,
  type Held,
  KiB,
  type Lock,
  type Producer,
  Segment,
  type Subscriber,
  struct,
} from "isthmus";
import { loadNative } from "../../../ts/host/native.cjs";

export { forgetRechecks } from "../lock-load/lock-load-actions.js";

/** Longer than any test takes, and an end all the same. Milliseconds. */
const LIMIT_MS = 1_000_000;
const LIMIT = { timeoutMs: LIMIT_MS };
/** The shim ends every sleep of a blocked thread after that many milliseconds, whatever limit it is given. */
const SHIM_SLEEP_MS_MAX = 200;

/**
 * From here on a thread that blocks sleeps until somebody makes the system call that wakes it: neither the shim's own limit nor
 * a bell that has changed ends its sleep. A call that comes between two of these sleeps is missed: so it is made again and again.
 */
export function sleepUntilWoken(): void {
  const native = loadNative();
  const { wait, read } = native;
  const word = new Uint32Array(1);
  const wordAt = (object: number, offset: number): number => {
    read(object, offset, new Uint8Array(word.buffer));
    return word[0] as number;
  };
  native.wait = (object, offset, expected) => {
    let value = expected;
    const begin = performance.now();
    while (performance.now() - begin < LIMIT_MS) {
      const asleep = performance.now();
      wait(object, offset, value, LIMIT_MS);
      const cut = performance.now() - asleep >= SHIM_SLEEP_MS_MAX;
      const now = wordAt(object, offset);
      if (!cut && now === value) return;
      value = now;
    }
    throw new Error("nobody woke it");
  };
}

let segment: Segment | undefined;
let producer: Producer | undefined;
let consumer: Consumer | undefined;
let subscriber: Subscriber | undefined;
let held: Held | undefined;

const opened = (): Segment => segment as Segment;
const lock = (): Lock => opened().lock("lock");
const value = () => opened().latest("value", struct({ number: "u32" }));
const ring = () => opened().ring("ring", { bytes: 4 * KiB });
const topic = () => opened().broadcast("topic", { bytes: 4 * KiB });
const byteOf = (bytes: Uint8Array | undefined): string =>
  bytes ? `record ${bytes[0]}` : "end of the stream";

export function open(name: string): void {
  segment = Segment.open(name);
}

export function subscribe(): void {
  subscriber = topic().subscriber();
}

export function attachConsumer(): void {
  consumer = ring().consumer();
}

/** Attaches a producer and fills the ring, so that the next record waits for room. */
export function fill(): void {
  producer = ring().producer();
  while (producer.trySend(new Uint8Array(500)));
}

export function hold(mode: "shared" | "exclusive"): void {
  held = lock().acquireSync(mode, LIMIT);
}

/** Closes everything, whatever a wait left. */
export function close(): void {
  segment?.close();
  segment = producer = consumer = subscriber = held = undefined;
}

async function hasLock(mode: "shared" | "exclusive"): Promise<string> {
  held = await lock().acquire(mode, LIMIT);
  return held.mode;
}

function hasLockSync(mode: "shared" | "exclusive"): string {
  held = lock().acquireSync(mode, LIMIT);
  return held.mode;
}

/** Each gives what the wait ended with. */
const waits: Record<string, () => unknown> = {
  data: async () => byteOf(await consumer?.receive(LIMIT)),
  dataSync: () => byteOf(consumer?.receiveSync(LIMIT)),
  published: async () => byteOf(await subscriber?.receive(LIMIT)),
  publishedSync: () => byteOf(subscriber?.receiveSync(LIMIT)),
  publisher: async () => void (await topic().waitForPublisher(LIMIT)),
  publisherSync: () => void topic().waitForPublisherSync(LIMIT),
  room: async () => producer?.send(new Uint8Array(500), LIMIT),
  roomSync: () => producer?.sendSync(new Uint8Array(500), LIMIT),
  producer: async () => {
    producer = await ring().waitForProducer(LIMIT);
  },
  producerSync: () => {
    producer = ring().waitForProducerSync(LIMIT);
  },
  consumer: async () => {
    consumer = await ring().waitForConsumer(LIMIT);
  },
  consumerSync: () => {
    consumer = ring().waitForConsumerSync(LIMIT);
  },
  semaphore: () => opened().semaphore("semaphore", { initial: 0 }).acquire(LIMIT),
  semaphoreSync: () => opened().semaphore("semaphore", { initial: 0 }).acquireSync(LIMIT),
  event: () => opened().event("event").wait(LIMIT),
  eventSync: () => opened().event("event").waitSync(LIMIT),
  latest: async () => (await value().next(LIMIT)).number,
  latestSync: () => value().nextSync(LIMIT).number,
  object: async () => (await opened().waitForObject("wanted", LIMIT)).name,
  exclusive: () => hasLock("exclusive"),
  exclusiveSync: () => hasLockSync("exclusive"),
  shared: () => hasLock("shared"),
  sharedSync: () => hasLockSync("shared"),
  upgrade: async () => {
    await held?.upgrade(LIMIT);
    return held?.mode;
  },
  upgradeSync: () => {
    held?.upgradeSync(LIMIT);
    return held?.mode;
  },
};

export async function wait(what: string): Promise<unknown> {
  return (await waits[what]?.()) ?? "done";
}
