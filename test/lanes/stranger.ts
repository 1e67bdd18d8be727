/**
 * What must hold beyond the pairs between this Node and a runtime with another C library or another CPU: they share slots
 * and the locks that the kernel holds for them, and nothing of a library's own lies in the segment (failures 9).
 */
import { suite, type Test } from "uvu";
import * as assert from "uvu/assert";
import type { RemoteError } from "../lib/message.js";
import { Agent, wasKilled } from "../lib/processes.js";
import type { Runtime } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { pause, until } from "../lib/watchdog.js";
import type { Drained, Identity } from "./actions.js";

const ACTIONS = "lanes/actions.ts";
const SEGMENT = { bytes: 2 ** 20 };
const RING_BYTES = 4096;
const RACES = 10;
const COUNTS = 300;
/** Most records that are received before the death. */
const RECEIVED_MAX = 500;

/** Runs with two fresh processes, which are gone afterwards. */
async function withAgents(
  first: Runtime,
  second: Runtime,
  act: (first: Agent, second: Agent, name: string) => Promise<void>,
): Promise<void> {
  const agents = await Agent.startAll([first, second], ACTIONS);
  try {
    await act(agents[0], agents[1], segmentName("stranger"));
  } finally {
    await Promise.all(agents.map((agent) => agent.kill()));
  }
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: RemoteError) => reason,
  );
  assert.ok(error, "the call succeeded");
  return (error as RemoteError).code as string;
}

const participants = async (agent: Agent, name: string): Promise<number[]> =>
  (await agent.call<{ participants: number[] }>("seen", name)).participants.sort();

async function race(first: Agent, second: Agent): Promise<void> {
  for (let turn = 0; turn < RACES; turn++) {
    const name = segmentName("race");
    await Promise.all([first, second].map((agent) => agent.call("openOrCreate", name, SEGMENT)));
    const both = [first.pid, second.pid].sort();
    assert.equal(await participants(first, name), both);
    assert.equal(await participants(second, name), both);
    for (const agent of [first, second]) await agent.call("close", name);
  }
}

async function holdsItsEnd(holder: Agent, other: Agent, name: string): Promise<void> {
  await holder.call("create", name, SEGMENT);
  await other.call("open", name);
  await holder.call("producer", name, "held", RING_BYTES);
  assert.is(await codeOf(other.call("producer", name, "held", RING_BYTES)), "BUSY");
  holder.signal("SIGSTOP");
  try {
    await pause(50);
    assert.is(await codeOf(other.call("producer", name, "held", RING_BYTES)), "BUSY", "while stopped");
    assert.is((await participants(other, name)).length, 2, "while stopped");
  } finally {
    holder.signal("SIGCONT");
  }
  await other.call("consumer", name, "held", RING_BYTES);
  await holder.call("sendSeries", "held", 0, 5);
  assert.is(await other.call("receiveSeries", "held", 0, 5), 5);
  await holder.call("closeProducer", "held");
  await other.call("producer", name, "held", RING_BYTES);
  assert.is(await codeOf(holder.call("producer", name, "held", RING_BYTES)), "BUSY", "the other way");
}

async function diesAmidTheStream(victim: Agent, survivor: Agent, name: string, heir: Runtime): Promise<void> {
  await victim.call("create", name, SEGMENT);
  await survivor.call("open", name);
  await victim.call("producer", name, "stream", RING_BYTES);
  await survivor.call("consumer", name, "stream", RING_BYTES);
  const drained = survivor.call<Drained>("receiveForever", "stream");
  void victim.call("sendForever", "stream");
  const received = Math.ceil(Math.random() * RECEIVED_MAX);
  await until("the stream flows", async () => (await survivor.call<number>("received")) >= received);
  await victim.kill();
  const { count, end } = await drained;
  assert.is(end, "PEER_DIED");
  assert.ok(count >= received);
  assert.equal(await survivor.call("states", name), { [victim.pid]: "dead", [survivor.pid]: "live" });
  const next = await Agent.start(heir, ACTIONS);
  try {
    await next.call("open", name);
    await next.call("producer", name, "stream", RING_BYTES);
    await next.call("sendSeries", "stream", 0, 3);
    assert.is(await survivor.call("receiveSeries", "stream", 0, 3), 3);
  } finally {
    await next.kill();
  }
}

/** Both count up the same pair of numbers, under a lock and in transactions; one dies in the middle of one. */
async function lockEachOtherOut(victim: Agent, survivor: Agent, name: string): Promise<void> {
  await victim.call("create", name, SEGMENT);
  await survivor.call("open", name);
  await victim.call("makePair", name);
  await Promise.all([victim, survivor].map((agent) => agent.call("countUp", name, COUNTS)));
  assert.equal(await survivor.call("countUp", name, 0), [2 * COUNTS, 2 * COUNTS]);
  const dead = victim.call("dieAmid", name).then(
    () => assert.unreachable("it lives on"),
    () => {},
  );
  assert.ok(wasKilled(await victim.ended));
  await dead;
  assert.equal(await survivor.call("countUp", name, 3), [2 * COUNTS + 3, 2 * COUNTS + 3]);
}

/** `isStranger` tells from what runs in the process whether it is what this lane is about. */
export function strangerSuite(
  stranger: Runtime,
  native: Runtime,
  isStranger: (identity: Identity) => boolean,
): Test {
  const test = suite(`${stranger.name} beside ${native.name}`);
  const bothWays = async (
    act: (first: Agent, second: Agent, name: string) => Promise<void>,
  ): Promise<void> => {
    await withAgents(stranger, native, act);
    await withAgents(native, stranger, act);
  };
  test("the processes are what the lane says, each with our binary", () =>
    withAgents(stranger, native, async (first, second, name) => {
      for (const agent of [first, second]) await agent.call("openOrCreate", name, SEGMENT);
      const [strange, ours] = await Promise.all(
        [first, second].map((agent) => agent.call<Identity>("identity")),
      );
      assert.ok(isStranger(strange), JSON.stringify(strange));
      assert.not(isStranger(ours), JSON.stringify(ours));
    }));
  test("exactly one creates, whoever races", () => withAgents(stranger, native, race));
  test("an end is its holder's until the holder closes it, also while it is stopped", () =>
    bothWays(holdsItsEnd));
  test("a lock keeps the other out, and a transaction is whole, also when its process dies", () =>
    bothWays(lockEachOtherOut));
  test("a kill amid the stream leaves whole records, a notice and an end for the next", () =>
    bothWays((first, second, name) =>
      diesAmidTheStream(first, second, name, first.name === stranger.name ? stranger : native),
    ));
  return test;
}
