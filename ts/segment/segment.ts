import { options, type WaitOptions, type WaitSyncOptions, waiting, waitingSync } from "../arguments.js";
import { Broadcast, type BroadcastOptions } from "../broadcast/broadcast.js";
import { Cache, type CachedOf, type CacheInputOf } from "../cache/cache.js";
import type { CacheOptions, CacheValues } from "../cache/parameters.js";
import { disposable } from "../disposal.js";
import { attempt } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { native } from "../host/region.js";
import { settleAll } from "../host/under-way.js";
import { Latest } from "../latest/latest.js";
import type { Block } from "../memory/block.js";
import { Heap } from "../memory/heap.js";
import { rootOf, setRoot } from "../memory/root.js";
import { transaction, transactionLock, transactionSync, tryTransaction } from "../memory/transaction.js";
import type { StructView } from "../memory/view.js";
import type { QueueOptions } from "../queue/parameters.js";
import { Queue } from "../queue/queue.js";
import type { ReceivedOf } from "../ring/payload.js";
import { Ring, type RingOptions } from "../ring/ring.js";
import type { ServiceOptions } from "../service/parameters.js";
import { Service } from "../service/service.js";
import type { Fields, Struct } from "../struct/struct.js";
import { Counter } from "../sync/counter.js";
import { type EventOptions, SharedEvent } from "../sync/event.js";
import { type Held, Lock } from "../sync/lock.js";
import { Semaphore, type SemaphoreOptions } from "../sync/semaphore.js";
import type { Dict, List, SharedScalar } from "../values/containers.js";
import { proxy } from "../values/proxy.js";
import { rootValueOf, type SharedOf, setRootValue, share } from "../values/segment-values.js";
import { type SharedValue, sharedUnder } from "../values/shared.js";
import type { Shareable } from "../values/sharing.js";
import { wait } from "../wait/wait.js";
import { type Attachment, checkMade, Lease } from "./attachment.js";
import { listObjects, nameBytes, type ObjectInfo } from "./directory.js";
import {
  generationOf,
  headerOf,
  isStale,
  type Participant,
  participantsOf,
  type SegmentHeader,
  type SegmentState,
  stateOf,
} from "./header.js";
import { KnownSegments } from "./known.js";
import { removeLocked } from "./life/kernel-locks.js";
import type { Location } from "./life/open.js";
import { pruneSegments, unlinkSegment } from "./life/remove.js";
import { listSegments, type SegmentInfo } from "./list.js";
import { objectAwaited } from "./object-awaited.js";
import {
  create,
  createAnonymous,
  type Opened,
  open,
  openAwaited,
  openFile,
  openHandle,
  openOrCreate,
} from "./opening.js";
import {
  type Access,
  type CreateOptions,
  type FileOptions,
  type FileUrl,
  type ListOptions,
  namespaceOf,
  type OpenOptions,
  type PruneOptions,
  pruningOf,
  segmentName,
  selectionOf,
} from "./options.js";

const NAMESPACE_OPTIONS = ["namespace"];
const LIST_OPTIONS = ["prefix", "namespace"];
const PRUNE_OPTIONS = ["prefix", "olderThanMs", "dryRun", "namespace"];

const known = new KnownSegments<Segment>();

/**
 * Memory that processes share under a name. Every process that opens it sees the same bytes. docs/protocol.md describes the
 * layout.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.openOrCreate("example-camera", { bytes: 4 * MiB });
 * console.log(segment.name, segment.bytes, segment.participants().length);
 * segment.unlink();
 * ```
 */
