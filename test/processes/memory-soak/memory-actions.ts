/** What the processes of the memory tests do, besides what every child can do. */
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";
import { type Block, type Held, IsthmusError, type Lock, type LockMode, Segment, struct } from "isthmus";
import { opened } from "../../lib/actions.js";
import { internal } from "../../lib/internals.js";
import { randomFrom } from "../../lib/series.js";
import { Bank } from "./bank.js";

export * from "../../lib/actions.js";

const LIMIT = { timeoutMs: 40_000 };
const holds = new Map<string, Held[]>();

interface Taken {
  mode: LockMode;
  ownerDied: boolean;
}

function keep(lock: string, held: Held): Taken {
  holds.set(lock, [...(holds.get(lock) ?? []), held]);
  return { mode: held.mode, ownerDied: held.ownerDied };
}

function last(lock: string): Held {
  const held = holds.get(lock)?.at(-1);
  if (!held) throw new Error(`nothing is held of ${lock}`);
  return held;
}

export async function acquire(name: string, lock: string, mode: LockMode): Promise<Taken> {
  return keep(lock, await opened(name).lock(lock).acquire(mode, LIMIT));
}

export function tryAcquire(name: string, lock: string, mode: LockMode): Taken | undefined {
  const held = opened(name).lock(lock).tryAcquire(mode);
  return held && keep(lock, held);
}

export function release(lock: string): void {
  last(lock).release();
  holds.get(lock)?.pop();
}

export async function upgrade(lock: string): Promise<void> {
  await last(lock).upgrade(LIMIT);
}

export function downgrade(lock: string): void {
  last(lock).downgrade();
}

export function markConsistent(lock: string): void {
  last(lock).markConsistent();
}

/** Adds 1 so often, one call each. */
export function count(name: string, counter: string, times: number): void {
  const shared = opened(name).counter(counter);
  for (let i = 0; i < times; i++) shared.add(1);
}

/** As `count`, by compare and exchange. */
export function countByExchange(name: string, counter: string, times: number): void {
  const shared = opened(name).counter(counter);
  for (let i = 0; i < times; i++) {
    for (;;) {
      const before = shared.value;
      if (shared.compareExchange(before, before + 1) === before) break;
    }
  }
}

/** Takes one of the semaphore, blocking or not in turn, counts itself in and out, and gives it back. Returns the most it saw inside. */
export async function throughSemaphore(name: string, times: number, initial: number): Promise<number> {
  const segment = opened(name);
  const semaphore = segment.semaphore("slots", { initial });
  const inside = segment.counter("inside");
  let most = 0;
  for (let i = 0; i < times; i++) {
    if (i % 2) semaphore.acquireSync(LIMIT);
    else await semaphore.acquire(LIMIT);
    most = Math.max(most, inside.add(1));
    inside.add(-1);
    semaphore.release();
  }
  return most;
}

/** Takes so many at once, waiting for them. */
export async function acquireSeveral(name: string, count: number, initial: number): Promise<void> {
  await opened(name).semaphore("slots", { initial }).acquire({ count, timeoutMs: 40_000 });
}

/** Waits for "go", and counts itself; how it waits is the caller's choice. */
export async function waitForEvent(name: string, sync: boolean): Promise<void> {
  const segment = opened(name);
  const event = segment.event("go");
  segment.counter("waiting").add(1);
  if (sync) event.waitSync(LIMIT);
  else await event.wait(LIMIT);
  segment.counter("passed").add(1);
}

/** Bytes that transactions and others change, and whose old value is 1. */
export const Twins = struct({ journaled: "u32", plain: "u32" });

/** Dies with the lock in its hands: in a transaction, in one that is nested in a hold, or in that hold after it. */
export function dieHolding(name: string, when: "inside" | "nested" | "after"): void {
  const segment = opened(name);
  const lock = segment.lock("lock");
  const twins = (segment.root as Block).view(Twins);
  const die = (): void => {
    process.kill(process.pid, "SIGKILL");
  };
  segment.transactionSync(when === "inside" ? lock : lock.acquireSync(), () => {
    twins.set("journaled", 2);
    if (when !== "after") die();
  });
  twins.set("plain", 2);
  die();
}

/** Is in a transaction until "end" is counted, and says when it is. */
export function transactUntil(name: string, lock: string): void {
  const segment = opened(name);
  const inside = segment.event("in transaction");
  const end = segment.counter("end");
  segment.transactionSync(segment.lock(lock), () => {
    inside.signal();
    while (end.value === 0);
  });
}

