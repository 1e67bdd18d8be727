import { brand, isBranded } from "../brand.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { openItByItsNameOverThere } from "../host/describe.js";
import { type Attachment, checkMade, type Lease } from "../segment/attachment.js";
import { type Handle, type Reference, releaseHandle } from "./access.js";
import type { PlainValue } from "./reading.js";

/** Gives references back that a program has dropped without `close`. */
const dropped =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry<{ attachment: Attachment; handle: number }>(({ attachment, handle }) => {
        try {
          if (!attachment.closed) releaseHandle(attachment, handle);
        } catch {
          // It comes back when this participant leaves.
        }
      })
    : undefined;

/**
 * A value in shared memory, made by `segment.share`: a `Dict`, a `List`, or a `SharedScalar`. This object is a reference to it.
 * The value stays as long as anything refers to it: such an object in any process, another shared value, or the root of the
 * segment. References of a process that ends, in whatever way, are given back.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const inner = segment.share({ n: 1 });
 * using outer = segment.share([inner, inner]);
 * console.log(inner.refCount); // 3
 * inner.close();
 * console.log(outer.toJSON());
 * ```
 */
export abstract class SharedValue {
  static {
    brand(SharedValue.prototype, "SharedValue");
    disposable(SharedValue.prototype, (value) => value.close());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** @internal */
  readonly reference: Reference;
  readonly #lease: Lease;
  #handle: number;
  #closed = false;

  /** @internal `handle` 0: of a read-only opener, which refers to nothing. */
  constructor(lease: Lease, given: Handle) {
    checkMade(lease, new.target.name, "segment.share(value)");
    const { handle, reference } = given;
    this.#lease = lease;
    this.#handle = handle;
    this.reference = reference;
    if (handle !== 0) dropped?.register(this, { attachment: lease.attachment, handle }, this);
  }

  /** @internal */
  get lease(): Lease {
    return this.#lease;
  }

  /** @internal The attachment, when the value can be used. */
  use(writing: boolean): Attachment {
    const { attachment } = this.#lease;
    attachment.check(writing);
    if (this.#closed)
      throw new IsthmusError(
        "CLOSED",
        "this reference to a shared value was closed; get another one from where it is kept",
      );
    return attachment;
  }

  /** @internal The reference to it, when it is a value of that segment. `name` is what errors call the argument. */
  referenceIn(attachment: Attachment, name: string): Reference {
    const from = this.use(false);
    if (from !== attachment && !attachment.liesUnder(from.u8.buffer))
      throw new TypeError(
        `${name} must be a value of segment "${attachment.name}", got one of segment "${from.name}"`,
      );
    return this.reference;
  }

  /**
   * How many references to the value there are now, in all processes: objects like this one, shared values that contain it,
   * messages of queues, and the root. For display: others may change it at any time.
   *
   * @throws {IsthmusError} CLOSED: this object, or the segment, was closed
   */
  get refCount(): number {
    const { core } = this.use(false);
    return core.valueCount(this.reference.at, this.reference.generation) >>> 0;
  }

  /**
   * Gives the reference back. When it was the last one, the value is freed: a large one bit by bit, with later changes and
   * heartbeats of any process. A second call does nothing. A value whose object the program drops is given back by the garbage
   * collector, sooner or later.
   *
   * @throws {IsthmusError} BUSY when another process had the segment for 5 s
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    dropped?.unregister(this);
    const handle = this.#handle;
    this.#handle = 0;
    releaseHandle(this.#lease.attachment, handle);
  }

  /**
   * As `close`, at the end of a `using` block.
   *
   * @throws as `close`
   */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * A private copy, of all that it contains, too: plain objects, arrays, strings, numbers, BigInts, `Uint8Array`s, `Date`s.
   * While others change the value, each list and dictionary may be copied at another moment.
   */
  abstract toJSON(): PlainValue;
}

/** @internal What proxies stand for. */
export const proxied = new WeakMap<object, SharedValue>();

/** @internal The shared value that something is, or is a proxy of. */
export function sharedUnder(value: unknown): SharedValue | undefined {
  if (isShared(value)) return value;
  return typeof value === "object" && value !== null ? proxied.get(value) : undefined;
}

/**
 * Whether something is a shared value: a `Dict`, a `List` or a `SharedScalar`, whichever copy of the package made it.
 *
 * @param value anything
 * @returns true for what `segment.share` and `get` of shared values return. Never throws.
 * @example
 * ```ts
 * import { isShared, MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * console.log(isShared(segment.share([1, 2])), isShared([1, 2]));
 * ```
 */
export function isShared(value: unknown): value is SharedValue {
  return isBranded(value, "SharedValue");
}
