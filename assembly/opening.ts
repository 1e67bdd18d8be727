/**
 * Opening: what the host does next with an object that is, or shall become, a segment. These functions read header words and
 * change nothing. Wait-free. `docs/protocol.md` has all steps of opening with the locks that go with them.
 *
 * Before the object is mapped, the host reads its first HEADER_BYTES (fewer, where it ends) into the beginning of the memory of
 * an instance: of one page of its own, since nothing is mapped yet. Once it is mapped, the same words are at the same place.
 *
 * | when                                 | function            | what it decides                                               |
 * | ------------------------------------ | ------------------- | ------------------------------------------------------------- |
 * | the object was opened, and has a name | `openingTemporary` | with no holder, it was left behind: remove it                 |
 * | a file, with nobody else in it       | `openingZeros`      | whether what begins with zeros may be an unfinished segment   |
 * | before mapping                       | `openingLook`       | make, map, or the error                                       |
 * | a reader, before validating          | `openingBytes`      | how many of the file's bytes the segment has                  |
 * | after `validate`                     | `openingNext`       | enter, create, make, remove, wait, or the error               |
 * | before replacing                     | `openingGeneration` | the generation of what comes into its place                   |
 *
 * What is decided here holds as long as the host has KERNEL_LOCK_CREATION. A reader, who does not take it, looks at the object
 * again at the end.
 */
import {
  ALREADY_EXISTS,
  BAD_MAGIC,
  CORRUPT,
  INITIALIZING,
  NOT_FOUND,
  OBJECT_MISMATCH,
} from "../protocol/errors";
import {
  ABI_VERSION,
  HEADER_ABI_VERSION_OFFSET,
  HEADER_BYTES,
  HEADER_GENERATION_OFFSET,
  HEADER_HEADER_SIZE_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TEMPORARY_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  MAGIC,
  MAGIC_TEMPORARY,
  NEXT_CREATE,
  NEXT_ENTER,
  NEXT_MAKE,
  NEXT_MAP,
  NEXT_REMOVE,
  NEXT_WAIT,
  OPEN_CREATES,
  OPEN_CREATOR_LIVES,
  OPEN_EXCLUSIVE,
  OPEN_FILE,
  OPEN_WRITES,
  STATE_INITIALIZING,
  STATE_READY,
} from "../protocol/layout";
import { PAGE_BYTES, SEGMENT_PAGES_MAX } from "../protocol/limits";
import { participants } from "./instance";

/** The greatest generation that every host counts exactly. */
const GENERATION_MAX: u64 = (1 << 53) - 1;

/** Whether other bytes than those of a segment are there. An object that is too short to tell is judged by its size. */
function isForeign(read: u32): bool {
  if (read < u32(HEADER_MAGIC_OFFSET + 4)) return false;
  const magic = load<u32>(HEADER_MAGIC_OFFSET);
  if (magic != 0 || read < u32(HEADER_STATE_OFFSET + 4)) return magic != MAGIC && magic != 0;
  return load<u32>(HEADER_STATE_OFFSET) != STATE_INITIALIZING;
}

/** Whether an object may have that size: a whole number of pages, as many as a memory can have. */
function isWhole(bytes: u64): bool {
  return bytes % PAGE_BYTES == 0 && bytes <= u64(PAGE_BYTES) * SEGMENT_PAGES_MAX;
}

/**
 * What to do with an object of `bytes`, of which `read` bytes were read: NEXT_MAKE, NEXT_MAP, NOT_FOUND, ALREADY_EXISTS,
 * BAD_MAGIC or CORRUPT. What does not begin like a segment is never mapped: nobody has promised not to truncate it.
 */
export function openingLook(bytes: f64, read: u32, wish: u32): u32 {
  if (bytes == 0) return (wish & OPEN_CREATES) != 0 ? NEXT_MAKE : NOT_FOUND; // its creator died before it had its size
  if (isForeign(read)) return (wish & OPEN_EXCLUSIVE) != 0 ? ALREADY_EXISTS : BAD_MAGIC;
  return isWhole(u64(bytes)) ? NEXT_MAP : CORRUPT;
}

/** How many of these bytes a reader validates: fewer, where who extended or truncated a file died and left it longer. */
export function openingBytes(bytes: f64): f64 {
  const said = load<u64>(HEADER_TOTAL_SIZE_OFFSET);
  return said != 0 && said < u64(bytes) && isWhole(said) ? f64(said) : bytes;
}

/**
 * What to do once `validate` has given `status` for the `bytes` that are mapped: NEXT_ENTER, NEXT_CREATE, NEXT_MAKE,
 * NEXT_REMOVE, NEXT_WAIT, ALREADY_EXISTS, OBJECT_MISMATCH or the status.
 */
export function openingNext(status: u32, wish: u32, bytes: f64, wantedBytes: f64, wantedSlots: u32): u32 {
  const creates = (wish & OPEN_CREATES) != 0;
  const isFile = (wish & OPEN_FILE) != 0;
  if (status == INITIALIZING) {
    if ((wish & OPEN_WRITES) == 0) return (wish & OPEN_CREATOR_LIVES) != 0 ? NEXT_WAIT : INITIALIZING;
    // The creator died half-way. A creator makes the segment as wished; an opener completes what was begun.
    if (!creates || wantedBytes == bytes) return NEXT_CREATE;
    if (!isFile) return NEXT_REMOVE;
    return wantedBytes > bytes ? NEXT_MAKE : NEXT_CREATE;
  }
  if ((wish & OPEN_EXCLUSIVE) != 0) return ALREADY_EXISTS;
  if (status != 0) return status;
  // A file is not compared: its last writer truncates it, so it is often smaller than asked for.
  if (!creates || isFile) return NEXT_ENTER;
  return bytes < wantedBytes || participants < wantedSlots ? OBJECT_MISMATCH : NEXT_ENTER;
}

/** Whether the name goes with the last holder. Only what is whole counts: its creator holds it until then. */
export function openingTemporary(read: u32): bool {
  if (read < u32(HEADER_BYTES) || load<u32>(HEADER_STATE_OFFSET) != STATE_READY) return false;
  return load<u32>(HEADER_TEMPORARY_OFFSET) == MAGIC_TEMPORARY;
}

/** The generation of what takes the name: 1 after what is no segment of this version. */
export function openingGeneration(read: u32): f64 {
  if (read < u32(HEADER_BYTES) || load<u32>(HEADER_MAGIC_OFFSET) != MAGIC) return 1;
  if (load<u16>(HEADER_ABI_VERSION_OFFSET) != ABI_VERSION) return 1;
  const generation = load<u64>(HEADER_GENERATION_OFFSET);
  return generation < GENERATION_MAX ? f64(generation + 1) : 1;
}

/**
 * Whether a file may be a segment of this release: 0: no; 1: yes; 2: if all its other bytes are zero. A file whose creator died
 * begins with zeros. One of some other program may, too, and must not be made a segment: so either creation has come as far as
 * writing version and size of the header, or there is nothing but zeros.
 */
export function openingZeros(read: u32): u32 {
  if (isForeign(read)) return 0;
  if (read < u32(HEADER_BYTES) || load<u32>(HEADER_MAGIC_OFFSET) != 0) return 1;
  if (load<u16>(HEADER_ABI_VERSION_OFFSET) == 0) return 2;
  return load<u16>(HEADER_HEADER_SIZE_OFFSET) == HEADER_BYTES ? 1 : 0;
}
