/** What only the shim for macOS has: index files and the memory they lead to: "npm run test:darwin". */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as errors from "../../protocol/errors.js";
import { Agent } from "../lib/processes.js";
import { node } from "../lib/runtimes.js";
import { segmentName, segmentPath } from "../lib/segments.js";
import { LOCAL, mapped, native, open, PAGE_BYTES, refuses } from "../shims/objects.js";

if (!process.env.ISTHMUS_STAND_IN) throw new Error('run "npm run test:darwin"');

const PLACE = "/dev/shm";
/** Where the stand-in keeps shared memory. */
const MEMORY = /^darwin-memory\./;
const memories = (): string[] => readdirSync(PLACE).filter((file) => MEMORY.test(file));
const staged = (): string[] => readdirSync(PLACE).filter((file) => file.startsWith(".isthmus."));
/** The memory to which a name leads. */
const memoryOf = (name: string): string =>
  `${PLACE}/darwin-memory.${readFileSync(segmentPath(name), "utf8").trim()}`;

/** Runs, and afterwards there are no other memories and staged files than before. */
async function leavesNothing(act: () => Promise<void> | void): Promise<void> {
  const before = [memories(), staged()];
  await act();
  assert.equal([memories(), staged()], before);
}

test("an index names its memory, whose name fits into 31 bytes", () =>
  leavesNothing(() => {
    const name = segmentName("a-name-that-is-much-longer-than-31-bytes");
    const object = open(name);
    assert.match(readFileSync(segmentPath(name), "utf8"), /^isthmus\.[0-9a-f]{16}\n$/);
    assert.is(memories().length, 1);
    native.unlink(name, LOCAL);
    assert.is(memories().length, 0);
    native.close(object);
  }));

test("memory takes its size once; the same size again is no growth", () => {
  const name = segmentName();
  const [first, second] = [open(name), open(name)];
  native.allocate(first, PAGE_BYTES);
  native.allocate(second, PAGE_BYTES);
  refuses(errors.NOT_SUPPORTED, () => native.allocate(second, 2 * PAGE_BYTES));
  assert.is(native.info(first).bytes, PAGE_BYTES);
  refuses(errors.NOT_SUPPORTED, () => native.shrink(first, 4096));
  native.remove(first);
  for (const object of [first, second]) native.close(object);
});

test("what is read without a mapping is what others have written", () => {
  const { object, bytes } = mapped(open(segmentName()));
  bytes.set([1, 2, 3], PAGE_BYTES - 3);
  native.unmap(object);
  const into = new Uint8Array(8);
  assert.is(native.read(object, PAGE_BYTES - 5, into), 5);
  assert.equal([...into], [0, 0, 1, 2, 3, 0, 0, 0]);
  assert.is(native.read(object, PAGE_BYTES, into), 0);
  native.remove(object);
  native.close(object);
});

test("a replaced object's memory goes with its name, and its bytes with the last who has them", () =>
  leavesNothing(() => {
    const name = segmentName();
    const old = mapped(open(name));
    old.bytes[0] = 7;
    const fresh = native.openStaged(name, LOCAL, 0o600);
    native.allocate(fresh, PAGE_BYTES);
    assert.is(memories().length, 2);
    native.publish(fresh, true);
    assert.is(memories().length, 1);
    assert.is(old.bytes[0], 7);
    assert.ok(native.remove(fresh));
    for (const object of [old.object, fresh]) native.close(object);
  }));

test("after a start of the machine a name is absent, for whoever looks, lists, creates, or removes", () =>
  leavesNothing(() => {
    const names = Array.from({ length: 4 }, () => segmentName("left"));
    for (const name of names) {
      native.close(open(name));
      rmSync(memoryOf(name));
    }
    const [looked, created, published, listed] = names as [string, string, string, string];
    refuses(errors.NOT_FOUND, () => native.openNamed(looked, LOCAL, false, false, 0));
    const object = native.openNamed(created, LOCAL, true, false, 0o640);
    assert.ok(native.info(object).created);
    assert.is(native.info(object).mode, 0o640);
    const fresh = native.openStaged(published, LOCAL, 0o600);
    native.publish(fresh, false);
    const seen = native.list(LOCAL);
    assert.ok(seen.includes(created) && seen.includes(published) && !seen.includes(listed));
    refuses(errors.NOT_FOUND, () => native.unlink(listed, LOCAL));
    for (const each of [object, fresh]) {
      native.remove(each);
      native.close(each);
    }
  }));

test("a file that is no index is refused, and can be removed", () => {
  const name = segmentName();
  writeFileSync(segmentPath(name), "isthmus.0123");
  refuses(errors.ACCESS_DENIED, () => native.openNamed(name, LOCAL, true, false, 0o600));
  native.unlink(name, LOCAL);
});

test("what a killed process had staged, or without a name, goes with the next list", () =>
  leavesNothing(async () => {
    const agent = await Agent.start(node, "shims/actions.ts");
    await agent.call("invoke", "openStaged", segmentName(), LOCAL, 0o600);
    await agent.call("invoke", "openAnonymous");
    native.list(LOCAL);
    assert.is(memories().length, 2, "while it lives");
    await agent.kill();
    native.list(LOCAL);
  }));

test("an anonymous object lives as long as anybody has it, and no longer", () =>
  leavesNothing(async () => {
    const agent = await Agent.start(node, "shims/actions.ts");
    const theirs = await agent.call<number>("invoke", "openAnonymous");
    await agent.call("invoke", "allocate", theirs, PAGE_BYTES);
    const text = await agent.call<string>("invoke", "handle", theirs);
    const ours = native.openHandle(text, false);
    await agent.kill();
    native.list(LOCAL);
    const again = native.openHandle(native.handle(ours), true);
    assert.is(native.info(again).bytes, PAGE_BYTES);
    native.close(ours);
    native.close(again);
    refuses(errors.NOT_FOUND, () => native.openHandle(text, false));
  }));

test("a dead maker's handle leads nowhere, also before anybody has swept", async () => {
  const agent = await Agent.start(node, "shims/actions.ts");
  const text = await agent.call<string>("invoke", "handle", await agent.call("invoke", "openAnonymous"));
  await agent.kill();
  refuses(errors.NOT_FOUND, () => native.openHandle(text, false));
  native.list(LOCAL);
});

test("racers for names lose no memory", () =>
  leavesNothing(() => {
    const name = segmentName();
    for (let round = 0; round < 50; round++) {
      const object = open(name);
      const fresh = native.openStaged(name, LOCAL, 0o600);
      native.publish(fresh, true);
      native.list(LOCAL);
      assert.not(native.remove(object));
      assert.ok(native.remove(fresh));
      for (const each of [object, fresh]) native.close(each);
    }
  }));

test("without any call to sleep on, waiting is NOT_SUPPORTED", async () => {
  const agent = await Agent.start(node, "shims/actions.ts", {
    through: ["env", "ISTHMUS_STAND_IN_RELEASE=0"],
  });
  const theirs = await agent.call<number>("attach", segmentName());
  const failure = await agent.call<{ status: number }>("failure", "wake", theirs, 16);
  assert.is(failure.status, errors.NOT_SUPPORTED);
  await agent.end();
});

test.run();
