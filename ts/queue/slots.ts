/**
 * The slots of a queue, as one opener of the segment uses them. `assembly/queue.ts` has the rules; this file calls the core,
 * copies payloads, and wakes those that wait.
 *
 * | the core answers | what happens                                                                              |
 * | ---------------- | ----------------------------------------------------------------------------------------- |
 * | FLAG_DEATHS      | what the dead have left is settled, all that wait for it are woken, and the call is made  |
 * |                  | again                                                                                     |
 * | BUSY             | the call is made again, up to CALLS_MAX times. A send that still fails gives its slot     |
 * |                  | back: there is no room. Other calls throw BUSY                                            |
 * | FLAG_WAKE…       | for each message, or each free slot, one participant that waits is called                 |
 *
 * A call may be cut off between two calls of the core (a full stack, a script that is stopped), and this participant lives on.
 * Then a slot is claimed, or a message is taken, and nobody has it. `#claimed` and `#taken` name it: the next call, or the
 * heartbeat, gives it back. No code of the user runs while one of them is set.
 */
import { BUSY, EVICTED, NOT_FOUND } from "../../protocol/errors.js";
import {
  FLAG_DEATHS,
  FLAG_EMPTY,
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  MESSAGE_DELIVERIES_OFFSET,
  MESSAGE_HEADER_BYTES,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_REFERENCE,
  QUEUE_REDELIVER,
} from "../../protocol/layout.js";
import { CALLS_MAX, type Core, flagsOf, isError, offsetOf, settled } from "../core.js";
import { IsthmusError } from "../errors.js";
import { LARGE_BYTES_MIN } from "../host/copy.js";
import type { Attachment, Closable } from "../segment/attachment.js";
import { watchOthers } from "../segment/death-watch.js";
import { changeValue, gone, type Handle, handleAt, type Reference } from "../values/access.js";
import { Queue } from "../wait/queue.js";
import type { QueuedWait } from "../wait/wait.js";
import { messageDamaged, queueFailed } from "./errors.js";
import type { QueuePlace } from "./stats.js";

/** A queue and its parameters. */
export interface QueueGeometry extends QueuePlace {
  readonly name: string;
  /** QUEUE_REDELIVER or QUEUE_DROP. */
  readonly policy: number;
}

/** A message that a function of the user handles: it is given back if that function is cut off. */
export interface Handled {
  endLeftOver(): void;
}

export class QueueSlots implements Closable {
  readonly geometry: QueueGeometry;
  readonly attachment: Attachment;
  /** Offsets of the sets of participants that wait: for messages, and for room. */
  readonly data: number;
  readonly room: number;
  /** Tasks of this opener that wait for room, and for messages, in the order of their calls. */
  readonly senders = new Queue<QueuedWait>();
  readonly takers = new Queue<QueuedWait>();
  /** Messages that functions of the user handle now. */
  readonly handled = new Set<Handled>();
  /** What `take` has found: the offset of the slot, the payload bytes, and which message it is; see `queueTake` in the core. */
  at = 0;
  length = 0;
  held = 0;
  /** A reference to a value, if the message is one. */
  value: Handle | undefined;
  readonly #core: Core;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #queue: number;
  readonly #capacity: number;
  readonly #slotBytes: number;
  /** A slot that is claimed while its message is copied; 0: none. */
  #claimed = 0;
  /** A slot whose message is taken, and that nobody has yet; 0: none. */
  #taken = 0;
  /** How many that wait for messages, and for room, are to be called. */
  #callData = 0;
  #callRoom = 0;

  /** Returns the slots of this queue for this opener. There is only one such object. */
  static of(attachment: Attachment, geometry: QueueGeometry): QueueSlots {
    const known = attachment.states.get(geometry.queue) as QueueSlots | undefined;
    if (known) return known;
    const slots = new QueueSlots(attachment, geometry);
    attachment.states.set(geometry.queue, slots);
    attachment.parts.add(slots);
    return slots;
  }

