import {
  ANSWER_ENTRY_OFFSET,
  CACHE_EVICT_NONE,
  DIRECTORY_WAITERS_OFFSET,
  ENTRY_BYTES,
  ENTRY_NAME_BYTES_OFFSET,
  ENTRY_NAME_OFFSET,
  ENTRY_OBJECT_BYTES_OFFSET,
  ENTRY_OBJECT_OFFSET,
  ENTRY_PARAMETERS_OFFSET,
  ENTRY_TYPE_OFFSET,
  ENTRY_VERSION_OFFSET,
  FLAG_WAKE,
  HEADER_DIRECTORY_ENTRIES_OFFSET,
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
  OBJECT_VERSION_LOCK,
  OBJECT_VERSION_QUEUE,
  OBJECT_VERSION_RING,
  OBJECT_VERSION_SEMAPHORE,
  OBJECT_VERSION_SERVICE,
  QUEUE_DROP,
  SERVICE_RETRY,
} from "../../protocol/layout.js";
import { OBJECT_NAME_BYTES_MAX } from "../../protocol/limits.js";
import { text } from "../arguments.js";
import { type BroadcastStats, broadcastStats } from "../broadcast/stats.js";
import { type CacheStats, cacheStats } from "../cache/stats.js";
import { flagsOf, isError, type ObjectParameters, offsetOf } from "../core.js";
import { codeName, failure, IsthmusError } from "../errors.js";
import { TextDecoder, TextEncoder } from "../host/text.js";
import { withWriteLock } from "../memory/write-lock.js";
import { type QueueStats, queueStats } from "../queue/stats.js";
import { type EndHolder, endHolders } from "../ring/holders.js";
import { type ServiceStats, serviceStats } from "../service/stats.js";
import { type LockInfo, lockInfo, signalNow } from "../sync/lock-info.js";
import type { Attachment } from "./attachment.js";
import { type Described, differenceText, keepDescription } from "./layouts.js";

/** A named object of a segment, as the directory describes it. */
export interface ObjectInfo {
  /** The name that it was created with. */
  name: string;
  /** Type of the object; "unknown" when this release does not know the type or the entry is damaged. */
  type: ObjectTypeName | "unknown";
  /** Bytes that the object takes in the segment. */
  bytes: number;
  /**
   * The parameters of its creation; none when another release has created it with another version of the layout: `bytes`, and
   * `layout` (a hash) if it has one, for a ring; `capacity`, `slotBytes`, `layout` if it has one, and `onConsumerDeath` (0:
   * redeliver, 1: drop) for a queue; as a ring for a broadcast; `capacity`, `requestBytes`,
   * `responseBytes` and `onServerDeath` (0: fail, 1: retry) for a service; `bytes` and `layout` for a latest value;
   * `initial` for a
   * semaphore; `signaled` (0 or 1) for an event; `bytes`,
   * `policy` (1: nothing is evicted; plus 2: JSON, 4: a layout), `layout` if it has one, and `ttlMs` (0: entries do not expire by
   * default) for a cache.
   */
  parameters: Record<string, number>;
  /** For a latest value: how many values were written so far. */
  version?: number;
  /** For a semaphore, an event (1: signaled) or a counter: its current value. */
  value?: number;
  /** For a lock: the participants that hold it now. */
  lock?: LockInfo;
  /** For a ring: the participant that holds the producer's end; absent when there is none. */
  producer?: EndHolder;
  /** For a ring: the participant that holds the consumer's end; absent when there is none. */
  consumer?: EndHolder;
  /** For a cache: its counters; absent when its entry is damaged. */
  cache?: CacheStats;
  /** For a queue: its counters, and who has taken messages; absent when its entry is damaged. */
  queue?: QueueStats;
  /** For a broadcast: its counters, and who publishes; absent when its entry is damaged. */
  broadcast?: BroadcastStats;
  /** For a service: its counters, and who works on calls; absent when its entry is damaged. */
  service?: ServiceStats;
}

