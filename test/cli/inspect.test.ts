/** What `isthmus inspect` shows of the heap, locks, semaphores, events and counters. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type BroadcastStats,
  type CacheStats,
  type HeapCheck,
  type LockInfo,
  MiB,
  type QueueStats,
  Segment,
  type ServiceStats,
} from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BLOCK_HEADER_BYTES, ENTRY_BYTES, ENTRY_OBJECT_OFFSET } from "../../protocol/layout.js";
import { Agent } from "../lib/processes.js";
import { node } from "../lib/runtimes.js";
import { segmentName, segmentPath, temporaryDirectory } from "../lib/segments.js";
import { until } from "../lib/watchdog.js";
import { isthmus, jsonOf } from "./command-line.js";

interface Inspected {
  name: string;
  heap: {
    bytes: number;
    free: number;
    used: number;
    blocks: number;
    root?: number;
    rootValue?: string;
    check: HeapCheck;
  };
  objects: {
    name: string;
    type: string;
    value?: number;
    lock?: LockInfo;
    queue?: QueueStats;
    broadcast?: BroadcastStats;
    cache?: CacheStats;
    service?: ServiceStats;
  }[];
}

function objectsOf({ objects }: Inspected): Record<string, Inspected["objects"][number]> {
  return Object.fromEntries(objects.map((object) => [object.name, object]));
}

/** Overwrites four bytes of a segment's file. */
function poke(name: string, offset: number, value: number): void {
  const file = openSync(segmentPath(name), "r+");
  writeSync(file, Uint32Array.of(value), 0, 4, offset);
  closeSync(file);
}

test("locks with their holders, semaphores, events and counters with what they hold", async () => {
  const name = segmentName("live");
  using segment = Segment.create(name, { bytes: MiB });
  segment.lock("free");
  const exclusive = segment.lock("exclusive").acquireSync("exclusive");
  const shared = segment.lock("shared").acquireSync("shared");
  segment.semaphore("slots", { initial: 5 }).tryAcquire();
  segment.event("go", { signaled: true });
  segment.event("stop");
  segment.counter("hits").add(-42);

  const found = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])));
  const self = { slot: 0, pid: process.pid, alive: true };
  assert.equal(found.free?.lock, { state: "free", shared: [], ownerDied: false });
  assert.equal(found.exclusive?.lock, { state: "exclusive", shared: [], ownerDied: false, owner: self });
  assert.equal(found.shared?.lock, { state: "shared", shared: [self], ownerDied: false });
  assert.equal(
    ["slots", "go", "stop", "hits"].map((each) => found[each]?.value),
    [4, 1, 0, -42],
  );
  const { stdout } = await isthmus(["inspect", name]);
  assert.match(stdout, /^free +lock .* free$/m);
  assert.match(stdout, new RegExp(`^exclusive +lock .* exclusive by process ${process.pid}$`, "m"));
  assert.match(stdout, new RegExp(`^shared +lock .* held shared by ${process.pid}$`, "m"));
  assert.match(stdout, /^slots +semaphore .* initial 5 +4 to take$/m);
  assert.match(stdout, /^go +event .* signaled$/m);
  assert.match(stdout, /^stop +event .* not signaled$/m);
  assert.match(stdout, /^hits +counter .* -42$/m);
  exclusive.release();
  shared.release();
  const after = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])));
  assert.equal([after.exclusive?.lock?.state, after.shared?.lock?.state], ["free", "free"]);
});

