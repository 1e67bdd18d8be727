/** Each argument of each public function, wrong in each way it can be: the error names it, and nothing has changed. */
import { GiB, KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused, rejected } from "../lib/refusals.js";
import { segmentExists, segmentName } from "../lib/segments.js";

const name = segmentName("arguments");
const segment = Segment.create(name, { bytes: MiB });
const ring = segment.ring("ring", { bytes: 4 * KiB });
const producer = ring.producer();
const consumer = ring.consumer();
const layout = struct({
  id: "u32",
  list: ["f64", 2],
  text: "utf8:4",
  flag: "bool",
  big: "i64",
  raw: "bytes:4",
});
const latest = segment.latest("latest", layout);
const lock = segment.lock("lock");
const semaphore = segment.semaphore("semaphore", { initial: 1 });
const event = segment.event("event");
const counter = segment.counter("counter");
const block = segment.heap.allocate(64);
const view = block.view(layout);
const free = segment.heap.stats.free;
const value = { id: 1, list: [1, 2], text: "text", flag: true, big: 1n, raw: new Uint8Array(4) };

/** Values of the wrong type for an argument that takes neither of them. */
const NOT_STRINGS: unknown[] = [undefined, null, 1, true, {}, [], 1n, Symbol("s"), () => {}];
const NOT_NUMBERS: unknown[] = [null, "1", true, {}, [], 1n, Symbol("s"), () => {}];
const NOT_OBJECTS: unknown[] = [null, 1, "text", true, 1n, Symbol("s")];
const NOT_WHOLE = [1.5, Number.NaN, Number.POSITIVE_INFINITY, -1, -0.5, 2 ** 53];

/** A claim whose commit is refused stays open until it is aborted. */
function commitOf(usedLength: number): void {
  using claim = producer.tryClaim(4);
  claim?.commit(usedLength);
}

type Call = (value: never) => unknown;

