import type { Waiting } from "../arguments.js";
import { disposable } from "../disposal.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { Leaving } from "../wait/leaving.js";
import { inTurn } from "../wait/turn.js";

/** How many ends of streams were reported to a loop or a call. */
export interface Told {
  ends: number;
}

type Receive<T> = (told: Told | undefined, how: Waiting) => { told: Told; next: Promise<T | undefined> };

/** The records of a ring, one after the other, for `for await`. */
export class RingRecords<T> implements AsyncIterableIterator<T> {
  static {
    describe(RingRecords.prototype, "AsyncIterator", () => ({}));
    disposable(RingRecords.prototype, undefined, (records) => records.return());
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  readonly #receive: Receive<T>;
  readonly #how: Waiting;
  readonly #leaving = new Leaving();
  /** A loop begins with its first `next`, and learns of each end that comes after that. */
  #told: Told | undefined;
  /** The loop has ended or was left: a pending call gives no record. */
  #done = false;

  /** @internal */
  constructor(receive: Receive<T>, how: Waiting) {
    this.#receive = receive;
    this.#how = how;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#done) return inTurn({ done: true, value: undefined });
    try {
      if (this.#told === undefined && this.#how.signal) this.#leaving.follow(this.#how.signal);
      const { told, next } = this.#receive(this.#told, {
        timeoutMs: this.#how.timeoutMs,
        signal: this.#leaving,
      });
      this.#told = told;
      const value = await next;
      if (value !== undefined) return { done: false, value };
      this.#finish();
    } catch (error) {
      const wasDone = this.#done;
      this.#finish();
      if (!wasDone) throw error;
    }
    return { done: true, value: undefined };
  }

  #finish(): void {
    this.#done = true;
    this.#leaving.abort(undefined);
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#finish();
    return { done: true, value: undefined };
  }

  async throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
