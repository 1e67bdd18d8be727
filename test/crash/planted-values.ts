/** Where to plant bugs in values: as `planted-sites.ts`. */
import {
  VALUE_COUNT_OFFSET,
  VALUE_LIST,
  VALUE_SEQUENCE_OFFSET,
  VALUES_UNUSED_OFFSET,
} from "../../protocol/layout.js";
import type { CrashLane } from "../lib/crash.js";
import { acquire, push, remove, set } from "../lib/hosts/values.js";
import { prepareValues } from "./cases/values.js";

/** The store by which the sequence of a dictionary is even again. */
export function sequenceEven(lane: CrashLane): number {
  const { root } = prepareValues(lane);
  return lane.siteWriting(root.at + VALUE_SEQUENCE_OFFSET, 0, set(root, "one", 2));
}

/** The store of a count that has grown by a handle. */
export function countOfHandle(lane: CrashLane): number {
  const { text } = prepareValues(lane);
  return lane.siteWriting(text.at + VALUE_COUNT_OFFSET, 0, acquire(text));
}

/** The store of a count that has grown by an item. */
export function countOfItem(lane: CrashLane): number {
  const { list, inner } = prepareValues(lane);
  const item = { ...inner, kind: VALUE_LIST + 1 };
  return lane.siteWriting(inner.at + VALUE_COUNT_OFFSET, 0, push(list, item));
}

/** The store that puts a value first among those that are to be freed. */
export function unusedFirst(lane: CrashLane): number {
  const { root } = prepareValues(lane);
  return lane.sitesWriting(VALUES_UNUSED_OFFSET, 0, remove(root, "list"))[0] as number;
}
