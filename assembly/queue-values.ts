/**
 * References to shared values in a queue: a message may be a reference instead of bytes. `queue.ts` says how messages pass
 * through slots, `values.ts` what a reference is. Blocking, but only while the holder of the write lock is alive; messages of
 * bytes take no lock.
 *
 *     a slot      | word u64 | length u32 = MESSAGE_REFERENCE | deliveries u32 | value u32 | generation u32 |
 *
 * The word `value` is a reference of its own, as a cell is: the value that it names has one in its count. 0 is none. So the
 * reference belongs to the message, whoever has the slot, and goes with it from list to list.
 *
 * | word              | written by                                                    | read by                            |
 * | ----------------- | ------------------------------------------------------------- | ---------------------------------- |
 * | length            | who claims the slot: 0; who sends: MESSAGE_REFERENCE          | who takes, who settles             |
 * | value, generation | who sends, before the length: 0. Then only the holder of the  | the holder, who looks at the word  |
 * |                   | write lock, by the journal                                    | of the slot before and after       |
 *
 * To send a reference:                                 To receive it:
 *  1. claim a slot (`queue.ts`); its length is 0        1. take the message (`queue.ts`)
 *  2. value 0, then the length                          2. one step: a handle of ours, and value 0. The count stays as it is
 *  3. one step: count + 1, and the value                3. free the slot
 *  4. put it into the list, as any other
 *                                                       To take it as a job: 2 leaves the value in the slot, and count + 1
 * To end a message, or to free a claimed slot:
 *  1. one step: value 0, and count - 1
 *  2. free the slot
 *
 * So a slot that is free refers to nothing, and what refers to something is never free. A message whose value is 0 is one that
 * ended when its slot was not free yet: whoever takes it frees the slot, and takes the next.
 *
 * If a participant dies:
 *
 * | after step    | state                                             | repair                                             |
 * | ------------- | ------------------------------------------------- | -------------------------------------------------- |
 * | send 1, 2     | SENDING, value 0                                  | `queueSettle` frees it                             |
 * | send 3        | SENDING, not in the list; counted                 | `queueSettle` gives the reference back, frees it   |
 * | send 4        | in the list                                       | none                                               |
 * | receive 1     | TAKEN                                             | returned; or dropped: as send 3                    |
 * | receive 2     | TAKEN, value 0; the handle is in a ledger         | the ledger is settled; the slot: see above         |
 * | end 1         | TAKEN or SENDING, value 0                         | see above                                          |
 * | within a step | the write lock names a dead one                   | the next holder undoes it, before it looks         |
 *
 * If several settle at the same time, the first gives the reference back, with the write lock; the others find the value 0, or
 * the slot with another word. If the write lock is not to be had, the dead owner stays a member, and its slot is settled later.
 *
 * If a call is cut off and its participant lives on: `settleQueue` ends what was being sent as above. A handle that the host does
 * not know of comes back when it leaves.
 *
 * Source of the idea: ownership moves with the message, as in the ports of Mach; the step and its mark are in one undo log.
 */
import { CORRUPT, NOT_FOUND } from "../protocol/errors";
import {
  FLAG_EMPTY,
  MESSAGE_DELIVERIES_OFFSET,
  MESSAGE_GENERATION_OFFSET,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_REFERENCE,
  MESSAGE_VALUE_OFFSET,
  RESULT_OFFSETS,
} from "../protocol/layout";
import { change } from "./journal";
import { slotAt } from "./queue-slots";
import { valuesEnd } from "./reclaim";
import { countUp, giveBack, isSame, makeHandle, valuesBegin } from "./values";
import { load32, load64, store32 } from "./word";

/** Whether the message in the slot at `offset` is a reference. */
export function isReference(offset: usize): bool {
  return load32(offset + MESSAGE_LENGTH_OFFSET) == u32(MESSAGE_REFERENCE);
}

/** Steps 2 and 3 of sending, in a slot that we have claimed. Called again, it does not count twice. 0; NOT_FOUND; or an error. */
export function putReference(offset: usize, value: u32, generation: u32): u32 {
  if (!isReference(offset)) {
    store<u32>(offset + MESSAGE_VALUE_OFFSET, 0);
    store<u32>(offset + MESSAGE_DELIVERIES_OFFSET, 0);
    store32(offset + MESSAGE_LENGTH_OFFSET, MESSAGE_REFERENCE); // pairs with the load in isReference
  }
  if (load<u32>(offset + MESSAGE_VALUE_OFFSET) != 0) return 0;
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(refer(offset, value, generation));
}

function refer(offset: usize, value: u32, generation: u32): u32 {
  if (!isSame(value, generation)) return NOT_FOUND;
  if (!countUp(value)) return CORRUPT;
  change(offset + MESSAGE_GENERATION_OFFSET, generation);
  change(offset + MESSAGE_VALUE_OFFSET, value);
  return 0;
}

/**
 * Step 1 of ending the message in a slot while it has this word: it refers to nothing then. 0, also when there is nothing to do;
 * BUSY when somebody has the write lock; or another error.
 */
export function giveReferenceBack(slot: u32, word: u64): u32 {
  const offset = slotAt(slot);
  if (!isReference(offset)) return 0;
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(drop(offset, word));
}

/** What names no value that is there is damaged, and forgotten: else its slot would be lost, too. */
function drop(offset: usize, word: u64): u32 {
  const value = load32(offset + MESSAGE_VALUE_OFFSET);
  const generation = load32(offset + MESSAGE_GENERATION_OFFSET);
  // Somebody else may have freed the slot, and another one writes bytes into it.
  if (value == 0 || load64(offset) != word) return 0;
  change(offset + MESSAGE_VALUE_OFFSET, 0);
  if (isSame(value, generation)) giveBack(value);
  return 0;
}

/**
 * Step 2 of receiving, in a slot that we have taken: a handle. `keeps`: the message keeps its reference, too. FLAG_EMPTY when it
 * has none; CORRUPT when there is no such value; or an error.
 */
export function takeReference(offset: usize, keeps: bool): u32 {
  const begun = valuesBegin();
  return begun != 0 ? begun : valuesEnd(handleOf(offset, keeps));
}

function handleOf(offset: usize, keeps: bool): u32 {
  const value = load32(offset + MESSAGE_VALUE_OFFSET);
  if (value == 0) return FLAG_EMPTY;
  if (!isSame(value, load32(offset + MESSAGE_GENERATION_OFFSET))) return CORRUPT;
  const handle = makeHandle(value);
  if (handle < u32(RESULT_OFFSETS)) return handle;
  if (!keeps) change(offset + MESSAGE_VALUE_OFFSET, 0);
  else if (!countUp(value)) return CORRUPT;
  return handle;
}
