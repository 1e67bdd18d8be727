/**
 * A promise that waits.
 *
 *     queued ---> due for a look ---> member of a group ---> ended
 *        |              |                                      ^
 *        +--------------+--------------------------------------+
 *
 * | state          | what it means                                         | how it goes on                        |
 * | -------------- | ----------------------------------------------------- | ------------------------------------- |
 * | queued         | it stands behind others in the queue of its condition | the one before it ends                |
 * | blocked        | it is the first, and this environment is in its way   | `lookAtFirst`: due for a look         |
 * | due for a look | it is looked at in the next microtask or turn         | nothing was there: it joins its group |
 * | group member   | it is looked at when its group is; see `group.ts`     | a look gives something                |
 * | ended          | its promise is settled, and nothing refers to it      |                                       |
 *
 * The first of these ends it: a check that gave a value or threw, its timer, its signal, or the closing of its segment. Ending
 * removes everything in one step (timer, listener, queue entry, membership), before the promise is settled.
 *
 * A check may run code of the user (a codec, a getter). If something would fail the wait meanwhile, the failure is kept until
 * the check has ended, so that a value that was taken reaches its caller.
 */
import type { AbortSource } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import { clearTimer, setTimeout, type Timer } from "../host/runtime.js";
import type { Attachment } from "../segment/attachment.js";
import { onAbort } from "./abort.js";
import { type Condition, NOT_YET, type QueuedWait, timedOut } from "./condition.js";
import { join, type Room, roomOf, type WaitGroup } from "./group.js";
import { lookNextTurn, lookSoon } from "./looks.js";
import type { Queue, QueueEntry } from "./queue.js";

export class Wait implements QueuedWait {
  readonly attachment: Attachment;
  readonly condition: Condition<unknown>;
  /** The group that it is a member of. */
  group: WaitGroup | undefined;
  readonly #room: Room;
  readonly #resolve: (value: never) => void;
  readonly #reject: (error: unknown) => void;
  #ended = false;
  #looking = false;
  /** The failure to report if the current check gives no value. */
  #failure: { error: unknown; gaveUp: boolean } | undefined;
  #entry: QueueEntry<QueuedWait> | undefined;
  #timer: Timer | undefined;
  #stopListening: (() => void) | undefined;

  constructor(
    attachment: Attachment,
    condition: Condition<unknown>,
    resolve: (value: never) => void,
    reject: (error: unknown) => void,
  ) {
    this.attachment = attachment;
    this.condition = condition;
    this.#room = roomOf(attachment);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /**
   * Begins to wait. If `looked` is true, the condition was just checked and did not hold. Otherwise it is checked in the next
   * turn.
   */
  begin(timeoutMs: number, signal: AbortSource | undefined, looked: boolean): void {
    const { queue } = this.condition;
    this.#room.all.add(this);
    this.#entry = queue?.push(this);
    if (!queue || queue.first === this) {
      if (looked) this.joinGroup();
      else lookNextTurn(this);
    }
    if (signal && !this.#ended) this.#listen(signal);
    if (timeoutMs === Infinity || this.#ended) return;
    this.#timer = setTimeout(() => {
      if (this.#isFirst) this.look();
      this.fail(timedOut(this.condition.what, timeoutMs), true);
    }, timeoutMs);
  }

  #listen(signal: AbortSource): void {
    const stopListening = onAbort(signal, () => this.fail(signal.reason, true));
    if (this.#ended) stopListening();
    else this.#stopListening = stopListening;
  }

  get #isFirst(): boolean {
    const { queue } = this.condition;
    return !queue || queue.first === this;
  }

  /** Attempts the condition, and ends the wait if that gives a value or an error. */
  look(): void {
    if (this.#ended || this.#looking) return;
    let value: unknown;
    this.#looking = true;
    try {
      if (this.attachment.closed) this.attachment.check(false);
      value = this.condition.attempt();
    } catch (error) {
      this.#failure = { error, gaveUp: false };
      value = NOT_YET;
    }
    this.#looking = false;
    if (value !== NOT_YET) this.#settle(value);
    else if (this.#failure) this.fail(this.#failure.error, this.#failure.gaveUp);
  }

  /** Checks whether the peer is alive, and ends the wait if that throws. */
  recheck(): void {
    if (this.#ended || this.#looking || this.attachment.closed) return;
    try {
      this.condition.recheck();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Called after a check that gave nothing: from now on, its group checks it. */
  joinGroup(): void {
    if (!this.#ended && !this.group && !this.condition.blocked?.()) join(this);
  }

  #settle(value: unknown): void {
    this.group?.served();
    const { called, followed } = this.#end();
    try {
      if (followed || this.attachment.closed) return;
      if (called) this.condition.passOn?.();
      this.condition.served?.();
    } finally {
      this.#resolve(value as never);
    }
  }

  fail(error: unknown, gaveUp = false): void {
    if (this.#ended) return;
    if (this.#looking) {
      this.#failure ??= { error, gaveUp };
      return;
    }
    const { called, followed } = this.#end();
    try {
      // A look that threw has taken nothing, though it may have been the answer to a call.
      if ((called || !gaveUp) && !followed && !this.attachment.closed) this.condition.passOn?.();
      this.condition.failed?.(gaveUp);
    } finally {
      this.#reject(error);
    }
  }

  /** The segment is being closed. */
  close(): void {
    const text = `segment "${this.attachment.name}" was closed while ${this.condition.what}`;
    this.fail(new IsthmusError("CLOSED", text));
  }

  /** @returns whether a call may have come that no look has answered, and whether the next one of the queue looks now */
  #end(): { called: boolean; followed: boolean } {
    this.#ended = true;
    clearTimer(this.#timer);
    this.#stopListening?.();
    this.#room.all.delete(this);
    const called = this.group?.delete(this) ?? false;
    const { queue } = this.condition;
    if (!queue || !this.#entry) return { called, followed: false };
    const wasFirst = queue.first === this;
    queue.remove(this.#entry);
    if (wasFirst && queue.first) lookSoon(queue.first as Wait);
    return { called, followed: queue.first !== undefined };
  }
}

/**
 * The obstacle in this environment that blocked the first entry of a queue is gone. The entry is checked directly after the
 * code that runs now.
 */
export function lookAtFirst(queue: Queue<QueuedWait>): void {
  if (queue.first) lookSoon(queue.first as Wait);
}

/** Waits until an attempt gives a value; `looked` as for `Wait.begin`. */
export function enqueue<T>(
  attachment: Attachment,
  condition: Condition<T>,
  timeoutMs: number,
  signal: AbortSource | undefined,
  looked: boolean,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const one = new Wait(attachment, condition, resolve as (value: never) => void, reject);
    try {
      one.begin(timeoutMs, signal, looked);
    } catch (error) {
      one.fail(error); // the signal was not usable; undo what was begun
    }
  });
}
