/** Lists the named segments. */
import { CORRUPT } from "../../protocol/errors.js";
import { KERNEL_LOCK_HOLDERS, NEXT_MAP } from "../../protocol/layout.js";
import { attempt, codeName, IsthmusError, type IsthmusErrorCode } from "../errors.js";
import { native, Region } from "../host/region.js";
import { headerOf, type SegmentState } from "./header.js";
import { beginningOf, coreOver, firstBytes } from "./life/beginning.js";
import type { Selection } from "./options.js";

/** A named segment, as `Segment.list` sees it. */
export interface SegmentInfo {
  /** The name by which it is opened. */
  name: string;
  /** Bytes of the segment; 0 when it cannot be read. */
  bytes: number;
  /** State of the segment; undefined when it cannot be read or is not a segment. Then `error` says why. */
  state: SegmentState | undefined;
  /** 1 for a new name; if it replaced another segment, the generation of that one plus 1. undefined when `state` is. */
  generation: number | undefined;
  /** Whether a live process has it open. */
  inUse: boolean;
  /** Whether the last process that has it open removes its name. */
  temporary: boolean;
  /** Why there is no `state`: the error of opening or reading it. undefined when there is a `state`. */
  error: IsthmusErrorCode | undefined;
}

/** @internal The named segments. Takes no lock in any of them, writes to none and removes none. */
export function listSegments({ prefix, namespace }: Selection): SegmentInfo[] {
  const names = attempt("listing segments", () => native.list(namespace));
  const wanted = names.filter((name) => name.startsWith(prefix)).sort();
  return wanted.flatMap((name) => describe(name, namespace) ?? []);
}

function describe(name: string, namespace: number): SegmentInfo | undefined {
  const nothing = {
    ...{ name, bytes: 0, state: undefined, generation: undefined },
    ...{ inUse: false, temporary: false },
  };
  let region: Region | undefined;
  try {
    region = Region.open("", true, () => native.openNamed(name, namespace, false, true, 0));
    const { bytes } = region.info();
    const inUse = region.held(KERNEL_LOCK_HOLDERS);
    if (bytes === 0) return { ...nothing, bytes, inUse, error: "INITIALIZING" };
    const first = firstBytes(region);
    const status = coreOver(first).openingLook(bytes, first.length, 0);
    const view = beginningOf(region);
    if (status !== NEXT_MAP || !view) return { ...nothing, bytes, inUse, error: codeName(status || CORRUPT) };
    const header = headerOf(view);
    const { state, generation, temporary } = header;
    if (header.magic === 0) return { ...nothing, bytes, inUse, state, error: undefined };
    return { name, bytes, inUse, temporary, state, generation, error: undefined };
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    if (error.code === "NOT_FOUND") return undefined;
    return { ...nothing, error: error.code };
  } finally {
    region?.close();
  }
}
