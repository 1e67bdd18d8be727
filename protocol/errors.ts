/**
 * Every code an operation can fail with. The core returns these numbers, the shims return them (`shims/generated/
 * errors.h`), and `IsthmusError.code` is the name of the constant. All are below 128: addresses below that hold
 * the header, so one 32-bit result can be either an offset or an error.
 */

/** Nothing of that name exists. */
export const NOT_FOUND = 1;
/** Something of that name exists already. */
export const ALREADY_EXISTS = 2;
/** The operating system, or the owner check, refuses access. */
export const ACCESS_DENIED = 3;
/** The name cannot be used on every platform. */
export const INVALID_NAME = 4;
/** The bytes are not an Isthmus segment. */
export const BAD_MAGIC = 5;
/** Made by a version with another protocol. */
export const VERSION_MISMATCH = 6;
/** Same version, other offsets: a differently built core. Or a block with another layout. */
export const LAYOUT_MISMATCH = 7;
/** A named object exists with another type or other parameters. */
export const OBJECT_MISMATCH = 8;
/** Another process is creating the segment, and does not get on. */
export const INITIALIZING = 9;
/** Declared unusable by a participant that could not repair it. */
export const BROKEN = 10;
/** A shared word holds a value that the protocol cannot have written. */
export const CORRUPT = 11;
/** The system has no room for a segment of that size. */
export const OUT_OF_SHARED_MEMORY = 12;
/** The segment has no room for the object. */
export const SEGMENT_FULL = 13;
/** More than what it goes into can ever hold: a record, a transaction, a count, a path. */
export const TOO_LARGE = 14;
/** Every participant slot has a live owner. */
export const TOO_MANY_PARTICIPANTS = 15;
/** The time given was not enough. */
export const TIMED_OUT = 16;
/** A live participant, or this one, holds what was asked for. */
export const BUSY = 17;
/** The previous owner of a lock died holding it. */
export const OWNER_DIED = 18;
/** The participant at the other end died. */
export const PEER_DIED = 19;
/** Waiting would never end. */
export const DEADLOCK = 20;
/** This participant was removed by an operator while it was stalled. */
export const EVICTED = 21;
/** Used after close(). */
export const CLOSED = 22;
/** A write through a read-only opener. */
export const READ_ONLY = 23;
/** The platform or runtime cannot do this. */
export const NOT_SUPPORTED = 24;
/** Any other failure of the operating system; see `syscall` and `errno`. */
export const SYSTEM = 25;
