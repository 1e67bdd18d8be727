/** Who is alive is what the kernel says: not descriptors, not process ids, not the time since the last sign of life. */
import { readFileSync } from "node:fs";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { STALLED_MS } from "../../protocol/limits.js";
import { Agent } from "../lib/processes.js";
import { refused, rejected } from "../lib/refusals.js";
import { node, presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { noNamespaces, noStops, onlyLinux, unless } from "../lib/skips.js";
import { pause, until } from "../lib/watchdog.js";

const ACTIONS = "failures/actions.ts";
const RING = 4 * KiB;

/** Makes a segment, and a child that holds the producer's end of its ring. */
async function scene(through: string[] = []): Promise<{ segment: Segment; child: Agent }> {
  const segment = Segment.create(segmentName("live"), { bytes: MiB });
  const child = await Agent.start(node, ACTIONS, { through });
  await child.call("open", segment.name);
  await child.call("producer", segment.name, "ring", RING);
  return { segment, child };
}

/** The end is free for others: its owner is known to be dead. */
async function becomesFree(segment: Segment): Promise<void> {
  await until("the end of the dead owner is free", () => {
    try {
      segment.ring("ring", { bytes: RING }).producer().close();
      return true;
    } catch {
      return false;
    }
  });
}

test("opening and closing the same object elsewhere in the process does not end its life", async () => {
  for (const runtime of presentRuntimes()) {
    using segment = Segment.create(segmentName("touch"), { bytes: MiB });
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("open", segment.name);
    await child.call("producer", segment.name, "ring", RING);
    await child.call("touchFile", segment.name);
    refused("BUSY", () => segment.ring("ring", { bytes: RING }).producer());
    const states = segment.participants().map(({ state }) => state);
    assert.equal(states, ["live", "live"]);
    await child.end();
  }
});

unless(onlyLinux("zombies"), test)(
  "a dead owner is dead while its parent has not waited for it",
  async () => {
    using segment = Segment.create(segmentName("zombie"), { bytes: MiB });
    // The shell starts the child and becomes a program that never waits for children.
    const script = 'exec 3<&0; "$@" <&3 & exec sleep 600 3<&- >/dev/null 2>&1';
    const child = await Agent.start(node, ACTIONS, { through: ["sh", "-c", script, "sh"] });
    await child.call("open", segment.name);
    await child.call("producer", segment.name, "ring", RING);
    process.kill(child.pid, "SIGKILL");
    await until("the child is a zombie", () =>
      /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${child.pid}/stat`, "latin1")),
    );
    await becomesFree(segment);
    assert.match(readFileSync(`/proc/${child.pid}/stat`, "latin1"), /^\d+ \(.*\) Z/);
    await child.kill();
  },
);

test("a child that inherited everything does not keep its dead parent alive", async () => {
  const { segment, child } = await scene();
  await child.call("handle", segment.name);
  const orphan = await child.call<number>("leaveChild");
  try {
    await child.kill();
    await becomesFree(segment);
    process.kill(orphan, 0);
  } finally {
    process.kill(orphan, "SIGKILL");
    segment.close();
  }
});

test("an anonymous segment reaches a child by its handle, and the locks of both stay apart", async () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const child = await Agent.start(node, ACTIONS);
  await child.call("fromHandle", "given", segment.handle);
  await child.call("producer", "given", "ring", RING);
  refused("BUSY", () => segment.ring("ring", { bytes: RING }).producer());
  await child.kill();
  await becomesFree(segment);
  segment.close();
});

const NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child"];

unless(noNamespaces("--pid", "--fork"), test)(
  "equal process ids in two pid namespaces are two owners",
  async () => {
    const { segment, child } = await scene(NAMESPACES);
    const twin = await Agent.start(node, ACTIONS, { through: NAMESPACES });
    await twin.call("open", segment.name);
    assert.is(twin.pid, child.pid);
    await rejected("BUSY", twin.call("producer", segment.name, "ring", RING));
    await child.kill();
    await becomesFree(segment);
    // A process with the very id of the dead owner lives on, and takes its place.
    await twin.call("producer", segment.name, "ring", RING);
    refused("BUSY", () => segment.ring("ring", { bytes: RING }).producer());
    await twin.end();
    segment.close();
  },
);

unless(noNamespaces("--pid", "--fork"), test)(
  "an owner in another pid namespace is dead when it died, not when its id is free",
  async () => {
    const { segment, child } = await scene(NAMESPACES);
    assert.is(child.pid, 1);
    process.kill(1, 0); // in our namespace that id lives
    await child.kill();
    await becomesFree(segment);
    segment.close();
  },
);

unless(noStops, test)("a consumer that was stopped for long is not taken for dead, and goes on", async () => {
  using segment = Segment.create(segmentName("stalled"), { bytes: MiB });
  const child = await Agent.start(node, ACTIONS);
  await child.call("open", segment.name);
  await child.call("consumer", segment.name, "ring", RING);
  const producer = segment.ring("ring", { bytes: RING }).producer();
  const bytes = new Uint8Array(100).fill(1);
  child.signal("SIGSTOP");
  let sent = 0;
  while (producer.trySend(bytes)) sent++;
  const waiting = producer.send(bytes, { timeoutMs: 60_000 });
  await pause(STALLED_MS + 1500);
  refused("BUSY", () => segment.ring("ring", { bytes: RING }).consumer());
  const stalled = segment.participants().find(({ pid }) => pid === child.pid);
  assert.is(stalled?.state, "live");
  assert.is(stalled?.stalled, true);
  child.signal("SIGCONT");
  for (let i = 0; i <= sent; i++) assert.equal(await child.call("receive", "ring"), bytes);
  await waiting;
  producer.close();
  assert.is(await child.call("receive", "ring"), undefined);
  await child.end();
});

unless(noStops, test)(
  "a blocked sender learns of the death of a stopped consumer only when it dies",
  async () => {
    using segment = Segment.create(segmentName("stopped"), { bytes: MiB });
    const child = await Agent.start(node, ACTIONS);
    await child.call("open", segment.name);
    await child.call("consumer", segment.name, "ring", RING);
    const producer = segment.ring("ring", { bytes: RING }).producer();
    const bytes = new Uint8Array(100);
    child.signal("SIGSTOP");
    while (producer.trySend(bytes));
    await rejected("TIMED_OUT", producer.send(bytes, { timeoutMs: 400 }));
    refused("TIMED_OUT", () => producer.sendSync(bytes, { timeoutMs: 400 }));
    const sending = rejected("PEER_DIED", producer.send(bytes, { timeoutMs: 60_000 }));
    await child.kill();
    await sending;
  },
);

test.run();
