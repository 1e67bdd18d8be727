/**
 * Every method of every class of the API, with each of many odd values in the place of each argument and of each option. A call
 * takes the value, or refuses it: with an error that names the argument, or the code of an IsthmusError, and then the bytes of the
 * segment are what they were. No call hangs, and none lets an error of the engine through.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IsthmusError, KiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isTried, someOf } from "../lib/depth.js";
import { root } from "../lib/paths.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";
import { type Flaws, flawed } from "../lib/steps.js";
import { BAD_VALUES, OWN_ERROR, shownValue } from "./bad-values.js";

const layout = struct({
  id: "u32",
  list: ["f64", 2],
  text: "utf8:4",
  flag: "bool",
  big: "i64",
  raw: "bytes:4",
});
const value = { id: 1, list: [1, 2], text: "text", flag: true, big: 1n, raw: new Uint8Array(4) };

/** One segment with one of everything, in a state in which no valid call waits. */
function makeWorld() {
  const segment = Segment.createAnonymous({ bytes: 128 * KiB });
  const ring = segment.ring("ring", { bytes: 4 * KiB });
  const producer = ring.producer();
  const consumer = ring.consumer();
  const typed = segment.ring("typed", { bytes: 4 * KiB, layout });
  const typedProducer = typed.producer();
  const free = segment.ring("free", { bytes: 4 * KiB });
  const latest = segment.latest("latest", layout);
  const latestClaim = segment.latest("claimed", layout).claim();
  const lock = segment.lock("lock");
  const held = segment.lock("held").acquireSync("exclusive");
  const semaphore = segment.semaphore("semaphore", { initial: 100 });
  const event = segment.event("event", { signaled: true });
  const counter = segment.counter("counter");
  const block = segment.heap.allocate(64);
  const view = segment.heap.allocate(layout.bytes).view(layout);
  const claim = segment
    .ring("claimed ring", { bytes: 4 * KiB })
    .producer()
    .claimSync(16);
  const peeking = segment.ring("peeked", { bytes: 4 * KiB });
  peeking.producer().trySend(Uint8Array.of(1));
  const record = peeking.consumer().peekSync() as object;
  for (let i = 0; i < 3; i++) producer.trySend(Uint8Array.of(i));
  const queue = segment.queue("queue", { capacity: 8, slotBytes: 64 });
  for (let i = 0; i < 4; i++) queue.trySend(Uint8Array.of(i));
  const job = queue.takeSync();
  const service = segment.service("service", { capacity: 8, requestBytes: 64, responseBytes: 64 });
  const typedQueue = segment.queue("typed queue", { capacity: 8, layout });
  const topic = segment.broadcast("topic", { bytes: 4 * KiB });
  const publisher = topic.publisher();
  const subscriber = topic.subscriber();
  for (let i = 0; i < 3; i++) publisher.publish(Uint8Array.of(i));
  const published = topic.subscriber({ from: "oldest" }).peekSync() as object;
  const freeTopic = segment.broadcast("free topic", { bytes: 4 * KiB });
  const typedPublisher = segment.broadcast("typed topic", { bytes: 4 * KiB, layout }).publisher();
  const dict = segment.share({ a: 1 });
  const shared = segment.share([1, 2]);
  const cache = segment.cache("cache", { bytes: 8 * KiB });
  cache.set("key", Uint8Array.of(1));
  const jsonCache = segment.cache("json cache", { bytes: 8 * KiB, value: "json" });
  latest.write(value);
  const memory = Buffer.from(block.bytes.buffer);
  const heap = segment.heap;
  const made = {
    Segment,
    segment,
    ring,
    free,
    producer,
    consumer,
    typedProducer,
    latest,
    latestClaim,
    lock,
    held,
  };
  const queues = { service, queue, typedQueue, job, dict, shared, cache, jsonCache };
  const topics = { topic, publisher, subscriber, published, freeTopic, typedPublisher };
  return {
    ...made,
    ...queues,
    ...topics,
    semaphore,
    event,
    counter,
    block,
    view,
    claim,
    record,
    heap,
    layout,
    memory,
  };
}

type World = ReturnType<typeof makeWorld>;

const bytes = Uint8Array.of(1, 2, 3);
const WAIT = { timeoutMs: 0 };
const SIGNAL = { timeoutMs: 0, signal: new AbortController().signal };
const folder = temporaryDirectory();
process.chdir(folder); // odd paths may be those of files
let named = 0;
const fresh = (): string => segmentName(`bad-${named++}`);
const none = (): void => {};

