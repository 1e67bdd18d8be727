// watchdog: 240 s
/**
 * How many processes are woken by what only one can take. Eight sleep; each permit, and each release of a lock, calls one of them.
 * Nothing but a wake-up makes one of them look again: their rechecks are taken away first.
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
  SIGNAL_WAITERS_OFFSET,
  WAITERS_WORDS_OFFSET,
} from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { noStops, unless } from "../../lib/skips.js";
import { until, within } from "../../lib/watchdog.js";

const ACTIONS = "processes/wakeups/counted-actions.ts";
const SLEEPERS = 8;
const PERMITS_EACH = 5;

let agents: Agent[] = [];
let segment: Segment;

test.before(async () => {
  agents = await Promise.all(Array.from({ length: SLEEPERS }, () => Agent.start(node, ACTIONS)));
  for (const agent of agents) assert.ok(await agent.call("forgetRechecks"), "Node has kept its timers");
});

test.after(async () => {
  for (const agent of agents) await agent.end();
});

test.before.each(async () => {
  segment = Segment.create(segmentName("counted"), { bytes: MiB });
  segment.semaphore("semaphore", { initial: 0 });
  segment.lock("lock");
  for (const agent of agents) await agent.call("open", segment.name);
});

test.after.each(async () => {
  for (const agent of agents) await agent.call("close");
  segment.close();
});

/** How often any doorbell was rung. */
function rings(): number {
  let sum = 0;
  for (const { slot } of segment.participants()) {
    const at = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES;
    sum += peek32(segment.name, at + PARTICIPANT_DOORBELL_OFFSET);
    sum += peek32(segment.name, at + PARTICIPANT_BLOCKED_BELL_OFFSET);
  }
  return sum;
}

/** How many are armed in that set. */
function armed(set: number): number {
  let bits = peek32(segment.name, set + WAITERS_WORDS_OFFSET);
  let count = 0;
  for (; bits !== 0; bits &= bits - 1) count++;
  return count;
}

const semaphoreSet = (): number => objectOffset(segment.name, "semaphore") + SIGNAL_WAITERS_OFFSET;
const exclusiveSet = (): number =>
  objectOffset(segment.name, "lock") + LOCK_WAITERS_OFFSET + OBJECT_ALIGNMENT;

for (const action of ["take", "takeSync"]) {
  test(`each permit wakes one of eight processes that wait (${action})`, async () => {
    const semaphore = segment.semaphore("semaphore", { initial: 0 });
    const calls = agents.map((agent) => agent.call(action, PERMITS_EACH));
    const permits = SLEEPERS * PERMITS_EACH;
    const before = rings();
    for (let given = 0; given < permits; given++) {
      // Those who have taken all that they want do not sleep any more.
      const least = Math.min(SLEEPERS, Math.ceil((permits - given) / PERMITS_EACH));
      await until("they sleep", () => semaphore.value === 0 && armed(semaphoreSet()) >= least);
      semaphore.release();
    }
    await within("the last ones", Promise.all(calls));
    const woken = rings() - before;
    console.log(`${woken} wake-ups for ${permits} permits`);
    assert.ok(woken >= permits - SLEEPERS && woken <= permits, `${woken} wake-ups for ${permits} permits`);
  });
}

test("several permits at once wake as many", async () => {
  const semaphore = segment.semaphore("semaphore", { initial: 0 });
  const calls = agents.map((agent) => agent.call("take", 1));
  await until("all sleep", () => armed(semaphoreSet()) === SLEEPERS);
  const before = rings();
  semaphore.release(3);
  assert.is(rings() - before, 3);
  semaphore.release(SLEEPERS - 3);
  await within("all", Promise.all(calls));
  assert.is(rings() - before, SLEEPERS);
});

for (const action of ["hold", "holdSync"]) {
  test(`each release of a lock wakes one of eight that wait for it exclusively (${action})`, async () => {
    const held = segment.lock("lock").acquireSync("exclusive");
    const calls = agents.map((agent) => agent.call(action));
    await until("all sleep", () => armed(exclusiveSet()) === SLEEPERS);
    const before = rings();
    held.release();
    await within("all", Promise.all(calls));
    const woken = rings() - before;
    console.log(`${woken} wake-ups for ${SLEEPERS} turns`);
    assert.ok(woken <= SLEEPERS, `${woken} wake-ups for ${SLEEPERS} turns`);
  });
}

test("a promise is served that was called while its thread blocked", async () => {
  const semaphore = segment.semaphore("semaphore", { initial: 0 });
  const other = segment.semaphore("other", { initial: 0 });
  const [agent] = agents as [Agent];
  const waiting = agent.call("takeWhileBlocked");
  const otherSet = objectOffset(segment.name, "other") + SIGNAL_WAITERS_OFFSET;
  await until("its thread blocks", () => armed(otherSet) === 1 && armed(semaphoreSet()) === 1);
  semaphore.release();
  assert.is(armed(semaphoreSet()), 0, "it was not called");
  other.release();
  await within("both", waiting);
});

unless(noStops, test)("one that gives up after it was called passes the call on", async () => {
  const semaphore = segment.semaphore("semaphore", { initial: 0 });
  const [quitter, ...others] = agents as [Agent, ...Agent[]];
  const waiting = quitter.call("giveUp");
  await until("it sleeps", () => armed(semaphoreSet()) === 1);
  const calls = others.map((agent) => agent.call("take", 1));
  await until("all sleep", () => armed(semaphoreSet()) === SLEEPERS);
  quitter.signal("SIGSTOP"); // it is called, and does not look
  for (let given = 0; given < SLEEPERS - 1; given++) semaphore.release();
  segment.counter("leave").add(1);
  // Whoever is called first depends on the slots; the last permit is for whoever is left.
  quitter.signal("SIGCONT");
  const end = await within("the one that gives up", waiting);
  if (end === "taken") semaphore.release();
  await within("all others", Promise.all(calls));
});

test.run();