test("a queue with its counters, and those that have taken messages, also when they died", async () => {
  const name = segmentName("queue");
  using segment = Segment.create(name, { bytes: MiB });
  const options = { capacity: 8, slotBytes: 16, onConsumerDeath: "drop" } as const;
  const queue = segment.queue("q", options);
  const taker = await Agent.start(node, "ts/queue/queue-actions.ts");
  await taker.call("open", name, undefined, options);
  queue.trySendMany(Array.from({ length: 5 }, () => new Uint8Array(1)));
  await taker.call("take", 2);
  queue.tryReceive();
  const { q } = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])));
  assert.equal([q?.queue?.sent, q?.queue?.received, q?.queue?.queued, q?.queue?.taken], [5, 1, 2, 2]);
  assert.equal(q?.queue?.holders, [{ slot: 1, pid: taker.pid, alive: true, self: false, taken: 2 }]);
  const row =
    /^q +queue .* capacity 8, slotBytes 16, onConsumerDeath drop +5 sent, 1 received, 2 of 8 queued, 2 taken: 2 by \d+$/m;
  assert.match((await isthmus(["inspect", name])).stdout, row);
  await taker.kill();
  await until("the death is noticed", () => queue.stats.dropped === 2);
  assert.match((await isthmus(["inspect", name])).stdout, /5 sent, 1 received, 2 of 8 queued, 2 dropped$/m);
  Segment.unlink(name);
});

test("a broadcast with its counters, and who publishes, also when it died", async () => {
  const name = segmentName("topic");
  using segment = Segment.create(name, { bytes: MiB });
  segment.broadcast("t", { bytes: 4096 });
  const publishing = await Agent.start(node, "ts/broadcast/broadcast-actions.ts");
  await publishing.call("open", name, "read-write");
  await publishing.call("takeEnd");
  await publishing.call("publish", 5);
  const { t } = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])));
  const { published, publisher } = t?.broadcast ?? {};
  assert.equal([published, publisher], [5, { slot: 1, pid: publishing.pid, alive: true, self: false }]);
  const text = async (): Promise<string> => (await isthmus(["inspect", name])).stdout;
  assert.match(
    await text(),
    /^t +broadcast .* bytes 4096 +5 published \([^)]+\), last [^,]+, publisher \d+$/m,
  );
  await publishing.kill();
  assert.match(await text(), /5 published .*, publisher \d+ \(dead\)$/m);
  Segment.unlink(name);
});

test("a service with its counters, and who works on calls, also when it died", async () => {
  const name = segmentName("service");
  using segment = Segment.create(name, { bytes: MiB });
  const service = segment.service("s", { requestBytes: 16, responseBytes: 16, capacity: 4 });
  const server = await Agent.start(node, "ts/service/service-actions.ts");
  await server.call("open", name);
  await server.call("serve");
  const calls = [1, 0, 2].map((value) => service.call(Uint8Array.of(value)).catch(() => undefined));
  await calls[0];
  await until("it works on the second one", () => service.stats.serving === 1);
  const { s } = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])));
  assert.equal(
    [s?.service?.called, s?.service?.waiting, s?.service?.serving, s?.service?.lost],
    [3, 1, 1, 0],
  );
  assert.equal(s?.service?.servers, [{ slot: 1, pid: server.pid, alive: true, self: false, serving: 1 }]);
  const text = async (): Promise<string> => (await isthmus(["inspect", name])).stdout;
  assert.match(
    await text(),
    /^s +service .* capacity 4, .*onServerDeath fail +3 called, 1 of 4 waiting, 1 being served: 1 by \d+$/m,
  );
  await server.kill();
  await until("the death is noticed", () => service.stats.lost === 1);
  assert.match(await text(), /3 called, 1 of 4 waiting, 1 lost$/m);
  segment.close();
  await Promise.all(calls);
  Segment.unlink(name);
});

test("a cache with its entries, how often it was of use, and what made room", async () => {
  const name = segmentName("cache");
  using segment = Segment.create(name, { bytes: MiB });
  const cache = segment.cache("c", { bytes: 4096 });
  const text = async (): Promise<string> => (await isthmus(["inspect", name])).stdout;
  assert.match(await text(), /^c +cache .* bytes 4096, .* 0 entries, 0 B of \S+ KiB$/m);
  for (const key of ["a", "b"]) cache.set(key, new Uint8Array(8));
  for (const key of ["a", "b", "x"]) cache.get(key);
  assert.match(await text(), / 2 entries, \d+ B of \S+ KiB, 66 % of 3 reads hit$/m);
  for (let index = 0; index < 100; index++) cache.set(`k${index}`, new Uint8Array(300));
  const { evicted, entries } = cache.stats;
  assert.match(await text(), new RegExp(` ${entries} entries, .*reads hit, ${evicted} evicted$`, "m"));
  const { c } = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])));
  assert.equal(c?.cache, cache.stats);
  Segment.unlink(name);
});

