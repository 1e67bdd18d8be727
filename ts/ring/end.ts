import { BUSY } from "../../protocol/errors.js";
import {
  END_LIVE,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RING_CONSUMER_OFFSET,
  RING_PRODUCER_OFFSET,
} from "../../protocol/layout.js";
import { isError } from "../core.js";
import { failure, IsthmusError } from "../errors.js";
import type { Attachment, Closable } from "../segment/attachment.js";
import { SoftReference } from "../segment/soft-reference.js";
import { slotOf } from "../segment/token.js";
import type { Fields, Struct } from "../struct/struct.js";
import { type Condition, NOT_YET } from "../wait/wait.js";
import { ringAdvice } from "./errors.js";

/** The common part of both ends of a ring. */
export interface RingGeometry {
  readonly name: string;
  readonly ring: number;
  readonly capacity: number;
  /** Offset of the first byte of the records, and of the first byte after them. */
  readonly data: number;
  readonly end: number;
  /** The layout of the records; undefined when they are bytes of any length. */
  readonly layout: Struct<Fields> | undefined;
}

export type EndName = "producer" | "consumer";

/** Bytes that a payload of this length takes in a ring. */
export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + ((length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT);
}

/** One attempt of the core to take an end: the offset of the next record, BUSY, or another error. */
function attach(attachment: Attachment, end: EndName, { ring, capacity }: RingGeometry): number {
  const { core } = attachment;
  const result =
    end === "producer" ? core.ringAttachProducer(ring, capacity) : core.ringAttachConsumer(ring, capacity);
  return result >>> 0;
}

/** The same, with retries while the owner is dead; undefined while a live owner holds the end. */
function attachPastDead(attachment: Attachment, end: EndName, geometry: RingGeometry): number | undefined {
  settleEnd();
  return attachment.retryPastDead(() => {
    const result = attach(attachment, end, geometry);
    return result === BUSY ? undefined : result;
  });
}

function attachFailed(end: EndName, { name }: RingGeometry, status: number, advice: string): IsthmusError {
  return failure(status, `the ${end}'s end of ring "${name}": ${advice}`);
}

/**
 * Takes an end of a ring for this opener, also from a dead one.
 *
 * @returns the offset of the next record
 * @throws {IsthmusError} BUSY while a live participant holds the end; EVICTED; CORRUPT
 */
export function takeEnd(attachment: Attachment, end: EndName, geometry: RingGeometry): number {
  attachment.check(true);
  const at = attachPastDead(attachment, end, geometry) ?? BUSY;
  if (!isError(at)) return at;
  const advice =
    at === BUSY
      ? `${attachment.suspectText()} holds it; it is free again when that one closes it or ends. ` +
        `To wait for that, use ring.waitFor${end === "producer" ? "Producer" : "Consumer"}()`
      : ringAdvice(at);
  throw attachFailed(end, geometry, at, advice);
}

/**
 * Waits until an end is free, and takes it. A participant that gives an end back wakes those that wait for it. A dead owner
 * wakes no waiter, so the kernel is asked at first and with each recheck.
 *
 * @param make makes the object of the end from the offset of the next record
 */
export function endAwaited<T>(
  attachment: Attachment,
  end: EndName,
  geometry: RingGeometry,
  make: (at: number) => T,
): Condition<T> {
  const { core } = attachment;
  let asked = false;
  return {
    what: `waiting for the ${end}'s end of ring "${geometry.name}"`,
    waiters: core.ringWaitersEnds(geometry.ring) >>> 0,
    attempt: () => {
      attachment.check(true);
      const at = asked
        ? attach(attachment, end, geometry)
        : (attachPastDead(attachment, end, geometry) ?? BUSY);
      asked = true;
      if (at === BUSY) return NOT_YET;
      if (isError(at)) throw attachFailed(end, geometry, at, ringAdvice(at));
      return make(at);
    },
    checkBlocking: () => checkOtherEnd(attachment, end, geometry),
    recheck: () => {
      const { ring } = geometry;
      const state = end === "producer" ? core.ringProducerState(ring) : core.ringConsumerState(ring);
      if (state === END_LIVE) attachment.markSuspectDead();
    },
  };
}

