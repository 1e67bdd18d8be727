/** Uses a segment whose bytes somebody changes at will. Anything but a result or an IsthmusError is a failure. */
import {
  type Block,
  type Broadcast,
  type BroadcastRecord,
  type Cache,
  type Consumer,
  IsthmusError,
  isShared,
  KiB,
  type Latest,
  type Producer,
  type Publisher,
  type Queue,
  type Ring,
  Segment,
  type Service,
  type Subscriber,
  struct,
} from "isthmus";
import { HEAP_ROOT_OFFSET } from "../../protocol/layout.js";

const smallFields = { number: "u32", text: "utf8:16" } as const;
const largeFields = { bytes: "bytes:5000" } as const;
const smallLayout = struct(smallFields);
const largeLayout = struct(largeFields);

interface Scene {
  segment: Segment;
  onlooker: Segment;
  ring: Ring;
  producer: Producer;
  consumer: Consumer;
  small: Latest<typeof smallFields>;
  large: Latest<typeof largeFields>;
  queue: Queue;
  topic: Broadcast;
  publisher: Publisher;
  subscriber: Subscriber;
  /** Of an opener that can only read. */
  onlooking: Subscriber;
  cache: Cache;
  /** Of the opener that can only read. */
  onlookingCache: Cache;
  numbers: Cache<unknown, unknown>;
  service: Service;
  /** Operations of the heap, locks and signals, which were opened before the damage. */
  more: (() => unknown)[];
}

export const CACHE_BYTES = 16 * KiB;
export const SERVICE = { requestBytes: 100, responseBytes: 100, capacity: 8 };

let scene: Scene | undefined;

/** What the root has, be it a block or a value. */
function contentOf(root: unknown): unknown {
  return isShared(root) ? root.toJSON() : (root as Block | undefined)?.copy().length;
}

export function begin(name: string): void {
  const segment = Segment.open(name);
  const ring = segment.ring("ring", { bytes: 4 * KiB });
  const onlooker = Segment.open(name, { access: "read-only" });
  const topic = segment.broadcast("topic", { bytes: 4 * KiB });
  const small = segment.latest("small", smallLayout);
  const large = segment.latest("large", largeLayout);
  scene = {
    segment,
    onlooker,
    ring,
    producer: ring.producer(),
    consumer: ring.consumer(),
    small,
    large,
    queue: segment.queue("queue", { capacity: 20, slotBytes: 100 }),
    topic,
    publisher: topic.publisher(),
    subscriber: topic.subscriber(),
    onlooking: onlooker.broadcast("topic").subscriber(),
    cache: segment.cache("cache", { bytes: CACHE_BYTES }),
    onlookingCache: onlooker.cache("cache"),
    numbers: segment.cache("numbers", { bytes: CACHE_BYTES, value: "json", evict: "none" }),
    service: segment.service("service", SERVICE),
    more: memoryOperations(segment, onlooker),
  };
}

const bytes = new Uint8Array(100).fill(1);

function broadcastOperations({
  topic,
  publisher,
  subscriber,
  onlooking,
  onlooker,
}: Scene): (() => unknown)[] {
  const soon = { timeoutMs: 5 };
  const read = (record: BroadcastRecord): void => void record.copy()?.fill(0);
  return [
    () => publisher.publish(bytes),
    () => publisher.publishMany([bytes, bytes]),
    () => publisher.claim(50).commit(20),
    ...[subscriber, onlooking].flatMap((one) => [
      () => one.tryReceive()?.fill(0),
      () => one.receiveSync(soon),
      () => one.receive(soon),
      () => one.tryDrain(read, { limit: 100 }),
      () => {
        const record = one.tryPeek();
        if (record) read(record);
        record?.release();
      },
    ]),
    () => topic.subscriber({ from: "oldest" }).tryReceive(),
    () => onlooker.broadcast("topic").subscriber().tryReceive(),
    () => [topic.stats, onlooker.broadcast("topic").stats],
    () => topic.publisher(),
  ];
}

