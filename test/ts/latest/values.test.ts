/** The values of a latest as they come: three forms of next, and loops. */
import { type IsthmusError, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { codeWithin, until, within } from "../../lib/watchdog.js";

const Frame = struct({ id: "u32" });

function opened() {
  const segment = Segment.createAnonymous({ bytes: MiB });
  return { segment, latest: segment.latest("latest", Frame), writer: segment.latest("latest", Frame) };
}

test("tryNext gives each value once, and undefined when there is no newer one", () => {
  const { segment, latest, writer } = opened();
  assert.is(latest.tryNext(), undefined);
  writer.write({ id: 1 });
  assert.equal(latest.tryNext(), { id: 1 });
  assert.is(latest.tryNext(), undefined);
  for (const id of [2, 3]) writer.write({ id });
  assert.equal(latest.tryNext(), { id: 3 });
  assert.is(latest.tryNext(), undefined);
  assert.is(latest.readInto({}), true);
  writer.write({ id: 4 });
  assert.equal(latest.nextSync({ timeoutMs: 0 }), { id: 4 });
  segment.close();
  assert.throws(
    () => latest.tryNext(),
    (e: IsthmusError) => e.code === "CLOSED",
  );
});

test("a loop begins with the newest value and goes on with each newer one; loops do not take values from each other", async () => {
  const { segment, latest, writer } = opened();
  writer.write({ id: 1 });
  const seen: number[][] = [[], []];
  const loops = seen.map(async (ids) => {
    for await (const { id } of latest) {
      ids.push(id);
      if (id === 3) return;
    }
  });
  for (const id of [2, 3]) {
    await until(`both loops have ${id - 1}`, () => seen.every((ids) => ids.at(-1) === id - 1));
    writer.write({ id });
  }
  await within("both loops", Promise.all(loops));
  assert.equal(seen, [
    [1, 2, 3],
    [1, 2, 3],
  ]);
  segment.close();
});

test("a loop that is left ends its wait; later calls say that it has ended", async () => {
  const { segment, latest, writer } = opened();
  const values = latest.values();
  const pending = values.next();
  await new Promise((resolve) => setImmediate(resolve)); // it waits now
  assert.equal(await within("return", values.return?.() as Promise<unknown>), {
    done: true,
    value: undefined,
  });
  assert.equal(await within("next", pending), { done: true, value: undefined });
  writer.write({ id: 1 });
  assert.equal(await within("next", values.next()), { done: true, value: undefined });
  assert.is(values[Symbol.asyncIterator](), values);
  segment.close();
});

test("a signal, a timeout and the end of the segment end a loop as they end next", async () => {
  const { segment, latest } = opened();
  const reason = new Error("stopped");
  const stop = new AbortController();
  const loop = (async () => {
    for await (const _ of latest.values({ signal: stop.signal })) assert.unreachable();
  })();
  stop.abort(reason);
  assert.is(
    await within(
      "a rejection",
      loop.catch((error) => error),
    ),
    reason,
  );
  const aborted = latest.values({ signal: AbortSignal.abort(reason) });
  assert.is(
    await within(
      "a rejection",
      aborted.next().catch((error) => error),
    ),
    reason,
  );
  assert.equal(await within("next", aborted.next()), { done: true, value: undefined });
  assert.is(await codeWithin(latest.values({ timeoutMs: 1 }).next()), "TIMED_OUT");
  assert.throws(() => latest.values({ timeout: 1 } as never), /timeoutMs/);
  const closed = codeWithin(latest.values().next());
  await new Promise((resolve) => setImmediate(resolve));
  segment.close();
  assert.is(await closed, "CLOSED");
});

test("calls of next in advance are answered in their order, one value each", async () => {
  const { segment, latest, writer } = opened();
  const values = latest.values();
  const answers = [values.next(), values.next()];
  writer.write({ id: 1 });
  assert.equal(await within("the first", answers[0] as Promise<unknown>), { done: false, value: { id: 1 } });
  writer.write({ id: 2 });
  assert.equal(await within("the second", answers[1] as Promise<unknown>), { done: false, value: { id: 2 } });
  segment.close();
});

/** Lets what waits fall asleep. */
async function asleep(): Promise<void> {
  for (let turn = 0; turn < 64; turn++) await new Promise((resolve) => setImmediate(resolve));
}

for (const state of ["awake", "asleep"]) {
  test(`calls of next that wait, ${state}, of one object or of two, beside a loop, each get the newest value`, async () => {
    const { segment, latest, writer } = opened();
    const other = segment.latest("latest", Frame);
    writer.write({ id: 1 });
    assert.equal(latest.read(), { id: 1 });
    const looped: number[] = [];
    const loop = (async () => {
      for await (const { id } of latest) {
        looped.push(id);
        if (id === 3) return;
      }
    })();
    assert.equal(await within("a value that this object has not read", other.next()), { id: 1 });
    const waiting = [latest.next(), latest.next({ timeoutMs: 1e6 }), other.next(), latest.next()];
    if (state === "asleep") await asleep();
    for (const id of [2, 3]) writer.write({ id });
    // A call that was made before goes on to count from what had been read then.
    assert.equal(latest.read(), { id: 3 });
    assert.equal(await within("all", Promise.all(waiting)), Array(4).fill({ id: 3 }));
    await within("the loop", loop);
    assert.equal(looped.at(-1), 3);
    const later = latest.next();
    await asleep();
    writer.write({ id: 4 });
    assert.equal(await within("a later call", later), { id: 4 });
    segment.close();
  });
}

test("one call of next that gives up, or waits longer, leaves the others what they wait for", async () => {
  const { segment, latest, writer } = opened();
  const controller = new AbortController();
  const aborted = latest.next(controller).catch((error) => error);
  const timed = codeWithin(latest.next({ timeoutMs: 1 }));
  const waiting = latest.next();
  controller.abort("enough");
  assert.is(await within("the abort", aborted), "enough");
  assert.is(await timed, "TIMED_OUT");
  writer.write({ id: 1 });
  assert.equal(await within("the value", waiting), { id: 1 });
  segment.close();
});

test("a loop whose body waits for the next value gets each newer value once in the loop", async () => {
  const { segment, latest, writer } = opened();
  writer.write({ id: 1 });
  const seen: string[] = [];
  const loop = (async () => {
    for await (const { id } of latest) {
      seen.push(`loop ${id}`);
      if (id === 2) return;
      seen.push(`next ${(await latest.next()).id}`);
    }
  })();
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  writer.write({ id: 2 });
  await within("the loop", loop);
  assert.equal(seen, ["loop 1", "next 2", "loop 2"]);
  segment.close();
});

test.run();
