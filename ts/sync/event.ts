import { EVENT_SIGNALED, OBJECT_EVENT } from "../../protocol/layout.js";
import { flag, options, type WaitOptions, type WaitSyncOptions, waiting, waitingSync } from "../arguments.js";
import { describe } from "../host/describe.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { type Condition, NOT_YET, wait, waitSync } from "../wait/wait.js";
import { Signal } from "./signal.js";

/** How an event is created. Every opener must pass the same values. */
export interface EventOptions {
  /** Whether the event is signaled when it is created. Default false. */
  signaled?: boolean | undefined;
}

/**
 * A flag that many can wait for, made by `segment.event`. It stays signaled until it is reset.
 *
 * @example
 * ```ts
 * import { MiB, Segment } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 1 * MiB });
 * const go = segment.event("go");
 * const waiting = go.wait({ timeoutMs: 1000 });
 * go.signal();
 * await waiting;
 * go.reset();
 * console.log(go.isSignaled);
 * ```
 */
export class SharedEvent extends Signal {
  static {
    describe(SharedEvent.prototype, "SharedEvent", ({ name, isSignaled }) => ({ name, isSignaled }));
  }

  /** @internal */
  constructor(lease: Lease, name: string, given?: EventOptions) {
    checkMade(lease, "SharedEvent", "segment.event(name)");
    const { signaled } = options<EventOptions>("options", given, ["signaled"]);
    super(lease, name, OBJECT_EVENT, { signaled: flag("signaled", signaled, false) ? 1 : 0 });
  }

  /** Whether it is signaled now. @throws {IsthmusError} CLOSED: the segment was closed */
  get isSignaled(): boolean {
    return (this.#word & EVENT_SIGNALED) !== 0;
  }

  get #word(): number {
    return this.attachment(false).core.signalValue(this.offset) >>> 0;
  }

  /**
   * Signals the event. Every call that waits now passes, even if `reset` follows at once. Every later call passes until
   * `reset`.
   *
   * @throws {IsthmusError} CLOSED: the segment was closed; READ_ONLY; EVICTED: this participant was removed
   */
  signal(): void {
    this.finish(this.attachment(true).core.eventSet(this.offset, 1) >>> 0);
  }

  /** Resets the event: from now on, `wait` waits. @throws {IsthmusError} as `signal` */
  reset(): void {
    this.finish(this.attachment(true).core.eventSet(this.offset, 0) >>> 0);
  }

  /**
   * Waits until the event is signaled; resolves at once if it is. A call that waits when `signal` is called passes, even if
   * `reset` follows. A read-only opener checks every 2 ms.
   *
   * @param given how long to wait, and a signal that ends it
   * @throws {IsthmusError} TIMED_OUT; CLOSED: the segment was closed
   * @throws the signal's reason, when it is aborted
   */
  async wait(given?: WaitOptions): Promise<void> {
    return wait(this.attachment(false), this.#signaled(), waiting(given));
  }

  /**
   * Blocks the thread until the event is signaled.
   *
   * @param given how long to wait
   * @throws {IsthmusError} as `wait`
   */
  waitSync(given?: WaitSyncOptions): void {
    waitSync(this.attachment(false), this.#signaled(), waitingSync(given));
  }

  #signaled(): Condition<undefined> {
    const begin = this.#word;
    const condition = this.condition("event", () => {
      const { core } = this.attachment(false);
      return core.eventPasses(this.offset, begin) !== 0 ? undefined : NOT_YET;
    });
    condition.version = () => this.#word;
    return condition;
  }
}
