/** Mapping, sleeping and waking: between objects of one process, between processes, in every runtime. */
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as errors from "../../protocol/errors.js";
import { Agent } from "../lib/processes.js";
import { node, presentRuntimes } from "../lib/runtimes.js";
import { areFiles, segmentName, segmentPath } from "../lib/segments.js";
import { isDarwin, onlyLinux, unless } from "../lib/skips.js";
import { until } from "../lib/watchdog.js";
import { LOCAL, mapped, native, open, PAGE_BYTES, refuses, rejects } from "./objects.js";

/** Whether a thread of the process is inside the system call of that number with that first argument's low bits. */
function sleepsInFutex(pid: number): boolean {
  // futex is 202 on x64, 98 on arm64; the second argument is the operation: 0 is a wait that other processes can end.
  return readFileSync(`/proc/${pid}/syscall`, "utf8").match(/^(202|98) 0x[0-9a-f]+ 0x0 /) !== null;
}

test("what one mapping writes, the other and the file show", () => {
  const name = segmentName();
  const [first, second] = [mapped(open(name)), mapped(open(name))];
  first.bytes.set([1, 2, 3], 100);
  assert.equal([...second.bytes.subarray(100, 103)], [1, 2, 3]);
  if (areFiles && !isDarwin) assert.equal([...readFileSync(segmentPath(name)).subarray(100, 103)], [1, 2, 3]);
  native.close(first.object);
  native.close(second.object);
});

test("after unmap and close, views read zeros and write nowhere", () => {
  const name = segmentName();
  const [kept, unmapped, closed] = [mapped(open(name)), mapped(open(name)), mapped(open(name))];
  kept.bytes[5] = 9;
  native.unmap(unmapped.object);
  native.unmap(unmapped.object);
  native.close(closed.object);
  for (const { bytes } of [unmapped, closed]) {
    assert.is(bytes[5], 0);
    bytes[5] = 77;
  }
  assert.is(kept.bytes[5], 9);
  native.map(unmapped.object, unmapped.bytes, false);
  assert.is(unmapped.bytes[5], 9, "it can be mapped again");
  native.close(kept.object);
  native.close(unmapped.object);
});

test("memory of another size, or not on a page, is refused and untouched", () => {
  const { object, bytes } = mapped(open(segmentName()));
  native.unmap(object);
  bytes[0] = 5;
  const larger = new Uint8Array(new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true }).buffer);
  larger[0] = 6;
  const plain = new Uint8Array(new SharedArrayBuffer(PAGE_BYTES + 8)).subarray(8);
  refuses(errors.NOT_SUPPORTED, () => native.map(object, larger, false));
  refuses(errors.NOT_SUPPORTED, () => native.map(object, larger.subarray(1, PAGE_BYTES + 1), false));
  refuses(errors.NOT_SUPPORTED, () => native.map(object, plain, false));
  refuses(errors.NOT_SUPPORTED, () => native.map(object, new Uint8Array(0), false));
  assert.is(larger[0], 6);
  assert.is(bytes[0], 5);
  native.close(object);
});

test("no memory is mapped over twice, and no object mapped twice", () => {
  const [first, second] = [mapped(open(segmentName())), mapped(open(segmentName()))];
  refuses(errors.BUSY, () => native.map(second.object, first.bytes, false));
  native.unmap(second.object);
  refuses(errors.BUSY, () => native.map(second.object, first.bytes, false));
  native.close(first.object);
  native.map(second.object, first.bytes, false);
  native.close(second.object);
});

test("a read-only object maps only for reading", () => {
  const name = segmentName();
  const writer = mapped(open(name));
  const object = native.openNamed(name, LOCAL, false, true, 0);
  const fresh = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer);
  refuses(errors.READ_ONLY, () => native.map(object, fresh, false));
  native.close(object);
  const reader = mapped(native.openNamed(name, LOCAL, false, true, 0), true);
  refuses(errors.BUSY, () => native.map(reader.object, reader.bytes, true));
  writer.words[0] = 3;
  assert.is(reader.words[0], 3);
  native.flush(reader.object);
  native.wait(reader.object, 0, 3, 1);
  native.wake(reader.object, 0);
  native.close(writer.object);
  native.close(reader.object);
});

test("offsets are multiples of 4 inside the mapping", () => {
  const { object } = mapped(open(segmentName()));
  for (const offset of [-4, 2, PAGE_BYTES, 2 ** 40, Number.NaN, 0.5]) {
    rejects("offset", () => native.wake(object, offset));
    rejects("offset", () => native.wait(object, offset, 0, 0));
  }
  native.wake(object, PAGE_BYTES - 4);
  rejects("timeoutMs", () => native.wait(object, 0, 0, Number.NaN));
  rejects("expected", () => native.wait(object, 0, undefined as unknown as number, 0));
  native.close(object);
});