/** @internal */
export interface OpenedObject {
  /** Offset of the object in the segment. */
  offset: number;
  bytes: number;
}

/** Types of named objects. */
export type ObjectTypeName =
  | "ring"
  | "queue"
  | "broadcast"
  | "cache"
  | "service"
  | "latest"
  | "lock"
  | "semaphore"
  | "event"
  | "counter";

interface ObjectType {
  name: ObjectTypeName;
  /** Version of the layout that this release knows. */
  version: number;
  /** Names of the parameters, in their order in the entry. */
  parameters: readonly string[];
}

const types = new Map<number, ObjectType>([
  [OBJECT_RING, { name: "ring", version: OBJECT_VERSION_RING, parameters: ["bytes", "layout"] }],
  [
    OBJECT_QUEUE,
    {
      name: "queue",
      version: OBJECT_VERSION_QUEUE,
      parameters: ["capacity", "slotBytes", "layout", "onConsumerDeath"],
    },
  ],
  [
    OBJECT_BROADCAST,
    { name: "broadcast", version: OBJECT_VERSION_BROADCAST, parameters: ["bytes", "layout"] },
  ],
  [
    OBJECT_CACHE,
    { name: "cache", version: OBJECT_VERSION_CACHE, parameters: ["bytes", "policy", "layout", "ttlMs"] },
  ],
  [
    OBJECT_SERVICE,
    {
      name: "service",
      version: OBJECT_VERSION_SERVICE,
      parameters: ["capacity", "requestBytes", "responseBytes", "onServerDeath"],
    },
  ],
  [OBJECT_LATEST, { name: "latest", version: OBJECT_VERSION_LATEST, parameters: ["bytes", "layout"] }],
  [OBJECT_LOCK, { name: "lock", version: OBJECT_VERSION_LOCK, parameters: [] }],
  [OBJECT_SEMAPHORE, { name: "semaphore", version: OBJECT_VERSION_SEMAPHORE, parameters: ["initial"] }],
  [OBJECT_EVENT, { name: "event", version: OBJECT_VERSION_EVENT, parameters: ["signaled"] }],
  [OBJECT_COUNTER, { name: "counter", version: OBJECT_VERSION_COUNTER, parameters: [] }],
]);

const encoder = new TextEncoder();
/** A byte order mark at the start is part of the name, so it is kept. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of an object's name; throws when no object can have it. */
export function nameBytes(name: string): Uint8Array {
  text("name", name);
  const bytes = encoder.encode(name);
  if (bytes.length === 0 || bytes.length > OBJECT_NAME_BYTES_MAX) {
    throw new IsthmusError(
      "INVALID_NAME",
      `an object's name has 1 to ${OBJECT_NAME_BYTES_MAX} bytes in UTF-8, this one has ${bytes.length}`,
    );
  }
  if (/\p{Surrogate}/u.test(name))
    throw new IsthmusError("INVALID_NAME", "an object's name must not contain half a surrogate pair");
  if (name.includes("\0")) throw new IsthmusError("INVALID_NAME", "an object's name must not contain NUL");
  return bytes;
}

function entries(attachment: Attachment): number[] {
  const begin = attachment.core.directoryOffset() >>> 0;
  return Array.from({ length: attachment.core.directoryCount() }, (_, index) => begin + index * ENTRY_BYTES);
}

function entryName(attachment: Attachment, entry: number): string {
  const length = Math.min(OBJECT_NAME_BYTES_MAX, attachment.u32[(entry + ENTRY_NAME_BYTES_OFFSET) >>> 2]);
  return decoder.decode(attachment.u8.slice(entry + ENTRY_NAME_OFFSET, entry + ENTRY_NAME_OFFSET + length));
}

function versionOf(attachment: Attachment, entry: number): number {
  return attachment.u32[(entry + ENTRY_VERSION_OFFSET) >>> 2];
}

