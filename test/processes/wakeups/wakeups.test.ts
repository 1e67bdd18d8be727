/**
 * The process that changes something wakes the one that waits for it, and nothing else does: in the waiting process no timer makes
 * a wait look again. Here the system call that wakes is held back first: the bell was rung, and the waiter sleeps on. That is also
 * the planted bug: without the call it sleeps for ever. Then the call is made, and the wait ends.
 */
import { readdirSync, readFileSync } from "node:fs";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../../protocol/layout.js";
import { peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { forget, segmentName } from "../../lib/segments.js";
import { pause, until, within } from "../../lib/watchdog.js";
import { mapped, native } from "../../shims/objects.js";
import { BELL, BLOCKED_BELL, CASES, type Case, value, WAITER_SLOT } from "./wakeups-cases.js";

/** Time for a waiter that somebody has woken to end its wait. Milliseconds. */
const HELD_BACK_MS = 20;
/** A thread that was awake for a moment has missed the call. */
const WAKE_AGAIN_MS = 20;
const ACTIONS = "processes/wakeups/wakeups-actions.ts";

function isArmed(name: string, set: number): boolean {
  return (peek32(name, set + layout.WAITERS_WORDS_OFFSET) & (1 << WAITER_SLOT)) !== 0;
}

/** How often each of its threads has gone to sleep, when all of them sleep now. */
function sleepsOf(waiter: Agent): string | undefined {
  const tasks = `/proc/${waiter.pid}/task`;
  const all = readdirSync(tasks).map((id) => readFileSync(`${tasks}/${id}/status`, "latin1"));
  if (!all.every((status) => /^State:\s+S/m.test(status))) return undefined;
  return all.map((status) => /^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]).join(" ");
}

/** Until it is armed and none of its threads has run for a while: what the wait looks at by itself, it has looked at. */
async function untilItSleeps(waiter: Agent, name: string, set: number): Promise<void> {
  let before: string | undefined;
  await until("the waiter sleeps", () => {
    const now = isArmed(name, set) ? sleepsOf(waiter) : undefined;
    const same = now !== undefined && now === before;
    before = now;
    return same;
  });
}

/** What rings while `act` runs is rung, but nobody is woken: the bells. */
async function withoutWaking(act: () => unknown): Promise<number[]> {
  const rings: number[] = [];
  const { wake } = native;
  native.wake = (_, bell) => void rings.push(bell);
  try {
    act();
    await pause(0); // an abort is told in a later microtask
  } finally {
    native.wake = wake;
  }
  return rings;
}

/** Makes the calls into the kernel that `withoutWaking` has left out, through a mapping of its own, until the wait has ended. */
async function wakeForReal(name: string, rings: number[], waiting: Promise<unknown>): Promise<unknown> {
  const { object } = mapped(native.openNamed(name, 0, false, false, 0));
  const wakeAll = (): void => {
    for (const bell of rings) native.wake(object, bell);
  };
  wakeAll();
  const timer = setInterval(wakeAll, WAKE_AGAIN_MS);
  try {
    return await within("the end of the wait", waiting);
  } finally {
    clearInterval(timer);
    native.close(object);
  }
}

let agent: Agent | undefined;

/** The process that waits; another one after a failure. */
async function waiterProcess(): Promise<Agent> {
  if (agent) return agent;
  agent = await Agent.start(node, ACTIONS);
  assert.ok(await agent.call("forgetRechecks"), "Node has kept its timers");
  await agent.call("sleepUntilWoken");
  return agent;
}

async function isWokenBy(one: Case, wait: string): Promise<void> {
  const waiter = await waiterProcess();
  const segment = Segment.create(segmentName("wakeups"), { bytes: MiB });
  const { name } = segment;
  try {
    segment.ring("ring", { bytes: 4 * KiB });
    segment.broadcast("topic", { bytes: 4 * KiB });
    segment.lock("lock");
    segment.semaphore("semaphore", { initial: 0 });
    segment.event("event");
    segment.latest("value", value);
    await waiter.call("open", name);
    const { act, after } = await one.prepare(segment, waiter);
    let ended = false;
    const waiting = waiter.call("wait", wait).finally(() => {
      ended = true;
    });
    waiting.catch(() => {});
    const set = one.set(name);
    await untilItSleeps(waiter, name, set);
    const rings = await withoutWaking(act);
    const [bell, other] = wait.endsWith("Sync") ? [BLOCKED_BELL, BELL] : [BELL, BLOCKED_BELL];
    assert.ok(rings.includes(bell), "its bell was not rung");
    assert.not(rings.includes(other), "a bell was rung on which nobody sleeps");
    await pause(HELD_BACK_MS);
    assert.not(ended, "it did not sleep until it was woken");
    const woken = wakeForReal(name, rings, waiting);
    after?.();
    assert.is(await woken, one.ends);
    await waiter.call("close");
  } catch (error) {
    await waiter.kill();
    agent = undefined;
    throw error;
  } finally {
    segment.close();
    forget(name);
  }
}

for (const one of CASES) {
  test(`it is a wake-up that ends ${one.name}`, () => isWokenBy(one, one.wait));
  // The only wait that has no blocking form.
  if (one.wait === "object") continue;
  test(`it is a wake-up that ends, for a blocked thread, ${one.name}`, () =>
    isWokenBy(one, `${one.wait}Sync`));
}

test.after(() => agent?.end());

test.run();
