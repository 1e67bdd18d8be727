import { LOCK_CREATION, LOCK_HOLDERS } from "../../protocol/layout.js";
import { attempt, IsthmusError } from "../errors.js";
import { native, Region } from "../host/region.js";
import { removeLocked } from "./kernel-locks.js";
import { namedAdvice, namedLocation } from "./location.js";
import { beginningOf, type Location, mayBeSegment } from "./open.js";

/**
 * @internal Removes every segment of this user that nobody alive has open, and nothing that is no segment; returns their
 * names. Who creates or joins one is not in danger: the lock of creation keeps writers out from the look to the end, the lock
 * of holders readers.
 */
export function pruneSegments(namespace: number): string[] {
  return attempt("listing segments", () => native.list(namespace)).filter((name) =>
    pruneOne(name, namespace),
  );
}

/** What somebody else gave such a name is not ours to remove. An empty one is what a creator leaves who dies early. */
function isSegment(region: Region): boolean {
  if (region.info().bytes === 0) return true;
  return beginningOf(region) !== undefined && mayBeSegment(region);
}

function pruneOne(name: string, namespace: number): boolean {
  let region: Region | undefined;
  try {
    region = new Region(
      attempt("", () => native.openNamed(name, namespace, false, false, 0)),
      false,
    );
    if (!region.info().trusted) return false;
    const isFree = region.lock(LOCK_CREATION, false) && region.lock(LOCK_HOLDERS, false);
    return isFree && isSegment(region) && region.remove();
  } catch (error) {
    // Another user's, or gone already: not ours to remove.
    if (error instanceof IsthmusError) return false;
    throw error;
  } finally {
    region?.close();
  }
}

/** @internal Removes a name, whatever has it when we look; nothing that gets the name later. */
export function unlinkSegment(name: string, namespace: number): void {
  const location = namedLocation(name, namespace, false);
  const region = openAnyhow(location, namedLocation(name, namespace, true));
  if (!region) {
    attempt(
      `unlinking ${location.described}`,
      () => native.unlink(name, namespace),
      (error) => namedAdvice(name, error),
    );
    return;
  }
  try {
    // Somebody else was faster: then the name leads nowhere, or to something that came after what we have looked at.
    if (!removeLocked(region, location)) openAnyhow(location, namedLocation(name, namespace, true))?.close();
  } finally {
    region.close();
  }
}

/** Whoever may remove a name need not be allowed to write to what has it. Undefined: a link, or it cannot even be read. */
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
