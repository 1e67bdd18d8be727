/**
 * Adoption: a writer who finds a file that nobody else has open undoes what the dead have left, and gives the heap the bytes
 * by which the file has grown. The last one out takes from the heap what is free at its end, so that the file can be truncated.
 * Blocking in one sense only: whoever does so holds KERNEL_LOCK_CREATION, and KERNEL_LOCK_HOLDERS alone.
 *
 *     total_size:   63                         16 15          1         0
 *                   +----------------------------+-----------+-----------+
 *                   | bytes of the segment       | 0         | DECIDED   |   a multiple of 64 KiB, so that these bits are free
 *                   +----------------------------+-----------+-----------+
 *
 * | word       | written by          | read by                                                                  |
 * | ---------- | ------------------- | ------------------------------------------------------------------------ |
 * | total size | creator and adopter | `validate`: anything but the bytes that are mapped is CORRUPT            |
 *
 * To adopt:                                           To grow, when the file is longer than total_size says:
 *  1. DECIDED: the journal is emptied; else it is      1. the fence becomes a block that ends at a new fence
 *     rolled back                                      2. that block is freed, through the journal
 *  2. payload_size; total_size without DECIDED         3. total_size is that of the file, and DECIDED: it has happened
 *  3. the write lock is free, all slots are free       4. the journal is emptied, payload_size written
 *  4. the file is longer than total_size: grow         5. total_size without DECIDED
 *
 * To shrink:
 *  1. adopt, as above: the dead may have left something to everybody who lived until now
 *  2. the free block at the end of the heap is cut, and there is a new fence, through the journal
 *  3. to 5. as to grow, with the smaller size. Then the host takes its mapping away, and truncates the file
 *
 * If the adopter dies: before a step 3, or where the heap is damaged: the next adopter rolls the journal back. A file that had
 * grown it grows again from step 1, which writes the same words. From 3 on: it takes steps 4 and 5; and where the heap has
 * shrunk and the file was not truncated, the file is longer than total_size says, and the heap grows again. Anywhere else: each
 * step does nothing when it is repeated. As long as the file is longer than total_size, or DECIDED is set, `validate` lets nobody
 * in who asks for the whole file.
 *
 * Source of the idea: a redo rule around an undo journal, as in the checkpoints of databases.
 */

import { LAYOUT_FINGERPRINT } from "../protocol/fingerprint";
import {
  ABI_VERSION,
  BLOCK_BEFORE_OFFSET,
  BLOCK_BYTES_MIN,
  BLOCK_HEADER_BYTES,
  BLOCK_SIZE_OFFSET,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_BYTES,
  HEADER_FINGERPRINT_OFFSET,
  HEADER_FIRST_PAGES_OFFSET,
  HEADER_HEADER_SIZE_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_PARTICIPANTS_OFFSET,
  HEADER_PAYLOAD_SIZE_OFFSET,
  HEADER_RECOVERIES_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  HEAP_BLOCKS_OFFSET,
  MAGIC,
  PARTICIPANT_WORD_OFFSET,
  SEGMENT_LOCK_OFFSET,
  SIZE_DECIDED,
  SLOT_FREE,
  SLOT_LIVE,
  STATE_READY,
} from "../protocol/layout";
import { PAGE_BYTES, PARTICIPANTS_MAX, PARTICIPANTS_STEP } from "../protocol/limits";
import { blockCut, blockFree } from "./heap";
import { heapEnd, heapEndMin, payload, segmentBytes, setGeometry } from "./instance";
import { change, journalCommit, journalRollBack } from "./journal";
import { slotOffset } from "./participants";
import { stateOf, withState } from "./token";
import { add32, load32, load64, store64 } from "./word";
import { publishEntry } from "./write-lock";

/** Whether the mapped bytes are a segment of this release, whose creation was finished. */
function isOurs(slots: u32): bool {
  return (
    load<u32>(HEADER_MAGIC_OFFSET) == MAGIC &&
    load<u16>(HEADER_ABI_VERSION_OFFSET) == ABI_VERSION &&
    load<u16>(HEADER_HEADER_SIZE_OFFSET) == HEADER_BYTES &&
    load<u32>(HEADER_FINGERPRINT_OFFSET) == LAYOUT_FINGERPRINT &&
    load32(HEADER_STATE_OFFSET) == STATE_READY &&
    slots != 0 &&
    slots <= u32(PARTICIPANTS_MAX) &&
    slots % PARTICIPANTS_STEP == 0
  );
}

