import { integer } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";

/** @internal What a claim needs of its producer. */
export interface Claimant {
  commitClaim(length: number): void;
  abortClaim(): void;
}

/**
 * Room in a ring that its producer fills in place, made by `producer.tryClaim`. Ends with `commit` or `abort`; until then nothing
 * else is sent.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const ring = segment.ring("pixels", { bytes: 1 * MiB });
 * const claim = ring.producer().tryClaim(1024);
 * claim?.bytes.fill(7, 0, 512);
 * claim?.commit(512);
 * console.log(ring.consumer().tryReceive()?.length);
 * ```
 */
export class Claim {
  static {
    describe(Claim.prototype, "Claim", ({ bytes }) => ({ byteLength: bytes.byteLength }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** The claimed bytes, in shared memory: write the payload here. Not to be used after `commit` or `abort`. */
  readonly bytes: Uint8Array;
  #producer: Claimant | undefined;

  /** @internal */
  constructor(producer: Claimant, bytes: Uint8Array) {
    this.#producer = producer;
    this.bytes = bytes;
  }

  /**
   * Sends what was written.
   *
   * @param usedLength bytes from the start that make up the record, 0 to the claimed length (the default)
   * @throws {TypeError | RangeError} when it is no such number; the claim stays open
   * @throws {IsthmusError} CLOSED when the claim has ended already, or its producer was closed; EVICTED: this participant was
   *   removed; CORRUPT when the ring is damaged
   */
  commit(usedLength: number = this.bytes.byteLength): void {
    integer("usedLength", usedLength, 0, this.bytes.byteLength);
    this.#end().commitClaim(usedLength);
  }

  /**
   * Gives the room back; nothing is sent.
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

  #end(): Claimant {
    const producer = this.#producer;
    if (!producer)
      throw new IsthmusError("CLOSED", "this claim was committed or aborted already; claim again");
    this.#producer = undefined;
    return producer;
  }
}