/** Whose method, its name, valid arguments, and how errors may call the arguments. */
type Row = [owner: keyof World, method: string, valid: (world: World) => unknown[], names: string];

const ROWS: Row[] = [
  [
    "Segment",
    "create",
    () => [
      fresh(),
      { bytes: 64 * KiB, mode: 0o600, replace: false, participants: 64, namespace: "local", temporary: true },
    ],
    "name options",
  ],
  [
    "Segment",
    "open",
    () => [fresh(), { access: "read-only", namespace: "local", owner: "self" }],
    "name options",
  ],
  [
    "Segment",
    "openOrCreate",
    () => [fresh(), { bytes: 64 * KiB, mode: 0o600, temporary: true }],
    "name options",
  ],
  [
    "Segment",
    "openFile",
    () => [`${folder}/${named++}`, { bytes: 64 * KiB, access: "read-write", mode: 0o600, participants: 64 }],
    "path options",
  ],
  [
    "Segment",
    "waitFor",
    () => [fresh(), { ...SIGNAL, access: "read-only", namespace: "local", owner: "any" }],
    "name options",
  ],
  ["Segment", "createAnonymous", () => [{ bytes: 64 * KiB, participants: 64 }], "options"],
  ["Segment", "fromHandle", ({ segment }) => [segment.handle, { access: "read-only" }], "handle options"],
  ["Segment", "list", () => [{ prefix: fresh() }], "options"],
  ["Segment", "unlink", () => [fresh(), { namespace: "local" }], "name options"],
  ["Segment", "prune", () => [{ prefix: fresh(), olderThanMs: 2 ** 40, dryRun: true }], "options"],
  ["Segment", "containing", ({ block }) => [block], "viewOrBlock"],
  ["segment", "ring", () => ["other", { bytes: KiB, layout }], "name options"],
  [
    "segment",
    "queue",
    () => ["other", { capacity: 4, slotBytes: 64, layout, onConsumerDeath: "drop" }],
    "name options",
  ],
  ["segment", "broadcast", () => ["other", { bytes: KiB, layout }], "name options"],
  [
    "segment",
    "cache",
    () => ["other", { bytes: 4 * KiB, ttlMs: 5, evict: "none", value: "json" }],
    "name options",
  ],
  [
    "segment",
    "service",
    () => ["other", { capacity: 4, requestBytes: 8, responseBytes: 8, onServerDeath: "retry" }],
    "name options",
  ],
  ["service", "serve", () => [none, { concurrency: 2, signal: SIGNAL.signal }], "handler options"],
  ["service", "tryCall", () => [bytes, SIGNAL], "request options"],
  ["service", "call", () => [bytes, SIGNAL], "request options"],
  // So large that it never begins: nobody could answer while the thread is blocked.
  ["service", "callSync", () => [new Uint8Array(65), WAIT], "request options"],
  ["segment", "latest", () => ["other", layout], "name layout"],
  ["segment", "lock", () => ["other"], "name"],
  ["segment", "semaphore", () => ["other", { initial: 1 }], "name options"],
  ["segment", "event", () => ["other", { signaled: true }], "name options"],
  ["segment", "counter", () => ["other"], "name"],
  ["segment", "transaction", ({ lock }) => [lock, none, SIGNAL], "lock body options"],
  ["segment", "transactionSync", ({ lock }) => [lock, none, WAIT], "lock body options"],
  ["segment", "tryTransaction", ({ lock }) => [lock, none], "lock body"],
  ["segment", "waitForObject", () => ["ring", SIGNAL], "name options"],
  ["segment", "share", () => [{ a: [1] }], "value"],
  ["segment", "proxy", () => [{ a: [1] }], "value"],
  ["dict", "get", () => ["a"], "key"],
  ["dict", "has", () => ["a"], "key"],
  ["dict", "set", () => ["a", 1], "key value"],
  ["dict", "delete", () => ["a"], "key"],
  ["shared", "at", () => [0], "index"],
  ["shared", "set", () => [0, 1], "index value"],
  ["shared", "push", () => [1], "value"],
  ["ring", "waitForProducer", () => [SIGNAL], "options"],
  ["free", "waitForProducerSync", () => [WAIT], "options"],
  ["free", "consumer", () => [{ acknowledge: "each" }], "options"],
  ["free", "waitForConsumer", () => [{ acknowledge: "each", ...SIGNAL }], "options"],
  ["free", "waitForConsumerSync", () => [{ acknowledge: "each", ...WAIT }], "options"],
  ["free", "readable", () => [{ acknowledge: "each", ...SIGNAL }], "options"],
  ["free", "writable", () => [SIGNAL], "options"],
  ["producer", "trySend", () => [bytes], "bytes"],
  ["producer", "send", () => [bytes, SIGNAL], "bytes options"],
  ["producer", "sendSync", () => [bytes, WAIT], "bytes options"],
  ["producer", "trySendMany", () => [[bytes, bytes]], "arrayOfBytes"],
  ["producer", "sendMany", () => [[bytes], { ...SIGNAL, progress: { sent: 0 } }], "arrayOfBytes options"],
  ["producer", "sendManySync", () => [[bytes], { ...WAIT, progress: { sent: 0 } }], "arrayOfBytes options"],
  ["producer", "trySendPacked", () => [bytes, [1, 2]], "slab lengths"],
  ["producer", "sendPacked", () => [bytes, Uint32Array.of(1, 2), SIGNAL], "slab lengths options"],
  ["producer", "sendPackedSync", () => [bytes, [3], WAIT], "slab lengths options"],
  ["producer", "tryClaim", () => [8], "length"],
  ["producer", "claim", () => [8, SIGNAL], "length options"],
  ["producer", "claimSync", () => [8, WAIT], "length options"],
  ["producer", "end", () => [SIGNAL], "options"],
  ["typedProducer", "trySend", () => [value], "value"],
  ["typedProducer", "send", () => [value, SIGNAL], "value options"],
  ["typedProducer", "sendSync", () => [value, WAIT], "value options"],
  ["typedProducer", "trySendMany", () => [[value]], "arrayOfBytes values value"],
  ["typedProducer", "trySendPacked", () => [new Uint8Array(layout.bytes), [layout.bytes]], "slab lengths"],
  ["typedProducer", "tryClaim", () => [layout.bytes], "length"],
  ["consumer", "tryReceiveInto", () => [new Uint8Array(8)], "target"],
  ["consumer", "peek", () => [SIGNAL], "options"],
  ["consumer", "peekSync", () => [WAIT], "options"],
  ["consumer", "receive", () => [SIGNAL], "options"],
  ["consumer", "receiveSync", () => [WAIT], "options"],
  ["consumer", "receiveInto", () => [new Uint8Array(8), SIGNAL], "target options"],
  ["consumer", "receiveIntoSync", () => [new Uint8Array(8), WAIT], "target options"],
  ["consumer", "tryDrainInto", () => [new Uint8Array(8), new Uint32Array(2)], "slab lengths"],
  ["consumer", "drainInto", () => [new Uint8Array(8), new Uint32Array(2), SIGNAL], "slab lengths options"],
  ["consumer", "drainIntoSync", () => [new Uint8Array(8), new Uint32Array(2), WAIT], "slab lengths options"],
  ["consumer", "tryDrain", () => [none, { limit: 1 }], "handle options"],
  ["consumer", "drain", () => [none, { limit: 1, ...SIGNAL }], "handle options"],
  ["consumer", "drainSync", () => [none, { limit: 1, ...WAIT }], "handle options"],
  ["consumer", "records", () => [SIGNAL], "options"],
  ["claim", "commit", () => [8], "usedLength"],
  ["record", "copyInto", () => [new Uint8Array(8)], "target"],
  ["cache", "get", () => ["key"], "key"],
  ["cache", "has", () => ["key"], "key"],
  ["cache", "set", () => ["key", bytes, { ttlMs: 1000 }], "key value options"],
  ["jsonCache", "set", () => ["key", 1, { ttlMs: 1000 }], "key value options"],
  ["cache", "delete", () => ["key"], "key"],
  ["cache", "add", () => ["number", 1, { ttlMs: 1000 }], "key amount options"],
  ["cache", "getOrSet", () => ["key", () => bytes, { ttlMs: 1000, ...SIGNAL }], "key compute value options"],
  ["queue", "trySend", () => [bytes], "message"],
  ["queue", "send", () => [bytes, SIGNAL], "message options"],
  ["queue", "sendSync", () => [bytes, WAIT], "message options"],
  ["queue", "trySendMany", () => [[bytes, bytes]], "messages"],
  ["queue", "sendMany", () => [[bytes], { ...SIGNAL, progress: { sent: 0 } }], "messages options"],
  ["queue", "sendManySync", () => [[bytes], { ...WAIT, progress: { sent: 0 } }], "messages options"],
  ["queue", "tryShare", () => [{ a: [1] }], "value"],
  ["queue", "share", () => [{ a: [1] }, SIGNAL], "value options"],
  ["queue", "shareSync", () => [{ a: [1] }, WAIT], "value options"],
  ["queue", "receive", () => [SIGNAL], "options"],
  ["queue", "receiveSync", () => [WAIT], "options"],
  ["queue", "take", () => [SIGNAL], "options"],
  ["queue", "takeSync", () => [WAIT], "options"],
  ["queue", "tryDrain", () => [none, { limit: 1 }], "handle options"],
  ["queue", "drain", () => [none, { limit: 1, ...SIGNAL }], "handle options"],
  ["queue", "drainSync", () => [none, { limit: 1, ...WAIT }], "handle options"],
  ["queue", "records", () => [SIGNAL], "options"],
  ["queue", "jobs", () => [SIGNAL], "options"],
  ["typedQueue", "trySend", () => [value], "value"],
  ["typedQueue", "send", () => [value, SIGNAL], "value options"],
  ["typedQueue", "sendSync", () => [value, WAIT], "value options"],
  ["typedQueue", "trySendMany", () => [[value]], "messages values value"],
  ["job", "copyInto", () => [new Uint8Array(8)], "target"],
  ["topic", "waitForPublisher", () => [SIGNAL], "options"],
  ["freeTopic", "waitForPublisherSync", () => [WAIT], "options"],
  ["topic", "subscriber", () => [{ from: "oldest" }], "options"],
  ["publisher", "publish", () => [bytes], "bytes"],
  ["publisher", "publishMany", () => [[bytes, bytes]], "arrayOfBytes"],
  ["publisher", "claim", () => [8], "length"],
  ["typedPublisher", "publish", () => [value], "value"],
  ["typedPublisher", "publishMany", () => [[value]], "arrayOfBytes values value"],
  ["typedPublisher", "claim", () => [layout.bytes], "length"],
  ["subscriber", "peek", () => [SIGNAL], "options"],
  ["subscriber", "peekSync", () => [WAIT], "options"],
  ["subscriber", "receive", () => [SIGNAL], "options"],
  ["subscriber", "receiveSync", () => [WAIT], "options"],
  ["subscriber", "tryDrain", () => [none, { limit: 1 }], "handle options"],
  ["subscriber", "drain", () => [none, { limit: 1, ...SIGNAL }], "handle options"],
  ["subscriber", "drainSync", () => [none, { limit: 1, ...WAIT }], "handle options"],
  ["subscriber", "records", () => [SIGNAL], "options"],
  ["published", "copyInto", () => [new Uint8Array(8)], "target"],
  ["latest", "write", () => [value], "value"],
  ["latest", "readInto", () => [{ ...value }], "target"],
  ["latest", "next", () => [SIGNAL], "options"],
  ["latest", "nextSync", () => [WAIT], "options"],
  ["latest", "values", () => [SIGNAL], "options"],
  ["heap", "allocate", () => [8, { zero: true, alignment: 8 }], "length options"],
  ["heap", "tryAllocate", () => [8, { zero: true, alignment: 8 }], "length options"],
  ["heap", "blockAt", ({ block }) => [block.offset], "offset"],
  ["block", "as", () => [Float64Array], "type"],
  ["block", "write", () => [bytes, 8], "bytes at"],
  ["block", "view", () => [layout], "layout"],
  ["view", "write", () => [value], "value"],
  ["view", "get", () => ["id"], "field"],
  ["view", "set", () => ["id", 7], "field id"],
  ["view", "set", () => ["list", [1, 2]], "field list"],
  ["view", "set", () => ["text", "ab"], "field text"],
  ["view", "set", () => ["flag", true], "field flag"],
  ["view", "set", () => ["big", 1n], "field big"],
  ["view", "set", () => ["raw", new Uint8Array(4)], "field raw"],
  ["view", "array", () => ["list"], "field"],
  ["layout", "read", () => [new DataView(new ArrayBuffer(1000)), 8], "view offset"],
  ["layout", "write", () => [new DataView(new ArrayBuffer(1000)), value, 8], "view value offset"],
  ["lock", "tryAcquire", () => ["shared"], "mode"],
  ["lock", "acquire", () => ["shared", SIGNAL], "mode options"],
  ["lock", "acquireSync", () => ["shared", WAIT], "mode options"],
  ["lock", "request", () => ["shared", none, SIGNAL], "mode body options"],
  ["held", "tryAcquire", () => ["shared"], "mode"],
  ["held", "acquire", () => ["shared", SIGNAL], "mode options"],
  ["held", "acquireSync", () => ["shared", WAIT], "mode options"],
  ["held", "upgrade", () => [SIGNAL], "options"],
  ["held", "upgradeSync", () => [WAIT], "options"],
  ["semaphore", "tryAcquire", () => [{ count: 1 }], "options"],
  ["semaphore", "acquire", () => [{ count: 1, ...SIGNAL }], "options"],
  ["semaphore", "acquireSync", () => [{ count: 1, ...WAIT }], "options"],
  ["semaphore", "release", () => [1], "count"],
  ["event", "wait", () => [SIGNAL], "options"],
  ["event", "waitSync", () => [WAIT], "options"],
  ["counter", "add", () => [1], "amount"],
  ["counter", "exchange", () => [1], "value"],
  ["counter", "compareExchange", () => [0, 1], "expected value"],
];

