import { BUSY } from "../../protocol/errors.js";
import { RECORD_ALIGNMENT, RECORD_HEADER_BYTES } from "../../protocol/layout.js";
import { ERRORS_END, failure } from "../errors.js";
import type { Attachment, Closable } from "../segment/attachment.js";
import { SoftReference } from "../segment/soft-reference.js";
import { ringAdvice } from "./errors.js";

/** What both ends of a ring share. */
export interface RingGeometry {
  readonly name: string;
  readonly ring: number;
  readonly capacity: number;
  /** First byte of the records, and the first behind them. */
  readonly data: number;
  readonly end: number;
}

/** Bytes that a payload of this length takes in a ring. */
export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + ((length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT);
}

/**
 * Takes an end of a ring for this opener, also from a dead one.
 *
 * @param attach the core's function; gives the offset of the next record, or an error
 * @returns that offset
 * @throws {IsthmusError} BUSY while a live participant holds the end; EVICTED; CORRUPT
 */
export function attachEnd(
  attachment: Attachment,
  end: "producer" | "consumer",
  { ring, capacity, name }: RingGeometry,
  attach: (ring: number, capacity: number) => number,
): number {
  attachment.check(true);
  const at =
    attachment.retryPastDead(() => {
      const result = attach(ring, capacity) >>> 0;
      return result === BUSY ? undefined : result;
    }) ?? BUSY;
  if (at >= ERRORS_END) return at;
  const advice =
    at === BUSY
      ? `${attachment.suspectText()} holds it; it is free again when that one closes it or ends`
      : ringAdvice(at);
  throw failure(at, `the ${end}'s end of ring "${name}": ${advice}`);
}

/** Gives the producer's end back, and wakes a consumer that waits. */
export function ringCloseProducer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseProducer(ring)) attachment.notify(core.ringWaitersData(ring) >>> 0);
}

/** Gives the consumer's end back, and wakes a producer that waits. */
export function ringCloseConsumer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseConsumer(ring)) attachment.notify(core.ringWaitersRoom(ring) >>> 0);
}

/**
 * An end as a part of its attachment that does not keep it, since an end keeps its segment: who forgets both has them closed.
 * Where the end is gone already, `close` says how the core gives it back.
 */
export class EndPart implements Closable {
  readonly #attachment: Attachment;
  readonly #end: SoftReference<Closable>;
  readonly #ring: number;
  readonly #close: (attachment: Attachment, ring: number) => void;

  /** `close` is no closure: one that is made beside others would keep what they keep. */
  constructor(
    attachment: Attachment,
    end: Closable,
    ring: number,
    close: (attachment: Attachment, ring: number) => void,
  ) {
    this.#attachment = attachment;
    this.#end = new SoftReference(end);
    this.#ring = ring;
    this.#close = close;
    attachment.parts.add(this);
  }

  /** The end has been closed. */
  done(): void {
    this.#attachment.parts.delete(this);
    this.#end.clear();
  }

  /** Nobody has said that a producer's stream is complete: its consumer is told as after any death. */
  abandon(): void {
    if (this.#close === ringCloseProducer) this.done();
    else this.close();
  }

  close(): void {
    const end = this.#end.deref();
    this.done();
    if (end) end.close();
    else this.#close(this.#attachment, this.#ring);
  }
}
