/** The kinds of named objects: the bytes of each, the version of its layout, and its initial content. */
import {
  OBJECT_BROADCAST,
  OBJECT_CACHE,
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_LATEST,
  OBJECT_LAYOUT,
  OBJECT_LOCK,
  OBJECT_QUEUE,
  OBJECT_RING,
  OBJECT_SEMAPHORE,
  OBJECT_SERVICE,
  OBJECT_VERSION_BROADCAST,
  OBJECT_VERSION_CACHE,
  OBJECT_VERSION_COUNTER,
  OBJECT_VERSION_EVENT,
  OBJECT_VERSION_LATEST,
  OBJECT_VERSION_LAYOUT,
  OBJECT_VERSION_LOCK,
  OBJECT_VERSION_QUEUE,
  OBJECT_VERSION_RING,
  OBJECT_VERSION_SEMAPHORE,
  OBJECT_VERSION_SERVICE,
} from "../protocol/layout";
import { LAYOUT_TEXT_BYTES_MAX } from "../protocol/limits";
import { broadcastBytes, broadcastInitialise } from "./broadcast";
import { cacheBytes, cacheInitialise } from "./cache-log";
import { latestBytes, latestInitialise } from "./latest";
import { lockBytes, lockInitialise } from "./lock";
import { queueBytes, queueInitialise } from "./queue";
import { ringBytes, ringInitialise } from "./ring";
import { serviceBytes, serviceInitialise } from "./service";
import { signalBytes, signalInitialise } from "./signal";

/** Bytes of an object of that type; 0 if there is no such type, or its first three parameters are not allowed. */
export function objectBytes(type: u32, first: u32, second: u32, third: u32): u64 {
  if (type == OBJECT_RING) return ringBytes(first);
  if (type == OBJECT_LATEST) return latestBytes(first);
  if (type == OBJECT_LOCK) return lockBytes();
  if (type == OBJECT_SEMAPHORE || type == OBJECT_EVENT || type == OBJECT_COUNTER) return signalBytes();
  if (type == OBJECT_BROADCAST) return broadcastBytes(first);
  if (type == OBJECT_CACHE) return cacheBytes(first);
  if (type == OBJECT_QUEUE) return queueBytes(first, second);
  if (type == OBJECT_SERVICE) return serviceBytes(first, second, third);
  if (type == OBJECT_LAYOUT) return first <= u32(LAYOUT_TEXT_BYTES_MAX) ? u64(first) : 0;
  return 0;
}

/** Version of the layout of that type in this core; 0 when there is no such type. */
export function objectVersion(type: u32): u32 {
  if (type == OBJECT_RING) return OBJECT_VERSION_RING;
  if (type == OBJECT_LATEST) return OBJECT_VERSION_LATEST;
  if (type == OBJECT_LOCK) return OBJECT_VERSION_LOCK;
  if (type == OBJECT_SEMAPHORE) return OBJECT_VERSION_SEMAPHORE;
  if (type == OBJECT_EVENT) return OBJECT_VERSION_EVENT;
  if (type == OBJECT_COUNTER) return OBJECT_VERSION_COUNTER;
  if (type == OBJECT_QUEUE) return OBJECT_VERSION_QUEUE;
  if (type == OBJECT_BROADCAST) return OBJECT_VERSION_BROADCAST;
  if (type == OBJECT_CACHE) return OBJECT_VERSION_CACHE;
  if (type == OBJECT_SERVICE) return OBJECT_VERSION_SERVICE;
  return type == OBJECT_LAYOUT ? OBJECT_VERSION_LAYOUT : 0;
}

export function objectInitialise(type: u32, object: usize, first: u32, second: u32, third: u32): void {
  if (type == OBJECT_RING) ringInitialise(object);
  else if (type == OBJECT_LATEST) latestInitialise(object, first);
  else if (type == OBJECT_LOCK) lockInitialise(object);
  else if (type == OBJECT_BROADCAST) broadcastInitialise(object);
  else if (type == OBJECT_CACHE) cacheInitialise(object, first);
  else if (type == OBJECT_QUEUE) queueInitialise(object, first, second);
  else if (type == OBJECT_SERVICE) serviceInitialise(object, first, second, third);
  else if (type == OBJECT_LAYOUT) memory.fill(object, 0, first);
  else signalInitialise(object, type == OBJECT_COUNTER ? 0 : first);
}
