import { checkOurs, integer, OURS } from "../arguments.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { StructView } from "../memory/view.js";
import type { Attachment } from "../segment/attachment.js";
import type { Fields, Struct } from "../struct/struct.js";
import type { ViewOf } from "./payload.js";

/** @internal What a claim needs of its producer. */
export interface Claimant {
  readonly attachment: Attachment;
  readonly layout: Struct<Fields> | undefined;
  commitClaim(length: number): void;
  abortClaim(): void;
}

/**
 * Room in a ring that its producer fills in place, made by `producer.claim` and its other forms, or in a broadcast, made by
 * `publisher.claim`. It ends with `commit` or `abort`. Until then this end sends nothing else. At first the bytes contain data of
 * an older record.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("pixels", { bytes: 1 * MiB });
 * using claim = await ring.producer().claim(1024);
 * claim.bytes.fill(7, 0, 512);
 * claim.commit(512);
 * console.log(ring.consumer().tryReceive()?.length);
 * ```
 */
export class Claim<F extends Fields = never> {
  static {
    describe(Claim.prototype, "Claim", (claim) =>
      claim.#producer ? { byteLength: claim.#length } : { state: "ended" },
    );
    disposable(Claim.prototype, (claim) => (claim.#producer ? claim.abort() : undefined));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #attachment: Attachment;
  readonly #from: number;
  readonly #length: number;
  readonly #layout: Struct<Fields> | undefined;
  #producer: Claimant | undefined;
  #bytes: Uint8Array | undefined;

  /** @internal */
  constructor(by: typeof OURS, producer: Claimant, from: number, length: number) {
    checkOurs(by, "Claim", "producer.claim(length), or publisher.claim(length)");
    this.#attachment = producer.attachment;
    this.#layout = producer.layout;
    this.#producer = producer;
    this.#from = from;
    this.#length = length;
  }

  /**
   * The claimed bytes, in shared memory: write the payload here. Do not use them after `commit` or `abort`, because they may
   * belong to another record then.
   *
   * @throws {IsthmusError} CLOSED when the claim has ended already
   */
  get bytes(): Uint8Array {
    this.#check();
    if (this.#bytes) return this.#bytes;
    this.#bytes = this.#attachment.giveBytes(this.#from, this.#length);
    return this.#bytes;
  }

  /**
   * The fields of the value, to be written in place, like those of a block, but outside of transactions. undefined without a
   * layout.
   *
   * @throws {IsthmusError} CLOSED when the claim has ended already
   */
  get view(): ViewOf<F> {
    this.#check();
    return this.#view() as ViewOf<F>;
  }

  #view(): StructView<Fields> | undefined {
    const attachment = this.#attachment;
    if (this.#layout === undefined) return undefined;
    return new StructView(
      OURS,
      {
        memory: attachment.view,
        offset: this.#from,
        check: (writing) => {
          attachment.check(writing);
          this.#check();
        },
        changing() {},
        copyIn: attachment.copyIn,
        shareMemory() {
          attachment.rawBytesGiven = true;
        },
      },
      this.#layout,
    );
  }

  /**
   * Sends the record.
   *
   * @param usedLength bytes from the start that make up the record, 0 to the claimed length (the default); all of them with a
   *   layout
   * @throws {TypeError | RangeError} when it is not such a number; the claim stays open
   * @throws {IsthmusError} CLOSED when the claim has ended already, or this end was closed; EVICTED: this participant was
   *   removed; CORRUPT when the object is damaged
   */
  commit(usedLength: number = this.#length): void {
    integer("usedLength", usedLength, this.#layout ? this.#length : 0, this.#length);
    this.#end().commitClaim(usedLength);
  }

  /**
   * Gives the room back without sending a record.
   *
   * @throws {IsthmusError} CLOSED when the claim has ended already
   */
  abort(): void {
    this.#end().abortClaim();
  }

  /** Aborts a claim that was neither committed nor aborted. Never throws. */
  [Symbol.dispose](): void {
    if (this.#producer) this.abort();
  }

  #check(): Claimant {
    if (this.#producer) return this.#producer;
    throw new IsthmusError("CLOSED", "this claim was committed or aborted already; claim again");
  }

  #end(): Claimant {
    const producer = this.#check();
    this.#producer = undefined;
    return producer;
  }
}
