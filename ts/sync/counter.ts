import { OBJECT_COUNTER } from "../../protocol/layout.js";
import { integer } from "../arguments.js";
import { describe } from "../host/describe.js";
import type { Lease } from "../segment/attachment.js";
import { Signal } from "./signal.js";

/**
 * A number that all change together, made by `segment.counter`: no update is lost. Integers of 64 bits; what is read and written
 * here is exact up to 2^53.
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
    super(lease, name, OBJECT_COUNTER, {});
  }

  /** What it is now. @throws {IsthmusError} CLOSED: the segment was closed */
  get value(): number {
    return this.attachment(false).core.counterValue(this.offset);
  }

  /**
   * Adds, or takes away.
   *
   * @param amount an integer from -(2^53 - 1) to 2^53 - 1; default 1
   * @returns the new value
   * @throws {TypeError | RangeError} when it is no such number
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  add(amount = 1): number {
    return this.attachment(true).core.counterAdd(this.offset, safe("amount", amount));
  }

  /**
   * Replaces the value.
   *
   * @param value as for `add`
   * @returns the value before
   * @throws as `add`
   */
  exchange(value: number): number {
    return this.attachment(true).core.counterExchange(this.offset, safe("value", value));
  }

  /**
   * Replaces the value if it is the expected one.
   *
   * @param expected as for `add`
   * @param value as for `add`
   * @returns the value before: it was replaced when that equals `expected`
   * @throws as `add`
   */
  compareExchange(expected: number, value: number): number {
    const { core } = this.attachment(true);
    return core.counterCompareExchange(this.offset, safe("expected", expected), safe("value", value));
  }
}

function safe(argument: string, value: unknown): number {
  return integer(argument, value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}
