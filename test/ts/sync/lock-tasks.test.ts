/** The async tasks of one environment are holders of their own: who waits for whom, in what order, and what would never end. */
import { type Held, type Lock, type LockMode, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCK_WAITERS_OFFSET, OBJECT_ALIGNMENT } from "../../../protocol/layout.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { until, within } from "../../lib/watchdog.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
const MODES = ["shared", "exclusive"] as const;
const [runtime] = presentRuntimes() as [Runtime];

/** What a call gives: a hold; "waits" for one until others go; "waits for others", who are not of this thread. */
type Outcome = "gives" | "waits" | "waits for others" | "DEADLOCK";
/** By the way of calling, and the mode. */
type Expected = Record<"shared" | "exclusive", { task: Outcome; sync: Outcome }>;

const always: Expected["shared"] = { task: "gives", sync: "gives" };
const own: Expected["shared"] = { task: "waits", sync: "DEADLOCK" };

interface Scene {
  lock: Lock;
  /** Another opener: another process, as far as the lock knows. */
  theirs: Lock;
  /** Something that stands in the way until the end. */
  hold(held: Held): Held;
  /** A wait that must be served at the end. */
  pending(wait: Promise<unknown>): void;
}

interface Row {
  name: string;
  /** Gives the hold to call, or none for the lock itself. */
  begin(scene: Scene): Held | undefined | Promise<Held | undefined>;
  expected: Expected;
}

const both = (one: Expected["shared"]): Expected => ({ shared: one, exclusive: one });

const ROWS: Row[] = [
  { name: "nobody", begin: () => undefined, expected: both(always) },
  ...MODES.flatMap((mode): Row[] => {
    const beside: Expected = mode === "shared" ? { shared: always, exclusive: own } : both(own);
    return [
      {
        name: `a hold ${mode} that blocked the thread`,
        begin: ({ lock, hold }) => void hold(lock.acquireSync(mode)),
        expected: beside,
      },
      {
        name: `a task that holds it ${mode}`,
        begin: async ({ lock, hold }) => void hold(await lock.acquire(mode)),
        expected: beside,
      },
      {
        name: `a task that waits for it ${mode}`,
        begin({ lock, theirs, hold, pending }) {
          hold(theirs.acquireSync(mode === "shared" ? "exclusive" : "shared"));
          pending(lock.acquire(mode).then((held) => held.release()));
          return undefined;
        },
        expected: both(own),
      },
      {
        name: `a task that holds it shared, and one that waits behind it, ${mode}`,
        async begin({ lock, hold, pending }) {
          hold(await lock.acquire("shared"));
          pending(lock.acquire("exclusive").then((held) => held.release()));
          if (mode === "shared") pending(lock.acquire("shared").then((held) => held.release()));
          return undefined;
        },
        expected: both(own),
      },
      {
        name: `under a hold ${mode}`,
        begin: ({ lock, hold }) => hold(lock.acquireSync(mode)),
        expected: both(always),
      },
      {
        name: `under a hold ${mode} that a task waits behind`,
        begin({ lock, hold, pending }) {
          const held = hold(lock.acquireSync(mode));
          pending(lock.acquire("exclusive").then((next) => next.release()));
          return held;
        },
        expected: both(always),
      },
    ];
  }),
  {
    name: "a task that waits to upgrade",
    begin({ lock, theirs, hold, pending }) {
      hold(theirs.acquireSync("shared"));
      pending(hold(lock.acquireSync("shared")).upgrade());
      return undefined;
    },
    expected: both(own),
  },
  {
    name: "under a hold that waits to upgrade",
    begin({ lock, theirs, hold, pending }) {
      hold(theirs.acquireSync("shared"));
      const held = hold(lock.acquireSync("shared"));
      pending(held.upgrade());
      return held;
    },
    expected: { shared: always, exclusive: { task: "waits", sync: "waits for others" } },
  },
  {
    name: "under a hold while another task waits to upgrade",
    begin({ lock, hold, pending }) {
      const held = hold(lock.acquireSync("shared"));
      pending(hold(lock.acquireSync("shared")).upgrade());
      return held;
    },
    expected: { shared: always, exclusive: { task: "DEADLOCK", sync: "DEADLOCK" } },
  },
  {
    name: "under a hold beside that of another task",
    begin({ lock, hold }) {
      hold(lock.acquireSync("shared"));
      return hold(lock.acquireSync("shared"));
    },
    expected: { shared: always, exclusive: own },
  },
  {
    name: "under a hold beside that of another process",
    begin({ lock, theirs, hold }) {
      hold(theirs.acquireSync("shared"));
      return hold(lock.acquireSync("shared"));
    },
    expected: { shared: always, exclusive: { task: "waits", sync: "waits for others" } },
  },
];

