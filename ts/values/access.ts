/**
 * What all shared values do with the core: reading without a lock, and changing with the write lock. See `assembly/values.ts`.
 */
import { BUSY, CORRUPT, EVICTED, NOT_FOUND, SEGMENT_FULL } from "../../protocol/errors.js";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_LAYOUT_OFFSET,
  HANDLE_VALUE_OFFSET,
  VALUE_BIG,
  VALUE_BYTES,
  VALUE_CELL_CONTENT_OFFSET,
  VALUE_CHANGING,
  VALUE_DATE,
  VALUE_DICT,
  VALUE_FALSE,
  VALUE_HEADER_BYTES,
  VALUE_INTEGER,
  VALUE_KIND_MASK,
  VALUE_LATIN1,
  VALUE_LENGTH_OFFSET,
  VALUE_LIST,
  VALUE_MARK,
  VALUE_NULL,
  VALUE_NUMBER,
  VALUE_TRUE,
  VALUE_UTF16,
  VALUES_MORE,
} from "../../protocol/layout.js";
import type { PrivateBytes } from "../bytes.js";
import { isError } from "../core.js";
import { failure, IsthmusError } from "../errors.js";
import { fence } from "../host/runtime.js";
import { generationAt } from "../memory/generation.js";
import { withWriteLock } from "../memory/write-lock.js";
import type { Attachment } from "../segment/attachment.js";
import { integerOfBytes } from "./integers.js";
import { readText } from "./text.js";

/** What a cell contains that cannot change. */
export type Plain = null | boolean | number | bigint | string | Date | PrivateBytes;

/** @internal A list or dictionary, as a cell refers to it. */
export class Reference {
  constructor(
    readonly kind: number,
    readonly at: number,
    readonly generation: number,
  ) {}
}

/** @internal What was read cannot be: either it was being changed, or it is damaged. */
export const TORN = Symbol("torn");

/** How often a reader tries again before it takes the write lock, so that nobody changes what it reads. */
const READS_MAX = 10_000;
/** @internal How much of what is to be freed is freed at a time, when a segment is full, and with a heartbeat. */
export const SETTLE_STEPS = 1000;
/** How often that is done for a segment that is full. */
const SETTLE_TURNS = 1000;

/** @internal How often a cell is looked at again whose value was gone before it could be read or referred to. */
export const LOOKS_MAX = 1000;

/** @internal */
export function gone(what: string): IsthmusError {
  return new IsthmusError("NOT_FOUND", `${what} is not there any more: nobody has a reference to it`);
}

/**
 * @internal Reads a list or a dictionary, and what its cells refer to. `body` may run several times, and must check each offset
 * and length
 * before it uses it; what it returns counts when nobody changed the value meanwhile.
 *
 * @param what for errors: "the dictionary"
 */
export function readValue<T>(
  attachment: Attachment,
  { at, generation }: Reference,
  what: string,
  body: () => T | typeof TORN,
): T {
  const { core, readOnly } = attachment;
  for (let turn = 0; turn < READS_MAX; turn++) {
    const before = core.valueLook(at, generation) >>> 0;
    if (before === NOT_FOUND) throw gone(what);
    if (before === VALUE_CHANGING) continue;
    const seen = body();
    if (readOnly) fence();
    if (core.valueLook(at, generation) >>> 0 !== before) continue;
    if (seen === TORN) throw damaged(what);
    return seen;
  }
  if (readOnly || attachment.transaction)
    throw failure(BUSY, `${what} was changed during each of ${READS_MAX} reads`);
  return readLocked(attachment, at, generation, what, body);
}

/** The same while nobody else can change it. Also gets out of the way what one has left that died in the middle of a change. */
function readLocked<T>(
  attachment: Attachment,
  at: number,
  generation: number,
  what: string,
  body: () => T | typeof TORN,
): T {
  const { core } = attachment;
  const taken = withWriteLock(attachment, `reading ${what}`, () => core.writeLockTake());
  if (taken !== 0) throw failure(taken, `reading ${what}`);
  try {
    if (core.valueLook(at, generation) >>> 0 === NOT_FOUND) throw gone(what);
    const seen = body();
    if (seen === TORN) throw damaged(what);
    return seen;
  } finally {
    core.writeLockRelease();
    attachment.passOn();
  }
}

/** @internal */
export function damaged(what: string): IsthmusError {
  return failure(CORRUPT, `${what} is damaged`);
}

/** @internal What the cell at an offset contains. Only in `readValue`. */
export function readCell(attachment: Attachment, cell: number): Plain | Reference | typeof TORN {
  const { u32, view } = attachment;
  const content = cell + VALUE_CELL_CONTENT_OFFSET;
  const kind = u32[cell >>> 2] as number;
  switch (kind) {
    case VALUE_NULL:
      return null;
    case VALUE_FALSE:
      return false;
    case VALUE_TRUE:
      return true;
    case VALUE_NUMBER:
      return view.getFloat64(content, true);
    case VALUE_DATE:
      return new Date(view.getFloat64(content, true));
    case VALUE_INTEGER:
      return view.getBigInt64(content, true);
  }
  const at = u32[content >>> 2] as number;
  if (at % 8 !== 0 || at === 0 || at + VALUE_HEADER_BYTES > attachment.bytes) return TORN;
  if (kind === VALUE_LIST || kind === VALUE_DICT)
    return new Reference(kind, at, generationAt(attachment, at));
  return readBytes(attachment, kind, at);
}