/** What is called, the argument that is wrong, and values that are of the wrong type. */
const types: [argument: string, call: Call, wrong: unknown[]][] = [
  ["name", (v) => Segment.create(v, { bytes: MiB }), NOT_STRINGS],
  ["name", (v) => Segment.open(v), NOT_STRINGS],
  ["name", (v) => Segment.openOrCreate(v, { bytes: MiB }), NOT_STRINGS],
  ["name", (v) => Segment.unlink(v), NOT_STRINGS],
  ["name", (v) => segment.ring(v, { bytes: KiB }), NOT_STRINGS],
  ["name", (v) => segment.latest(v, layout), NOT_STRINGS],
  ["handle", (v) => Segment.fromHandle(v), NOT_STRINGS],
  ["options", (v) => Segment.create(segmentName(), v), [...NOT_OBJECTS, undefined]],
  ["options", (v) => Segment.openOrCreate(segmentName(), v), [...NOT_OBJECTS, undefined]],
  ["options", (v) => Segment.createAnonymous(v), [...NOT_OBJECTS, undefined]],
  ["options", (v) => Segment.open(name, v), NOT_OBJECTS],
  ["options", (v) => Segment.list(v), NOT_OBJECTS],
  ["options", (v) => Segment.unlink(name, v), NOT_OBJECTS],
  ["options", (v) => Segment.fromHandle(segment.handle, v), NOT_OBJECTS],
  ["options", (v) => segment.ring("ring", v), NOT_OBJECTS],
  ["options", (v) => producer.sendSync(new Uint8Array(1), v), NOT_OBJECTS],
  ["options", (v) => consumer.receiveSync(v), NOT_OBJECTS],
  ["options", (v) => latest.nextSync(v), NOT_OBJECTS],
  ["options", (v) => consumer.tryDrain(() => {}, v), NOT_OBJECTS],
  ["bytes", (v) => Segment.create(segmentName(), { bytes: v }), [...NOT_NUMBERS, undefined]],
  ["bytes", (v) => Segment.createAnonymous({ bytes: v }), [...NOT_NUMBERS, undefined]],
  ["bytes", (v) => segment.ring("new", { bytes: v }), NOT_NUMBERS],
  ["bytes", (v) => producer.trySend(v), [undefined, null, 1, "text", [1], {}, new ArrayBuffer(8)]],
  ["bytes", (v) => producer.sendSync(v), [undefined, null, 1, "text", [1]]],
  [
    "arrayOfBytes",
    (v) => producer.trySendMany(v),
    [undefined, null, 1, "text", new Uint8Array(1), [1], ["text"]],
  ],
  ["mode", (v) => Segment.create(segmentName(), { bytes: MiB, mode: v }), NOT_NUMBERS],
  ["participants", (v) => Segment.create(segmentName(), { bytes: MiB, participants: v }), NOT_NUMBERS],
  ["replace", (v) => Segment.create(segmentName(), { bytes: MiB, replace: v }), [null, 1, "yes", {}]],
  ["namespace", (v) => Segment.create(segmentName(), { bytes: MiB, namespace: v }), [1, true, {}, 1n]],
  ["namespace", (v) => Segment.open(name, { namespace: v }), [1, true, {}]],
  ["access", (v) => Segment.open(name, { access: v }), [null, 1, true, {}]],
  ["layout", (v) => segment.latest("latest", v), [undefined, null, {}, "u32", { id: "u32" }]],
  ["fields", (v) => struct(v), NOT_OBJECTS],
  ["id", (v) => struct({ id: v }), [undefined, null, 1, {}, true]],
  ["length", (v) => producer.tryClaim(v), [...NOT_NUMBERS, undefined]],
  ["handle", (v) => consumer.tryDrain(v), [undefined, null, 1, "text", {}]],
  ["limit", (v) => consumer.tryDrain(() => {}, { limit: v }), NOT_NUMBERS],
  ["timeoutMs", (v) => consumer.receiveSync({ timeoutMs: v }), NOT_NUMBERS],
  ["timeoutMs", (v) => latest.nextSync({ timeoutMs: v }), NOT_NUMBERS],
  ["id", (v) => latest.write({ ...value, id: v }), [undefined, null, "1", {}, 1n]],
  ["list", (v) => latest.write({ ...value, list: v }), [undefined, null, 1, "12"]],
  ["list\\[1\\]", (v) => latest.write({ ...value, list: [1, v] }), [undefined, null, "1"]],
  ["text", (v) => latest.write({ ...value, text: v }), NOT_STRINGS],
  ["flag", (v) => latest.write({ ...value, flag: v }), [undefined, null, 1, "true"]],
  ["big", (v) => latest.write({ ...value, big: v }), [undefined, null, 1, "1"]],
  ["raw", (v) => latest.write({ ...value, raw: v }), [undefined, null, 1, "text", [1], new Uint16Array(2)]],
  ["value", (v) => latest.write(v), [undefined, null, 1, "text"]],
  ["name", (v) => segment.lock(v), NOT_STRINGS],
  ["name", (v) => segment.semaphore(v, { initial: 1 }), NOT_STRINGS],
  ["name", (v) => segment.event(v), NOT_STRINGS],
  ["name", (v) => segment.counter(v), NOT_STRINGS],
  ["mode", (v) => lock.tryAcquire(v), [null, 1, true, {}]],
  ["mode", (v) => lock.acquireSync(v), [null, 1, true, {}]],
  ["options", (v) => lock.acquireSync("shared", v), NOT_OBJECTS],
  ["options", (v) => segment.semaphore("new", v), NOT_OBJECTS],
  ["options", (v) => segment.event("new", v), NOT_OBJECTS],
  ["options", (v) => event.waitSync(v), NOT_OBJECTS],
  ["options", (v) => semaphore.acquireSync(v), NOT_OBJECTS],
  ["options", (v) => segment.heap.allocate(8, v), NOT_OBJECTS],
  ["initial", (v) => segment.semaphore("new", { initial: v }), [...NOT_NUMBERS, undefined]],
  ["signaled", (v) => segment.event("new", { signaled: v }), [null, 1, "yes", {}]],
  ["count", (v) => semaphore.release(v), NOT_NUMBERS],
  ["amount", (v) => counter.add(v), NOT_NUMBERS],
  ["value", (v) => counter.exchange(v), [...NOT_NUMBERS, undefined]],
  ["expected", (v) => counter.compareExchange(v, 1), [...NOT_NUMBERS, undefined]],
  ["value", (v) => counter.compareExchange(1, v), [...NOT_NUMBERS, undefined]],
  ["length", (v) => segment.heap.allocate(v), [...NOT_NUMBERS, undefined]],
  ["alignment", (v) => segment.heap.allocate(8, { alignment: v }), NOT_NUMBERS],
  ["zero", (v) => segment.heap.allocate(8, { zero: v }), [null, 1, "yes", {}]],
  ["offset", (v) => segment.heap.blockAt(v), [...NOT_NUMBERS, undefined]],
  ["bytes", (v) => block.write(v), [undefined, null, 1, "text", [1], new ArrayBuffer(8)]],
  ["at", (v) => block.write(new Uint8Array(1), v), NOT_NUMBERS],
  ["layout", (v) => block.view(v), [undefined, null, {}, "u32", { id: "u32" }]],
  ["id", (v) => view.set("id", v), [undefined, null, "1", {}, 1n]],
  ["text", (v) => view.write({ ...value, text: v }), NOT_STRINGS],
  ["root", (v) => (segment.root = v), [null, 1, "text", {}]],
  ["lock", (v) => segment.transactionSync(v, () => {}), [undefined, null, 1, "lock", {}]],
  ["body", (v) => segment.transactionSync(lock, v), [undefined, null, 1, "text", {}]],
];

