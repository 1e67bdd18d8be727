/** Publishers and subscribers in processes of their own: what comes and what is lost is what was published, whoever dies. */
import { type Broadcast, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BROADCAST_WAITERS_OFFSET, WAITERS_WORDS_OFFSET } from "../../../protocol/layout.js";
import { someOf } from "../../lib/depth.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { node, presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { forget, keep, segmentName } from "../../lib/segments.js";
import { until, within } from "../../lib/watchdog.js";
import type { Count } from "./broadcast-actions.js";

const ACTIONS = "ts/broadcast/broadcast-actions.ts";
const WAYS = ["loop", "receive", "receiveSync", "peek", "drain"];
const BYTES = 4096;
/** More than the bytes have room for. */
const FIRST = 100;
const REST = 5000;

async function agent(runtime: Runtime, name: string, access: string): Promise<Agent> {
  const one = await Agent.start(runtime, ACTIONS);
  await one.call("open", name, access, BYTES);
  return one;
}

for (const runtime of presentRuntimes()) {
  for (const access of ["read-write", "read-only"]) {
    test(`received and lost is published, while a fast publisher overwrites: ${runtime.name}, ${access}`, async () => {
      const name = segmentName("topic");
      const fast = await agent(node, name, "create");
      const slow = await agent(runtime, name, access);
      for (const way of WAYS) {
        await fast.call("takeEnd");
        await slow.call("subscribe");
        const before = await fast.call<number>("published");
        await fast.call("publish", FIRST);
        const reading = slow.call<Count>("readToEnd", way);
        await fast.call("publish", REST);
        await fast.call("closeEnd");
        const { received, lost, last, end } = await within(way, reading);
        assert.is(end, "closed", way);
        assert.is(received + lost, FIRST + REST, `${way}: ${received} received, ${lost} lost`);
        assert.ok(received > 0 && lost > 0, `${way}: ${received} received, ${lost} lost`);
        assert.is(last, before + FIRST + REST, way);
      }
      await Promise.all([fast.end(), slow.end()]);
      forget(name);
    });
  }
}

/** Whether a participant sleeps until there is a record. */
function waits(name: string, slot: number): boolean {
  const word = peek32(name, objectOffset(name, "t") + BROADCAST_WAITERS_OFFSET + WAITERS_WORDS_OFFSET);
  return ((word >>> slot) & 1) !== 0;
}

for (const how of ["killed", "ended without close"]) {
  for (const access of ["read-write", "read-only"]) {
    for (const way of someOf(["loop", "receiveSync"], 2)) {
      test(`a subscriber is told that its publisher was ${how}, and goes on with the next one (${way}, ${access})`, async () => {
        const name = segmentName("topic");
        // Nobody else is there who could find out.
        const dying = await agent(node, name, "create");
        await dying.call("takeEnd");
        const reader = await agent(node, name, access);
        await reader.call("subscribe");
        await dying.call("publish", 5);
        const reading = reader.call<Count>("readToEnd", way);
        if (access === "read-write") await until("the reader sleeps", () => waits(name, 1));
        if (how === "killed") await dying.kill();
        else {
          await dying.call("exit");
          await dying.ended;
        }
        assert.equal(await within("the end", reading), {
          ...{ received: 5, lost: 0, first: 1, last: 5, end: "PEER_DIED" },
        });
        const next = await agent(node, name, "read-write");
        await next.call("takeEnd");
        const again = reader.call<Count>("readToEnd", way);
        await next.call("publish", 3);
        await next.call("closeEnd");
        assert.equal(await within("the next end", again), {
          ...{ received: 3, lost: 0, first: 6, last: 8, end: "closed" },
        });
        await Promise.all([reader.end(), next.end()]);
        forget(name);
      });
    }
  }
}

/** Everything until the newest record: how many, and each is the next one or some are lost. */
function readAll(topic: Broadcast, subscriber: ReturnType<Broadcast["subscriber"]>): number {
  let received = 0;
  const { published } = topic.stats;
  for (let one = subscriber.tryReceive(); one; one = subscriber.tryReceive()) {
    received++;
    if (new DataView(one.buffer).getUint32(0) >= published) break;
  }
  return received;
}

test("publishers are killed at any moment: no number is missing, and none comes twice", async () => {
  using segment = Segment.create(segmentName("topic"), { bytes: 2 ** 20 });
  const topic = segment.broadcast("t", { bytes: BYTES });
  const subscriber = topic.subscriber();
  let received = 0;
  for (let round = 0; round < 8; round++) {
    const dying = await agent(node, segment.name, "read-write");
    await dying.call("takeEnd");
    const before = topic.stats.published;
    await dying.call("publishForEver");
    await until("it publishes", () => topic.stats.published > before + 300 * round);
    if (round % 2 === 0) received += readAll(topic, subscriber);
    await dying.kill();
    received += readAll(topic, subscriber);
    const publisher = await within("the end is free", topic.waitForPublisher());
    assert.is(subscriber.tryReceive(), undefined);
    publisher.publish(Uint8Array.of(255, 255, 255, 255));
    assert.equal(subscriber.tryReceive(), Uint8Array.of(255, 255, 255, 255));
    received++;
    assert.is(received + subscriber.lost, topic.stats.published);
    publisher.close();
  }
  segment.unlink();
});

test("who subscribes after a death is told of the next one only, and nobody else has noticed it", async () => {
  const name = segmentName("topic");
  const dying = await agent(node, name, "create");
  await dying.call("takeEnd");
  keep(name);
  await dying.kill();
  const looking = await agent(node, name, "read-only");
  const taking = await agent(node, name, "read-write");
  for (const one of [looking, taking]) await one.call("subscribe");
  const ends = [looking, taking].map((one) => one.call<Count>("readToEnd", "loop"));
  const next = await agent(node, name, "read-write");
  await next.call("takeEnd");
  await next.call("publish", 2);
  await next.call("closeEnd");
  for (const end of ends)
    assert.equal(await within("the end", end), { received: 2, lost: 0, first: 1, last: 2, end: "closed" });
  await Promise.all([looking, taking, next].map((one) => one.end()));
  forget(name);
});

test.run();