test("wait returns at once when the word differs, and by itself when nobody wakes it", () => {
  const { object, words } = mapped(open(segmentName()));
  words[3] = -1;
  native.wait(object, 12, 0, 60_000); // would end this file by its watchdog otherwise
  native.wait(object, 12, -1, 5); // signed
  native.wait(object, 12, 0xffffffff, 5); // the same, unsigned
  native.wait(object, 12, -1, 0);
  native.wait(object, 12, -1, -5);
  native.wait(object, 12, -1, Number.POSITIVE_INFINITY); // early, by contract
  native.close(object);
});

test("now is a clock that never goes back, whatever JavaScript's clocks say", () => {
  const { object } = mapped(open(segmentName()));
  const before = native.now();
  const [dateNow, performanceNow] = [Date.now, performance.now];
  Date.now = () => 0;
  performance.now = () => 0;
  try {
    let last = native.now();
    for (let i = 0; i < 1000; i++) {
      const next = native.now();
      assert.ok(next >= last, `${next} after ${last}`);
      last = next;
    }
    // The unit is the one of wait: a sleep of 20 ms that nobody ends moves the clock by at least that.
    for (const from = native.now(); native.now() - from < 20; ) native.wait(object, 0, 0, 20);
  } finally {
    Date.now = dateNow;
    performance.now = performanceNow;
  }
  assert.ok(native.now() >= before + 20);
  native.close(object);
});

test("now is the system's monotonic clock, in milliseconds", () => {
  // Node's own reading of the same clock, in nanoseconds.
  const before = process.hrtime.bigint();
  const now = native.now();
  const after = process.hrtime.bigint();
  assert.ok(
    now * 1e6 >= Number(before) - 1e3 && now * 1e6 <= Number(after) + 1e3,
    `${before} ${now} ${after}`,
  );
});

/** How often the system has put a thread of this process to sleep. */
function voluntarySwitches(): number {
  const [, count] =
    /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync("/proc/thread-self/status", "utf8")) ?? [];
  return Number(count);
}

unless(onlyLinux("the count of sleeps in /proc"), test)(
  "the unit of a wait is the millisecond: a thread that nobody wakes sleeps a few times, not thousands",
  () => {
    const { object } = mapped(open(segmentName()));
    const before = voluntarySwitches();
    let waits = 0;
    for (const end = native.now() + 600; native.now() < end; waits++) native.wait(object, 0, 0, 100);
    assert.ok(waits < 100, `${waits} waits`);
    assert.ok(voluntarySwitches() - before < 300, `${voluntarySwitches() - before} switches`);
    native.close(object);
  },
);

/** A regular file of 4 KiB that cannot be mapped: older kernels notice that when the pages that were there are gone. */
const UNMAPPABLE = "/sys/kernel/uevent_seqnum";
const withSys = unless(existsSync(UNMAPPABLE) ? undefined : `there is no ${UNMAPPABLE}`, test);

withSys("a mapping that the system refuses leaves no hole behind", () => {
  const object = native.openFile(UNMAPPABLE, false, true, 0);
  assert.is(native.info(object).bytes, 4096);
  const memory = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer);
  refuses(errors.NOT_SUPPORTED, () => native.map(object, memory.subarray(0, 4096), true), "mmap");
  memory[0] = 7; // ends the process where there is a hole
  assert.is(memory[0], 7);
  native.close(object);
});

test("a sleeper in another process is woken, not found by polling", async () => {
  for (const runtime of presentRuntimes()) {
    const name = segmentName();
    const { object, words } = mapped(open(name));
    const agent = await Agent.start(runtime, "shims/actions.ts");
    const theirs = await agent.call<number>("attach", name);
    const slept = agent.call<number>("sleep", theirs, 5, 0);
    if (areFiles) await until(`${runtime.name} to sleep`, () => sleepsInFutex(agent.processId));
    Atomics.store(words, 5, 1);
    native.wake(object, 20);
    assert.ok((await slept) > 0 || !areFiles, runtime.name);
    await agent.end();
    native.close(object);
  }
});

test("two processes hand a word to and fro a thousand times", async () => {
  const name = segmentName();
  const { object, words } = mapped(open(name));
  const agent = await Agent.start(node, "shims/actions.ts");
  const theirs = await agent.call<number>("attach", name);
  const ends = agent.call("echo", theirs, 0, 1000);
  for (let value = 1; value <= 1000; value++) {
    Atomics.store(words, 0, value);
    native.wake(object, 0);
    for (let turn = 0; Atomics.load(words, 1) !== value; turn++) {
      if (turn > 600) throw new Error(`watchdog: no answer to ${value}`);
      native.wait(object, 4, value - 1, 100);
    }
  }
  await ends;
  await agent.end();
  native.close(object);
});

test.run();
