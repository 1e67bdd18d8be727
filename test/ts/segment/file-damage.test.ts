/** A file whose heap is damaged is not extended: no writer comes in before the damage is undone, and then nothing is lost. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { IsthmusError, KiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BLOCK_BEFORE_OFFSET,
  BLOCK_FREE,
  BLOCK_HEADER_BYTES,
  BLOCK_NEXT_OFFSET,
  BLOCK_SIZE_OFFSET,
  HEADER_PARTICIPANTS_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  JOURNAL_COUNT_OFFSET,
  JOURNAL_ENTRIES_OFFSET,
  JOURNAL_ENTRY_BYTES,
  PARTICIPANT_BYTES,
  PARTICIPANTS_OFFSET,
} from "../../../protocol/layout.js";
import { temporaryDirectory } from "../../lib/segments.js";

/** The last one out leaves no more than what is used. */
const BYTES = 64 * KiB;
const LARGER = 256 * KiB;
const FENCE = BYTES - BLOCK_HEADER_BYTES;
const Note = struct({ text: "utf8:32" });
const folder = temporaryDirectory();

/** A file in which the last block of the heap is free. */
function made(name: string): string {
  const path = join(folder, name);
  using segment = Segment.openFile(path, { bytes: BYTES });
  const block = segment.heap.allocate(Note.bytes);
  block.view(Note).write({ text: "stays" });
  segment.root = block;
  return path;
}

/** Offset of the last block, by what the fence says. */
function lastBlock(bytes: Buffer): number {
  const block = bytes.readUInt32LE(FENCE + BLOCK_BEFORE_OFFSET);
  assert.is(bytes.readUInt32LE(block + BLOCK_SIZE_OFFSET), (FENCE - block) | BLOCK_FREE, "not free");
  return block;
}

/** Undoes the damage: in the word, and where the attempt to extend has noted it as the word's old value. */
function mend(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value, at);
  const journal = PARTICIPANTS_OFFSET + bytes.readUInt32LE(HEADER_PARTICIPANTS_OFFSET) * PARTICIPANT_BYTES;
  for (let left = bytes.readUInt32LE(journal + JOURNAL_COUNT_OFFSET); left > 0; left--) {
    const entry = journal + JOURNAL_ENTRIES_OFFSET + (left - 1) * JOURNAL_ENTRY_BYTES;
    if (bytes.readUInt32LE(entry) === at) bytes.writeUInt32LE(value, entry + 4);
  }
}

function refusal(path: string, options: Parameters<typeof Segment.openFile>[1]): string {
  try {
    Segment.openFile(path, options).close();
  } catch (error) {
    assert.instance(error, IsthmusError);
    return (error as IsthmusError).code;
  }
  return "none";
}

/** Which word is damaged, and what it says then. */
const DAMAGES: [string, (bytes: Buffer) => number, number][] = [
  ["the fence leads nowhere", () => FENCE + BLOCK_BEFORE_OFFSET, 0x7ffffff8],
  ["the fence leads to no block", () => FENCE + BLOCK_BEFORE_OFFSET, BYTES - 512],
  ["the last block is linked to nowhere", (bytes) => lastBlock(bytes) + BLOCK_NEXT_OFFSET, 0x7ffffff8],
  ["the last block is linked to one in use", (bytes) => lastBlock(bytes) + BLOCK_NEXT_OFFSET, 16],
  ["the last block has an impossible size", (bytes) => lastBlock(bytes) + BLOCK_SIZE_OFFSET, 17],
];

for (const [index, [name, where, value]] of DAMAGES.entries()) {
  test(`a file whose heap is damaged is not extended: ${name}`, () => {
    const path = made(`damaged-${index}`);
    const bytes = readFileSync(path);
    const at = where(bytes);
    const whole = bytes.readUInt32LE(at);
    bytes.writeUInt32LE(value, at);
    writeFileSync(path, bytes);
    for (let turn = 0; turn < 3; turn++) assert.is(refusal(path, { bytes: LARGER }), "CORRUPT", `${turn}`);
    assert.is(refusal(path, {}), "CORRUPT");
    assert.is(refusal(path, { access: "read-only" }), "none", "a reader sees what the header says");

    const left = readFileSync(path);
    assert.is(statSync(path).size, LARGER);
    assert.is(left.readBigUInt64LE(HEADER_TOTAL_SIZE_OFFSET), BigInt(BYTES), "it counts as extended");
    mend(left, at, whole);
    writeFileSync(path, left);
    using segment = Segment.openFile(path);
    assert.is(segment.bytes, LARGER);
    assert.equal(segment.heap.check(), { ok: true, problems: [] });
    assert.is(segment.root?.view(Note).read().text, "stays");
    assert.ok(segment.heap.allocate(LARGER - BYTES));
  });
}

test.run();
