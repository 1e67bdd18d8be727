import { HEADER_GENERATION_OFFSET } from "../protocol/layout.js";
import { flag, options, signalOf, timeoutOf, type WaitOptions, wrongType } from "./arguments.js";
import { type Attachment, Lease } from "./attachment.js";
import { Block, StructView } from "./block.js";
import { Contents } from "./contents.js";
import { attempt, IsthmusError } from "./errors.js";
import { filed } from "./file.js";
import { native } from "./host/region.js";
import {
  headerOf,
  type Participant,
  participantsOf,
  type SegmentHeader,
  type SegmentState,
  stateOf,
} from "./inspect.js";
import { type CreateOptions, type FileOptions, fileMakingOf, makingOf } from "./making.js";
import { segmentName } from "./names.js";
import { enter, type Making, type Place, replace } from "./opening.js";
import { pauseFor } from "./pause.js";
import {
  type Access,
  anonymous,
  isReadOnly,
  named,
  namespaceOf,
  type OpenOptions,
  passedOn,
  staged,
} from "./places.js";
import { listSegments, pruneSegments, type SegmentInfo } from "./removal.js";
import type { Fields } from "./struct.js";

/** Pauses between looks for a segment that does not exist yet. Milliseconds. */
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 20;

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
export class Segment extends Contents {
  readonly #lease: Lease;
  readonly #place: Place;
  #handle: string | undefined;

  private constructor(lease: Lease, place: Place) {
    super(lease);
    this.#lease = lease;
    this.#place = place;
    known.set(lease.attachment.u8.buffer, { lease: new WeakRef(lease), segment: new WeakRef(this), place });
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /**
   * Makes a segment of that name.
   *
   * @param name 1 to 200 characters out of A-Z a-z 0-9 _ @ + = ~ , - . (not first)
   * @param given `bytes`: 64 KiB to 4 GiB, rounded up to a multiple of 64 KiB; `mode`: permission bits, default 0o600, exact
   *   whatever the umask; `replace`: make a new generation if the name exists, whose holders then see `stale`;
   *   `participants`: 64 to 1024, in steps of 64, default 64; `namespace`
   * @throws {IsthmusError} ALREADY_EXISTS; INVALID_NAME; ACCESS_DENIED; OUT_OF_SHARED_MEMORY; SEGMENT_FULL when `bytes` are
   *   too few for so many participants; INITIALIZING when a stopped process is in the middle of creating it
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
   * @throws {IsthmusError} NOT_FOUND; ACCESS_DENIED; BAD_MAGIC, VERSION_MISMATCH, LAYOUT_MISMATCH, CORRUPT, BROKEN when it is
   *   not one that this package can use; INITIALIZING; TOO_MANY_PARTICIPANTS; INVALID_NAME
   */
  static open(name: string, given?: OpenOptions): Segment {
    return Segment.#enter(named(name, namespaceOf(given), isReadOnly(given)), "open", undefined);
  }

  /**
   * Opens the segment of that name, or makes it: exactly one of all who call this at once does. The first one's size counts.
   *
   * @throws {IsthmusError} as `create` (but ALREADY_EXISTS) and `open` (but NOT_FOUND)
   */
  static openOrCreate(name: string, given: CreateOptions): Segment {
    const making = makingOf(given);
    return Segment.#enter(named(name, namespaceOf(given), false), "openOrCreate", making);
  }

  static #enter(place: Place, mode: "create" | "open" | "openOrCreate", making: Making | undefined): Segment {
    return new Segment(new Lease(enter(place, mode, making)), place);
  }

  /**
   * Opens the segment in a file, or makes it: it stays when all have closed it, and `root` with it. A file that is larger
   * than `bytes` stays as large; a smaller one is extended if nobody else has it open, else it stays as it is: see
   * `segment.bytes`. docs/persistence.md says what is promised when a process or the machine dies.
   *
   * @param path of a regular file, not of a symbolic link
   * @throws {IsthmusError} NOT_FOUND when there is no such file, or an empty one, and no `bytes` are given;
   *   ACCESS_DENIED; OUT_OF_SHARED_MEMORY when the disk is full; BAD_MAGIC, CORRUPT when it is no segment or was
   *   truncated; others as `open`
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
    const readOnly = isReadOnly({ access: wish.access ?? "read-write" });
    const place = filed(path, readOnly);
    const making = readOnly ? undefined : fileMakingOf(wish);
    return Segment.#enter(place, making ? "openOrCreate" : "open", making);
  }

  /**
   * Opens the segment of that name as soon as it exists and is ready.
   *
   * @throws {IsthmusError} TIMED_OUT; otherwise as `open` (but NOT_FOUND and INITIALIZING)
   */
  static async waitFor(name: string, given?: OpenOptions & WaitOptions): Promise<Segment> {
    const signal = signalOf(given);
    const timeoutMs = timeoutOf(given);
    const begin = performance.now();
    for (let pause = LOOK_MS_MIN; ; pause = Math.min(LOOK_MS_MAX, pause * 2)) {
      signal?.throwIfAborted();
      try {
        return Segment.open(name, given);
      } catch (error) {
        if (!(error instanceof IsthmusError) || !["NOT_FOUND", "INITIALIZING"].includes(error.code))
          throw error;
      }
      const left = begin + timeoutMs - performance.now();
      if (left <= 0) {
        throw new IsthmusError("TIMED_OUT", `segment "${name}" did not come to exist within ${timeoutMs} ms`);
      }
      await pauseFor(Math.min(pause, left), signal);
    }
  }

