/** Transactions: all or nothing, whether the function throws or its process is killed. */
import { MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { printedSeed, randomFrom } from "../../lib/series.js";
import { pause, until, within } from "../../lib/watchdog.js";
import { Bank } from "../../processes/memory-soak/bank.js";
import { Twins } from "../../processes/memory-soak/memory-actions.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
/** How long a transaction keeps the others out at least: far longer than a change of the heap, far shorter than their limit. */
const LONG_MS = 300;

const Account = struct({ balance: "i32", name: "utf8:8" });

function scene() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const other = Segment.fromHandle(segment.handle);
  const lock = segment.lock("lock");
  const block = segment.heap.allocate(64);
  const view = block.view(Account);
  view.write({ balance: 100, name: "first" });
  segment.root = block;
  const close = (): void => {
    other.close();
    segment.close();
  };
  return { segment, other, lock, block, view, [Symbol.dispose]: close };
}

function heapOf(segment: Segment): { stats: unknown; root: number | undefined; ok: boolean } {
  return { stats: segment.heap.stats, root: segment.root?.offset, ok: segment.heap.check().ok };
}

test("what a transaction did is there when it ended, and its value is returned", () => {
  using all = scene();
  const { segment, other, lock, view, block } = all;
  const made = segment.transactionSync(lock, () => {
    view.set("balance", 1);
    const fresh = segment.heap.allocate(32);
    fresh.write(Uint8Array.of(9), 3);
    segment.root = fresh;
    block.free();
    return fresh.offset;
  });
  assert.is(other.root?.offset, made);
  assert.is(other.root?.copy()[3], 9);
  assert.is(other.heap.blockAt(block.offset), undefined);
  assert.ok(other.heap.check().ok);
  assert.ok(other.lock("lock").tryAcquire("exclusive"));
});

test("a function that throws leaves everything as it was, and its error passes through", () => {
  using all = scene();
  const { segment, other, lock, view, block } = all;
  const before = heapOf(segment);
  const bytes = block.copy();
  const error = new Error("no");
  const thrown = (() => {
    try {
      segment.transactionSync(lock, () => {
        view.set("balance", 1);
        view.write({ balance: 2, name: "second" });
        block.write(Uint8Array.of(1, 2, 3, 4, 5), 33);
        segment.root = segment.heap.allocate(1000);
        segment.heap.allocate(10).free();
        block.free();
        throw error;
      });
    } catch (caught) {
      return caught;
    }
  })();
  assert.is(thrown, error);
  assert.equal(heapOf(other), before);
  assert.equal(block.copy(), bytes);
  assert.equal(view.read(), { balance: 100, name: "first" });
  block.free();
});

test("undoing leaves what others wrote beside, under a lock of their own", () => {
  using all = scene();
  const { segment, other, lock } = all;
  const Shared = struct({ first: "u8", mine: "u8", text: "utf8:5", yours: "u8", big: "u32", last: "u16" });
  const block = segment.heap.allocate(Shared.bytes);
  const view = block.view(Shared);
  const theirs = (other.heap.blockAt(block.offset) as typeof block).view(Shared);
  const theirLock = other.lock("theirs");
  const failing = (): void => {
    segment.transactionSync(lock, () => {
      view.set("mine", 1);
      view.set("text", "abc");
      using _held = theirLock.acquireSync();
      theirs.set("first", 2);
      theirs.set("yours", 3);
      theirs.set("big", 4);
      theirs.set("last", 5);
      throw new Error("undone");
    });
  };
  assert.throws(failing, /undone/);
  assert.equal(view.read(), { first: 2, mine: 0, text: "", yours: 3, big: 4, last: 5 });
});

test("transactions do not nest: the outer one is undone with the inner", async () => {
  using all = scene();
  let inner: Promise<unknown> | undefined;
  const { segment, lock, view } = all;
  refused("BUSY", () =>
    segment.transactionSync(lock, () => {
      view.set("balance", 5);
      segment.transactionSync(lock, () => {});
    }),
  );
  assert.is(view.get("balance"), 100);
  segment.transactionSync(lock, () => {
    view.set("balance", 6);
    refused("BUSY", () => segment.transactionSync(lock, () => view.set("balance", 7)));
    refused("BUSY", () => segment.tryTransaction(lock, () => view.set("balance", 7)));
    inner = rejected(
      "BUSY",
      segment.transaction(lock, () => view.set("balance", 7)),
    );
  });
  await inner;
  assert.is(view.get("balance"), 6);
});

