/**
 * What a shim offers to TypeScript: the twin of `shims/isthmus_shim.h`, function for function.
 *
 * A shim knows the operating system and nothing of a segment's layout. An *object* is the OS thing that processes
 * share (a file under /dev/shm, a memfd, a section); it is named here by a small integer that is valid in this
 * runtime environment only. Every call either returns at once or, for `wait`, within `timeoutMs`.
 *
 * A failure throws a `NativeError`: `status` is a number of `protocol/errors.ts`, `syscall` and `errno` say what
 * the operating system said.
 */
export interface Native {
  /** Which contract the shim keeps: SHIM_CONTRACT of `protocol/shim.ts` when it goes with this package. */
  readonly contract: number;

  /** Opens the object of that name. With `create` it is made when absent, empty, with exactly `mode`. */
  openNamed(name: string, namespace: number, create: boolean, readOnly: boolean, mode: number): number;
  /** Like `openNamed` for a file at any path. Symbolic links and everything but regular files are refused. */
  openFile(path: string, create: boolean, readOnly: boolean, mode: number): number;
  /** A new object without a name. */
  openAnonymous(): number;
  /** The object behind a text made by `handle` in a process of the same user that still has it open. */
  openHandle(handle: string, readOnly: boolean): number;
  /** An empty object that has no name yet; `publish` gives it the name in one step. */
  openStaged(name: string, namespace: number, mode: number): number;
  /** With `replace` it takes the name from whatever has it; else a name that is taken is ALREADY_EXISTS. */
  publish(object: number, replace: boolean): void;
  /** A text that `openHandle` accepts in other processes while this one has the object open. No child inherits anything. */
  handle(object: number): string;

  /** Bytes of the object now; whether its name still leads to it; who owns it; permission bits. */
  info(object: number): NativeInfo;
  /** What the bytes of the object are stored in, and how much room there is. */
  storage(object: number): NativeStorage;
  /**
   * Makes the object at least that long, with storage for every byte: OUT_OF_SHARED_MEMORY instead of a later crash. Nobody
   * writes to it meanwhile.
   */
  allocate(object: number, bytes: number): void;
  /** Makes a longer object exactly that long. Nobody may have the rest mapped; BUSY when this object is mapped itself. */
  shrink(object: number, bytes: number): void;
  /** Copies what lies at `offset`, without a mapping; fewer bytes than asked for where the object ends. Gives how many. */
  read(object: number, offset: number, into: Uint8Array): number;
  /** Removes the name that the object was opened by, if it still leads to it; false when it does not. */
  remove(object: number): boolean;

  /**
   * Kernel-held locks, numbered 0 … 2^20. `lock` never waits: false when someone else holds it. They are released
   * by the kernel when this environment ends, however it ends. A read-only object can only take shared ones.
   */
  lock(object: number, index: number, shared: boolean): boolean;
  unlock(object: number, index: number): void;
  /** Whether a holder other than this object itself has the lock: in any mode, or only `exclusively`. */
  held(object: number, index: number, exclusively: boolean): boolean;

  /** Maps the object over the whole of `memory` (a view of all bytes of a WebAssembly.Memory). */
  map(object: number, memory: Uint8Array, readOnly: boolean): void;
  /** Puts private zero pages back under `memory`. After it the engine may reuse or free the memory. */
  unmap(object: number): void;
  /** Returns when what was written is on the storage behind the object, and the time of its last change says so. */
  flush(object: number): void;
  /** Sets the time of the last change to now, if the system lets it; never throws for an open object. */
  touch(object: number): void;
  /** Unmaps if mapped, stops watching, drops all locks, closes. The number may be reused. */
  close(object: number): void;

  /** Wakes whoever sleeps on the 32-bit word at `offset` of the mapped object. */
  wake(object: number, offset: number): void;
  /** Sleeps while the word at `offset` equals `expected`, at most `timeoutMs`. May return early. */
  wait(object: number, offset: number, expected: number, timeoutMs: number): void;
  /**
   * Milliseconds since some moment, by a clock that never goes back. It is the system's own: nothing that replaces the
   * timers or the clocks of JavaScript, as test frameworks do, changes it. Processes of one machine read the same clock.
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

  /** Names of the objects with our prefix, without the prefix. */
  list(namespace: number): string[];
  /** Removes the name; the object lives on until its last holder goes. NOT_FOUND when there is none. */
  unlink(name: string, namespace: number): void;
  /** What the system offers for shared memory, for `doctor` and error texts. */
  limits(): NativeLimits;
}

export interface NativeInfo {
  bytes: number;
  /** False once the name was removed or given to a newer object. Always true for anonymous objects. */
  linked: boolean;
  /** The owner is this user or the superuser. */
  trusted: boolean;
  /** By this opening of it, which found nothing. */
  created: boolean;
  /** Numeric user id of the owner (0 where the system has none). */
  owner: number;
  mode: number;
}

/** What bytes are stored in. A number that the system does not know is 0. */
export interface NativeStorage {
  /** What the object takes there now. */
  storedBytes: number;
  totalBytes: number;
  /** For this user. */
  freeBytes: number;
  totalFiles: number;
  freeFiles: number;
  /** It is memory, which counts against limits of memory; else a disk, a network or the like. */
  inMemory: boolean;
  /** A read-only mapping may show a lower layer for ever, which writers do not write to. */
  layered: boolean;
  readOnly: boolean;
}

/** The storage is that of the place where named objects live. */
export interface NativeLimits extends NativeStorage {
  /** E.g. "/dev/shm"; empty where there is no such place. */
  place: string;
  /** Most words one thread can watch; 1 where the kernel has no multi-word wait. */
  wordsPerWatcher: number;
}

export interface NativeError extends Error {
  status: number;
  syscall: string;
  errno: number;
}
