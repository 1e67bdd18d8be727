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
 *  2. look for the name; found: release the write lock, return that entry
 *  3. allocate a block for the object, initialise it
 *  4. write the entry behind the last
 *  5. next = count + 1 (through the journal), and commit: the block is taken, the entry stands
 *  6. count = next: readers see the object from now on, and nothing about it ever changes
 *  7. release the write lock
 *
 * If a participant dies: before the commit the next holder rolls back, and nothing was taken. Between 5 and 6 the next holder
 * finds next = count + 1 and publishes the entry. After 6 the object exists.
 */
import { CORRUPT, SEGMENT_FULL, TOO_LARGE } from "../protocol/errors";
import {
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
  FLAG_WAKE,
  OBJECT_ALIGNMENT,
} from "../protocol/layout";
import { OBJECT_NAME_BYTES_MAX } from "../protocol/limits";
import { blockAllocate, heapChanging, heapWhole } from "./heap";
import { directoryEntries, directoryOffset } from "./instance";
import { change, journalCommit } from "./journal";
import { objectBytes, objectInitialise } from "./objects";
import { scratch } from "./participants";
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
 * The entry of the object whose name stands in our scratch: the existing one, or a new one with these parameters. Returns
 * its offset, with FLAG_WAKE when it is new and somebody waits for objects; or an error: BUSY also when it would be new and our
 * own transaction runs. Whether an existing entry has the wanted type and parameters is the caller's to compare.
 */
export function directoryInsert(
  type: u32,
  nameHash: u32,
  nameBytes: u32,
  parametersHash: u32,
  first: u32,
  second: u32,
): u32 {
  if (nameBytes > u32(OBJECT_NAME_BYTES_MAX)) return TOO_LARGE;
  const existing = find(nameHash, nameBytes, directoryCount());
  if (existing != 0) return u32(existing);
  let failed = outsideTransaction();
  if (failed == 0) failed = takeWriteLock();
  if (failed != 0) return failed;
  heapChanging();
  const result = insertWithRight(type, nameHash, nameBytes, parametersHash, first, second);
  if (result != CORRUPT) heapWhole();
  releaseWriteLock(result != CORRUPT);
  return result;
}

function insertWithRight(
  type: u32,
  nameHash: u32,
  nameBytes: u32,
  parametersHash: u32,
  first: u32,
  second: u32,
): u32 {
  const count = load32(DIRECTORY_COUNT_OFFSET);
  if (count > directoryEntries) return CORRUPT;
  const existing = find(nameHash, nameBytes, count);
  if (existing != 0) return u32(existing);
  if (count == directoryEntries) return SEGMENT_FULL;
  const bytes = objectBytes(type, first);
  if (bytes == 0) return CORRUPT;
  if (bytes > u64(u32.MAX_VALUE)) return SEGMENT_FULL;
  const object = blockAllocate(u32(bytes), OBJECT_ALIGNMENT, 0);
  if (object < u32(OBJECT_ALIGNMENT)) return object;
  objectInitialise(type, object, first);
  const entry = entryOffset(count);
  store<u32>(entry + ENTRY_TYPE_OFFSET, type);
  store<u32>(entry + ENTRY_NAME_HASH_OFFSET, nameHash);
  store<u32>(entry + ENTRY_NAME_BYTES_OFFSET, nameBytes);
  store<u32>(entry + ENTRY_OBJECT_OFFSET, object);
  store<u64>(entry + ENTRY_OBJECT_BYTES_OFFSET, bytes);
  store<u32>(entry + ENTRY_PARAMETERS_HASH_OFFSET, parametersHash);
  store<u32>(entry + ENTRY_PARAMETERS_OFFSET, first);
  store<u32>(entry + ENTRY_PARAMETERS_OFFSET + 4, second);
  store<u64>(entry + ENTRY_PARAMETERS_OFFSET + 8, 0);
  memory.copy(entry + ENTRY_NAME_OFFSET, scratch(), nameBytes);
  change(DIRECTORY_NEXT_OFFSET, count + 1);
  journalCommit();
  publishEntry(); // pairs with the load in directoryCount
  return u32(entry) | (waitersAny(DIRECTORY_WAITERS_OFFSET) ? FLAG_WAKE : 0);
}
