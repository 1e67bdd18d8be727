/**
 * The header: creation and validation. Creation is blocking in one sense only: others wait while the creator lives.
 *
 * See `protocol/layout.ts` for the drawing.
 *
 * | word                     | written by                                             | read by                      |
 * | ------------------------ | ------------------------------------------------------ | ---------------------------- |
 * | state                    | the creator, who holds KERNEL_LOCK_CREATION            | openers, before all else but |
 * |                          |                                                        | magic, version, fingerprint  |
 * | all other header fields  | the creator, while the state says INITIALIZING         | openers, once it says READY  |
 * | heartbeat, counters      | participants, atomically                               | tools                        |
 *
 * Creation, with KERNEL_LOCK_CREATION held:
 *  1. the state becomes INITIALIZING (it is so already in new memory)
 *  2. everything from the header to the payload is cleared, so that a dead creator's leavings do not matter
 *  3. the fields are written, the magic last of them
 *  4. the state becomes READY
 *
 * If the creator dies: after any step before 4 the kernel frees KERNEL_LOCK_CREATION with the state still INITIALIZING: whoever
 * takes the lock next starts again at 1. After 4: the segment is complete.
 */
import {
  BAD_MAGIC,
  BROKEN,
  CORRUPT,
  INITIALIZING,
  LAYOUT_MISMATCH,
  SEGMENT_FULL,
  VERSION_MISMATCH,
} from "../protocol/errors";
import { LAYOUT_FINGERPRINT } from "../protocol/fingerprint";
import {
  ABI_VERSION,
  ENTRY_BYTES,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_BYTES,
  HEADER_CREATED_NS_OFFSET,
  HEADER_CREATOR_PID_OFFSET,
  HEADER_DIRECTORY_ENTRIES_OFFSET,
  HEADER_DROPS_OFFSET,
  HEADER_FINGERPRINT_OFFSET,
  HEADER_FIRST_PAGES_OFFSET,
  HEADER_GENERATION_OFFSET,
  HEADER_HEADER_SIZE_OFFSET,
  HEADER_HEARTBEAT_NS_OFFSET,
  HEADER_LAYOUT_MISMATCHES_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_PARTICIPANTS_OFFSET,
  HEADER_PAYLOAD_OFFSET_OFFSET,
  HEADER_PAYLOAD_SIZE_OFFSET,
  HEADER_REFUSALS_OFFSET,
  HEADER_STALE_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TEMPORARY_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  HEADER_VERSION_MISMATCHES_OFFSET,
  MAGIC,
  MAGIC_TEMPORARY,
  OBJECT_ALIGNMENT,
  STATE_BROKEN,
  STATE_INITIALIZING,
  STATE_READY,
} from "../protocol/layout";
import { PAGE_BYTES, PARTICIPANTS_MAX, PARTICIPANTS_STEP } from "../protocol/limits";
import { blockAllocate, heapInitialise } from "./heap";
import { directoryEntries, directoryOffset, payload, setGeometry } from "./instance";
import { journalCommit } from "./journal";
import { add32, load32, store32 } from "./word";

