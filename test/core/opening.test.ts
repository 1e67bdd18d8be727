/** What a host does next with an object, by the rules of the core; every host has these and no others. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  ALREADY_EXISTS,
  BAD_MAGIC,
  BROKEN,
  CORRUPT,
  INITIALIZING,
  NOT_FOUND,
  OBJECT_MISMATCH,
} from "../../protocol/errors.js";
import {
  ABI_VERSION,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_BYTES,
  HEADER_GENERATION_OFFSET,
  HEADER_HEADER_SIZE_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TEMPORARY_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  MAGIC,
  MAGIC_TEMPORARY,
  NEXT_CREATE,
  NEXT_ENTER,
  NEXT_MAKE,
  NEXT_MAP,
  NEXT_REMOVE,
  NEXT_WAIT,
  OPEN_CREATES,
  OPEN_CREATOR_LIVES,
  OPEN_EXCLUSIVE,
  OPEN_FILE,
  OPEN_WRITES,
  SIZE_DECIDED,
  STATE_READY,
} from "../../protocol/layout.js";
import { PAGE_BYTES, PARTICIPANTS_MIN, SEGMENT_PAGES_MAX } from "../../protocol/limits.js";
import { directCore } from "../lib/direct.js";

const BYTES = 1 << 20;
const { core, segment } = directCore(BYTES);
const view = new DataView(segment.buffer, segment.byteOffset);
const whole = segment.slice(0, HEADER_BYTES);

/** The first bytes of the object, from now on. */
function header(change: (view: DataView) => void = () => {}, first = whole): void {
  segment.set(first);
  change(view);
}

const zeros = (change?: (view: DataView) => void): void => header(change, new Uint8Array(HEADER_BYTES));
const MAKES = OPEN_WRITES | OPEN_CREATES;

test("an empty object is made, or there is nothing", () => {
  zeros();
  assert.is(core.openingLook(0, 0, MAKES), NEXT_MAKE);
  assert.is(core.openingLook(0, 0, MAKES | OPEN_EXCLUSIVE), NEXT_MAKE);
  assert.is(core.openingLook(0, 0, OPEN_WRITES), NOT_FOUND);
  assert.is(core.openingLook(0, 0, 0), NOT_FOUND);
});

test("what does not begin like a segment is not mapped, nor what has no size of one", () => {
  header();
  assert.is(core.openingLook(BYTES, HEADER_BYTES, 0), NEXT_MAP);
  for (const bytes of [1, BYTES + 1, BYTES - 1, PAGE_BYTES * (SEGMENT_PAGES_MAX + 1)])
    assert.is(core.openingLook(bytes, HEADER_BYTES, 0), CORRUPT);
  assert.is(core.openingLook(PAGE_BYTES * SEGMENT_PAGES_MAX, HEADER_BYTES, 0), NEXT_MAP);
  header((to) => to.setUint32(HEADER_MAGIC_OFFSET, MAGIC + 1, true));
  assert.is(core.openingLook(BYTES, HEADER_BYTES, 0), BAD_MAGIC);
  assert.is(core.openingLook(BYTES, HEADER_BYTES, MAKES), BAD_MAGIC);
  assert.is(core.openingLook(BYTES, HEADER_BYTES, MAKES | OPEN_EXCLUSIVE), ALREADY_EXISTS);
  assert.is(core.openingLook(2, 2, 0), CORRUPT, "too short to tell");
  assert.is(core.openingLook(6, 6, 0), BAD_MAGIC);
  zeros();
  assert.is(core.openingLook(BYTES, HEADER_BYTES, 0), NEXT_MAP, "its creation has begun");
  zeros((to) => to.setUint32(HEADER_STATE_OFFSET, STATE_READY, true));
  assert.is(core.openingLook(BYTES, HEADER_BYTES, 0), BAD_MAGIC);
  assert.is(core.openingLook(6, 6, 0), CORRUPT, "only the beginning of zeros");
});

test("what was never finished is completed, made as wished, removed, or waited for", () => {
  const next = (wish: number, wanted = 0): number => core.openingNext(INITIALIZING, wish, BYTES, wanted, 64);
  assert.is(next(OPEN_WRITES), NEXT_CREATE);
  assert.is(next(MAKES, BYTES), NEXT_CREATE);
  assert.is(next(MAKES, 2 * BYTES), NEXT_REMOVE);
  assert.is(next(MAKES, PAGE_BYTES), NEXT_REMOVE);
  assert.is(next(MAKES | OPEN_EXCLUSIVE, BYTES), NEXT_CREATE);
  assert.is(next(MAKES | OPEN_FILE, 2 * BYTES), NEXT_MAKE);
  assert.is(next(MAKES | OPEN_FILE, PAGE_BYTES), NEXT_CREATE);
  assert.is(next(0), INITIALIZING);
  assert.is(next(OPEN_CREATOR_LIVES), NEXT_WAIT);
});

