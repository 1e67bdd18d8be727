/** Opening that fails leaves files as they were, removes only what it has made itself, and says why. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { refused, rejected } from "../../lib/refusals.js";
import { node } from "../../lib/runtimes.js";
import { temporaryDirectory } from "../../lib/segments.js";
import { noNamespaces, notSuperuser, onlyLinux, unless } from "../../lib/skips.js";
import { flawed } from "../../lib/steps.js";

const folder = temporaryDirectory();
const PAGE = 64 * KiB;
/** Too many for one page. */
const FULL = { bytes: PAGE, participants: 1024 };
const ACTIONS = "ts/segment/file-failures-actions.ts";
let files = 0;

function path(): string {
  return join(folder, `file-${++files}`);
}

function inode(file: string): number {
  return statSync(file).ino;
}

test("a file that this very call has made goes with its failure", () => {
  const file = path();
  refused("SEGMENT_FULL", () => Segment.openFile(file, FULL));
  assert.not(existsSync(file));
});

test("a file that was there and empty is there and empty, with its mode", () => {
  const file = path();
  writeFileSync(file, "", { mode: 0o640 });
  const before = inode(file);
  refused("SEGMENT_FULL", () => Segment.openFile(file, FULL));
  assert.equal([inode(file), statSync(file).size], [before, 0]);
  if (process.platform !== "win32") assert.is(statSync(file).mode & 0o777, 0o640);
  using segment = Segment.openFile(file, { bytes: MiB });
  assert.equal([inode(file), segment.bytes], [before, MiB]);
});

test("a file full of zeros is made a segment in place, never removed, and keeps what it has when that fails", () => {
  for (const bytes of [PAGE, MiB, 2 * MiB]) {
    const file = path();
    writeFileSync(file, Buffer.alloc(bytes));
    const before = inode(file);
    if (bytes === PAGE) {
      refused("SEGMENT_FULL", () => Segment.openFile(file, FULL));
      assert.equal([inode(file), statSync(file).size], [before, bytes]);
      assert.ok(readFileSync(file).every((byte) => byte === 0));
    }
    using segment = Segment.openFile(file, { bytes: MiB });
    assert.equal([inode(file), segment.bytes], [before, Math.max(bytes, MiB)]);
  }
});

test("a file that is no segment is left alone, whatever is asked for", () => {
  for (const content of ["x", "x".repeat(PAGE), "\0".repeat(PAGE - 1), `${"\0".repeat(PAGE - 1)}x`]) {
    const file = path();
    writeFileSync(file, content);
    for (const given of [{ bytes: MiB }, { bytes: PAGE }, FULL, {}, { access: "read-only" } as const]) {
      assert.throws(() => Segment.openFile(file, given), /BAD_MAGIC|CORRUPT|INITIALIZING/);
    }
    assert.is(readFileSync(file, "latin1"), content);
  }
});

test("a failure of cleaning up does not hide the first one", () => {
  const file = path();
  const refuse = (): never => {
    throw Object.assign(new Error("no"), { status: 4, syscall: "unlink", errno: 13 });
  };
  flawed({ remove: () => refuse, shrink: () => refuse }, () =>
    refused("SEGMENT_FULL", () => Segment.openFile(file, FULL)),
  );
  writeFileSync(file, "");
  flawed({ remove: () => refuse, shrink: () => refuse }, () =>
    refused("SEGMENT_FULL", () => Segment.openFile(file, FULL)),
  );
});

test("what is no path of a file says what it is", () => {
  refused(
    "ACCESS_DENIED",
    () => Segment.openFile(folder, { bytes: PAGE }),
    process.platform === "win32" ? /folder/ : /folder.*EISDIR/,
  );
  refused("INVALID_NAME", () => Segment.openFile(join(folder, "x".repeat(300))));
  refused("INVALID_NAME", () => Segment.openFile(join(folder, "x".repeat(300)), { bytes: PAGE }), /too long/);
  refused("INVALID_NAME", () => Segment.openFile("x".repeat(5000), { bytes: PAGE }), /at most 4000 bytes/);
  refused("NOT_FOUND", () => Segment.openFile(join(folder, "none", "x"), { bytes: PAGE }), /folder/);
  writeFileSync(join(folder, "plain"), "");
  refused("NOT_FOUND", () => Segment.openFile(join(folder, "plain", "x"), { bytes: PAGE }));
  for (const access of [null, "write", 1] as never[])
    assert.throws(() => Segment.openFile(path(), { bytes: PAGE, access }), /access must be/);
  refused("RangeError", () => Segment.openFile(path(), { bytes: 1, access: "read-only" }), /bytes/);
});

