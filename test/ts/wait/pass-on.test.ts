/** A wait that ends after it was called, and has not looked since, passes the call on: somebody else's bell rings at once. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  LOCK_WAITERS_OFFSET,
  OBJECT_ALIGNMENT,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANTS_OFFSET,
  QUEUE_WAITERS_OFFSET,
  SIGNAL_WAITERS_OFFSET,
  WAITERS_WORDS_OFFSET,
} from "../../../protocol/layout.js";
import type { Core } from "../../../ts/core.js";
import type { Attachment } from "../../../ts/segment/attachment.js";
import { exportsOf } from "../../lib/internals.js";
import { objectOffset, peek32 } from "../../lib/poke.js";
import { segmentName } from "../../lib/segments.js";
import { until, within } from "../../lib/watchdog.js";

const LIMIT = { timeoutMs: 1_000_000 };

/** What the first of two sleepers waits for, who gives it, and how its wait ends. */
interface Case {
  name: string;
  set(name: string): number;
  wait(opened: Segment, signal: AbortSignal): Promise<{ release(): void } | undefined>;
  /** Gives what one of them can take. Default: the lock is released. */
  give?(segment: Segment): void;
}

const CASES: Case[] = [
  {
    name: "a semaphore",
    set: (name) => objectOffset(name, "semaphore") + SIGNAL_WAITERS_OFFSET,
    wait: async (opened, signal) => {
      await opened.semaphore("semaphore", { initial: 0 }).acquire({ ...LIMIT, signal });
      return undefined;
    },
    give: (segment) => segment.semaphore("semaphore", { initial: 0 }).release(),
  },
  {
    name: "a message of a queue",
    set: (name) => objectOffset(name, "queue") + QUEUE_WAITERS_OFFSET,
    wait: async (opened, signal) => {
      await opened.queue("queue").receive({ ...LIMIT, signal });
      return undefined;
    },
    give: (segment) => void segment.queue("queue").trySend(new Uint8Array(1)),
  },
  {
    name: "room in a queue",
    set: (name) => objectOffset(name, "full") + QUEUE_WAITERS_OFFSET + OBJECT_ALIGNMENT,
    wait: async (opened, signal) => {
      await opened.queue("full").send(new Uint8Array(1), { ...LIMIT, signal });
      return undefined;
    },
    give: (segment) => void segment.queue("full").tryReceive(),
  },
  {
    name: "a lock",
    set: (name) => objectOffset(name, "lock") + LOCK_WAITERS_OFFSET + OBJECT_ALIGNMENT,
    wait: (opened, signal) => opened.lock("lock").acquire("exclusive", { ...LIMIT, signal }),
  },
];

for (const { name, set, wait, give } of CASES) {
  for (const how of ["its signal is aborted", "its segment is closed"]) {
    test(`the first of two that wait for ${name} is called, and ${how}: the second one is called`, async () => {
      using segment = Segment.create(segmentName("pass-on"), { bytes: MiB });
      segment.semaphore("semaphore", { initial: 0 });
      segment.queue("queue", { capacity: 1, slotBytes: 8 });
      segment.queue("full", { capacity: 1, slotBytes: 8 }).trySend(new Uint8Array(1));
      const held = segment.lock("lock").acquireSync("exclusive");
      using first = Segment.open(segment.name);
      using second = Segment.open(segment.name);
      const rings = (slot: number): number =>
        peek32(segment.name, PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_DOORBELL_OFFSET);
      const armed = (): number => peek32(segment.name, set(segment.name) + WAITERS_WORDS_OFFSET);
      const [leaving, staying] = [new AbortController(), new AbortController()];
      const failing = wait(first, leaving.signal).then(
        () => "taken",
        () => "given up",
      );
      await until("the first one sleeps", () => armed() === 0b010);
      const waiting = wait(second, staying.signal);
      await until("both sleep", () => armed() === 0b110);
      // No turn of the event loop comes in between: the first one is called and does not look.
      const before = rings(2);
      if (give) give(segment);
      else held.release();
      assert.is(armed(), 0b100, "not the first one was called, or not it alone");
      if (how === "its signal is aborted") leaving.abort(new Error("given up"));
      else first.close();
      assert.is(rings(2), before + 1, "the call was not passed on");
      assert.is(await failing, "given up");
      (await within("the second one", waiting))?.release();
    });
  }
}

