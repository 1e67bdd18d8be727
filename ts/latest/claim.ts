import { OURS } from "../arguments.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { StructView } from "../memory/view.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import type { Fields, Struct } from "../struct/struct.js";

/** @internal Where a claimed value is written, and the functions that end the claim. */
export interface ClaimedSlot {
  /** The memory in which the value lies: the segment's, or private memory. */
  readonly memory: DataView;
  /** Offset in this memory: bytes. */
  readonly offset: number;
  /** The memory is that of the segment. */
  readonly shared: boolean;
  commit(): void;
  abort(): void;
}

/** The claim whose end was begun and is not over: cut off, unless it is on the stack. */
let ending: { settleLeftOver(): void } | undefined;

/** @internal Ends a claim whose end was cut off, so that who claims next has the value alone. */
export function settleClaim(): void {
  ending?.settleLeftOver();
}

/**
 * The next value of a `Latest`, written in place: `latest.claim()`. Readers see the previous value until `commit`. A claim that
 * ends without `commit` writes nothing: by `abort`, at the end of a `using` block, when the segment is closed, or when the
 * process dies.
 *
 * @example
 * ```ts
 * import { Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
 * const cloud = segment.latest("cloud", struct({ count: "u32", points: ["f32", 3000] }));
 * using value = cloud.claim();
 * value.view.set("count", 2);
 * value.view.array("points").fill(0).set([1, 2, 3, 4, 5, 6]);
 * value.commit();
 * console.log(cloud.read()?.count, cloud.version);
 * ```
 */
export class LatestClaim<F extends Fields> {
  static {
    describe(LatestClaim.prototype, "LatestClaim", (claim) => ({
      byteLength: claim.#bytes,
      state: claim.#open ? "open" : "ended",
    }));
    disposable(LatestClaim.prototype, (claim) => claim.abort());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Writes the fields in place, as the view of a block does, but not in transactions. Throws CLOSED after the end. */
  readonly view: StructView<F>;
  readonly #attachment: Attachment;
  readonly #slot: ClaimedSlot;
  readonly #bytes: number;
  #open = true;
  #ending = false;

  /** @internal */
  constructor(lease: Lease, layout: Struct<F>, slot: ClaimedSlot) {
    checkMade(lease, "LatestClaim", "latest.claim()");
    const { attachment } = lease;
    this.#attachment = attachment;
    this.#slot = slot;
    this.#bytes = layout.bytes;
    const { memory, offset } = slot;
    const u8 = new Uint8Array(memory.buffer);
    this.view = new StructView(
      OURS,
      {
        memory,
        offset,
        check: () => this.#check(),
        changing() {},
        copyIn: (bytes, at) => u8.set(bytes, at),
        shareMemory: () => this.#shareMemory(),
      },
      layout,
    );
    attachment.parts.add(this);
  }

  #check(): void {
    this.#attachment.check(true);
    if (!this.#open) {
      throw new IsthmusError("CLOSED", "the claim has ended; write the next value with another one");
    }
  }

  #shareMemory(): void {
    if (this.#slot.shared) this.#attachment.rawBytesGiven = true;
  }

  /** @internal Whether the claim blocks writes to the latest value that lies between two offsets of the segment. */
  occupies(begin: number, end: number): boolean {
    return this.#slot.shared && this.#slot.offset >= begin && this.#slot.offset < end;
  }

  /**
   * The bytes of the value, in the layout of `view.layout`. They are in shared memory if the value has more than 256 bytes. Do
   * not use them after the claim has ended, because another value is written there then.
   *
   * @throws {IsthmusError} CLOSED after the end, or when the segment was closed; EVICTED: this participant was removed
   */
  get bytes(): Uint8Array {
    this.#check();
    this.#shareMemory();
    const { buffer } = this.#slot.memory;
    return new Uint8Array(buffer, this.#slot.offset, this.#bytes);
  }

  /**
   * Makes the value the newest one. Fields that you have not written contain data of an older value.
   *
   * @throws {IsthmusError} CLOSED after the end, or when the segment was closed; EVICTED: this participant was removed
   */
  commit(): void {
    this.#check();
    this.#begin();
    try {
      this.#slot.commit();
    } catch (error) {
      this.settleLeftOver();
      throw error;
    }
    this.#over();
  }

  /** Ends the claim without writing a value. Does nothing after the end. Never throws. */
  abort(): void {
    if (!this.#open) return;
    this.#begin();
    this.settleLeftOver();
  }

  /** From now on the claim ends, whatever is cut off: by who claims next, the heartbeat, or when the segment is closed. */
  #begin(): void {
    settleClaim();
    this.#open = false;
    this.#ending = true;
    ending = this;
  }

  /** @internal */
  settleLeftOver(): void {
    if (!this.#ending) return;
    if (!this.#attachment.closed) this.#slot.abort();
    this.#over();
  }

  #over(): void {
    this.#ending = false;
    ending = undefined;
    this.#attachment.parts.delete(this);
  }

  /** As `abort`. Never throws. */
  close(): void {
    this.abort();
    this.settleLeftOver();
  }

  /** As `abort`. Never throws. */
  [Symbol.dispose](): void {
    this.abort();
  }
}
