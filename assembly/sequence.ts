/**
 * The sequence of a list or dictionary: readers take no lock; they look at it before and after. Wait-free for the writer, who has
 * the write lock; a reader repeats what a change has disturbed.
 *
 * | word     | written by                                                   | read by                             |
 * | -------- | ------------------------------------------------------------ | ----------------------------------- |
 * | changing | the holder of the write lock: the value that it changes, or 0 | who takes the lock                  |
 * | sequence | the same: odd while it changes the value                     | readers, see `valueLook`            |
 *
 *  1. changing = the value
 *  2. sequence becomes odd
 *  3. the words of the value change, through the journal
 *  4. the journal is emptied: the change is committed; or it is rolled back
 *  5. sequence becomes even, and other than it was: what a reader has read meanwhile does not count
 *  6. changing = 0
 *
 * None of this goes through the journal: a change that was undone has been seen by readers, too, and they must notice.
 *
 * If a participant dies: after 1, 2 or 3 the next holder of the write lock rolls the journal back, and then does 5 and 6. After
 * 4 or
 * 5 it does the same, and there is nothing to roll back. A participant whose call is cut off is its own successor.
 *
 * Source of the idea: seqlocks (Lameter); Boehm, "Can seqlocks get along with programming language memory models?", 2012.
 */
import { NOT_FOUND } from "../protocol/errors";
import {
  ANSWER_POSITION_OFFSET,
  RESULT_OFFSETS,
  VALUE_CHANGING,
  VALUE_DICT,
  VALUE_LIST,
  VALUE_SEQUENCE_OFFSET,
  VALUES_CHANGING_OFFSET,
} from "../protocol/layout";
import { blockGeneration, isBlockInUse } from "./heap";
import { self } from "./instance";
import { kindOf } from "./kinds";
import { answers } from "./participants";
import { load32, store32, store64 } from "./word";

/** Whether a list or a dictionary begins there, also one that is to be freed. */
function hasSequence(value: u32): bool {
  if (!isBlockInUse(value)) return false;
  const kind = kindOf(value);
  return kind == VALUE_LIST || kind == VALUE_DICT;
}

/** A change of the value begins: from here on, readers wait. The journal has room, and nothing of the value was changed yet. */
export function sequenceBegin(value: u32): void {
  store32(VALUES_CHANGING_OFFSET, value); // pairs with the load in sequenceEnd
  const at = value + VALUE_SEQUENCE_OFFSET;
  store32(at, load32(at) | 1); // pairs with the load in valueLook
  // An atomic load between them: the plain stores of the change come after the store above.
  if ((load32(at) & 1) == 0) unreachable();
}

/** The change is committed, or undone, or there is none. The next holder of the write lock does this for the one before. */
export function sequenceEnd(): void {
  const value = load32(VALUES_CHANGING_OFFSET);
  if (value == 0) return;
  if (hasSequence(value)) {
    const sequence = load32(value + VALUE_SEQUENCE_OFFSET);
    const next = max(sequence + 1, u32(RESULT_OFFSETS));
    if ((sequence & 1) != 0) store32(value + VALUE_SEQUENCE_OFFSET, next); // pairs with the load in valueLook
  }
  store32(VALUES_CHANGING_OFFSET, 0); // pairs with the load in sequenceEnd
}

/**
 * What to compare before and after reading a list or a dictionary, and what its cells refer to: its sequence, at least
 * RESULT_OFFSETS. What was read between two calls that return the same sequence was never half changed. VALUE_CHANGING while it
 * is being changed; NOT_FOUND when there is no such value any more. Takes no lock. A reader without a slot orders its loads by
 * itself.
 */
export function valueLook(value: u32, generation: u32): u32 {
  if (self != 0) store64(answers() + ANSWER_POSITION_OFFSET, 0); // only orders the plain loads before the loads below
  if (!hasSequence(value)) return NOT_FOUND;
  const sequence = load32(value + VALUE_SEQUENCE_OFFSET);
  if (blockGeneration(value) != generation) return NOT_FOUND;
  return (sequence & 1) != 0 ? VALUE_CHANGING : max(sequence, u32(RESULT_OFFSETS));
}