/** For an object whose layout has another version, only name, type and bytes are known. */
function describe(attachment: Attachment, entry: number): ObjectInfo {
  const known = types.get(attachment.u32[(entry + ENTRY_TYPE_OFFSET) >>> 2]);
  const type = known?.version === versionOf(attachment, entry) ? known : undefined;
  const parameters: Record<string, number> = {};
  type?.parameters.forEach((name, index) => {
    const value = attachment.u32[(entry + ENTRY_PARAMETERS_OFFSET + 4 * index) >>> 2];
    if (type.name === "latest" || name !== "layout" || value !== 0) parameters[name] = value;
  });
  return {
    name: entryName(attachment, entry),
    type: known?.name ?? "unknown",
    bytes: Number(attachment.view.getBigUint64(entry + ENTRY_OBJECT_BYTES_OFFSET, true)),
    parameters,
    ...live(attachment, type?.name, entry),
  };
}

/** The current state of the object; empty when the entry is damaged and points outside the segment. */
function live(
  attachment: Attachment,
  type: ObjectTypeName | undefined,
  entry: number,
): Pick<
  ObjectInfo,
  "version" | "value" | "lock" | "producer" | "consumer" | "queue" | "broadcast" | "cache" | "service"
> {
  const offset = attachment.u32[(entry + ENTRY_OBJECT_OFFSET) >>> 2];
  if (type === undefined) return {};
  if (type === "ring") {
    const { producer, consumer } = endHolders(attachment, offset);
    return { ...(producer && { producer }), ...(consumer && { consumer }) };
  }
  if (type === "queue") return queueNow(attachment, entry);
  if (type === "broadcast") return broadcastNow(attachment, entry);
  if (type === "cache") return cacheNow(attachment, entry);
  if (type === "service") return serviceNow(attachment, entry);
  if (type === "latest") return { version: valuesOf(attachment, entry) };
  if (type === "lock") {
    const lock = lockInfo(attachment, offset);
    return lock ? { lock } : {};
  }
  const value = signalNow(attachment, type, offset);
  return value === undefined ? {} : { value };
}

/** How many values a latest value had; 0 when the entry is damaged and points outside the segment. */
function valuesOf(attachment: Attachment, entry: number): number {
  const offset = attachment.u32[(entry + ENTRY_OBJECT_OFFSET) >>> 2];
  if (offset % 8 !== 0 || offset > attachment.bytes - 8) return 0;
  return attachment.core.latestVersion(offset);
}

/** Where the object lies that an entry describes, and its first two parameters; undefined when the entry is damaged. */
function placeOf(
  { core, u32 }: Attachment,
  type: number,
  entry: number,
): [offset: number, first: number, second: number, third: number] | undefined {
  const words = [0, 1, 2, 3].map((index) => u32[(entry + ENTRY_PARAMETERS_OFFSET + 4 * index) >>> 2]);
  const [first, second, third] = words as [number, number, number];
  const offset = core.objectCheck(entry, type, ...(words as unknown as ObjectParameters)) >>> 0;
  return isError(offset) ? undefined : [offset, first, second, third];
}

/** The state of a queue; empty when the entry is damaged. */
function queueNow(attachment: Attachment, entry: number): Pick<ObjectInfo, "queue"> {
  const place = placeOf(attachment, OBJECT_QUEUE, entry);
  if (!place) return {};
  const [queue, capacity, slotBytes] = place;
  return { queue: queueStats(attachment, { queue, capacity, slotBytes }) };
}

/** The same of a broadcast. */
function broadcastNow(attachment: Attachment, entry: number): Pick<ObjectInfo, "broadcast"> {
  const place = placeOf(attachment, OBJECT_BROADCAST, entry);
  return place ? { broadcast: broadcastStats(attachment, place[0], place[1]) } : {};
}

/** The counters of a cache; empty when the entry is damaged. */
function cacheNow(attachment: Attachment, entry: number): Pick<ObjectInfo, "cache"> {
  const { core, u32 } = attachment;
  const words = [0, 1, 2, 3].map((index) => u32[(entry + ENTRY_PARAMETERS_OFFSET + 4 * index) >>> 2]);
  const cache = core.objectCheck(entry, OBJECT_CACHE, ...(words as unknown as ObjectParameters)) >>> 0;
  if (isError(cache)) return {};
  return { cache: cacheStats(attachment, { cache, bytes: words[0] as number }) };
}