/** The declarations of the package: what is internal is not in them. */
const declared = (readdirSync(join(root, "dist/ts"), { recursive: true, encoding: "utf8" }) as string[])
  .filter((file) => file.endsWith(".d.cts"))
  .map((file) => readFileSync(join(root, "dist/ts", file), "utf8"))
  .join("\n");

const isPublic = (method: string): boolean => new RegExp(`^ {4}(static )?${method}[<(]`, "m").test(declared);

test("the table has every method that takes an argument", () => {
  const world = makeWorld();
  const listed = new Set(ROWS.map(([owner, method]) => `${owner}.${method}`));
  const missing: string[] = [];
  for (const [owner, object] of Object.entries(world)) {
    if (owner === "memory") continue;
    const holder = typeof object === "function" ? object : Object.getPrototypeOf(object);
    for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
      if (typeof method !== "function" || name === "constructor" || name === "prototype") continue;
      const parameters = /^[^(]*\(([^)]*)/.exec(Function.prototype.toString.call(method))?.[1] ?? "";
      const other =
        {
          typedProducer: "producer",
          free: "ring",
          typedQueue: "queue",
          jsonCache: "cache",
          freeTopic: "topic",
          typedPublisher: "publisher",
        }[owner] ?? owner;
      const known = ["free", "ring", "freeTopic", other, owner].some((one) => listed.has(`${one}.${name}`));
      if (parameters !== "" && !known && isPublic(name)) missing.push(`${owner}.${name}(${parameters})`);
    }
  }
  world.segment.close();
  // They are internal, and have the names of public ones: of the heap and of a job.
  assert.equal(missing, ["block.check(writing)", "layout.done(staged)"]);
});