/**
 * Adopts the mapped `bytes`; whether they are all the segment's then. The caller holds KERNEL_LOCK_CREATION, and
 * KERNEL_LOCK_HOLDERS exclusively. What is no whole segment of this release stays as it is, for `validate` to say why.
 */
export function adopt(bytes: f64): bool {
  const mapped = u64(bytes);
  const slots = load<u32>(HEADER_PARTICIPANTS_OFFSET);
  const size = load64(HEADER_TOTAL_SIZE_OFFSET);
  const decided = u32(size & (PAGE_BYTES - 1));
  const total = size - decided;
  const first = u64(load<u32>(HEADER_FIRST_PAGES_OFFSET)) * PAGE_BYTES;
  if (!isOurs(slots) || decided > u32(SIZE_DECIDED) || first == 0 || total > mapped) return false;
  if (!setGeometry(total, slots, first)) return false;
  if (decided == SIZE_DECIDED) journalCommit();
  else journalRollBack();
  publishEntry();
  store<u64>(HEADER_PAYLOAD_SIZE_OFFSET, total - payload);
  store64(HEADER_TOTAL_SIZE_OFFSET, total); // pairs with the load in validate
  store64(SEGMENT_LOCK_OFFSET, 0); // pairs with the load in takeWriteLock
  freeSlots(slots);
  return total == mapped || grow(mapped, slots, first);
}

/** Nobody lives: every slot is free again. Its generation stays, so that nothing its last owner wrote counts. */
function freeSlots(slots: u32): void {
  for (let slot: u32 = 0; slot < slots; slot++) {
    const at = slotOffset(slot) + PARTICIPANT_WORD_OFFSET;
    const word = load64(at);
    const state = stateOf(word);
    if (state == SLOT_FREE) continue;
    if (state == SLOT_LIVE) add32(HEADER_RECOVERIES_OFFSET, 1);
    store64(at, withState(word, SLOT_FREE)); // pairs with the load in isLive
  }
}

/** A damaged heap does not grow: then total_size stays as it is, and nobody comes in. */
function grow(to: u64, slots: u32, first: u64): bool {
  const block = heapEnd;
  setGeometry(to, slots, first);
  store<u32>(block + BLOCK_SIZE_OFFSET, heapEnd - block);
  store<u32>(heapEnd + BLOCK_BEFORE_OFFSET, block);
  store<u32>(heapEnd + BLOCK_SIZE_OFFSET, BLOCK_HEADER_BYTES);
  change(HEAP_BLOCKS_OFFSET, load<u32>(HEAP_BLOCKS_OFFSET) + 1);
  if (blockFree(block + BLOCK_HEADER_BYTES) != 0) return false;
  decide(to);
  return true;
}

/** The heap ends where this size says, whatever happens from here on. */
function decide(to: u64): void {
  store64(HEADER_TOTAL_SIZE_OFFSET, to | SIZE_DECIDED); // pairs with the load in validate
  journalCommit();
  store<u64>(HEADER_PAYLOAD_SIZE_OFFSET, to - payload);
  store64(HEADER_TOTAL_SIZE_OFFSET, to); // pairs with the load in validate
}

/**
 * Cuts off what is free at the end of the heap, in whole pages. The caller has left, and holds KERNEL_LOCK_CREATION, and
 * KERNEL_LOCK_HOLDERS exclusively; nothing may be done with this mapping afterwards.
 *
 * @returns the bytes that the segment has now
 */
export function shrink(): f64 {
  const total = segmentBytes;
  if (!adopt(f64(total))) return f64(total);
  const last = load<u32>(heapEnd + BLOCK_BEFORE_OFFSET);
  const to = bytesEndingAt(last);
  // What a damaged heap has left in the journal is undone by whoever adopts next: nobody else looks at it.
  if (to >= total || !blockCut(last, u32(to) - BLOCK_HEADER_BYTES)) return f64(total);
  decide(to);
  return f64(to);
}

/** The least size of a segment whose fence lies at `last`, or behind a free block there. */
function bytesEndingAt(last: u32): u64 {
  const end = max(u64(last), heapEndMin()) + BLOCK_HEADER_BYTES;
  const bytes = (end + (PAGE_BYTES - 1)) & ~u64(PAGE_BYTES - 1);
  const rest = bytes - BLOCK_HEADER_BYTES - last;
  return rest == 0 || rest >= u64(BLOCK_BYTES_MIN) ? bytes : bytes + PAGE_BYTES;
}
