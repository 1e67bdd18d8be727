/** What a child can be asked to do with a segment: the public API, by names that survive JSON. See `agent.ts`. */
import process from "node:process";
import {
  type Broadcast,
  type Consumer,
  type Job,
  type Latest,
  type Producer,
  type Queue,
  Segment,
  type ServiceServer,
  type Struct,
  type Subscriber,
  struct,
} from "isthmus";
import { checkPayload, numbered, numberOf, payload } from "./series.js";

type OpenOptions = Parameters<typeof Segment.open>[1];
type CreateOptions = Parameters<typeof Segment.create>[1];

const segments = new Map<string, Segment>();
const producers = new Map<string, Producer>();
const consumers = new Map<string, Consumer>();
const servers = new Map<string, ServiceServer>();

const SMALL = { number: "u32", text: "utf8:32", position: ["f64", 3] } as const;
const LARGE = { number: "u32", bytes: "bytes:4000" } as const;
/** A layout that is copied word by word, and one that has slots and pins. */
const layouts: Record<string, Struct<typeof SMALL> | Struct<typeof LARGE>> = {
  small: struct(SMALL),
  large: struct(LARGE),
};

function of<T>(map: Map<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`nothing was opened as ${key}`);
  return value;
}

/** What was opened before; for the actions of a test of its own. */
export const opened = (name: string): Segment => of(segments, name);
export const sender = (ring: string): Producer => of(producers, ring);
export const receiver = (ring: string): Consumer => of(consumers, ring);

export interface Seen {
  bytes: number;
  generation: number;
  state: string;
  access: string;
  stale: boolean;
  participants: number[];
}

/** What a segment says of itself. */
export function seen(name: string): Seen {
  const segment = of(segments, name);
  const { bytes, generation, state, access, stale } = segment;
  const participants = segment.participants().map(({ pid }) => pid);
  return { bytes, generation: Number(generation), state: String(state), access, stale, participants };
}

function keep(name: string, segment: Segment): Seen {
  segments.set(name, segment);
  return seen(name);
}

export function create(name: string, options: CreateOptions): Seen {
  return keep(name, Segment.create(name, options));
}

export function open(name: string, options?: OpenOptions): Seen {
  return keep(name, Segment.open(name, options));
}

export function openOrCreate(name: string, options: CreateOptions): Seen {
  return keep(name, Segment.openOrCreate(name, options));
}

export async function waitFor(name: string): Promise<Seen> {
  return keep(name, await Segment.waitFor(name, { timeoutMs: 30_000 }));
}

export function fromHandle(name: string, handle: string): Seen {
  return keep(name, Segment.fromHandle(handle));
}

export function close(name: string): void {
  of(segments, name).close();
  segments.delete(name);
}

export function producer(name: string, ring: string, bytes: number): void {
  producers.set(ring, of(segments, name).ring(ring, { bytes }).producer());
}

export function consumer(name: string, ring: string, bytes: number): void {
  consumers.set(ring, of(segments, name).ring(ring, { bytes }).consumer());
}

export function closeProducer(ring: string): void {
  of(producers, ring).close();
}

export function closeConsumer(ring: string): void {
  of(consumers, ring).close();
}

export function trySend(ring: string, bytes: Uint8Array): boolean {
  return of(producers, ring).trySend(bytes);
}

/** Every wait of a test has an end, should the library not give one. */
const LIMIT = { timeoutMs: 40_000 };

export async function send(ring: string, bytes: Uint8Array): Promise<void> {
  await of(producers, ring).send(bytes, LIMIT);
}

export function sendSync(ring: string, bytes: Uint8Array): void {
  of(producers, ring).sendSync(bytes, LIMIT);
}

/** Sends copies of the bytes until there is no room; how many fitted. */
export function fill(ring: string, bytes: Uint8Array): number {
  const end = of(producers, ring);
  for (let sent = 0; ; sent++) if (!end.trySend(bytes)) return sent;
}

export function tryReceive(ring: string): Uint8Array | undefined {
  return of(consumers, ring).tryReceive();
}

export function receive(ring: string): Promise<Uint8Array | undefined> {
  return of(consumers, ring).receive(LIMIT);
}

export function receiveSync(ring: string): Uint8Array | undefined {
  return of(consumers, ring).receiveSync(LIMIT);
}

/** Sends the records `from` … `from + count - 1` of the series, waiting for room. */
export async function sendSeries(ring: string, from: number, count: number): Promise<void> {
  const end = of(producers, ring);
  for (let i = from; i < from + count; i++) {
    if (!end.trySend(payload(i))) await end.send(payload(i), LIMIT);
  }
}

/** Receives these records, waiting for them, and checks every byte. */
export async function receiveSeries(ring: string, from: number, count: number): Promise<number> {
  const end = of(consumers, ring);
  for (let i = from; i < from + count; i++) {
    const bytes = end.tryReceive() ?? (await end.receive(LIMIT));
    if (bytes === undefined) throw new Error(`the stream ended before record ${i}`);
    checkPayload(i, bytes);
  }
  return count;
}

export function sendSeriesSync(ring: string, from: number, count: number): void {
  for (let i = from; i < from + count; i++) of(producers, ring).sendSync(payload(i), LIMIT);
}

export function receiveSeriesSync(ring: string, from: number, count: number): number {
  for (let i = from; i < from + count; i++) {
    const bytes = of(consumers, ring).receiveSync(LIMIT);
    if (bytes === undefined) throw new Error(`the stream ended before record ${i}`);
    checkPayload(i, bytes);
  }
  return count;
}

