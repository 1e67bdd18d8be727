/** Waiting until an object of a name exists. Its creator wakes those that wait. */
import { DIRECTORY_WAITERS_OFFSET } from "../../protocol/layout.js";
import { type Condition, NOT_YET } from "../wait/wait.js";
import type { Lease } from "./attachment.js";
import { findObject, type ObjectInfo } from "./directory.js";

/** @param lease keeps the segment open while a call waits */
export function objectAwaited(lease: Lease, name: string): Condition<ObjectInfo> {
  return {
    what: `waiting for object ${JSON.stringify(name)}`,
    waiters: DIRECTORY_WAITERS_OFFSET,
    version: () => lease.attachment.core.directoryCount(), // objects are added, and none is ever removed
    attempt: () => findObject(lease.attachment, name) ?? NOT_YET,
    recheck: () => {},
  };
}