interface Place {
  text: string;
  names: string[];
  args: (world: World, bad: unknown) => unknown[];
}

/** Each argument of a row, and each option of one that has options. */
function placesOf([owner, method, valid, names]: Row): Place[] {
  const sample = makeWorld();
  const usual = valid(sample);
  sample.segment.close();
  const words = names.split(" ");
  return usual.flatMap((argument, index): Place[] => {
    const withValue = (world: World, make: (usual: unknown) => unknown): unknown[] =>
      valid(world).map((given, at) => (at === index ? make(given) : given));
    const whole: Place = {
      text: `${owner}.${method}, argument ${index + 1}`,
      names: words,
      args: (world, bad) => withValue(world, () => bad),
    };
    const isOptions = Object.getPrototypeOf(argument) === Object.prototype;
    const keys = isOptions ? Object.keys(argument as object) : [];
    return [
      whole,
      ...keys.map((key) => ({
        text: `${owner}.${method}, ${key} of argument ${index + 1}`,
        names: [...words, key],
        args: (world: World, bad: unknown) =>
          withValue(world, (given) => ({ ...(given as object), [key]: bad })),
      })),
    ];
  });
}

/** A class is a function, and a Proxy of an array may be one of its own kind: what happens when they are used is their own error. */
function isOfCallback(bad: unknown, error: unknown): boolean {
  const { message } = error as Error;
  return (
    (typeof bad === "function" && /^Class constructor/.test(message)) || /incompatible receiver/.test(message)
  );
}

