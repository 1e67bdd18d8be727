/** The kinds of named objects: how many bytes each takes, and how it begins. */
import {
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_LATEST,
  OBJECT_LAYOUT,
  OBJECT_LOCK,
  OBJECT_RING,
  OBJECT_SEMAPHORE,
} from "../protocol/layout";
import { LAYOUT_TEXT_BYTES_MAX } from "../protocol/limits";
import { latestBytes, latestInitialise } from "./latest";
import { lockBytes, lockInitialise } from "./lock";
import { ringBytes, ringInitialise } from "./ring";
import { signalBytes, signalInitialise } from "./signal";

/** Bytes of an object of that type; 0 when there is no such type, or its first parameter is not allowed. */
export function objectBytes(type: u32, first: u32): u64 {
  if (type == OBJECT_RING) return ringBytes(first);
  if (type == OBJECT_LATEST) return latestBytes(first);
  if (type == OBJECT_LOCK) return lockBytes();
  if (type == OBJECT_SEMAPHORE || type == OBJECT_EVENT || type == OBJECT_COUNTER) return signalBytes();
  if (type == OBJECT_LAYOUT) return first <= u32(LAYOUT_TEXT_BYTES_MAX) ? u64(first) : 0;
  return 0;
}

export function objectInitialise(type: u32, object: usize, first: u32): void {
  if (type == OBJECT_RING) ringInitialise(object);
  else if (type == OBJECT_LATEST) latestInitialise(object, first);
  else if (type == OBJECT_LOCK) lockInitialise(object);
  else if (type == OBJECT_LAYOUT) memory.fill(object, 0, first);
  else signalInitialise(object, type == OBJECT_COUNTER ? 0 : first);
}