test("what is whole is entered, unless it should not exist or is smaller than asked for", () => {
  const next = (wish: number, bytes: number, slots = PARTICIPANTS_MIN): number =>
    core.openingNext(0, wish, BYTES, bytes, slots);
  assert.is(next(0, 0), NEXT_ENTER);
  assert.is(next(MAKES, BYTES), NEXT_ENTER);
  assert.is(next(MAKES, PAGE_BYTES), NEXT_ENTER);
  assert.is(next(MAKES, BYTES + PAGE_BYTES), OBJECT_MISMATCH);
  assert.is(next(MAKES, BYTES, 2 * PARTICIPANTS_MIN), OBJECT_MISMATCH);
  assert.is(next(MAKES | OPEN_FILE, 2 * BYTES, 2 * PARTICIPANTS_MIN), NEXT_ENTER);
  assert.is(next(MAKES | OPEN_EXCLUSIVE, BYTES), ALREADY_EXISTS);
  assert.is(core.openingNext(BROKEN, MAKES, BYTES, BYTES, 0), BROKEN);
  assert.is(core.openingNext(BROKEN, MAKES | OPEN_EXCLUSIVE, BYTES, BYTES, 0), ALREADY_EXISTS);
});

test("a reader uses what the header says when the file is longer, unless that is no size", () => {
  const said = (bytes: bigint): number => {
    header((to) => to.setBigUint64(HEADER_TOTAL_SIZE_OFFSET, bytes, true));
    return core.openingBytes(BYTES);
  };
  assert.is(said(BigInt(PAGE_BYTES)), PAGE_BYTES);
  for (const bytes of [BYTES, 2 * BYTES, PAGE_BYTES | SIZE_DECIDED, 0]) assert.is(said(BigInt(bytes)), BYTES);
  assert.is(said(2n ** 64n - 65536n), BYTES);
});

test("a temporary segment is whole, or it is none yet", () => {
  const temporary = (to: DataView): void => to.setUint32(HEADER_TEMPORARY_OFFSET, MAGIC_TEMPORARY, true);
  header();
  assert.is(core.openingTemporary(HEADER_BYTES), 0);
  header(temporary);
  assert.is(core.openingTemporary(HEADER_BYTES), 1);
  assert.is(core.openingTemporary(HEADER_BYTES - 1), 0);
  zeros(temporary);
  assert.is(core.openingTemporary(HEADER_BYTES), 0);
});

test("what replaces a segment has the next generation, and the first one after what is none", () => {
  const after = (generation: bigint): number => {
    header((to) => to.setBigUint64(HEADER_GENERATION_OFFSET, generation, true));
    return core.openingGeneration(HEADER_BYTES);
  };
  assert.is(after(1n), 2);
  assert.is(after(2n ** 53n - 2n), 2 ** 53 - 1);
  assert.is(after(2n ** 53n - 1n), 1);
  assert.is(after(2n ** 64n - 1n), 1);
  header((to) => to.setUint16(HEADER_ABI_VERSION_OFFSET, ABI_VERSION + 1, true));
  assert.is(core.openingGeneration(HEADER_BYTES), 1);
  zeros();
  assert.is(core.openingGeneration(HEADER_BYTES), 1);
});

test("a file that begins with zeros is ours when creation had begun, or when there is nothing else", () => {
  zeros();
  assert.is(core.openingZeros(HEADER_BYTES), 2);
  zeros((to) => {
    to.setUint16(HEADER_ABI_VERSION_OFFSET, ABI_VERSION, true);
    to.setUint16(HEADER_HEADER_SIZE_OFFSET, HEADER_BYTES, true);
  });
  assert.is(core.openingZeros(HEADER_BYTES), 1);
  zeros((to) => to.setUint16(HEADER_ABI_VERSION_OFFSET, ABI_VERSION, true));
  assert.is(core.openingZeros(HEADER_BYTES), 0);
  header();
  assert.is(core.openingZeros(HEADER_BYTES), 1);
  header((to) => to.setUint32(HEADER_MAGIC_OFFSET, 7, true));
  assert.is(core.openingZeros(HEADER_BYTES), 0);
});

test.run();
