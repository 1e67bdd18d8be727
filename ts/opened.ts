import { HEADER_GENERATION_OFFSET } from "../protocol/layout.js";
import type { Attachment, Lease } from "./attachment.js";
import { Contents } from "./contents.js";
import { attempt } from "./errors.js";
import { native } from "./host/region.js";
import {
  headerOf,
  type Participant,
  participantsOf,
  type SegmentHeader,
  type SegmentState,
  stateOf,
} from "./inspect.js";
import type { Access } from "./places.js";

/** An open segment: what it says of itself, and the way out. The ways in are in `segment.ts`. */
export abstract class Opened extends Contents {
  readonly #lease: Lease;
  #handle: string | undefined;

  /** @internal */
  protected constructor(lease: Lease) {
    super(lease);
    this.#lease = lease;
  }

  get #attachment(): Attachment {
    return this.#lease.attachment;
  }

  /** What it is opened by; for a segment in a file its absolute path; empty for anonymous ones. Never throws. */
  get name(): string {
    return this.#attachment.name;
  }

  /** Bytes of the segment, a multiple of 65,536. Never throws. */
  get bytes(): number {
    return this.#attachment.bytes;
  }

  /** What this opener may do. Never throws. */
  get access(): Access {
    return this.#attachment.readOnly ? "read-only" : "read-write";
  }

  /** 1 for a new name, one more than that of the segment which it replaced. @throws {IsthmusError} CLOSED after `close` */
  get generation(): number {
    this.#attachment.check(false);
    return Number(this.#attachment.view.getBigUint64(HEADER_GENERATION_OFFSET, true));
  }

  /** The name leads to another segment, or nowhere: open it again for the new one. @throws {IsthmusError} CLOSED; SYSTEM */
  get stale(): boolean {
    this.#attachment.check(false);
    return this.#attachment.core.isStale() !== 0 || !this.#attachment.region.info().linked;
  }

  /** Whether it is in use. @throws {IsthmusError} CLOSED after `close` */
  get state(): SegmentState {
    this.#attachment.check(false);
    return stateOf(this.#attachment.view);
  }

  /** All that the header says, as it is now. @throws {IsthmusError} CLOSED after `close` */
  get header(): SegmentHeader {
    this.#attachment.check(false);
    return headerOf(this.#attachment.view);
  }

  /**
   * Text by which another process of this user, child or not, opens the segment with `Segment.fromHandle`.
   *
   * @throws {IsthmusError} CLOSED after `close`; NOT_SUPPORTED; SYSTEM
   */
  get handle(): string {
    this.#attachment.check(false);
    this.#handle ??= attempt("passing on the segment", () => native.handle(this.#attachment.region.object));
    return this.#handle;
  }

  /**
   * Everyone who has the segment open for writing, and those who died with it open and were not replaced yet.
   *
   * @returns one entry for each, in the order of their slots
   * @throws {IsthmusError} CLOSED after `close`
   */
  participants(): Participant[] {
    this.#attachment.check(false);
    return participantsOf(this.#attachment);
  }

  /**
   * Asks the system to write changes to where the segment lies; for memory-only segments there is nothing to do.
   *
   * @throws {IsthmusError} CLOSED after `close`; READ_ONLY; EVICTED: this participant was removed; OUT_OF_SHARED_MEMORY when the
   *   disk is full; SYSTEM when it fails
   */
  flush(): void {
    this.#attachment.check(true);
    attempt("flushing the segment", () => native.flush(this.#attachment.region.object));
  }

  /** Leaves the segment; views of it read zeros from then on. The name stays: see `unlink`. Never throws. */
  close(): void {
    this.#attachment.close();
  }

  /** As `close`. Never throws. */
  [Symbol.dispose](): void {
    this.close();
  }
}
