import { LOCK_CREATION, LOCK_HOLDERS, MAGIC } from "../protocol/layout.js";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../protocol/limits.js";
import { attempt, IsthmusError, type IsthmusErrorCode } from "./errors.js";
import { native, Region } from "./host/region.js";
import { headerOf, type SegmentState } from "./inspect.js";

/** A named segment, as `Segment.list` sees it. */
export interface SegmentInfo {
  /** What it is opened by. */
  name: string;
  /** Bytes of the segment; 0 when it cannot be read. */
  bytes: number;
  /** Undefined when it cannot be read or is no segment; then `error` says why. */
  state: SegmentState | undefined;
  /** 1, and one more for each segment that replaced one of that name; undefined as `state` is. */
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
    const inUse = native.held(region.object, LOCK_HOLDERS);
    if (bytes === 0 || bytes % PAGE_BYTES !== 0 || bytes > PAGE_BYTES * SEGMENT_PAGES_MAX) {
      return { ...nothing, bytes, inUse, error: bytes === 0 ? "INITIALIZING" : "CORRUPT" };
    }
    const header = headerOf(new DataView(region.map(bytes).buffer));
    if (header.magic === 0 && header.state === "INITIALIZING") {
      return { ...nothing, bytes, inUse, state: header.state, error: undefined };
    }
    if (header.magic !== MAGIC) return { ...nothing, bytes, inUse, error: "BAD_MAGIC" };
    return { name, bytes, inUse, state: header.state, generation: header.generation, error: undefined };
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    if (error.code === "NOT_FOUND") return undefined;
    return { ...nothing, error: error.code };
  } finally {
    region?.close();
  }
}

/** @internal Removes every segment that nobody alive has open; returns their names. Safe against openers and other pruners. */
export function pruneSegments(namespace: number): string[] {
  return attempt("listing segments", () => native.list(namespace)).filter((name) =>
    pruneOne(name, namespace),
  );
}

function pruneOne(name: string, namespace: number): boolean {
  let region: Region | undefined;
  try {
    region = new Region(
      attempt("", () => native.openNamed(name, namespace, false, false, 0)),
      false,
    );
    // Openers hold LOCK_CREATION until they hold LOCK_HOLDERS: with the first in our hands nobody can come in between.
    if (!native.lock(region.object, LOCK_CREATION, false)) return false;
    if (!region.info().linked || native.held(region.object, LOCK_HOLDERS)) return false;
    attempt("", () => native.unlink(name, namespace));
    return true;
  } catch (error) {
    // Another user's, or gone already: not ours to remove.
    if (error instanceof IsthmusError) return false;
    throw error;
  } finally {
    region?.close();
  }
}