test("objects are opened before, not inside", () => {
  using all = scene();
  const { segment, lock } = all;
  const opening: (() => unknown)[] = [
    () => segment.ring("ring", { bytes: 1024 }),
    () => segment.lock("new"),
    () => segment.counter("new"),
    () => segment.latest("new", Account),
  ];
  for (const open of opening) refused("BUSY", () => segment.transactionSync(lock, open));
  assert.equal(
    segment.objects().map(({ name }) => name),
    ["lock"],
  );
});

test("more than the journal holds is TOO_LARGE, and undone", () => {
  using all = scene();
  const { segment, lock, view } = all;
  const large = segment.heap.allocate(500_000);
  const before = heapOf(segment);
  refused("TOO_LARGE", () =>
    segment.transactionSync(lock, () => {
      view.set("balance", 5);
      large.write(new Uint8Array(500_000).fill(1));
    }),
  );
  assert.is(view.get("balance"), 100);
  assert.ok(large.copy().every((byte) => byte === 0));
  refused("TOO_LARGE", () =>
    segment.transactionSync(lock, () => {
      for (;;) if (!segment.heap.tryAllocate(8)) throw new Error("the heap was full before the journal");
    }),
  );
  refused("TOO_LARGE", () =>
    segment.transactionSync(lock, () => {
      for (;;) segment.root = segment.root === large ? undefined : large;
    }),
  );
  assert.equal(heapOf(segment), before);
});

test("a block is freed once in a transaction, and stays readable until its end", () => {
  using all = scene();
  const { segment, lock, block } = all;
  refused("NOT_FOUND", () =>
    segment.transactionSync(lock, () => {
      block.free();
      assert.is(block.copy().length, 64);
      block.free();
    }),
  );
  block.view(Account);
});

test("the lock must be one of this segment", () => {
  using all = scene();
  using foreign = Segment.createAnonymous({ bytes: MiB });
  refused("TypeError", () => all.segment.transactionSync(foreign.lock("lock"), () => {}), /lock/);
  refused("TypeError", () => all.segment.transactionSync(all.other.lock("lock"), () => {}), /lock/);
  refused("TypeError", () => all.segment.transactionSync({} as never, () => {}), /lock/);
  refused("TypeError", () => all.segment.transactionSync(all.lock, 1 as never), /body/);
});

test("a transaction under a hold keeps that hold, and upgrades it for as long as it runs", async () => {
  using all = scene();
  const { segment, other, lock, view } = all;
  const held = lock.acquireSync("exclusive");
  segment.transactionSync(held, () => view.set("balance", 3));
  await segment.transaction(held, () => view.set("balance", view.get("balance") + 1));
  assert.is(
    segment.tryTransaction(held, () => view.get("balance")),
    4,
  );
  assert.is(other.lock("lock").tryAcquire("shared"), undefined);
  held.downgrade();
  segment.transactionSync(held, () => assert.is(other.lock("lock").tryAcquire("shared"), undefined));
  const beside = other.lock("lock").tryAcquire("shared");
  assert.ok(beside, "the hold is not shared as before");
  assert.is(
    segment.tryTransaction(held, () => 1),
    undefined,
  );
  refused("TIMED_OUT", () => segment.transactionSync(held, () => {}, { timeoutMs: 1 }));
  await rejected(
    "TIMED_OUT",
    segment.transaction(held, () => {}, { timeoutMs: 1 }),
  );
  beside?.release();
  held.release();
  refused("CLOSED", () => segment.transactionSync(held, () => {}));
  assert.ok(other.lock("lock").tryAcquire("exclusive"));
});

test("a lock that a task of this environment holds: a transaction waits, a blocking one would wait for itself", async () => {
  for (const mode of ["exclusive", "shared"] as const) {
    using all = scene();
    const { segment, lock, view } = all;
    const held = lock.acquireSync(mode);
    refused("DEADLOCK", () => segment.transactionSync(lock, () => {}));
    assert.is(
      segment.tryTransaction(lock, () => 1),
      undefined,
    );
    const running = segment.transaction(lock, () => view.set("balance", 5));
    await rejected(
      "TIMED_OUT",
      segment.transaction(lock, () => {}, { timeoutMs: 1 }),
    );
    const controller = new AbortController();
    const aborted = segment.transaction(lock, () => {}, { signal: controller.signal });
    controller.abort(new TypeError("enough"));
    await rejected("TypeError", aborted, /enough/);
    assert.is(view.get("balance"), 100);
    held.release();
    await within("the transaction", running);
    assert.is(view.get("balance"), 5);
  }
});

