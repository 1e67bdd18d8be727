/** Waits for each kind of object in a process where nothing but a wake-up ends a wait. */
import { type Consumer, type Held, KiB, type Lock, type Producer, Segment, struct } from "isthmus";
import { loadNative } from "../../../ts/host/native.cjs";

export { forgetRechecks } from "../lock-load/lock-load-actions.js";

/** Longer than any test takes, and an end all the same. Milliseconds. */
const SLEEP_MS = 50_000;
const LIMIT = { timeoutMs: SLEEP_MS };

/** From here on a thread that blocks sleeps until it is woken: it does not look again by itself after RECHECK_MS. */
export function sleepUntilWoken(): void {
  const native = loadNative();
  const { wait } = native;
  native.wait = (object, offset, expected) => {
    const begin = performance.now();
    wait(object, offset, expected, SLEEP_MS);
    if (performance.now() - begin >= SLEEP_MS) throw new Error("slept, and nobody rang");
  };
}

let segment: Segment | undefined;
let producer: Producer | undefined;
let consumer: Consumer | undefined;
let held: Held | undefined;

const opened = (): Segment => segment as Segment;
const lock = (): Lock => opened().lock("lock");
const value = () => opened().latest("value", struct({ number: "u32" }));
const ring = () => opened().ring("ring", { bytes: 4 * KiB });
const byteOf = (bytes: Uint8Array | undefined): string =>
  bytes ? `record ${bytes[0]}` : "end of the stream";

export function open(name: string): void {
  segment = Segment.open(name);
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
  segment = producer = consumer = held = undefined;
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
  room: async () => producer?.send(new Uint8Array(500), LIMIT),
  roomSync: () => producer?.sendSync(new Uint8Array(500), LIMIT),
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