/** The attachment of an opener: a probe of it has one. */
function attachmentOf(opened: Segment): Attachment {
  return (
    opened.semaphore("semaphore", { initial: 0 }) as unknown as { attachment(writes: boolean): Attachment }
  ).attachment(false);
}

for (const how of ["awaits", "blocks"] as const) {
  test(`one that ${how} takes a unit that nobody was called for, and is called for another one: it calls the next one`, async () => {
    using segment = Segment.create(segmentName("pass-on"), { bytes: MiB });
    const semaphore = segment.semaphore("semaphore", { initial: 0 });
    using first = Segment.open(segment.name);
    using second = Segment.open(segment.name);
    const [mine, others] = [attachmentOf(first), attachmentOf(second)];
    const offset = objectOffset(segment.name, "semaphore");
    const set = offset + SIGNAL_WAITERS_OFFSET;
    const armed = (): number => peek32(segment.name, set + WAITERS_WORDS_OFFSET);
    const rings = (slot: number): number =>
      peek32(segment.name, PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_DOORBELL_OFFSET);
    const { semaphoreTry, semaphoreRelease } = mine.core;
    let before = -1;
    // While it looks, armed: a unit comes whose call is still under way, and it takes it; then one comes, and it is called.
    const trying = (at: number, count: number): number => {
      if (armed() !== 0b010 || before >= 0) return semaphoreTry(at, count);
      semaphoreRelease(at, 1);
      const taken = semaphoreTry(at, count);
      others.core.waitersArm(set);
      before = rings(2);
      semaphore.release();
      assert.is(armed(), 0b100, "it was not called, or not it alone");
      return taken;
    };
    (mine as { core: Core }).core = { ...exportsOf(mine.core), semaphoreTry: trying };
    if (how === "blocks") first.semaphore("semaphore", { initial: 0 }).acquireSync(LIMIT);
    else await within("the first one", first.semaphore("semaphore", { initial: 0 }).acquire(LIMIT));
    assert.ok(before >= 0, "it never looked while its bit was set");
    assert.is(rings(2), before + 1, "the call was not passed on");
    assert.is(armed(), 0);
    assert.is(semaphore.value, 1);
  });
}

test("a wait that gives up without having been called wakes nobody, though what another one was called for is there", async () => {
  using segment = Segment.create(segmentName("pass-on"), { bytes: MiB });
  const released = segment.semaphore("semaphore", { initial: 0 });
  using first = Segment.open(segment.name);
  using second = Segment.open(segment.name);
  using third = Segment.open(segment.name);
  const [semaphore] = CASES as [Case];
  const armed = (): number => peek32(segment.name, semaphore.set(segment.name) + WAITERS_WORDS_OFFSET);
  const [leaving, staying] = [new AbortController(), new AbortController()];
  const waits: Promise<unknown>[] = [];
  // The first one to sleep is the one that is called.
  for (const [opened, { signal }, bits] of [
    [first, staying, 0b0010],
    [second, staying, 0b0110],
    [third, leaving, 0b1110],
  ] as const) {
    waits.push(semaphore.wait(opened, signal).catch(() => {}));
    await until("one more sleeps", () => armed() === bits);
  }
  released.release();
  assert.is(armed(), 0b1100, "not the first one was called, or not it alone");
  leaving.abort(new Error("given up"));
  assert.is(armed(), 0b0100, "the second one was called, too");
  staying.abort(new Error("given up"));
  await within("the waits", Promise.all(waits));
});

test.run();
