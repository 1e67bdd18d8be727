import { LOCK_CREATION, LOCK_HOLDERS } from "../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../protocol/limits.js";
import { attempt, IsthmusError, type IsthmusErrorCode } from "./errors.js";
import { native, Region } from "./host/region.js";
import { headerOf, type SegmentState } from "./inspect.js";
import { beginningOf, mayBeSegment, type Place } from "./opening.js";
import { removeLocked } from "./patience.js";
import { named } from "./places.js";

/** A named segment, as `Segment.list` sees it. */
export interface SegmentInfo {
  /** What it is opened by. */
  name: string;
  /** Bytes of the segment; 0 when it cannot be read. */
  bytes: number;
  /** Undefined when it cannot be read or is no segment; then `error` says why. */
  state: SegmentState | undefined;
  /** 1 for a new name, one more than that of the segment which it replaced; undefined as `state` is. */
  generation: number | undefined;
  /** Somebody alive has it open. */
  inUse: boolean;
  /** Why there is no `state`: what opening or looking at it gave; undefined when there is one. */
  error: IsthmusErrorCode | undefined;
}

/** @internal All named segments, without taking a lock and without writing. */
export function listSegments(namespace: number): SegmentInfo[] {
  const names = attempt("listing segments", () => native.list(namespace));
  return names.sort().flatMap((name) => describe(name, namespace) ?? []);
}

function describe(name: string, namespace: number): SegmentInfo | undefined {
  const nothing = { name, bytes: 0, state: undefined, generation: undefined, inUse: false };
  let region: Region | undefined;
  try {
    region = new Region(
      attempt("", () => native.openNamed(name, namespace, false, true, 0)),
      true,
    );
    const { bytes } = region.info();
    const inUse = region.held(LOCK_HOLDERS);
    if (bytes === 0) return { ...nothing, bytes, inUse, error: "INITIALIZING" };
    // Read, not mapped: its owner, who may be anybody, could truncate it, and end whoever touches what is gone.
    if (!mayBeSegment(region)) return { ...nothing, bytes, inUse, error: "BAD_MAGIC" };
    const view = beginningOf(region);
    if (!view || bytes % PAGE_BYTES !== 0 || bytes > PAGE_BYTES * SEGMENT_PAGES_MAX) {
      return { ...nothing, bytes, inUse, error: "CORRUPT" };
    }
    const header = headerOf(view);
    if (header.magic === 0) return { ...nothing, bytes, inUse, state: header.state, error: undefined };
    return { name, bytes, inUse, state: header.state, generation: header.generation, error: undefined };
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    if (error.code === "NOT_FOUND") return undefined;
    return { ...nothing, error: error.code };
  } finally {
    region?.close();
  }
}

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
  const place = named(name, namespace, false);
  const region = openAnyhow(place, named(name, namespace, true));
  if (!region) {
    attempt(`unlinking ${place.described}`, () => native.unlink(name, namespace));
    return;
  }
  try {
    // Somebody else was faster: then the name leads nowhere, or to something that came after what we have looked at.
    if (!removeLocked(region, place)) openAnyhow(place, named(name, namespace, true))?.close();
  } finally {
    region.close();
  }
}

/** Whoever may remove a name need not be allowed to write to what has it. Undefined: a link, or it cannot even be read. */
function openAnyhow(...places: Place[]): Region | undefined {
  for (const place of places) {
    try {
      return place.open(undefined);
    } catch (error) {
      if (!(error instanceof IsthmusError) || error.code !== "ACCESS_DENIED") throw error;
    }
  }
  return undefined;
}