test("while another process changes the heap, each form waits in its way, and gives the lock back", async () => {
  using segment = Segment.create(segmentName("write-lock"), { bytes: MiB });
  const lock = segment.lock("mine");
  segment.lock("theirs");
  const [runtime] = presentRuntimes();
  const child = await Agent.start(runtime as never, ACTIONS);
  await child.call("open", segment.name);
  const event = segment.event("in transaction");
  const transacting = child.call("transactUntil", segment.name, "theirs");
  await within("the transaction of the child", event.wait());
  assert.is(
    segment.tryTransaction(lock, () => 1),
    undefined,
  );
  refused(
    "TIMED_OUT",
    () => segment.transactionSync(lock, () => {}, { timeoutMs: 5 }),
    /beginning a transaction took longer than 5 ms;/,
  );
  await rejected(
    "TIMED_OUT",
    segment.transaction(lock, () => {}, { timeoutMs: 5 }),
    /beginning a transaction took longer than 5 ms;/,
  );
  const controller = new AbortController();
  const aborted = segment.transaction(lock, () => {}, { signal: controller.signal });
  controller.abort(new TypeError("enough"));
  await rejected("TypeError", aborted, /enough/);
  assert.ok(lock.tryAcquire("exclusive")?.release() === undefined, "the lock was not given back");
  let turns = 0;
  const counting = setInterval(() => {
    if (++turns === 3) segment.counter("end").add(1);
  }, 1);
  assert.is(
    await within(
      "the transaction",
      segment.transaction(lock, () => "done"),
    ),
    "done",
  );
  clearInterval(counting);
  assert.ok(turns >= 3, "the event loop did not turn meanwhile");
  await transacting;
  await child.end();
});

test("a change that blocks its thread waits for the end of a long transaction of another process", async () => {
  using segment = Segment.create(segmentName("long"), { bytes: MiB });
  segment.lock("theirs");
  const waiting = segment.counter("waiting");
  const [runtime] = presentRuntimes() as [Runtime];
  const [transacting, changing] = (await Agent.startAll([runtime, runtime], ACTIONS)) as [Agent, Agent];
  for (const agent of [transacting, changing]) await agent.call("open", segment.name);
  const event = segment.event("in transaction");
  const transaction = transacting.call("transactUntil", segment.name, "theirs");
  await within("the transaction of the child", event.wait());
  const changed = changing.call("allocateOnce", segment.name);
  changed.catch(() => {}); // should it fail before it is awaited
  await until("the other child changes the heap", () => waiting.value === 1);
  await pause(LONG_MS);
  segment.counter("end").add(1);
  await transaction;
  await within("the change", changed);
  for (const agent of [transacting, changing]) await agent.end();
});

test("a transaction that is killed at a random moment has happened or not, and never half", async () => {
  const random = randomFrom(printedSeed());
  using segment = Segment.create(segmentName("bank"), { bytes: MiB });
  const bank = new Bank(segment);
  const others = segment.heap.stats.blocks - bank.blocks;
  for (let round = 0; round < 4; round++) {
    for (const runtime of presentRuntimes()) {
      const child = await Agent.start(runtime, ACTIONS);
      const before = bank.transfers;
      child.call("transferForEver", segment.name, Math.floor(random() * 2 ** 32)).catch(() => {});
      await until(`transfers in ${runtime.name}`, () => bank.transfers > before);
      await pause(random() * 30);
      await child.kill();
      assert.equal(bank.problems(), [], `after ${runtime.name}`);
      assert.is(segment.heap.stats.blocks - bank.blocks, others, "a block was lost, or came out of nothing");
    }
  }
});

test("a transaction is refused while a death outside of one is not repaired, and the lock stays usable", async () => {
  using segment = Segment.create(segmentName("died"), { bytes: MiB });
  const lock = segment.lock("bank");
  const [runtime] = presentRuntimes();
  const child = await Agent.start(runtime as never, ACTIONS);
  await child.call("open", segment.name);
  await child.call("acquire", segment.name, "bank", "exclusive");
  await child.kill();
  refused("OWNER_DIED", () => segment.transactionSync(lock, () => {}));
  refused("OWNER_DIED", () => segment.transactionSync(lock, () => {}));
  const held = lock.acquireSync("exclusive");
  assert.ok(held.ownerDied);
  segment.transactionSync(held, () => {});
  held.markConsistent();
  held.release();
  assert.is(
    segment.transactionSync(lock, () => 1),
    1,
  );
});

