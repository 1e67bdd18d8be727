/** Hosts of the hosted core beside Node with the API, in processes of their own, over a real segment; each may be killed. */
import { type Segment, Segment as Segments } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CLOSED, PEER_DIED } from "../../protocol/errors.js";
import { Agent } from "../lib/processes.js";
import { rejected } from "../lib/refusals.js";
import { node } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";

const BYTES = 1 << 20;
const CAPACITY = 4096;
const RECORDS = 2000;

/** A segment of this process, a host, and a process with the API. */
async function between(act: (segment: Segment, host: Agent, peer: Agent, name: string) => Promise<void>) {
  const name = segmentName("hosted");
  const segment = Segments.create(name, { bytes: BYTES });
  const agents: Agent[] = [];
  try {
    agents.push(await Agent.start(node, "core/hosted-actions.ts"));
    agents.push(await Agent.start(node, "lib/actions.ts"));
    const [host, peer] = agents as [Agent, Agent];
    await host.call("enter", name, BYTES);
    await peer.call("open", name);
    await act(segment, host, peer, name);
  } finally {
    for (const agent of agents) await agent.kill();
    segment.close();
  }
}

test("records stream both ways, both sides wait, and the end of a stream is told", () =>
  between(async (segment, host, peer, name) => {
    await peer.call("consumer", name, "there", CAPACITY);
    await host.call("attach", "there", CAPACITY, true);
    const received = peer.call("receiveSeriesSync", "there", 0, RECORDS);
    await host.call("sendSeries", "there", 0, RECORDS);
    assert.is(await received, RECORDS);
    await peer.call("producer", name, "back", CAPACITY);
    await host.call("attach", "back", CAPACITY, false);
    const back = host.call("receiveSeries", "back", 0, RECORDS);
    await peer.call("sendSeries", "back", 0, RECORDS);
    assert.is(await back, RECORDS);
    await peer.call("closeProducer", "back");
    assert.is(await host.call("receiveError", "back"), CLOSED);
    await host.call("closeProducer", "there");
    assert.is(await peer.call("receive", "there"), undefined);
    const before = segment.participants().length;
    await host.call("leave");
    assert.is(segment.participants().length, before - 1);
  }));

test("a host learns of the death of Node at either end, and Node of the death of a host", () =>
  between(async (segment, host, peer, name) => {
    await peer.call("producer", name, "in", CAPACITY);
    await peer.call("consumer", name, "out", CAPACITY);
    await host.call("attach", "in", CAPACITY, false);
    await host.call("attach", "out", CAPACITY, true);
    const told = host.call("receiveError", "in");
    await peer.kill();
    assert.is(await told, PEER_DIED);
    assert.is(await host.call("fillError", "out"), PEER_DIED);
    await host.call("attach", "later", CAPACITY, true);
    const consumer = segment.ring("later", { bytes: CAPACITY }).consumer();
    await host.call("sendSeries", "later", 0, 3);
    for (let i = 0; i < 3; i++) assert.ok(await consumer.receive({ timeoutMs: 40_000 }));
    const ended = rejected("PEER_DIED", consumer.receive({ timeoutMs: 40_000 }));
    await host.kill();
    await ended;
  }));

test("a lock keeps both sides apart, and a host that dies with it is told of", () =>
  between(async (segment, host) => {
    const rounds = 3000;
    const block = segment.heap.allocate(8);
    const lock = segment.lock("lock");
    const counted = host.call("countUp", "lock", block.offset, rounds);
    const word = block.as(Uint32Array);
    for (let round = 0; round < rounds; round++) {
      const held = await lock.acquire("exclusive", { timeoutMs: 40_000 });
      word[0] = (word[0] as number) + 1;
      held.release();
    }
    await counted;
    assert.is(word[0], 2 * rounds);
    assert.is(await host.call("holdLock", "lock"), 0);
    const next = lock.acquire("exclusive", { timeoutMs: 40_000 });
    await host.kill();
    assert.is((await next).ownerDied, true);
  }));

test.run();