/** Runs transactions of so many milliseconds, one right after the other, until "end" is counted. Counts them as they begin. */
export function transactAgainAndAgain(name: string, lock: string, milliseconds: number): void {
  const segment = opened(name);
  const end = segment.counter("end");
  const begun = segment.counter("transactions");
  const theirs = segment.lock(lock);
  while (end.value === 0) {
    segment.transactionSync(theirs, () => {
      begun.add(1);
      const begin = performance.now();
      while (performance.now() - begin < milliseconds);
    });
  }
}

/** As `allocateOnce`; how often the thread fell asleep meanwhile. */
export function allocateAndCountSleeps(name: string): number {
  const before = process.resourceUsage().voluntaryContextSwitches;
  allocateOnce(name);
  return process.resourceUsage().voluntaryContextSwitches - before;
}

/** As `allocateOnce`; how many participants the allocation has woken, before anything else is done. */
export function allocateAndCountWakes(name: string): number {
  const segment = opened(name);
  const { native } = internal<typeof import("../../../ts/host/region.js")>("host/region");
  const { wake } = native;
  let wakes = 0;
  native.wake = (object, bell) => {
    wakes++;
    return wake(object, bell);
  };
  try {
    segment.counter("waiting").add(1);
    const block = segment.heap.allocate(8);
    const woken = wakes;
    block.free();
    return woken;
  } finally {
    native.wake = wake;
  }
}

/** Changes the heap, and counts "waiting" before: whoever is in a transaction keeps it waiting. */
export function allocateOnce(name: string): void {
  const segment = opened(name);
  segment.counter("waiting").add(1);
  segment.heap.allocate(8).free();
}

/** Transfers without end, until killed. */
export function transferForEver(name: string, seed: number): never {
  const bank = new Bank(Segment.open(name));
  const random = randomFrom(seed);
  for (;;) bank.transfer(random);
}

/** Looks at everything without end, until killed; takes nothing and opens for reading. */
export function inspectForEver(name: string): never {
  const segment = Segment.open(name, { access: "read-only" });
  for (;;) {
    segment.heap.check();
    segment.objects();
    segment.participants();
    segment.root?.copy();
    Segment.list();
  }
}

/** Opens, takes the lock in each mode, and closes, without end, until killed. */
export function holdForEver(name: string, mode: LockMode): never {
  const segment = Segment.open(name);
  const lock = segment.lock("lock");
  for (;;) lock.acquireSync(mode, LIMIT).release();
}

/** Removes what nobody holds, without end, until killed. */
export function pruneForEver(): never {
  for (;;) Segment.prune();
}

/** Opens or makes the segment, uses it and leaves it, without end, until killed. */
export function openForEver(name: string): never {
  for (;;) {
    const segment = Segment.openOrCreate(name, { bytes: 65536 * 2 });
    segment.counter("opened").add(1);
    segment.heap.allocate(100).free();
    segment.close();
  }
}

/** Bytes that are changed under a lock without a journal: both halves are equal whenever nobody died in between. */
function changeTwins(twins: Uint32Array, held: Held): void {
  if (held.ownerDied) {
    twins[1] = twins[0] as number;
    held.markConsistent();
  }
  if (twins[0] !== twins[1]) throw new Error(`the twins are ${twins[0]} and ${twins[1]} under the lock`);
  twins[0] = (twins[0] as number) + 1;
  twins[1] = (twins[1] as number) + 1;
}

/** Reads the twins shared, then goes on to change them, if nobody else has the same intention. */
async function readThenChange(lock: Lock, twins: Uint32Array): Promise<void> {
  using held = await lock.acquire("shared", LIMIT);
  if (!held.ownerDied && twins[0] !== twins[1]) throw new Error("the twins differ under a shared hold");
  try {
    await held.upgrade({ timeoutMs: 50 });
  } catch (error) {
    if (error instanceof IsthmusError && ["DEADLOCK", "TIMED_OUT"].includes(error.code)) return;
    throw error;
  }
  changeTwins(twins, held);
  held.downgrade();
  if (!held.ownerDied && twins[0] !== twins[1]) throw new Error("the twins differ after a downgrade");
}

async function giveUp(lock: Lock, random: () => number): Promise<void> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error("enough")), random() * 3);
  const mode = random() < 0.5 ? "shared" : "exclusive";
  const held = await lock
    .acquire(mode, { signal: controller.signal, timeoutMs: 40_000 })
    .catch(() => undefined);
  clearTimeout(timer);
  // Data that a dead holder left are somebody else's to repair: a shared hold may go without.
  if (held?.ownerDied && held.mode === "exclusive") held.downgrade();
  held?.release();
}

