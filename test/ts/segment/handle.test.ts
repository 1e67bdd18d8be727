/** A handle reaches the processes that are given it, and nobody else gets anything of the segment. */
import { fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compiled } from "../../lib/paths.js";
import { Agent, finished, start } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { node, presentRuntimes } from "../../lib/runtimes.js";
import { notSuperuser, onlyLinux, unless } from "../../lib/skips.js";
import { within } from "../../lib/watchdog.js";

const ACTIONS = "failures/actions.ts";
const opener = compiled("ts/segment/handle-worker.ts");

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((descriptor) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
    } catch {
      return ""; // closed meanwhile
    }
  });
}

test("spawned, forked and threaded, a child opens what it was given the handle of", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const forked = fork(opener, [segment.handle], { execArgv: [] });
  await within("the forked child has opened it", once(forked, "exit"));
  const worker = new Worker(opener, { workerData: segment.handle });
  await within("the worker has opened it", once(worker, "exit"));
  for (const { command, flags } of presentRuntimes()) {
    const { code, stderr } = await finished(start(command, [...flags, opener, segment.handle]), "the child");
    assert.is(code, 0, stderr);
  }
  assert.is(segment.counter("opened").value, 2 + presentRuntimes().length);
});

unless(onlyLinux("/proc, which shows what a process has open"), test)(
  "a handle that was taken is inherited by no child, detached or not, and keeps no memory",
  async () => {
    const segment = Segment.createAnonymous({ bytes: MiB });
    assert.is(segment.handle, segment.handle);
    const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
    try {
      await once(child, "spawn");
      assert.equal(
        descriptorsOf(child.pid as number).filter((path) => path.includes("isthmus")),
        [],
      );
      const { stdout } = spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" });
      assert.not.match(stdout, "isthmus");
    } finally {
      child.kill("SIGKILL");
      segment.close();
    }
    assert.equal(
      descriptorsOf(process.pid).filter((path) => path.includes("memfd:isthmus")),
      [],
    );
  },
);

unless(onlyLinux("handles that go with their maker"), test)(
  "the maker may end: a handle of another one that has it open works",
  async () => {
    const [maker, other, third] = await Agent.startAll([node, node, node], ACTIONS);
    if (!maker || !other || !third) throw new Error("not all were started");
    const first = await maker.call<string>("createAnonymous", MiB);
    await other.call("fromHandle", "shared", first);
    const second = await other.call<string>("handle", "shared");
    await maker.kill();
    const { message } = await rejected("NOT_FOUND", third.call("fromHandle", "shared", first));
    assert.match(message, /take the handle of a process that has the segment open/);
    await third.call("fromHandle", "shared", second);
    for (const agent of [other, third]) await agent.end();
  },
);

test("a handle of a closed segment leads nowhere", () => {
  const segment = Segment.createAnonymous({ bytes: MiB });
  const { handle } = segment;
  segment.close();
  refused("NOT_FOUND", () => Segment.fromHandle(handle));
  refused("CLOSED", () => segment.handle);
});

unless(notSuperuser, test)("another user cannot open it", async () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const agent = await Agent.start(node, ACTIONS);
  await agent.call("setUser", 65534);
  await rejected("ACCESS_DENIED", agent.call("fromHandle", "theirs", segment.handle), /Use a named segment/);
  await agent.end();
});

test.run();
