/** A producer and a consumer that are killed and stopped at any moment, and say in files what they have done. */
import { openSync, writeSync } from "node:fs";
import process from "node:process";
import { type Consumer, IsthmusError, type Latest, type Producer, Segment, struct } from "isthmus";
import { numbered, numberOf, randomFrom } from "../../lib/series.js";

export const RING_BYTES = 16384;
export const BATCH = 8;
/** So short that a stopped peer is waited for more than once. */
const WAIT = { timeoutMs: 50 };
const EPOCH = 2 ** 32;
const LENGTH_MAX = 400;
/** A consumer takes no more than this at once, so that the ring is full most of the time and something is held back. */
const LITTLE = 20;

const fields = { number: "f64", bytes: "bytes:3000" } as const;
const layout = struct(fields);

let stopping = false;
let loop: Promise<void> | undefined;

/** What goes wrong must not wait until somebody asks. */
function run(step: () => Promise<boolean>): void {
  const forEver = async (): Promise<void> => {
    while (await step()) await new Promise((resolve) => setImmediate(resolve));
  };
  loop = forEver().catch((error: Error) => {
    writeSync(2, `${error.stack}\n`);
    process.exit(70);
  });
}

/** Deaths and patience that ended are part of the game; the call is made again. */
async function unlessPeerDied<T>(call: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof IsthmusError && ["PEER_DIED", "TIMED_OUT"].includes(error.code)) return undefined;
    throw error;
  }
}

function record(epoch: number, number: number): Uint8Array {
  return numbered(epoch * EPOCH + number, 8 + ((number * 61) % LENGTH_MAX));
}

/** Sends one or more records from `number` on; how many. */
async function sendSome(producer: Producer, epoch: number, number: number, way: number): Promise<number> {
  const bytes = record(epoch, number);
  if (way === 0) return producer.trySend(bytes) ? 1 : 0;
  if (way === 1) return (await unlessPeerDied(() => producer.send(bytes, WAIT).then(() => 1))) ?? 0;
  if (way === 2) {
    const sendSync = (): number => {
      producer.sendSync(bytes, WAIT);
      return 1;
    };
    return (await unlessPeerDied(sendSync)) ?? 0;
  }
  if (way === 3)
    return producer.trySendMany(Array.from({ length: BATCH }, (_, i) => record(epoch, number + i)));
  const claim = producer.tryClaim(bytes.length + 5);
  if (!claim) return 0;
  claim.bytes.set(bytes);
  claim.commit(bytes.length);
  return 1;
}

export function produce(name: string, epoch: number, ledger: string, seed: number): void {
  const segment = Segment.open(name);
  const producer = segment.ring("soak", { bytes: RING_BYTES }).producer();
  const latest = segment.latest("newest", layout);
  const random = randomFrom(seed);
  const file = openSync(ledger, "w");
  const count = new Float64Array(1);
  run(async () => {
    const way = Math.floor(random() * 5);
    for (let i = 0; i < 200; i++) {
      const sent = await sendSome(producer, epoch, count[0], way);
      count[0] += sent;
      if (sent > 0) writeSync(file, count, 0, 8, 0);
      else break;
    }
    const number = epoch * EPOCH + count[0];
    latest.write({ number, bytes: new Uint8Array(3000).fill(number) });
    if (stopping) producer.close();
    return !stopping;
  });
}

/** Gets some records; false at the end of the stream. */
async function receiveSome(
  consumer: Consumer,
  got: (bytes: Uint8Array) => void,
  way: number,
): Promise<boolean> {
  for (let i = 0; way === 0 && i < LITTLE; i++) {
    const bytes = consumer.tryReceive();
    if (bytes) got(bytes);
  }
  if (way === 1 || way === 2) {
    const wait = way === 1 ? () => consumer.receive(WAIT) : () => consumer.receiveSync(WAIT);
    const bytes = await unlessPeerDied(async () => (await wait()) ?? "end");
    if (bytes === "end") return false;
    if (bytes) got(bytes);
  }
  if (way === 3) consumer.tryDrain(({ bytes }) => got(bytes), { limit: LITTLE });
  const peeked = way === 4 ? consumer.tryPeek() : undefined;
  if (peeked) {
    got(peeked.bytes);
    peeked.release();
  }
  return true;
}

function checkNewest(latest: Latest<typeof fields>): void {
  const value = latest.read();
  const wrong = value?.bytes.findIndex((byte) => byte !== value.number % 256) ?? -1;
  if (wrong >= 0) throw new Error(`the newest value is torn at byte ${wrong}`);
}

export function consume(name: string, log: string, seed: number): void {
  const segment = Segment.open(name);
  const consumer = segment.ring("soak", { bytes: RING_BYTES }).consumer();
  const latest = segment.latest("newest", layout);
  const random = randomFrom(seed);
  const file = openSync(log, "w");
  const number = new Float64Array(1);
  const got = (bytes: Uint8Array): void => {
    number[0] = numberOf(bytes);
    writeSync(file, number);
  };
  run(async () => {
    checkNewest(latest);
    for (let i = 0, way = Math.floor(random() * 5); i < 5; i++) {
      if (!(await receiveSome(consumer, got, way))) return false;
    }
    return true;
  });
}

/** Lets the producer end its stream. */
export async function stop(): Promise<void> {
  stopping = true;
  await loop;
}

/** Returns when the consumer has come to the end of the stream. */
export async function streamEnd(): Promise<void> {
  await loop;
}
