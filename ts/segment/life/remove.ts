/** Taking names away from segments: of one, whoever has it open, or of all that nobody has open. */
import {
  HEADER_BYTES,
  KERNEL_LOCK_CREATION,
  KERNEL_LOCK_HOLDERS,
  NEXT_MAP,
} from "../../../protocol/layout.js";
import { PAGE_BYTES } from "../../../protocol/limits.js";
import { attempt, IsthmusError } from "../../errors.js";
import { native, Region } from "../../host/region.js";
import { nowNs, userId } from "../../host/runtime.js";
import { settleAll } from "../../host/under-way.js";
import { headerOf } from "../header.js";
import { namedAdvice, namedLocation } from "../location.js";
import type { Pruning } from "../options.js";
import { beginningOf, coreOver, firstBytes } from "./beginning.js";
import { removeLocked } from "./kernel-locks.js";
import type { Location } from "./open.js";

/**
 * @internal Removes every segment of this user that no live process has open, and no other objects. Returns the names. It never
 * removes a segment that a process creates or joins: from the check to the removal, KERNEL_LOCK_CREATION excludes writers, and
 * KERNEL_LOCK_HOLDERS excludes readers.
 */
export function pruneSegments(pruning: Pruning): string[] {
  settleAll();
  return attempt("listing segments", () => native.list(pruning.namespace))
    .filter((name) => name.startsWith(pruning.prefix) && pruneOne(name, pruning))
    .sort();
}

/** An object of another program that has such a name is not removed. A creator that dies early leaves an empty object. */
function isSegment(region: Region): boolean {
  if (region.info().bytes === 0) return true;
  const first = firstBytes(region);
  return (
    first.length === HEADER_BYTES && coreOver(first).openingLook(PAGE_BYTES, first.length, 0) === NEXT_MAP
  );
}

/**
 * Whether it belongs to this user. The superuser does not remove the segments of others, and others do not remove those of the
 * superuser.
 */
function isOwn(region: Region): boolean {
  const { trusted, owner } = region.info();
  return trusted && owner === (userId() ?? owner);
}

/** How long it has not been used. Milliseconds; negative if that is not known. */
function idleMs(region: Region): number {
  const view = beginningOf(region);
  if (!view) return -1;
  const { magic, heartbeat, created } = headerOf(view);
  const usedLast = Math.max(heartbeat.getTime(), created.getTime());
  return magic === 0 ? -1 : nowNs() / 1e6 - usedLast;
}

function pruneOne(name: string, { namespace, olderThanMs, dryRun }: Pruning): boolean {
  let region: Region | undefined;
  try {
    region = Region.open("", false, () => native.openNamed(name, namespace, false, false, 0));
    if (!isOwn(region)) return false;
    const isFree = region.lock(KERNEL_LOCK_CREATION, false) && region.lock(KERNEL_LOCK_HOLDERS, false);
    if (!isFree || !isSegment(region)) return false;
    if (olderThanMs > 0 && idleMs(region) < olderThanMs) return false;
    return dryRun ? region.info().linked : region.remove();
  } catch (error) {
    // It belongs to another user, or is gone already.
    if (error instanceof IsthmusError) return false;
    throw error;
  } finally {
    region?.close();
  }
}

/** @internal Removes a name from the object that has it now, never from an object that gets the name later. */
export function unlinkSegment(name: string, namespace: number): void {
  const location = namedLocation(name, namespace, false, "self", "unlinking");
  const forReading = namedLocation(name, namespace, true, "self", "unlinking");
  settleAll();
  const region = openAnyhow(location, forReading);
  if (!region) {
    attempt(
      `unlinking ${location.described}`,
      () => native.unlink(name, namespace),
      (error) => namedAdvice(name, error),
    );
    return;
  }
  try {
    // Another process was faster: the name leads nowhere, which gives NOT_FOUND, or to a newer object.
    if (!removeLocked(region, location)) openAnyhow(location, forReading)?.close();
  } finally {
    region.close();
  }
}

/**
 * A user that can remove a name may have no write access to the object. Returns undefined for a link, or if the object cannot
 * even be read.
 */
function openAnyhow(...places: Location[]): Region | undefined {
  for (const location of places) {
    try {
      return location.open(undefined);
    } catch (error) {
      if (!(error instanceof IsthmusError) || error.code !== "ACCESS_DENIED") throw error;
    }
  }
  return undefined;
}
