/** Reads the counters of a queue, and who has taken messages. It takes no lock and writes nothing. */
import {
  MESSAGE_OWNER_SHIFT,
  QUEUE_DROPPED_OFFSET,
  QUEUE_HEAD_OFFSET,
  QUEUE_LIST_BYTES,
  QUEUE_LISTS_OFFSET,
  QUEUE_REDELIVERED_OFFSET,
  QUEUE_TAIL_OFFSET,
  QUEUE_UNSENT_OFFSET,
  SHORT_TOKEN_GENERATION_SHIFT,
  SHORT_TOKEN_NUMBER_MASK,
} from "../../protocol/layout.js";
import type { Attachment } from "../segment/attachment.js";
import { ownerOfSlot } from "../segment/token.js";

/** A participant that has taken messages of a queue which are neither done nor given back. */
export interface QueueHolder {
  /** Its slot number. */
  slot: number;
  /** Process id in its own pid namespace, for display; 0 when another participant has the slot now. */
  pid: number;
  /** Whether it is alive, as the kernel says. What a dead one has taken is settled soon. */
  alive: boolean;
  /** Whether it is this opener. */
  self: boolean;
  /** How many messages it has taken. */
  taken: number;
}

/**
 * Counters of a queue. Each of them is exact up to 2^53. They are read one after the other, so while others use the queue, they
 * need not fit together.
 */
export interface QueueStats {
  /** Messages sent since the queue was created. */
  sent: number;
  /** Messages received, or taken and done, since the queue was created. */
  received: number;
  /** Messages that wait for a consumer, those that were given back included. */
  queued: number;
  /** Messages that were taken and are neither done nor given back. */
  taken: number;
  /** Messages that were delivered again because a process died that had taken them. */
  redelivered: number;
  /** Messages that were dropped because a process died that had taken them. */
  dropped: number;
  /** Messages that were not sent because a process died, or left, while it wrote them. */
  unsent: number;
  /** How many messages there can be. */
  capacity: number;
  /** Who has taken messages, in the order of the slots. */
  holders: QueueHolder[];
}

/** @internal Where a queue is. It is inside the segment with these parameters: the core has checked that. */
export interface QueuePlace {
  /** Offset of the object. */
  readonly queue: number;
  readonly capacity: number;
  readonly slotBytes: number;
}

/** @internal The current counters of a queue. */
export function queueStats(attachment: Attachment, place: QueuePlace): QueueStats {
  const { queue, capacity } = place;
  const { view } = attachment;
  const word = (offset: number): number => Number(view.getBigUint64(queue + offset, true));
  const listed = (list: number): number => {
    const at = QUEUE_LISTS_OFFSET + list * QUEUE_LIST_BYTES;
    return Math.min(capacity, Math.max(0, word(at + QUEUE_TAIL_OFFSET) - word(at + QUEUE_HEAD_OFFSET)));
  };
  const sent = word(QUEUE_LISTS_OFFSET + QUEUE_TAIL_OFFSET);
  const queued = Math.min(capacity, listed(0) + listed(1));
  const dropped = word(QUEUE_DROPPED_OFFSET);
  const holders = holdersOf(attachment, place);
  const taken = holders.reduce((sum, one) => sum + one.taken, 0);
  return {
    sent,
    received: Math.max(0, sent - queued - taken - dropped),
    queued,
    taken,
    redelivered: word(QUEUE_REDELIVERED_OFFSET),
    dropped,
    unsent: word(QUEUE_UNSENT_OFFSET),
    capacity,
    holders,
  };
}

/** The messages that are taken, by the short token of who has taken them. */
function takenBy(attachment: Attachment, { queue, capacity, slotBytes }: QueuePlace): Map<number, number> {
  const { core, u32 } = attachment;
  const found = new Map<number, number>();
  let at = 0;
  for (let slot = 0; slot < capacity; slot++) {
    at = core.queueHeld(queue, capacity, slotBytes, at) >>> 0;
    if (at === 0) break;
    const token = u32[(at >>> 2) + MESSAGE_OWNER_SHIFT / 32];
    found.set(token, (found.get(token) ?? 0) + 1);
  }
  return found;
}

function holderOf(attachment: Attachment, token: number, taken: number): QueueHolder {
  const slot = token & SHORT_TOKEN_NUMBER_MASK;
  const gone = { slot, pid: 0, alive: false, self: false, taken };
  if (slot >= attachment.core.participants.value) return gone;
  const { pid, alive, generation } = ownerOfSlot(attachment, slot);
  if (((generation << SHORT_TOKEN_GENERATION_SHIFT) | slot) >>> 0 !== token) return gone;
  return { slot, pid, alive, self: slot === attachment.slot, taken };
}

function holdersOf(attachment: Attachment, place: QueuePlace): QueueHolder[] {
  return [...takenBy(attachment, place)]
    .map(([token, taken]) => holderOf(attachment, token, taken))
    .sort((one, other) => one.slot - other.slot);
}
