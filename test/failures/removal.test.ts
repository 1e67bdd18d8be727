// only: linux, it stops processes, and looks at files of /dev/shm and at /proc
/** Who may take a name from whom, and what happens while somebody who has it in his hands is stopped. */
import {
  chownSync,
  linkSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../lib/processes.js";
import { refused, rejected } from "../lib/refusals.js";
import { node } from "../lib/runtimes.js";
import { segmentExists, segmentName, segmentPath, temporaryDirectory } from "../lib/segments.js";
import { notSuperuser, unless } from "../lib/skips.js";
import { flawed } from "../lib/steps.js";
import { pause, until, within } from "../lib/watchdog.js";

const ACTIONS = "failures/removal-actions.ts";
const BYTES = 64 * KiB;
const USER = 65534;

function isStopped(pid: number): boolean {
  return /^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

function hasOpen(pid: number, name: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`) === segmentPath(name);
    } catch {
      return false; // closed meanwhile
    }
  });
}

test("behind a stopped creator all give up in bounded time, say so, and take nothing from it", async () => {
  const name = segmentName("stopped");
  const creator = await Agent.start(node, ACTIONS);
  const others = await Agent.startAll([node, node, node, node], ACTIONS);
  const creating = creator.call<number>("createStoppingAt", name, "map");
  await until("the creator is stopped", () => isStopped(creator.pid));
  const waiting = Segment.waitFor(name, { timeoutMs: 40_000 });
  await Promise.all(
    ["replace", "unlink", "openOrCreate", "look"].map((action, i) =>
      rejected(
        "INITIALIZING",
        (others[i] as Agent).call(action, name),
        /may be stopped: continue it or end it/,
      ),
    ),
  );
  creator.signal("SIGCONT");
  assert.is(await creating, 1);
  using segment = await waiting;
  assert.is(segment.participants().length, 2);
  assert.is(await others[0]?.call("replace", name), 2);
  assert.ok(segment.stale);
  await Promise.all([creator, ...others].map((agent) => agent.end()));
  Segment.unlink(name);
});

test("a reader waits for a creator that lives", async () => {
  const name = segmentName("slow");
  const [creator, reader] = (await Agent.startAll([node, node], ACTIONS)) as [Agent, Agent];
  const creating = creator.call<number>("createStoppingAt", name, "map");
  await until("the creator is stopped", () => isStopped(creator.pid));
  const looking = reader.call<number>("look", name);
  await until("the reader waits", () => hasOpen(reader.pid, name));
  creator.signal("SIGCONT");
  assert.is(await creating, 1);
  assert.is(await looking, 1);
  for (const agent of [creator, reader]) await agent.end();
  Segment.unlink(name);
});

test("an opener is patient with a creator that is slow: it tries hundreds of times and is in then", async () => {
  const name = segmentName("slow");
  using progress = Segment.create(segmentName("progress"), { bytes: BYTES });
  const [creator, opener] = (await Agent.startAll([node, node], ACTIONS)) as [Agent, Agent];
  const creating = creator.call<number>("createStoppingAt", name, "map");
  await until("the creator is stopped", () => isStopped(creator.pid));
  let failed: unknown;
  const opening = opener.call<number>("openCounting", name, progress.name);
  opening.catch((error: unknown) => {
    failed = error;
  });
  const tries = progress.counter("tries");
  await until("it has tried for a while, or given up", () => tries.value > 400 || failed !== undefined);
  creator.signal("SIGCONT");
  assert.ok((await creating) >= 1); // the opener may have joined already
  assert.is(await opening, 2);
  for (const agent of [creator, opener]) await agent.end();
  progress.unlink();
  Segment.unlink(name);
});

test("a process ends although another one that joins is stopped", async () => {
  const name = segmentName("stopped");
  using _first = Segment.create(name, { bytes: BYTES });
  const [stopped, leaver] = (await Agent.startAll([node, node], ACTIONS)) as [Agent, Agent];
  await leaver.call("join", name);
  stopped.call("openStoppingAt", name, "map").catch(() => {});
  await until("the joiner is stopped", () => isStopped(stopped.pid));
  leaver.call("exit").catch(() => {});
  assert.is((await within("the process ends", leaver.ended, 8_000)).code, 0);
  assert.ok(isStopped(stopped.pid));
  await stopped.kill();
  Segment.unlink(name);
});

test("a stopped creator that is killed keeps nobody waiting", async () => {
  const name = segmentName("stopped");
  const creator = await Agent.start(node, ACTIONS);
  creator.call("createStoppingAt", name, "map").catch(() => {});
  await until("the creator is stopped", () => isStopped(creator.pid));
  await creator.kill();
  using segment = Segment.create(name, { bytes: BYTES });
  segment.unlink();
});

unless(notSuperuser, test)(
  "prune by the superuser leaves other users' segments alone, and each user prunes his own",
  async () => {
    const mine = segmentName("mine");
    const his = segmentName("his");
    for (const name of [mine, his]) Segment.create(name, { bytes: BYTES }).close();
    chownSync(segmentPath(his), USER, USER);
    const root = await Agent.start(node, ACTIONS);
    const user = await Agent.start(node, ACTIONS);
    await user.call("setUser", USER);
    assert.equal(await root.call("prune", his), []);
    assert.equal(await user.call("prune", mine), []);
    assert.equal(await user.call("prune", mine, his), [his]);
    assert.equal(await root.call("prune", mine, his), [mine]);
    for (const agent of [root, user]) await agent.end();
  },
);

unless(notSuperuser, test)(
  "who may remove a name can do so without the right to write or to read",
  async () => {
    const user = await Agent.start(node, ACTIONS);
    await user.call("setUser", USER);
    for (const mode of [0o400, 0o000, 0o600]) {
      const name = segmentName("mode");
      await user.call("create", name, mode);
      await user.call("unlink", name);
      assert.not(segmentExists(name), mode.toString(8));
      if (mode === 0) continue;
      await user.call("create", name, mode);
      await user.call("unlinkAsReader", name);
      assert.not(segmentExists(name), mode.toString(8));
    }
    const name = segmentName("theirs");
    Segment.create(name, { bytes: BYTES, mode: 0o644 }).close();
    await rejected("ACCESS_DENIED", user.call("unlink", name));
    await rejected("ACCESS_DENIED", user.call("unlinkAsReader", name));
    assert.ok(segmentExists(name));
    await user.end();
  },
);

test("a file with a second name is no shared memory, and is left as it is", () => {
  const name = segmentName("linked");
  const target = `${segmentPath(segmentName("target"))}.txt`;
  writeFileSync(target, "");
  linkSync(target, segmentPath(name));
  for (const open of [
    () => Segment.open(name),
    () => Segment.openOrCreate(name, { bytes: BYTES }),
    () => Segment.create(name, { bytes: BYTES, replace: true }),
    () => Segment.open(name, { access: "read-only" }),
  ]) {
    refused("ACCESS_DENIED", open, /second name/);
  }
  assert.is(readFileSync(target, "latin1"), "");
  Segment.unlink(name);
  assert.not(segmentExists(name));
  Segment.unlink(target.slice(segmentPath("").length));
});

test("a segment never appears with another mode than its own, whatever the umask", async () => {
  const name = segmentName("mode");
  const agent = await Agent.start(node, ACTIONS);
  let ended = false;
  const creating = agent.call("createMany", name, 0o644, 3000).finally(() => {
    ended = true;
  });
  const modes = new Set<number>();
  while (!ended) {
    for (let i = 0; i < 1000; i++) {
      const found = statSync(segmentPath(name), { throwIfNoEntry: false });
      if (found) modes.add(found.mode & 0o777);
    }
    await pause(0);
  }
  await creating;
  assert.equal([...modes], [0o644]);
  await agent.end();
});

test("two who replace at once make generations of their own", async () => {
  const name = segmentName("generations");
  const agents = await Agent.startAll([node, node], ACTIONS);
  const made = await Promise.all(agents.map((agent) => agent.call<number[]>("replaceMany", name, 200)));
  assert.equal(
    made.flat().sort((a, b) => a - b),
    Array.from({ length: 400 }, (_, i) => i + 1),
  );
  for (const agent of agents) await agent.end();
  Segment.unlink(name);
});

test("of two who unlink at once, one does", async () => {
  const agents = await Agent.startAll([node, node], ACTIONS);
  for (let i = 0; i < 50; i++) {
    const name = segmentName("once");
    Segment.create(name, { bytes: BYTES }).close();
    const results = await Promise.allSettled(agents.map((agent) => agent.call("unlink", name)));
    const refusals = results.flatMap((one) => (one.status === "rejected" ? [one.reason.code] : []));
    assert.equal(refusals, ["NOT_FOUND"]);
  }
  for (const agent of agents) await agent.end();
});

test("a program that is started inherits nothing, also after a handle was given", async () => {
  const agent = await Agent.start(node, ACTIONS);
  const file = join(temporaryDirectory(), "file");
  assert.equal(await agent.call("inherited", segmentName("inherited"), file), { before: 0, after: 0 });
  await agent.end();
});

test("a list maps nothing that its owner could truncate", () => {
  const name = segmentName("listed");
  Segment.create(name, { bytes: BYTES }).close();
  const map = (): never => {
    throw new Error("it was mapped");
  };
  const found = flawed({ map: () => map, list: () => () => [name] }, () => Segment.list());
  assert.equal(
    found.map(({ state, bytes, generation }) => [state, bytes, generation]),
    [["READY", BYTES, 1]],
  );
  Segment.unlink(name);
});

test("a process that has too many files open is told so, and goes on when it has closed some", async () => {
  const through = ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh"];
  const agent = await Agent.start(node, ACTIONS, { through });
  const { code, message } = await agent.call<{ code: string; message: string }>(
    "exhaust",
    segmentName("many"),
  );
  assert.is(code, "SYSTEM");
  assert.match(message, /too many files open.*ulimit -n.*EMFILE/);
  await agent.end();
});

test("the first opening of a process that can open no file fails with a code, and leaves nothing; it needs one", async () => {
  const through = ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh"];
  const agent = await Agent.start(node, ACTIONS, { through });
  const name = segmentName("first");
  assert.match(
    await agent.call<string>("openWithoutDescriptors", name, 0),
    /^SYSTEM: the core cannot be read.*EMFILE/,
  );
  assert.not(segmentExists(name));
  assert.is(await agent.call<string>("openWithoutDescriptors", name, 1), "done");
  await agent.call("openOrCreate", name);
  await agent.end();
});

test("a namespace is local or global, and nothing else", () => {
  for (const namespace of [null, "", "LOCAL", 1] as never[]) {
    for (const call of [
      () => Segment.create(segmentName(), { bytes: BYTES, namespace }),
      () => Segment.open(segmentName(), { namespace }),
      () => Segment.unlink(segmentName(), { namespace }),
      () => Segment.list({ namespace }),
      () => Segment.prune({ namespace }),
    ]) {
      assert.throws(call, /namespace must be "local" or "global"/);
    }
  }
});

test.run();
