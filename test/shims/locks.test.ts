/** Kernel-held locks: modes, several objects of one process, other processes, death in every form. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as errors from "../../protocol/errors.js";
import { Agent } from "../lib/processes.js";
import { node, presentRuntimes } from "../lib/runtimes.js";
import { areFiles, segmentName, segmentPath } from "../lib/segments.js";
import { isDarwin, noStops, unless } from "../lib/skips.js";
import { until, WATCHDOG_MS } from "../lib/watchdog.js";
import { LOCAL, native, open, PAGE_BYTES, refuses } from "./objects.js";

const LOCK = 7;

/** The letter of /proc/<pid>/stat: R, S, T (stopped), Z (zombie) … */
function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat[stat.lastIndexOf(")") + 2] as string;
}

/** Without returning to the event loop, which would reap a dead child. */
function spinUntil(what: string, holds: () => boolean): void {
  const begin = Date.now();
  while (!holds()) if (Date.now() - begin > WATCHDOG_MS) throw new Error(`watchdog: ${what}`);
}

async function holder(name: string, shared = false): Promise<{ agent: Agent; object: number }> {
  const agent = await Agent.start(node, "shims/actions.ts");
  const object = await agent.call<number>("invoke", "openNamed", name, LOCAL, true, false, 0o600);
  assert.ok(await agent.call("invoke", "lock", object, LOCK, shared));
  return { agent, object };
}

test("exclusive excludes, shared shares, and nobody is in his own way", () => {
  const name = segmentName();
  const [first, second] = [open(name), open(name)];
  assert.ok(native.lock(first, LOCK, false));
  assert.ok(native.lock(first, LOCK, false), "again");
  assert.not(native.lock(second, LOCK, false));
  assert.not(native.lock(second, LOCK, true));
  assert.ok(native.lock(second, LOCK + 1, false), "another lock");
  native.unlock(first, LOCK);
  assert.ok(native.lock(first, LOCK, true));
  assert.ok(native.lock(second, LOCK, true));
  assert.not(native.lock(second, LOCK, false), "no upgrade while another shares");
  native.unlock(first, LOCK);
  assert.ok(native.lock(second, LOCK, false), "upgrade once alone");
  native.close(first);
  native.close(second);
});

test("a refused upgrade leaves the shared lock in place", () => {
  const name = segmentName();
  const [first, second, third] = [open(name), open(name), open(name)];
  native.lock(first, LOCK, true);
  native.lock(second, LOCK, true);
  assert.not(native.lock(first, LOCK, false));
  native.unlock(second, LOCK);
  assert.not(native.lock(third, LOCK, false));
  for (const object of [first, second, third]) native.close(object);
});

test("a lock that is held shared is not held exclusively", () => {
  const name = segmentName();
  const [first, second] = [open(name), open(name)];
  for (const shared of [true, false]) {
    assert.ok(native.lock(first, LOCK, shared));
    assert.ok(native.held(second, LOCK, false));
    assert.is(native.held(second, LOCK, true), !shared);
    native.unlock(first, LOCK);
  }
  native.close(first);
  native.close(second);
});

test("held sees holders of both modes, and not the asker", () => {
  const name = segmentName();
  const [first, second] = [open(name), open(name)];
  for (const shared of [false, true]) {
    native.lock(first, LOCK, shared);
    assert.ok(native.held(second, LOCK, false), shared ? "shared" : "exclusive");
    assert.not(native.held(first, LOCK, false));
    native.unlock(first, LOCK);
    assert.not(native.held(second, LOCK, false));
  }
  native.close(first);
  native.close(second);
});

test("the first and the last lock are different ones", () => {
  const name = segmentName();
  const [first, second] = [open(name), open(name)];
  for (const index of [0, 2 ** 20]) assert.ok(native.lock(first, index, false));
  for (const index of [0, 2 ** 20]) assert.ok(native.held(second, index, false));
  for (const index of [1, 2 ** 20 - 1]) assert.not(native.held(second, index, false));
  native.close(first);
  native.close(second);
});

test("a read-only object takes shared locks only, and sees exclusive ones", () => {
  const name = segmentName();
  const writer = open(name);
  const reader = native.openNamed(name, LOCAL, false, true, 0);
  refuses(errors.READ_ONLY, () => native.lock(reader, LOCK, false));
  assert.ok(native.lock(reader, LOCK, true));
  assert.ok(native.held(writer, LOCK, false));
  native.unlock(reader, LOCK);
  native.lock(writer, LOCK, false);
  assert.ok(native.held(reader, LOCK, false));
  native.close(writer);
  native.close(reader);
});

test("opening and closing the same object in the same process drops nothing", () => {
  const name = segmentName();
  const [first, second] = [open(name), open(name)];
  native.lock(first, LOCK, false);
  if (areFiles) closeSync(openSync(segmentPath(name), "r+"));
  native.close(open(name));
  if (!isDarwin) native.close(native.openHandle(native.handle(first), false)); // its name leads to it there
  assert.ok(native.held(second, LOCK, false));
  native.close(first);
  assert.not(native.held(second, LOCK, false));
  native.close(second);
});