  /**
   * Makes a segment without a name, for child processes: pass them `segment.handle`.
   *
   * @throws {IsthmusError} OUT_OF_SHARED_MEMORY; SEGMENT_FULL
   */
  static createAnonymous(given: Pick<CreateOptions, "bytes" | "participants">): Segment {
    return Segment.#enter(anonymous(), "create", makingOf(given));
  }

  /**
   * Opens an anonymous segment by the handle that its maker passed on.
   *
   * @throws {IsthmusError} NOT_FOUND when nobody has it open any more; ACCESS_DENIED; otherwise as `open`
   */
  static fromHandle(handle: string, given?: Pick<OpenOptions, "access">): Segment {
    return Segment.#enter(passedOn(handle, isReadOnly(given)), "open", undefined);
  }

  /** All named segments of this machine that this user can see. Needs no lock that could keep anyone waiting. */
  static list(given?: Pick<OpenOptions, "namespace">): SegmentInfo[] {
    return listSegments(namespaceOf(given));
  }

  /**
   * Removes a name. Who has the segment open keeps it, and sees `stale`.
   *
   * @throws {IsthmusError} NOT_FOUND; ACCESS_DENIED; INVALID_NAME
   */
  static unlink(name: string, given?: Pick<OpenOptions, "namespace">): void {
    const valid = segmentName(name);
    const namespace = namespaceOf(given);
    attempt(`unlinking segment "${valid}"`, () => native.unlink(valid, namespace));
  }

  /**
   * Removes every segment that nobody alive has open.
   *
   * @returns names of the removed segments
   */
  static prune(given?: Pick<OpenOptions, "namespace">): string[] {
    return pruneSegments(namespaceOf(given));
  }

  /**
   * The open segment that something lies in.
   *
   * @param thing a block, a view of a block, or a typed array or DataView over shared bytes
   * @returns undefined when it lies in none, or the segment was closed
   */
  static of(thing: Block | StructView<Fields> | ArrayBufferView): Segment | undefined {
    const shared = thing instanceof Block || thing instanceof StructView || ArrayBuffer.isView(thing);
    if (!shared) throw wrongType("thing", "a block, a view of one, or a typed array", thing);
    const found = known.get(thing.buffer);
    const lease = found?.lease.deref();
    if (!found || !lease || lease.attachment.closed) return undefined;
    return found.segment.deref() ?? new Segment(lease, found.place);
  }

  /** For a segment in a file its absolute path; empty for anonymous segments. */
  get name(): string {
    return this.#attachment.name;
  }

  get bytes(): number {
    return this.#attachment.bytes;
  }

  get access(): Access {
    return this.#attachment.readOnly ? "read-only" : "read-write";
  }

  /** 1 for the first segment of a name, one more for each that replaced it. */
  get generation(): number {
    this.#attachment.check(false);
    return Number(this.#attachment.view.getBigUint64(HEADER_GENERATION_OFFSET, true));
  }

  /** The name leads to another segment, or nowhere: open it again to get the new one. */
  get stale(): boolean {
    this.#attachment.check(false);
    return this.#attachment.core.isStale() !== 0 || !this.#attachment.region.info().linked;
  }

  get state(): SegmentState {
    this.#attachment.check(false);
    return stateOf(this.#attachment.view);
  }

  get header(): SegmentHeader {
    this.#attachment.check(false);
    return headerOf(this.#attachment.view);
  }

  /** Text by which another process of this user, child or not, opens the segment with `Segment.fromHandle`. */
  get handle(): string {
    this.#attachment.check(false);
    this.#handle ??= attempt("passing on the segment", () => native.handle(this.#attachment.region.object));
    return this.#handle;
  }

  /** Everyone who has the segment open for writing, and those who died with it open and were not replaced yet. */
  participants(): Participant[] {
    this.#attachment.check(false);
    return participantsOf(this.#attachment);
  }

  /** Asks the system to write changes to where the segment lies; for memory-only segments there is nothing to do. */
  flush(): void {
    this.#attachment.check(true);
    attempt("flushing the segment", () => native.flush(this.#attachment.region.object));
  }

  /** Removes the name, or the file, if it still leads to this segment. */
  unlink(): void {
    this.#attachment.check(false);
    if (this.#attachment.region.info().linked) this.#place.remove?.();
  }

  /** Leaves the segment; views of it read zeros from then on. The name stays: see `unlink`. */
  close(): void {
    this.#attachment.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
