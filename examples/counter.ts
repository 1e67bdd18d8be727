/**
 * Why shared numbers need atomics: processes add to the same number at the same time, in three ways. The plain way, reading and
 * then writing, loses additions; the counter and the lock lose none.
 *
 *     node build/examples/counter.js [--processes 2] [--additions 100000]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MiB, Segment } from "isthmus";

const WAYS = ["plain", "counter", "lock"];
/** Time between reading and writing: without it a loss is as real, and rarer. */
const THINKING_TURNS = 200;

function think(value: number): number {
  let result = value;
  for (let i = 0; i < THINKING_TURNS; i++) result = Math.imul(result, 5) ^ i;
  return result;
}

function add(name: string, additions: number): void {
  using segment = Segment.open(name);
  const block = segment.root;
  if (!block) throw new Error("the parent made no block");
  const numbers = new Uint32Array(block.bytes.buffer, block.offset, WAYS.length);
  const counter = segment.counter("hits");
  const lock = segment.lock("number");
  let thoughts = 0;
  const slowly = (index: number): void => {
    const before = numbers[index] as number;
    thoughts ^= think(before);
    numbers[index] = before + 1;
  };
  segment.semaphore("ready", { initial: 0 }).release();
  segment.event("go").waitSync({ timeoutMs: 60_000 });
  for (let i = 0; i < additions; i++) slowly(0);
  for (let i = 0; i < additions; i++) {
    thoughts ^= think(i);
    counter.add(1);
  }
  for (let i = 0; i < additions; i++) {
    using _held = lock.acquireSync();
    slowly(2);
  }
  if (thoughts === 0.5) console.log("never: it keeps the thinking from being optimised away");
}

async function compare(processes: number, additions: number): Promise<void> {
  using segment = Segment.create(`example-counter-${process.pid}`, { bytes: MiB });
  try {
    segment.root = segment.heap.allocate(WAYS.length * 4);
    const ready = segment.semaphore("ready", { initial: 0 });
    const go = segment.event("go");
    const args = ["--name", segment.name, "--additions", `${additions}`];
    const children = Array.from({ length: processes }, () => fork(fileURLToPath(import.meta.url), args));
    const ended = children.map((child) => once(child, "exit"));
    for (const _ of children) await ready.acquire({ timeoutMs: 60_000 });
    go.signal();
    await Promise.all(ended);
    const found = new Uint32Array(segment.root?.copy().buffer as ArrayBuffer, 0, WAYS.length);
    found[1] = segment.counter("hits").value;
    for (const [index, way] of WAYS.entries()) {
      const lost = processes * additions - (found[index] as number);
      console.log(`${way}: ${processes * additions} additions, ${lost} lost`);
    }
  } finally {
    segment.unlink();
  }
}

const { values } = parseArgs({
  options: {
    processes: { type: "string", default: "2" },
    additions: { type: "string", default: "100000" },
    name: { type: "string" },
  },
});
if (values.name) add(values.name, Number(values.additions));
else await compare(Number(values.processes), Number(values.additions));
