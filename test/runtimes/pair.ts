/** What must hold between any two runtimes: the first creates and streams, the second opens; each may die. */
import { suite, type Test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { rejected } from "../lib/refusals.js";
import type { Runtime } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { pause } from "../lib/watchdog.js";

const ACTIONS = "lib/actions.ts";
const MiB = 2 ** 20;
/** So small that the series goes around many times and both sides wait for each other. */
const RING_BYTES = 4096;
const RECORDS = 1000;

interface Pair {
  first: Agent;
  second: Agent;
  name: string;
}

type Behaviour = (pair: Pair) => Promise<void>;

async function ringBetween(sender: Agent, receiver: Agent, name: string, ring: string): Promise<void> {
  await sender.call("producer", name, ring, RING_BYTES);
  await receiver.call("consumer", name, ring, RING_BYTES);
}

async function stream(sender: Agent, receiver: Agent, name: string, ring: string): Promise<void> {
  await ringBetween(sender, receiver, name, ring);
  const received = receiver.call("receiveSeries", ring, 0, RECORDS);
  await sender.call("sendSeries", ring, 0, RECORDS);
  assert.is(await received, RECORDS);
  const receivedSync = receiver.call("receiveSeriesSync", ring, RECORDS, RECORDS);
  await sender.call("sendSeriesSync", ring, RECORDS, RECORDS);
  assert.is(await receivedSync, RECORDS);
}

/** Lets the other process come to where it waits; nothing depends on whether it did. */
const settle = (): Promise<void> => pause(30);

const behaviours: Record<string, Behaviour> = {
  "what one creates the other opens": async ({ first, second, name }) => {
    const opened = await second.call<{ bytes: number; participants: number[] }>("open", name);
    assert.is(opened.bytes, MiB);
    assert.equal([...opened.participants].sort(), [first.pid, second.pid].sort()); // opened stays in the order of the slots
    assert.equal(await first.call("seen", name), { ...opened });
    await rejected("ALREADY_EXISTS", second.call("create", name, { bytes: MiB }));
  },
  "records stream both ways, with and without blocking": async ({ first, second, name }) => {
    await stream(first, second, name, "there");
    await stream(second, first, name, "back");
  },
  "a closed end is the end of the stream": async ({ first, second, name }) => {
    await ringBetween(first, second, name, "closing");
    await first.call("sendSeries", "closing", 0, 3);
    await first.call("closeProducer", "closing");
    await second.call("receiveSeries", "closing", 0, 3);
    assert.is(await second.call("receive", "closing"), undefined);
  },
  "a receiver waits until something is sent": async ({ first, second, name }) => {
    await ringBetween(first, second, name, "waiting");
    for (const receive of ["receive", "receiveSync"]) {
      const received = second.call<Uint8Array>(receive, "waiting");
      await settle();
      await first.call("trySend", "waiting", new Uint8Array([1, 2, 3]));
      assert.equal(await received, new Uint8Array([1, 2, 3]));
    }
  },
  "a sender waits until there is room": async ({ first, second, name }) => {
    await ringBetween(first, second, name, "full");
    const bytes = new Uint8Array(500).fill(7);
    for (const send of ["send", "sendSync"]) {
      const records = await first.call<number>("fill", "full", bytes);
      const sent = first.call(send, "full", bytes);
      await settle();
      for (let i = 0; i <= records; i++) assert.equal(await second.call("receive", "full"), bytes);
      await sent;
      assert.is(await second.call("tryReceive", "full"), undefined);
    }
  },
  "messages of a queue go both ways, with and without blocking": async ({ first, second, name }) => {
    for (const one of [first, second]) await one.call("openQueue", name, "queue", 5);
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      for (const [send, receive] of [
        ["send", "receive"],
        ["sendSync", "receiveSync"],
      ]) {
        const received = to.call("receiveQueued", "queue", 0, RECORDS / 4, receive);
        await from.call("queueSeries", "queue", 0, RECORDS / 4, send);
        await received;
      }
    }
  },
  "records of a broadcast go both ways, and each knows what it has lost": async ({ first, second, name }) => {
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      for (const one of [from, to]) await one.call("openTopic", name, "topic", RING_BYTES);
      for (const receive of ["receive", "receiveSync"]) {
        const received = to.call<number>("receivePublished", "topic", receive);
        await from.call("publishSeries", "topic", RECORDS);
        assert.is(await received, RECORDS);
      }
    }
  },
  "calls of a service go both ways, with and without blocking": async ({ first, second, name }) => {
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      await to.call("serve", name, "service", 16);
      for (const form of ["call", "callSync"])
        assert.is(await from.call("callSeries", name, "service", RECORDS / 4, form), RECORDS / 4);
      await rejected("DEADLOCK", to.call("callSeries", name, "service", 1, "callSync"));
      await to.call("serveNoLonger", "service");
    }
  },
  "what one sets in a cache the other gets, and a value is computed once": async ({
    first,
    second,
    name,
  }) => {
    let sets = 0;
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      for (const key of ["a key", "ключ 🗝", ""]) {
        const value = { key, list: [1.5, null, `of ${sets}`] };
        assert.is(await from.call("cacheValue", name, "cache", key, value), ++sets);
        assert.equal(await to.call("cachedValue", name, "cache", key), value);
      }
      const computed = [from, to].map((one, index) =>
        one.call<number>("cachedValue", name, "cache", `computed ${sets}`, [index]),
      );
      const [one, other] = await Promise.all(computed);
      assert.equal(one, other);
    }
  },
  "the newest value is seen whole": async ({ first, second, name }) => {
    const values = {
      small: { number: 7, text: "seven ✓", position: [1, 2.5, -3] },
      large: { number: 8, bytes: new Uint8Array(4000).map((_, i) => i) },
    };
    for (const [size, value] of Object.entries(values)) {
      await first.call("writeLatest", name, size, value);
      assert.equal(await second.call("readLatest", name, size), value);
      for (const next of ["nextLatest", "nextLatestSync"]) {
        const newer = { ...value, number: value.number + 1 };
        const seen = second.call(next, name, size);
        await settle();
        await first.call("writeLatest", name, size, newer);
        assert.equal(await seen, newer);
      }
    }
  },
};