function cacheOperations({ cache, onlookingCache, numbers }: Scene): (() => unknown)[] {
  const key = (): string => `key ${Math.floor(Math.random() * 100)}`;
  const soon = { timeoutMs: 5 };
  return [
    () => cache.set(key(), bytes),
    () => cache.set(bytes, bytes.subarray(0, 7), { ttlMs: 1 }),
    () => cache.get(key())?.fill(0),
    () => onlookingCache.get(key())?.fill(0),
    () => [cache.has(key()), onlookingCache.has(key())],
    () => cache.delete(key()),
    () => [...cache.entries()].length,
    () => [...onlookingCache.entries()].length,
    () => [cache.size, cache.stats, onlookingCache.stats],
    () => cache.getOrSet(key(), () => bytes, soon),
    () => numbers.add(`number ${key()}`, 1),
    () => numbers.set(key(), [1, "text"]),
    () => numbers.getOrSet(key(), async () => ({ value: 1 }), soon),
    () => numbers.get(key()),
    () => {
      if (Math.random() < 0.2) (Math.random() < 0.5 ? cache : numbers).clear();
    },
  ];
}

/** A handler may fail, and a call may go to a server that another call has started. */
function serviceOperations({ service, onlooker }: Scene): (() => unknown)[] {
  const soon = { timeoutMs: 5 };
  const serve = (): { close(): void } => {
    const server = service.serve((request, { signal }) => {
      if (signal.aborted || request.length === 0) throw new Error("of no use");
      return request;
    });
    server.finished.catch(() => undefined); // it ends when what it takes is damaged
    return server;
  };
  return [
    async () => {
      const server = serve();
      try {
        await service.call(bytes, soon);
        await service.call(bytes.subarray(0, 0), soon).catch(isOfHandler);
      } finally {
        server.close();
      }
    },
    () => service.call(bytes, soon).catch(isOfHandler),
    () => service.tryCall(bytes, soon)?.catch(isOfHandler),
    () => service.stats,
    () => onlooker.service("service").stats,
  ];
}

/** The failure of a handler is no failure of the service. */
function isOfHandler(error: Error): void {
  if (error.name !== "HandlerError") throw error;
}

/** Every operation there is; each is one attempt. */
function operations(all: Scene, name: string): (() => unknown)[] {
  const { segment, onlooker, ring, producer, consumer, small, large, queue } = all;
  return [
    () => producer.trySend(bytes),
    () => producer.sendSync(bytes, { timeoutMs: 5 }),
    () => producer.trySendMany([bytes, bytes]),
    () => producer.send(bytes, { timeoutMs: 5 }),
    () => producer.tryClaim(50)?.commit(20),
    () => consumer.tryReceive()?.fill(0),
    () => consumer.receiveSync({ timeoutMs: 5 }),
    () => consumer.receive({ timeoutMs: 5 }),
    () => consumer.tryDrain((record) => record.bytes.fill(0), { limit: 100 }),
    () => {
      const record = consumer.tryPeek();
      record?.bytes.fill(0);
      record?.release();
    },
    () => ring.stats,
    () => queue.trySend(bytes),
    () => queue.sendSync(bytes, { timeoutMs: 5 }),
    () => queue.trySendMany([bytes, bytes]),
    () => queue.sendMany([bytes, bytes], { timeoutMs: 5 }),
    () => queue.tryReceive()?.fill(0),
    () => queue.receiveSync({ timeoutMs: 5 }),
    () => queue.receive({ timeoutMs: 5 }),
    () => queue.tryDrain((job) => void job.bytes.fill(0), { limit: 10 }),
    () => {
      const job = queue.tryTake();
      job?.bytes.fill(0);
      if (Math.random() < 0.5) job?.giveBack();
      else job?.done();
    },
    () => queue.stats,
    () => onlooker.queue("queue").stats,
    () => segment.queue("queue"),
    () => ring.producer(),
    () => segment.ring(`new${Math.floor(Math.random() * 20)}`, { bytes: 64 }),
    () => segment.ring("ring", { bytes: 4 * KiB }),
    () => small.write({ number: 1, text: "text" }),
    () => small.read(),
    () => small.next({ timeoutMs: 5 }),
    () => large.write({ bytes }),
    () => large.read(),
    () => large.nextSync({ timeoutMs: 5 }),
    () => onlooker.latest("small", smallLayout).read(),
    () => onlooker.latest("large", largeLayout).read(),
    () => onlooker.objects(),
    () => onlooker.participants(),
    () => segment.objects(),
    () => segment.participants(),
    () => [segment.header, segment.state, segment.stale, segment.generation],
    () => segment.waitForObject("never", { timeoutMs: 5 }),
    () => Segment.open(name).close(),
    () => Segment.open(name, { access: "read-only" }).close(),
    () => Segment.list(),
    ...broadcastOperations(all),
    ...cacheOperations(all),
    ...serviceOperations(all),
    ...all.more,
  ];
}

