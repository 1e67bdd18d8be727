import type { Waiting } from "../arguments.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import type { Attachment } from "../segment/attachment.js";
import { Leaving } from "../wait/leaving.js";
import { type Condition, inTurn, wait } from "../wait/wait.js";

/** The values of a `Latest`, one after the other, for `for await`. */
export class LatestValues<V> implements AsyncIterableIterator<V> {
  static {
    describe(LatestValues.prototype, "AsyncIterator", () => ({}));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #attachment: Attachment;
  readonly #newer: () => Condition<V>;
  readonly #how: Waiting;
  /** Aborts the pending wait when the loop is left. */
  readonly #leaving = new Leaving();
  /** The previous call of `next`. Calls are answered in their order. */
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
    if (this.#ended) return inTurn({ done: true, value: undefined });
    const { signal, timeoutMs } = this.#how;
    try {
      if (signal) this.#leaving.follow(signal);
      const value = await wait(this.#attachment, this.#newer(), { timeoutMs, signal: this.#leaving });
      return { done: false, value };
    } catch (error) {
      if (this.#ended) return { done: true, value: undefined };
      await this.return();
      throw error;
    } finally {
      this.#leaving.unfollow();
    }
  }

  async return(): Promise<IteratorResult<V, undefined>> {
    this.#ended = true;
    this.#leaving.abort(undefined);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
