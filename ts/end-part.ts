import type { Attachment, Closable } from "./attachment.js";

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
  readonly #end: WeakRef<Closable>;
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
    this.#end = new WeakRef(end);
    this.#ring = ring;
    this.#close = close;
    attachment.parts.add(this);
  }

  /** The end has been closed. */
  done(): void {
    this.#attachment.parts.delete(this);
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
