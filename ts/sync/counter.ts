import { CORRUPT, TOO_LARGE } from "../../protocol/errors.js";
import { OBJECT_COUNTER } from "../../protocol/layout.js";
import { COUNTER_MAX } from "../../protocol/limits.js";
import { integer } from "../arguments.js";
import { failure, type IsthmusError } from "../errors.js";
import { describe } from "../host/describe.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { Signal } from "./signal.js";

/**
 * A number that all processes can change, made by `segment.counter`. No update is lost. It is an integer from -(2^53 - 1) to
 * 2^53 - 1, exact in every host. An addition that would leave this range is refused.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const hits = segment.counter("hits");
 * console.log(hits.add(3), hits.exchange(10), hits.compareExchange(10, 0), hits.value);
 * ```
 */
export class Counter extends Signal {
  static {
    describe(Counter.prototype, "Counter", ({ name, value }) => ({ name, value }));
  }

  /** @internal */
  constructor(lease: Lease, name: string) {
    checkMade(lease, "Counter", "segment.counter(name)");
    super(lease, name, OBJECT_COUNTER, {});
  }

  /**
   * The current value.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed; CORRUPT when the word has a number out of range, which no operation
   *   of a counter stores; `exchange` repairs that
   */
  get value(): number {
    const value = this.attachment(false).core.counterValue(this.offset);
    if (!Number.isSafeInteger(value)) throw this.#damaged(value);
    return value;
  }

  /**
   * Adds a number, which may be negative.
   *
   * @param amount an integer from -(2^53 - 1) to 2^53 - 1; default 1
   * @returns the new value
   * @throws {TypeError | RangeError} when the amount is not such a number
   * @throws {IsthmusError} TOO_LARGE when the new value would be out of range: then nothing was added; CLOSED: the segment was
   *   closed; READ_ONLY; EVICTED: this participant was removed
   */
  add(amount = 1): number {
    const { core } = this.attachment(true);
    safe("amount", amount);
    let sum = core.counterAdd(this.offset, amount);
    while (sum === Infinity) sum = core.counterAdd(this.offset, amount); // other participants changed it during each attempt
    if (Number.isNaN(sum)) throw this.#tooLarge(amount);
    return sum;
  }

  #tooLarge(amount: number): IsthmusError {
    const text = `it has ${this.value} now, and holds ${-COUNTER_MAX} to ${COUNTER_MAX}; nothing was added`;
    return failure(TOO_LARGE, `adding ${amount} to counter "${this.name}": ${text}`);
  }

  #damaged(value: number): IsthmusError {
    const text = `counter "${this.name}" holds about ${value}, and no operation stores more than ${COUNTER_MAX}`;
    return failure(CORRUPT, `${text}; counter.exchange(0) repairs it`);
  }

  /**
   * Replaces the value.
   *
   * @param value as for `add`
   * @returns the value before
   * @throws as `add`, without TOO_LARGE
   */
  exchange(value: number): number {
    return this.attachment(true).core.counterExchange(this.offset, safe("value", value));
  }

  /**
   * Replaces the value if it is the expected one.
   *
   * @param expected as for `add`
   * @param value as for `add`
   * @returns the value before; it was replaced if that equals `expected`
   * @throws as `exchange`
   */
  compareExchange(expected: number, value: number): number {
    const { core } = this.attachment(true);
    return core.counterCompareExchange(this.offset, safe("expected", expected), safe("value", value));
  }
}

function safe(argument: string, value: unknown): number {
  return integer(argument, value, -COUNTER_MAX, COUNTER_MAX);
}
