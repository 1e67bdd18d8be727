/**
 * What the hosted core asks of the system. The names are those of the imports; a host gives all seven. None of them calls the
 * core.
 */

/**
 * Takes or gives back a kernel lock of the segment's object: mode 0 gives back, 1 takes it shared, 2 takes it alone. Whether it
 * was taken; never waits. `index` is a KERNEL_LOCK_… number.
 */
@external("sys", "lock")
export declare function sysLock(index: u32, mode: u32): u32;

/** Whether anybody else holds that kernel lock alone. A reader can hold any of them shared, which proves nothing. */
@external("sys", "held")
export declare function sysHeld(index: u32): u32;

/** Wakes whoever sleeps on the word at that offset, in any process. */
@external("sys", "wake")
export declare function sysWake(offset: u32): void;

/**
 * Sleeps while the word of 32 bits at that offset is `expected`, until it is woken, at most so many milliseconds; it may wake
 * early. Never called in a segment that is mapped for reading only.
 */
@external("sys", "wait")
export declare function sysWait(offset: u32, expected: u32, ms: f64): void;

/** Sleeps. Milliseconds. */
@external("sys", "sleep")
export declare function sysSleep(ms: f64): void;

/** A clock that only goes forward. Milliseconds. */
@external("sys", "now")
export declare function sysNow(): f64;

/** The time of day: nanoseconds since 1970. */
@external("sys", "wall")
export declare function sysWall(): f64;