test("a segment in a file is found by the URL of the file, and by nothing else that looks like one", async () => {
  const path = join(temporaryDirectory(), "a segment");
  const segment = Segment.openFile(path, { bytes: MiB });
  segment.counter("hits").add(3);
  segment.close();
  const { href } = pathToFileURL(path);
  for (const url of [href, href.replace("file:", "FILE:"), href.replace("///", "//localhost/")]) {
    const { name, objects } = jsonOf<Inspected>(await isthmus(["inspect", url, "--json"]));
    assert.is(name, path);
    assert.is(objects.length, 1);
  }
  const other = await isthmus(["inspect", "file://elsewhere/segment"]);
  assert.is(other.code, 2);
  assert.match(
    other.stderr,
    /file:\/\/elsewhere\/segment must be a path, or the URL of a file on this machine/,
  );
  const removed = await isthmus(["unlink", href]);
  assert.is(removed.code, 1);
  assert.match(removed.stderr, "to remove a segment in a file, remove the file");
});

test("a dead holder is shown as dead, by the path of a file too, and nothing is written", async () => {
  const file = join(temporaryDirectory(), "segment");
  const agent = await Agent.start(node, "ts/segment/file-actions.ts");
  const { pid } = agent;
  await agent.call("open", file, MiB);
  agent.call("holdAndDie").catch(() => {});
  await agent.ended;
  const before = readFileSync(file);
  const { held } = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", file, "--json"])));
  assert.equal(held?.lock?.owner, { slot: 0, pid, alive: false });
  assert.match(
    (await isthmus(["inspect", file])).stdout,
    new RegExp(`exclusive by process ${pid} \\(dead\\)`),
  );
  assert.ok(readFileSync(file).equals(before));
  const segment = Segment.openFile(file);
  segment.lock("held").acquireSync().release();
  segment.close();
  const again = objectsOf(jsonOf<Inspected>(await isthmus(["inspect", file, "--json"])));
  assert.is(again.held?.lock?.state, "broken");
});

test("the heap with its numbers, root and check", async () => {
  const name = segmentName("heap");
  using segment = Segment.create(name, { bytes: MiB });
  const block = segment.heap.allocate(1000);
  const next = segment.heap.allocate(1000);
  segment.root = block;
  const { heap } = jsonOf<Inspected>(await isthmus(["inspect", name, "--json"]));
  assert.equal({ ...segment.heap.stats, root: block?.offset, check: { ok: true, problems: [] } }, heap);
  assert.match((await isthmus(["inspect", name])).stdout, /^ {2}check +in order$/m);
  segment.root = segment.share({ a: 1 });
  assert.is(jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])).heap.rootValue, "Dict");
  assert.match((await isthmus(["inspect", name])).stdout, /^ {2}root +Dict$/m);
  poke(name, (next?.offset as number) - BLOCK_HEADER_BYTES, 8);
  const damaged = jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])).heap.check;
  assert.not(damaged.ok);
  assert.match((await isthmus(["inspect", name])).stdout, "a block does not refer back");
});

test("an entry that leads anywhere is shown without a live state", async () => {
  const name = segmentName("astray");
  using segment = Segment.create(name, { bytes: MiB });
  segment.lock("lock");
  segment.counter("counter");
  const directory = segment.header.payloadOffset + 128;
  for (const astray of [0, 4, MiB - 128, MiB, 0xffffff80, 0xffffffff]) {
    for (const entry of [0, 1]) poke(name, directory + entry * ENTRY_BYTES + ENTRY_OBJECT_OFFSET, astray);
    const { code, stdout } = await isthmus(["inspect", name, "--json"]);
    assert.is(code, 0);
    const found = objectsOf(JSON.parse(stdout));
    assert.is(found.lock?.lock, undefined);
    if (astray !== MiB - 128) assert.is(found.counter?.value, undefined);
  }
});

test.run();
