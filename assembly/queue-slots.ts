/**
 * The slots of a queue, or of a service: where they are, what their words say, and which of them are free. `queue.ts` says how
 * messages pass through them, `service.ts` how calls do, and what a death leaves.
 *
 * To claim a slot:                                       To free it:
 *  1. note it privately as the one that is moving        1. note it privately as the one that is moving
 *  2. clear its bit in the bitmap; another participant   2. CAS its word -> FREE
 *     may be faster: the next bit                        3. set its bit
 *  3. CAS its word: FREE -> SENDING, ours, next use;     4. forget the note
 *     it fails if the bit was false
 *
 * A call that is cut off, or a participant that dies, between 2 and 3 leaves a free slot without a bit, and `restoreBit` sets it.
 */
import {
  MESSAGE_ALIGNMENT,
  MESSAGE_FREE,
  MESSAGE_HEADER_BYTES,
  MESSAGE_OWNER_SHIFT,
  MESSAGE_SENDING,
  MESSAGE_STATE_MASK,
  MESSAGE_USE_SHIFT,
  QUEUE_CELLS_MIN,
  QUEUE_HINT_OFFSET,
  QUEUE_WAITERS_OFFSET,
} from "../protocol/layout";
import { alignObject, participants, self, selfSlot, waitersBytes } from "./instance";
import { numberedToken } from "./token";
import { and32, load32, load64, or32, swap64 } from "./word";

/** What functions return instead of the number of a slot, besides errors. */
export const NONE: u32 = u32.MAX_VALUE;

/** Another participant has changed the word of the slot before us. */
export const RESULT_LOST: u32 = 1;

/** The queue that the functions work on, and what follows from its parameters. */
export let queue: usize = 0;
export let capacity: u32 = 0;
let slotBytes: u32 = 0;
export let cellsShift: u32 = 0;
let bitmap: usize = 0;
export let cells: usize = 0;
let slots: usize = 0;
let stride: u32 = 0;
/** Whether it is the queue of a service, whose slots are calls. */
export let ofService: bool = false;

/**
 * The slot that a function is moving, its queue, whether that function takes it, and whether it is a call of a service;
 * `movingIn` is 0 when nothing is moving.
 */
export let movingIn: usize = 0;
export let movingCapacity: u32 = 0;
export let movingBytes: u32 = 0;
export let moving: u32 = 0;
export let takes: bool = false;
export let movingCall: bool = false;

// --- where things are ----------------------------------------------------------------------------------------------------

export function strideOf(messageBytes: u32): u32 {
  return (MESSAGE_HEADER_BYTES + messageBytes + (MESSAGE_ALIGNMENT - 1)) & ~(MESSAGE_ALIGNMENT - 1);
}

/** Power of two: cells of a list. There is one for each message, and one for a cell of each participant that does not count. */
function shiftOf(count: u32): u32 {
  return 32 - clz(max(u32(QUEUE_CELLS_MIN), count + participants) - 1);
}

export function membersOf(at: usize): usize {
  return at + QUEUE_WAITERS_OFFSET + 2 * waitersBytes();
}

export function bitmapOf(at: usize): usize {
  return membersOf(at) + usize(alignObject(u64(participants) << 2));
}

function cellsOf(at: usize, count: u32): usize {
  return bitmapOf(at) + usize(alignObject(((u64(count) + 31) >>> 5) << 2));
}

export function slotsOf(at: usize, count: u32): usize {
  return cellsOf(at, count) + (usize(16) << shiftOf(count));
}

export function select(at: usize, count: u32, messageBytes: u32, isService: bool): void {
  ofService = isService;
  if (at == queue && count == capacity && messageBytes == slotBytes) return;
  queue = 0; // a call that is cut off here must not be believed
  capacity = count;
  slotBytes = messageBytes;
  cellsShift = shiftOf(count);
  bitmap = bitmapOf(at);
  cells = cellsOf(at, count);
  slots = slotsOf(at, count);
  stride = strideOf(messageBytes);
  queue = at;
}

export function slotAt(slot: u32): usize {
  return slots + usize(slot) * stride;
}

/** The number of the slot at an offset that the host got from this file; NONE if there is none at this offset. */
export function slotNumber(at: usize): u32 {
  const distance = at - slots;
  const slot = u32(distance / stride);
  return at >= slots && slot < capacity && distance % stride == 0 ? slot : NONE;
}

// --- words ---------------------------------------------------------------------------------------------------------------

export function ours(): u32 {
  return numberedToken(self, selfSlot);
}

export function ownerIn(word: u64): u32 {
  return u32(word >> MESSAGE_OWNER_SHIFT);
}

export function stateIn(word: u64): u32 {
  return u32(word) & MESSAGE_STATE_MASK;
}

/** The word of a slot with another owner and state: of the same use, or of the next one. */
export function wordWith(word: u64, owner: u32, state: u32, next: bool): u64 {
  const use = (u32(word) & ~MESSAGE_STATE_MASK) + (u32(next) << MESSAGE_USE_SHIFT);
  return (u64(owner) << MESSAGE_OWNER_SHIFT) | use | state;
}

// --- free slots ------------------------------------------------------------------------------------------------------------

function setFree(slot: u32): void {
  or32(bitmap + ((slot >>> 5) << 2), 1 << (slot & 31)); // pairs with the load in claimSlot
}

/** Sets the bit of a free slot that has none. */
export function restoreBit(slot: u32): void {
  if ((load32(bitmap + ((slot >>> 5) << 2)) & (1 << (slot & 31))) == 0) setFree(slot);
}

/** Frees a slot if it has this word. Whether it did. */
export function free(slot: u32, word: u64): bool {
  moves(slot, false);
  const freed = swap64(slotAt(slot), word, wordWith(word, 0, MESSAGE_FREE, false)); // pairs with the load in claimSlot
  if (freed) setFree(slot);
  movingIn = 0;
  return freed;
}

/** Claims a free slot: SENDING, ours. NONE when there is none. */
export function claimSlot(): u32 {
  const words = (capacity + 31) >>> 5;
  const start = load<u32>(queue + QUEUE_HINT_OFFSET) % words;
  for (let step: u32 = 0; step < words; step++) {
    const index = (start + step) % words;
    const at = bitmap + (index << 2);
    for (let bits = load32(at); bits != 0; ) {
      // Participants begin at different bits, so that they meet less often.
      const above = bits & (u32(-1) << (selfSlot & 31));
      const bit: u32 = 1 << ctz(above != 0 ? above : bits);
      bits ^= bit;
      const slot = (index << 5) | ctz(bit);
      if (slot >= capacity) continue;
      moves(slot, false);
      if ((and32(at, ~bit) & bit) == 0) continue; // another participant was faster
      const word = load64(slotAt(slot));
      if (stateIn(word) != MESSAGE_FREE) continue;
      if (!swap64(slotAt(slot), word, wordWith(word, ours(), MESSAGE_SENDING, true))) continue; // pairs with the load above
      if (step != 0) store<u32>(queue + QUEUE_HINT_OFFSET, index);
      return slot;
    }
  }
  movingIn = 0;
  return NONE;
}

export function moves(slot: u32, taking: bool): void {
  moving = slot;
  takes = taking;
  movingCall = ofService;
  movingCapacity = capacity;
  movingBytes = slotBytes;
  movingIn = queue;
}

/** Nothing is moving any more. */
export function moved(): void {
  movingIn = 0;
}
