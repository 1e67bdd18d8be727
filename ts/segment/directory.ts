import {
  DIRECTORY_WAITERS_OFFSET,
  ENTRY_BYTES,
  ENTRY_NAME_BYTES_OFFSET,
  ENTRY_NAME_OFFSET,
  ENTRY_OBJECT_BYTES_OFFSET,
  ENTRY_OBJECT_OFFSET,
  ENTRY_PARAMETERS_HASH_OFFSET,
  ENTRY_PARAMETERS_OFFSET,
  ENTRY_TYPE_OFFSET,
  FLAG_WAKE,
  HEADER_DIRECTORY_ENTRIES_OFFSET,
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_LATEST,
  OBJECT_LAYOUT,
  OBJECT_LOCK,
  OBJECT_RING,
  OBJECT_SEMAPHORE,
} from "../../protocol/layout.js";
import { OBJECT_NAME_BYTES_MAX } from "../../protocol/limits.js";
import { text } from "../arguments.js";
import { flagsOf, isError, offsetOf } from "../core.js";
import { codeName, failure, IsthmusError } from "../errors.js";
import { TextDecoder, TextEncoder } from "../host/text.js";
import { withWriteLock } from "../memory/write-lock.js";
import { type EndHolder, endHolders } from "../ring/holders.js";
import { fnv1a } from "../struct/hash.js";
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
   * Parameters that it was created with: `bytes`, and `layout` (a hash) if it has one, for a ring; `bytes` and `layout` for a
   * latest value; `initial` for a semaphore; `signaled` (0 or 1) for an event.
   */
  parameters: Record<string, number>;
  /** For a latest value: how many values were written so far. */
  version?: number;
  /** For a semaphore, an event (1: signaled) or a counter: its present value. */
  value?: number;
  /** For a lock: which participants hold it now. */
  lock?: LockInfo;
  /** Who holds the producer's end of a ring; absent when nobody does. */
  producer?: EndHolder;
  /** Who holds the consumer's end of a ring; absent when nobody does. */
  consumer?: EndHolder;
}

/** @internal */
export interface OpenedObject {
  /** Offset of the object in the segment. */
  offset: number;
  bytes: number;
}

/** Types of named objects. */
export type ObjectTypeName = "ring" | "latest" | "lock" | "semaphore" | "event" | "counter";

interface ObjectType {
  name: ObjectTypeName;
  /** Names of the parameters, in their order in the entry. */
  parameters: readonly string[];
}

const types = new Map<number, ObjectType>([
  [OBJECT_RING, { name: "ring", parameters: ["bytes", "layout"] }],
  [OBJECT_LATEST, { name: "latest", parameters: ["bytes", "layout"] }],
  [OBJECT_LOCK, { name: "lock", parameters: [] }],
  [OBJECT_SEMAPHORE, { name: "semaphore", parameters: ["initial"] }],
  [OBJECT_EVENT, { name: "event", parameters: ["signaled"] }],
  [OBJECT_COUNTER, { name: "counter", parameters: [] }],
]);

const encoder = new TextEncoder();
/** A byte order mark at the start is part of the name, so it is kept. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function nameBytes(name: string): Uint8Array {
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

function parametersHash(type: number, values: readonly number[]): number {
  return fnv1a(`${type}:${values.join(",")}`);
}

function entries(attachment: Attachment): number[] {
  const begin = attachment.core.directoryOffset() >>> 0;
  return Array.from({ length: attachment.core.directoryCount() }, (_, index) => begin + index * ENTRY_BYTES);
}

function entryName(attachment: Attachment, entry: number): string {
  const length = Math.min(OBJECT_NAME_BYTES_MAX, attachment.u32[(entry + ENTRY_NAME_BYTES_OFFSET) >>> 2]);
  return decoder.decode(attachment.u8.slice(entry + ENTRY_NAME_OFFSET, entry + ENTRY_NAME_OFFSET + length));
}

function describe(attachment: Attachment, entry: number): ObjectInfo {
  const type = types.get(attachment.u32[(entry + ENTRY_TYPE_OFFSET) >>> 2]);
  const parameters: Record<string, number> = {};
  type?.parameters.forEach((name, index) => {
    const value = attachment.u32[(entry + ENTRY_PARAMETERS_OFFSET + 4 * index) >>> 2];
    if (type.name !== "ring" || name !== "layout" || value !== 0) parameters[name] = value;
  });
  return {
    name: entryName(attachment, entry),
    type: type?.name ?? "unknown",
    bytes: Number(attachment.view.getBigUint64(entry + ENTRY_OBJECT_BYTES_OFFSET, true)),
    parameters,
    ...live(attachment, type?.name, entry),
  };
}

/** The present state of the object; empty when the entry is damaged and points outside the segment. */
function live(
  attachment: Attachment,
  type: ObjectTypeName | undefined,
  entry: number,
): Pick<ObjectInfo, "version" | "value" | "lock" | "producer" | "consumer"> {
  const offset = attachment.u32[(entry + ENTRY_OBJECT_OFFSET) >>> 2];
  if (type === undefined) return {};
  if (type === "ring") {
    const { producer, consumer } = endHolders(attachment, offset);
    return { ...(producer && { producer }), ...(consumer && { consumer }) };
  }
  if (type === "latest") return { version: versionOf(attachment, entry) };
  if (type === "lock") {
    const lock = lockInfo(attachment, offset);
    return lock ? { lock } : {};
  }
  const value = signalNow(attachment, type, offset);
  return value === undefined ? {} : { value };
}

