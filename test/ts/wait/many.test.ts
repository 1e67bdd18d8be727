/** What an event costs does not depend on how many wait: attempts are counted, not time. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DIRECTORY_WAITERS_OFFSET } from "../../../protocol/layout.js";
import type { AbortSource } from "../../../ts/arguments.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import type { Condition, QueuedWait } from "../../../ts/wait/condition.js";
import type { Queue } from "../../../ts/wait/queue.js";
import { internal } from "../../lib/internals.js";
import { until, within } from "../../lib/watchdog.js";

const waiting = internal<typeof import("../../../ts/wait/wait.js")>("wait/wait");
const queues = internal<typeof import("../../../ts/wait/queue.js")>("wait/queue");
const attachments = internal<typeof import("../../../ts/segment/attachment.js")>("segment/attachment");
const region = internal<typeof import("../../../ts/host/region.js")>("host/region");

const FEW = 100;
const MANY = 20_000;

/** A segment, and what the parts of the API see of it. */
function attached(): { segment: Segment; attachment: Attachment } {
  const { prototype } = attachments.Attachment;
  const { join } = prototype;
  let attachment: Attachment | undefined;
  prototype.join = function (this: Attachment): void {
    attachment = this;
    join.call(this);
  };
  try {
    const segment = Segment.createAnonymous({ bytes: MiB });
    return { segment, attachment: attachment as Attachment };
  } finally {
    prototype.join = join;
  }
}

/** Things that waits take, in a segment of their own, and how often somebody looked for one. */
class Things {
  readonly segment: Segment;
  readonly attachment: Attachment;
  readonly waiters: number;
  there = 0;
  attempts = 0;
  rechecks = 0;
  version: number | undefined;
  readonly queue: Queue<QueuedWait> | undefined;

  constructor(queued: boolean, scene = attached(), waiters = DIRECTORY_WAITERS_OFFSET) {
    this.segment = scene.segment;
    this.attachment = scene.attachment;
    this.waiters = waiters;
    this.queue = queued ? new queues.Queue<QueuedWait>() : undefined;
  }

  condition(): Condition<string> {
    const condition: Condition<string> = {
      what: "waiting for a thing",
      waiters: this.waiters,
      queue: this.queue,
      attempt: () => {
        this.attempts++;
        if (this.there === 0) return waiting.NOT_YET;
        this.there--;
        return "thing";
      },
      recheck: () => {
        this.rechecks++;
      },
    };
    if (this.version !== undefined) condition.version = () => this.version as number;
    return condition;
  }

  wait(options: { timeoutMs?: number; signal?: AbortSource } = {}): Promise<string> {
    const { timeoutMs = Infinity, signal } = options;
    return waiting.wait(this.attachment, this.condition(), { timeoutMs, signal });
  }

  /** What a peer does that puts things there. */
  put(count: number): void {
    this.there += count;
    this.attachment.notify(this.waiters);
  }

  /** Until all sleep, and nobody looks any more: a look at many takes several turns. */
  async asleep(): Promise<void> {
    let seen = -1;
    await until("all sleep", () => {
      const quiet = this.attempts === seen;
      seen = this.attempts;
      return quiet && this.attachment.sleepers.has(this.waiters);
    });
  }
}

/** How many attempts it takes while so many wait. */
async function attemptsOf(
  count: number,
  queued: boolean,
  action: (things: Things, waits: Promise<string>[]) => Promise<unknown>,
  version?: number,
): Promise<number> {
  const things = new Things(queued);
  things.version = version;
  const waits = Array.from({ length: count }, () => things.wait());
  const ended = Promise.allSettled(waits);
  await things.asleep();
  things.attempts = things.rechecks = 0;
  await within("the action", action(things, waits));
  const { attempts, rechecks } = things;
  things.segment.close();
  await within("the end", ended);
  return attempts - rechecks; // a look follows each recheck, and how many there were is a matter of time
}

