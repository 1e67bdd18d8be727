/** Who waits for the write lock gets it: beside those who change the segment all the time, and in the order of the calls. */
import { type Lock, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  WAITERS_WORDS_OFFSET,
  WRITE_LOCK_GRANTS_OFFSET,
  WRITE_LOCK_WAITERS_OFFSET,
} from "../../../protocol/layout.js";
import { RECHECK_MS, WRITE_LOCK_TIMEOUT_MS } from "../../../protocol/limits.js";
import { internal } from "../../lib/internals.js";
import { peek32, poke32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { onlyLinux, unless } from "../../lib/skips.js";
import { until, WATCHDOG_MS, within } from "../../lib/watchdog.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
/** Changes beside transactions that follow each other at once. */
const CHANGES = 41;
/**
 * Transactions of the other process during one change: the one that runs, and more when this process does not come in its time.
 * Without turns there are about a hundred.
 */
const TRANSACTIONS_MAX = 8;
/** How long a thread is kept asleep, and how often it may look meanwhile; with a look every 0.5 ms there would be ten times as many. */
const ASLEEP_MS = 500;
const LOOKS_MAX = 100;

/** How often one waits behind another one. */
const ROUNDS = 5;

function median(numbers: number[]): number {
  return [...numbers].sort((one, other) => one - other)[numbers.length >>> 1] as number;
}

/** Who waits for the write lock, a bit each. */
function armedIn(segment: Segment): number {
  return peek32(segment.name, WRITE_LOCK_WAITERS_OFFSET + WAITERS_WORDS_OFFSET);
}

async function startAgents(segment: Segment, count: number): Promise<Agent[]> {
  const [runtime] = presentRuntimes() as [Runtime];
  const agents = await Agent.startAll(new Array(count).fill(runtime), ACTIONS);
  for (const agent of agents) await agent.call("open", segment.name);
  return agents;
}

test("a change comes soon beside transactions that follow each other at once, whether it blocks or not", async () => {
  using segment = Segment.create(segmentName("turns"), { bytes: MiB });
  const lock = segment.lock("mine");
  segment.lock("theirs");
  const begun = segment.counter("transactions");
  const end = segment.counter("end");
  const [agent] = (await startAgents(segment, 1)) as [Agent];
  const transacting = agent.call("transactAgainAndAgain", segment.name, "theirs", 1);
  await until("transactions run", () => begun.value > 3);
  const [blocking, awaiting]: [number[], number[]] = [[], []];
  for (let i = 0; i < CHANGES; i++) {
    const before = begun.value;
    segment.heap.allocate(16).free();
    blocking.push(begun.value - before);
    const between = begun.value;
    await within(
      "a transaction",
      segment.transaction(lock, () => {}),
    );
    awaiting.push(begun.value - between);
  }
  end.add(1);
  await transacting;
  await agent.end();
  assert.ok(median(blocking) / 2 <= TRANSACTIONS_MAX, `blocking: ${blocking}`);
  assert.ok(median(awaiting) <= TRANSACTIONS_MAX, `awaiting: ${awaiting}`);
});

unless(onlyLinux("the count of sleeps in /proc"), test)(
  "a thread that waits for a long transaction sleeps",
  async () => {
    using segment = Segment.create(segmentName("asleep"), { bytes: MiB });
    segment.lock("theirs");
    const waiting = segment.counter("waiting");
    const event = segment.event("in transaction");
    const [transacting, changing] = (await startAgents(segment, 2)) as [Agent, Agent];
    const transaction = transacting.call("transactUntil", segment.name, "theirs");
    await within("the transaction of the child", event.wait());
    const looks = changing.call<number>("allocateAndCountSleeps", segment.name);
    looks.catch(() => {}); // should it fail before it is awaited
    await until("the other child changes the heap", () => waiting.value === 1);
    const begin = performance.now();
    await until("it has slept for a while", () => performance.now() - begin > ASLEEP_MS);
    segment.counter("end").add(1);
    await transaction;
    const slept = await within("the change", looks);
    for (const agent of [transacting, changing]) await agent.end();
    assert.ok(slept > 0 && slept <= LOOKS_MAX, `it has looked ${slept} times`);
  },
);

test("transactions of one opener come in the order of their calls, and one that gives up passes its turn on", async () => {
  using segment = Segment.create(segmentName("order"), { bytes: MiB });
  segment.lock("theirs");
  const locks = [1, 2, 3, 4].map((number) => segment.lock(`lock ${number}`));
  const event = segment.event("in transaction");
  const [agent] = (await startAgents(segment, 1)) as [Agent];
  const transaction = agent.call("transactUntil", segment.name, "theirs");
  await within("the transaction of the child", event.wait());
  const controller = new AbortController();
  const order: number[] = [];
  const run = (number: number, signal?: AbortSignal): Promise<void> =>
    segment.transaction(locks[number - 1] as Lock, () => void order.push(number), signal && { signal });
  const first = run(1, controller.signal);
  const others = [2, 3, 4].map((number) => run(number));
  controller.abort(new TypeError("enough"));
  await rejected("TypeError", first, /enough/);
  segment.counter("end").add(1);
  await transaction;
  await within("the others", Promise.all(others));
  assert.equal(order, [2, 3, 4]);
  await agent.end();
});

test("a thread whose turn comes wakes the one whose turn is next", async () => {
  using segment = Segment.create(segmentName("next"), { bytes: MiB });
  const lock = segment.lock("mine");
  segment.lock("theirs");
  const waiting = segment.counter("waiting");
  const event = segment.event("in transaction");
  const end = segment.counter("end");
  const armed = (): number => armedIn(segment);
  const [transacting, changing] = (await startAgents(segment, 2)) as [Agent, Agent];
  let wakes = 0;
  // One that looks by itself just then, as each does ten times a second, needs no call.
  for (let round = 0; round < ROUNDS; round++) {
    event.reset();
    const transaction = transacting.call("transactUntil", segment.name, "theirs");
    await within("the transaction of a child", event.wait());
    const change = changing.call<number>("allocateAndCountWakes", segment.name);
    await until("the other child waits", () => waiting.value === round + 1 && armed() !== 0);
    const mine = segment.transaction(lock, () => {});
    await until("both wait", () => (armed() & (armed() - 1)) !== 0);
    end.add(1);
    await transaction;
    wakes += await within("the change", change);
    await within("the transaction of this process", mine);
    end.exchange(0);
  }
  assert.ok(wakes > 0, `${wakes} calls in ${ROUNDS} rounds`);
  for (const agent of [transacting, changing]) await agent.end();
});

test("a change that waits is not overtaken by a try of its own opener", async () => {
  using segment = Segment.create(segmentName("try"), { bytes: MiB });
  const [mine, other, theirs] = [segment.lock("mine"), segment.lock("other"), segment.lock("theirs")];
  const event = segment.event("in transaction");
  const [agent] = (await startAgents(segment, 1)) as [Agent];
  const transaction = agent.call("transactUntil", segment.name, "theirs");
  await within("the transaction of the child", event.wait());
  let done = false;
  const waiting = segment.transaction(mine, () => {
    done = true;
  });
  await until("the change waits", () => armedIn(segment) !== 0);
  segment.counter("end").add(1);
  // The event loop stands still until the child's transaction is over, so that the change that waits cannot run before the try.
  theirs.acquireSync("exclusive", { timeoutMs: WATCHDOG_MS }).release();
  assert.is(
    segment.tryTransaction(other, () => "overtaken"),
    undefined,
  );
  while (!done) {
    const tried = segment.tryTransaction(other, () => done);
    assert.ok(tried !== false, "overtaken");
    await new Promise((resolve) => setImmediate(resolve));
  }
  await waiting;
  await transaction;
  assert.is(
    segment.tryTransaction(other, () => "now"),
    "now",
  );
  await agent.end();
});

/**
 * Blocks in vain while the clock goes on by sleeping, and by a microsecond per look at it; `others` says what happens while it
 * sleeps.
 */
function inPlayedTime(block: () => void, others: () => void): number {
  const { native } = internal<typeof import("../../../ts/host/region.js")>("host/region");
  const { now, wait } = native;
  const begin = now();
  let [sleptMs, sleeps, looks] = [0, 0, 0];
  native.now = () => begin + sleptMs + ++looks / 1000;
  native.wait = (_object, _offset, _expected, milliseconds) => {
    sleptMs += milliseconds;
    sleeps++;
    others();
    return false as never;
  };
  try {
    block();
  } finally {
    Object.assign(native, { now, wait });
  }
  return sleeps;
}

test("a change that was kept out all the time says by whom: by one that does not end, or by many that followed each other", async () => {
  using segment = Segment.create(segmentName("kept-out"), { bytes: MiB });
  segment.lock("theirs");
  segment.counter("end");
  const [runtime] = presentRuntimes() as [Runtime];
  const agent = await Agent.start(runtime, ACTIONS);
  await agent.call("open", segment.name);
  const inside = segment.event("in transaction");
  const transaction = agent.call("transactUntil", segment.name, "theirs");
  await within("the transaction of the child", inside.wait());
  const limit = `${WRITE_LOCK_TIMEOUT_MS} ms`;
  const grants = (): number => peek32(segment.name, WRITE_LOCK_GRANTS_OFFSET);
  const refusedBy = (text: string, others: () => void): void => {
    const block = () => refused("BUSY", () => segment.heap.allocate(8), new RegExp(text));
    assert.ok(inPlayedTime(block, others) >= WRITE_LOCK_TIMEOUT_MS / RECHECK_MS);
  };
  refusedBy(
    `process ${agent.pid} has been changing the segment for ${limit}; it may be stopped, or in a long transaction`,
    () => {},
  );
  let changes = 0;
  refusedBy(
    `others have changed the segment 7 times in ${limit}; now process ${agent.pid} does. Shorten transactions`,
    () => {
      if (++changes <= 7) poke32(segment.name, WRITE_LOCK_GRANTS_OFFSET, grants() + 1);
    },
  );
  segment.counter("end").add(1);
  await transaction;
  segment.heap.allocate(8).free();
  await agent.end();
  segment.unlink();
});

test.run();
