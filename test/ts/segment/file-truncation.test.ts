/** The last one out of a file truncates it to what is used; nobody else does, and nobody else notices. */
import { existsSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HEADER_TOTAL_SIZE_OFFSET } from "../../../protocol/layout.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { segmentName, segmentPath, temporaryDirectory } from "../../lib/segments.js";
import { onlyLinux, unless } from "../../lib/skips.js";
import { stepped } from "../../lib/steps.js";

const Note = struct({ text: "utf8:32" });
const folder = temporaryDirectory();
const PAGE = 64 * KiB;
let files = 0;

function path(): string {
  return join(folder, `segment-${++files}`);
}

/** Bytes of the file, which its header says as well. */
function size(file: string): number {
  const said = readFileSync(file).readBigUInt64LE(HEADER_TOTAL_SIZE_OFFSET);
  assert.is(Number(said), statSync(file).size, "what the header says");
  return Number(said);
}

function note(segment: Segment, text: string): void {
  const block = segment.heap.allocate(Note.bytes);
  block.view(Note).write({ text });
  segment.root = block;
}

const textOf = (segment: Segment): string | undefined => segment.root?.view(Note).read().text;

function made(bytes: number): string {
  const file = path();
  const segment = Segment.openFile(file, { bytes });
  note(segment, "stays");
  segment.close();
  return file;
}

function checked(segment: Segment): Segment {
  assert.equal(segment.heap.check(), { ok: true, problems: [] });
  assert.is(textOf(segment), "stays");
  return segment;
}

test("what is free at the end is cut, whatever the file was created with", () => {
  const least: Record<number, number> = { [PAGE]: 1, [192 * KiB]: 1, [MiB]: 2, [64 * MiB]: 11 };
  for (const [bytes, pages] of Object.entries(least)) {
    const file = made(Number(bytes));
    assert.is(size(file), pages * PAGE, `${bytes} bytes at first`);
    assert.ok(statSync(file).blocks * 512 < (pages + 1) * PAGE, "the storage is given back");
    checked(Segment.openFile(file, { access: "read-only" })).close();
    const small = checked(Segment.openFile(file));
    assert.is(small.bytes, pages * PAGE);
    assert.ok(small.heap.allocate(64));
    small.close();
    const large = checked(Segment.openFile(file, { bytes: 3 * MiB }));
    assert.is(large.bytes, 3 * MiB);
    large.heap.allocate(2 * MiB, { zero: true }).free();
    large.close();
    assert.is(size(file), pages * PAGE);
  }
});

test("only what lies behind the last block in use is cut", () => {
  const file = made(4 * MiB);
  const segment = Segment.openFile(file, { bytes: 4 * MiB });
  const filler = segment.heap.allocate(2 * MiB);
  const last = segment.heap.allocate(1000);
  last.write(new Uint8Array(1000).fill(7));
  filler.free();
  segment.close();
  const bytes = size(file);
  assert.ok(bytes >= last.offset + 1000 && bytes < last.offset + 1000 + 2 * PAGE, `${bytes}`);
  const again = checked(Segment.openFile(file));
  assert.ok(
    again.heap
      .blockAt(last.offset)
      ?.copy()
      .subarray(0, 1000)
      .every((byte) => byte === 7),
  );
  assert.ok(again.heap.allocate(2 * MiB - 1000), "the gap is free");
  again.close();
});

test("at every distance of the last block from the end of a page, the heap stays whole", () => {
  const file = made(256 * KiB);
  for (let bytes = 0; bytes <= 64; bytes += 8) {
    const segment = Segment.openFile(file, { bytes: 256 * KiB });
    const first = segment.heap.allocate(8);
    const room = PAGE - (first.offset % PAGE);
    first.free();
    const block = segment.heap.allocate(room + PAGE - 64 + bytes);
    segment.close();
    const again = checked(Segment.openFile(file));
    assert.is(again.heap.blockAt(block.offset)?.byteLength, block.byteLength);
    again.heap.blockAt(block.offset)?.free();
    again.close();
    assert.is(size(file), PAGE);
  }
});

test("views of the bytes that are cut read zeros, as all views do after close", () => {
  const segment = Segment.openFile(path(), { bytes: 4 * MiB });
  const block = segment.heap.allocate(3 * MiB);
  const view = block.bytes.fill(7);
  block.free();
  segment.close();
  assert.ok(size(segment.name) < MiB);
  assert.ok(view.every((byte) => byte === 0));
  view.fill(1);
  assert.throws(() => segment.heap.allocate(8), /CLOSED|closed/);
});

