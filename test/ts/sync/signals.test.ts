/** Semaphore, event and counter, also between processes in all runtimes. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SIGNAL_WAITERS_OFFSET, WAITERS_WORDS_OFFSET } from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { noStops } from "../../lib/skips.js";
import { until, within } from "../../lib/watchdog.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
const COUNTS = 20_000;

function openers() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const other = Segment.fromHandle(segment.handle);
  const looking = Segment.fromHandle(segment.handle, { access: "read-only" });
  const close = (): void => {
    for (const one of [looking, other, segment]) one.close();
  };
  return { segment, other, looking, [Symbol.dispose]: close };
}

/** Runs the same in a process per runtime, at the same time. */
async function inEach<T>(segment: Segment, action: string, ...given: unknown[]): Promise<T[]> {
  const agents = await Agent.startAll(presentRuntimes(), ACTIONS);
  for (const agent of agents) await agent.call("open", segment.name);
  const results = await Promise.all(agents.map((agent) => agent.call<T>(action, segment.name, ...given)));
  for (const agent of agents) await agent.end();
  return results;
}

for (const action of ["count", "countByExchange"]) {
  test(`no update of a counter is lost between processes (${action})`, async () => {
    using segment = Segment.create(segmentName("count"), { bytes: MiB });
    const counter = segment.counter("hits");
    const results = await inEach(segment, action, "hits", COUNTS);
    assert.is(counter.value, COUNTS * results.length);
  });
}