/** How a death looks from the other side; the victim is another process each time. */
async function producerDies(first: Runtime, second: Runtime, receive: string): Promise<void> {
  await between(first, second, async (pair) => {
    await pair.second.call("open", pair.name);
    await ringBetween(pair.first, pair.second, pair.name, "dying");
    await pair.first.call("sendSeries", "dying", 0, 2);
    await pair.second.call("receiveSeries", "dying", 0, 2);
    const ended = rejected("PEER_DIED", pair.second.call(receive, "dying"));
    await settle();
    await pair.first.kill();
    await ended;
    // The survivor goes on with whoever comes next; here it is itself.
    await pair.second.call("producer", pair.name, "dying", RING_BYTES);
    await pair.second.call("sendSeries", "dying", 2, 2);
    await pair.second.call("receiveSeries", "dying", 2, 2);
  });
}

async function consumerDies(first: Runtime, second: Runtime, send: string): Promise<void> {
  await between(first, second, async (pair) => {
    await pair.second.call("open", pair.name);
    await ringBetween(pair.first, pair.second, pair.name, "dying");
    const bytes = new Uint8Array(100);
    const records = await pair.first.call<number>("fill", "dying", bytes);
    const ended = rejected("PEER_DIED", pair.first.call(send, "dying", bytes));
    await settle();
    await pair.second.kill();
    await ended;
    await pair.first.call("consumer", pair.name, "dying", RING_BYTES);
    for (let i = 0; i < records; i++) assert.equal(await pair.first.call("tryReceive", "dying"), bytes);
    assert.is(await pair.first.call("tryReceive", "dying"), undefined);
  });
}

/** What the dead one has taken goes to the other one, which waits for it. */
async function takerDies(first: Runtime, second: Runtime): Promise<void> {
  await between(first, second, async (pair) => {
    await pair.second.call("open", pair.name);
    for (const one of [pair.first, pair.second]) await one.call("openQueue", pair.name, "dying", 5);
    await pair.second.call("queueSeries", "dying", 7, 1, "send");
    assert.is(await pair.first.call("takeQueued", "dying", 7), 1);
    const taken = pair.second.call("takeQueued", "dying", 7);
    await settle();
    await pair.first.kill();
    assert.is(await taken, 2);
  });
}

async function between(first: Runtime, second: Runtime, act: (pair: Pair) => Promise<void>): Promise<void> {
  const name = segmentName("pair");
  const agents = await Agent.startAll([first, second], ACTIONS);
  try {
    const [one, other] = agents;
    await one.call("create", name, { bytes: MiB });
    await act({ first: one, second: other, name });
  } finally {
    await Promise.all(agents.map((agent) => agent.end()));
  }
}

/** Adds every behaviour of one ordered pair to a suite; one pair of processes serves all that end well. */
export function pairSuite(first: Runtime, second: Runtime): Test {
  const test = suite(`${first.name} → ${second.name}`);
  let pair: Pair | undefined;
  test.before(async () => {
    const agents = await Agent.startAll([first, second], ACTIONS);
    pair = { first: agents[0], second: agents[1], name: segmentName("pair") };
    await pair.first.call("create", pair.name, { bytes: MiB });
  });
  test.after(async () => {
    await Promise.all([pair?.first.end(), pair?.second.end()]);
  });
  for (const [what, behaviour] of Object.entries(behaviours)) {
    test(what, async () => {
      assert.ok(pair, "the processes did not start");
      await behaviour(pair as Pair);
    });
  }
  test("the death of the producer is noticed", () => producerDies(first, second, "receive"));
  test("the death of the producer is noticed by a blocked thread", () =>
    producerDies(first, second, "receiveSync"));
  test("the death of the consumer is noticed", () => consumerDies(first, second, "send"));
  test("the death of the consumer is noticed by a blocked thread", () =>
    consumerDies(first, second, "sendSync"));
  test("what a dead consumer of a queue had taken comes to the other one", () => takerDies(first, second));
  return test;
}
