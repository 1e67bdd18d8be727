import { MESSAGE_HEADER_BYTES } from "../../protocol/layout.js";
import { bytesOf, checkOurs, OURS } from "../arguments.js";
import type { PrivateBytes } from "../bytes.js";
import { disposable } from "../disposal.js";
import { IsthmusError } from "../errors.js";
import { copierTo, LARGE_BYTES_MIN } from "../host/copy.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { StructView } from "../memory/view.js";
import type { ViewOf } from "../ring/payload.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import type { Fields, Struct } from "../struct/struct.js";
import { type Dict, type List, type SharedScalar, wrap } from "../values/containers.js";
import type { QueueSlots } from "./slots.js";

/**
 * A message that was taken from a queue, made by `queue.take`, `queue.drain` and their other forms. It belongs to this process
 * until `done` or `giveBack`. If the process dies before, the queue delivers it again, or drops it, as it was made. A job that is
 * forgotten keeps its message until the segment is closed: use `using`, which gives it back unless it is done.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 4 * MiB });
 * const queue = segment.queue("jobs", { capacity: 100, slotBytes: 256 });
 * queue.trySend(new TextEncoder().encode("resize"));
 * {
 *   using job = await queue.take();
 *   console.log(new TextDecoder().decode(job.copy()), job.deliveries);
 *   job.done();
 * }
 * console.log(queue.stats.received);
 * ```
 */
export class Job<F extends Fields = never> {
  static {
    describe(Job.prototype, "Job", (job) =>
      job.#slots ? { byteLength: job.#length, deliveries: job.deliveries } : { state: job.#ended },
    );
    disposable(Job.prototype, (job) => job.end());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #lease: Lease;
  readonly #layout: Struct<Fields> | undefined;
  /** Undefined after the job has ended. */
  #slots: QueueSlots | undefined;
  #at = 0;
  #length = 0;
  #held = 0;
  #ended: "done" | "given back" = "done";
  #value: Dict | List | SharedScalar | undefined;
  /** The user has the value, and its reference. */
  #valueRead = false;

  /** @internal */
  constructor(by: typeof OURS, lease: Lease, layout: Struct<Fields> | undefined) {
    checkOurs(by, "Job", "queue.take()");
    this.#lease = lease;
    this.#layout = layout;
  }

  /** @internal From now on, it is the message that these slots have just found. */
  hold(slots: QueueSlots): void {
    this.#at = slots.at;
    this.#length = slots.length;
    this.#held = slots.held;
    this.#slots = slots;
    this.#value = slots.value && wrap(this.#lease, slots.value);
    this.#valueRead = false;
    slots.handOut();
  }

  /** @internal Whether it is neither done nor given back. */
  get open(): boolean {
    return this.#slots !== undefined;
  }

  #check(): QueueSlots {
    if (this.#slots) return this.#slots;
    throw new IsthmusError("CLOSED", `this job is ${this.#ended} already; take the next one`);
  }

  #checkRead(): QueueSlots {
    const slots = this.#check();
    this.#lease.attachment.check(false);
    return slots;
  }

  /**
   * The payload, in place. Do not use it after the job has ended: its bytes may belong to another message then. Its buffer is a
   * SharedArrayBuffer.
   *
   * @throws {IsthmusError} CLOSED when the job has ended, or its segment was closed
   */
  get bytes(): Uint8Array {
    this.#checkRead();
    return this.#lease.attachment.giveBytes(this.#at + MESSAGE_HEADER_BYTES, this.#length);
  }

  /**
   * The shared value that `queue.share` has sent, and undefined when the message is bytes or has a layout. It is the same object
   * each time, a reference of its own: it can be used after the job has ended, until it is closed. The message has a reference,
   * too, until `done`.
   *
   * @throws {IsthmusError} as `bytes`
   */
  get value(): Dict | List | SharedScalar | undefined {
    this.#checkRead();
    this.#valueRead = true;
    return this.#value;
  }

  /** Bytes of the payload; 0 of a shared value. Never throws. */
  get byteLength(): number {
    return this.#length;
  }

