/**
 * Locks of the kernel that others give back soon, unless they are stopped: whoever creates, joins, leaves or removes a
 * segment holds LOCK_CREATION of the object meanwhile. A name is taken from an object, or given to another one, only by who
 * holds LOCK_CREATION of the object that has it and has seen since that it has it: so what is looked at with the lock in
 * one's hands keeps its name.
 */
import { INITIALIZING } from "../../protocol/errors.js";
import { LOCK_CREATION, LOCK_HOLDERS } from "../../protocol/layout.js";
import { failure } from "../errors.js";
import type { Region } from "../host/region.js";
import { monotonicMs, sleepMs } from "../host/runtime.js";

/** How long another process may be creating, joining or truncating before we give up; a dead one is noticed at once. */
export const CREATION_TIMEOUT_MS = 10_000;
/** Pause between two attempts. */
const ATTEMPT_MS = 0.5;

/** What is waited for, and how long. */
export interface Wanted {
  /** For error texts. */
  described: string;
  /** Default CREATION_TIMEOUT_MS; 0 never blocks the thread. */
  timeoutMs?: number;
}

function retryUntil({ described, timeoutMs = CREATION_TIMEOUT_MS }: Wanted, taken: () => boolean): void {
  const begin = monotonicMs();
  while (!taken()) {
    if (monotonicMs() - begin >= timeoutMs) {
      throw failure(
        INITIALIZING,
        `a live process has been creating, joining, leaving or removing ${described} for ` +
          `${timeoutMs / 1000} s. Is it stopped? Continue or end it`,
      );
    }
    sleepMs(ATTEMPT_MS);
  }
}

export function lockCreation(region: Region, wanted: Wanted): void {
  retryUntil(wanted, () => region.lock(LOCK_CREATION, false));
}

/** Counts us among those who hold the segment. Nobody comes in while somebody adopts, truncates or prunes it. */
export function hold(region: Region, wanted: Wanted): void {
  retryUntil(wanted, () => region.lock(LOCK_HOLDERS, true));
}

/** For a reader, who cannot create: waits until nobody creates any more. Whoever does may have to be alone. */
export function outwaitCreator(region: Region, wanted: Wanted): void {
  region.unlock(LOCK_HOLDERS);
  retryUntil(wanted, () => !region.held(LOCK_CREATION));
}

/** As good as LOCK_CREATION for one who only removes a name, also where the lock can only be taken shared. */
function takeForRemoval(region: Region): boolean {
  if (!region.readOnly) return region.lock(LOCK_CREATION, false);
  if (!region.lock(LOCK_CREATION, true)) return false;
  // Of two who have it shared, the one who came second sees the other one.
  if (!region.held(LOCK_CREATION)) return true;
  region.unlock(LOCK_CREATION);
  return false;
}

/**
 * Removes the name that the region was opened by, unless it leads elsewhere by now.
 *
 * @returns whether it did
 */
export function removeLocked(region: Region, wanted: Wanted): boolean {
  if (!region.info().linked) return false; // and nothing gives it the name back
  retryUntil(wanted, () => takeForRemoval(region));
  try {
    return region.remove();
  } finally {
    region.unlock(LOCK_CREATION);
  }
}
