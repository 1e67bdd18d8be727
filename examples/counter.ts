/**
 * Why shared numbers need atomics: processes add to the same number at the same time, in three ways. The plain way, reading and
 * then writing, loses additions; the counter and the lock lose none.
 *
 * Losses are a matter of luck: somebody must write between the reading and the writing of another. The first additions of the
 * plain way leave nothing to luck: everybody reads before anybody writes, so that all but one of them are lost. The others race
 * as they come.
 *
 *     node build/examples/counter.js [--processes 2] [--additions 100000]
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { MiB, Segment } from "isthmus";
import { done, startAgain, temporary } from "./children.js";
import { participantsFor, wholeNumber } from "./numbers.js";

const WAYS = ["plain", "counter", "lock"];
const MEETINGS = 100;
const WAIT = { timeoutMs: 60_000 };

/** A place where so many processes wait for each other, again and again. */
function meetingOf(segment: Segment, processes: number): () => void {
  const arrivals = segment.counter("arrivals");
  // Two gates by turns: one who is early for the next meeting cannot take the place of one who is late from the last.
  const gates = ["even", "odd"].map((name) => segment.semaphore(name, { initial: 0 }));
  let turn = 0;
  return () => {
    const gate = gates[turn++ % 2];
    if (arrivals.add(1) % processes !== 0) gate?.acquireSync(WAIT);
    else if (processes > 1) gate?.release(processes - 1);
  };
}

function add(name: string, processes: number, additions: number): void {
  using segment = Segment.open(name);
  const block = segment.root;
  if (!block) throw new Error("the parent made no block");
  const numbers = new Uint32Array(block.bytes.buffer, block.offset, WAYS.length);
  const counter = segment.counter("hits");
  const lock = segment.lock("number");
  const meet = meetingOf(segment, processes);
  const plainly = (index: number, between = () => {}): void => {
    const before = numbers[index] as number;
    between();
    numbers[index] = before + 1;
  };
  meet();
  for (let i = 0; i < additions; i++) plainly(0, i < MEETINGS ? meet : undefined);
  for (let i = 0; i < additions; i++) counter.add(1);
  for (let i = 0; i < additions; i++) {
    using _held = lock.acquireSync();
    plainly(2);
  }
}

async function compare(processes: number, additions: number): Promise<void> {
  const options = { bytes: MiB, participants: participantsFor(processes) };
  using segment = temporary(() => Segment.create(`example-counter-${process.pid}`, options));
  segment.root = segment.heap.allocate(WAYS.length * 4, { zero: true });
  const args = ["--name", segment.name, "--processes", `${processes}`, "--additions", `${additions}`];
  await Promise.all(Array.from({ length: processes }, () => done(startAgain(...args))));
  const sums = new Uint32Array(segment.root.copy().buffer, 0, WAYS.length);
  sums[1] = segment.counter("hits").value;
  const total = processes * additions;
  for (const [index, way] of WAYS.entries()) {
    const sum = sums[index] as number;
    console.log(`${way}: ${total} additions, ${total - sum} lost, sum ${sum}`);
  }
}

const { values } = parseArgs({
  options: {
    processes: { type: "string", default: "2" },
    additions: { type: "string", default: "100000" },
    name: { type: "string" },
  },
});
const processes = wholeNumber("processes", values.processes);
const additions = wholeNumber("additions", values.additions);
if (values.name) add(values.name, processes, additions);
else await compare(processes, additions);
