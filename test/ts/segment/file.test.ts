/** Segments in files: sizes, sessions, killed writers, and files that are something else. */
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { type Block, IsthmusError, type IsthmusErrorCode, KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PARTICIPANT_BYTES, PARTICIPANTS_OFFSET, SLOT_LIVE } from "../../../protocol/layout.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { temporaryDirectory } from "../../lib/segments.js";
import { pause } from "../../lib/watchdog.js";
import { Accounts, EACH } from "./file-actions.js";

const Note = struct({ text: "utf8:32" });
const folder = temporaryDirectory();
const PAGE = 64 * KiB;
let files = 0;

function path(): string {
  return join(folder, `segment-${++files}`);
}

function refuses(code: IsthmusErrorCode, open: () => Segment): IsthmusError {
  try {
    open().close();
  } catch (error) {
    assert.instance(error, IsthmusError);
    assert.is((error as IsthmusError).code, code, (error as Error).message);
    return error as IsthmusError;
  }
  return assert.unreachable(`expected ${code}`) as never;
}

function note(segment: Segment, text: string): void {
  const block = segment.heap.allocate(Note.bytes);
  block.view(Note).write({ text });
  segment.root = block;
}

/** Opens, looks, closes. */
function looked<T>(open: () => Segment, look: (segment: Segment) => T): T {
  const segment = open();
  try {
    assert.equal(segment.heap.check(), { ok: true, problems: [] });
    return look(segment);
  } finally {
    segment.close();
  }
}

const textOf = (segment: Segment): string | undefined => segment.root?.view(Note).read().text;

test("a file is created with the bytes and the mode that were asked for, and only if bytes are given", () => {
  const file = path();
  assert.throws(() => Segment.openFile(file), /NOT_FOUND.*no such file; pass \{ bytes \}/);
  assert.throws(
    () => Segment.openFile(file, { bytes: MiB, access: "read-only" }),
    /NOT_FOUND.*no such file; a read-only opener cannot create it/,
  );
  assert.not(existsSync(file));
  const segment = Segment.openFile(file, { bytes: MiB - 1, mode: 0o640 });
  assert.is(segment.bytes, MiB);
  assert.is(segment.name, file);
  assert.is(statSync(file).size, MiB);
  if (process.platform !== "win32") assert.is(statSync(file).mode & 0o777, 0o640);
  segment.close();
  writeFileSync(file, "");
  refuses("NOT_FOUND", () => Segment.openFile(file));
});

test("wrong arguments are named", () => {
  assert.throws(() => Segment.openFile(7 as never), /path must be a string/);
  assert.throws(() => Segment.openFile(path(), { bytes: 1 }), /bytes must be/);
  assert.throws(() => Segment.openFile(path(), { bytes: MiB, mode: -1 }), /mode must be/);
  assert.throws(() => Segment.openFile(path(), { access: "write" as never }), /access must be/);
  refuses("INVALID_NAME", () => Segment.openFile(""));
  refuses("INVALID_NAME", () => Segment.openFile("a\0b"));
  refuses("NOT_FOUND", () => Segment.openFile(join(folder, "no-folder", "file"), { bytes: MiB }));
});

test("the root and everything named is there in the next session", () => {
  const file = path();
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => {
      note(segment, "first session");
      segment.counter("hits").add(41);
    },
  );
  looked(
    () => Segment.openFile(file),
    (segment) => {
      assert.is(textOf(segment), "first session");
      assert.is(segment.counter("hits").add(), 42);
    },
  );
  looked(
    () => Segment.openFile(file, { access: "read-only" }),
    (segment) => {
      assert.is(textOf(segment), "first session");
      assert.is(segment.counter("hits").value, 42);
      assert.throws(() => segment.heap.allocate(8), /READ_ONLY|read-only/);
    },
  );
});

