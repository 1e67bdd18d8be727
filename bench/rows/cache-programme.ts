/**
 * What the contestants of the rows about caches have in common: entries with text keys, gets and sets of random ones in one process,
 * or nine gets for each set in several.
 */
import { timeBlocks } from "../clock.js";
import type { Contestant, Link, Plan, Sample } from "../contest.js";
import { Series } from "../series.js";

/** A cache as a contestant uses it. */
export interface Store {
  get(key: string): Uint8Array | undefined;
  set(key: string, value: Uint8Array): void;
  close(): unknown;
}

/** The same over a socket. */
export interface AwaitedStore {
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, value: Uint8Array): Promise<void>;
  close(): unknown;
}

/** Entries that the row's figure is about: what is used of a cache is some megabytes. */
export const ENTRIES = 10_000;
/** Every so many operations of a mixed series is a set. */
const SETS = 10;
/** Seeds of the series of keys. */
const SEED = 0x2545f491;

export function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `session:${index}`);
}

/** The value of an entry: its first and its last bytes say whose it is. */
function valueFor(index: number, bytes: Uint8Array): Uint8Array {
  bytes[0] = index;
  bytes[1] = index >>> 8;
  bytes[bytes.length - 1] = ~index;
  return bytes;
}

function check(index: number, value: Uint8Array | undefined, bytes: number): void {
  if (value === undefined) throw new Error(`entry ${index} is missing`);
  const whole = value[0] === (index & 0xff) && value[1] === ((index >>> 8) & 0xff);
  if (!whole || value[bytes - 1] !== (~index & 0xff)) throw new Error(`entry ${index} has another value`);
}

/** Which entries are used, in the order of use: the clock shall not measure a random number. */
function orderOf(count: number, seed = SEED): Uint32Array {
  const series = new Series(seed);
  return Uint32Array.from({ length: 1 << 16 }, () => series.next() % count);
}

/** Fills a store, and times gets or sets of random entries. */
export function timeStore(store: Store, plan: Plan, count: number, setting: boolean): number[] {
  const keys = keysOf(count);
  const order = orderOf(count);
  const bytes = new Uint8Array(plan.payloadBytes).fill(42);
  const pick = (sequence: number): number => order[sequence & (order.length - 1)] as number;
  for (let index = 0; index < count; index++) store.set(keys[index] as string, valueFor(index, bytes));
  return timeBlocks(plan, (sequence) => {
    const index = pick(sequence);
    if (setting) store.set(keys[index] as string, valueFor(index, bytes));
    else check(index, store.get(keys[index] as string), plan.payloadBytes);
  });
}

/** The same where each operation is awaited. */
export async function timeAwaited(store: AwaitedStore, plan: Plan, setting: boolean): Promise<number[]> {
  const keys = keysOf(ENTRIES);
  const order = orderOf(ENTRIES);
  const bytes = new Uint8Array(plan.payloadBytes).fill(42);
  await fillAwaited(store, keys, bytes);
  const latenciesNs: number[] = [];
  let sequence = 0;
  for (let block = 0; block < plan.warmup + plan.count; block++) {
    const start = performance.now();
    for (let turn = 0; turn < plan.block; turn++) {
      const index = order[sequence++ & (order.length - 1)] as number;
      if (setting) await store.set(keys[index] as string, valueFor(index, bytes));
      else check(index, await store.get(keys[index] as string), plan.payloadBytes);
    }
    if (block >= plan.warmup) latenciesNs.push(((performance.now() - start) * 1e6) / plan.block);
  }
  return latenciesNs;
}

async function fillAwaited(store: AwaitedStore, keys: string[], bytes: Uint8Array): Promise<void> {
  for (const [index, key] of keys.entries()) await store.set(key, valueFor(index, bytes));
}

/** One process, with the store that it opens. */
export function alone(open: (plan: Plan) => Store, setting: boolean): Contestant {
  return {
    async left(plan) {
      const store = open(plan);
      try {
        return { latenciesNs: timeStore(store, plan, ENTRIES, setting) };
      } finally {
        await store.close();
      }
    },
  };
}

/** Starts all right ends together, and waits until the last one is done. */
async function lead(plan: Plan, link: Link): Promise<Sample> {
  link.send("open");
  for (let index = 0; index < plan.rights; index++) await link.receive();
  const start = performance.now();
  link.send("go");
  for (let index = 0; index < plan.rights; index++) await link.receive();
  return { perSecond: (plan.rights * plan.count * 1000) / (performance.now() - start) };
}

/** Several processes with one store; the left end only makes it. */
export function together(open: (plan: Plan) => Store): Contestant {
  return {
    async left(plan, link) {
      const store = open(plan);
      const bytes = new Uint8Array(plan.payloadBytes).fill(42);
      for (const [index, key] of keysOf(ENTRIES).entries()) store.set(key, valueFor(index, bytes));
      const sample = await lead(plan, link);
      await store.close();
      return sample;
    },
    async right(plan, link, index) {
      await link.receive();
      const store = open(plan);
      const keys = keysOf(ENTRIES);
      const order = orderOf(ENTRIES, SEED + index);
      const bytes = new Uint8Array(plan.payloadBytes).fill(42);
      const use = (sequence: number): void => {
        const index = order[sequence & (order.length - 1)] as number;
        if (sequence % SETS === 0) store.set(keys[index] as string, valueFor(index, bytes));
        else check(index, store.get(keys[index] as string), plan.payloadBytes);
      };
      for (let sequence = 0; sequence < plan.warmup; sequence++) use(sequence);
      link.send("ready");
      await link.receive();
      for (let sequence = 0; sequence < plan.count; sequence++) use(sequence);
      link.send("done");
      await store.close();
    },
  };
}

/** The same where each operation is awaited. `serve` starts what the ends open, and gives what ends it. */
export function togetherAwaited(
  serve: (plan: Plan) => Promise<() => void>,
  open: (plan: Plan) => Promise<AwaitedStore>,
): Contestant {
  return {
    async left(plan, link) {
      const end = await serve(plan);
      const store = await open(plan);
      await fillAwaited(store, keysOf(ENTRIES), new Uint8Array(plan.payloadBytes).fill(42));
      const sample = await lead(plan, link);
      store.close();
      end();
      return sample;
    },
    async right(plan, link, index) {
      await link.receive();
      const store = await open(plan);
      const keys = keysOf(ENTRIES);
      const order = orderOf(ENTRIES, SEED + index);
      const bytes = new Uint8Array(plan.payloadBytes).fill(42);
      const use = async (sequence: number): Promise<void> => {
        const index = order[sequence & (order.length - 1)] as number;
        if (sequence % SETS === 0) await store.set(keys[index] as string, valueFor(index, bytes));
        else check(index, await store.get(keys[index] as string), plan.payloadBytes);
      };
      for (let sequence = 0; sequence < plan.warmup; sequence++) await use(sequence);
      link.send("ready");
      await link.receive();
      for (let sequence = 0; sequence < plan.count; sequence++) await use(sequence);
      link.send("done");
      store.close();
    },
  };
}