export class Segment {
  static {
    describe(Segment.prototype, "Segment", (segment) => segment.#facts());
    disposable(Segment.prototype, (segment) => segment.close());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #lease: Lease;
  readonly #location: Location;
  #handle: string | undefined;

  private constructor(lease: Lease, location: Location) {
    checkMade(lease, "Segment", "Segment.create, open, openOrCreate, openFile or createAnonymous");
    this.#lease = lease;
    this.#location = location;
    known.add(lease, location, this);
  }

  #facts(): object {
    const { name, access, bytes } = this;
    if (this.#attachment.closed) return { name, bytes, access, state: "closed" };
    const { state, generation, header } = this;
    const participants = this.participants().filter((one) => one.state === "live").length;
    const temporary = header.temporary ? { temporary: true } : {};
    return { name, bytes, access, state, generation, participants, ...temporary };
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /**
   * Creates a segment of that name.
   *
   * @param name 1 to 200 characters out of A-Z a-z 0-9 _ @ + = ~ , - . (not first)
   * @param given `bytes`: 64 KiB to 4 GiB, rounded up to a multiple of 64 KiB; `mode`: permission bits, default 0o600, set
   *   exactly, whatever the umask is; `replace`: create a new generation if the name exists; `participants`: 64 to 1024, in
   *   steps of 64, default 64; `namespace`; `temporary`: the last process that has the segment open removes the name. A process
   *   has it open until `close()`, or until garbage collection finds that no code uses it any more
   * @returns the segment, open for writing
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} ALREADY_EXISTS; INVALID_NAME; ACCESS_DENIED; OUT_OF_SHARED_MEMORY; SEGMENT_FULL when `bytes` are too
   *   few for so many participants; INITIALIZING when a process was stopped while it creates the segment; NOT_SUPPORTED where
   *   there is no shared memory; SYSTEM
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.create("example-made", { bytes: 1 * MiB, replace: true });
   * console.log(segment.generation, segment.header.participants);
   * segment.unlink();
   * ```
   */
  static create(name: string, given: CreateOptions): Segment {
    return Segment.#of(create(name, given));
  }

  /** Makes the object for a new attachment. */
  static #of({ attachment, location }: Opened): Segment {
    const segment = new Segment(new Lease(attachment), location);
    attachment.region.ends();
    return segment;
  }

  /**
   * Opens the segment of that name.
   *
   * @param name as for `create`
   * @param given `access`: "read-only" maps the segment without write access, default "read-write"; `namespace`; `owner`: which
   *   user may be its owner: "self" (this user or the superuser, the default), "any", or the number of a user
   * @returns the segment
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} NOT_FOUND; ACCESS_DENIED; BAD_MAGIC, VERSION_MISMATCH, LAYOUT_MISMATCH, CORRUPT, BROKEN when it is
   *   not a segment that this package can use; INITIALIZING as `create`; TOO_MANY_PARTICIPANTS; INVALID_NAME;
   *   OUT_OF_SHARED_MEMORY when there are no addresses left; NOT_SUPPORTED, SYSTEM as `create`
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.create("example-opened", { bytes: 1 * MiB });
   * using same = Segment.open("example-opened", { access: "read-only" }); // usually in another process
   * console.log(same.access, same.state);
   * segment.unlink();
   * ```
   */
  static open(name: string, given?: OpenOptions): Segment {
    return Segment.#of(open(name, given));
  }

  /**
   * Opens the segment of that name, or creates it. If several processes call this at the same time, exactly one of them creates
   * it, with its `bytes`, `mode` and `temporary`.
   *
   * @param name as for `create`
   * @param given as for `create`, without `replace`
   * @returns the segment, open for writing; it has at least the requested bytes and participants
   * @throws {IsthmusError} OBJECT_MISMATCH when it exists with fewer bytes, or for fewer participants; others as `create` (but
   *   ALREADY_EXISTS) and `open` (but NOT_FOUND)
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.openOrCreate("example-either", { bytes: 1 * MiB });
   * console.log(segment.counter("openers").add());
   * segment.unlink();
   * ```
   */
  static openOrCreate(name: string, given: Omit<CreateOptions, "replace">): Segment {
    return Segment.#of(openOrCreate(name, given));
  }

  /**
   * Opens the segment in a file, or creates it. It stays after all processes have closed it, with its `root`. A file that is
   * larger than `bytes` keeps its size. A smaller one is extended if no other process has it open. While another process has it
   * open, also for reading, it keeps its size, because a mapping cannot be moved: see `segment.bytes`. docs/persistence.md says
   * what is guaranteed when a process or the machine dies.
   *
   * @param path of a regular file, not of a symbolic link; or its URL: `new URL("state.isthmus", import.meta.url)`
   * @param given `bytes` to create or extend it, `access`, and `mode` and `participants` as for `create`
   * @returns the segment; its name is the absolute path
   * @throws {IsthmusError} NOT_FOUND when there is no such file, or an empty one, and no `bytes` are given; ACCESS_DENIED;
   *   OUT_OF_SHARED_MEMORY when the disk is full; BAD_MAGIC, CORRUPT when it is not a segment or was truncated; INVALID_NAME
   *   for an empty path; TOO_LARGE for one that is too long; others as `open`
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { MiB, Segment, struct } from "isthmus";
   *
   * const State = struct({ runs: "u32" });
   * using segment = Segment.openFile("example-state.isthmus", { bytes: 1 * MiB });
   * segment.root ??= segment.heap.allocate(State.bytes);
   * const state = segment.root.view(State);
   * state.set("runs", state.get("runs") + 1);
   * segment.flush();
   * rmSync("example-state.isthmus");
   * ```
   */
  static openFile(path: string | FileUrl, given?: FileOptions): Segment {
    return Segment.#of(openFile(path, given));
  }

  /**
   * Opens the segment of that name as soon as it exists and is ready. Never blocks the thread, even while a process that
   * creates or joins it is stopped.
   *
   * @param name as for `create`
   * @param given as for `open`, how long to wait, and a signal that ends it
   * @returns the segment
   * @throws {IsthmusError} TIMED_OUT; otherwise as `open` (but NOT_FOUND and INITIALIZING)
   * @throws the signal's reason, when it is aborted
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * const waiting = Segment.waitFor("example-awaited", { timeoutMs: 5000 });
   * using segment = Segment.create("example-awaited", { bytes: 1 * MiB }); // usually in another process
   * using same = await waiting;
   * console.log(same.name);
   * segment.unlink();
   * ```
   */
  static async waitFor(name: string, given?: OpenOptions & WaitOptions): Promise<Segment> {
    return openAwaited(name, given, (opened) => Segment.#of(opened));
  }

  /**
   * Creates a segment without a name, for child processes and other processes of this user: pass them `segment.handle`.
   *
   * @param given `bytes` and `participants` as for `create`
   * @returns the segment; its memory is freed when the last process closes it
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} OUT_OF_SHARED_MEMORY; SEGMENT_FULL, NOT_SUPPORTED, SYSTEM as `create`
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
   * using same = Segment.fromHandle(segment.handle); // usually in a child, which got the handle as an argument
   * console.log(same.bytes);
   * ```
   */
  static createAnonymous(given: Pick<CreateOptions, "bytes" | "participants">): Segment {
    return Segment.#of(createAnonymous(given));
  }

  /**
   * Opens a segment by its handle, from a process that has it open.
   *
   * @param handle the `segment.handle` of another process, or of another thread of this one
   * @param given `access`
   * @returns the segment
   * @throws {IsthmusError} NOT_FOUND when the process that gave the handle has closed the segment or ended (on Windows: when no
   *   process has it open), or is not visible from this pid namespace; ACCESS_DENIED for another user; otherwise as `open`
   * @example
   * ```ts
   * import { execFileSync } from "node:child_process";
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
   * const child = 'const { Segment } = require("isthmus"); Segment.fromHandle(process.argv[1]).counter("hits").add();';
   * execFileSync(process.execPath, ["-e", child, segment.handle], { stdio: "inherit" });
   * console.log(segment.counter("hits").value);
   * ```
   */
  static fromHandle(handle: string, given?: Pick<OpenOptions, "access">): Segment {
    return Segment.#of(openHandle(handle, given));
  }

  /**
   * Lists the named segments of this machine that this user can see. It takes no lock in a segment, and writes to none.
   *
   * @param given `prefix`: only names that begin with it; `namespace`
   * @returns one entry for each, in the order of their names
   * @throws {IsthmusError} NOT_SUPPORTED, SYSTEM as `create`
   * @example
   * ```ts
   * import { Segment } from "isthmus";
   *
   * for (const { name, bytes, inUse } of Segment.list()) console.log(name, bytes, inUse);
   * ```
   */
  static list(given?: ListOptions): SegmentInfo[] {
    return listSegments(selectionOf(options<ListOptions>("options", given, LIST_OPTIONS)));
  }

  /**
   * Removes a name. Processes that have the segment open keep it; for them, `stale` is true. Waits while a process creates or
   * joins the segment.
   *
   * @param name as for `create`
   * @param given `namespace`
   * @throws {IsthmusError} NOT_FOUND; ACCESS_DENIED; INVALID_NAME; INITIALIZING when that process is stopped; SYSTEM
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.create("example-unlinked", { bytes: 1 * MiB });
   * Segment.unlink("example-unlinked");
   * console.log(segment.stale);
   * ```
   */
  static unlink(name: string, given?: Pick<OpenOptions, "namespace">): void {
    options("options", given, NAMESPACE_OPTIONS);
    unlinkSegment(segmentName(name), namespaceOf(given));
  }

  /**
   * Removes every segment that belongs to this user and that no live process has open. This also holds for the superuser. An
   * object that is not a segment stays. Other programs of this user may need their unused segments later, so pass a `prefix` or
   * an age unless there are no such programs.
   *
   * @param given `prefix`: only names that begin with it; `olderThanMs`: only segments that were last used at least so long
   *   ago; `dryRun`: remove nothing; `namespace`
   * @returns names of the removed segments, in order; with `dryRun` of those that would be removed
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} NOT_SUPPORTED, SYSTEM as `create`
   * @example
   * ```ts
   * import { Segment } from "isthmus";
   *
   * const old = { prefix: "example-", olderThanMs: 24 * 3600 * 1000 };
   * console.log(Segment.prune({ ...old, dryRun: true }), Segment.prune(old));
   * ```
   */
  static prune(given?: PruneOptions): string[] {
    return pruneSegments(pruningOf(options<PruneOptions>("options", given, PRUNE_OPTIONS)));
  }

  /**
   * Returns the open segment that contains a block, view or array. If raw bytes of a segment were handed out, this finds the
   * segment by them as long as it is open, even after the program has dropped all its other objects. So it can still be closed.
   *
   * @param viewOrBlock a block, a view of a block, or a typed array or DataView over shared bytes
   * @returns the segment; undefined when there is none, or it was closed
   * @throws {TypeError} when it is none of these
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
   * const block = segment.heap.allocate(64);
   * console.log(Segment.containing(block) === segment, Segment.containing(new Uint8Array(8)));
   * ```
   */
  static containing(viewOrBlock: Block | StructView<Fields> | ArrayBufferView): Segment | undefined {
    return known.containing(viewOrBlock, (lease, location) => new Segment(lease, location));
  }

  /** Its name; for a segment in a file, the absolute path; empty for an anonymous segment. Never throws. */
  get name(): string {
    return this.#attachment.name;
  }

  /** Bytes of the segment, a multiple of 65,536. Never throws. */
  get bytes(): number {
    return this.#attachment.bytes;
  }

  /** The access of this opener. Never throws. */
  get access(): Access {
    return this.#attachment.readOnly ? "read-only" : "read-write";
  }

  /**
   * 1 for a new name; if it replaced another segment, the generation of that one plus 1. @throws {IsthmusError} CLOSED after
   * `close`
   */
  get generation(): number {
    this.#attachment.check(false);
    return generationOf(this.#attachment.view);
  }

  /**
   * Whether the name no longer leads to this segment: open it again to get the new one. It is also true for a read-only opener
   * of a file on overlayfs after a writer has caused the file to be copied to the upper layer, because writers do not write to
   * its bytes any more.
   *
   * @throws {IsthmusError} CLOSED after `close`; SYSTEM
   */
  get stale(): boolean {
    this.#attachment.check(false);
    return isStale(this.#attachment);
  }

  /** Whether it is in use. @throws {IsthmusError} CLOSED after `close` */
  get state(): SegmentState {
    this.#attachment.check(false);
    return stateOf(this.#attachment.view);
  }

  /** The current header. @throws {IsthmusError} CLOSED after `close` */
  get header(): SegmentHeader {
    this.#attachment.check(false);
    return headerOf(this.#attachment.view);
  }

  /**
   * A text with which other processes of this user, and workers of this one, can open the segment by `Segment.fromHandle`:
   * child processes, and any other process that gets the text. It works as long as this process has the segment open. A process
   * that has opened the segment can pass on its own handle, so the first process may end. A child inherits nothing: it has the
   * memory only after it has opened the handle. Other users cannot open it: share a named segment with them.
   *
   * @throws {IsthmusError} CLOSED after `close`; NOT_SUPPORTED; SYSTEM
   */
  get handle(): string {
    this.#attachment.check(false);
    this.#handle ??= attempt("passing on the segment", () => native.handle(this.#attachment.region.object));
    return this.#handle;
  }

  /**
   * The participants that have the segment open for writing, and those that died with it open and whose slots are not used
   * again yet.
   *
   * @returns one entry for each, in the order of their slots
   * @throws {IsthmusError} CLOSED after `close`
   */
  participants(): Participant[] {
    this.#attachment.check(false);
    return participantsOf(this.#attachment);
  }

  /**
   * Writes changes to the storage of the file. For a segment in memory, it does nothing.
   *
   * @throws {IsthmusError} CLOSED after `close`; READ_ONLY; EVICTED: this participant was removed; OUT_OF_SHARED_MEMORY when the
   *   disk is full; SYSTEM when it fails
   */
  flush(): void {
    this.#attachment.check(true);
    attempt("flushing the segment", () => native.flush(this.#attachment.region.object));
  }

  /**
   * Lists its named objects, in the order of their creation. Takes no lock.
   *
   * @returns type, parameters and current state of each
   * @throws {IsthmusError} CLOSED: the segment was closed
   */
  objects(): ObjectInfo[] {
    this.#attachment.check(false);
    return listObjects(this.#attachment);
  }

  /**
   * Opens the ring of that name, or creates it. Without a capacity, it creates none.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given the capacity, and the layout of the records
   * @returns the ring; call `producer` or `consumer` to get an end
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} OBJECT_MISMATCH when it exists with other parameters or as another object; SEGMENT_FULL when there is
   *   no room for it; NOT_FOUND when there is none and no capacity is given, or the opener is read-only; INVALID_NAME; CLOSED:
   *   the segment was closed; EVICTED: this participant was removed; BUSY inside a transaction, or when another process had the
   *   directory for 5 s; CORRUPT when the directory is damaged
   */
  ring<F extends Fields = never>(name: string, given?: RingOptions<F>): Ring<ReceivedOf<F>, F> {
    return new Ring(this.#lease, name, given);
  }

  /**
   * Opens the queue of that name, or creates it. Without `capacity` and `slotBytes` it only opens: it has the parameters of its
   * creation. `segment.waitForObject(name)` waits until another process has created it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given how many messages it holds and how large they are, their layout, and what happens to those whose taker dies
   * @returns the queue
   * @throws as `ring`
   */
  queue<F extends Fields = never>(name: string, given?: QueueOptions<F>): Queue<ReceivedOf<F>, F> {
    return new Queue(this.#lease, name, given);
  }

  /**
   * Opens the broadcast of that name, or creates it. Without `bytes`, it creates none.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given bytes for records, and the layout of the records
   * @returns the broadcast; call `publisher` or `subscriber`
   * @throws as `ring`
   */
  broadcast<F extends Fields = never>(
    name: string,
    given?: BroadcastOptions<F>,
  ): Broadcast<ReceivedOf<F>, F> {
    return new Broadcast(this.#lease, name, given);
  }

  /**
   * Opens the cache of that name, or creates it. Without `bytes` it only opens: it has the parameters of its creation.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given `bytes`: 4 KiB to almost 2 GiB; `ttlMs`: when entries expire by default; `evict`: "lru" or "none"; `value`:
   *   "bytes", "json", or a layout
   * @returns the cache
   * @throws {TypeError | RangeError} when a parameter does not fit, or an option is not known
   * @throws {IsthmusError} NOT_FOUND without `bytes`, if there is none; OBJECT_MISMATCH: the name belongs to another kind of
   *   object, or the cache has other parameters; SEGMENT_FULL; INVALID_NAME; BUSY; CLOSED: the segment was closed; EVICTED
   */
  cache<V extends CacheValues = "bytes">(
    name: string,
    given?: CacheOptions<V>,
  ): Cache<CachedOf<V>, CacheInputOf<V>> {
    return new Cache(this.#lease, name, given);
  }

  /**
   * Opens the service of that name, or creates it. Without the three numbers it only opens: it has the parameters of its
   * creation. `segment.waitForObject(name)` waits until another process has created it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given how large requests and responses are, how many calls there can be, and what happens to those whose server dies
   * @returns the service; call it, or serve it
   * @throws as `ring`
   */
  service(name: string, given?: ServiceOptions): Service {
    return new Service(this.#lease, name, given);
  }

  /**
   * Opens the latest value of that name, or creates it, without a value.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param layout a layout made by `struct`
   * @returns the latest value
   * @throws as `ring`
   */
  latest<F extends Fields>(name: string, layout: Struct<F>): Latest<F> {
    return new Latest(this.#lease, name, layout);
  }

  /**
   * Opens the lock of that name, or creates it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @returns the lock
   * @throws as `ring`
   */
  lock(name: string): Lock {
    return new Lock(this.#lease, name);
  }

  /**
   * Opens the semaphore of that name, or creates it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given number of units at its creation
   * @returns the semaphore
   * @throws as `ring`
   */
  semaphore(name: string, given: SemaphoreOptions): Semaphore {
    return new Semaphore(this.#lease, name, given);
  }

  /**
   * Opens the event of that name, or creates it.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given whether it is signaled when it is created
   * @returns the event
   * @throws as `ring`
   */
  event(name: string, given?: EventOptions): SharedEvent {
    return new SharedEvent(this.#lease, name, given);
  }

  /**
   * Opens the counter of that name, or creates it with the value 0.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @returns the counter
   * @throws as `ring`
   */
  counter(name: string): Counter {
    return new Counter(this.#lease, name);
  }

  /** The heap: blocks of memory in this segment. Never throws. */
  get heap(): Heap {
    return new Heap(this.#lease);
  }

  /**
   * The root block, from which a program finds everything else in the heap; undefined when none was set. Set it to a block in
   * use of this segment, from any opener of it, to a shared value, or to undefined. Reading a block takes no lock: see
   * docs/pitfalls.md. If the root is a shared value, that is what it gives, as `rootValue`, which has the type of values.
   *
   * @throws {TypeError} when it is set to something else
   * @throws {IsthmusError} CLOSED: the segment was closed. When it is set also READ_ONLY; NOT_FOUND when the block is not in use;
   *   BUSY when another process had the heap for 5 s; TOO_LARGE in a transaction that changes too much; EVICTED. When it is a
   *   shared value also as `rootValue`
   */
  get root(): Block | undefined {
    // A union with the types of values would make each program check what it knows: whether it shares values or blocks.
    return rootOf(this.#attachment, this.heap) ?? (rootValueOf(this.#lease) as Block | undefined);
  }

  set root(root: Block | SharedValue | undefined) {
    const shared = sharedUnder(root);
    if (shared) setRootValue(this.#attachment, shared);
    else setRoot(this.#attachment, root as Block | undefined);
  }

  /**
   * The shared value that was set as `root`; undefined when there is none, or the root is a block. Each time it is another
   * object, with a reference of its own: see `close` of it.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed; SEGMENT_FULL when there is no room for the reference; BUSY inside a
   *   transaction, or when another process had the heap for 5 s; EVICTED; CORRUPT
   */
  get rootValue(): Dict | List | SharedScalar | undefined {
    return rootValueOf(this.#lease);
  }

  /**
   * Puts a value into shared memory: strings, numbers, BigInts, booleans, null, bytes, `Date`s, arrays, plain objects and Maps,
   * nested as they are; what occurs twice becomes one value. Arrays become a `List`, objects and Maps a `Dict`, which any
   * process reads and changes; anything else a `SharedScalar`. docs/values.md has the details.
   *
   * @param value what to share
   * @returns an object for the value in shared memory, which refers to it until it is closed
   * @throws {TypeError} when something in it cannot be shared, naming where: `value.list[2]`; when it contains itself
   * @throws {RangeError} when a key is longer than 1 MiB
   * @throws {IsthmusError} SEGMENT_FULL: then nothing of it stays; READ_ONLY; CLOSED: the segment was closed; BUSY inside a
   *   transaction, or when another process had the heap for 5 s; EVICTED: this participant was removed; CORRUPT
   */
  share<T extends Shareable>(value: T): SharedOf<T> {
    return share(this.#lease, value);
  }

  /**
   * A shared list or dictionary that is used like a plain array or object: reading, writing, `in`, `delete`, `for…in`, spread,
   * methods of arrays, `JSON.stringify`. What it contains is such an object, too. One value is one object, as long as somebody
   * has it. Each property that is read or written is one operation of a `Dict` or `List`; `push` and `pop` are one, too. Other
   * methods of arrays are several: other processes may come in between. It is slower than a `Dict`, whose `get` and `set` it
   * calls.
   *
   * @param value a `Dict` or `List` of this segment; or an array, plain object or Map, which is shared first
   * @returns the object. It is a reference of its own to the value, which comes back when the garbage collector finds that nobody
   *   has it, or the segment is closed. Its operations throw what `get` and `set` of a `Dict` throw: what cannot be shared is a
   *   TypeError that names where it is: `value.name[2]`
   * @throws {TypeError} when it is no such value
   * @throws {IsthmusError} as `share`; NOT_FOUND when the value is gone
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
   * const state = segment.proxy<{ users: { name: string }[]; count?: number }>({ users: [] });
   * state.users.push({ name: "a" });
   * state.count = state.users.length;
   * console.log(state, JSON.stringify(state), "count" in state, Object.keys(state));
   * ```
   */
  proxy<T extends object = { [key: string]: unknown }>(value: Dict | List | T): T {
    return proxy(this.#lease, value) as T;
  }

  /**
   * Runs a function while it holds the lock exclusively. Its writes happen completely or not at all: if the function throws or
   * its process dies, they are undone. This covers `write` and `set` of views, `Block.write`, allocating, freeing and `root`.
   * It does not cover plain writes to `Block.bytes`, rings, latest values, semaphores, events and counters. Open objects before
   * the transaction, not inside. Other participants cannot allocate meanwhile, so keep it short.
   *
   * Waiting for the lock, and for other participants that change the heap, does not block the event loop. The function itself
   * is synchronous.
   *
   * @param lock the lock that guards the data, which the call acquires; or a hold of it, in which the call nests an exclusive
   *   hold
   * @param body a synchronous function. An async function or a generator is refused before it runs. If it returns a promise,
   *   its changes are undone, and nothing guards what it does later
   * @param given how long to wait, and a signal that ends it
   * @returns what the function returns
   * @throws what the function throws, and the signal's reason, when it is aborted before the function runs
   * @throws {TypeError} when the lock is not one of this opener, or the function is async, a generator, or returns a promise
   * @throws {IsthmusError} TIMED_OUT; TOO_LARGE when it changes more than the journal holds; OWNER_DIED when a holder of the lock
   *   died outside of a transaction; BUSY when it is called inside a transaction, or, without a `timeoutMs`, when another process
   *   had the heap for 5 s; CORRUPT when the heap is damaged; DEADLOCK when another holder waits to upgrade the hold's lock;
   *   BROKEN, READ_ONLY, CLOSED, EVICTED as `lock.acquire`
   * @example
   * ```ts
   * import { MiB, Segment, struct } from "isthmus";
   *
   * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
   * const lock = segment.lock("accounts");
   * const accounts = segment.heap.allocate(8).view(struct({ from: "u32", to: "u32" }));
   * await segment.transaction(lock, () => {
   *   accounts.set("from", 3);
   *   accounts.set("to", 7);
   * });
   * console.log(accounts.read());
   * ```
   */
  async transaction<T>(lock: Lock | Held, body: () => T, given?: WaitOptions): Promise<T> {
    const how = waiting(given);
    return transaction(this.#attachment, transactionLock(lock), body, how);
  }

  /**
   * As `transaction`, blocking the thread while it waits.
   *
   * @param lock as for `transaction`
   * @param body as for `transaction`
   * @param given how long to wait
   * @returns what the function returns
   * @throws as `transaction`
   * @throws {IsthmusError} as `transaction`; DEADLOCK also where `lock.acquireSync` or `held.acquireSync` throws it
   */
  transactionSync<T>(lock: Lock | Held, body: () => T, given?: WaitSyncOptions): T {
    const how = waitingSync(given);
    return transactionSync(this.#attachment, transactionLock(lock), body, how);
  }

  /**
   * As `transaction`, but runs only if the lock is free and no other participant changes the heap now. If the function returns
   * a value, you can tell whether it ran.
   *
   * @param lock as for `transaction`
   * @param body as for `transaction`
   * @returns what the function returns; undefined when it did not run
   * @throws as `transaction`
   * @throws {IsthmusError} as `transaction`, without those of a wait
   */
  tryTransaction<T>(lock: Lock | Held, body: () => T): T | undefined {
    return tryTransaction(this.#attachment, transactionLock(lock), body);
  }

  /**
   * Waits until an object of that name exists.
   *
   * @param name 1 to 80 bytes in UTF-8, without NUL
   * @param given how long to wait, and a signal that ends it
   * @returns its type, parameters and current state
   * @throws {IsthmusError} TIMED_OUT; INVALID_NAME; CLOSED: the segment was closed
   * @throws the signal's reason, when it is aborted
   */
  async waitForObject(name: string, given?: WaitOptions): Promise<ObjectInfo> {
    nameBytes(name);
    const how = waiting(given);
    this.#attachment.check(false);
    return wait(this.#attachment, objectAwaited(this.#lease, name), how);
  }

  /**
   * Removes the name, or the file, if it still leads to this segment.
   *
   * @throws {IsthmusError} CLOSED after `close`; ACCESS_DENIED; INITIALIZING when a process was stopped while it creates or
   *   joins it; SYSTEM
   */
  unlink(): void {
    const { attachment } = this.#lease;
    attachment.check(false);
    settleAll();
    removeLocked(attachment.region, this.#location);
  }

  /** Closes the segment. Afterwards, views of it read zeros. The name stays: see `unlink`. Never throws. */
  close(): void {
    this.#attachment.close();
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}
