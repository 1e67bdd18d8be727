/**
 * A call is cut off between two calls of the core, or in the function of the user that handles a message (a full stack, a script
 * that is stopped), and the same opener goes on: no slot and no message is missing then.
 */
import vm from "node:vm";
import { MiB, type Queue, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BUSY } from "../../../protocol/errors.js";
import type { Core } from "../../../ts/core.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { exportsOf } from "../../lib/internals.js";
import { refused } from "../../lib/refusals.js";
import { until } from "../../lib/watchdog.js";

const CUT = new RangeError("cut off");
const CAPACITY = 5;

type Name = "queueClaim" | "queueSend" | "queueTake" | "queueDone" | "queueGiveBack";

/** A queue of a segment whose core is cut off in one call of this function in so many. */
function ground(name: Name, when: "before" | "after", oneIn: number) {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const probe = segment.ring("probe", { bytes: 64 }).producer();
  const { attachment } = probe as unknown as { attachment: Attachment };
  const real = attachment.core[name] as (...args: number[]) => number;
  const cutter = { enabled: true };
  let calls = 0;
  const cutting = (...args: number[]): number => {
    const cut = cutter.enabled && ++calls % oneIn === 0;
    if (cut && when === "before") throw CUT;
    const result = real(...args);
    if (cut) throw CUT;
    return result;
  };
  (attachment as { core: Core }).core = { ...exportsOf(attachment.core), [name]: cutting };
  return { segment, cutter, queue: segment.queue("q", { capacity: CAPACITY, slotBytes: 8 }) };
}

/** What the call gives; undefined when it was cut off. */
function unlessCut<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error !== CUT) throw error;
    return undefined;
  }
}

/** All slots can be used, and no message is in anybody's hands. */
function isWhole(queue: Queue): void {
  queue.tryDrain(() => {});
  for (let i = 0; i < CAPACITY; i++) assert.is(queue.trySend(Uint8Array.of(i)), true, `slot ${i}`);
  assert.is(queue.trySend(Uint8Array.of(0)), false);
  assert.is(queue.stats.taken, 0);
  for (let i = 0; i < CAPACITY; i++) assert.equal(queue.tryReceive(), Uint8Array.of(i));
  assert.is(queue.tryReceive(), undefined);
}

const PLACES: [Name, "before" | "after"][] = [
  ["queueClaim", "before"],
  ["queueSend", "before"],
  ["queueSend", "after"],
  ["queueTake", "before"],
  ["queueDone", "before"],
  ["queueDone", "after"],
];

for (const [name, when] of PLACES) {
  for (const oneIn of [1, 2, 3]) {
    test(`nothing is missing when one ${name} in ${oneIn} was cut off ${when} its work`, () => {
      const { segment, cutter, queue } = ground(name, when, oneIn);
      const sent: number[] = [];
      const came: number[] = [];
      for (let i = 0; i < 60; i++) {
        if (unlessCut(() => queue.trySend(Uint8Array.of(i)))) sent.push(i);
        if (i % 3 === 0) unlessCut(() => queue.tryTake()?.giveBack());
        const message = unlessCut(() => queue.tryReceive());
        if (message) came.push(message[0] as number);
      }
      cutter.enabled = false;
      queue.tryDrain((job) => came.push(job.bytes[0] as number) && undefined);
      // A receive whose end was cut off after the message was done has lost it, as one that is killed there.
      if (name !== "queueDone") for (const one of sent) assert.ok(came.includes(one), `${one} is lost`);
      assert.is(new Set(came).size, came.length, "a message came twice");
      isWhole(queue);
      segment.close();
    });
  }
}

for (const when of ["before", "after"] as const) {
  test(`a job whose giveBack was cut off ${when} its work can be given back again, or is`, () => {
    const { segment, cutter, queue } = ground("queueGiveBack", when, 1);
    queue.trySend(Uint8Array.of(1));
    const job = queue.tryTake();
    assert.is(
      unlessCut(() => job?.giveBack() ?? true),
      undefined,
    );
    cutter.enabled = false;
    const again = (): void => job?.giveBack();
    if (when === "before") again();
    else refused("CORRUPT", again);
    assert.equal(queue.tryReceive(), Uint8Array.of(1));
    isWhole(queue);
    segment.close();
  });
}

test("a slot that cannot be given back now is given back by the next call", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const probe = segment.ring("probe", { bytes: 64 }).producer();
  const { attachment } = probe as unknown as { attachment: Attachment };
  const { queueSend, queueCancel } = attachment.core;
  let busy = true;
  const busily =
    (real: (...args: number[]) => number) =>
    (...args: number[]): number =>
      busy ? BUSY : real(...args);
  (attachment as { core: Core }).core = {
    ...exportsOf(attachment.core),
    queueSend: busily(queueSend as never),
    queueCancel: busily(queueCancel as never),
  };
  const queue = segment.queue("q", { capacity: CAPACITY, slotBytes: 8 });
  assert.is(queue.trySend(Uint8Array.of(1)), false);
  refused("BUSY", () => queue.trySend(Uint8Array.of(1)), /queue "q": others changed it/);
  busy = false;
  isWhole(queue);
});

test("the heartbeat gives a message back whose handling was stopped", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const queue = segment.queue("q", { capacity: CAPACITY, slotBytes: 8 });
  queue.trySendMany([Uint8Array.of(1), Uint8Array.of(2)]);
  const context = vm.createContext({ queue });
  const script = "queue.tryDrain(() => { for (;;); })";
  // The time may be over before the function is called.
  for (let timeout = 20; queue.stats.taken === 0; timeout *= 2) {
    assert.throws(() => vm.runInContext(script, context, { timeout }), /timed out/);
  }
  await until("it is given back", () => queue.stats.taken === 0);
  assert.equal([queue.tryReceive()?.[0], queue.tryReceive()?.[0]], [1, 2]);
  isWhole(queue);
});

test.run();