/** A segment with twins that are both 1, left by a process that died in that way. */
async function left(when: "inside" | "nested" | "after") {
  const segment = Segment.create(segmentName(`left-${when}`), { bytes: MiB });
  const block = segment.heap.allocate(Twins.bytes);
  const view = block.view(Twins);
  view.write({ journaled: 1, plain: 1 });
  segment.root = block;
  const lock = segment.lock("lock");
  const [runtime] = presentRuntimes();
  const child = await Agent.start(runtime as never, ACTIONS);
  await child.call("open", segment.name);
  child.call("dieHolding", segment.name, when).catch(() => {});
  await child.ended;
  return { view, lock, [Symbol.dispose]: () => segment.close() };
}

for (const mode of ["exclusive", "shared"] as const) {
  test(`who dies in a transaction leaves nothing to tell, taken ${mode}`, async () => {
    using scene = await left("inside");
    using held = scene.lock.acquireSync(mode);
    assert.not(held.ownerDied);
    assert.equal(scene.view.read(), { journaled: 1, plain: 1 });
  });

  test(`who dies in a hold after a transaction under it is told about, taken ${mode}`, async () => {
    using scene = await left("after");
    const held = scene.lock.acquireSync(mode);
    assert.ok(held.ownerDied);
    assert.equal(scene.view.read(), { journaled: 2, plain: 2 });
  });

  test(`who dies in a transaction nested in a hold is told about, and the transaction undone, taken ${mode}`, async () => {
    using scene = await left("nested");
    const held = scene.lock.acquireSync(mode);
    assert.ok(held.ownerDied);
    assert.equal(scene.view.read(), { journaled: 1, plain: 1 });
  });
}

test("a hold that goes on after a transaction under it is like any other", () => {
  using all = scene();
  const { segment, other, lock, view } = all;
  const others = other.lock("lock");
  const around = lock.acquireSync();
  const kept = segment.transactionSync(around, () => around.acquireSync());
  around.release();
  assert.is(others.tryAcquire("shared"), undefined);
  segment.transactionSync(kept, () => view.set("balance", 8));
  assert.is(others.tryAcquire("shared"), undefined);
  refused("BUSY", () =>
    segment.transactionSync(kept, () => {
      view.set("balance", 9);
      segment.transactionSync(kept, () => {});
    }),
  );
  kept.downgrade();
  const beside = others.tryAcquire("shared");
  assert.ok(beside);
  beside?.release();
  kept.release();
  assert.ok(others.tryAcquire("exclusive"));
  assert.is(view.get("balance"), 8);
});

test("a change through another opener, inside of a transaction of this thread, would wait for itself", () => {
  using segment = Segment.create(segmentName("own"), { bytes: MiB });
  using other = Segment.open(segment.name);
  const lock = segment.lock("lock");
  const changes: [string, () => unknown][] = [
    ["allocating", () => other.heap.allocate(8)],
    ["making an object", () => other.counter("new")],
    ["sharing", () => other.share({ a: 1 })],
    ["a transaction", () => other.transactionSync(other.lock("others"), () => {})],
  ];
  other.lock("others");
  for (const [what, change] of changes) {
    segment.transactionSync(lock, () => {
      const error = refused("DEADLOCK", change, /this thread would wait for itself.*another opener/);
      assert.ok(error, what);
    });
    assert.is(other.heap.tryAllocate(8)?.free(), undefined);
  }
  segment.transactionSync(lock, () =>
    refused("TIMED_OUT", () => other.transactionSync(other.lock("others"), () => {}, { timeoutMs: 30 })),
  );
  segment.unlink();
});

test("a segment that is closed inside of a transaction undoes it before the lock is free", () => {
  using all = scene();
  const { segment, other, lock, view, block } = all;
  refused("CLOSED", () =>
    segment.transactionSync(lock, () => {
      view.set("balance", 7);
      segment.close();
    }),
  );
  using held = other.lock("lock").acquireSync();
  assert.not(held.ownerDied);
  assert.is(other.heap.blockAt(block.offset)?.view(Account).get("balance"), 100);
});

test.run();
