/**
 * The directory: named objects. Reading is wait-free; inserting takes the write lock (`write-lock.ts`).
 *
 *     the first block of the heap:  | entry 0 | entry 1 | ... | count - 1 | not published |      each 128 bytes
 *
 * | word            | written by                                  | read by                                     |
 * | --------------- | ------------------------------------------- | ------------------------------------------- |
 * | entries ≥ count | the holder of the write lock                     | nobody else                                 |
 * | next            | the holder, through the journal             | the holder, and who takes over from him     |
 * | count           | the holder                                  | everyone, before they look at entries       |
 * | scratch         | the participant itself (the name)           | itself                                      |
 *
 * To insert:
 *  1. take the write lock; not inside a transaction, whose commit must not come before its end
 *  2. look for the name; found: release the write lock, and compare that entry with what the caller expects
 *  3. allocate a block for the object, initialise it
 *  4. write the entry behind the last
 *  5. next = count + 1 (through the journal), and commit: the block is taken, the entry stands
 *  6. count = next: readers see the object from now on, and nothing about it ever changes
 *  7. release the write lock
 *
 * If a participant dies: before the commit the next holder rolls back, and nothing was taken. Between 5 and 6 the next holder
 * finds next = count + 1 and publishes the entry. After 6 the object exists.
 *
 * An entry says of which version the layout of its object is. A core that knows another version, or not even the type, goes on
 * with everything else in the segment.
 */
import { CORRUPT, INVALID_NAME, NOT_SUPPORTED, OBJECT_MISMATCH, SEGMENT_FULL } from "../protocol/errors";
import {
  ANSWER_ENTRY_OFFSET,
  DIRECTORY_COUNT_OFFSET,
  DIRECTORY_NEXT_OFFSET,
  DIRECTORY_WAITERS_OFFSET,
  ENTRY_BYTES,
  ENTRY_NAME_BYTES_OFFSET,
  ENTRY_NAME_HASH_OFFSET,
  ENTRY_NAME_OFFSET,
  ENTRY_OBJECT_BYTES_OFFSET,
  ENTRY_OBJECT_OFFSET,
  ENTRY_PARAMETERS_HASH_OFFSET,
  ENTRY_PARAMETERS_OFFSET,
  ENTRY_TYPE_OFFSET,
  ENTRY_VERSION_OFFSET,
  FLAG_WAKE,
  OBJECT_ALIGNMENT,
  OBJECT_LAYOUT,
  RESULT_FLAGS,
  RESULT_OFFSETS,
} from "../protocol/layout";
import { blockAllocate, heapChanging, heapWhole } from "./heap";
import { directoryEntries, directoryOffset, heapEnd } from "./instance";
import { change, journalCommit } from "./journal";
import { isName, nameHash, parametersHash } from "./name";
import { objectBytes, objectInitialise, objectVersion } from "./objects";
import { answers, scratch } from "./participants";
import { turnWanted } from "./turn";
import { waitersAny } from "./waiters";
import { load32 } from "./word";
import { outsideTransaction, publishEntry, releaseWriteLock, takeWriteLock } from "./write-lock";

function entryOffset(index: u32): usize {
  return directoryOffset() + index * ENTRY_BYTES;
}

/** Published entries; at most the capacity, whatever the shared word says. */
export function directoryCount(): u32 {
  return min(load32(DIRECTORY_COUNT_OFFSET), directoryEntries);
}

/** Offset of the entry whose name stands in our scratch, or 0. */
function find(hash: u32, nameBytes: u32, count: u32): usize {
  for (let index: u32 = 0; index < count; index++) {
    const entry = entryOffset(index);
    if (load<u32>(entry + ENTRY_NAME_HASH_OFFSET) != hash) continue;
    if (load<u32>(entry + ENTRY_NAME_BYTES_OFFSET) != nameBytes) continue;
    if (sameName(entry + ENTRY_NAME_OFFSET, nameBytes)) return entry;
  }
  return 0;
}

function sameName(name: usize, nameBytes: u32): bool {
  const ours = scratch();
  for (let i: u32 = 0; i < nameBytes; i++) {
    if (load<u8>(name + i) != load<u8>(ours + i)) return false;
  }
  return true;
}

/**
 * Finds or makes the object whose name stands in our scratch. Returns its offset, with FLAG_WAKE when it is new and somebody
 * waits for objects; ANSWER_ENTRY is its entry. Or an error:
 *
 * - INVALID_NAME; NOT_SUPPORTED when there is no such type, or none with such parameters
 * - OBJECT_MISMATCH when it has another type, version or parameter: ANSWER_ENTRY says what it is
 * - BUSY (the suspect is set), also when it would be new and our own transaction runs; EVICTED
 * - SEGMENT_FULL when there is no room for its bytes, or for one more name; CORRUPT
 */
