/** Reads the current state of locks, semaphores, events and counters. It takes no lock and writes nothing. */
import {
  EVENT_SIGNALED,
  LOCK_BROKEN,
  LOCK_HELD,
  LOCK_OWNER_DIED,
  LOCK_SHARED_OFFSET,
  LOCK_WAITERS_OFFSET,
  OBJECT_ALIGNMENT,
  SIGNAL_VALUE_OFFSET,
} from "../../protocol/layout.js";
import type { Attachment } from "../segment/attachment.js";
import { ownerOfSlot, slotOf } from "../segment/token.js";

/** A participant that holds a lock. */
export interface LockHolder {
  /** Its slot number. */
  slot: number;
  /** Process id in its own pid namespace, for display. */
  pid: number;
  /** Whether it is alive, as the kernel says. */
  alive: boolean;
}

/** The holders of a lock. A process id is the one in the pid namespace of that process. */
export interface LockInfo {
  /**
   * waiting: a participant waits for exclusive mode until the shared holders release the lock. broken: the data was not
   * repaired after a death.
   */
  state: "free" | "shared" | "exclusive" | "waiting" | "broken";
  /** The participant that holds the lock exclusively, or waits for that. */
  owner?: LockHolder;
  /** The shared holders. */
  shared: LockHolder[];
  /** A holder died, and no holder has called the data consistent since. */
  ownerDied: boolean;
}

/** The most bytes of an object at `offset` that may be read. A damaged entry may contain any offset. */
function fits(attachment: Attachment, offset: number, bytes: number): boolean {
  return offset > 0 && offset % OBJECT_ALIGNMENT === 0 && offset + bytes <= attachment.bytes;
}

function holder(attachment: Attachment, slot: number): LockHolder {
  const { pid, alive } = ownerOfSlot(attachment, slot);
  return { slot, pid, alive };
}

/** A shared holder that is gone may have left its bit. The bit counts only while the generation of its owner is live. */
function sharedHolder(attachment: Attachment, slot: number, generation: number): LockHolder[] {
  const { joined, generation: now } = ownerOfSlot(attachment, slot);
  return joined && generation === now ? [holder(attachment, slot)] : [];
}

/** @internal */
export function lockInfo(attachment: Attachment, lock: number): LockInfo | undefined {
  const { core, u32 } = attachment;
  const slots: number = core.participants.value;
  const waitersBytes = core.lockWaitersExclusive(0) - core.lockWaitersShared(0);
  const generations = lock + LOCK_WAITERS_OFFSET + 2 * waitersBytes;
  if (!fits(attachment, lock, generations - lock + 4 * slots)) return undefined;
  const word = core.lockState(lock) >>> 0;
  const info: LockInfo = { state: "free", shared: [], ownerDied: (word & LOCK_OWNER_DIED) !== 0 };
  for (let slot = 0; slot < slots; slot++) {
    const bits = u32[(lock + LOCK_SHARED_OFFSET + ((slot >>> 5) << 2)) >>> 2];
    if (((bits >>> (slot & 31)) & 1) === 0) continue;
    info.shared.push(...sharedHolder(attachment, slot, u32[(generations + slot * 4) >>> 2]));
  }
  if (info.shared.length > 0) info.state = "shared";
  const owner = slotOf(word) - 1;
  if (owner >= 0 && owner < slots) {
    info.owner = holder(attachment, owner);
    info.state = word & LOCK_HELD ? "exclusive" : "waiting";
  }
  if (word & LOCK_BROKEN) info.state = "broken";
  return info;
}

/** @internal The value of a semaphore, an event (1: signaled) or a counter. */
export function signalNow(attachment: Attachment, type: string, signal: number): number | undefined {
  if (!fits(attachment, signal, SIGNAL_VALUE_OFFSET + 8)) return undefined;
  if (type === "counter") return attachment.core.counterValue(signal);
  const value = attachment.core.signalValue(signal) >>> 0;
  return type === "event" ? value & EVENT_SIGNALED : value;
}
