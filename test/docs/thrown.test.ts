/** What members of the API throw when their segment is closed, read-only, or was taken from them is what their comments say. */
import { type Block, type Heap, IsthmusError, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { evictSlot } from "../lib/evict.js";
import { segmentName } from "../lib/segments.js";
import { type Declaration, type Documented, publicDeclarations } from "./declarations.js";

const declarations = new Map(publicDeclarations().map((one) => [one.name, one]));
const bytes = new Uint8Array(8);
const Pair = struct({ a: "u32", b: "u32", list: ["u8", 8] });
const pair = { a: 1, b: 2, list: bytes };
const soon = { timeoutMs: 1 };

/** Arguments by the name of the member, or by that of its class and its own. */
const given: Record<string, unknown[]> = {
  acquire: ["exclusive", soon],
  acquireSync: ["exclusive", soon],
  allocate: [8],
  array: ["list"],
  as: [Uint8Array],
  "Block.write": [bytes],
  blockAt: [1024],
  compareExchange: [1, 2],
  copyInto: [bytes],
  counter: ["counter"],
  claim: [8, soon],
  claimSync: [8, soon],
  drain: [() => {}, soon],
  drainSync: [() => {}, soon],
  end: [soon],
  event: ["event"],
  exchange: [1],
  get: ["a"],
  latest: ["latest", Pair],
  lock: ["lock"],
  next: [soon],
  nextSync: [soon],
  peek: [soon],
  peekSync: [soon],
  readInto: [{}],
  receive: [soon],
  receiveInto: [bytes, soon],
  receiveIntoSync: [bytes, soon],
  receiveSync: [soon],
  ring: ["ring", { bytes: 4096 }],
  broadcast: ["broadcast", { bytes: 4096 }],
  publish: [bytes],
  publishMany: [[bytes]],
  waitForPublisher: [soon],
  waitForPublisherSync: [soon],
  cache: ["cache", { bytes: 8192 }],
  queue: ["queue", { capacity: 8, slotBytes: 8 }],
  service: ["service", { capacity: 8, requestBytes: 8, responseBytes: 8 }],
  serve: [() => bytes],
  call: [bytes, soon],
  callSync: [bytes, soon],
  tryCall: [bytes, soon],
  semaphore: ["semaphore", { initial: 1 }],
  take: [soon],
  takeSync: [soon],
  request: ["shared", () => {}, soon],
  "Cache.add": ["number", 1],
  "Cache.delete": ["key"],
  "Cache.get": ["key"],
  "Cache.getOrSet": ["other", () => bytes, soon],
  "Cache.has": ["key"],
  "Cache.set": ["key", bytes],
  "Semaphore.acquire": [soon],
  "Semaphore.acquireSync": [soon],
  "Semaphore.tryAcquire": [{ count: 1 }],
  send: [bytes, soon],
  sendMany: [[bytes], soon],
  sendManySync: [[bytes], soon],
  trySendPacked: [bytes, [1]],
  sendPacked: [bytes, [1], soon],
  sendPackedSync: [bytes, [1], soon],
  tryDrainInto: [bytes, new Uint32Array(1)],
  drainInto: [bytes, new Uint32Array(1), soon],
  drainIntoSync: [bytes, new Uint32Array(1), soon],
  sendSync: [bytes, soon],
  set: ["a", 1],
  tryAllocate: [8],
  tryClaim: [8],
  tryDrain: [() => {}],
  tryReceiveInto: [bytes],
  trySend: [bytes],
  trySendMany: [[bytes]],
  upgrade: [soon],
  upgradeSync: [soon],
  view: [Pair],
  wait: [soon],
  waitForConsumer: [soon],
  waitForConsumerSync: [soon],
  waitForObject: ["none", soon],
  waitForProducer: [soon],
  waitForProducerSync: [soon],
  waitSync: [soon],
  write: [pair],
};

/** They end what other members are tried with. */
const ENDING = new Set([
  "close",
  "[Symbol.dispose]",
  "[Symbol.asyncDispose]",
  "end",
  "unlink",
  "done",
  "free",
  "giveBack",
  "release",
  "commit",
  "abort",
]);

type Objects = Record<string, object>;

function filled(segment: Segment): Segment {
  segment.root = segment.heap.allocate(Pair.bytes);
  segment.root?.view(Pair);
  segment.latest("latest", Pair).write(pair);
  return segment;
}

/** One of each class, of a segment that may be read-only. */
function readable(segment: Segment): Objects {
  const root = segment.root as NonNullable<ReturnType<Heap["blockAt"]>>;
  return {
    Segment: segment,
    Ring: segment.ring("ring", { bytes: 4096 }),
    Queue: segment.queue("queue", { capacity: 8, slotBytes: 8 }),
    Broadcast: segment.broadcast("broadcast", { bytes: 4096 }),
    Subscriber: segment.broadcast("broadcast", { bytes: 4096 }).subscriber(),
    Cache: segment.cache("cache", { bytes: 8192 }),
    Service: segment.service("service", { capacity: 8, requestBytes: 8, responseBytes: 8 }),
    Latest: segment.latest("latest", Pair),
    Lock: segment.lock("lock"),
    Semaphore: segment.semaphore("semaphore", { initial: 1 }),
    SharedEvent: segment.event("event"),
    Counter: segment.counter("counter"),
    Heap: segment.heap,
    Block: root,
    StructView: root.view(Pair),
  };
}

/** The others, too. */
function all(segment: Segment): Objects {
  const producer = segment.ring("ring", { bytes: 4096 }).producer();
  const consumer = segment.ring("ring", { bytes: 4096 }).consumer();
  producer.trySend(bytes);
  const queue = segment.queue("queue", { capacity: 8, slotBytes: 8 });
  queue.trySendMany([bytes, bytes]);
  const topic = segment.broadcast("broadcast", { bytes: 4096 });
  const reading = topic.subscriber();
  const publisher = topic.publisher();
  publisher.publish(bytes);
  return {
    ...readable(segment),
    Publisher: publisher,
    BroadcastRecord: reading.tryPeek() as object,
    Producer: producer,
    Consumer: consumer,
    Claim: producer.tryClaim(8) as object,
    RingRecord: consumer.tryPeek() as object,
    LatestClaim: segment.latest("latest", Pair).claim(),
    Job: queue.takeSync(),
    Held: segment.lock("lock").acquireSync("shared"),
  };
}

/** Error codes that a comment names, itself or by "as `other`". */
function documented(one: Documented, declaration: Declaration, seen = new Set<string>()): string {
  if (seen.has(one.name)) return "";
  seen.add(one.name);
  const thrown = one.comment.slice(one.comment.search(/@throws|$/));
  const named = [...thrown.matchAll(/\bas `(?:(\w+)\.)?(\w+)`/g)].flatMap(([, object, name]) => {
    const of = object
      ? [...declarations.values()].filter((d) => d.name.toLowerCase() === object)
      : [declaration];
    return of.flatMap((d) =>
      d.members.filter((m) => m.name.endsWith(`.${name}`)).map((m) => documented(m, d, seen)),
    );
  });
  return [thrown, ...named].join("\n");
}

async function call(object: object, cls: string, name: string, kind: string): Promise<unknown> {
  const symbol = /^\[Symbol\.(dispose|asyncDispose)\]$/.exec(name)?.[1] as
    | "dispose"
    | "asyncDispose"
    | undefined;
  const key = symbol ? Symbol[symbol] : name;
  const member = Reflect.get(object, key) as (...args: unknown[]) => unknown;
  if (kind !== "function") return member;
  const args = given[`${cls}.${name}`] ?? given[name] ?? [];
  return member.apply(object, args);
}

/** Uses every member of every object. Returns what was thrown without being documented, and how much was thrown. */
async function tried(objects: Objects, ending: boolean): Promise<{ wrong: string[]; thrown: number }> {
  const wrong: string[] = [];
  let thrown = 0;
  for (const [cls, object] of Object.entries(objects)) {
    const declaration = declarations.get(cls) as Declaration;
    for (const one of declaration.members) {
      const name = one.name.split(".").slice(1).join(".");
      const skipped = /constructor|asyncIterator|transaction/i.test(name) || (ENDING.has(name) && !ending);
      if (one.isStatic || skipped) continue;
      try {
        await call(object, cls, name, one.kind);
      } catch (error) {
        thrown++;
        const { code = String(error) } = error as { code?: string };
        if (!documented(one, declaration).includes(code)) wrong.push(`${cls}.${name} throws ${code}`);
      }
    }
  }
  return { wrong, thrown };
}

test("after close", async () => {
  const segment = filled(Segment.createAnonymous({ bytes: MiB }));
  const objects = all(segment);
  segment.close();
  const { wrong, thrown } = await tried(objects, true);
  assert.equal(wrong, []);
  assert.ok(thrown > 50);
});

test("through a read-only opener", async () => {
  using segment = filled(Segment.createAnonymous({ bytes: MiB }));
  readable(segment);
  using reader = Segment.fromHandle(segment.handle, { access: "read-only" });
  const { wrong, thrown } = await tried(readable(reader), false);
  assert.equal(wrong, []);
  assert.ok(thrown > 15);
});

test("by a participant that was removed", async () => {
  const name = segmentName("thrown");
  using segment = filled(Segment.create(name, { bytes: MiB }));
  const objects = all(segment);
  evictSlot(name, 0);
  const { wrong, thrown } = await tried(objects, false);
  Segment.unlink(name);
  assert.equal(wrong, []);
  assert.ok(thrown > 25);
});

test("of a block that was freed", async () => {
  using segment = filled(Segment.createAnonymous({ bytes: MiB }));
  const { Block, StructView } = readable(segment) as { Block: Block; StructView: object };
  Block.free();
  const { wrong, thrown } = await tried({ Block, StructView }, true);
  assert.equal(wrong, []);
  assert.ok(thrown >= 5);
});

test("an error that no comment names is noticed", async () => {
  const refuse = (): never => {
    throw new IsthmusError("DEADLOCK", "planted");
  };
  const claim = { commit: refuse, abort: () => {}, [Symbol.dispose]: refuse, bytes };
  const { wrong } = await tried({ Claim: claim }, true);
  assert.equal(wrong, ["Claim.commit throws DEADLOCK", "Claim.[Symbol.dispose] throws DEADLOCK"]);
});

test.run();
