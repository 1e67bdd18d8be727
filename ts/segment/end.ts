/**
 * An end that one participant holds at a time, of a ring or of a broadcast: taking it, waiting until it is free, and giving it
 * back. `assembly/owner.ts` has the word that says who holds it.
 */
import { BUSY } from "../../protocol/errors.js";
import { END_LIVE } from "../../protocol/layout.js";
import { isError } from "../core.js";
import { failure, IsthmusError, statusAdvice } from "../errors.js";
import type { Queue } from "../wait/queue.js";
import { type Condition, NOT_YET, type QueuedWait } from "../wait/wait.js";
import type { Attachment, Closable } from "./attachment.js";
import { SoftReference } from "./soft-reference.js";
import { slotOf } from "./token.js";

export interface End {
  /** For texts: `the producer's end of ring "frames"`. */
  readonly text: string;
  /** The call that waits for it. */
  readonly waitCall: string;
  /** Offset of its owner word. */
  readonly owner: number;
  /** The set of participants that wait for it. */
  readonly waiters: number;
  /** One attempt of the core to take it: what the end begins with, BUSY, or another error. */
  attach(): number;
  /** END_… of its holder, who is the suspect while it lives. */
  state(): number;
}

/** One attempt, with retries while the owner is dead; undefined while a live owner holds the end. */
function attachPastDead(attachment: Attachment, end: End): number | undefined {
  settleEnd();
  return attachment.retryPastDead(() => {
    const result = end.attach();
    return result === BUSY ? undefined : result;
  });
}

function attachFailed({ text }: End, status: number, advice: string): IsthmusError {
  return failure(status, `${text}: ${advice}`);
}

/**
 * Takes an end for this opener, also from a dead one.
 *
 * @returns what the core has said: of a ring the offset of the next record
 * @throws {IsthmusError} BUSY while a live participant holds the end; EVICTED; CORRUPT
 */
export function takeEnd(attachment: Attachment, end: End): number {
  attachment.check(true);
  const at = attachPastDead(attachment, end) ?? BUSY;
  if (!isError(at)) return at;
  const advice =
    at === BUSY
      ? `${attachment.suspectText()} holds it; it is free again when that one closes it or ends. ` +
        `To wait for that, use ${end.waitCall}`
      : statusAdvice(at);
  throw attachFailed(end, at, advice);
}

/**
 * Waits until an end is free, and takes it. A participant that gives an end back wakes those that wait for it. A dead owner
 * wakes no waiter, so the kernel is asked at first and with each recheck.
 *
 * @param queue those that wait for this end: one holds it at a time, so only the first of them looks
 * @param make makes the object of the end from what the core has said
 */
export function endAwaited<T>(
  attachment: Attachment,
  end: End,
  queue: Queue<QueuedWait>,
  make: (at: number) => T,
): Condition<T> {
  let asked = false;
  return {
    what: `waiting for ${end.text}`,
    waiters: end.waiters,
    queue,
    attempt: () => {
      attachment.check(true);
      const at = asked ? end.attach() : (attachPastDead(attachment, end) ?? BUSY);
      asked = true;
      if (at === BUSY) return NOT_YET;
      if (isError(at)) throw attachFailed(end, at, statusAdvice(at));
      return make(at);
    },
    checkBlocking: () => checkOtherEnd(attachment, end),
    recheck: () => {
      if (end.state() === END_LIVE) attachment.markSuspectDead();
    },
  };
}

/** The slot of the live participant that holds an end; undefined when no live one does. */
function holderOf({ u32 }: Attachment, end: End): number | undefined {
  return end.state() === END_LIVE ? slotOf(u32[end.owner >>> 2]) : undefined;
}

/**
 * Throws if a blocked thread would wait for an end that its own opener holds, because a blocked thread could not give it back.
 */
export function checkOwnEnd(attachment: Attachment, end: End): void {
  if (holderOf(attachment, end) !== attachment.slot) return;
  throw new IsthmusError(
    "DEADLOCK",
    `this opener itself holds ${end.text}; close it first, or wait with the form that does not block`,
  );
}

/** Throws if only this thread could do what a call waits for that blocks it: the thread itself holds that end. */
export function checkOtherEnd(attachment: Attachment, end: End): void {
  const holder = holderOf(attachment, end);
  if (holder === undefined || !attachment.isOfThisThread(holder)) return;
  throw new IsthmusError(
    "DEADLOCK",
    `this thread would wait for itself: it also holds ${end.text}; wait with the form that does not block, or give a ` +
      "timeoutMs",
  );
}

/** A function that gives the end of an object back. It must not be a closure: see `EndPart`. */
export type GiveBack = (attachment: Attachment, object: number) => void;

/** The end whose giving back was begun and has not ended: cut off, unless it is on the stack. */
let givingBack: EndPart | undefined;

/** Finishes giving an end back that was cut off, so that the next holder of that end has it alone. */
function settleEnd(): void {
  givingBack?.settleLeftOver();
}

/**
 * An end as a part of its attachment that does not keep it, since an end keeps its segment: an end that was dropped together with
 * its segment is closed. When the end was collected already, `close` says how the core gives it back.
 *
 * An end is given back in these steps. Cut off after the first one, the others are done again: each does nothing the second time.
 *  1. `giving` is set, together with the end's own word that it is closed: plain stores, which nothing comes in between
 *  2. the core gives the end back, and those who wait are woken (`giveBack`)
 *  3. the attachment forgets the part
 *
 * They are done again by whoever takes an end next, by the heartbeat, or when the segment is closed.
 */
export class EndPart implements Closable {
  readonly #attachment: Attachment;
  readonly #end: SoftReference<Closable>;
  readonly #object: number;
  readonly #close: GiveBack;
  readonly #completes: boolean;
  /** How the end is to be given back, from the moment when nobody has it any more. */
  giving: GiveBack | undefined;

  /**
   * @param object offset of the ring or broadcast
   * @param close no closure, because closures that are made in the same scope keep each other's variables alive
   * @param completes whether giving it back says that a stream is complete
   */
  constructor(attachment: Attachment, end: Closable, object: number, close: GiveBack, completes: boolean) {
    this.#attachment = attachment;
    this.#end = new SoftReference(end);
    this.#object = object;
    this.#close = close;
    this.#completes = completes;
    attachment.parts.add(this);
    attachment.core.ownerKept(); // from now on, an object exists that gives the end back
  }

  /** Steps 2 and 3. */
  giveBack(): void {
    if (givingBack !== this) settleEnd();
    givingBack = this;
    this.giving?.(this.#attachment, this.#object);
    this.#forget();
  }

  #forget(): void {
    this.giving = undefined;
    givingBack = undefined;
    this.#attachment.parts.delete(this);
    this.#end.clear();
  }

  settleLeftOver(): void {
    if (this.giving) this.giveBack();
  }

  /** Nobody has said that the stream is complete: who receives it is told as after any death. */
  abandon(): void {
    if (this.#completes && !this.giving) this.#forget();
    else this.close();
  }

  close(): void {
    const end = this.giving ? undefined : this.#end.deref();
    if (end) {
      end.close();
      return;
    }
    this.giving ??= this.#close;
    this.giveBack();
  }
}