/** @internal A value that cannot change. Only in `readValue`, or with a reference to it. */
export function readBytes({ u8, u32, bytes }: Attachment, kind: number, at: number): Plain | typeof TORN {
  const length = u32[(at + VALUE_LENGTH_OFFSET) >>> 2] as number;
  const from = at + VALUE_HEADER_BYTES;
  if (length > bytes - from) return TORN;
  if (kind === VALUE_LATIN1 || kind === VALUE_UTF16) return readText(u8, from, length, kind === VALUE_UTF16);
  const copy = u8.slice(from, from + length) as PrivateBytes;
  if (kind === VALUE_BYTES) return copy;
  return kind === VALUE_BIG ? integerOfBytes(copy) : TORN;
}

/**
 * @internal Calls a function of the core that changes values. Waits for the write lock; when the segment is full, frees first
 * what nobody
 * refers to any more.
 *
 * @returns its result: no error but NOT_FOUND
 */
export function changeValue(attachment: Attachment, what: string, call: () => number): number {
  attachment.check(true);
  if (attachment.transaction) {
    const advice = "share it before, and change it in or after the transaction through a block";
    throw new IsthmusError(
      "BUSY",
      `${what}: shared values cannot be changed inside a transaction; ${advice}`,
    );
  }
  let result = changed(attachment, what, call);
  if (result === SEGMENT_FULL && settleValues(attachment, SETTLE_TURNS))
    result = changed(attachment, what, call);
  if (!isError(result) || result === NOT_FOUND) return result;
  throw changeFailed(attachment, what, result);
}

function changed(attachment: Attachment, what: string, call: () => number): number {
  const result = call() >>> 0;
  if (result === BUSY) return withWriteLock(attachment, what, call) >>> 0;
  attachment.passOn();
  return result;
}

function changeFailed(attachment: Attachment, what: string, status: number): IsthmusError {
  if (status === EVICTED) return attachment.removed();
  if (status === SEGMENT_FULL) {
    const left = attachment.core.heapLargest() >>> 0;
    const advice = "remove values, or create a larger segment";
    return failure(
      status,
      `${what}: the segment has no room for it, the largest free piece has about ${left} bytes; ${advice}`,
    );
  }
  return failure(status, `${what} failed: the values of the segment are damaged`);
}

/** @internal Gives back what the dead have left, and frees what nobody refers to. Whether there was something to do. */
export function settleValues(attachment: Attachment, turns = 1): boolean {
  const { core, transaction } = attachment;
  if (transaction || core.valuesPending() === 0) return false;
  for (let turn = 0; turn < turns; turn++) {
    const result = core.valuesSettle(SETTLE_STEPS) >>> 0;
    attachment.passOn();
    if (result !== VALUES_MORE) break;
  }
  return true;
}

/** @internal A reference of this participant. */
export interface Handle {
  readonly handle: number;
  readonly reference: Reference;
}

/** @internal Makes a value with so many bytes. */
export function makeValue(attachment: Attachment, kind: number, bytes: number): Handle {
  const { core, u32 } = attachment;
  const handle = changeValue(attachment, "sharing a value", () => core.valueMake(kind, bytes));
  if (handle === NOT_FOUND) throw failure(NOT_FOUND, `there is no kind ${kind} of values`);
  const at = u32[(handle + HANDLE_VALUE_OFFSET) >>> 2] as number;
  return { handle, reference: new Reference(kind, at, generationAt(attachment, at)) };
}

/** @internal What a handle that the core has made refers to. Throws when another process has written to it meanwhile. */
export function handleAt(attachment: Attachment, handle: number): Handle {
  const reference = referenceAt(attachment, attachment.u32[(handle + HANDLE_VALUE_OFFSET) >>> 2] as number);
  if (!reference) throw damaged("the value");
  return { handle, reference };
}

/** @internal The value in the block at an offset, which any process may have written; undefined when there is none. */
export function referenceAt(attachment: Attachment, at: number): Reference | undefined {
  if (at < BLOCK_HEADER_BYTES || at % 8 !== 0 || at > attachment.bytes - VALUE_HEADER_BYTES) return undefined;
  const layout = attachment.u32[(at - BLOCK_HEADER_BYTES + BLOCK_LAYOUT_OFFSET) >>> 2] as number;
  const kind = layout & VALUE_KIND_MASK;
  if (layout >>> 8 !== VALUE_MARK >>> 8 || kind < VALUE_LATIN1 || kind > VALUE_DICT) return undefined;
  return new Reference(kind, at, generationAt(attachment, at));
}

/** @internal A handle of a value; undefined when it is gone. */
export function acquireValue(attachment: Attachment, reference: Reference): Handle | undefined {
  const { at, generation } = reference;
  const { core } = attachment;
  const handle = changeValue(attachment, "taking a reference", () => core.valueAcquire(at, generation));
  return handle === NOT_FOUND ? undefined : { handle, reference };
}

/** @internal Gives a handle back. One that cannot be given back now comes back when this participant leaves. */
export function releaseHandle(attachment: Attachment, handle: number): void {
  if (handle === 0 || attachment.closed || attachment.evicted) return;
  const { core } = attachment;
  let result = core.valueRelease(handle) >>> 0;
  if (result === BUSY && !attachment.transaction)
    result = withWriteLock(attachment, "giving a reference back", () => core.valueRelease(handle));
  else attachment.passOn();
}