async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    return `was not rejected: ${await promise}`;
  } catch (error) {
    return String(error instanceof Error ? error.message : error);
  }
}

test("of a queue only the first is looked at when a change is notified", async () => {
  const served = async (things: Things, waits: Promise<string>[]): Promise<void> => {
    things.put(1);
    await waits[0];
  };
  for (const count of [FEW, MANY]) assert.ok((await attemptsOf(count, true, served)) <= 10, `${count}`);
});

test("each of a queue is served after a few looks, however many there are", async () => {
  const all = async (things: Things, waits: Promise<string>[]): Promise<void> => {
    things.put(waits.length);
    await Promise.all(waits);
  };
  for (const count of [FEW, MANY]) assert.ok((await attemptsOf(count, true, all)) <= 3 * count, `${count}`);
});

test("an abort, a timeout and a call that is served right away look at nobody else", async () => {
  const others = async (things: Things): Promise<void> => {
    const controller = new AbortController();
    const aborted = rejection(things.wait({ signal: controller.signal }));
    controller.abort(new Error("enough"));
    assert.is(await aborted, "enough");
    assert.match(await rejection(things.wait({ timeoutMs: 1 })), /TIMED_OUT/);
    const other = new Things(true);
    other.there = 1;
    assert.is(await other.wait(), "thing");
    other.segment.close();
  };
  for (const queued of [true, false]) {
    for (const count of [FEW, MANY]) {
      assert.ok((await attemptsOf(count, queued, others, 1)) <= 10, `${count} ${queued}`);
    }
  }
});

test("a bell for something else makes nobody look", async () => {
  const bell = async (things: Things): Promise<void> => {
    const { signaled, ended } = await otherWait(things);
    signaled();
    await ended;
  };
  for (const count of [FEW, MANY]) assert.is(await attemptsOf(count, true, bell), 0, `${count}`);
});

/** A wait for another object of the same opener, and what a peer does that ends it. */
async function otherWait(things: Things): Promise<{ signaled(): void; ended: Promise<void> }> {
  const event = things.segment.event("other");
  const peer = Segment.fromHandle(things.segment.handle);
  const ended = event.wait().finally(() => peer.close());
  await until("the event is waited for", () => things.attachment.sleepers.size > 1);
  things.attempts = things.rechecks = 0; // the directory is what the things stand for: the event was put there
  return { ended, signaled: () => peer.event("other").signal() };
}

test("conditions that say their version are looked at when it has changed", async () => {
  const unchanged = async (things: Things): Promise<void> => {
    things.attachment.notify(things.waiters);
    await until("a recheck", () => things.rechecks > 0);
    things.rechecks = 0; // without a look
  };
  assert.is(await attemptsOf(MANY, false, unchanged, 1), 0);
  const changed = async (things: Things, waits: Promise<string>[]): Promise<void> => {
    things.version = 2;
    things.put(waits.length);
    await Promise.all(waits);
  };
  assert.ok((await attemptsOf(MANY, false, changed, 1)) <= 2 * MANY);
});

test("a recheck asks for one of a queue, and for one of those that say their version", async () => {
  for (const [queued, version] of [
    [true, undefined],
    [false, 1],
  ] as const) {
    const things = new Things(queued);
    things.version = version;
    const waits = Array.from({ length: MANY }, () => rejection(things.wait()));
    await until("a recheck", () => things.rechecks > 0);
    assert.ok(things.rechecks < MANY / 2, `${things.rechecks}`);
    things.segment.close();
    await Promise.all(waits);
  }
});

test("many that time out together look a few times each", async () => {
  for (const queued of [true, false]) {
    const things = new Things(queued);
    const waits = Array.from({ length: MANY }, () => rejection(things.wait({ timeoutMs: 30 })));
    for (const error of await within("all ends", Promise.all(waits))) assert.match(error, /TIMED_OUT/);
    // A queued one: one look as the first, and one when its time is over. The others: one per turn that they were awake.
    assert.ok(things.attempts - things.rechecks <= 40 * MANY, `${things.attempts}`);
    assert.is(things.attachment.sleepers.size, 0);
    things.segment.close();
  }
});

