import { integer } from "./arguments.js";
import { IsthmusError } from "./errors.js";

/** What a claim needs of its producer. */
export interface Claimant {
  commitClaim(length: number): void;
  abortClaim(): void;
}

/** Room in a ring that its producer fills in place. Ends with `commit` or `abort`. */
export class Claim {
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
   * @throws {IsthmusError} CLOSED when the claim has ended already; EVICTED
   */
  commit(usedLength: number = this.bytes.byteLength): void {
    integer("usedLength", usedLength, 0, this.bytes.byteLength);
    this.#end().commitClaim(usedLength);
  }

  /** Gives the room back; nothing is sent. */
  abort(): void {
    this.#end().abortClaim();
  }

  /** Aborts a claim that was neither committed nor aborted. */
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