type Outcome = { error?: unknown; pending?: Promise<unknown>; value?: unknown };

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3));

async function outcomeOf(call: () => unknown): Promise<Outcome> {
  try {
    const value = call();
    if (!(value instanceof Promise)) return { value };
    const settled = value.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    return await Promise.race([settled, later().then(() => ({ pending: value }))]);
  } catch (error) {
    return { error };
  }
}

/** What an argument consists of has names of its own. */
const PARTS = ["the struct", ...Object.keys(layout.fields), "bytes", "initial"];

/** Undefined when the error says what was wrong. */
function complaint(error: unknown, names: string[]): string | undefined {
  if (error === OWN_ERROR || error instanceof IsthmusError) return undefined;
  const { name, message, stack } = error as Error;
  if (name !== "TypeError" && name !== "RangeError") return `${stack ?? String(error)}`;
  const first = /^(the struct|[\w$]+)/.exec(message)?.[0] ?? "";
  return names.includes(first) || PARTS.includes(first) ? undefined : `${name}: ${message}`;
}

/**
 * Whether a call that was refused may have changed bytes: of what has looked at the segment before it knew, of values that are
 * made up in the copy which nobody reads, and of shared values of which a part was made, and freed, before another was refused.
 */
function mayChange([owner, method]: Row, error: unknown): boolean {
  if (error === OWN_ERROR || error instanceof IsthmusError || owner === "latest") return true;
  if (
    /^(share|tryShare|shareSync|proxy)$/.test(method) ||
    ((owner === "dict" || owner === "shared") && method !== "get")
  )
    return true;
  return owner === "consumer" && / for this record/.test((error as Error).message);
}