test("closing an end tells a whole queue", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const consumer = segment.ring("r", { bytes: 4096 }).consumer();
  const waits = Array.from({ length: MANY }, () => rejection(consumer.receive()));
  consumer.close();
  for (const error of await within("all ends", Promise.all(waits))) assert.match(error, /CLOSED/);
});

test("one who joins a group that sleeps is served by the next change", async () => {
  const things = new Things(false);
  const first = things.wait();
  await things.asleep();
  const second = things.wait();
  things.put(2);
  assert.equal(await within("both", Promise.all([first, second])), ["thing", "thing"]);
  things.segment.close();
});

test("lookAgain serves what sleeps without a bell", async () => {
  const things = new Things(true);
  const waits = [things.wait(), things.wait()];
  await things.asleep();
  things.there = 2;
  waiting.lookAgain(things.attachment, things.waiters);
  // Two hops for each: its look, and what the promise does.
  for (let hop = 0; hop < 20; hop++) await undefined;
  assert.is(things.there, 0);
  assert.equal(await Promise.all(waits), ["thing", "thing"]);
  things.segment.close();
});

test("a bell serves what sleeps, before any recheck does", async () => {
  // On a machine that stops for a while the recheck may come first: then it is tried again.
  for (let tries = 0; ; tries++) {
    const things = new Things(false);
    const sleeping = things.wait();
    await things.asleep();
    things.rechecks = 0;
    things.put(1);
    assert.is(await within("the thing", sleeping), "thing");
    things.segment.close();
    if (things.rechecks === 0) break;
    assert.ok(tries < 20, "only the recheck serves it");
  }
});

test("what ends a wait during its look comes after the look: a thing that was taken is given", async () => {
  const things = new Things(true);
  const controller = new AbortController();
  const condition = things.condition();
  const { attempt } = condition;
  condition.attempt = () => {
    if (things.there > 0) controller.abort(new Error("during the look")); // as a codec of the user may do
    return attempt();
  };
  const waits = (): Promise<string> =>
    waiting.wait(things.attachment, condition, { timeoutMs: Infinity, signal: controller.signal });
  const given = waits();
  things.put(1);
  assert.is(await within("the thing", given), "thing");
  assert.is(things.queue?.length, 0);
  things.segment.close();
});

test("what ends a wait during a look in vain rejects it right after", async () => {
  const things = new Things(true);
  const controller = new AbortController();
  const condition = things.condition();
  let looks = 0;
  let failures = 0;
  condition.attempt = () => {
    if (++looks === 2) controller.abort(new Error("during the look"));
    return waiting.NOT_YET;
  };
  condition.failed = (gaveUp) => {
    assert.ok(gaveUp);
    failures++;
  };
  const { signal } = controller;
  const given = waiting.wait(things.attachment, condition, { timeoutMs: Infinity, signal });
  assert.is(await within("a rejection", rejection(given)), "during the look");
  assert.is(failures, 1);
  assert.is(looks, 2);
  assert.is(things.queue?.length, 0);
  things.segment.close();
});

test("a wait that blocks behind the same bit hides no bell from those that sleep", async () => {
  // The recheck would serve them as well, only later; on a stopped machine it may even come first.
  for (let tries = 0; ; tries++) {
    const things = new Things(false);
    const sleeping = things.wait();
    await things.asleep();
    things.rechecks = 0;
    const { native } = region; // the shim is loaded by now
    const { wait: sleep } = native;
    let sleeps = 0;
    native.wait = () => {
      if (sleeps++ === 0) things.put(1);
    };
    const other: Condition<string> = {
      what: "waiting for something else",
      waiters: things.waiters,
      attempt: () => (sleeps > 1 ? "else" : waiting.NOT_YET),
      recheck: () => {},
    };
    try {
      waiting.waitSync(things.attachment, other, { timeoutMs: Infinity, signal: undefined });
    } finally {
      native.wait = sleep;
    }
    assert.is(await within("the thing", sleeping), "thing");
    things.segment.close();
    if (things.rechecks === 0) break;
    assert.ok(tries < 20, "only the recheck has served it");
  }
});