/** What a worker leaves to processes that start: they are waited for, and it only goes on for ever. */
const NICENESS = 5;

/** Transfers, locks, waits and gives up, until the event "stop", in a segment that was opened. Returns how often it did what. */
export async function work(name: string, seed: number): Promise<number> {
  setPriority(NICENESS);
  const segment = opened(name);
  const bank = new Bank(segment);
  const lock = segment.lock("twins");
  const stop = segment.event("stop");
  const offset = segment.counter("twins at").value;
  const bytes = segment.heap.blockAt(offset)?.bytes as Uint8Array;
  const twins = new Uint32Array(bytes.buffer, bytes.byteOffset, 2);
  const random = randomFrom(seed);
  const worked = segment.counter("worked");
  let turns = 0;
  for (; !stop.isSignaled; turns++) {
    const choice = random();
    if (choice < 0.6) bank.transfer(random);
    else if (choice < 0.8) {
      using held = lock.acquireSync("exclusive", LIMIT);
      changeTwins(twins, held);
    } else if (choice < 0.9) await readThenChange(lock, twins);
    else if (choice < 0.95) await giveUp(lock, random);
    else if (!segment.heap.check().ok) await settled(segment);
    worked.add(1);
    if (turns % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  segment.close();
  return turns;
}

/** A heap in the middle of a change of somebody who was killed is whole again after the next change. */
async function settled(segment: Segment): Promise<void> {
  const { root } = segment;
  segment.root = root;
  const found = segment.heap.check();
  const [problem] = found.problems;
  if (problem && !/being changed/.test(problem.what)) throw new Error(JSON.stringify(found));
}

const many: Segment[] = [];

/** Opens the segment so often, each time as a participant of its own, and holds its lock shared in each. */
export function openMany(name: string, times: number): number {
  for (let i = 0; i < times; i++) {
    const segment = Segment.open(name);
    segment.lock("lock").acquireSync("shared", LIMIT);
    many.push(segment);
  }
  return many.length;
}

/** Lets the event loop come round, so that others meet what this process holds meanwhile. */
/** More turns of the event loop than a promise looks before it sleeps. */
const MANY_TURNS = 40;

async function takeTurns(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Holds shortly, or so long that whoever waits is asleep. */
async function hold(random: () => number): Promise<void> {
  await takeTurns(random() < 0.2 ? MANY_TURNS : 1);
}

/** Comes and goes through a lock, waiting without blocking, with upgrades that may meet others. Nobody dies and nobody gives up. */
export async function goThrough(name: string, rounds: number, seed: number): Promise<number> {
  const segment = opened(name);
  const lock = segment.lock("lock");
  const inside = segment.counter("inside");
  const random = randomFrom(seed);
  let deadlocks = 0;
  for (let round = 0; round < rounds; round++) {
    const mode = random() < 0.5 ? "shared" : "exclusive";
    using held = await lock.acquire(mode, LIMIT);
    if (held.ownerDied) throw new Error("nobody has died");
    await hold(random);
    if (mode === "shared") {
      if (random() < 0.5) continue;
      try {
        await held.upgrade(LIMIT);
      } catch (error) {
        if (!(error instanceof IsthmusError) || error.code !== "DEADLOCK") throw error;
        deadlocks++;
        continue;
      }
    }
    if (inside.add(1) !== 1) throw new Error("somebody else is inside");
    inside.add(-1);
  }
  return deadlocks;
}

/** As `goThrough`, but gives up by timeout or abort most of the time. Returns how often it got the lock. */
export async function goOrGiveUp(name: string, rounds: number, seed: number): Promise<number> {
  const segment = opened(name);
  const lock = segment.lock("lock");
  const random = randomFrom(seed);
  let got = 0;
  for (let round = 0; round < rounds; round++) {
    const controller = new AbortController();
    const mode = random() < 0.5 ? "shared" : "exclusive";
    const timeoutMs = random() < 0.3 ? Math.floor(random() * 2) : 40_000;
    const waiting = lock.acquire(mode, { timeoutMs, signal: controller.signal }).catch(() => undefined);
    if (random() < 0.5) controller.abort(new Error("enough"));
    else if (timeoutMs === 40_000) {
      const turns = random() < 0.5 ? 1 : 2 * MANY_TURNS;
      void takeTurns(turns).then(() => controller.abort(new Error("enough")));
    }
    const held = await waiting;
    if (held) {
      got++;
      await hold(random);
    }
    held?.release();
  }
  return got;
}

/** Threads of this process, where that can be seen. */
export function threads(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/task").length : 0;
}
