/**
 * Waits with timeouts under timers and clocks that stand still: `program import|require WHAT before|after`, or the same in the
 * environment variable FAKE_TIME. Writes what went wrong, as JSON. WHAT is what a framework replaces:
 *
 * - "globals": Jest, Vitest
 * - "modules": all that Sinon does besides
 * - "mock": `mock.timers` of `node:test`, which in Deno also fakes the functions that were taken from the module before
 * - "bun": `jest.useFakeTimers` of Bun, which does so, too; the program runs by `bun test`
 */
import { writeSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import process from "node:process";
import timers from "node:timers";

type Package = typeof import("isthmus");

const [entry, what, when] = process.env.FAKE_TIME?.split(" ") ?? process.argv.slice(2);
const require = createRequire(import.meta.url);
const wrong: string[] = [];

const nothing = (): object => ({ ref: nothing, unref: nothing });
const NAMES = [
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
  "queueMicrotask",
] as const;

interface FakeTimers {
  jest: { useFakeTimers(): void };
  mock: { timers: { enable(): void } };
}

/** From now on no time passes for whoever asks the globals, or the modules. */
async function replace(): Promise<void> {
  if (what === "globals" || what === "modules") return replaceFunctions();
  const framework = what === "bun" ? "bun:test" : "node:test";
  const { jest, mock } = (await import(framework)) as FakeTimers;
  if (what === "bun") jest.useFakeTimers();
  else mock.timers.enable();
}

function replaceFunctions(): void {
  const standing = new Date(0);
  Object.assign(globalThis, Object.fromEntries(NAMES.map((name) => [name, nothing])));
  Object.defineProperty(performance, "now", { value: () => 1 });
  globalThis.Date = class extends Date {
    constructor() {
      super(standing);
    }
    static override now(): number {
      return 0;
    }
  } as DateConstructor;
  if (what !== "modules") return;
  process.nextTick = nothing as never;
  process.hrtime = Object.assign(() => [0, 0] as [number, number], { bigint: () => 0n });
  for (const name of NAMES) if (name in timers) Object.assign(timers, { [name]: nothing });
  syncBuiltinESMExports?.();
}

function timesOut(call: string, body: () => unknown): void {
  try {
    body();
    wrong.push(`${call}: no error`);
  } catch (error) {
    if ((error as { code?: string }).code !== "TIMED_OUT") wrong.push(`${call}: ${error}`);
  }
}

async function expectCode(call: string, code: string, promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
    wrong.push(`${call}: no error`);
  } catch (error) {
    if ((error as { code?: string }).code !== code) wrong.push(`${call}: ${error}`);
  }
}

const O = { timeoutMs: 30 };

function blocking({ Segment, struct, MiB }: Package): void {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const peer = Segment.fromHandle(segment.handle);
  const ring = segment.ring("ring", { bytes: 256 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  timesOut("receiveSync", () => consumer.receiveSync(O));
  producer.trySend(new Uint8Array(240));
  timesOut("sendSync", () => producer.sendSync(new Uint8Array(100), O));
  const held = segment.lock("lock").acquireSync("shared");
  const theirs = peer.lock("lock").acquireSync("shared");
  timesOut("acquireSync", () => peer.lock("other").acquireSync("exclusive", hold(segment.lock("other"))));
  timesOut("upgradeSync", () => held.upgradeSync(O));
  theirs.release();
  held.release();
  timesOut("event.waitSync", () => segment.event("event").waitSync(O));
  timesOut("semaphore.acquireSync", () => segment.semaphore("none", { initial: 0 }).acquireSync(O));
  timesOut("latest.nextSync", () => segment.latest("latest", struct({ n: "u32" })).nextSync(O));
  const queue = segment.queue("queue", { capacity: 1, slotBytes: 8 });
  timesOut("queue.receiveSync", () => queue.receiveSync(O));
  queue.trySend(new Uint8Array(1));
  timesOut("queue.sendSync", () => queue.sendSync(new Uint8Array(1), O));
  const reader = Segment.fromHandle(segment.handle, { access: "read-only" });
  timesOut("read-only event.waitSync", () => reader.event("event").waitSync(O));
  for (const one of [reader, peer, segment]) one.close();
}

/** Keeps the lock, and gives the options for who wants it. */
function hold(lock: { acquireSync(): unknown }): typeof O {
  lock.acquireSync();
  return O;
}

async function awaiting({ Segment, MiB }: Package): Promise<void> {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const peer = Segment.fromHandle(segment.handle);
  const consumer = segment.ring("ring", { bytes: 256 }).consumer();
  await expectCode("receive", "TIMED_OUT", consumer.receive(O));
  await expectCode("waitFor", "TIMED_OUT", Segment.waitFor(`nobody-makes-this-${process.pid}`, O));
  const received = consumer.receive();
  peer.ring("ring", { bytes: 256 }).producer().trySend(new Uint8Array(3));
  if ((await received)?.length !== 3) wrong.push("receive: something else");
  const queue = segment.queue("queue", { capacity: 1, slotBytes: 8 });
  await expectCode("queue.take", "TIMED_OUT", queue.take(O));
  const taken = queue.take();
  peer.queue("queue").trySend(new Uint8Array(3));
  if ((await taken).byteLength !== 3) wrong.push("queue.take: something else");
  const lock = segment.lock("lock");
  for (let i = 0; i < 20_000; i++) (await lock.acquire()).release(); // turns are due in between
  const closed = expectCode("close", "CLOSED", consumer.receive());
  consumer.close();
  await closed;
  for (const one of [peer, segment]) one.close();
}

async function load(): Promise<Package> {
  return entry === "require" ? require("isthmus") : await import("isthmus");
}

if (when === "before") await replace();
const loaded = await load();
if (when === "after") await replace();
blocking(loaded);
await awaiting(loaded);
writeSync(1, JSON.stringify(wrong));
process.exit(0);