/** The same for the heap, locks and signals. */
function memoryOperations(segment: Segment, onlooker: Segment): (() => unknown)[] {
  const soon = { timeoutMs: 5 };
  const lock = segment.lock("lock");
  const semaphore = segment.semaphore("semaphore", { initial: 3 });
  const event = segment.event("event");
  const counter = segment.counter("counter");
  const pick = (): Block | undefined => blocks[Math.floor(Math.random() * blocks.length)];
  const blocks: Block[] = [];
  const list = segment.share([1, "text"]);
  const dict = segment.share({ list, text: "text" });
  return [
    () => {
      const block = segment.heap.tryAllocate(100 + Math.floor(Math.random() * 3000), { alignment: 64 });
      if (block && blocks.length < 50) blocks.push(block);
      else block?.free();
    },
    () => blocks.pop()?.free(),
    () => {
      const block = pick();
      block?.write(bytes.subarray(0, block.byteLength));
    },
    () => pick()?.copy().length,
    () => pick()?.view(smallLayout).write({ number: 1, text: "text" }),
    () => segment.heap.check(),
    () => onlooker.heap.check(),
    () => [segment.heap.stats, contentOf(segment.root), contentOf(onlooker.root)],
    () => segment.heap.blockAt(Math.floor(Math.random() * segment.bytes))?.byteLength,
    () => {
      segment.root = pick();
    },
    () => dict.set(`key ${Math.floor(Math.random() * 50)}`, [1, "text", { deep: 1n }]),
    () => dict.delete(`key ${Math.floor(Math.random() * 50)}`),
    () => [dict.size, dict.refCount, dict.get("list"), dict.has("key 1")],
    () => [...dict.keys()].length,
    () => dict.toJSON(),
    () => list.push("text", 2n ** 70n),
    () => [list.at(-1), list.length, list.pop()],
    () => segment.share({ a: ["b", new Uint8Array(100)] }).close(),
    () => {
      segment.root = dict;
    },
    () => segment.rootValue?.toJSON(),
    () => onlooker.rootValue?.toJSON(),
    () => lock.tryAcquire("shared")?.release(),
    async () => (await lock.acquire("exclusive", soon)).release(),
    () => {
      const held = lock.acquireSync("shared", soon);
      try {
        held.acquireSync("exclusive", soon).release();
        held.upgradeSync(soon);
        held.markConsistent();
        held.downgrade();
      } finally {
        held.release();
      }
    },
    () => {
      const change = (): void => {
        const block = segment.heap.tryAllocate(100);
        block?.write(bytes);
        segment.root = block;
      };
      segment.transactionSync(lock, change, soon);
      segment.tryTransaction(lock, change);
    },
    () => semaphore.tryAcquire(),
    () => semaphore.release(2),
    () => semaphore.tryAcquire({ count: 2 }),
    () => semaphore.acquire({ ...soon, count: 2 }),
    () => semaphore.acquire(soon),
    () => event.signal(),
    () => event.reset(),
    () => event.waitSync(soon),
    () => [event.isSignaled, semaphore.value, counter.value],
    () => counter.add(1),
    () => counter.compareExchange(1, 2),
  ];
}

/** A planted bug: an offset is believed that stands in the shared bytes. */
function believing(segment: Segment): () => unknown {
  const block = segment.heap.allocate(8);
  segment.root = block;
  const { buffer } = block.bytes;
  return () => new Uint8Array(buffer, new Uint32Array(buffer)[HEAP_ROOT_OFFSET >>> 2], 8)[0];
}

let planted: (() => unknown) | undefined;

export function plant(): void {
  planted = believing((scene as Scene).segment);
}

/** How often each outcome came, of so many calls at least. */
export async function operate(
  name: string,
  milliseconds: number,
  callsMin: number,
): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = { fine: 0 };
  const calls = planted ? [planted] : operations(scene as Scene, name);
  const end = performance.now() + milliseconds;
  for (let made = 0; made < callsMin || performance.now() < end; made++) {
    const call = calls[Math.floor(Math.random() * calls.length)];
    try {
      await call();
      outcomes.fine++;
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw new Error(`${call}: ${(error as Error).stack}`);
      outcomes[error.code] = (outcomes[error.code] ?? 0) + 1;
    }
  }
  return outcomes;
}

/** Closing must work on any bytes, too. */
export function finish(): void {
  scene?.onlooker.close();
  scene?.segment.close();
  scene = planted = undefined;
}