/** What a program can wait for many times over, with an opener that waits and a peer that has what is waited for. */
const AMONG_MANY: Record<string, (segment: Segment, peer: Segment) => (turn: number) => Promise<unknown>> = {
  "an object": (segment) => (turn) => segment.waitForObject(`none ${turn % 100}`),
  "a producer's end": (segment, peer) => {
    peer.ring("ring", { bytes: 1024 }).producer();
    const ring = segment.ring("ring", { bytes: 1024 });
    return () => ring.waitForProducer();
  },
  "a consumer's end": (segment, peer) => {
    peer.ring("ring", { bytes: 1024 }).consumer();
    const ring = segment.ring("ring", { bytes: 1024 });
    return () => ring.waitForConsumer();
  },
  "a publisher's end": (segment, peer) => {
    peer.broadcast("topic", { bytes: 1024 }).publisher();
    const topic = segment.broadcast("topic", { bytes: 1024 });
    return () => topic.waitForPublisher();
  },
  "a value that another task computes": (segment, peer) => {
    const never = () => new Promise<Uint8Array>(() => {});
    for (const key of ["a", Uint8Array.of(97)])
      void peer.cache("cache", { bytes: MiB / 2 }).getOrSet(key, never);
    const cache = segment.cache("cache", { bytes: MiB / 2 });
    return (turn) => cache.getOrSet(turn % 2 ? "a" : Uint8Array.of(97), never);
  },
};

for (const [what, prepare] of Object.entries(AMONG_MANY)) {
  test(`however many wait for ${what}, a recheck looks for few of them`, async () => {
    const { segment, attachment } = attached();
    const peer = Segment.fromHandle(segment.handle);
    const start = prepare(segment, peer);
    const waits = Array.from({ length: 2000 }, (_, turn) => rejection(start(turn)));
    const { Wait } = internal<typeof import("../../../ts/wait/pending.js")>("wait/pending");
    const { look, recheck } = Wait.prototype;
    let looks = 0;
    let rechecks = 0;
    Wait.prototype.look = function (this: typeof Wait.prototype): void {
      looks++;
      look.call(this);
    };
    Wait.prototype.recheck = function (this: typeof Wait.prototype): void {
      rechecks++;
      recheck.call(this);
    };
    try {
      await until("all sleep", () => attachment.sleepers.size > 0);
      await until("a recheck", () => rechecks > 0);
      looks = rechecks = 0;
      await until("two rechecks more", () => rechecks > 1);
      assert.ok(looks + rechecks < 50, `${looks} looks, ${rechecks} rechecks`);
    } finally {
      Wait.prototype.look = look;
      Wait.prototype.recheck = recheck;
      segment.close();
      peer.close();
    }
    for (const error of await within("the end", Promise.all(waits))) assert.match(error, /closed/);
  });
}

test("tasks that wait for one value of a cache get it, however many they are", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const cache = segment.cache("cache", { bytes: MiB / 2 });
  let computed = 0;
  const compute = async () => {
    if (++computed < 3) throw new Error("not yet");
    return Uint8Array.of(7);
  };
  const all = Array.from({ length: 1000 }, () => cache.getOrSet("key", compute));
  const ended = await within("all ends", Promise.allSettled(all));
  assert.is(computed, 3);
  assert.is(ended.filter(({ status }) => status === "rejected").length, 2);
});

test.run();