test("a read-only session changes nothing", () => {
  const file = path();
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => note(segment, "as it was"),
  );
  const before = readFileSync(file);
  looked(() => Segment.openFile(file, { access: "read-only" }), textOf);
  assert.ok(readFileSync(file).equals(before));
});

test("clean says whether the last one left in good order", async () => {
  const file = path();
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => assert.not(segment.header.clean),
  );
  const clean = (): boolean =>
    looked(
      () => Segment.openFile(file, { access: "read-only" }),
      (segment) => segment.header.clean,
    );
  assert.ok(clean());
  const agent = await Agent.start(node, "ts/segment/file-actions.ts");
  await agent.call("open", file, MiB);
  await agent.kill();
  assert.not(clean());
  looked(() => Segment.openFile(file), textOf);
  assert.ok(clean());
});

test("a file of which more is used than asked for stays as large", () => {
  const file = path();
  const last = looked(
    () => Segment.openFile(file, { bytes: 2 * MiB }),
    (segment) => segment.heap.allocate(2 * MiB - 400 * KiB).offset,
  );
  const { size } = statSync(file);
  assert.ok(size > MiB);
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => {
      assert.is(segment.bytes, size);
      segment.heap.blockAt(last)?.free();
    },
  );
  assert.ok(statSync(file).size < MiB);
});

test("a smaller file is extended, and its heap with it, whatever lies at its end", () => {
  for (const full of [false, true]) {
    const file = path();
    looked(
      () => Segment.openFile(file, { bytes: 128 * KiB }),
      (segment) => {
        note(segment, "stays");
        while (full && segment.heap.tryAllocate(1 * KiB));
        while (full && segment.heap.tryAllocate(0));
      },
    );
    for (const bytes of [192 * KiB, 1 * MiB, 5 * MiB]) {
      const before = looked(
        () => Segment.openFile(file),
        (segment) => ({ ...segment.heap.stats, bytes: segment.bytes }),
      );
      looked(
        () => Segment.openFile(file, { bytes }),
        (segment) => {
          assert.is(segment.bytes, bytes);
          assert.is(segment.heap.stats.free, before.free + bytes - before.bytes);
          assert.is(segment.heap.stats.blocks, before.blocks);
          assert.is(textOf(segment), "stays");
        },
      );
    }
    looked(
      () => Segment.openFile(file, { bytes: 5 * MiB }),
      (segment) => {
        const block = segment.heap.allocate(4 * MiB);
        assert.is(block.bytes.length, 4 * MiB);
        block.free();
        segment
          .ring("frames", { bytes: 64 * KiB })
          .producer()
          .close();
      },
    );
  }
});

test("while somebody has it open the size stays, and the second opener is told that size", async () => {
  const file = path();
  const agent = await Agent.start(node, "ts/segment/file-actions.ts");
  assert.is((await agent.call<{ bytes: number }>("open", file, MiB)).bytes, MiB);
  for (const access of ["read-write", "read-only"] as const) {
    const segment = Segment.openFile(file, { bytes: 2 * MiB, access });
    assert.is(segment.bytes, MiB);
    assert.is(segment.heap.stats.bytes, await agent.call("heapBytes"));
    assert.is(statSync(file).size, MiB);
    segment.close();
  }
  const segment = Segment.openFile(file, { bytes: 2 * MiB });
  // Both live, and both use it; what one has allocated at the end the other reads.
  const { offset } = segment.heap.allocate(400 * KiB);
  await agent.call("fill", offset, 7);
  assert.ok(
    segment.heap
      .blockAt(offset)
      ?.copy()
      .every((byte) => byte === 7),
  );
  await agent.call("close");
  assert.is(statSync(file).size, MiB, "the one who stays keeps the size that it has mapped");
  segment.heap.blockAt(offset)?.free();
  segment.close();
  looked(
    () => Segment.openFile(file, { bytes: 2 * MiB }),
    (alone) => assert.is(alone.bytes, 2 * MiB),
  );
  await agent.end();
});

