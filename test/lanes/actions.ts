/** What the lanes for other platforms ask of a child, besides the actions of every test. See `../lib/agent.ts`. */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Block } from "isthmus";
import { opened, receiver, sender } from "../lib/actions.js";
import { numbered, numberOf } from "../lib/series.js";

export * from "../lib/actions.js";

export interface Identity {
  arch: string;
  /** Files of C libraries and of ours that are mapped for execution here. */
  code: string[];
}

/** Which machine code really runs here, so that a lane cannot pass with the wrong program. */
export function identity(): Identity {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  const mapped = lines.filter((line) => /^\S+ ..x/.test(line)).map((line) => line.split(/\s+/)[5] ?? "");
  const code = [...new Set(mapped)].filter((file) => /libc\.|libc-|ld-|isthmus\.node/.test(file));
  return { arch: process.arch, code };
}

/** Who has a slot, by what the kernel says of its lock. */
export function states(name: string): Record<number, string> {
  return Object.fromEntries(
    opened(name)
      .participants()
      .map(({ pid, state }) => [pid, state]),
  );
}

/** Sends numbered records until this process is killed. Never returns. */
export async function sendForever(ring: string): Promise<never> {
  for (let number = 0; ; number++) {
    const record = numbered(number, 8 + ((number * 41) % 400));
    await sender(ring).send(record, { timeoutMs: 40_000 });
  }
}

export interface Drained {
  /** Records in a row from number 0, each whole. */
  count: number;
  /** How the stream ended: a code of an IsthmusError. */
  end: string;
}

let count = 0;

/** Records that `receiveForever` has received so far. */
export function received(): number {
  return count;
}

/** Receives what `sendForever` sent, until an error says that no more comes. */
export async function receiveForever(ring: string): Promise<Drained> {
  for (count = 0; ; count++) {
    let record: Uint8Array | undefined;
    try {
      record = await receiver(ring).receive({ timeoutMs: 40_000 });
    } catch (error) {
      return { count, end: (error as { code: string }).code };
    }
    if (record === undefined) return { count, end: "closed" };
    const number = numberOf(record);
    if (number !== count) throw new Error(`record ${number} came where ${count} was due`);
  }
}

/** Two numbers that are always the same, unless somebody looks at them amid a change. */
export function makePair(name: string): void {
  const segment = opened(name);
  segment.root = segment.heap.allocate(8);
}

function pairOf(name: string): { block: Block; numbers: [number, number] } {
  const block = opened(name).root as Block;
  const view = new DataView(block.copy().buffer);
  return { block, numbers: [view.getUint32(0, true), view.getUint32(4, true)] };
}

function addOne(name: string, halfway = (): void => {}): void {
  const { block, numbers } = pairOf(name);
  if (numbers[0] !== numbers[1]) throw new Error(`the pair is ${numbers.join(", ")}`);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, numbers[0] + 1, true);
  block.write(bytes, 0);
  halfway();
  block.write(bytes, 4);
}

/** Adds one to both numbers so often: with the lock awaited, with the lock blocked for, and in a transaction. */
export async function countUp(name: string, rounds: number): Promise<[number, number]> {
  const segment = opened(name);
  const lock = segment.lock("pair");
  for (let round = 0; round < rounds; round++) {
    if (round % 3 === 2) {
      segment.transactionSync(lock, () => addOne(name));
      continue;
    }
    const limit = { timeoutMs: 40_000 };
    const held = await (round % 3 ? lock.acquire("exclusive", limit) : lock.acquireSync("exclusive", limit));
    try {
      addOne(name);
    } finally {
      held.release();
    }
  }
  if (!segment.heap.check().ok) throw new Error("the heap is damaged");
  return pairOf(name).numbers;
}

/** Ends this process in the middle of a transaction. */
export function dieAmid(name: string): void {
  const segment = opened(name);
  segment.transactionSync(segment.lock("pair"), () => {
    segment.heap.allocate(100);
    addOne(name, () => {
      process.kill(process.pid, "SIGKILL");
      for (;;);
    });
  });
}
