/**
 * Decodes the words of participants and owners, read in halves of 32 bits. `assembly/token.ts` has the drawing. Each function
 * takes the lower half.
 */
import {
  PARTICIPANT_BYTES,
  PARTICIPANT_PID_OFFSET,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  SLOT_LIVE,
  TOKEN_SLOT_SHIFT,
  TOKEN_STATE_MASK,
} from "../../protocol/layout.js";
import type { Attachment } from "./attachment.js";

export function slotOf(low: number): number {
  return low >>> TOKEN_SLOT_SHIFT;
}

/** SLOT_… of the word of a slot. */
export function stateOf(low: number): number {
  return low & TOKEN_STATE_MASK;
}

/** A participant as others see it. */
export interface SlotOwner {
  /** Number of its slot. */
  slot: number;
  /** Process id in its own pid namespace, for display. */
  pid: number;
  /** Process id of the current owner of the slot. */
  generation: number;
  /** Whether it is alive, as its slot and the kernel say. */
  alive: boolean;
  /** Whether its slot is LIVE: no participant has proved yet that it died. */
  joined: boolean;
}

/** The owner of a slot, or the last owner. */
export function ownerOfSlot(attachment: Attachment, slot: number): SlotOwner {
  const { u32 } = attachment;
  const at = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES;
  const joined = stateOf(u32[(at + PARTICIPANT_WORD_OFFSET) >>> 2]) === SLOT_LIVE;
  const generation = u32[(at + PARTICIPANT_WORD_OFFSET + 4) >>> 2];
  const pid = u32[(at + PARTICIPANT_PID_OFFSET) >>> 2];
  return { slot, pid, generation, alive: joined && attachment.held(slot), joined };
}