/** What is wrong with the outcome of a call; the bytes of the segment were others before. */
function faultsOf(row: Row, { names }: Place, error: unknown, before: Buffer, after: Buffer): string[] {
  const text = complaint(error, names);
  const faults = text === undefined ? [] : [text];
  if (mayChange(row, error) || before.equals(after)) return faults;
  const changed = before.findIndex((byte, at) => byte !== after[at]);
  return [...faults, `byte ${changed} has changed (${String(error)})`];
}

/** Ends what still waits for a segment, which no closing ends. It may refuse the segment: one of another owner was asked for. */
async function endWaitFor(name: unknown, pending: Promise<unknown>): Promise<void> {
  using _made = Segment.create(name as string, { bytes: 64 * KiB, temporary: true });
  await pending.then(
    (found) => (found as Segment).close(),
    () => {},
  );
}

/** Calls that look at segments of other programs, or remove names: they find none. */
const AMONG_OTHERS = ["list", "prune", "unlink"];
const NOTHING_THERE: Flaws = { list: () => () => [], unlink: () => () => {}, remove: () => () => false };

/** How many places were tried, each with other values in a plain run. */
let places = 0;

async function tryPlace(row: Row, place: Place): Promise<string[]> {
  const [owner, method] = row;
  const faults: string[] = [];
  let world = makeWorld();
  const series = places++;
  for (const make of BAD_VALUES.filter((_, index) => isTried(index, series))) {
    const bad = make();
    const args = place.args(world, bad);
    const before = Buffer.from(world.memory);
    const target = world[owner] as unknown as Record<string, (...args: unknown[]) => unknown>;
    const { error, value, pending } = await outcomeOf(() => {
      const call = (): unknown => target[method]?.(...args);
      return AMONG_OTHERS.includes(method) ? flawed(NOTHING_THERE, call) : call();
    });
    if (error !== undefined && !isOfCallback(bad, error)) {
      const found = faultsOf(row, place, error, before, world.memory);
      faults.push(...found.map((fault) => `${place.text}, ${shownValue(bad)}: ${fault}`));
    }
    if (value instanceof Segment) value.close();
    if (pending && method === "waitFor") await endWaitFor(args[0], pending);
    if (error !== undefined || (owner === "Segment" && !pending)) continue;
    world.segment.close();
    world = makeWorld();
  }
  world.segment.close();
  return faults;
}

for (const row of someOf(ROWS)) {
  test(`${row[0]}.${row[1]}`, async () => {
    const faults: string[] = [];
    for (const place of placesOf(row)) faults.push(...(await tryPlace(row, place)));
    assert.equal(faults, []);
  });
}

test.run();
