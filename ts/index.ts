/// <reference lib="esnext.disposable" preserve="true" />
/** Shared memory between processes. See README.md. */

export type { AbortSource, RuntimeSignal, WaitOptions, WaitSyncOptions } from "./arguments.js";
export type { Broadcast, BroadcastOptions } from "./broadcast/broadcast.js";
export type { Publisher } from "./broadcast/publisher.js";
export type { BroadcastRecord } from "./broadcast/record.js";
export type { BroadcastStats } from "./broadcast/stats.js";
export type { Subscriber, SubscriberOptions } from "./broadcast/subscriber.js";
export type { PrivateBytes } from "./bytes.js";
export type { Cache, CachedOf, CacheInputOf, CacheSetOptions, GetOrSetOptions } from "./cache/cache.js";
export type { CacheKey } from "./cache/keys.js";
export type { CacheEviction, CacheOptions, CacheValues } from "./cache/parameters.js";
export type { CacheStats } from "./cache/stats.js";
export { IsthmusError, type IsthmusErrorCode } from "./errors.js";
export type { LatestClaim } from "./latest/claim.js";
export type { Latest } from "./latest/latest.js";
export type { Block, ViewConstructor } from "./memory/block.js";
export type { AllocateOptions, Heap, HeapCheck, HeapStats } from "./memory/heap.js";
export type { StructView } from "./memory/view.js";
export type { Job } from "./queue/job.js";
export type { OnConsumerDeath, QueueOptions } from "./queue/parameters.js";
export type { Queue } from "./queue/queue.js";
export type { QueueHolder, QueueStats } from "./queue/stats.js";
export type { Claim } from "./ring/claim.js";
export type {
  Consumer,
  ConsumerOptions,
  DrainOptions,
  DrainSyncOptions,
  TryDrainOptions,
} from "./ring/consumer.js";
export type { EndHolder } from "./ring/holders.js";
export type { FieldsOf, ReceivedOf, SentOf, ViewOf } from "./ring/payload.js";
export type { Producer, SendManyOptions, SendManySyncOptions, SendProgress } from "./ring/producer.js";
export type { RingRecord } from "./ring/record.js";
export type { Ring, RingOptions, RingStats } from "./ring/ring.js";
export type { ReadableOptions, WritableOptions } from "./ring/streams.js";
export type { ObjectInfo, ObjectTypeName } from "./segment/directory.js";
export type { Participant, SegmentHeader, SegmentState } from "./segment/header.js";
export type { SegmentInfo } from "./segment/list.js";
export type {
  Access,
  CreateOptions,
  FileOptions,
  FileUrl,
  ListOptions,
  Namespace,
  OpenOptions,
  PruneOptions,
} from "./segment/options.js";
export { Segment } from "./segment/segment.js";
export type { OnServerDeath, ServiceOptions } from "./service/parameters.js";
export type { ServeOptions, ServiceHandler, ServiceRequest, ServiceServer } from "./service/server.js";
export type { Service } from "./service/service.js";
export type { ServiceStats, ServiceWorker } from "./service/stats.js";
export type { ArrayOf } from "./struct/arrays.js";
export {
  type FieldInput,
  type Fields,
  type FieldType,
  type FieldValue,
  type Infer,
  Struct,
  type StructInput,
  type StructValue,
  struct,
} from "./struct/struct.js";
export type { Counter } from "./sync/counter.js";
export type { EventOptions, SharedEvent } from "./sync/event.js";
export type { Held, Lock, LockMode } from "./sync/lock.js";
export type { LockHolder, LockInfo } from "./sync/lock-info.js";
export type { Semaphore, SemaphoreOptions } from "./sync/semaphore.js";
export type { Plain } from "./values/access.js";
export { type Content, Dict, List, SharedScalar } from "./values/containers.js";
export type { PlainValue } from "./values/reading.js";
export type { SharedOf } from "./values/segment-values.js";
export { isShared, SharedValue } from "./values/shared.js";
export type { Shareable } from "./values/sharing.js";

/** 1,024 bytes. */
export const KiB = 1024;
/** 1,048,576 bytes. */
export const MiB = 1024 * KiB;
/** 1,073,741,824 bytes. */
export const GiB = 1024 * MiB;
