import type { Waiting } from "../arguments.js";
import type { Attachment } from "../segment/attachment.js";
import { type Condition, wait } from "../wait/wait.js";

/** The values of a `Latest`, one after the other, as `for await` takes them. */
export class LatestValues<V> implements AsyncIterableIterator<V> {
  readonly #attachment: Attachment;
  readonly #newer: () => Condition<V>;
  readonly #how: Waiting;
  /** Aborts the pending wait when the loop is left. */
  readonly #leaving = new AbortController();
  /** The previous call of `next`: calls are answered in their order. */
  #before: Promise<unknown> = Promise.resolve();
  #ended = false;

  /** @internal */
  constructor(attachment: Attachment, newer: () => Condition<V>, how: Waiting) {
    this.#attachment = attachment;
    this.#newer = newer;
    this.#how = how;
  }

  next(): Promise<IteratorResult<V, undefined>> {
    const next = this.#before.then(() => this.#next());
    this.#before = next.catch(() => {});
    return next;
  }

  async #next(): Promise<IteratorResult<V, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    const { signal, timeoutMs } = this.#how;
    const forward = (): void => this.#leaving.abort(signal?.reason);
    try {
      if (signal?.aborted) throw signal.reason;
      signal?.addEventListener("abort", forward);
      const value = await wait(this.#attachment, this.#newer(), { timeoutMs, signal: this.#leaving.signal });
      return { done: false, value };
    } catch (error) {
      if (this.#ended) return { done: true, value: undefined };
      this.#ended = true;
      throw error;
    } finally {
      signal?.removeEventListener("abort", forward);
    }
  }

  async return(): Promise<IteratorResult<V, undefined>> {
    this.#ended = true;
    this.#leaving.abort();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
