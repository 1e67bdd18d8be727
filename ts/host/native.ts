/**
 * The interface of a shim for TypeScript. It has the same functions as `shims/isthmus_shim.h`.
 *
 * A shim knows the operating system, but not the layout of a segment. An *object* is what the operating system shares between
 * processes (a file under /dev/shm, a memfd, a section). Here, a small integer identifies it, which is valid only in this
 * runtime environment. Every call returns at once, except `wait`, which returns within `timeoutMs`.
 *
 * A failure throws a `NativeError`: `status` is a number of `protocol/errors.ts`, and `syscall` and `errno` are from the
 * operating system.
 */
export interface Native {
  /** The contract number of the shim: SHIM_CONTRACT of `protocol/shim.ts` if it belongs to this package. */
  readonly contract: number;

  /** Opens the object of that name. With `create`, it creates an absent object: empty, with exactly the mode `mode`. */
  openNamed(name: string, namespace: number, create: boolean, readOnly: boolean, mode: number): number;
  /** Like `openNamed`, for a file at any path. It refuses symbolic links, and everything except regular files. */
  openFile(path: string, create: boolean, readOnly: boolean, mode: number): number;
  /** Creates an object without a name. */
  openAnonymous(): number;
  /** Opens an object by a text that `handle` returned in a process of the same user. That process must still have it open. */
  openHandle(handle: string, readOnly: boolean): number;
  /** Creates an empty object that has no name yet. `publish` gives it the name in one step. */
  openStaged(name: string, namespace: number, mode: number): number;
  /** With `replace`, it takes the name from any other object. Otherwise, a name in use gives ALREADY_EXISTS. */
  publish(object: number, replace: boolean): void;
  /** A text that `openHandle` accepts in other processes while this one has the object open. Children inherit nothing. */
  handle(object: number): string;

  /** The current size of the object, whether its name still leads to it, its owner, and its permission bits. */
  info(object: number): NativeInfo;
  /** The storage of the object, and how much room there is. */
  storage(object: number): NativeStorage;
  /**
   * Makes the object at least that long, with storage for every byte. If that fails, it gives OUT_OF_SHARED_MEMORY, so that
   * there is no crash later. No process may write to the object meanwhile.
   */
  allocate(object: number, bytes: number): void;
  /**
   * Truncates the object to exactly that length. No process may have the rest mapped. Gives BUSY if this object is mapped
   * itself.
   */
  shrink(object: number, bytes: number): void;
  /**
   * Copies the bytes at `offset`, without a mapping: fewer bytes than requested at the end of the object. Returns their number.
   */
  read(object: number, offset: number, into: Uint8Array): number;
  /** Removes the name by which the object was opened, if it still leads to the object; returns false if it does not. */
  remove(object: number): boolean;

  /**
   * Kernel-held locks, numbered 0 … 2^20. `lock` never waits: it returns false when another holder has the lock. The kernel
   * releases the locks when this environment ends, in whatever way. Through a read-only object, only shared locks can be taken.
   */
  lock(object: number, index: number, shared: boolean): boolean;
  unlock(object: number, index: number): void;
  /** Whether another holder has the lock: in any mode, or only `exclusively`. */
  held(object: number, index: number, exclusively: boolean): boolean;

  /**
   * Maps the object over the whole of `memory`: a view of all bytes of a WebAssembly.Memory, or a function that makes one, which
   * must not call the shim. BUSY with a `syscall`: another thread took the addresses. The memory must never be touched again, and
   * another one may do. While one thread of the process makes and maps a memory by such a function, no other one does.
   */
  map(object: number, memory: Uint8Array | (() => Uint8Array), readOnly: boolean): void;
  /** Puts private zero pages back under `memory`. Afterwards, the engine may reuse or free the memory. */
  unmap(object: number): void;
  /** Writes all changes to the storage of the object, and sets the time of its last change. Returns when that is done. */
  flush(object: number): void;
  /** Sets the time of the last change to now, if the system allows it. Never throws for an open object. */
  touch(object: number): void;
  /** Unmaps the object if it is mapped, stops watching, releases all locks, and closes it. The number may be reused. */
  close(object: number): void;

  /** Wakes all threads that sleep on the 32-bit word at `offset` of the mapped object. */
  wake(object: number, offset: number): void;
  /** Sleeps while the word at `offset` equals `expected`, at most `timeoutMs`. May return early. */
  wait(object: number, offset: number, expected: number, timeoutMs: number): void;
  /**
   * Milliseconds since some moment, from the monotonic clock of the system. Test frameworks that replace the timers or clocks
   * of JavaScript do not affect it. All processes of a machine read the same clock.
   */
  now(): number;
  /**
   * Calls `bell` on the event loop after the word at `offset` has changed (one call may stand for many changes).
   * One thread serves all words of the environment. Watching does not keep the process alive.
   * `setBell` is called once per environment, before the first `watch`.
   */
  setBell(bell: () => void): void;
  watch(object: number, offset: number): void;
  unwatch(object: number): void;

  /** Names of the objects of Isthmus, without the prefix "isthmus.". */
  list(namespace: number): string[];
  /** Removes the name. The object exists until its last holder closes it. Gives NOT_FOUND when there is no such name. */
  unlink(name: string, namespace: number): void;
  /** The limits of the system for shared memory, for `doctor` and error texts. */
  limits(): NativeLimits;
}

export interface NativeInfo {
  bytes: number;
  /** False after the name was removed or given to another object. Always true for anonymous objects. */
  linked: boolean;
  /** Whether the owner is this user or the superuser. */
  trusted: boolean;
  /** Whether this call created it. */
  created: boolean;
  /** Numeric user id of the owner (0 where the system has none). */
  owner: number;
  mode: number;
}

/** The storage of bytes. A number that the system does not know is 0. */
export interface NativeStorage {
  /** Bytes that the object takes there now. */
  storedBytes: number;
  totalBytes: number;
  /** For this user. */
  freeBytes: number;
  totalFiles: number;
  freeFiles: number;
  /** Whether it is memory, which counts against memory limits. If not, it is a disk, a network or the like. */
  inMemory: boolean;
  /** Whether a read-only mapping may show a lower layer for ever, to which writers do not write. */
  layered: boolean;
  readOnly: boolean;
}

/** Whether the storage is that of the location of named objects. */
export interface NativeLimits extends NativeStorage {
  /** The location of named objects, such as "/dev/shm"; empty when there is none. */
  place: string;
  /** The most words that one thread can watch; 1 if the kernel cannot wait for several words. */
  wordsPerWatcher: number;
}

export interface NativeError extends Error {
  status: number;
  syscall: string;
  errno: number;
}
