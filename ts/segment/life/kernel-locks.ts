/**
 * The two kernel locks that guard an object as a whole. The kernel releases both when their owner dies, in whatever way.
 *
 * | lock                 | held                                                     | by                                 |
 * | -------------------- | -------------------------------------------------------- | ---------------------------------- |
 * | KERNEL_LOCK_CREATION | alone, while a process creates, joins, leaves or removes | writers; who removes a name        |
 * | KERNEL_LOCK_HOLDERS  | shared, for as long as a process has the segment open    | writers and readers                |
 * | KERNEL_LOCK_HOLDERS  | alone, while nobody else may have it open                | who truncates, adopts or removes   |
 *
 * Before a process removes a name or gives it to another object, it takes KERNEL_LOCK_CREATION of the object that has the name,
 * and checks afterwards that this object still has it. So an object keeps its name while a process holds its
 * KERNEL_LOCK_CREATION.
 *
 * A stopped process keeps its locks. So every wait for one has a timeout, and the error says what to do.
 */
import { INITIALIZING } from "../../../protocol/errors.js";
import { KERNEL_LOCK_CREATION, KERNEL_LOCK_HOLDERS } from "../../../protocol/layout.js";
import { failure } from "../../errors.js";
import type { NativeError } from "../../host/native.js";
import type { Region } from "../../host/region.js";
import { retryFor } from "../../wait/retry.js";

/** How long to wait for another process that creates, joins, leaves or truncates. A dead one is noticed at once. */
export const CREATION_TIMEOUT_MS = 10_000;

/** What is waited for, and how long. */
export interface Wanted {
  /** For error texts. */
  described: string;
  refusedAdvice?(error: NativeError): string | undefined;
  /** Default CREATION_TIMEOUT_MS; 0 never blocks the thread. */
  timeoutMs?: number;
}

function retryUntil({ described, timeoutMs = CREATION_TIMEOUT_MS }: Wanted, taken: () => boolean): void {
  if (retryFor(timeoutMs, () => taken() || undefined)) return;
  throw failure(
    INITIALIZING,
    `a live process has been creating, joining, leaving or removing ${described} for ` +
      `${timeoutMs / 1000} s. It may be stopped: continue it or end it`,
  );
}

/** Takes KERNEL_LOCK_CREATION alone. */
export function lockCreation(region: Region, wanted: Wanted): void {
  retryUntil(wanted, () => region.lock(KERNEL_LOCK_CREATION, false));
}

/** Takes KERNEL_LOCK_HOLDERS shared: from now on, no process adopts, truncates or prunes the object. */
export function hold(region: Region, wanted: Wanted): void {
  retryUntil(wanted, () => region.lock(KERNEL_LOCK_HOLDERS, true));
}

/**
 * A reader waits until no process creates the segment any more. Meanwhile it releases KERNEL_LOCK_HOLDERS, because the creator
 * may need that lock alone.
 */
export function outwaitCreator(region: Region, wanted: Wanted): void {
  region.unlock(KERNEL_LOCK_HOLDERS);
  retryUntil(wanted, () => !region.held(KERNEL_LOCK_CREATION));
}

/**
 * Takes KERNEL_LOCK_CREATION in order to remove a name. An object that was opened for reading can only be locked shared: that
 * excludes all writers. If two processes hold it shared, the second one notices the first and gives up.
 */
function takeForRemoval(region: Region): boolean {
  if (!region.readOnly) return region.lock(KERNEL_LOCK_CREATION, false);
  if (!region.lock(KERNEL_LOCK_CREATION, true)) return false;
  if (!region.held(KERNEL_LOCK_CREATION)) return true;
  region.unlock(KERNEL_LOCK_CREATION);
  return false;
}

/**
 * Removes the name by which the region was opened, unless the name leads to another object now.
 *
 * @returns whether it did
 */
export function removeLocked(region: Region, wanted: Wanted): boolean {
  if (!region.info().linked) return false; // an object never gets its name back
  const letGo = (): void => {
    region.unlock(KERNEL_LOCK_CREATION);
    region.ends();
  };
  const isOpen = region.kept;
  if (isOpen) region.begins(letGo);
  try {
    retryUntil(wanted, () => takeForRemoval(region));
    return region.remove(`unlinking ${wanted.described}`, wanted.refusedAdvice);
  } finally {
    if (isOpen) letGo();
    else region.unlock(KERNEL_LOCK_CREATION);
  }
}