/** The same of a service. */
function serviceNow(attachment: Attachment, entry: number): Pick<ObjectInfo, "service"> {
  const place = placeOf(attachment, OBJECT_SERVICE, entry);
  if (!place) return {};
  const [service, capacity, requestBytes, responseBytes] = place;
  return { service: serviceStats(attachment, { service, capacity, requestBytes, responseBytes }) };
}

/** @internal All objects of a segment, in the order of their creation. Takes no lock. */
export function listObjects(attachment: Attachment): ObjectInfo[] {
  return entries(attachment)
    .filter((entry) => attachment.u32[(entry + ENTRY_TYPE_OFFSET) >>> 2] !== OBJECT_LAYOUT)
    .map((entry) => describe(attachment, entry));
}

/** @internal */
export function findObject(attachment: Attachment, name: string): ObjectInfo | undefined {
  nameBytes(name);
  const entry = entryOf(attachment, name);
  return entry === undefined ? undefined : describe(attachment, entry);
}

function entryOf(attachment: Attachment, name: string): number | undefined {
  return entries(attachment).find((entry) => entryName(attachment, entry) === name);
}

/**
 * @internal Finds or creates the object. Its type and every parameter must be equal to those given.
 *
 * @param layout layout of the object's values, if it has one
 */
export function openObject(
  attachment: Attachment,
  name: string,
  type: number,
  parameters: Record<string, number>,
  layout?: Described,
): OpenedObject {
  attachment.check(false);
  const bytes = nameBytes(name);
  const [first = 0, second = 0, third = 0, fourth = 0] = Object.values(parameters);
  const words = [first, second, third, fourth] as const;
  const wanted = { name, type, parameters, layout, bytes, words };
  const opened = attachment.readOnly ? openKnown(attachment, wanted) : openOrMake(attachment, wanted);
  if (layout) keepDescription(attachment, layout);
  return opened;
}

interface Wanted {
  name: string;
  type: number;
  parameters: Record<string, number>;
  layout: Described | undefined;
  /** Of the name. */
  bytes: Uint8Array;
  words: ObjectParameters;
}

/** For read-only openers, which have no bytes in which they could pass the name to the core. */
function openKnown(attachment: Attachment, wanted: Wanted): OpenedObject {
  const { name, type, words } = wanted;
  const entry = entryOf(attachment, name);
  if (entry === undefined) {
    throw new IsthmusError(
      "NOT_FOUND",
      `segment "${attachment.name}" has no object "${name}"; a writer must make it first`,
    );
  }
  const result = attachment.core.objectCheck(entry, type, ...words);
  if (isError(result)) throw openFailed(attachment, wanted, result, entry);
  return opened(attachment, result, entry);
}

function openOrMake(attachment: Attachment, wanted: Wanted): OpenedObject {
  const { name, type, bytes, words } = wanted;
  if (attachment.transaction) {
    throw new IsthmusError("BUSY", `open or make object "${name}" before the transaction, not inside`);
  }
  const result = withWriteLock(attachment, "the directory", () => {
    attachment.scratchUses++;
    attachment.u8.set(bytes, attachment.scratch);
    return attachment.core.objectOpen(type, bytes.length, ...words);
  });
  // The answer lies in shared memory: a hostile peer may have changed it since.
  const entry = Math.min(attachment.answered(ANSWER_ENTRY_OFFSET), attachment.bytes - ENTRY_BYTES);
  if (isError(result)) throw openFailed(attachment, wanted, result, entry);
  if (flagsOf(result) & FLAG_WAKE) attachment.notify(DIRECTORY_WAITERS_OFFSET);
  return opened(attachment, result, entry);
}