/** The same for values of the right type and out of range. */
const ranges: [argument: string, call: Call, wrong: unknown[]][] = [
  [
    "bytes",
    (v) => Segment.create(segmentName(), { bytes: v }),
    [...NOT_WHOLE, 0, 1, 65535, 4 * GiB + 1, 5 * GiB],
  ],
  ["bytes", (v) => Segment.openOrCreate(segmentName(), { bytes: v }), [...NOT_WHOLE, 0, 1, 4 * GiB + 1]],
  ["bytes", (v) => Segment.createAnonymous({ bytes: v }), [...NOT_WHOLE, 0, 1, 4 * GiB + 1]],
  ["bytes", (v) => segment.ring("new", { bytes: v }), [...NOT_WHOLE, 0, 4 * GiB]],
  ["mode", (v) => Segment.create(segmentName(), { bytes: MiB, mode: v }), [...NOT_WHOLE, 0o1000, 0o10777]],
  [
    "participants",
    (v) => Segment.create(segmentName(), { bytes: MiB, participants: v }),
    [...NOT_WHOLE, 0, 63, 65, 1025],
  ],
  ["namespace", (v) => Segment.create(segmentName(), { bytes: MiB, namespace: v }), ["", "Local", "other"]],
  ["access", (v) => Segment.open(name, { access: v }), ["", "rw", "READ-ONLY"]],
  ["id", (v) => struct({ id: v }), ["", "u128", "utf8", "utf8:", "utf8:0", "utf8:-1", "bytes:x", "toString"]],
  ["id", (v) => struct({ id: ["u8", v] }), [0, -1, 1.5]],
  ["length", (v) => producer.tryClaim(v), [...NOT_WHOLE]],
  ["usedLength", (v) => commitOf(v), [5, -1, 1.5]],
  ["limit", (v) => consumer.tryDrain(() => {}, { limit: v }), [-1, 1.5, Number.NaN]],
  [
    "timeoutMs",
    (v) => consumer.receiveSync({ timeoutMs: v }),
    [-1, Number.NaN, 2 ** 31, Number.NEGATIVE_INFINITY],
  ],
  ["id", (v) => latest.write({ ...value, id: v }), [-1, 2 ** 32, 0.5, Number.NaN]],
  ["list", (v) => latest.write({ ...value, list: v }), [[], [1], [1, 2, 3]]],
  ["text", (v) => latest.write({ ...value, text: v }), ["fünfe", "12345"]],
  ["big", (v) => latest.write({ ...value, big: v }), [2n ** 63n, -(2n ** 63n) - 1n]],
  ["raw", (v) => latest.write({ ...value, raw: v }), [new Uint8Array(5)]],
  ["mode", (v) => lock.tryAcquire(v), ["", "Exclusive", "write"]],
  ["initial", (v) => segment.semaphore("new", { initial: v }), [...NOT_WHOLE, 2 ** 31]],
  ["count", (v) => semaphore.release(v), [...NOT_WHOLE, 0, 2 ** 31]],
  ["amount", (v) => counter.add(v), [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]],
  ["length", (v) => segment.heap.allocate(v), [...NOT_WHOLE, 2 ** 32]],
  ["alignment", (v) => segment.heap.allocate(8, { alignment: v }), [...NOT_WHOLE, 0, 4, 12, 24, 2 ** 17]],
  ["offset", (v) => segment.heap.blockAt(v), [...NOT_WHOLE, 2 ** 32]],
  ["at", (v) => block.write(new Uint8Array(1), v), [...NOT_WHOLE, 65, 1000]],
  ["bytes", (v) => block.write(v, 60), [new Uint8Array(5)]],
  ["id", (v) => view.set("id", v), [-1, 2 ** 32, 0.5, Number.NaN]],
  ["timeoutMs", (v) => lock.acquireSync("shared", { timeoutMs: v }), [-1, Number.NaN, 2 ** 31]],
];