test("an extension whose process died when the file was longer already is finished by the next writer", () => {
  const file = path();
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => note(segment, "stays"),
  );
  const { size } = statSync(file);
  assert.ok(size < MiB);
  truncateSync(file, 3 * MiB);
  looked(
    () => Segment.openFile(file, { access: "read-only" }),
    (segment) => {
      assert.is(segment.bytes, size);
      assert.is(textOf(segment), "stays");
    },
  );
  looked(
    () => Segment.openFile(file),
    (segment) => {
      assert.is(segment.bytes, 3 * MiB);
      assert.is(textOf(segment), "stays");
      assert.ok(segment.heap.allocate(2 * MiB));
    },
  );
});

test("flush brings what was written into the file", () => {
  const file = path();
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => {
      note(segment, "written and flushed");
      segment.flush();
      assert.ok(readFileSync(file).includes("written and flushed"));
    },
  );
});

test("unlink removes the file, and a path stays right when the process moves", () => {
  const before = process.cwd();
  mkdirSync(join(folder, "elsewhere"));
  try {
    process.chdir(folder);
    const segment = Segment.openFile("relative", { bytes: MiB });
    process.chdir(join(folder, "elsewhere"));
    assert.not(segment.stale);
    segment.unlink();
    assert.not(existsSync(join(folder, "relative")));
    assert.ok(segment.stale);
    segment.close();
  } finally {
    process.chdir(before);
  }
});

test("whoever races to create it, one does", async () => {
  for (let turn = 0; turn < 3; turn++) {
    const file = path();
    const agents = await Promise.all([1, 2, 3].map(() => Agent.start(node, "ts/segment/file-actions.ts")));
    await Promise.all(agents.map((agent) => agent.call("open", file, MiB)));
    await Promise.all(agents.map((agent) => agent.call("prepare")));
    looked(
      () => Segment.openFile(file),
      (segment) => {
        assert.is(segment.participants().filter(({ state }) => state === "live").length, 4);
        assert.ok(segment.root);
      },
    );
    for (const agent of agents) await agent.end();
  }
});

test("killed writers: no transfer is torn, the heap is whole, and nobody stays among the participants", async () => {
  const file = path();
  let recoveries = 0;
  for (let turn = 0; turn < 8; turn++) {
    const agents = await Promise.all([1, 2].map(() => Agent.start(node, "ts/segment/file-actions.ts")));
    for (const agent of agents) await agent.call("open", file, MiB);
    await agents[0]?.call("prepare");
    for (const agent of agents) agent.call("churn").catch(() => {});
    await pause(20 + turn * 13);
    for (const agent of agents) await agent.kill();
    looked(
      () => Segment.openFile(file),
      (segment) => {
        const { balances } = (segment.root as Block).view(Accounts).read();
        assert.is(
          balances.reduce((sum, balance) => sum + balance, 0),
          8 * EACH,
        );
        assert.equal(
          segment.participants().map(({ self }) => self),
          [true],
        );
        assert.ok(segment.header.recoveries >= recoveries + 2);
        recoveries = segment.header.recoveries;
      },
    );
  }
});

test("a lock whose holder was killed is told about in the next session", async () => {
  const file = path();
  const agent = await Agent.start(node, "ts/segment/file-actions.ts");
  await agent.call("open", file, MiB);
  agent.call("holdAndDie").catch(() => {});
  await agent.ended;
  const segment = Segment.openFile(file);
  const held = segment.lock("held").tryAcquire();
  assert.is(held?.ownerDied, true);
  held?.markConsistent();
  segment.close();
});

test("owners from before the machine was started are dead: all slots can be had again", () => {
  const file = path();
  Segment.openFile(file, { bytes: MiB }).close();
  const bytes = readFileSync(file);
  for (let slot = 0; slot < 64; slot++) {
    bytes.writeBigUInt64LE(
      (9n << 32n) | BigInt((slot << 16) | SLOT_LIVE),
      PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES,
    );
  }
  writeFileSync(file, bytes);
  looked(
    () => Segment.openFile(file),
    (segment) => {
      assert.is(segment.header.recoveries, 64);
      assert.is(segment.participants().length, 1);
    },
  );
});

