/**
 * Money is never lost: processes transfer it between accounts in transactions, and are killed at random while they do. Whatever
 * a killed one was doing has never happened, so the sum stays what it was.
 *
 *     node build/examples/bank.js [--seconds 10] [--processes 3] [--file PATH]
 *
 * With a file, the accounts of an earlier run go on where they were.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { MiB, Segment, struct } from "isthmus";
import { isOrphan, startAgain, temporary } from "./children.js";
import { wholeNumber } from "./numbers.js";

const ACCOUNTS = 100;
const EACH = 1000;
const Bank = struct({ balances: ["u32", ACCOUNTS] });

function open(where: string): Segment {
  return where.includes("/") ? Segment.openFile(where) : Segment.open(where);
}

/** Transfers until it is killed. */
function transfer(where: string): void {
  using segment = open(where);
  const lock = segment.lock("bank");
  const transfers = segment.counter("transfers");
  const bank = segment.root?.view(Bank);
  if (!bank) throw new Error("there is no bank");
  while (!isOrphan()) {
    segment.transactionSync(lock, () => {
      const balances = bank.get("balances");
      const from = Math.floor(Math.random() * ACCOUNTS);
      const to = Math.floor(Math.random() * ACCOUNTS);
      const amount = Math.floor(Math.random() * ((balances[from] as number) + 1));
      (balances[from] as number) -= amount;
      (balances[to] as number) += amount;
      bank.set("balances", balances);
    });
    transfers.add(1);
  }
}

function sumOf(segment: Segment): number {
  using _held = segment.lock("bank").acquireSync("shared");
  const balances = segment.root?.view(Bank).get("balances") ?? [];
  return balances.reduce((sum, balance) => sum + balance, 0);
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function run(segment: Segment, where: string, seconds: number, processes: number): Promise<void> {
  segment.transactionSync(segment.lock("bank"), () => {
    if (segment.root) return;
    const block = segment.heap.allocate(Bank.bytes);
    block.view(Bank).write({ balances: Array.from({ length: ACCOUNTS }, () => EACH) });
    segment.root = block;
  });
  const start = (): ChildProcess => {
    const child = startAgain("--transfer", where);
    // Those that are killed have no exit code.
    child.once("exit", (code) => {
      if (code !== null) throw new Error(`process ${child.pid} failed with exit code ${code}`);
    });
    return child;
  };
  const children = Array.from({ length: processes }, start);
  const transfers = segment.counter("transfers");
  let deaths = 0;
  try {
    while (transfers.value === 0) await pause(10);
    for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
      await pause(Math.random() * 100);
      const index = Math.floor(Math.random() * processes);
      await end(children[index] as ChildProcess);
      deaths++;
      const sum = sumOf(segment);
      if (sum !== ACCOUNTS * EACH) throw new Error(`${sum} is not what there was`);
      children[index] = start();
    }
  } finally {
    await Promise.all(children.map(end));
  }
  const { ok } = segment.heap.check();
  console.log(`${transfers.value} transfers, ${deaths} processes killed`);
  console.log(`sum ${sumOf(segment)}, as before; heap ${ok ? "in order" : "damaged"}`);
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    processes: { type: "string", default: "3" },
    file: { type: "string" },
    transfer: { type: "string" },
  },
});
if (values.transfer !== undefined) {
  transfer(values.transfer);
} else {
  using segment =
    values.file === undefined
      ? temporary(() => Segment.create(`example-bank-${process.pid}`, { bytes: MiB }))
      : Segment.openFile(values.file, { bytes: MiB });
  const seconds = wholeNumber("seconds", values.seconds);
  await run(segment, segment.name, seconds, wholeNumber("processes", values.processes));
}