/** A wait is looked at at once, or in the next turn of the event loop when that is due. */
function untilClaimed(segment: Segment): Promise<void> {
  return until("the lock is claimed", () => segment.objects()[0]?.lock?.state === "waiting");
}

async function look(row: Row, mode: LockMode, way: "try" | "task" | "sync"): Promise<void> {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  const holds: Held[] = [];
  const waits: Promise<unknown>[] = [];
  const lock = segment.lock("lock");
  const begun = await row.begin({
    lock,
    theirs: other.lock("lock"),
    hold: (held) => {
      holds.push(held);
      return held;
    },
    pending: (wait) => waits.push(wait),
  });
  const from = begun ?? segment.lock("lock"); // another Lock object of the same lock
  const outcome = row.expected[mode][way === "sync" ? "sync" : "task"];
  const end = (): void => {
    for (const held of holds.splice(0)) held.release();
  };
  if (way === "try") {
    const held = from.tryAcquire(mode);
    assert.is(held?.mode, outcome === "gives" ? mode : undefined);
    held?.release();
  } else if (outcome === "gives") {
    const held = way === "task" ? await within("the hold", from.acquire(mode)) : from.acquireSync(mode);
    assert.is(held.mode, mode);
    held.release();
  } else if (outcome === "DEADLOCK" && way === "sync") {
    refused("DEADLOCK", () => from.acquireSync(mode));
    refused("DEADLOCK", () => from.acquireSync(mode, { timeoutMs: 10_000 }));
  } else if (outcome === "DEADLOCK") await rejected("DEADLOCK", from.acquire(mode));
  else if (way === "sync") refused("TIMED_OUT", () => from.acquireSync(mode, { timeoutMs: 1 }));
  else {
    await rejected("TIMED_OUT", from.acquire(mode, { timeoutMs: 1 }));
    await rejected("TIMED_OUT", from.acquire(mode, { timeoutMs: 0 }));
    const waiting = from.acquire(mode);
    const others = holds.filter((held) => held !== begun);
    holds.splice(0, holds.length, ...(begun ? [begun] : []));
    for (const held of others) held.release();
    const held = await within("the hold that waits", waiting);
    assert.is(held.mode, mode);
    held.release();
  }
  end();
  await within("the waits of the others", Promise.allSettled(waits));
  for (const mine of [lock, other.lock("lock")]) {
    const held = mine.tryAcquire("exclusive");
    assert.ok(held, "the lock is not free at the end");
    held.release();
  }
}

for (const row of ROWS) {
  test(`who asks for the lock meets ${row.name}`, async () => {
    for (const mode of MODES)
      for (const way of ["try", "task", "sync"] as const) {
        await look(row, mode, way).catch((error: unknown) => {
          throw new Error(`${way} ${mode}: ${(error as Error).stack}`);
        });
      }
  });
}

test("a hundred tasks that read, wait and write lose no update, in the order of their calls", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const balance = segment.counter("balance");
  const order: number[] = [];
  async function deposit(index: number): Promise<void> {
    using _held = await segment.lock("account").acquire();
    order.push(index);
    const before = balance.value;
    await new Promise((resolve) => setTimeout(resolve, index % 3));
    balance.exchange(before + 1);
  }
  await within("all deposits", Promise.all(Array.from({ length: 100 }, (_, index) => deposit(index))));
  assert.is(balance.value, 100);
  assert.equal(
    order,
    Array.from({ length: 100 }, (_, index) => index),
  );
});

test("tasks that want it shared have it together, and none passes one that waited for exclusive before", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const lock = segment.lock("lock");
  const order: string[] = [];
  async function use(name: string, mode: LockMode): Promise<Held> {
    const held = await lock.acquire(mode);
    order.push(name);
    return held;
  }
  const first = await Promise.all([use("a", "shared"), use("b", "shared")]);
  const writer = use("writer", "exclusive");
  const later = [use("c", "shared"), use("d", "shared")];
  assert.is(lock.tryAcquire("shared"), undefined);
  for (const held of first) held.release();
  const writing = await within("the writer", writer);
  assert.equal(order, ["a", "b", "writer"]);
  writing.downgrade();
  for (const held of await within("the later ones", Promise.all(later))) held.release();
  writing.release();
  assert.equal(order, ["a", "b", "writer", "c", "d"]);
});