  /**
   * How often the message was taken, this time included: more than 1 when it was given back, or when the process that had taken
   * it died.
   *
   * @throws {IsthmusError} as `bytes`
   */
  get deliveries(): number {
    return this.#checkRead().deliveriesOf(this.#at);
  }

  /**
   * The fields of the payload, in place. Do not use them after the job has ended. undefined in a queue without a layout.
   *
   * @throws {IsthmusError} as `bytes`
   */
  get view(): ViewOf<F> {
    this.#checkRead();
    return this.#view() as ViewOf<F>;
  }

  #view(): StructView<Fields> | undefined {
    const { attachment } = this.#lease;
    if (this.#layout === undefined || this.#value !== undefined) return undefined;
    const held = this.#held;
    const at = this.#at;
    return new StructView(
      OURS,
      {
        memory: attachment.view,
        offset: at + MESSAGE_HEADER_BYTES,
        check: (writing) => {
          attachment.check(writing);
          this.#check();
          if (this.#held !== held || this.#at !== at) throw new IsthmusError("CLOSED", "this job is done");
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
   * Returns a copy of the payload in private memory, to keep it, or for an API that does not accept shared bytes.
   *
   * @returns the copy
   * @throws {IsthmusError} as `bytes`
   */
  copy(): PrivateBytes {
    this.#checkRead();
    return copyOf(this.#lease.attachment, this.#at + MESSAGE_HEADER_BYTES, this.#length);
  }

  /**
   * Copies the payload.
   *
   * @param target the payload is copied to its start; at least `byteLength` bytes
   * @returns the number of bytes
   * @throws {TypeError | RangeError} when the target is not a Uint8Array, or is too short
   * @throws {IsthmusError} as `bytes`
   */
  copyInto(target: Uint8Array): number {
    const bytes = bytesOf("target", target);
    this.#checkRead();
    if (bytes.length < this.#length) {
      const text = `target must have at least ${this.#length} bytes for this message, got ${bytes.length}`;
      throw new RangeError(text);
    }
    const from = this.#at + MESSAGE_HEADER_BYTES;
    bytes.set(this.#lease.attachment.u8.subarray(from, from + this.#length));
    return this.#length;
  }

  /**
   * Says that the work is done: the message is gone, and its slot is free.
   *
   * @throws {IsthmusError} CLOSED when the job has ended already, or its segment was closed; EVICTED: this participant was
   *   removed; CORRUPT when the queue is damaged
   */
  done(): void {
    const slots = this.#check();
    this.#lease.attachment.check(true);
    slots.done(this.#at, this.#held);
    this.#end("done");
  }

  /** @internal As `done`; those that wait for room are called later. */
  doneInBatch(): void {
    this.#check().end(this.#at, this.#held);
    this.#end("done");
  }

  /**
   * Gives the message back to the queue: it is the next one, for any consumer, behind others that were given back.
   *
   * @throws {IsthmusError} as `done`
   */
  giveBack(): void {
    const slots = this.#check();
    this.#lease.attachment.check(true);
    slots.giveBack(this.#at, this.#held);
    this.#end("given back");
  }

  #end(how: "done" | "given back"): void {
    this.#slots = undefined;
    this.#ended = how;
    if (!this.#valueRead) this.#value?.close();
    this.#value = undefined;
  }

  /** @internal As `giveBack`, if that is still to be done and possible. */
  end(): void {
    const { attachment } = this.#lease;
    if (this.#slots && !attachment.closed && !attachment.evicted) this.giveBack();
  }

  /** @internal */
  endLeftOver(): void {
    this.end();
  }

  /**
   * Gives the message back unless it is done or given back already, for `using`.
   *
   * @throws {IsthmusError} CORRUPT when the queue is damaged
   */
  [Symbol.dispose](): void {
    this.end();
  }
}

/** @internal A copy of bytes of the segment in private memory. */
export function copyOf({ u8 }: Attachment, from: number, length: number): PrivateBytes {
  if (length < LARGE_BYTES_MIN) return u8.slice(from, from + length);
  const copy = new Uint8Array(length);
  copierTo(copy)(u8.subarray(from, from + length));
  return copy;
}
