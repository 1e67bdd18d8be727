import { flag, options, type WaitOptions, wrongType } from "./arguments.js";
import { enterWhenReady } from "./arrival.js";
import { Lease } from "./attachment.js";
import { Block, StructView } from "./block.js";
import { filed } from "./file.js";
import { type CreateOptions, type FileOptions, fileMakingOf, makingOf } from "./making.js";
import { segmentName } from "./names.js";
import { Opened } from "./opened.js";
import { enter, type Making, type Mode, type Place } from "./opening.js";
import { removeLocked } from "./patience.js";
import { anonymous, isReadOnly, named, namespaceOf, type OpenOptions, passedOn, staged } from "./places.js";
import { listSegments, pruneSegments, type SegmentInfo, unlinkSegment } from "./removal.js";
import { replace } from "./replacing.js";
import type { Fields } from "./struct.js";

/** The open segments, by the buffers that lie over them; held weakly, so that what is forgotten can be closed. */
const known = new WeakMap<
  ArrayBufferLike,
  { lease: WeakRef<Lease>; segment: WeakRef<Segment>; place: Place }
>();

/**
 * Memory that processes share, under a name. Whoever opens it sees the same bytes; see docs/protocol.md for what lies where.
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
export class Segment extends Opened {
  readonly #lease: Lease;
  readonly #place: Place;

  private constructor(lease: Lease, place: Place) {
    super(lease);
    this.#lease = lease;
    this.#place = place;
    known.set(lease.attachment.u8.buffer, { lease: new WeakRef(lease), segment: new WeakRef(this), place });
  }

  /**
   * Makes a segment of that name.
   *
   * @param name 1 to 200 characters out of A-Z a-z 0-9 _ @ + = ~ , - . (not first)
   * @param given `bytes`: 64 KiB to 4 GiB, rounded up to a multiple of 64 KiB; `mode`: permission bits, default 0o600, exact
   *   whatever the umask; `replace`: make a new generation if the name exists, whose holders then see `stale`;
   *   `participants`: 64 to 1024, in steps of 64, default 64; `namespace`
   * @returns the segment, open for writing
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} ALREADY_EXISTS; INVALID_NAME; ACCESS_DENIED; OUT_OF_SHARED_MEMORY; SEGMENT_FULL when `bytes` are
   *   too few for so many participants; INITIALIZING when a stopped process is in the middle of creating it; NOT_SUPPORTED
   *   where there is no shared memory; SYSTEM
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
    const making = makingOf(given);
    const namespace = namespaceOf(given);
    const place = named(name, namespace, false);
    const attachment = flag("replace", given.replace, false)
      ? replace(place, () => staged(place, namespace, making), making)
      : enter(place, "create", making);
    return new Segment(new Lease(attachment), place);
  }

  /**
   * Opens the segment of that name.
   *
   * @param name as for `create`
   * @param given `access`: "read-only" maps without the right to write, default "read-write"; `namespace`
   * @returns the segment
   * @throws {TypeError | RangeError} naming the argument that does not fit
   * @throws {IsthmusError} NOT_FOUND; ACCESS_DENIED; BAD_MAGIC, VERSION_MISMATCH, LAYOUT_MISMATCH, CORRUPT, BROKEN when it is
   *   not one that this package can use; INITIALIZING as `create`; TOO_MANY_PARTICIPANTS; INVALID_NAME; OUT_OF_SHARED_MEMORY
   *   when there are no addresses left; NOT_SUPPORTED, SYSTEM as `create`
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
    return Segment.#enter(named(name, namespaceOf(given), isReadOnly(given)), "open", undefined);
  }

  /**
   * Opens the segment of that name, or makes it: exactly one of all who call this at once does. The first one's size counts.
   *
   * @param name as for `create`
   * @param given as for `create`, without `replace`
   * @returns the segment, open for writing
   * @throws {IsthmusError} as `create` (but ALREADY_EXISTS) and `open` (but NOT_FOUND)
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.openOrCreate("example-either", { bytes: 1 * MiB });
   * console.log(segment.counter("openers").add());
   * segment.unlink();
   * ```
   */
  static openOrCreate(name: string, given: CreateOptions): Segment {
    const making = makingOf(given);
    return Segment.#enter(named(name, namespaceOf(given), false), "openOrCreate", making);
  }

  static #enter(place: Place, mode: Mode, making: Making | undefined): Segment {
    return new Segment(new Lease(enter(place, mode, making)), place);
  }

  /**
   * Opens the segment in a file, or makes it: it stays when all have closed it, and `root` with it. A file that is larger
   * than `bytes` stays as large; a smaller one is extended if nobody else has it open, else it stays as it is: see
   * `segment.bytes`. docs/persistence.md says what is promised when a process or the machine dies.
   *
   * @param path of a regular file, not of a symbolic link
   * @param given `bytes` to make or extend it, `access`, and `mode` and `participants` as for `create`
   * @returns the segment; its name is the absolute path
   * @throws {IsthmusError} NOT_FOUND when there is no such file, or an empty one, and no `bytes` are given;
   *   ACCESS_DENIED; OUT_OF_SHARED_MEMORY when the disk is full; BAD_MAGIC, CORRUPT when it is no segment or was
   *   truncated; INVALID_NAME for an empty path; TOO_LARGE for one that is too long; others as `open`
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { MiB, Segment, struct } from "isthmus";
   *
   * const State = struct({ runs: "u32" });
   * using segment = Segment.openFile("example-state.isthmus", { bytes: 1 * MiB });
   * segment.root ??= segment.heap.allocate(State.bytes);
   * const state = segment.root?.view(State);
   * state?.set("runs", state.get("runs") + 1);
   * segment.flush();
   * rmSync("example-state.isthmus");
   * ```
   */
  static openFile(path: string, given?: FileOptions): Segment {
    const wish = options<FileOptions>("options", given);
    const readOnly = isReadOnly(wish);
    const place = filed(path, readOnly);
    const wanted = fileMakingOf(wish);
    const making = readOnly ? undefined : wanted;
    return Segment.#enter(place, making ? "openOrCreate" : "open", making);
  }

  /**
   * Opens the segment of that name as soon as it exists and is ready. Never blocks the thread, also while whoever creates or
   * joins it is stopped.
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
    const place = named(name, namespaceOf(given), isReadOnly(given));
    return new Segment(new Lease(await enterWhenReady(place, given)), place);
  }

  /**
   * Makes a segment without a name, for child processes: pass them `segment.handle`.
   *
   * @param given `bytes` and `participants` as for `create`
   * @returns the segment; its memory goes with the last one who has it open
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
    return Segment.#enter(anonymous(), "create", makingOf(given));
  }

  /**
   * Opens an anonymous segment by the handle that its maker passed on.
   *
   * @param handle what `segment.handle` gave in another process
   * @param given `access`
   * @returns the segment
   * @throws {IsthmusError} NOT_FOUND when nobody has it open any more; ACCESS_DENIED; otherwise as `open`
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
    return Segment.#enter(passedOn(handle, isReadOnly(given)), "open", undefined);
  }

  /**
   * All named segments of this machine that this user can see. Needs no lock that could keep anyone waiting.
   *
   * @param given `namespace`
   * @returns one entry for each, in the order of their names
   * @throws {IsthmusError} NOT_SUPPORTED, SYSTEM as `create`
   * @example
   * ```ts
   * import { Segment } from "isthmus";
   *
   * for (const { name, bytes, inUse } of Segment.list()) console.log(name, bytes, inUse);
   * ```
   */
  static list(given?: Pick<OpenOptions, "namespace">): SegmentInfo[] {
    return listSegments(namespaceOf(given));
  }

  /**
   * Removes a name. Who has the segment open keeps it, and sees `stale`. Waits for who is creating or joining it.
   *
   * @param name as for `create`
   * @param given `namespace`
   * @throws {IsthmusError} NOT_FOUND; ACCESS_DENIED; INVALID_NAME; INITIALIZING when such a process is stopped; SYSTEM
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
    unlinkSegment(segmentName(name), namespaceOf(given));
  }

  /**
   * Removes every segment that nobody alive has open and that belongs to this user: the superuser leaves those of others alone.
   * What has the name of a segment and is none stays.
   *
   * @param given `namespace`
   * @returns names of the removed segments
   * @throws {IsthmusError} NOT_SUPPORTED, SYSTEM as `create`
   * @example
   * ```ts
   * import { Segment } from "isthmus";
   *
   * const unused = () => Segment.list().filter(({ inUse }) => !inUse).length;
   * if (unused() > 1000) console.log(Segment.prune());
   * ```
   */
  static prune(given?: Pick<OpenOptions, "namespace">): string[] {
    return pruneSegments(namespaceOf(given));
  }

  /**
   * The open segment that something lies in.
   *
   * @param thing a block, a view of a block, or a typed array or DataView over shared bytes
   * @returns undefined when it lies in none, or the segment was closed
   * @throws {TypeError} when it is none of these
   * @example
   * ```ts
   * import { MiB, Segment } from "isthmus";
   *
   * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
   * const block = segment.heap.allocate(64);
   * console.log(block && Segment.of(block.bytes) === segment, Segment.of(new Uint8Array(8)));
   * ```
   */
  static of(thing: Block | StructView<Fields> | ArrayBufferView): Segment | undefined {
    const shared = thing instanceof Block || thing instanceof StructView || ArrayBuffer.isView(thing);
    if (!shared) throw wrongType("thing", "a block, a view of one, or a typed array", thing);
    const found = known.get(thing.buffer);
    const lease = found?.lease.deref();
    if (!found || !lease || lease.attachment.closed) return undefined;
    return found.segment.deref() ?? new Segment(lease, found.place);
  }

  /**
   * Removes the name, or the file, if it still leads to this segment.
   *
   * @throws {IsthmusError} CLOSED after `close`; ACCESS_DENIED; INITIALIZING when a process that is creating or joining it is
   *   stopped; SYSTEM
   */
  unlink(): void {
    const { attachment } = this.#lease;
    attachment.check(false);
    removeLocked(attachment.region, this.#place);
  }
}