export function objectOpen(type: u32, nameBytes: u32, first: u32, second: u32, third: u32, fourth: u32): u32 {
  if (!isName(scratch(), nameBytes, type == OBJECT_LAYOUT)) return INVALID_NAME;
  const result = entryFor(type, nameHash(scratch(), nameBytes), nameBytes, first, second, third, fourth);
  if (result < u32(RESULT_OFFSETS)) return result;
  const entry = result & ~RESULT_FLAGS;
  store<u64>(answers() + ANSWER_ENTRY_OFFSET, entry);
  const object = objectCheck(entry, type, first, second, third, fourth);
  return object < u32(RESULT_OFFSETS) ? object : object | (result & RESULT_FLAGS);
}

/**
 * Compares a published entry with what its opener expects. Returns the offset of the object, OBJECT_MISMATCH, or CORRUPT. For
 * openers that can only read, and so find the entry by themselves.
 */
export function objectCheck(entry: usize, type: u32, first: u32, second: u32, third: u32, fourth: u32): u32 {
  const version = objectVersion(type);
  if (load<u32>(entry + ENTRY_TYPE_OFFSET) != type) return OBJECT_MISMATCH;
  if (load<u32>(entry + ENTRY_VERSION_OFFSET) != version) return OBJECT_MISMATCH;
  if (load<u32>(entry + ENTRY_PARAMETERS_OFFSET) != first) return OBJECT_MISMATCH;
  if (load<u32>(entry + ENTRY_PARAMETERS_OFFSET + 4) != second) return OBJECT_MISMATCH;
  if (load<u32>(entry + ENTRY_PARAMETERS_OFFSET + 8) != third) return OBJECT_MISMATCH;
  if (load<u32>(entry + ENTRY_PARAMETERS_OFFSET + 12) != fourth) return OBJECT_MISMATCH;
  const hash = load<u32>(entry + ENTRY_PARAMETERS_HASH_OFFSET);
  if (hash != parametersHash(type, version, first, second, third, fourth)) return CORRUPT;
  const object = load<u32>(entry + ENTRY_OBJECT_OFFSET);
  const bytes = objectBytes(type, first, second, third);
  if (object < u32(entry) || object % OBJECT_ALIGNMENT != 0 || u64(object) + bytes > u64(heapEnd))
    return CORRUPT;
  return load<u64>(entry + ENTRY_OBJECT_BYTES_OFFSET) == bytes ? object : CORRUPT;
}

/** The entry of that name: the existing one, or a new one, with FLAG_WAKE; or an error. */
function entryFor(
  type: u32,
  hash: u32,
  nameBytes: u32,
  first: u32,
  second: u32,
  third: u32,
  fourth: u32,
): u32 {
  turnWanted();
  const existing = find(hash, nameBytes, directoryCount());
  if (existing != 0) return u32(existing);
  if (objectBytes(type, first, second, third) == 0) return NOT_SUPPORTED;
  let failed = outsideTransaction();
  if (failed == 0) failed = takeWriteLock();
  if (failed != 0) return failed;
  heapChanging();
  const result = insert(type, hash, nameBytes, first, second, third, fourth);
  if (result != CORRUPT) heapWhole();
  releaseWriteLock(result != CORRUPT);
  return result;
}

/** The same, with the write lock. */
function insert(type: u32, hash: u32, nameBytes: u32, first: u32, second: u32, third: u32, fourth: u32): u32 {
  const count = load32(DIRECTORY_COUNT_OFFSET);
  if (count > directoryEntries) return CORRUPT;
  const existing = find(hash, nameBytes, count);
  if (existing != 0) return u32(existing);
  if (count == directoryEntries) return SEGMENT_FULL;
  const bytes = objectBytes(type, first, second, third);
  if (bytes > u64(u32.MAX_VALUE)) return SEGMENT_FULL;
  const object = blockAllocate(u32(bytes), OBJECT_ALIGNMENT, 0);
  if (object < u32(RESULT_OFFSETS)) return object;
  objectInitialise(type, object, first, second, third);
  const version = objectVersion(type);
  const entry = entryOffset(count);
  store<u32>(entry + ENTRY_TYPE_OFFSET, type);
  store<u32>(entry + ENTRY_VERSION_OFFSET, version);
  store<u32>(entry + ENTRY_NAME_HASH_OFFSET, hash);
  store<u32>(entry + ENTRY_NAME_BYTES_OFFSET, nameBytes);
  store<u64>(entry + ENTRY_OBJECT_BYTES_OFFSET, bytes);
  store<u32>(entry + ENTRY_OBJECT_OFFSET, object);
  const parameters = parametersHash(type, version, first, second, third, fourth);
  store<u32>(entry + ENTRY_PARAMETERS_HASH_OFFSET, parameters);
  store<u32>(entry + ENTRY_PARAMETERS_OFFSET, first);
  store<u32>(entry + ENTRY_PARAMETERS_OFFSET + 4, second);
  store<u32>(entry + ENTRY_PARAMETERS_OFFSET + 8, third);
  store<u32>(entry + ENTRY_PARAMETERS_OFFSET + 12, fourth);
  memory.copy(entry + ENTRY_NAME_OFFSET, scratch(), nameBytes);
  change(DIRECTORY_NEXT_OFFSET, count + 1);
  journalCommit();
  publishEntry(); // pairs with the load in directoryCount
  return u32(entry) | (waitersAny(DIRECTORY_WAITERS_OFFSET) ? FLAG_WAKE : 0);
}
