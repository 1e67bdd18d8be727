/** Who holds the ends of a ring at this moment, read without a lock and without writing. */
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

/** A participant that holds an end of a ring. */
export interface EndHolder {
  /** Its number among the participants. */
  slot: number;
  /** Process id in its own pid namespace, for display. */
  pid: number;
  /** Whether the kernel says that it lives. Who is dead holds the end until the next one takes it. */
  alive: boolean;
  /** It is this opener. */
  self: boolean;
}

/** @internal The holders of both ends; nobody when a damaged entry leads elsewhere. */
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

/** Nobody when the end is free, when its holder died and its slot has another owner since, or when the word is damaged. */
function holderOf(attachment: Attachment, at: number): EndHolder | undefined {
  const { u32 } = attachment;
  const low = u32[at >>> 2];
  const generation = u32[(at + 4) >>> 2];
  const slot = slotOf(low);
  if (generation === 0 || (low & OWNER_CLOSED) !== 0 || slot === OWNER_ABANDONED) return undefined;
  if (slot >= attachment.core.participants.value) return undefined;
  const { pid, alive, generation: now } = ownerOfSlot(attachment, slot);
  return now === generation ? { slot, pid, alive, self: slot === attachment.slot } : undefined;
}