test("a truncated file is refused at every length, by code, and left as it is", () => {
  const file = path();
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => {
      note(segment, "lost");
      segment.heap.allocate(segment.heap.stats.free - 64 * KiB);
    },
  );
  const whole = readFileSync(file);
  assert.is(whole.length, MiB);
  const lengths = [1, 7, 8, 120, 4095, 4096, PAGE - 1, PAGE, PAGE + 1];
  for (let pages = 2; pages < 16; pages++) lengths.push(pages * PAGE, pages * PAGE + 4096);
  for (const length of lengths) {
    writeFileSync(file, whole.subarray(0, length));
    for (const given of [undefined, { bytes: 2 * MiB }, { access: "read-only" as const }]) {
      refuses("CORRUPT", () => Segment.openFile(file, given));
      assert.is(statSync(file).size, length);
    }
  }
  writeFileSync(file, "");
  refuses("NOT_FOUND", () => Segment.openFile(file));
  looked(
    () => Segment.openFile(file, { bytes: MiB }),
    (segment) => assert.is(segment.root, undefined),
  );
});

test("a file that is something else is refused and stays as it is", () => {
  const file = path();
  const images = [
    Buffer.alloc(2 * PAGE, 0x5a),
    Buffer.concat([Buffer.alloc(PAGE), Buffer.alloc(PAGE, 1)]),
    Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(PAGE - 16)]),
  ];
  for (const image of images) {
    writeFileSync(file, image);
    const { message } = refuses("BAD_MAGIC", () => Segment.openFile(file, { bytes: 4 * PAGE }));
    assert.match(message, file);
    assert.ok(readFileSync(file).equals(image));
  }
});

test("links and folders are refused", () => {
  const file = path();
  const link = path();
  Segment.openFile(file, { bytes: MiB }).close();
  symlinkSync(file, link);
  // Wine makes links that no program of Windows sees, Node neither.
  const isSeen = lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink();
  assert.ok(isSeen || process.platform === "win32");
  if (isSeen) refuses("ACCESS_DENIED", () => Segment.openFile(link));
  refuses("ACCESS_DENIED", () => Segment.openFile(folder, { bytes: MiB }));
});

const superuser = process.getuid?.() === 0;
(superuser ? test : test.skip)("a file of another user is refused", () => {
  const file = path();
  Segment.openFile(file, { bytes: MiB }).close();
  chownSync(file, 12345, 12345);
  assert.match(refuses("ACCESS_DENIED", () => Segment.openFile(file)).message, "12345");
});

test("a file is opened by its URL, and no other URL is taken", () => {
  const path = join(folder, "by url.isthmus");
  const url = pathToFileURL(path);
  using made = Segment.openFile(url, { bytes: PAGE });
  assert.is(made.name, path);
  using again = Segment.openFile(
    runInNewContext("(url) => ({ ...url })", {})({ href: url.href, protocol: "file:" }),
  );
  assert.is(again.generation, made.generation);
  const otherHost = process.platform === "win32" ? [] : ["file://other-host/x"]; // on Windows, it has a path
  for (const wrong of ["https://example.org/x", "data:,x", "file:///a%2Fb", ...otherHost]) {
    assert.throws(
      () => Segment.openFile(new URL(wrong)),
      (error: Error) =>
        error instanceof TypeError && /^path must be a path, or a URL of a file.*, got /.test(error.message),
    );
  }
  for (const wrong of [undefined, null, 1, {}, { href: 1 }, Buffer.from(path)]) {
    assert.throws(() => Segment.openFile(wrong as never), /path must be a string, or a URL of a file/);
  }
});

test.run();