unless(onlyLinux("working directories that can be removed"), test)(
  "a path from a folder that is gone is an error that says so",
  async () => {
    const agent = await Agent.start(node, ACTIONS);
    const gone = join(folder, "gone");
    mkdirSync(gone);
    await rejected("NOT_FOUND", agent.call("openFromGoneFolder", gone), /working directory/);
    await agent.end();
  },
);

unless(notSuperuser, test)("who may not remove the file is told so, and it stays", async () => {
  const closed = join(temporaryDirectory(), "closed");
  mkdirSync(closed, { mode: 0o755 });
  const file = join(closed, "file");
  Segment.openFile(file, { bytes: PAGE, mode: 0o666 }).close();
  chmodSync(join(closed, ".."), 0o755);
  const agent = await Agent.start(node, ACTIONS);
  await agent.call("becomeUser", 65534);
  for (const access of ["read-write", "read-only"]) {
    await rejected("ACCESS_DENIED", agent.call("unlinkFile", file, access), /EACCES/);
  }
  await rejected("ACCESS_DENIED", agent.call("unlinkFile", join(closed, "new"), "read-write"), /EACCES/);
  assert.ok(existsSync(file));
  await agent.end();
});

unless(noNamespaces("--mount"), test)(
  "on a full disk nothing is damaged, and a copy with holes is not opened to be killed later",
  async () => {
    const disk = temporaryDirectory();
    const script = 'mount -t tmpfs -o size=1m tmpfs "$DISK" && exec "$@"';
    const through = ["unshare", "--mount", "sh", "-c", script, "sh"];
    const agent = await Agent.start(node, ACTIONS, { through, env: { ...process.env, DISK: disk } });
    assert.equal(await agent.call("fillDisk", disk), {
      created: "OUT_OF_SHARED_MEMORY",
      left: [],
      extended: "OUT_OF_SHARED_MEMORY",
      whole: true,
      sparse: "OUT_OF_SHARED_MEMORY",
      sparseBytes: 512 * KiB,
    });
    await agent.end();
  },
);

unless(noNamespaces("--mount"), test)("a disk that can only be read is read, or says so", async () => {
  const disk = temporaryDirectory();
  Segment.openFile(join(disk, "file"), { bytes: PAGE }).close();
  const script = 'mount --bind "$DISK" "$DISK" && mount -o remount,ro,bind "$DISK" && exec "$@"';
  const through = ["unshare", "--mount", "sh", "-c", script, "sh"];
  const agent = await Agent.start(node, ACTIONS, { through, env: { ...process.env, DISK: disk } });
  await rejected("ACCESS_DENIED", agent.call("openBytes", join(disk, "file"), {}), /read-only.*EROFS/);
  await rejected("ACCESS_DENIED", agent.call("openBytes", join(disk, "new"), { bytes: PAGE }), /EROFS/);
  assert.is(await agent.call("openBytes", join(disk, "file"), { access: "read-only" }), PAGE);
  await rejected("ACCESS_DENIED", agent.call("unlinkFile", join(disk, "file"), "read-only"), /EROFS/);
  await agent.end();
});

test("a file that another program truncates while it is looked at is refused, and ends nobody", () => {
  const file = path();
  Segment.openFile(file, { bytes: MiB }).close();
  const { size } = statSync(file);
  for (const access of ["read-write", "read-only"] as const) {
    let reads = 0;
    flawed(
      {
        read: (shim) => (object, offset, into) => {
          if (reads++ === 0) truncateSync(file, 100);
          return shim.read(object as number, offset as number, into as Uint8Array);
        },
      },
      () => refused("CORRUPT", () => Segment.openFile(file, { access })),
    );
    assert.ok(reads > 0);
    truncateSync(file, size);
  }
});

test.run();