test("a task that gives up lets those behind it go on, wherever it stands", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  for (const where of ["behind a task", "behind another process"]) {
    const lock = segment.lock("lock");
    const held = (where === "behind a task" ? lock : other.lock("lock")).acquireSync("shared");
    const controller = new AbortController();
    const reason = new Error("enough");
    const waits = [
      lock.acquire("exclusive", { signal: controller.signal }),
      lock.acquire("exclusive", { timeoutMs: 5 }),
      lock.acquire("exclusive", { signal: controller.signal }),
    ];
    const ends = waits.map((wait) => wait.catch((error: unknown) => error));
    const reader = lock.acquire("shared");
    controller.abort(reason);
    assert.is(await within("the first", ends[0] as Promise<unknown>), reason);
    assert.is(await within("the third", ends[2] as Promise<unknown>), reason);
    assert.match(String(await within("the second", ends[1] as Promise<unknown>)), /TIMED_OUT.* 5 ms/);
    (await within(`the reader ${where}`, reader)).release();
    held.release();
    assert.ok(lock.tryAcquire("exclusive")?.release() === undefined);
  }
});

test("tasks that wait when their segment is closed end with CLOSED, and nothing stays held", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  for (const holder of ["mine", "theirs"] as const) {
    const closing = Segment.fromHandle(segment.handle);
    const lock = closing.lock("lock");
    const held = (holder === "mine" ? lock : segment.lock("lock")).acquireSync("shared");
    const waits = [lock.acquire(), lock.acquire("shared"), lock.request(() => assert.unreachable("it ran"))];
    const ends = waits.map((wait) => rejected("CLOSED", within<unknown>("the end", wait)));
    closing.close();
    await Promise.all(ends);
    held.close();
    assert.ok(segment.lock("lock").tryAcquire("exclusive")?.release() === undefined);
  }
});

test("a thread that blocks for a lock which it has through another opening is told, unless it gave a limit", async () => {
  for (const mode of MODES) {
    using segment = Segment.createAnonymous({ bytes: MiB });
    using other = Segment.fromHandle(segment.handle);
    const held = other.lock("lock").acquireSync(mode);
    refused("DEADLOCK", () => segment.lock("lock").acquireSync(), /another opening/);
    refused("TIMED_OUT", () => segment.lock("lock").acquireSync("exclusive", { timeoutMs: 1 }));
    if (mode === "shared") {
      const mine = segment.lock("lock").acquireSync("shared");
      refused("DEADLOCK", () => mine.upgradeSync(), /another opening/);
      refused("TIMED_OUT", () => mine.upgradeSync({ timeoutMs: 1 }));
      mine.release();
    }
    held.release();
    segment.lock("lock").acquireSync().release();
  }
});

test("a thread that blocks for a lock that another process claims through another opening of it is told", async () => {
  using segment = Segment.create(segmentName("claim"), { bytes: MiB });
  using other = Segment.open(segment.name);
  const child = await Agent.start(runtime, ACTIONS);
  await child.call("open", segment.name);
  await child.call("acquire", segment.name, "lock", "shared");
  const claim = other.lock("lock").acquire("exclusive");
  await untilClaimed(segment);
  refused("DEADLOCK", () => segment.lock("lock").acquireSync("shared"), /another opening/);
  await child.call("release", "lock");
  (await within("the claim", claim)).release();
  segment.lock("lock").acquireSync("shared").release();
  await child.end();
});

test("locks of other segments, and of the same name elsewhere, are no obstacle", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.createAnonymous({ bytes: MiB });
  const held = other.lock("lock").acquireSync();
  segment.lock("lock").acquireSync().release();
  held.release();
});