  private constructor(attachment: Attachment, geometry: QueueGeometry) {
    const { core } = attachment;
    const { queue, capacity, slotBytes } = geometry;
    this.attachment = attachment;
    this.geometry = geometry;
    this.data = core.queueWaiters(queue) >>> 0;
    this.room = core.queueWaitersRoom(queue) >>> 0;
    this.#core = core;
    this.#u8 = attachment.u8;
    this.#u32 = attachment.u32;
    this.#queue = queue;
    this.#capacity = capacity;
    this.#slotBytes = slotBytes;
  }

  // --- sending ---------------------------------------------------------------------------------------------------------

  /** Sends a copy of the payload, which fits into a slot. False when there is no room now. */
  send(bytes: Uint8Array): boolean {
    try {
      return this.#append(bytes);
    } finally {
      if (this.#callData > 0) this.#callThose();
    }
  }

  /**
   * Sends copies of payloads, from an index on, as far as there is room.
   *
   * @param done is called after each of them
   */
  sendMany(payloads: readonly Uint8Array[], begin: number, done: () => void): void {
    try {
      for (
        let index = begin;
        index < payloads.length && this.#append(payloads[index] as Uint8Array);
        index++
      ) {
        done();
      }
    } finally {
      if (this.#callData > 0) this.#callThose();
    }
  }

  #append(bytes: Uint8Array): boolean {
    const { length } = bytes;
    const at = this.#claim();
    if (at === 0) return false;
    if (length < LARGE_BYTES_MIN) this.#u8.set(bytes, at + MESSAGE_HEADER_BYTES);
    else this.attachment.copyIn(bytes, at + MESSAGE_HEADER_BYTES);
    return this.#commit(at, length);
  }

  /** The offset of a slot to write to; 0 when there is no room now. */
  #claim(): number {
    if (!this.#settleCutOff()) throw this.failed(BUSY);
    for (let call = 0; call < CALLS_MAX; call++) {
      const result = this.#core.queueClaim(this.#queue, this.#capacity, this.#slotBytes) >>> 0;
      if (result === BUSY) continue;
      if (isError(result)) throw this.failed(result);
      const at = offsetOf(result);
      if (at !== 0) {
        this.#claimed = at;
        return at;
      }
      if ((flagsOf(result) & FLAG_DEATHS) === 0) return 0;
      this.settle();
    }
    throw this.failed(BUSY);
  }

  #commit(at: number, length: number): boolean {
    for (let call = 0; call < CALLS_MAX; call++) {
      const result = this.#core.queueSend(this.#queue, this.#capacity, this.#slotBytes, at, length) >>> 0;
      if (result === BUSY) continue;
      if (isError(result)) {
        this.#cancel();
        throw this.failed(result);
      }
      this.#claimed = 0;
      if (flagsOf(result) & FLAG_WAKE) this.#callData++;
      return true;
    }
    this.#cancel();
    return false;
  }