/** The version of a latest value; 0 when the entry is damaged and points outside the segment. */
function versionOf(attachment: Attachment, entry: number): number {
  const offset = attachment.u32[(entry + ENTRY_OBJECT_OFFSET) >>> 2];
  if (offset % 8 !== 0 || offset > attachment.bytes - 8) return 0;
  return attachment.core.latestVersion(offset);
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
  const values = Object.values(parameters);
  const entry = attachment.readOnly
    ? entryOf(attachment, name)
    : insert(attachment, name, bytes, type, values);
  if (entry === undefined) {
    throw new IsthmusError(
      "NOT_FOUND",
      `segment "${attachment.name}" has no object "${name}"; a writer must make it first`,
    );
  }
  compare(attachment, entry, name, type, parameters, layout);
  if (layout) keepDescription(attachment, layout);
  const offset = attachment.u32[(entry + ENTRY_OBJECT_OFFSET) >>> 2];
  const objectBytes = Number(attachment.view.getBigUint64(entry + ENTRY_OBJECT_BYTES_OFFSET, true));
  if (offset < entry || offset % 128 !== 0 || offset + objectBytes > attachment.bytes) {
    throw new IsthmusError("CORRUPT", `object "${name}" does not lie in its segment; replace the segment`);
  }
  return { offset, bytes: objectBytes };
}

function insert(
  attachment: Attachment,
  name: string,
  bytes: Uint8Array,
  type: number,
  values: number[],
): number {
  if (attachment.inTransaction) {
    throw new IsthmusError("BUSY", `open or make object "${name}" before the transaction, not inside`);
  }
  const { core } = attachment;
  const hash = fnv1a(name);
  const [first = 0, second = 0] = values;
  const result = withWriteLock(attachment, "the directory", () => {
    attachment.scratchUses++;
    attachment.u8.set(bytes, attachment.scratch);
    return core.directoryInsert(type, hash, bytes.length, parametersHash(type, values), first, second);
  });
  if (isError(result)) throw insertFailed(attachment, name, result);
  if (flagsOf(result) & FLAG_WAKE) attachment.notify(DIRECTORY_WAITERS_OFFSET);
  return offsetOf(result);
}

function insertFailed(attachment: Attachment, name: string, status: number): IsthmusError {
  const code = codeName(status);
  if (code === "SEGMENT_FULL") return failure(status, noRoomText(attachment, name));
  if (code === "EVICTED")
    return failure(status, "this participant was removed; close the segment and open it again");
  return failure(status, `the directory of segment "${attachment.name}" is damaged; replace the segment`);
}

/** Says whether the directory or the heap is full, with the numbers. */
function noRoomText(attachment: Attachment, name: string): string {
  const { core, view, bytes } = attachment;
  const segment = `segment "${attachment.name}"`;
  const most = view.getUint32(HEADER_DIRECTORY_ENTRIES_OFFSET, true);
  if (core.directoryCount() >= most) {
    return (
      `${segment} has ${most} named objects, which is all that one of ${bytes} bytes can have, and no room for another one, ` +
      `"${name}". Create a larger segment, or use fewer names: blocks of the heap need none`
    );
  }
  return (
    `${segment} (${bytes} bytes) has no room in its heap for object "${name}", though ${most - core.directoryCount()} more ` +
    "names are possible; create a larger segment, or free blocks"
  );
}

function withArticle(type: string | undefined): string {
  return `${type === "event" ? "an" : "a"} ${type ?? "thing of an unknown type"}`;
}

/** A parameter in the form in which the user gives it. */
function shown(key: string, value: number): string {
  if (key === "signaled") return `${key} ${value === 1}`;
  return key === "layout" && value === 0 ? "no layout" : `${key} ${value}`;
}

function compare(
  attachment: Attachment,
  entry: number,
  name: string,
  type: number,
  parameters: Record<string, number>,
  layout: Described | undefined,
): void {
  const found = describe(attachment, entry);
  const wanted = types.get(type)?.name;
  if (found.type !== wanted) {
    throw new IsthmusError(
      "OBJECT_MISMATCH",
      `"${name}" is ${withArticle(found.type)} in this segment, not ${withArticle(wanted)}`,
    );
  }
  const theirs = found.parameters.layout;
  if (layout && theirs !== undefined && theirs !== layout.hash) {
    const bytes = type === OBJECT_LATEST ? found.parameters.bytes : undefined;
    throw new IsthmusError(
      "OBJECT_MISMATCH",
      `${wanted} "${name}" was made with another layout: ${differenceText(attachment, theirs, layout, bytes)}`,
    );
  }
  for (const [key, value] of Object.entries(parameters)) {
    const made = found.parameters[key] ?? 0;
    if (made !== value) {
      throw new IsthmusError(
        "OBJECT_MISMATCH",
        `${wanted} "${name}" was made with ${shown(key, made)}, opened with ${shown(key, value)}; use the same`,
      );
    }
  }
  const hash = attachment.u32[(entry + ENTRY_PARAMETERS_HASH_OFFSET) >>> 2];
  if (hash !== parametersHash(type, Object.values(parameters))) {
    throw new IsthmusError("CORRUPT", `the entry of object "${name}" is damaged; replace the segment`);
  }
}
