/**
 * The two lists of a queue, and the one of a service: numbers of slots in order. `queue.ts` has the drawing of a cell, and the
 * steps; "send" 4 and 5 are `put`, "take" 2 to 4 are `takeFrom`. Lock-free.
 *
 * A cell counts while the slot that it names has the use that it names, and a state in which it is in a list. Whatever else is
 * in a cell is passed over, so a slot leaves a list when its word changes, and nobody has to find its cell.
 */
import { BUSY, CORRUPT } from "../protocol/errors";
import {
  CELL_LAP_MASK,
  CELL_LAP_SHIFT,
  CELL_SLOT_MASK,
  CELL_SLOT_SHIFT,
  CELL_USE_MASK,
  MESSAGE_LISTED,
  MESSAGE_RETURNING,
  MESSAGE_SENDING,
  MESSAGE_TAKEN,
  MESSAGE_USE_SHIFT,
  QUEUE_HEAD_OFFSET,
  QUEUE_LIST_BYTES,
  QUEUE_TAIL_OFFSET,
} from "../protocol/layout";
import {
  capacity,
  cells,
  cellsShift,
  moved,
  moves,
  NONE,
  ofService,
  ours,
  ownerIn,
  queue,
  slotAt,
  stateIn,
  wordWith,
} from "./queue-slots";
import { load64, swap64 } from "./word";

/** A function gives up after it has lost this many races, and returns BUSY. Each lost race is progress of another participant. */
const TURNS_MAX = 1024;

/** How many cells `passOver` passes at a time: each gives room for one. */
const PASSED_MAX = 8;

/** What was sent; of a service, the requests. */
export const SENT: u32 = 0;
/** What was returned. A service does not use it. */
export const RETURNED: u32 = 1;

function listAt(list: u32): usize {
  return queue + list * QUEUE_LIST_BYTES;
}

function cellAt(list: u32, position: u64): usize {
  const index = u32(position) & ((1 << cellsShift) - 1);
  return cells + (usize(list) << (cellsShift + 3)) + (usize(index) << 3);
}

/** What the low bits of a cell have if it counts for the slot with this word. */
function cellUse(word: u64): u64 {
  return u64((u32(word) >>> MESSAGE_USE_SHIFT) & CELL_USE_MASK);
}

/** A state in which the slot may be in a list. A call of a service that is RETURNED is in none until its caller puts it there. */
function isListable(state: u32): bool {
  return state == MESSAGE_SENDING || (!ofService && (state == MESSAGE_RETURNING || state == MESSAGE_LISTED));
}

/** The number of the slot in a cell; NONE if it is damaged. */
function slotIn(cell: u64): u32 {
  const slot = u32(cell >> CELL_SLOT_SHIFT) & CELL_SLOT_MASK;
  return slot < capacity ? slot : NONE;
}

/** The lap of a position, as a filled cell has it. */
function lapOf(position: u64): u64 {
  return ((position >> cellsShift) + 1) & CELL_LAP_MASK;
}

/** Whether a cell counts for the slot with this word: nobody has taken the message yet. */
function counts(cell: u64, word: u64): bool {
  return isListable(stateIn(word)) && cellUse(word) == (cell & CELL_USE_MASK);
}

/** Puts the slot, which has this word, at the end of a list. 0; CORRUPT; or BUSY, and it is not in the list. */
export function put(list: u32, slot: u32, word: u64): u32 {
  const tailAt = listAt(list) + QUEUE_TAIL_OFFSET;
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const tail = load64(tailAt);
    const at = cellAt(list, tail);
    const cell = load64(at);
    const lap = lapOf(tail);
    if (cell >> CELL_LAP_SHIFT == lap) {
      swap64(tailAt, tail, tail + 1); // pairs with the load above: its sender did not get this far
      continue;
    }
    if (cell >> CELL_LAP_SHIFT != ((lap - 1) & CELL_LAP_MASK)) {
      if (load64(tailAt) == tail) return CORRUPT;
      continue;
    }
    // What the cell had a lap ago must be behind the head, so that nobody looks for it there.
    const before = tail - (u64(1) << cellsShift);
    if (tail >> cellsShift != 0 && load64(listAt(list) + QUEUE_HEAD_OFFSET) <= before) return BUSY;
    const filled = (lap << CELL_LAP_SHIFT) | (u64(slot) << CELL_SLOT_SHIFT) | cellUse(word);
    if (!swap64(at, cell, filled)) continue; // pairs with the load in takeFrom
    swap64(tailAt, tail, tail + 1); // pairs with the load above
    return 0;
  }
  return BUSY;
}

