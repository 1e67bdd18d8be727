/** Servers and callers that are killed or stopped in the middle of calls: each call is answered once, or its caller knows. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { evictSlot, stop } from "../../lib/evict.js";
import { Agent } from "../../lib/processes.js";
import { rejected } from "../../lib/refusals.js";
import { presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { noStops, unless } from "../../lib/skips.js";
import { until, within } from "../../lib/watchdog.js";

const ACTIONS = "ts/service/service-actions.ts";
const SIZES = { requestBytes: 8, responseBytes: 8, capacity: 8 };
const [node] = presentRuntimes();

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

async function agent(name: string, runtime = node as Runtime): Promise<Agent> {
  const one = await Agent.start(runtime, ACTIONS);
  await one.call("open", name);
  return one;
}

for (const runtime of presentRuntimes()) {
  test(`a server and a caller in other processes (${runtime.name})`, async () => {
    using segment = Segment.create(segmentName("service"), { bytes: MiB });
    const service = segment.service("s", SIZES);
    const other = await agent(segment.name, runtime);
    await other.call("serve");
    assert.equal([...(await service.call(bytes(1, 2)))], [2, 3]);
    assert.equal([...service.callSync(bytes(5))], [6]);
    await other.call("close");
    using _server = service.serve((request) => request.map((byte) => byte + 1));
    assert.is(await other.call("call", 7), 8);
    assert.is(await other.call("callSync", 8), 9);
    assert.equal(await other.call("callMany", 100), { answered: 100 });
    await other.end();
    segment.unlink();
  });

  test(`the death of a server fails the call that it worked on, and no other (${runtime.name})`, async () => {
    using segment = Segment.create(segmentName("service"), { bytes: MiB });
    const service = segment.service("s", SIZES);
    const dying = await agent(segment.name, runtime);
    await dying.call("serve");
    const begun = service.call(bytes(0));
    await until("it has begun", () => service.stats.serving === 1);
    const waiting = service.call(bytes(1));
    const lost = rejected("PEER_DIED", begun); // it may be rejected before this process knows of the death
    await dying.kill();
    await lost;
    assert.equal([service.stats.lost, service.stats.serving], [1, 0]);
    const next = await agent(segment.name, runtime);
    await next.call("serve");
    assert.equal([...(await within("the other call", waiting))], [2]);
    await next.end();
    segment.unlink();
  });
}

test("a call that blocks the thread learns of the death, too", async () => {
  using segment = Segment.create(segmentName("service"), { bytes: MiB });
  const service = segment.service("s", SIZES);
  const dying = await agent(segment.name);
  const caller = await agent(segment.name);
  await dying.call("serve");
  const call = caller.call("callSync", 0).catch((error) => String(error));
  await until("it has begun", () => service.stats.serving === 1);
  await dying.kill();
  assert.match(String(await within("the call", call)), /died, or ended without an answer/);
  await caller.end();
  segment.unlink();
});

test('with "retry" another server gets it', async () => {
  using segment = Segment.create(segmentName("service"), { bytes: MiB });
  const service = segment.service("s", { ...SIZES, onServerDeath: "retry" });
  const dying = await agent(segment.name);
  await dying.call("serve");
  const call = service.call(bytes(0, 7));
  await until("it has begun", () => service.stats.serving === 1);
  await dying.kill();
  await until("it waits again", () => service.stats.waiting === 1 && service.stats.lost === 1);
  using _server = service.serve((request) => request);
  assert.equal([...(await within("the call", call))], [0, 7]);
  segment.unlink();
});

test("a server that ends without closing is like one that died, at once", async () => {
  using segment = Segment.create(segmentName("service"), { bytes: MiB });
  const service = segment.service("s", SIZES);
  const ending = await agent(segment.name);
  await ending.call("serve");
  const call = service.call(bytes(0));
  await until("it has begun", () => service.stats.serving === 1);
  const lost = rejected("PEER_DIED", call);
  await ending.call("exit");
  await lost;
  segment.unlink();
});

test("the death of a caller aborts the signal of its server, and frees its slots", async () => {
  using segment = Segment.create(segmentName("service"), { bytes: MiB });
  const service = segment.service("s", { ...SIZES, capacity: 2 });
  const dying = await agent(segment.name);
  let aborted = 0;
  using server = service.serve(async (request, { signal }) => {
    if (request[0] !== 0) return request;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    aborted++;
    return request;
  });
  await dying.call("begin", 0);
  await dying.call("begin", 0);
  await until("both are there", () => service.stats.serving === 1 && service.stats.waiting === 1);
  await dying.kill();
  await until("the server knows", () => aborted === 1);
  assert.equal([...(await within("a call", service.call(bytes(3))))], [3]);
  assert.equal([server.handled, aborted], [2, 1]);
  segment.unlink();
});

unless(noStops, test)(
  "a server that is stopped keeps its request, and nobody else waits for it",
  async () => {
    using segment = Segment.create(segmentName("service"), { bytes: MiB });
    const service = segment.service("s", SIZES);
    const stopped = await agent(segment.name);
    await stopped.call("serve", 2);
    const cancelling = new AbortController();
    const call = service.call(bytes(0), cancelling);
    await until("it has begun", () => service.stats.serving === 1);
    await stop(stopped);
    using _server = service.serve((request) => request);
    // It may be called although it is stopped: then the next look of a server takes the request.
    for (let value = 1; value < 20; value++)
      assert.equal([...(await within("a call", service.call(bytes(value))))], [value]);
    cancelling.abort();
    await call.catch(() => {});
    process.kill(stopped.pid, "SIGCONT");
    await until("it knows", async () => (await stopped.call<{ aborted: number }>("seen")).aborted === 1);
    await stopped.end();
    segment.unlink();
  },
);

unless(noStops, test)("a server that was removed loses what it works on", async () => {
  using segment = Segment.create(segmentName("service"), { bytes: MiB });
  const service = segment.service("s", SIZES);
  const removed = await Agent.start(node as Runtime, ACTIONS);
  const slot = (await removed.call("open", segment.name)) as number;
  await removed.call("serve");
  const call = service.call(bytes(0));
  await until("it has begun", () => service.stats.serving === 1);
  await stop(removed);
  evictSlot(segment.name, slot);
  await rejected("PEER_DIED", within("the call", call));
  await removed.kill();
  segment.unlink();
});

test("servers that are killed again and again: each call ends once", async () => {
  using segment = Segment.create(segmentName("service"), { bytes: MiB });
  const service = segment.service("s", SIZES);
  const callers = await Promise.all([agent(segment.name), agent(segment.name)]);
  const steady = await agent(segment.name);
  await steady.call("serve", 2);
  const CALLS = 1500;
  const all = Promise.all(callers.map((one) => one.call<Record<string, number>>("callMany", CALLS)));
  let ended = false;
  void all.finally(() => {
    ended = true;
  });
  let killed = 0;
  while (!ended) {
    const dying = await agent(segment.name);
    await dying.call("serve", 2);
    await until(
      "it serves",
      async () => ended || (await dying.call<{ answered: number }>("seen")).answered > 20,
    );
    await dying.kill();
    killed++;
  }
  for (const outcome of await all) {
    const { answered = 0, PEER_DIED = 0, ...others } = outcome;
    assert.equal(others, {});
    assert.is(answered + PEER_DIED, CALLS);
    assert.ok(PEER_DIED <= killed, `${PEER_DIED} lost by ${killed} deaths`);
  }
  for (const one of [...callers, steady]) await one.end();
  await until("all slots are free", () => service.stats.serving + service.stats.waiting === 0);
  const calls = Array.from({ length: SIZES.capacity }, () => service.tryCall(bytes(1), { timeoutMs: 0 }));
  assert.ok(calls.every(Boolean), "slots are lost");
  await Promise.allSettled(calls);
  segment.unlink();
});

test.run();
