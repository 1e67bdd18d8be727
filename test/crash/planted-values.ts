/** Where to plant bugs in values: as `planted-sites.ts`. */
import {
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_VALUE_OFFSET,
  VALUE_COUNT_OFFSET,
  VALUE_LIST,
  VALUE_SEQUENCE_OFFSET,
  VALUES_UNUSED_OFFSET,
} from "../../protocol/layout.js";
import type { CrashLane } from "../lib/crash.js";
import { cancel, claim } from "../lib/hosts/queue.js";
import { finish, share, takeValue } from "../lib/hosts/queue-values.js";
import { acquire, push, release, remove, set } from "../lib/hosts/values.js";
import { prepareReferences } from "./cases/queue-values.js";
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

/** The store of a count that has grown by a message. */
export function countOfMessage(lane: CrashLane): number {
  const { queue, first } = prepareReferences(lane);
  return lane.siteWriting(first.at + VALUE_COUNT_OFFSET, 0, share(queue, first));
}

/** The store by which a message that is done refers to nothing. */
export function messageEnds(lane: CrashLane): number {
  const { queue, first } = prepareReferences(lane);
  lane.play(0, share(queue, first));
  const taken = lane.play(0, takeValue(lane.view, queue, true));
  if (!taken) throw new Error("there is no message");
  lane.play(0, release(taken.handle));
  return lane.siteWriting(taken.job.at + MESSAGE_VALUE_OFFSET, 0, finish(queue, taken.job));
}

/** The store by which a slot that is claimed is no reference any more. */
export function claimedLength(lane: CrashLane): number {
  const { queue } = prepareReferences(lane);
  const at = lane.play(0, claim(queue)) as number;
  lane.play(0, cancel(queue, at));
  return lane.siteWriting(at + MESSAGE_LENGTH_OFFSET, 0, claim(queue));
}
