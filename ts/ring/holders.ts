/** Reads which participants hold the ends of a ring now. It takes no lock and writes nothing. */
import {
  OBJECT_ALIGNMENT,
  OWNER_ABANDONED,
  OWNER_CLOSED,
  RING_CONSUMER_OFFSET,
  RING_PRODUCER_OFFSET,
  RING_WAITERS_OFFSET,
} from "../../protocol/layout.js";
import type { Attachment } from "../segment/attachment.js";
import { ownerOfSlot, slotOf } from "../segment/token.js";

/** A participant that holds an end of a ring or of a broadcast. */
export interface EndHolder {
  /** Its slot number. */
  slot: number;
  /** Process id in its own pid namespace, for display. */
  pid: number;
  /** Whether it is alive, as the kernel says. A dead participant holds the end until the next one takes it. */
  alive: boolean;
  /** Whether it is this opener. */
  self: boolean;
}

/** @internal The holders of both ends; none when the entry is damaged and its offset is outside the segment. */
export function endHolders(
  attachment: Attachment,
  ring: number,
): { producer: EndHolder | undefined; consumer: EndHolder | undefined } {
  if (ring % OBJECT_ALIGNMENT !== 0 || ring + RING_WAITERS_OFFSET > attachment.bytes)
    return { producer: undefined, consumer: undefined };
  return {
    producer: holderOf(attachment, ring + RING_PRODUCER_OFFSET),
    consumer: holderOf(attachment, ring + RING_CONSUMER_OFFSET),
  };
}

/**
 * @internal The holder in an owner word; undefined when the end is free, when its holder died and its slot has another owner
 *   since,
 * or when the word is damaged.
 */
export function holderOf(attachment: Attachment, at: number): EndHolder | undefined {
  const { u32 } = attachment;
  const low = u32[at >>> 2];
  const generation = u32[(at + 4) >>> 2];
  const slot = slotOf(low);
  if (generation === 0 || (low & OWNER_CLOSED) !== 0 || slot === OWNER_ABANDONED) return undefined;
  if (slot >= attachment.core.participants.value) return undefined;
  const { pid, alive, generation: now } = ownerOfSlot(attachment, slot);
  return now === generation ? { slot, pid, alive, self: slot === attachment.slot } : undefined;
}