function shown(wrong: unknown): string {
  return typeof wrong === "object" ? JSON.stringify(wrong) : String(wrong);
}

for (const [kind, cases] of [
  ["TypeError", types],
  ["RangeError", ranges],
] as const) {
  test(`a value that cannot be right is a ${kind} that names the argument`, () => {
    const before = Segment.list().length;
    for (const [argument, call, wrong] of cases) {
      for (const one of wrong) {
        try {
          refused(kind, () => call(one as never), new RegExp(`(^|\\W)${argument}(\\W|$)`));
        } catch (error) {
          throw new Error(`${argument} = ${shown(one)} in ${call}: ${(error as Error).message}`);
        }
      }
    }
    assert.is(consumer.tryReceive(), undefined);
    assert.is(latest.version, 0);
    assert.equal(
      segment
        .objects()
        .map((object) => object.name)
        .sort(),
      ["counter", "event", "latest", "lock", "ring", "semaphore"],
    );
    assert.is(segment.heap.stats.free, free);
    assert.is(counter.value, 0);
    assert.is(semaphore.value, 1);
    assert.equal(block.copy(), new Uint8Array(64));
    lock.acquireSync("exclusive", { timeoutMs: 0 }).release();
    assert.ok(before > 0);
  });
}

test("the same holds for what gives a promise", async () => {
  const wait = { timeoutMs: 1 };
  await rejected("TypeError", producer.send("text" as never), /bytes/);
  await rejected("TypeError", producer.send(new Uint8Array(1), 1 as never), /options/);
  await rejected("TypeError", consumer.receive(1 as never), /options/);
  await rejected("TypeError", consumer.receive({ signal: {} as never }), /signal/);
  await rejected("TypeError", consumer.receive({ timeoutMs: "1" as never }), /timeoutMs/);
  await rejected("RangeError", consumer.receive({ timeoutMs: -1 }), /timeoutMs/);
  await rejected("RangeError", latest.next({ timeoutMs: Number.NaN }), /timeoutMs/);
  await rejected("TypeError", segment.waitForObject(1 as never, wait), /name/);
  await rejected("RangeError", segment.waitForObject("never", { timeoutMs: -1 }), /timeoutMs/);
  await rejected("TypeError", Segment.waitFor(1 as never, wait), /name/);
  await rejected("RangeError", Segment.waitFor(segmentName(), { timeoutMs: -1 }), /timeoutMs/);
  await rejected("TypeError", Segment.waitFor(segmentName(), { ...wait, signal: 1 as never }), /signal/);
  await rejected("RangeError", Segment.waitFor(segmentName(), { ...wait, access: "rw" as never }), /access/);
  assert.is(consumer.tryReceive(), undefined);
});

test("waits end with the signal's own reason, or in time", async () => {
  const reason = new Error("enough");
  const empty = segment.semaphore("empty", { initial: 0 });
  using other = Segment.open(name);
  using _held = other.lock("lock").acquireSync("exclusive");
  for (const wait of [
    (signal: AbortSignal) => consumer.receive({ signal }),
    (signal: AbortSignal) => latest.next({ signal }),
    (signal: AbortSignal) => event.wait({ signal }),
    (signal: AbortSignal) => empty.acquire({ signal }),
    (signal: AbortSignal) => lock.acquire("shared", { signal }),
    (signal: AbortSignal) => segment.waitForObject("never", { signal }),
    (signal: AbortSignal) => Segment.waitFor(segmentName(), { signal }),
  ]) {
    const early = new AbortController();
    early.abort(reason);
    assert.is(await wait(early.signal).catch((error: unknown) => error), reason);
    const late = new AbortController();
    setTimeout(() => late.abort(reason), 5);
    assert.is(await wait(late.signal).catch((error: unknown) => error), reason);
  }
  for (const timeoutMs of [0, 5]) {
    await rejected("TIMED_OUT", event.wait({ timeoutMs }));
    await rejected("TIMED_OUT", empty.acquire({ timeoutMs }));
    await rejected("TIMED_OUT", lock.acquire("exclusive", { timeoutMs }));
    refused("TIMED_OUT", () => event.waitSync({ timeoutMs }));
    refused("TIMED_OUT", () => empty.acquireSync({ timeoutMs }));
    refused("TIMED_OUT", () => lock.acquireSync("shared", { timeoutMs }));
    await rejected("TIMED_OUT", consumer.receive({ timeoutMs }));
    refused("TIMED_OUT", () => consumer.receiveSync({ timeoutMs }));
    refused("TIMED_OUT", () => latest.nextSync({ timeoutMs }));
    await rejected("TIMED_OUT", latest.next({ timeoutMs }));
    await rejected("TIMED_OUT", segment.waitForObject("never", { timeoutMs }));
    await rejected("TIMED_OUT", Segment.waitFor(segmentName(), { timeoutMs }));
  }
});