/** Takes the first message of a list. The number of its slot; NONE if the list is empty; BUSY, CORRUPT with `failed` set. */
export function takeFrom(list: u32): u32 {
  const headAt = listAt(list) + QUEUE_HEAD_OFFSET;
  failed = 0;
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const head = load64(headAt);
    const cell = load64(cellAt(list, head));
    const lap = lapOf(head);
    if (cell >> CELL_LAP_SHIFT != lap) {
      if (cell >> CELL_LAP_SHIFT == ((lap - 1) & CELL_LAP_MASK)) return NONE;
      if (load64(headAt) == head) return fail(CORRUPT);
      continue;
    }
    const slot = slotIn(cell);
    if (slot == NONE) {
      if (load64(headAt) == head) return fail(CORRUPT);
      continue;
    }
    const word = load64(slotAt(slot));
    if (counts(cell, word)) {
      moves(slot, true);
      const taken = swap64(slotAt(slot), word, wordWith(word, ours(), MESSAGE_TAKEN, false)); // pairs with the loads of words
      if (!taken) {
        moved();
        continue;
      }
      swap64(headAt, head, head + 1); // pairs with the load above
      return slot;
    }
    swap64(headAt, head, head + 1); // pairs with the load above: who has taken it did not get this far
  }
  return fail(BUSY);
}

/** The error with which `takeFrom` has returned NONE, or 0. */
export let failed: u32 = 0;

function fail(error: u32): u32 {
  failed = error;
  return NONE;
}

/** Whether a list has the slot with this word, which is not taken. */
export function isListed(list: u32, slot: u32, word: u64): bool {
  const wanted = (u64(slot) << CELL_SLOT_SHIFT) | cellUse(word);
  const head = load64(listAt(list) + QUEUE_HEAD_OFFSET);
  for (let position = head; position < head + (u64(1) << cellsShift); position++) {
    const cell = load64(cellAt(list, position));
    if (cell >> CELL_LAP_SHIFT != lapOf(position)) return false;
    if ((cell & ((u64(1) << CELL_LAP_SHIFT) - 1)) == wanted) return true;
  }
  return false;
}

/** Makes LISTED what a list has of an owner that is dead. */
export function markListed(list: u32, owner: u32): void {
  const head = load64(listAt(list) + QUEUE_HEAD_OFFSET);
  for (let position = head; position < head + (u64(1) << cellsShift); position++) {
    const cell = load64(cellAt(list, position));
    if (cell >> CELL_LAP_SHIFT != lapOf(position)) return;
    const slot = slotIn(cell);
    if (slot == NONE) return;
    const word = load64(slotAt(slot));
    if (ownerIn(word) != owner || !counts(cell, word)) continue;
    swap64(slotAt(slot), word, wordWith(word, 0, MESSAGE_LISTED, false)); // pairs with the loads of words
  }
}

/** Moves the head over cells that do not count, so that `put` finds one. */
export function passOver(list: u32): void {
  const headAt = listAt(list) + QUEUE_HEAD_OFFSET;
  for (let turn = 0; turn < PASSED_MAX; turn++) {
    const head = load64(headAt);
    const cell = load64(cellAt(list, head));
    const slot = slotIn(cell);
    if (cell >> CELL_LAP_SHIFT != lapOf(head) || slot == NONE || counts(cell, load64(slotAt(slot)))) return;
    swap64(headAt, head, head + 1); // pairs with the load above
  }
}
