/** Objects: opening, arguments, size, files, handles. */
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as errors from "../../protocol/errors.js";
import { Agent } from "../lib/processes.js";
import { node } from "../lib/runtimes.js";
import { areFiles, segmentName, segmentPath, temporaryDirectory } from "../lib/segments.js";
import { isDarwin, notOnDarwin, onlyLinux, unless } from "../lib/skips.js";
import { LOCAL, mapped, native, open, PAGE_BYTES, refuses, rejects } from "./objects.js";

/** What the system has set aside for the object. */
function storedBytes(object: number, name: string): number {
  return areFiles ? statSync(segmentPath(name)).blocks * 512 : native.storage(object).storedBytes;
}

test("the shim offers what ts/host/native.ts says, and nothing else", () => {
  const source = readFileSync(new URL("../../../ts/host/native.ts", import.meta.url), "utf8");
  const contract = /interface Native \{([\s\S]*?)\n\}/.exec(source)?.[1] as string;
  const promised = [...contract.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map((match) => match[1]);
  assert.ok(promised.length > 20);
  assert.equal(Object.keys(native).sort(), promised.sort());
});

test("a created object is empty and has exactly the mode", () => {
  const before = process.umask(0o077);
  const name = segmentName();
  const object = native.openNamed(name, LOCAL, true, false, 0o666);
  process.umask(before);
  const info = native.info(object);
  assert.equal(info, {
    bytes: 0,
    linked: true,
    trusted: true,
    created: true,
    owner: process.getuid?.() ?? 0,
    mode: 0o666,
  });
  if (areFiles) assert.is(statSync(segmentPath(name)).mode & 0o777, 0o666);
  native.close(object);
});

test("an object that exists keeps its mode", () => {
  const name = segmentName();
  const first = native.openNamed(name, LOCAL, true, false, 0o640);
  const second = native.openNamed(name, LOCAL, true, false, 0o666);
  assert.is(native.info(second).mode, 0o640);
  native.close(first);
  native.close(second);
});

test("arguments of a wrong kind are TypeErrors that name them", () => {
  const object = open(segmentName());
  const wrong = native as unknown as Record<string, (...given: unknown[]) => unknown>;
  rejects("name", () => wrong.openNamed?.(1, 0, true, false, 0o600));
  rejects("namespace", () => wrong.openNamed?.("a", "b", true, false, 0o600));
  rejects("namespace", () => native.list(2));
  rejects("create", () => wrong.openNamed?.("a", 0, 1, false, 0o600));
  rejects("readOnly", () => wrong.openFile?.("a", true, undefined, 0o600));
  rejects("mode", () => native.openNamed("a", 0, true, false, 0o1000));
  rejects("mode", () => native.openNamed("a", 0, true, false, 1.5));
  rejects("bytes", () => native.allocate(object, 0));
  rejects("bytes", () => native.allocate(object, -1));
  rejects("bytes", () => native.allocate(object, Number.NaN));
  rejects("bytes", () => native.shrink(object, -1));
  rejects("bytes", () => native.shrink(object, 1.5));
  rejects("index", () => native.lock(object, 2 ** 20 + 1, false));
  rejects("shared", () => wrong.lock?.(object, 1));
  rejects("memory", () => wrong.map?.(object, new ArrayBuffer(8), false));
  rejects("memory", () => wrong.map?.(object, new Int8Array(8), false));
  rejects("into", () => wrong.read?.(object, 0, new Int8Array(8)));
  rejects("offset", () => native.read(object, -1, new Uint8Array(8)));
  rejects("replace", () => wrong.publish?.(object));
  rejects("mapped", () => native.wake(object, 0));
  rejects("bell", () => wrong.setBell?.(1));
  for (const number of [0, -1, 1.5, Number.NaN, 2 ** 60, "1", undefined, {}, object + 1, object + 65536]) {
    rejects("object", () => wrong.info?.(number));
  }
  native.close(object);
});

test("a stale number is a TypeError, also when its slot is taken again", () => {
  const name = segmentName();
  const first = open(name);
  native.close(first);
  const second = open(name);
  assert.is.not(second, first);
  for (const run of [native.info, native.close, native.unwatch, native.handle, native.flush]) {
    rejects("object", () => run(first));
  }
  native.close(second);
});

unless(notOnDarwin("shared memory takes a size once"), test)(
  "allocate gives real storage, grows, and never shrinks",
  () => {
    const name = segmentName();
    const object = open(name);
    native.allocate(object, 3 * PAGE_BYTES);
    assert.is(storedBytes(object, name), 3 * PAGE_BYTES);
    native.allocate(object, PAGE_BYTES);
    assert.is(native.info(object).bytes, 3 * PAGE_BYTES);
    native.allocate(object, 4 * PAGE_BYTES);
    assert.is(native.info(object).bytes, 4 * PAGE_BYTES);
    const reader = native.openNamed(name, LOCAL, false, true, 0);
    refuses(errors.READ_ONLY, () => native.allocate(reader, 8 * PAGE_BYTES));
    native.close(reader);
    native.close(object);
  },
);

unless(notOnDarwin("shared memory takes a size once"), test)(
  "shrink gives storage back, never grows, and refuses while the object is mapped",
  () => {
    const name = segmentName();
    const object = open(name);
    native.allocate(object, 3 * PAGE_BYTES);
    const writer = mapped(open(name));
    writer.bytes.fill(7);
    refuses(errors.BUSY, () => native.shrink(writer.object, PAGE_BYTES));
    assert.is(native.info(object).bytes, 3 * PAGE_BYTES);
    native.unmap(writer.object);
    assert.equal([...new Set(writer.bytes)], [0], "what is kept of the mapping reads zeros");
    native.shrink(writer.object, PAGE_BYTES);
    assert.is(native.info(object).bytes, PAGE_BYTES);
    assert.is(storedBytes(object, name), PAGE_BYTES);
    native.shrink(object, 2 * PAGE_BYTES);
    assert.is(native.info(object).bytes, PAGE_BYTES);
    native.allocate(object, 2 * PAGE_BYTES);
    const again = mapped(object);
    assert.ok(again.bytes.subarray(0, PAGE_BYTES).every((byte) => byte === 7));
    assert.ok(again.bytes.subarray(PAGE_BYTES).every((byte) => byte === 0));
    const reader = native.openNamed(name, LOCAL, false, true, 0);
    refuses(errors.READ_ONLY, () => native.shrink(reader, PAGE_BYTES));
    for (const each of [object, writer.object, reader]) native.close(each);
  },
);

test("a nameless object does not shrink", () => {
  const object = native.openAnonymous();
  native.allocate(object, 2 * PAGE_BYTES);
  refuses(
    isDarwin ? errors.NOT_SUPPORTED : errors.ACCESS_DENIED,
    () => native.shrink(object, PAGE_BYTES),
    "ftruncate",
  );
  assert.is(native.info(object).bytes, 2 * PAGE_BYTES);
  native.close(object);
});

unless(notOnDarwin("nothing is set aside for shared memory"), test)(
  "more than the system has is OUT_OF_SHARED_MEMORY, and the size stays what it was",
  () => {
    const object = open(segmentName());
    refuses(errors.OUT_OF_SHARED_MEMORY, () => native.allocate(object, 2 ** 52), "fallocate");
    const total = areFiles ? native.limits().totalBytes : 0; // Wine has no limit that it keeps
    if (total > 0) refuses(errors.OUT_OF_SHARED_MEMORY, () => native.allocate(object, total + 2 ** 30));
    assert.is(native.info(object).bytes, 0);
    native.close(object);
  },
);

unless(onlyLinux("limits of file sizes"), test)(
  "beyond a file size limit the process gets an error and no signal",
  async () => {
    const through = ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh"];
    const agent = await Agent.start(node, "shims/actions.ts", { through });
    const object = await agent.call("invoke", "openNamed", segmentName(), LOCAL, true, false, 0o600);
    const failure = await agent.call("failure", "allocate", object, 2 ** 20);
    assert.is((failure as { status: number }).status, errors.OUT_OF_SHARED_MEMORY);
    assert.is((await agent.call<{ bytes: number }>("invoke", "info", object)).bytes, 0);
    await agent.end();
  },
);

test("files: created with the mode, extended, opened again with what was written", () => {
  const path = join(temporaryDirectory(), "segment");
  writeFileSync(path, "old");
  truncateSync(path, 100);
  if (areFiles) chmodSync(path, 0o604); // elsewhere than on Linux, it has no permission bits
  const object = native.openFile(path, true, false, 0o600);
  if (areFiles) assert.is(native.info(object).mode, 0o604);
  const first = mapped(object);
  assert.is(Buffer.from(first.bytes.slice(0, 3)).toString(), "old");
  first.bytes[200] = 9;
  native.flush(object);
  native.close(object);
  assert.is(readFileSync(path)[200], 9);
});

test("what is no regular file is refused, also for reading", () => {
  const folder = temporaryDirectory();
  for (const path of [folder, process.platform === "win32" ? "NUL" : "/dev/null"]) {
    refuses(errors.ACCESS_DENIED, () => native.openFile(path, false, true, 0), "open");
    refuses(errors.ACCESS_DENIED, () => native.openFile(path, true, false, 0o600), "open");
  }
});

unless(onlyLinux("descriptors in /proc") ?? notOnDarwin("a handle names no descriptor"), test)(
  "a nameless object cannot be truncated under those who map it",
  () => {
    const object = native.openAnonymous();
    native.allocate(object, PAGE_BYTES);
    const [, descriptor] = native.handle(object).split(":");
    assert.throws(() => truncateSync(`/proc/self/fd/${descriptor}`, 0), /EPERM/);
    assert.is(native.info(object).bytes, PAGE_BYTES);
    native.close(object);
  },
);

unless(notOnDarwin("nothing is set aside for shared memory"), test)(
  "a file system that fills up half-way is OUT_OF_SHARED_MEMORY, and leaves nothing",
  async () => {
    const mount = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"';
    const through = ["unshare", ...(process.getuid?.() === 0 ? ["-m"] : ["-rm"]), "sh", "-c", mount, "sh"];
    const [command, ...given] = [...through, "true"];
    if (spawnSync(command as string, given).status !== 0) return console.log("  (needs a mount namespace)");
    const agent = await Agent.start(node, "shims/actions.ts", { through });
    const [first, second] = [
      await agent.call("invoke", "openNamed", "first", LOCAL, true, false, 0o600),
      await agent.call("invoke", "openNamed", "second", LOCAL, true, false, 0o600),
    ];
    await agent.call("invoke", "allocate", first, 8 * PAGE_BYTES);
    const failure = await agent.call<{ status: number; errno: number }>(
      "failure",
      "allocate",
      second,
      12 * PAGE_BYTES,
    );
    assert.is(failure.status, errors.OUT_OF_SHARED_MEMORY);
    assert.is(failure.errno, constants.errno.ENOSPC);
    assert.is((await agent.call<{ bytes: number }>("invoke", "info", second)).bytes, 0);
    assert.is((await agent.call<{ freeBytes: number }>("invoke", "limits")).freeBytes, 8 * PAGE_BYTES);
    await agent.call("invoke", "allocate", second, 8 * PAGE_BYTES);
    await agent.end();
  },
);

test("a handle opens the same bytes with locks of its own", () => {
  const first = mapped(native.openAnonymous());
  assert.ok(native.info(first.object).linked);
  const text = native.handle(first.object);
  assert.is(native.handle(first.object), text, "asking twice costs no second descriptor");
  const second = mapped(native.openHandle(text, false));
  const reader = mapped(native.openHandle(text, true), true);
  first.bytes[10] = 7;
  assert.is(second.bytes[10], 7);
  assert.is(reader.bytes[10], 7);
  assert.ok(native.lock(first.object, 0, false));
  assert.not(native.lock(second.object, 0, false));
  for (const { object } of [first, second, reader]) native.close(object);
  refuses(errors.NOT_FOUND, () => native.openHandle(text, false), "open");
});

test("a handle that is not one is INVALID_NAME, one of something else NOT_FOUND", () => {
  const bad = [
    "",
    "x",
    "1:2:3",
    "1:2:3:4:5",
    "1:2:3:x",
    "-1:2:3:4",
    "1:2:3:99999999999999999999",
    "1::3:4",
    " 1:2:3:4",
  ];
  for (const text of [...bad, `${2 ** 31}:1:1:1`]) {
    refuses(errors.INVALID_NAME, () => native.openHandle(text, false));
  }
  const missing = "0".repeat(16);
  const stranger = isDarwin
    ? `${process.pid}:${missing}`
    : areFiles
      ? `${process.pid}:0:1:1`
      : `local-${missing}`;
  refuses(errors.NOT_FOUND, () => native.openHandle(stranger, true), "open");
  const nearly = ["local-", "global-0123456789abcdeF", "local-0123456789abcdef0", "Local-0123456789abcdef"];
  for (const text of nearly) refuses(errors.INVALID_NAME, () => native.openHandle(text, false));
  refuses(errors.INVALID_NAME, () => native.openHandle("1".repeat(200), false));
  rejects("handle", () => native.openHandle("1".repeat(5000), false));
});

test("limits say where, how much, and how many words a thread watches", () => {
  const limits = native.limits();
  assert.is(limits.place, areFiles ? "/dev/shm" : "Local\\");
  assert.ok(limits.totalBytes >= limits.freeBytes && limits.freeBytes > 0);
  assert.ok((areFiles ? [1, 127] : [63]).includes(limits.wordsPerWatcher));
});

test.run();