test("whoever leaves while others stay truncates nothing; the last writer does, a reader does not", async () => {
  const file = path();
  const agent = await Agent.start(node, "ts/segment/file-actions.ts");
  const segment = Segment.openFile(file, { bytes: 2 * MiB });
  note(segment, "stays");
  await agent.call("open", file, MiB);
  segment.close();
  assert.is(size(file), 2 * MiB);
  const reader = checked(Segment.openFile(file, { access: "read-only" }));
  await agent.call("close");
  assert.is(size(file), 2 * MiB, "the reader keeps what it has mapped");
  checked(reader).close();
  assert.is(size(file), 2 * MiB);
  checked(Segment.openFile(file)).close();
  assert.ok(size(file) < MiB);
  await agent.end();
});

test("of many who leave at once, the last one truncates", async () => {
  const file = made(MiB);
  const agents = await Promise.all([1, 2, 3].map(() => Agent.start(node, "ts/segment/file-actions.ts")));
  for (let turn = 0; turn < 20; turn++) {
    await Promise.all(agents.map((agent) => agent.call("open", file, 8 * MiB)));
    assert.ok(statSync(file).size >= 8 * MiB);
    await Promise.all(agents.map((agent) => agent.call("close")));
    assert.is(size(file), 2 * PAGE);
    const segment = checked(Segment.openFile(file, { access: "read-only" }));
    assert.ok(segment.header.clean);
    segment.close();
  }
  for (const agent of agents) await agent.end();
});

test("a process that ends without close leaves in the same way", async () => {
  const file = made(MiB);
  const agent = await Agent.start(node, "ts/segment/file-actions.ts");
  await agent.call("open", file, 8 * MiB);
  assert.is(size(file), 8 * MiB);
  await agent.end();
  assert.is(size(file), 2 * PAGE);
  const segment = checked(Segment.openFile(file, { access: "read-only" }));
  assert.ok(segment.header.clean);
  segment.close();
});

test("who was killed truncates nothing, and the last one who survives undoes what it left first", async () => {
  const file = path();
  const agents = await Promise.all([1, 2].map(() => Agent.start(node, "ts/segment/file-actions.ts")));
  for (const agent of agents) await agent.call("open", file, 4 * MiB);
  await agents[0]?.call("prepare");
  await agents[0]?.kill();
  assert.is(size(file), 4 * MiB);
  await agents[1]?.call("close");
  assert.ok(size(file) < MiB);
  const segment = Segment.openFile(file, { access: "read-only" });
  assert.equal(segment.heap.check(), { ok: true, problems: [] });
  assert.not(segment.header.clean, "somebody died since the last session");
  assert.is(segment.participants().length, 0);
  segment.close();
  await agents[1]?.end();
});

test("a process that died before the file got its new size has lost nothing", () => {
  const file = made(4 * MiB);
  const small = size(file);
  truncateSync(file, 4 * MiB); // the header says less: this is what it left
  const segment = checked(Segment.openFile(file));
  assert.is(segment.bytes, 4 * MiB);
  segment.close();
  assert.is(size(file), small);
});

test("an outsider who changed the size meanwhile finds it as it was left", () => {
  const file = made(MiB);
  const segment = Segment.openFile(file, { bytes: MiB });
  truncateSync(file, 2 * MiB);
  segment.close();
  assert.is(statSync(file).size, 2 * MiB);
});

test("a removed file is left alone", () => {
  const segment = Segment.openFile(path(), { bytes: MiB });
  segment.unlink();
  segment.close();
  assert.not(existsSync(segment.name));
});

unless(onlyLinux("segments that are files"), test)("named segments keep their size", () => {
  const name = segmentName();
  Segment.create(name, { bytes: MiB }).close();
  assert.is(statSync(segmentPath(name)).size, MiB);
});

test("the disk has the smaller size before the file gets it, and nothing is mapped then", () => {
  const file = path();
  const segment = Segment.openFile(file, { bytes: 4 * MiB });
  const saidAt: [call: string, said: number, bytes: number][] = [];
  stepped(
    (_step, call) => {
      const said = Number(readFileSync(file).readBigUInt64LE(HEADER_TOTAL_SIZE_OFFSET));
      if (["flush", "unmap", "shrink"].includes(call)) saidAt.push([call, said, statSync(file).size]);
    },
    () => segment.close(),
  );
  // Without the flush, a power cut between the two could leave a short file whose header says the larger size.
  const smaller = size(file);
  assert.ok(smaller < 4 * MiB);
  const before = ["flush", "unmap", "shrink"].map((call) => [call, smaller, 4 * MiB]);
  assert.equal(saidAt.slice(0, 3), before);
});

test("opening and closing by turns wears nothing out", () => {
  const file = made(MiB);
  for (let turn = 1; turn <= 50; turn++) {
    const segment = checked(Segment.openFile(file, { bytes: ((turn % 7) + 1) * 256 * KiB }));
    segment.heap.tryAllocate((turn % 5) * 100 * KiB)?.free();
    segment.close();
    assert.is(size(file), 2 * PAGE);
  }
  checked(Segment.openFile(file)).close();
  assert.is(size(file), 2 * PAGE);
});

test.run();