test("a pending claim of this thread is served after its own blocking call was refused", async () => {
  using segment = Segment.create(segmentName("self"), { bytes: MiB });
  const lock = segment.lock("lock");
  const child = await Agent.start(runtime, ACTIONS);
  await child.call("open", segment.name);
  await child.call("acquire", segment.name, "lock", "shared");
  const waiting = lock.acquire("exclusive");
  for (const mode of MODES) refused("DEADLOCK", () => lock.acquireSync(mode));
  await child.call("release", "lock");
  (await within("the claim", waiting)).release();
  await child.end();
});

test("request holds the lock until the promise is settled, in each form, and gives its result", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const lock = segment.lock("lock");
  const modes: LockMode[] = [];
  const body = async (held: Held): Promise<string> => {
    modes.push(held.mode);
    assert.is(lock.tryAcquire("exclusive"), undefined);
    await new Promise((resolve) => setImmediate(resolve));
    assert.is(lock.tryAcquire("exclusive"), undefined);
    return "result";
  };
  assert.is(await lock.request(body), "result");
  assert.is(await lock.request(body, { timeoutMs: 1000 }), "result");
  assert.is(await lock.request("shared", body), "result");
  assert.is(await lock.request("shared", body, { timeoutMs: 1000 }), "result");
  assert.is(await lock.request(undefined, body), "result");
  assert.is(await lock.request("shared", () => 7), 7);
  assert.equal(modes, ["exclusive", "exclusive", "shared", "shared", "exclusive"]);
  const error = new Error("no");
  const failing = [
    lock.request(async () => Promise.reject(error)),
    lock.request(() => {
      throw error;
    }),
  ];
  for (const one of failing)
    assert.is(
      await within(
        "the failure",
        one.catch((caught: unknown) => caught),
      ),
      error,
    );
  assert.is(await lock.request((held) => held.release()), undefined);
  const held = lock.tryAcquire("exclusive") as Held;
  await rejected(
    "TIMED_OUT",
    lock.request(() => assert.unreachable("it ran"), { timeoutMs: 1 }),
  );
  held.release();
  await rejected("TypeError", lock.request("shared" as never), /body/);
  await rejected(
    "RangeError",
    lock.request("write" as never, () => {}),
    /mode/,
  );
  await rejected(
    "TypeError",
    lock.request(() => {}, { timeout: 1 } as never),
    /timeoutMs/,
  );
  assert.ok(lock.tryAcquire("exclusive"));
});

test("nested holds are one holder: its mode is that of the strongest, and the last one gives the lock back", () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    using segment = Segment.createAnonymous({ bytes: MiB });
    using other = Segment.fromHandle(segment.handle);
    const theirs = other.lock("lock");
    const outer = segment.lock("lock").acquireSync("shared");
    const inner = outer.acquireSync("shared");
    const holds = [outer, inner, inner.acquireSync("exclusive")];
    assert.is(theirs.tryAcquire("shared"), undefined);
    for (const [index, which] of order.entries()) {
      (holds[which] as Held).release();
      const exclusive = !order.slice(0, index + 1).includes(2);
      const beside = theirs.tryAcquire("shared");
      assert.is(beside !== undefined, !exclusive, `after ${order.slice(0, index + 1)}`);
      beside?.release();
      const alone = theirs.tryAcquire("exclusive");
      assert.is(alone !== undefined, index === 2);
      alone?.release();
    }
  }
});

test("a wait of a hold ends at once with the hold, also when a nested one goes on", async () => {
  for (const nests of [false, true]) {
    for (const wait of ["upgrade", "acquire"] as const) {
      using segment = Segment.createAnonymous({ bytes: MiB });
      using other = Segment.fromHandle(segment.handle);
      const beside = other.lock("lock").acquireSync("shared");
      const held = segment.lock("lock").acquireSync("shared");
      const nested = nests ? held.acquireSync("shared") : undefined;
      let end = "waits";
      (wait === "upgrade" ? held.upgrade() : held.acquire("exclusive")).catch(({ code }) => {
        end = code;
      });
      for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.is(end, "waits");
      held.close();
      await new Promise((resolve) => setImmediate(resolve));
      assert.is(end, "CLOSED");
      using third = Segment.fromHandle(segment.handle);
      assert.ok(
        third.lock("lock").tryAcquire("shared")?.release() === undefined,
        "its claim keeps readers out",
      );
      nested?.release();
      beside.release();
      assert.ok(other.lock("lock").tryAcquire("exclusive"));
    }
  }
});

