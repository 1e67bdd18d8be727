// watchdog: 240 s
/**
 * Several copies of the package in one process, each in a realm of its own, as Jest and Vitest make them: they know each other's
 * errors, none is kept once it has closed everything, and together they have one exit listener.
 */
import { pathToFileURL } from "node:url";
import type * as Isthmus from "isthmus";
import { IsthmusError, KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { often } from "../../lib/depth.js";
import { compiled, root } from "../../lib/paths.js";
import { finished, start } from "../../lib/processes.js";
import { copyInContext } from "../../lib/realm.js";
import { segmentName } from "../../lib/segments.js";

const BYTES = 128 * KiB;
const COPIES = often(100, 25);

test("a context needs no globals of the runtime to load a copy", () => {
  const copy = copyInContext({});
  copy.Segment.createAnonymous({ bytes: BYTES }).close();
});

test("a service works in a context without AbortController, and its handler has a signal", async () => {
  const segment = copyInContext({}).Segment.createAnonymous({ bytes: BYTES });
  const service = segment.service("echo", { requestBytes: 8, responseBytes: 8, capacity: 2 });
  let aborted: boolean | undefined;
  const server = service.serve((request, { signal }) => {
    aborted = signal.aborted;
    return request;
  });
  assert.is((await service.call(new Uint8Array(3))).length, 3);
  assert.is(aborted, false);
  server.close();
  await server.finished;
  segment.close();
});

test("an error is an IsthmusError for every copy, and for nobody else's subclass", () => {
  const copy = copyInContext();
  const thrown = (call: () => unknown): unknown => {
    try {
      return call();
    } catch (error) {
      return error;
    }
  };
  const theirs = thrown(() => copy.Segment.open(segmentName("absent")));
  const ours = thrown(() => Segment.open(segmentName("absent")));
  for (const error of [theirs, ours]) {
    assert.ok(error instanceof IsthmusError);
    assert.ok(error instanceof copy.IsthmusError);
    assert.is((error as IsthmusError).code, "NOT_FOUND");
  }
  assert.not(theirs instanceof Error, "it is of another realm");
  class Own extends IsthmusError {}
  assert.not(ours instanceof Own);
  const own = new Own("BUSY", "own");
  assert.ok(own instanceof Own && own instanceof IsthmusError && own instanceof Error);
  for (const value of [undefined, null, 1, "text", {}, new Error("text"), { code: "BUSY" }])
    assert.not((value as unknown) instanceof IsthmusError);
});

test("what the system refuses has a code in every realm, and what relies on it works", async () => {
  const copy = copyInContext();
  const name = segmentName("realm");
  const waiting = copy.Segment.waitFor(name, { timeoutMs: 60_000 });
  const segment = copy.Segment.create(name, { bytes: BYTES, replace: true });
  const found = await waiting;
  assert.is(found.name, name);
  found.close();
  segment.unlink();
  segment.close();
});

test("copies that wait at the same time wake each other, with one bell and one exit listener for all", async () => {
  const before = process.listenerCount("exit");
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on("warning", warned);
  const name = segmentName("bells");
  const copies = [{ Segment }, ...Array.from({ length: 14 }, () => copyInContext())];
  const opened = copies.map((copy) => copy.Segment.openOrCreate(name, { bytes: BYTES }));
  assert.is(process.listenerCount("exit"), before + 1);
  const waits = opened.map((segment, index) => segment.event(`event ${index}`).wait({ timeoutMs: 60_000 }));
  // The first one leaves: its bell and its listener were the first, and the others do not need it.
  for (const index of opened.keys()) opened[(index + 1) % opened.length]?.event(`event ${index}`).signal();
  await Promise.all(waits);
  opened[0]?.unlink();
  opened[0]?.close();
  const later = (opened[1] as Isthmus.Segment).event("later").wait({ timeoutMs: 60_000 });
  (opened[2] as Isthmus.Segment).event("later").signal();
  await later;
  for (const segment of opened) segment.close();
  assert.is(process.listenerCount("exit"), before);
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", warned);
  assert.equal(warnings, []);
});

test("what the code that waits first has in an AsyncLocalStorage is not kept", async () => {
  const program = `
    import { AsyncLocalStorage } from "node:async_hooks";
    import { Segment } from "isthmus";
    async function wait() {
      const segment = Segment.createAnonymous({ bytes: ${BYTES} });
      await segment.event("event").wait({ timeoutMs: 20 }).catch(() => {});
      segment.close();
    }
    Segment.createAnonymous({ bytes: ${BYTES} }).close(); // what the runtime itself loads, and keeps, is loaded now
    const storage = new AsyncLocalStorage();
    let kept;
    function start() {
      const store = {};
      kept = new WeakRef(store);
      return storage.run(store, wait);
    }
    await start();
    for (let turn = 0; turn < 100 && kept.deref(); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    await wait();
    console.log(kept.deref() === undefined ? "collected" : "kept");
    process.exit();`;
  const flags = ["--expose-gc", "--input-type=module", "-e", program];
  const { stdout, stderr } = await finished(start(process.execPath, flags, { cwd: root }), "the program");
  assert.is(stdout.trim(), "collected", stderr);
});

/** In a process of its own, so that nothing of the test itself holds anything. */
async function collected(use: string): Promise<{ alive: number; listeners: number }> {
  const program = `
    import { copyInContext } from ${JSON.stringify(pathToFileURL(compiled("lib/realm.ts")).href)};
    const COPIES = ${COPIES};
    const copies = [];
    const before = process.listenerCount("exit");
    process.on("warning", (warning) => { throw warning; });
    async function use(Segment, name) { ${use} }
    async function once(number) {
      const copy = copyInContext();
      await use(copy.Segment, process.env.REALM_SEGMENT + number, copy);
      copies.push(new WeakRef(copy.Segment));
    }
    for (let i = 0; i < COPIES; i++) await once(i);
    const alive = () => copies.filter((copy) => copy.deref() !== undefined).length;
    // A finalizer or the stack may keep the last one for some turns.
    for (let turn = 0; turn < 200 && alive() > 1; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    console.log(JSON.stringify({ alive: alive(), listeners: process.listenerCount("exit") - before }));
    process.exit();`;
  const env = { ...process.env, REALM_SEGMENT: segmentName("collected") };
  const flags = ["--expose-gc", "--no-warnings", "--input-type=module", "-e", program];
  const { code, stdout, stderr } = await finished(
    start(process.execPath, flags, { env }),
    "the copies",
    180_000,
  );
  assert.is(code, 0, stderr);
  return JSON.parse(stdout.trim().split("\n").pop() as string);
}

const uses = {
  "that only loaded the package": "",
  "that sent, received and closed": `
    const segment = Segment.create(name, { bytes: ${BYTES} });
    const ring = segment.ring("ring", { bytes: 1024 });
    const producer = ring.producer();
    const consumer = ring.consumer();
    producer.trySend(new Uint8Array(3));
    await consumer.receive();
    segment.unlink();
    segment.close();`,
  "that waited in vain": `
    const segment = Segment.create(name, { bytes: ${BYTES} });
    await segment.event("event").wait({ timeoutMs: 5 }).catch(() => {});
    const waiting = segment.event("event").wait().catch(() => {});
    segment.unlink();
    segment.close();
    await waiting;`,
  "whose lock and heap were used": `
    const segment = Segment.create(name, { bytes: ${BYTES} });
    const lock = segment.lock("lock");
    (await lock.acquire("exclusive")).release();
    segment.root = segment.heap.allocate(64);
    segment.unlink();
    segment.close();`,
};
for (const [what, use] of Object.entries(uses)) {
  test(`copies ${what} are collected`, async () => {
    const { alive, listeners } = await collected(use);
    assert.ok(alive <= 1, `${alive} of ${COPIES} are alive`);
    assert.is(listeners, 0);
  });
}

test.run();