/** Makes the mapped bytes a segment. The caller holds KERNEL_LOCK_CREATION and has mapped exactly `bytes`. */
export function create(bytes: f64, generation: f64, slots: u32, pid: u32, nowNs: f64, temporary: bool): u32 {
  const total = u64(bytes);
  if (!setGeometry(total, slots, total)) return SEGMENT_FULL;
  store32(HEADER_STATE_OFFSET, STATE_INITIALIZING);
  store<u32>(HEADER_MAGIC_OFFSET, 0);
  memory.fill(HEADER_BYTES, 0, payload - HEADER_BYTES);
  store<u16>(HEADER_ABI_VERSION_OFFSET, ABI_VERSION);
  store<u16>(HEADER_HEADER_SIZE_OFFSET, HEADER_BYTES);
  store<u64>(HEADER_TOTAL_SIZE_OFFSET, total);
  store<u64>(HEADER_GENERATION_OFFSET, u64(generation));
  store<u64>(HEADER_HEARTBEAT_NS_OFFSET, u64(nowNs));
  store<u64>(HEADER_PAYLOAD_OFFSET_OFFSET, payload);
  store<u64>(HEADER_PAYLOAD_SIZE_OFFSET, total - payload);
  store<u32>(HEADER_FINGERPRINT_OFFSET, LAYOUT_FINGERPRINT);
  store<u32>(HEADER_PARTICIPANTS_OFFSET, slots);
  store<u32>(HEADER_DIRECTORY_ENTRIES_OFFSET, directoryEntries);
  store<u32>(HEADER_CREATOR_PID_OFFSET, pid);
  store<u64>(HEADER_CREATED_NS_OFFSET, u64(nowNs));
  // The counters follow one another up to the end of the header; the stale flag is the first.
  memory.fill(HEADER_STALE_OFFSET, 0, HEADER_BYTES - HEADER_STALE_OFFSET);
  store<u32>(HEADER_FIRST_PAGES_OFFSET, u32(total / PAGE_BYTES));
  store<u32>(HEADER_TEMPORARY_OFFSET, temporary ? MAGIC_TEMPORARY : 0);
  heapInitialise();
  if (blockAllocate(directoryEntries * ENTRY_BYTES, OBJECT_ALIGNMENT, 0) != u32(directoryOffset()))
    return SEGMENT_FULL;
  journalCommit();
  store<u32>(HEADER_MAGIC_OFFSET, MAGIC);
  store32(HEADER_STATE_OFFSET, STATE_READY); // pairs with the load in validate
  return 0;
}

function refuse(code: u32, counter: usize, count: bool): u32 {
  if (count) add32(counter, 1);
  return code;
}

/** 0 and the geometry is known, or the one error that says why the mapped `bytes` are not a usable segment. */
export function validate(bytes: f64, count: bool): u32 {
  const total = u64(bytes);
  const state = load32(HEADER_STATE_OFFSET);
  const magic = load<u32>(HEADER_MAGIC_OFFSET);
  if (magic == 0 && state == STATE_INITIALIZING) return INITIALIZING;
  if (magic != MAGIC) return BAD_MAGIC;
  if (load<u16>(HEADER_ABI_VERSION_OFFSET) != ABI_VERSION) {
    return refuse(VERSION_MISMATCH, HEADER_VERSION_MISMATCHES_OFFSET, count);
  }
  if (
    load<u16>(HEADER_HEADER_SIZE_OFFSET) != HEADER_BYTES ||
    load<u32>(HEADER_FINGERPRINT_OFFSET) != LAYOUT_FINGERPRINT
  ) {
    return refuse(LAYOUT_MISMATCH, HEADER_LAYOUT_MISMATCHES_OFFSET, count);
  }
  if (state == STATE_INITIALIZING) return INITIALIZING;
  if (state == STATE_BROKEN) return refuse(BROKEN, HEADER_REFUSALS_OFFSET, count);
  const slots = load<u32>(HEADER_PARTICIPANTS_OFFSET);
  const first = u64(load<u32>(HEADER_FIRST_PAGES_OFFSET)) * PAGE_BYTES;
  if (
    state != STATE_READY ||
    load<u64>(HEADER_TOTAL_SIZE_OFFSET) != total ||
    slots == 0 ||
    slots > u32(PARTICIPANTS_MAX) ||
    slots % PARTICIPANTS_STEP != 0 ||
    first == 0 ||
    !setGeometry(total, slots, first) ||
    load<u32>(HEADER_DIRECTORY_ENTRIES_OFFSET) != directoryEntries ||
    load<u64>(HEADER_PAYLOAD_OFFSET_OFFSET) != payload ||
    load<u64>(HEADER_PAYLOAD_SIZE_OFFSET) != total - payload
  ) {
    return refuse(CORRUPT, HEADER_REFUSALS_OFFSET, count);
  }
  return 0;
}

/** Tells holders that a newer generation has the name. */
export function markStale(): void {
  store32(HEADER_STALE_OFFSET, 1); // pairs with the load in isStale
}

export function isStale(): bool {
  return load32(HEADER_STALE_OFFSET) != 0;
}

/** A sender gave up on a record. */
export function countDrop(): void {
  add32(HEADER_DROPS_OFFSET, 1);
}
