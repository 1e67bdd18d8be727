/**
 * Every code an operation can fail with. The core returns these numbers, the shims return them (`shims/generated/
 * errors.h`), and `IsthmusError.code` is the name of the constant. All are from RESULT_ERRORS to below RESULT_OFFSETS
 * (`protocol/layout.ts`): so one 32-bit result is either flags, or an error, or an offset.
 */

/** No segment, object or file of that name exists. */
export const NOT_FOUND = 16;
/** The name is already in use. */
export const ALREADY_EXISTS = 17;
/** The operating system, or the owner check, refuses access. */
export const ACCESS_DENIED = 18;
/** The name cannot be used on every platform. */
export const INVALID_NAME = 19;
/** The bytes are not an Isthmus segment. */
export const BAD_MAGIC = 20;
/** Made by a version with another protocol. */
export const VERSION_MISMATCH = 21;
/** Same version, other offsets: a differently built core. Or a block with another layout. */
export const LAYOUT_MISMATCH = 22;
/** A named object exists with another type or other parameters. */
export const OBJECT_MISMATCH = 23;
/** Another process is creating the segment, and has not finished in time. */
export const INITIALIZING = 24;
/** The object was declared unusable, because its data was not repaired after a death. */
export const BROKEN = 25;
/** A shared word holds a value that the protocol cannot have written. */
export const CORRUPT = 26;
/** The system has no room for a segment of that size. */
export const OUT_OF_SHARED_MEMORY = 27;
/** The segment has no room for the object. */
export const SEGMENT_FULL = 28;
/** The record, transaction, count or path is larger than can ever fit. */
export const TOO_LARGE = 29;
/** Every participant slot has a live owner. */
export const TOO_MANY_PARTICIPANTS = 30;
/** The timeout passed first. */
export const TIMED_OUT = 31;
/** A live participant, perhaps this one, holds the object. */
export const BUSY = 32;
/** A holder of the lock died, and its data may be half changed. */
export const OWNER_DIED = 33;
/** The participant at the other end died, or ended without closing. */
export const PEER_DIED = 34;
/** Waiting would never end. */
export const DEADLOCK = 35;
/** This participant was removed by an operator while it was stalled. */
export const EVICTED = 36;
/** The object was used after close(). */
export const CLOSED = 37;
/** The segment was opened read-only, and the call writes. */
export const READ_ONLY = 38;
/** The platform or runtime cannot do this. */
export const NOT_SUPPORTED = 39;
/** Any other failure of the operating system; see `syscall` and `errno`. */
export const SYSTEM = 40;