test("two upgrades of one holder are served together, and the claim of one that gives up stays for the other", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  const beside = other.lock("lock").acquireSync("shared");
  const held = segment.lock("lock").acquireSync("shared");
  const nested = held.acquireSync("shared");
  const waits = [held.upgrade(), nested.acquire("exclusive")] as const;
  await untilClaimed(segment);
  await rejected("TIMED_OUT", held.upgrade({ timeoutMs: 1 }));
  assert.not(held.tryUpgrade());
  using third = Segment.fromHandle(segment.handle);
  assert.is(third.lock("lock").tryAcquire("shared"), undefined, "the claim was taken back");
  refused("DEADLOCK", () => beside.tryUpgrade());
  beside.release();
  await within("both", Promise.all(waits));
  assert.is(held.mode, "exclusive");
  for (const hold of [held, nested, await waits[1]]) hold.release();
  assert.ok(other.lock("lock").tryAcquire("exclusive"));
});

test("an upgrade waits for the shared holds of other tasks, and comes before those who wait for the lock", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const lock = segment.lock("lock");
  const beside = await lock.acquire("shared");
  const held = await lock.acquire("shared");
  const order: string[] = [];
  const waiting = lock.request(() => order.push("exclusive"));
  const upgrading = held.upgrade().then(() => order.push("upgrade"));
  assert.not(held.tryUpgrade());
  refused("DEADLOCK", () => held.upgradeSync());
  refused("DEADLOCK", () => beside.upgradeSync());
  await rejected("DEADLOCK", beside.upgrade());
  beside.release();
  await within("the upgrade", upgrading);
  held.release();
  await within("the one behind", waiting);
  assert.equal(order, ["upgrade", "exclusive"]);
});

test("shared tasks that follow each other without a gap do not keep another process out", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  const lock = segment.lock("lock");
  let done = false;
  async function read(): Promise<void> {
    while (!done) {
      using _held = await lock.acquire("shared");
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  const readers = [read(), read(), read()];
  for (let turn = 0; turn < 20; turn++) {
    const writer = other.lock("lock").acquire("exclusive");
    (await within("the writer", writer)).release();
  }
  done = true;
  await within("the readers", Promise.all(readers));
});

test("beside a shared hold of its own, a thread that blocks for one more does not wait for who waits for that hold", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using other = Segment.fromHandle(segment.handle);
  const lock = segment.lock("lock");
  const held = lock.acquireSync("shared");
  const writer = other.lock("lock").acquire("exclusive");
  await untilClaimed(segment);
  assert.is(lock.tryAcquire("shared"), undefined, "the claim of another keeps new ones out");
  lock.acquireSync("shared").release();
  held.release();
  (await within("the writer", writer)).release();
});

/** A task holds the lock and one of the same environment waits behind it; another process, so to speak, sleeps for it, too. */
async function handOver(order: string[], signal?: AbortSignal) {
  const segment = Segment.create(segmentName("hand-over"), { bytes: MiB });
  const other = Segment.open(segment.name);
  const lock = segment.lock("lock");
  const held = await lock.acquire();
  const use = (name: string): ((got: Held) => Promise<void>) => {
    return async () => {
      order.push(name);
      await new Promise((resolve) => setImmediate(resolve));
    };
  };
  const theirs = other.lock("lock").request(use("theirs"), { signal });
  const asleep = objectOffset(segment.name, "lock") + LOCK_WAITERS_OFFSET + OBJECT_ALIGNMENT;
  await until("the other sleeps", () => peek32(segment.name, asleep) !== 0);
  const mine = [lock.request(use("first")), lock.request(use("second"))];
  const close = (): void => {
    other.close();
    segment.close();
  };
  return { held, mine, theirs, [Symbol.dispose]: close };
}

test("a task hands the lock to another process that waits for it before the next task gets it", async () => {
  const order: string[] = [];
  using all = await handOver(order);
  all.held.release();
  await within("all", Promise.all([all.theirs, ...all.mine]));
  assert.equal(order, ["theirs", "first", "second"]);
});

test("another process that was woken for the lock and wants it no more keeps no task out", async () => {
  const order: string[] = [];
  const controller = new AbortController();
  using all = await handOver(order, controller.signal);
  all.held.release();
  controller.abort(new TypeError("enough"));
  await rejected("TypeError", all.theirs);
  await within("the tasks", Promise.all(all.mine));
  assert.equal(order, ["first", "second"]);
});

test.run();
