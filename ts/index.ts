/// <reference lib="esnext.disposable" preserve="true" />
/** Shared memory between processes. See README.md. */

export type { AbortSource, WaitOptions, WaitSyncOptions } from "./arguments.js";
export type { Block, StructView } from "./block.js";
export type { Claim } from "./claim.js";
export type { Consumer, DrainOptions } from "./consumer.js";
export type { ObjectInfo, ObjectTypeName } from "./directory.js";
export { IsthmusError, type IsthmusErrorCode } from "./errors.js";
export type { AllocateOptions, Heap, HeapCheck, HeapStats } from "./heap.js";
export type { Participant, SegmentHeader, SegmentState } from "./inspect.js";
export type { Latest } from "./latest.js";
export type { LockHolder, LockInfo } from "./live.js";
export type { Held, Lock, LockMode } from "./lock.js";
export type { CreateOptions, FileOptions } from "./making.js";
export type { Namespace } from "./names.js";
export type { Access, OpenOptions } from "./places.js";
export type { Producer } from "./producer.js";
export type { SegmentInfo } from "./removal.js";
export type { Ring, RingOptions, RingStats } from "./ring.js";
export type { RingRecord } from "./ring-record.js";
export { Segment } from "./segment.js";
export type { Counter, EventOptions, Semaphore, SemaphoreOptions, SharedEvent } from "./signals.js";
export {
  type FieldInput,
  type Fields,
  type FieldType,
  type FieldValue,
  Struct,
  type StructInput,
  type StructValue,
  struct,
} from "./struct.js";

/** 1,024 bytes. */
export const KiB = 1024;
/** 1,048,576 bytes. */
export const MiB = 1024 * KiB;
/** 1,073,741,824 bytes. */
export const GiB = 1024 * MiB;