/** The core has checked that the object is inside the segment, but a hostile peer may have changed the entry since. */
function opened(attachment: Attachment, result: number, entry: number): OpenedObject {
  const offset = offsetOf(result);
  const bytes = Number(attachment.view.getBigUint64(entry + ENTRY_OBJECT_BYTES_OFFSET, true));
  return { offset, bytes: Math.min(bytes, attachment.bytes - offset) };
}

function openFailed(attachment: Attachment, wanted: Wanted, status: number, entry: number): IsthmusError {
  const code = codeName(status);
  if (code === "OBJECT_MISMATCH") return new IsthmusError(code, differenceFrom(attachment, wanted, entry));
  if (code === "SEGMENT_FULL") return failure(status, noRoomText(attachment, wanted.name));
  if (code === "EVICTED")
    return failure(status, "this participant was removed; close the segment and open it again");
  const text = `object "${wanted.name}", its entry, or the directory of segment "${attachment.name}" is damaged`;
  return failure(status, `${text}; replace the segment`);
}

/** Says whether the directory or the heap is full, with the numbers. */
function noRoomText(attachment: Attachment, name: string): string {
  const { core, view, bytes } = attachment;
  const segment = `segment "${attachment.name}"`;
  const most = view.getUint32(HEADER_DIRECTORY_ENTRIES_OFFSET, true);
  if (core.directoryCount() >= most) {
    return (
      `${segment} has no room for object "${name}": it has ${most} named objects, the most that a segment of ${bytes} bytes ` +
      "can have. Create a larger segment, or use fewer names: blocks of the heap need none"
    );
  }
  return (
    `${segment} (${bytes} bytes) has no room in its heap for object "${name}", though ${most - core.directoryCount()} more ` +
    "names are possible. Create a larger segment, or free blocks"
  );
}

function withArticle(type: string | undefined): string {
  if (type === undefined || type === "unknown") return "an object of an unknown type";
  return `${type === "event" ? "an" : "a"} ${type}`;
}

/** A parameter in the form in which the user gives it. */
function shown(key: string, value: number): string {
  if (key === "onConsumerDeath") return `${key} "${value === QUEUE_DROP ? "drop" : "redeliver"}"`;
  if (key === "policy") {
    const values = ["bytes", "json", "a struct"][value >> 1] ?? "others";
    return `evict "${value & CACHE_EVICT_NONE ? "none" : "lru"}" and values ${values}`;
  }
  if (key === "onServerDeath") return `${key} "${value === SERVICE_RETRY ? "retry" : "fail"}"`;
  if (key === "signaled") return `${key} ${value === 1}`;
  if (key === "ttlMs" && value === 0) return "no ttlMs";
  return key === "layout" && value === 0 ? "no layout" : `${key} ${value}`;
}

/** Describes how an existing object of that name differs from what the opener expects. */
function differenceFrom(attachment: Attachment, wanted: Wanted, entry: number): string {
  const { name, parameters, layout } = wanted;
  const found = describe(attachment, entry);
  const type = types.get(wanted.type);
  if (found.type !== type?.name)
    return `"${name}" is ${withArticle(found.type)} in this segment, not ${withArticle(type?.name)}`;
  const version = versionOf(attachment, entry);
  if (version !== type.version) {
    return (
      `${type.name} "${name}" was made with version ${version} of its layout, and this release has version ${type.version}; ` +
      "use the same release on both sides, or another name"
    );
  }
  const theirs = found.parameters.layout;
  if (layout && theirs !== undefined && theirs !== layout.hash) {
    const bytes = wanted.type === OBJECT_LATEST ? found.parameters.bytes : undefined;
    const difference = differenceText(attachment, theirs, layout, bytes);
    return `${type.name} "${name}" was made with another layout: ${difference}`;
  }
  const [key, value] = Object.entries(parameters).find(
    ([key, value]) => value !== (found.parameters[key] ?? 0),
  ) ?? ["parameters", 0];
  const made = shown(key, found.parameters[key] ?? 0);
  return `${type.name} "${name}" was made with ${made}, opened with ${shown(key, value)}; use the same`;
}