const queues = new Map<string, Queue>();
const jobs: Job[] = [];

export function openQueue(name: string, queue: string, capacity: number): void {
  queues.set(queue, of(segments, name).queue(queue, { capacity, slotBytes: 300 }));
}

/** Sends the messages `from` … `from + count - 1` of the series. */
export async function queueSeries(queue: string, from: number, count: number, way: string): Promise<void> {
  const to = of(queues, queue);
  for (let i = from; i < from + count; i++) {
    if (way === "sendSync") to.sendSync(payload(i), LIMIT);
    else if (!to.trySend(payload(i))) await to.send(payload(i), LIMIT);
  }
}

/** Receives these messages, waiting for them, and checks every byte. */
export async function receiveQueued(queue: string, from: number, count: number, way: string): Promise<void> {
  const source = of(queues, queue);
  for (let i = from; i < from + count; i++) {
    const bytes = way === "receiveSync" ? source.receiveSync(LIMIT) : await source.receive(LIMIT);
    checkPayload(i, bytes);
  }
}

/** Takes the next message, which is number `index`, and keeps it. */
export async function takeQueued(queue: string, index: number): Promise<number> {
  const job = await of(queues, queue).take(LIMIT);
  jobs.push(job);
  checkPayload(index, job.copy());
  return job.deliveries;
}

const topics = new Map<string, Broadcast>();
const subscribers = new Map<string, Subscriber>();

/** Opens the broadcast, and subscribes. */
export function openTopic(name: string, topic: string, bytes: number): void {
  const opened = of(segments, name).broadcast(topic, { bytes });
  topics.set(topic, opened);
  subscribers.set(topic, opened.subscriber());
}

/** Publishes records without a pause, which say how many were published before. */
export function publishSeries(topic: string, count: number): void {
  const to = of(topics, topic);
  using publisher = to.publisher();
  const begin = to.stats.published;
  for (let i = begin; i < begin + count; i++) publisher.publish(numbered(i, 8 + ((i * 37) % 300)));
}

/** Receives them until their publisher closes. How many came and were lost. */
export async function receivePublished(topic: string, way: string): Promise<number> {
  const subscriber = of(subscribers, topic);
  const { lost } = subscriber;
  for (let received = 0, last = -1; ; received++) {
    const bytes = way === "receiveSync" ? subscriber.receiveSync(LIMIT) : await subscriber.receive(LIMIT);
    if (!bytes) return received + subscriber.lost - lost;
    const number = numberOf(bytes);
    if (number <= last) throw new Error(`record ${number} came after ${last}`);
    last = number;
  }
}

const latests = new Map<string, Latest<typeof SMALL>>();

/** The "small" or "large" value of a segment; kept, because `next` goes on from what it gave before. */
function latest(name: string, size: string): Latest<typeof SMALL> {
  const key = `${name} ${size}`;
  const layout = layouts[size] as Struct<typeof SMALL>;
  const made = latests.get(key) ?? of(segments, name).latest(size, layout);
  latests.set(key, made);
  return made;
}

export function writeLatest(name: string, size: string, value: never): void {
  latest(name, size).write(value);
}

export function readLatest(name: string, size: string): unknown {
  return latest(name, size).read();
}

export function nextLatest(name: string, size: string): Promise<unknown> {
  return latest(name, size).next(LIMIT);
}

export function nextLatestSync(name: string, size: string): unknown {
  return latest(name, size).nextSync(LIMIT);
}

export function list(): string[] {
  return Segment.list().map((found) =>
    typeof found === "string" ? found : (found as { name: string }).name,
  );
}

export function setUser(uid: number): void {
  process.setuid?.(uid);
}

/** Serves until the process ends: the answer is each byte plus 1. */
export function serve(name: string, service: string, bytes: number): void {
  const one = of(segments, name).service(service, { requestBytes: bytes, responseBytes: bytes, capacity: 4 });
  servers.set(
    service,
    one.serve((request) => request.map((byte) => byte + 1)),
  );
}

export async function serveNoLonger(service: string): Promise<void> {
  const server = of(servers, service);
  server.close();
  await server.finished;
}

/** Calls as often, one after the other, and checks each answer. Returns how many there were. */
export async function callSeries(
  name: string,
  service: string,
  count: number,
  form: "call" | "callSync",
): Promise<number> {
  const one = of(segments, name).service(service);
  for (let number = 0; number < count; number++) {
    const answer = await one[form](Uint8Array.of(number, number + 1));
    if (answer[0] !== ((number + 1) & 0xff) || answer.length !== 2)
      throw new Error(`call ${number} gave ${answer}`);
  }
  return count;
}

/** Sets a value in a cache, of JSON, and adds to a number of it. Returns the sum. */
export function cacheValue(name: string, cache: string, key: string, value: unknown): number {
  const one = of(segments, name).cache(cache, { bytes: 16_384, value: "json" });
  one.set(key, value);
  return one.add("sets", 1);
}

/** What a cache has for a key, or else this value, which is set. */
export function cachedValue(name: string, cache: string, key: string, otherwise?: unknown): Promise<unknown> {
  const one = of(segments, name).cache<"json">(cache);
  return otherwise === undefined ? Promise.resolve(one.get(key)) : one.getOrSet(key, () => otherwise);
}
