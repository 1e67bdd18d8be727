// watchdog: 240 s
/**
 * Many rounds of locking between processes in all runtimes, waiting without blocking. With nobody dying and nobody giving up, a
 * wait must be served by a wake-up alone: the timer that looks for dead peers is taken away first, in Node at least.
 *
 *     ISTHMUS_ROUNDS=1000000 node build/test/processes/lock-load/lock-load.test.js      the long version
 */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  LOCK_WAITERS_OFFSET,
  OBJECT_ALIGNMENT,
  PARTICIPANT_BLOCKED_BELL_OFFSET,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  WAITERS_WORDS_OFFSET,
} from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { rejected } from "../../lib/refusals.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { printedSeed, randomFrom } from "../../lib/series.js";
import { noStops, unless } from "../../lib/skips.js";
import { pause, until, within } from "../../lib/watchdog.js";

const ACTIONS = "processes/lock-load/lock-load-actions.ts";
const ROUNDS = Number(process.env.ISTHMUS_ROUNDS ?? 50_000);
/** Rounds of one call: each has a watchdog. */
const BATCH = 500;
const random = randomFrom(printedSeed());

/** How often the doorbells of a participant were rung. */
function ringsOf(name: string, slot: number): number {
  const at = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES;
  return peek32(name, at + PARTICIPANT_DOORBELL_OFFSET) + peek32(name, at + PARTICIPANT_BLOCKED_BELL_OFFSET);
}

/** Stops one of them after the other for some milliseconds, wherever it is, until the work is done. */
async function stopSome(agents: Agent[], work: Promise<unknown>): Promise<number> {
  let stops = 0;
  let done = false;
  const end = (): void => {
    done = true;
  };
  work.then(end, end);
  while (!done) {
    const agent = agents[Math.floor(random() * agents.length)] as Agent;
    agent.signal("SIGSTOP");
    await pause(random() * 8);
    agent.signal("SIGCONT");
    await pause(random() * 8);
    stops++;
  }
  return stops;
}

async function load(
  action: string,
  forgetful: boolean,
  rounds = ROUNDS,
  stopping = false,
): Promise<number[]> {
  using segment = Segment.create(segmentName("load"), { bytes: MiB });
  const lock = segment.lock("lock");
  const runtimes = presentRuntimes();
  const agents = await Agent.startAll(runtimes, ACTIONS);
  const sums: number[] = agents.map(() => 0);
  for (const agent of agents) {
    const done = forgetful && (await agent.call("forgetRechecks"));
    if (forgetful && agent.name.startsWith("node")) assert.ok(done, "Node has kept its timers");
    await agent.call("open", segment.name);
    await agent.call(action, segment.name, 10, 1); // starts the thread that waits for the doorbell
  }
  const threads = await Promise.all(agents.map((agent) => agent.call<number>("threads")));
  const batches = Math.ceil(rounds / BATCH / agents.length);
  let stops = 0;
  for (let batch = 0; batch < batches; batch++) {
    // They begin together, from a lock that is held: however busy the machine is, some of them sleep and are woken.
    const gate = lock.acquireSync("exclusive");
    const calls = agents.map((agent) =>
      agent.call<number>(action, segment.name, BATCH, Math.floor(random() * 2 ** 32)),
    );
    if (forgetful) await until("all have begun", () => armed(segment.name) === agents.length);
    gate.release();
    if (stopping) stops += await stopSome(agents, Promise.all(calls));
    for (const [i, result] of (await Promise.all(calls)).entries()) sums[i] = (sums[i] as number) + result;
  }
  for (const [i, agent] of agents.entries()) {
    const now = await agent.call<number>("threads");
    // A runtime may start threads of its own, but not with every wait.
    assert.ok(now <= (threads[i] as number) + 16, `${agent.name} has ${now} threads after ${threads[i]}`);
  }
  const rings = segment.participants().reduce((sum, { slot }) => sum + ringsOf(segment.name, slot), 0);
  console.log(`${rings} wake-ups, ${stops} stops`);
  if (stopping) assert.ok(stops > 0);
  if (forgetful) assert.ok(rings >= batches, `only ${rings} wake-ups in ${batches} batches`);
  if (forgetful) await meetInDeadlock(segment.name, agents);
  const held = lock.tryAcquire("exclusive");
  assert.ok(held, "the lock is not free at the end");
  held.release();
  for (const agent of agents) {
    await agent.call("close", segment.name);
    await agent.end();
  }
  assert.equal(waiters(segment.name), []);
  assert.is(segment.participants().length, 1);
  return sums;
}

/** Two that hold the lock shared want more: the second one is refused, and when it has let go the first one is woken. */
async function meetInDeadlock(name: string, [first, second]: Agent[]): Promise<void> {
  if (!first || !second) return;
  for (const agent of [first, second]) await agent.call("acquire", name, "lock", "shared");
  const upgrade = first.call("upgrade", "lock");
  await until("the first one waits", () => armed(name) === 1);
  await rejected("DEADLOCK", second.call("upgrade", "lock"));
  await second.call("release", "lock");
  await within("the upgrade", upgrade);
  await first.call("release", "lock");
}

/** What is still armed in the two sets of the lock's waiters; each has two words in a segment of 64 participants. */
function waiters(name: string): number[] {
  const sets = objectOffset(name, "lock") + LOCK_WAITERS_OFFSET;
  const words = [sets, sets + OBJECT_ALIGNMENT].flatMap((set) =>
    [0, 4].map((at) => peek32(name, set + WAITERS_WORDS_OFFSET + at)),
  );
  return words.filter((bits) => bits !== 0);
}

/** How many wait for the lock. */
function armed(name: string): number {
  return waiters(name).reduce((sum, bits) => sum + bitsOf(bits), 0);
}

function bitsOf(word: number): number {
  let count = 0;
  for (let bits = word; bits !== 0; bits &= bits - 1) count++;
  return count;
}

test("no wake-up is lost between processes that hold, upgrade and meet in deadlocks", async () => {
  const deadlocks = await load("goThrough", true);
  console.log(`${ROUNDS} rounds, deadlocks refused: ${deadlocks.join(", ")}`);
});

unless(noStops, test)(
  "processes that are stopped for a while wake, are woken, and are not taken for dead",
  async () => {
    const rounds = Math.ceil(ROUNDS / 4);
    const deadlocks = await load("goThrough", true, rounds, true);
    console.log(`${rounds} rounds, deadlocks refused: ${deadlocks.join(", ")}`);
  },
);

test("waits that end by timeout or abort leave nobody waiting and nothing held", async () => {
  const got = await load("goOrGiveUp", false);
  console.log(`${ROUNDS} rounds, got: ${got.join(", ")}`);
  assert.ok(got.every((count) => count > 0));
});

test.run();
