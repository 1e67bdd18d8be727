/** Watching words from the event loop, in every runtime and on a kernel without futex_waitv. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { node, presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { onlyLinux, unless } from "../lib/skips.js";
import { until } from "../lib/watchdog.js";
import { mapped, native, open, rejects } from "./objects.js";
import { holds } from "./resources.js";

/** A filter that answers ENOSYS to system call 449, as kernels before 5.16 and some sandboxes do. */
const WITHOUT_WAITV = `
import ctypes, os, struct, sys
code = b"".join(struct.pack("HBBI", *each) for each in
    [(0x20, 0, 0, 0), (0x15, 0, 1, 449), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000)])
class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(Program(4, code)), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
`;
const withoutWaitv = ["python3", "-c", WITHOUT_WAITV];
const canFilter = spawnSync("python3", ["-c", WITHOUT_WAITV, "true"]).status === 0;
const noFilter = canFilter ? undefined : "it needs python3, and the right to filter system calls";

/** Time on a CPU that the threads named "isthmus" of a process used so far, in clock ticks. */
async function ticksOfWatchers(pid: number, ids: string[]): Promise<number> {
  const used = ids.map((id) => {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  });
  return used.reduce((sum, each) => sum + each, 0);
}

async function rings(agent: Agent): Promise<void> {
  const name = segmentName();
  const { object, words } = mapped(open(name));
  const theirs = await agent.call<number>("attach", name);
  for (const index of [4, 5, 600]) await agent.call("watch", theirs, index);
  await agent.call("watch", theirs, 4); // again: no second thread, no second ring
  let last = 0;
  for (const index of [4, 600, 5]) {
    for (let value = 1; value <= 50; value++) {
      Atomics.store(words, index, value);
      native.wake(object, index * 4);
      await until(`${agent.name} to ring`, async () => (await agent.call<number>("rings")) > last);
      last = await agent.call<number>("rings");
    }
  }
  assert.ok(last <= 150, `${last} rings for 150 changes`);
  await agent.call("invoke", "unwatch", theirs);
  await holds(agent, { threads: 0 });
  Atomics.store(words, 4, 99);
  native.wake(object, 16);
  await agent.call("watch", theirs, 5);
  assert.is(await agent.call("rings"), last, "a word that nobody watches rings nothing");
  await agent.call("invoke", "close", theirs);
  await holds(agent, { threads: 0 });
  native.close(object);
}

for (const runtime of presentRuntimes()) {
  test(`${runtime.name}: every change rings, one thread serves all words`, async () => {
    const agent = await Agent.start(runtime, "shims/actions.ts");
    await rings(agent);
    await agent.end();
  });

  test(`${runtime.name}: a watched word does not keep the process alive`, async () => {
    const agent = await Agent.start(runtime, "shims/actions.ts");
    await agent.call("watch", await agent.call<number>("attach", segmentName()), 1);
    await agent.end();
    assert.is((await agent.ended).signal, null);
  });
}

unless(noFilter, test)("without futex_waitv a thread per word does the same", async () => {
  const agent = await Agent.start(node, "shims/actions.ts", { through: withoutWaitv });
  assert.is((await agent.call<{ wordsPerWatcher: number }>("invoke", "limits")).wordsPerWatcher, 1);
  await rings(agent);
  await agent.end();
});

test("more words than one thread can watch get more threads, and all of them ring", async () => {
  const agent = await Agent.start(node, "shims/actions.ts");
  const name = segmentName();
  const { object, words } = mapped(open(name));
  const theirs = await agent.call<number>("attach", name);
  for (let index = 0; index < 300; index++) await agent.call("watch", theirs, index);
  const perThread = native.limits().wordsPerWatcher;
  await holds(agent, { threads: Math.ceil(300 / perThread) });
  for (const index of [0, 126, 127, 254, 299]) {
    const before = await agent.call<number>("rings");
    Atomics.store(words, index, 1);
    native.wake(object, index * 4);
    await until(`word ${index} to ring`, async () => (await agent.call<number>("rings")) > before);
  }
  await agent.call("invoke", "close", theirs);
  await holds(agent, { threads: 0 });
  await agent.end();
  native.close(object);
});

test("the last of a storm of changes is seen", async () => {
  const [watcher, ringer] = [
    await Agent.start(node, "shims/actions.ts"),
    await Agent.start(node, "shims/actions.ts"),
  ];
  const name = segmentName();
  const seen = await watcher.call<number>("attach", name);
  const rung = await ringer.call<number>("attach", name);
  await watcher.call("follow", seen, 2);
  for (let storm = 1; storm <= 20; storm++) {
    await ringer.call("ring", rung, 2, 500);
    await until("the last value", async () => (await watcher.call<number>("followed")) === storm * 500);
  }
  assert.ok((await watcher.call<number>("rings")) < 10_000, "rings are coalesced");
  await watcher.end();
  await ringer.end();
});

test("a change while the bell is being answered rings again", async () => {
  for (const runtime of presentRuntimes()) {
    const agent = await Agent.start(runtime, "shims/actions.ts");
    const theirs = await agent.call<number>("attach", segmentName());
    await agent.call("follow", theirs, 2, 1);
    await agent.call("ring", theirs, 2);
    await until(`${runtime.name} to see both`, async () => (await agent.call("followed")) === 2);
    await agent.end();
  }
});

unless(onlyLinux("times of threads in /proc"), test)(
  "a watching thread that nobody rings uses no CPU",
  async () => {
    const agent = await Agent.start(node, "shims/actions.ts");
    const theirs = await agent.call<number>("attach", segmentName());
    for (let index = 0; index < 100; index++) await agent.call("watch", theirs, index);
    await holds(agent, { threads: Math.ceil(100 / native.limits().wordsPerWatcher) });
    const ids = await agent.call<string[]>("watchers");
    const before = await ticksOfWatchers(agent.processId, ids);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.ok((await ticksOfWatchers(agent.processId, ids)) - before <= 2);
    await agent.end();
  },
);

test("watching needs a bell, and takes one only", () => {
  const { object } = mapped(open(segmentName()));
  rejects("watch", () => native.watch(object, 0));
  native.setBell(() => {});
  rejects("setBell", () => native.setBell(() => {}));
  native.watch(object, 0);
  rejects("offset", () => native.watch(object, 1));
  native.close(object);
});

test.run();