test("a counter adds, replaces and compares, exactly up to 2^53 and below zero", () => {
  using scene = openers();
  const counter = scene.segment.counter("c");
  const other = scene.other.counter("c");
  assert.is(counter.value, 0);
  assert.is(counter.add(), 1);
  assert.is(other.add(41), 42);
  assert.is(counter.add(-50), -8);
  assert.is(other.exchange(Number.MAX_SAFE_INTEGER), -8);
  assert.is(counter.value, Number.MAX_SAFE_INTEGER);
  assert.is(counter.exchange(Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  assert.is(other.compareExchange(0, 1), Number.MIN_SAFE_INTEGER);
  assert.is(other.value, Number.MIN_SAFE_INTEGER);
  assert.is(other.compareExchange(Number.MIN_SAFE_INTEGER, 7), Number.MIN_SAFE_INTEGER);
  assert.is(scene.looking.counter("c").value, 7);
  refused("READ_ONLY", () => scene.looking.counter("c").add(1));
  for (const unsafe of [2 ** 53, -(2 ** 53)]) {
    refused("RangeError", () => counter.add(unsafe), /amount/);
    refused("RangeError", () => counter.exchange(unsafe), /value/);
    refused("RangeError", () => counter.compareExchange(unsafe, 0), /expected/);
    refused("RangeError", () => counter.compareExchange(7, unsafe), /value/);
  }
  assert.is(counter.value, 7);
});

test("an addition that would leave the range of a counter is refused, and the value stays", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const counter = segment.counter("c");
  for (const sign of [1, -1]) {
    const limit = sign * Number.MAX_SAFE_INTEGER;
    counter.exchange(limit - sign);
    assert.is(counter.add(sign), limit);
    for (const amount of [sign, 2 * sign, limit]) {
      refused(
        "TOO_LARGE",
        () => counter.add(amount),
        /"c": it has -?9007199254740991 now.*nothing was added/,
      );
      assert.is(counter.value, limit);
    }
    assert.is(counter.add(-limit), 0);
  }
});

test("a counter in which something else has stored a number that is not exact says so, and exchange repairs it", () => {
  using segment = Segment.create(segmentName("inexact"), { bytes: MiB, temporary: true });
  const counter = segment.counter("c");
  const words = new BigInt64Array(segment.heap.allocate(8).bytes.buffer);
  const word = objectOffset(segment.name, "c") / 8;
  for (const found of [2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    words[word] = found;
    refused("CORRUPT", () => counter.value, /exchange\(0\) repairs it/);
    refused("CORRUPT", () => counter.add(), /exchange/);
    assert.is(words[word], found);
    assert.is(counter.compareExchange(0, 1), Number(found));
    assert.is(counter.exchange(0), Number(found));
    assert.is(counter.value, 0);
  }
});

test("no more are inside than the semaphore has, and all come back", async () => {
  using segment = Segment.create(segmentName("semaphore"), { bytes: MiB });
  const semaphore = segment.semaphore("slots", { initial: 2 });
  const most = await inEach<number>(segment, "throughSemaphore", 500, 2);
  for (const seen of most) assert.ok(seen <= 2, `${seen} were inside`);
  assert.is(semaphore.value, 2);
  assert.is(segment.counter("inside").value, 0);
});

test("a semaphore is taken until it is empty, and a release serves those who wait", async () => {
  using scene = openers();
  const semaphore = scene.segment.semaphore("s", { initial: 1 });
  const other = scene.other.semaphore("s", { initial: 1 });
  assert.ok(other.tryAcquire());
  assert.not(semaphore.tryAcquire());
  refused("TIMED_OUT", () => semaphore.acquireSync({ timeoutMs: 5 }));
  await rejected("TIMED_OUT", semaphore.acquire({ timeoutMs: 5 }));
  const waiting = [semaphore.acquire(), other.acquire(), semaphore.acquire()];
  other.release(3);
  await within("all three", Promise.all(waiting));
  assert.is(scene.looking.semaphore("s", { initial: 1 }).value, 0);
  semaphore.release(2 ** 31 - 1);
  refused("TOO_LARGE", () => semaphore.release(), /releasing 1 of semaphore "s": it has 2147483647 now/);
  assert.is(other.value, 2 ** 31 - 1);
  refused("OBJECT_MISMATCH", () => scene.other.semaphore("s", { initial: 2 }), /initial/);
  refused("READ_ONLY", () => scene.looking.semaphore("s", { initial: 1 }).tryAcquire());
});

test("an aborted wait takes nothing from a semaphore", async () => {
  using scene = openers();
  const semaphore = scene.segment.semaphore("s", { initial: 0 });
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = semaphore.acquire({ signal: controller.signal }).catch((error) => error);
  controller.abort(reason);
  assert.is(await within("the abort", waiting), reason);
  semaphore.release();
  assert.is(semaphore.value, 1);
});

test("several are taken from a semaphore all at once or not at all", async () => {
  using scene = openers();
  const semaphore = scene.segment.semaphore("s", { initial: 5 });
  const other = scene.other.semaphore("s", { initial: 5 });
  assert.ok(semaphore.tryAcquire({ count: 3 }));
  assert.not(semaphore.tryAcquire({ count: 3 }));
  assert.is(semaphore.value, 2);
  refused("TIMED_OUT", () => semaphore.acquireSync({ count: 3, timeoutMs: 1 }));
  await rejected("TIMED_OUT", semaphore.acquire({ count: 3, timeoutMs: 1 }));
  assert.is(other.value, 2);
  const waiting = other.acquire({ count: 4 });
  semaphore.release();
  semaphore.release();
  await within("all four", waiting);
  assert.is(semaphore.value, 0);
  semaphore.release(7);
  semaphore.acquireSync({ count: 7 });
  assert.is(semaphore.value, 0);
  for (const count of [0, -1, 1.5, 2 ** 31]) {
    refused("RangeError", () => semaphore.tryAcquire({ count }), /count/);
    refused("RangeError", () => semaphore.acquireSync({ count }), /count/);
    await rejected("RangeError", semaphore.acquire({ count }), /count/);
  }
  refused("TypeError", () => semaphore.tryAcquire({ count: "1" as never }), /count/);
  refused("TypeError", () => semaphore.tryAcquire({ counts: 1 } as never), /count/);
  await rejected("TypeError", semaphore.acquire({ cuont: 1 } as never), /did you mean "count"/);
});

/** Whether others may take one: what somebody claims is not theirs. */
async function untilClaimed(semaphore: { tryAcquire(): boolean; release(): void }): Promise<void> {
  await until("it is claimed", () => {
    if (!semaphore.tryAcquire()) return true;
    semaphore.release();
    return false;
  });
}

test("the claim of one that gave up keeps nobody out: a try right after it takes what is there", async () => {
  using scene = openers();
  using claiming = Segment.fromHandle(scene.segment.handle);
  const semaphore = scene.segment.semaphore("s", { initial: 1 });
  const controller = new AbortController();
  const several = claiming
    .semaphore("s", { initial: 1 })
    .acquire({ count: 3, signal: controller.signal })
    .catch((error) => error.message);
  await untilClaimed(semaphore);
  assert.not(semaphore.tryAcquire());
  controller.abort(new Error("enough"));
  assert.is(await within("the abort", several), "enough");
  assert.ok(semaphore.tryAcquire());
});

test("who waits for several does not starve: nobody else takes any until it has them or gives up", async () => {
  for (const end of ["served", "aborted", "timed out", "closed"] as const) {
    using scene = openers();
    const semaphore = scene.segment.semaphore("s", { initial: 1 });
    const claiming = Segment.fromHandle(scene.segment.handle);
    const controller = new AbortController();
    const timeoutMs = end === "timed out" ? 200 : undefined;
    const several = claiming
      .semaphore("s", { initial: 1 })
      .acquire({ count: 3, signal: controller.signal, timeoutMs })
      .then(
        () => "served",
        (error) => error.code ?? error.message,
      );
    await untilClaimed(semaphore);
    assert.is(semaphore.value, 1);
    const one = scene.other.semaphore("s", { initial: 1 }).acquire();
    if (end === "served") semaphore.release(2);
    if (end === "aborted") controller.abort(new Error("aborted"));
    if (end === "closed") claiming.close();
    const expected = { served: "served", aborted: "aborted", "timed out": "TIMED_OUT", closed: "CLOSED" }[
      end
    ];
    assert.is(await within(`the one that waits for several is ${end}`, several), expected);
    if (end === "served") semaphore.release();
    await within(`who waited for one after it is ${end}`, one);
    assert.is(semaphore.value, 0);
    claiming.close();
  }
});

test("the tasks of one environment are served in order, whatever counts they wait for", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const semaphore = segment.semaphore("s", { initial: 1 });
  const order: number[] = [];
  const waits = [3, 1, 2].map(async (count) => {
    await segment.semaphore("s", { initial: 1 }).acquire({ count });
    order.push(count);
  });
  assert.not(semaphore.tryAcquire(), "a try overtakes a task that waits");
  semaphore.acquireSync(); // the tasks cannot go on while it blocks
  assert.is(semaphore.value, 0);
  for (let given = 0; given < 6; given++) {
    semaphore.release();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await within("all", Promise.all(waits));
  assert.equal(order, [3, 1, 2]);
  assert.is(semaphore.value, 0);
});

test("who is killed while it waits for several keeps nobody out", async () => {
  for (const runtime of presentRuntimes()) {
    using segment = Segment.create(segmentName("claimed"), { bytes: MiB });
    const semaphore = segment.semaphore("slots", { initial: 2 });
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("open", segment.name);
    child.call("acquireSeveral", segment.name, 3, 2).catch(() => {});
    await untilClaimed(semaphore);
    await child.kill();
    assert.ok(semaphore.tryAcquire(), `a try after ${runtime.name} was killed`);
    await within("the next one", semaphore.acquire({ count: 1 }));
    assert.is(semaphore.value, 0);
  }
});

test("an event lets everyone pass until it is reset, in every runtime", async () => {
  using segment = Segment.create(segmentName("event"), { bytes: MiB });
  const event = segment.event("go");
  const agents = await Agent.startAll(presentRuntimes(), ACTIONS);
  const waits: Promise<unknown>[] = [];
  for (const [i, agent] of agents.entries()) {
    await agent.call("open", segment.name);
    waits.push(agent.call("waitForEvent", segment.name, i % 2 === 0));
  }
  await until("all wait", () => segment.counter("waiting").value === agents.length);
  assert.is(segment.counter("passed").value, 0);
  event.signal();
  await Promise.all(waits);
  assert.is(segment.counter("passed").value, agents.length);
  for (const agent of agents) await agent.end();
  assert.ok(event.isSignaled);
  event.waitSync({ timeoutMs: 0 });
  event.reset();
  assert.not(event.isSignaled);
  refused("TIMED_OUT", () => event.waitSync({ timeoutMs: 5 }));
});

test("who waits passes though the reset follows at once, in every runtime and also while it is stopped", async () => {
  using segment = Segment.create(segmentName("pulse"), { bytes: MiB });
  const event = segment.event("go");
  const agents = await Agent.startAll([...presentRuntimes(), ...presentRuntimes()], ACTIONS);
  const waits: Promise<unknown>[] = [];
  for (const [i, agent] of agents.entries()) {
    await agent.call("open", segment.name);
    waits.push(agent.call("waitForEvent", segment.name, i % 2 === 0));
  }
  using looking = Segment.open(segment.name, { access: "read-only" });
  const here = Promise.all([event.wait(), looking.event("go").wait()]);
  here.catch(() => {}); // should the test fail before it is awaited
  const waiters = objectOffset(segment.name, "go") + SIGNAL_WAITERS_OFFSET + WAITERS_WORDS_OFFSET;
  const asleep = (): number => peek32(segment.name, waiters).toString(2).replaceAll("0", "").length;
  await until("all sleep", () => asleep() === agents.length + 1);
  if (noStops === undefined) for (const agent of agents) agent.signal("SIGSTOP");
  event.signal();
  event.reset();
  await within("the waits of this process", here);
  if (noStops === undefined) for (const agent of agents) agent.signal("SIGCONT");
  await within("all others", Promise.all(waits));
  assert.not(event.isSignaled);
  assert.is(segment.objects().find(({ name }) => name === "go")?.value, 0);
  refused("TIMED_OUT", () => event.waitSync({ timeoutMs: 5 }));
  for (const agent of agents) await agent.end();
});

test("a read-only opener can wait for an event, and not signal it", async () => {
  using scene = openers();
  const event = scene.segment.event("e");
  const seen = scene.looking.event("e");
  refused("READ_ONLY", () => seen.signal());
  refused("READ_ONLY", () => seen.reset());
  const waiting = seen.wait();
  event.signal();
  await within("the event", waiting);
  seen.waitSync();
});

test("an event may be made signaled, and what it was made with is compared", () => {
  using scene = openers();
  assert.ok(scene.segment.event("e", { signaled: true }).isSignaled);
  scene.segment.event("e", { signaled: true }).reset();
  assert.not(scene.other.event("e", { signaled: true }).isSignaled);
});

test("whoever opens something as another thing, or as made otherwise, is told what it is", () => {
  using scene = openers();
  const { segment, other } = scene;
  segment.event("e", { signaled: true });
  segment.semaphore("s", { initial: 1 });
  refused(
    "OBJECT_MISMATCH",
    () => other.semaphore("e", { initial: 1 }),
    /"e" is an event in .*, not a semaphore/,
  );
  refused("OBJECT_MISMATCH", () => other.event("s"), /"s" is a semaphore in this segment, not an event/);
  refused(
    "OBJECT_MISMATCH",
    () => other.event("e"),
    /event "e" was made with signaled true, opened with signaled false/,
  );
  refused(
    "OBJECT_MISMATCH",
    () => other.semaphore("s", { initial: 0 }),
    /was made with initial 1, opened with initial 0/,
  );
  refused(
    "RangeError",
    () => segment.semaphore("new", { initial: 2 ** 31 }),
    /initial.*2147483647, got 2147483648/,
  );
});

test("after close everything answers CLOSED, and waits end", async () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const semaphore = segment.semaphore("s", { initial: 0 });
  const event = segment.event("e");
  const counter = segment.counter("c");
  const waits = [rejected("CLOSED", semaphore.acquire()), rejected("CLOSED", event.wait())];
  segment.close();
  await within("the end of the waits", Promise.all(waits));
  for (const call of [
    () => semaphore.tryAcquire(),
    () => semaphore.release(),
    () => semaphore.value,
    () => event.signal(),
    () => event.isSignaled,
    () => counter.add(1),
    () => counter.value,
  ])
    refused("CLOSED", call);
});

test.run();