test("a killed holder's lock is free at once, on Linux while it is still a zombie", async () => {
  const name = segmentName();
  const object = open(name);
  for (const shared of [false, true]) {
    const { agent } = await holder(name, shared);
    assert.ok(native.held(object, LOCK, false));
    process.kill(agent.processId, "SIGKILL");
    spinUntil("the lock to be dropped", () => !native.held(object, LOCK, false));
    if (areFiles) spinUntil("the holder to be a zombie", () => stateOf(agent.processId) === "Z");
    assert.ok(native.lock(object, LOCK, false));
    native.unlock(object, LOCK);
    await agent.ended;
  }
  native.close(object);
});

unless(noStops, test)("a stopped holder keeps its lock", async () => {
  const name = segmentName();
  const object = open(name);
  const { agent } = await holder(name);
  agent.signal("SIGSTOP");
  await until("the holder to be stopped", () => stateOf(agent.processId) === "T");
  assert.ok(native.held(object, LOCK, false));
  assert.not(native.lock(object, LOCK, true));
  agent.signal("SIGCONT");
  await agent.kill();
  assert.not(native.held(object, LOCK, false));
  native.close(object);
});

test("a child that outlives the holder does not keep its lock", async () => {
  const name = segmentName();
  const object = open(name);
  const { agent, object: theirs } = await holder(name);
  if (!isDarwin) await agent.call("invoke", "handle", theirs); // no child inherits it
  const child = await agent.call<number>("bear");
  try {
    await agent.kill();
    if (areFiles) assert.is.not(stateOf(child), "Z", "the child lives");
    process.kill(child, 0);
    assert.not(native.held(object, LOCK, false));
  } finally {
    process.kill(child, "SIGKILL");
  }
  native.close(object);
});

test("a child's object behind a handle has no part in the parent's locks", async () => {
  const parent = native.openAnonymous();
  native.allocate(parent, PAGE_BYTES);
  native.lock(parent, LOCK, false);
  const text = native.handle(parent);
  for (const runtime of presentRuntimes()) {
    const agent = await Agent.start(runtime, "shims/actions.ts");
    const theirs = await agent.call<number>("attachHandle", text);
    assert.ok(await agent.call("invoke", "held", theirs, LOCK, false), runtime.name);
    assert.not(await agent.call("invoke", "lock", theirs, LOCK, false), runtime.name);
    await agent.call("invoke", "close", theirs);
    await agent.end();
    const other = native.openHandle(text, false);
    assert.ok(native.held(other, LOCK, false), `${runtime.name} has dropped the parent's lock`);
    native.close(other);
  }
  native.close(parent);
});

test("a handle reaches a process that is no child, as long as its owner lives", async () => {
  const owner = await Agent.start(node, "shims/actions.ts");
  const theirs = await owner.call<number>("invoke", "openAnonymous");
  await owner.call("invoke", "allocate", theirs, PAGE_BYTES);
  const text = await owner.call<string>("invoke", "handle", theirs);
  const object = native.openHandle(text, false);
  await owner.call("invoke", "lock", theirs, LOCK, false);
  assert.ok(native.held(object, LOCK, false));
  await owner.kill();
  assert.not(native.held(object, LOCK, false));
  assert.is(native.info(object).bytes, PAGE_BYTES);
  native.close(object); // an own descriptor of that number would be found too
  refuses(errors.NOT_FOUND, () => native.openHandle(text, false));
});

test("another user is refused, and what another user made is not trusted", async () => {
  if (process.getuid?.() !== 0) return console.log("  (only the superuser can start another user's process)");
  const refused = segmentName();
  const object = open(refused);
  const agent = await Agent.start(node, "shims/actions.ts", { uid: 65534, gid: 65534 });
  const status = async (...call: unknown[]): Promise<number> =>
    (await agent.call<{ status: number }>("failure", ...call)).status;
  for (const create of [false, true]) {
    assert.is(await status("openNamed", refused, LOCAL, create, false, 0o600), errors.ACCESS_DENIED);
  }
  assert.is(await status("unlink", refused, LOCAL), errors.ACCESS_DENIED);
  const nameless = native.openAnonymous();
  assert.is(await status("openHandle", native.handle(nameless), false), errors.ACCESS_DENIED);
  native.close(nameless);
  const theirs = segmentName("theirs");
  await agent.call("invoke", "openNamed", theirs, LOCAL, true, false, 0o600);
  const seen = native.openNamed(theirs, LOCAL, false, false, 0);
  assert.equal(native.info(seen), {
    bytes: 0,
    linked: true,
    trusted: false,
    created: false,
    owner: 65534,
    mode: 0o600,
  });
  await agent.end();
  native.close(object);
  native.close(seen);
});

test.run();