/** The slot of the live participant that holds an end; undefined when no live one does. */
function holderOf({ core, u32 }: Attachment, end: EndName, { ring }: RingGeometry): number | undefined {
  const state = end === "producer" ? core.ringProducerState(ring) : core.ringConsumerState(ring);
  if (state !== END_LIVE) return undefined;
  const at = ring + (end === "producer" ? RING_PRODUCER_OFFSET : RING_CONSUMER_OFFSET);
  return slotOf(u32[at >>> 2]);
}

/**
 * Throws if a blocked thread would wait for an end that its own opener holds, because a blocked thread could not give it back.
 */
export function checkOwnEnd(attachment: Attachment, end: EndName, geometry: RingGeometry): void {
  if (holderOf(attachment, end, geometry) !== attachment.slot) return;
  throw new IsthmusError(
    "DEADLOCK",
    `this opener itself holds the ${end}'s end of ring "${geometry.name}"; close it first, or wait with the form that ` +
      "does not block",
  );
}

/** Throws if only this thread could do what a call waits for that blocks it: the thread itself holds that end. */
export function checkOtherEnd(attachment: Attachment, end: EndName, geometry: RingGeometry): void {
  const holder = holderOf(attachment, end, geometry);
  if (holder === undefined || !attachment.isOfThisThread(holder)) return;
  throw new IsthmusError(
    "DEADLOCK",
    `this thread would wait for itself: it also holds the ${end}'s end of ring "${geometry.name}"; wait with the form ` +
      "that does not block, or give a timeoutMs",
  );
}

/** A function that gives an end back. It must not be a closure: see `EndPart`. */
type GiveBack = (attachment: Attachment, ring: number) => void;

/** Gives the producer's end back. Wakes a consumer that waits, and those that wait for the end. */
export function ringCloseProducer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseProducer(ring)) attachment.notify(core.ringWaitersData(ring) >>> 0);
  notifyEnds(attachment, ring);
}

/** The same in the middle of a stream: the consumer gets PEER_DIED, as after a death. */
export function ringAbandonProducer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringAbandonProducer(ring)) attachment.notify(core.ringWaitersData(ring) >>> 0);
  notifyEnds(attachment, ring);
}

/** Gives the consumer's end back. Wakes a producer that waits, and those that wait for the end. */
export function ringCloseConsumer(attachment: Attachment, ring: number): void {
  const { core } = attachment;
  if (core.ringCloseConsumer(ring)) attachment.notify(core.ringWaitersRoom(ring) >>> 0);
  notifyEnds(attachment, ring);
}

function notifyEnds(attachment: Attachment, ring: number): void {
  const ends = attachment.core.ringWaitersEnds(ring) >>> 0;
  if (attachment.core.waitersAny(ends)) attachment.notify(ends);
}

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
  readonly #ring: number;
  readonly #close: GiveBack;
  /** How the end is to be given back, from the moment when nobody has it any more. */
  giving: GiveBack | undefined;

  /** `close` must not be a closure, because closures that are made in the same scope keep each other's variables alive. */
  constructor(attachment: Attachment, end: Closable, ring: number, close: GiveBack) {
    this.#attachment = attachment;
    this.#end = new SoftReference(end);
    this.#ring = ring;
    this.#close = close;
    attachment.parts.add(this);
    attachment.core.ownerKept(); // from now on, an object exists that gives the end back
  }

  /** Steps 2 and 3. */
  giveBack(): void {
    if (givingBack !== this) settleEnd();
    givingBack = this;
    this.giving?.(this.#attachment, this.#ring);
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

  /** Nobody has said that a producer's stream is complete: its consumer is told as after any death. */
  abandon(): void {
    if (this.#close === ringCloseProducer && !this.giving) this.#forget();
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