test("names that not every system takes are refused", async () => {
  const wrong = [
    "",
    "a/b",
    "/",
    "..",
    ".",
    ".hidden",
    "a\0b",
    "\0",
    "naïve",
    "日本",
    "a b",
    "a\nb",
    "x".repeat(201),
    "x".repeat(300),
  ];
  for (const one of wrong) {
    refused("INVALID_NAME", () => Segment.create(one, { bytes: MiB }), /1 to 200 characters/);
    refused("INVALID_NAME", () => Segment.open(one));
    refused("INVALID_NAME", () => Segment.openOrCreate(one, { bytes: MiB }));
    refused("INVALID_NAME", () => Segment.unlink(one));
    await rejected("INVALID_NAME", Segment.waitFor(one, { timeoutMs: 1 }));
  }
  const longest = segmentName("long").padEnd(200, "x");
  using made = Segment.create(longest, { bytes: 65536 });
  made.unlink();
  assert.not(segmentExists(longest));
});

test("names of objects have 1 to 80 bytes, not characters, and no NUL", () => {
  for (const one of ["", "a\0b", "a\0", "x".repeat(81), "é".repeat(41), "x".repeat(300)]) {
    refused("INVALID_NAME", () => segment.ring(one, { bytes: KiB }));
    refused("INVALID_NAME", () => segment.latest(one, layout));
  }
  for (const one of ["é".repeat(40), "a/b c", "日本", "\n", "."])
    assert.is(segment.ring(one, { bytes: 64 }).name, one);
});

test("a record that can never fit is refused at once", async () => {
  const large = new Uint8Array(4 * KiB);
  refused("TOO_LARGE", () => producer.trySend(large), /4096/);
  refused("TOO_LARGE", () => producer.sendSync(large));
  refused("TOO_LARGE", () => producer.trySendMany([large]));
  refused("TOO_LARGE", () => producer.tryClaim(5 * KiB));
  await rejected("TOO_LARGE", producer.send(large));
  assert.ok(producer.trySend(new Uint8Array(4 * KiB - 8)));
  assert.is(consumer.tryReceive()?.length, 4 * KiB - 8);
});

test("what does not fit into the segment is refused, and nothing is taken", () => {
  refused("SEGMENT_FULL", () => segment.ring("huge", { bytes: 2 * MiB }), /1048576 bytes/);
  refused("SEGMENT_FULL", () => segment.latest("huge", struct({ bytes: "bytes:2000000" })));
  assert.not(segment.objects().some((object) => object.name === "huge"));
  const small = segmentName("small");
  refused("SEGMENT_FULL", () => Segment.create(small, { bytes: 65536, participants: 1024 }), /participants/);
  assert.not(segmentExists(small));
});

test("a read-only opener may look and not touch", () => {
  latest.write(value);
  using looking = Segment.open(name, { access: "read-only" });
  refused("READ_ONLY", () => looking.ring("ring", { bytes: 4 * KiB }).producer());
  refused("READ_ONLY", () => looking.ring("ring", { bytes: 4 * KiB }).consumer());
  refused("READ_ONLY", () => looking.latest("latest", layout).write(value));
  refused("NOT_FOUND", () => looking.ring("absent", { bytes: KiB }));
  assert.equal(looking.latest("latest", layout).read(), value);
  assert.is(looking.access, "read-only");
});

test.after(() => segment.close());
test.run();