  /** Sends a reference to a value. False when there is no room now. */
  share({ at, generation }: Reference): boolean {
    const slot = this.#claim();
    if (slot === 0) return false;
    const result = this.#withValues("sharing through", () =>
      this.#core.queueShare(this.#queue, this.#capacity, this.#slotBytes, slot, at, generation),
    );
    if (result === NOT_FOUND) {
      this.#cancel();
      throw gone("the value");
    }
    this.#claimed = 0;
    if (flagsOf(result) & FLAG_WAKE) this.callForData(1);
    return true;
  }

  /** A call that changes counts of values. */
  #withValues(doing: string, call: () => number): number {
    try {
      return changeValue(this.attachment, `${doing} queue "${this.geometry.name}"`, call);
    } catch (error) {
      if (!this.attachment.closed && !this.attachment.evicted) this.#settleCutOff();
      throw error;
    }
  }

  /** Gives the claimed slot back. Has no effect on a message that was sent. */
  #cancel(): void {
    const at = this.#claimed;
    let result = BUSY;
    for (let call = 0; result === BUSY && call < CALLS_MAX; call++)
      result = this.#core.queueCancel(this.#queue, this.#capacity, this.#slotBytes, at) >>> 0;
    if (result === BUSY) return; // the next call, or the heartbeat, tries again
    this.#claimed = 0;
    if (!isError(result) && flagsOf(result) & FLAG_WAKE_ROOM) this.callForRoom(1);
  }

  // --- taking ----------------------------------------------------------------------------------------------------------

  /**
   * Takes the next message: `at`, `length` and `held` say which one. The caller hands it out (`handOut`), or ends it, before any
   * code of the user runs.
   *
   * A reference to a value is `value` then: with `keeps`, as a job; without, its message is done.
   *
   * @param valueBytes bytes of each value in a queue with a layout; 0 in another one
   * @returns false when there is none now
   */
  take(valueBytes: number, keeps: boolean): boolean {
    if (!this.#settleCutOff()) throw this.failed(BUSY);
    this.value = undefined;
    let at = 0;
    let length = 0;
    do {
      at = this.#takeNext();
      if (at === 0) return false;
      length = this.#u32[(at + MESSAGE_LENGTH_OFFSET) >>> 2] as number;
      this.at = at;
      this.held = this.#u32[at >>> 2] as number;
      this.length = length;
    } while (length === MESSAGE_REFERENCE && !this.#takeValue(keeps));
    if (length === MESSAGE_REFERENCE) return true;
    if (length <= this.#slotBytes && (valueBytes === 0 || length === valueBytes)) return true;
    this.done(at, this.held);
    throw messageDamaged(this.geometry, length, valueBytes);
  }

  /** Whether the message that was taken has a value. If not, it had ended before, and its slot is free now. */
  #takeValue(keeps: boolean): boolean {
    const { at, held } = this;
    this.length = 0;
    const handle = this.#withValues("receiving from", () =>
      this.#core.queueValue(this.#queue, this.#capacity, this.#slotBytes, at, held, keeps ? 1 : 0),
    );
    const ended = handle === FLAG_EMPTY;
    if (!keeps || ended) {
      this.#taken = 0;
      this.callForRoom(1);
    }
    if (!ended) this.value = handleAt(this.attachment, handle);
    return !ended;
  }

  #takeNext(): number {
    for (let call = 0; call < CALLS_MAX; call++) {
      const result = this.#core.queueTake(this.#queue, this.#capacity, this.#slotBytes) >>> 0;
      if (result === BUSY) continue;
      if (isError(result)) throw this.failed(result);
      const at = offsetOf(result);
      if (at !== 0) {
        this.#taken = at;
        return at;
      }
      if ((flagsOf(result) & FLAG_DEATHS) === 0) return 0;
      this.settle();
    }
    throw this.failed(BUSY);
  }

  /** From now on, somebody else has the message that `take` has found. */
  handOut(): void {
    this.#taken = 0;
  }

  /** How often the message in the slot at that offset was taken. */
  deliveriesOf(at: number): number {
    return this.#u32[(at + MESSAGE_DELIVERIES_OFFSET) >>> 2] as number;
  }

  /** Frees the slot of a message that was taken. */
  done(at: number, held: number): void {
    this.end(at, held);
    if (this.#callRoom > 0) this.#callThose();
  }

  /** As `done`. The participants that wait for room are called with `callAll`. */
  end(at: number, held: number): void {
    let result = BUSY;
    if (this.#u32[(at + MESSAGE_LENGTH_OFFSET) >>> 2] === MESSAGE_REFERENCE)
      result = this.#withValues("finishing a job of", () =>
        this.#core.queueDone(this.#queue, this.#capacity, this.#slotBytes, at, held),
      );
    for (let call = 0; result === BUSY && call < CALLS_MAX; call++)
      result = this.#core.queueDone(this.#queue, this.#capacity, this.#slotBytes, at, held) >>> 0;
    if (at === this.#taken) this.#taken = 0;
    if (isError(result)) throw this.failed(result);
    if (flagsOf(result) & FLAG_WAKE_ROOM) this.#callRoom++;
  }

  /** Returns a message that was taken to the queue: it is the next one. */
  giveBack(at: number, held: number): void {
    let result = BUSY;
    for (let call = 0; result === BUSY && call < CALLS_MAX; call++)
      result = this.#core.queueGiveBack(this.#queue, this.#capacity, this.#slotBytes, at, held) >>> 0;
    if (at === this.#taken) this.#taken = 0;
    if (isError(result)) throw this.failed(result);
    if (flagsOf(result) & FLAG_WAKE) this.callForData(1);
  }

  // --- waking ----------------------------------------------------------------------------------------------------------

  /** Calls participants that wait for messages: one for each. */
  callForData(count: number): void {
    this.attachment.call(this.data, count, () => this.#core.waitersCall(this.data));
  }

  /** Calls participants that wait for room: one for each slot. */
  callForRoom(count: number): void {
    this.attachment.call(this.room, count, () => this.#core.waitersCall(this.room));
  }

  #callThose(): void {
    const data = this.#callData;
    const room = this.#callRoom;
    this.#callData = this.#callRoom = 0;
    if (data > 0) this.callForData(data);
    if (room > 0) this.callForRoom(room);
  }

  /** Calls those that wait, after calls of `end`. */
  callAll(): void {
    if (this.#callData + this.#callRoom > 0) this.#callThose();
  }

  // --- what others, and calls that were cut off, have left ---------------------------------------------------------------

  /** The error for a status of the core. */
  failed(status: number): IsthmusError {
    return status === EVICTED ? this.attachment.removed() : queueFailed(status, this.geometry);
  }

  /** Settles what participants that are dead have left, and wakes all that wait for it. */
  settle(): void {
    const { policy } = this.geometry;
    const result = settled(() =>
      this.#core.queueSettle(this.#queue, this.#capacity, this.#slotBytes, policy),
    );
    if (isError(result)) throw this.failed(result);
    this.#notify(result);
  }

  #notify(flags: number): void {
    if (flags & FLAG_WAKE) this.attachment.notify(this.data);
    if (flags & FLAG_WAKE_ROOM) this.attachment.notify(this.room);
  }

  /** For one that waits: asks the kernel about another participant, and settles what the dead have left. */
  recheck(): void {
    watchOthers(this.attachment);
    this.settle();
  }

  /** With the heartbeat. The users of a queue are told that it is damaged. */
  settleDeaths(): void {
    try {
      this.settle();
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw error;
    }
  }

  /** Whether nothing is left of calls that were cut off. */
  #settleCutOff(): boolean {
    if (this.#claimed !== 0) this.#cancel();
    if (this.#taken !== 0) this.#returnTaken(this.#taken);
    return this.#claimed === 0 && this.#taken === 0;
  }

  /** The core has no message there any more if the call that was cut off was the one that ended it. */
  #returnTaken(at: number): void {
    const held = this.#u32[at >>> 2] as number;
    let result = BUSY;
    for (let call = 0; result === BUSY && call < CALLS_MAX; call++)
      result = this.#core.queueGiveBack(this.#queue, this.#capacity, this.#slotBytes, at, held) >>> 0;
    if (result === BUSY) return;
    this.#taken = 0;
    if (!isError(result) && flagsOf(result) & FLAG_WAKE) this.callForData(1);
  }

  settleLeftOver(): void {
    if (this.attachment.evicted) return; // others settle what it had
    this.#settleCutOff();
    this.callAll();
    for (const one of [...this.handled]) one.endLeftOver();
    this.handled.clear();
  }

  /** The segment is being closed: what was taken and is not done goes back to the queue. */
  close(): void {
    this.#leave(QUEUE_REDELIVER);
  }

  /** The environment ends in the middle of the work, without `close`. */
  abandon(): void {
    this.#leave(this.geometry.policy);
  }

  #leave(policy: number): void {
    this.attachment.parts.delete(this);
    if (this.attachment.readOnly) return;
    const result = settled(() => this.#core.queueLeave(this.#queue, this.#capacity, this.#slotBytes, policy));
    // In a damaged queue nothing can be returned; what one that was removed had is returned by others.
    if (!isError(result)) this.#notify(result);
  }
}
