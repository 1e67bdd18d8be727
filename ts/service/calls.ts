/**
 * The calls of a service, as one opener of the segment makes and serves them. `assembly/service.ts` has the rules; this file
 * calls the core, copies requests and responses, and wakes those that wait.
 *
 * | the core answers | what happens                                                                                      |
 * | ---------------- | ------------------------------------------------------------------------------------------------- |
 * | FLAG_DEATHS      | what the dead have left is settled, all that wait for it are woken, and the call is made again    |
 * | BUSY             | the call is made again, up to CALLS_MAX times                                                     |
 * | FLAG_WAKE        | after a request: one server is called. After an answer or a cancellation: the one that it is for  |
 * |                  | is rung                                                                                           |
 * | FLAG_WAKE_ROOM   | one caller that waits for room is called                                                          |
 *
 * A call may be cut off between two calls of the core, and this participant lives on. `#claimed` and `#taken` name a slot that
 * nobody has yet; `blocking` has the calls of functions that block the thread. The heartbeat ends them.
 */
import { BUSY, CORRUPT, EVICTED } from "../../protocol/errors.js";
import {
  CALL_ANSWERED,
  CALL_CALLER_OFFSET,
  CALL_FAILURE,
  CALL_KIND_OFFSET,
  CALL_LOST,
  CALL_REQUEST_OFFSET,
  CALL_RESPONSE_LENGTH_OFFSET,
  FLAG_DEATHS,
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_OWNER_SHIFT,
  MESSAGE_SENDING,
  MESSAGE_STATE_MASK,
  MESSAGE_TAKEN,
  MESSAGE_USE_SHIFT,
  SERVICE_RETRY,
  SHORT_TOKEN_NUMBER_MASK,
} from "../../protocol/layout.js";
import type { PrivateBytes } from "../bytes.js";
import { CALLS_MAX, type Core, flagsOf, isError, offsetOf, settled } from "../core.js";
import { IsthmusError } from "../errors.js";
import { native } from "../host/region.js";
import { TextDecoder } from "../host/text.js";
import { copyOf } from "../queue/job.js";
import type { Attachment, Closable } from "../segment/attachment.js";
import { watchOthers } from "../segment/death-watch.js";
import { Queue } from "../wait/queue.js";
import type { QueuedWait } from "../wait/wait.js";
import { callDamaged, handlerFailed, servedHere, serverDied, serviceFailed } from "./errors.js";
import type { ServiceParameters } from "./parameters.js";

const decoder = new TextDecoder();

/** A service and its parameters. */
export interface ServiceGeometry extends ServiceParameters {
  readonly name: string;
  readonly service: number;
}

/** A call of ours, or a request that we have taken: its slot, and the low half of its word. `at` is 0 when it has ended. */
export interface Held {
  at: number;
  held: number;
}

/** A request that we have taken. */
export interface Taken extends Held {
  /** What its caller says that it has; `bytes` may have fewer in a damaged service. */
  readonly length: number;
  readonly bytes: PrivateBytes;
}

/** A call that we have made. */
export interface Call extends Held {
  /** Bytes of its request. */
  readonly length: number;
  /** It is to be put into the list again. */
  unsent: boolean;
  /** It is being sent again: its word may have the next use. */
  again: boolean;
}

function nextUse(held: number): number {
  return (((held & ~MESSAGE_STATE_MASK) + (1 << MESSAGE_USE_SHIFT)) | MESSAGE_SENDING) >>> 0;
}

export class ServiceCalls implements Closable {
  readonly geometry: ServiceGeometry;
  readonly attachment: Attachment;
  /** Offsets of the sets of participants that wait: for answers and cancellations, for requests, and for room. */
  readonly notices: number;
  readonly requests: number;
  readonly room: number;
  /** Tasks of this opener that wait for room, and for requests, in the order of their calls. */
  readonly callers = new Queue<QueuedWait>();
  readonly servers = new Queue<QueuedWait>();
  /** Called when the segment is being closed: servers end then, whatever their handlers do. */
  readonly closing = new Set<() => void>();
  /** Calls of functions that block the thread. */
  readonly blocking = new Set<Call>();
  /** How many servers of this opener take requests. */
  open = 0;
  readonly #core: Core;
  readonly #u32: Uint32Array;
  /** The arguments with which functions of the core begin. */
  readonly #place: readonly [number, number, number, number];
  readonly #response: number;
  #claimed: Call | undefined;
  #taken: Held | undefined;

  /** Returns the calls of this service for this opener. There is only one such object. */
  static of(attachment: Attachment, geometry: ServiceGeometry): ServiceCalls {
    const known = attachment.states.get(geometry.service) as ServiceCalls | undefined;
    if (known) return known;
    const calls = new ServiceCalls(attachment, geometry);
    attachment.states.set(geometry.service, calls);
    attachment.parts.add(calls);
    return calls;
  }

  private constructor(attachment: Attachment, geometry: ServiceGeometry) {
    const { core } = attachment;
    const { service, capacity, requestBytes, responseBytes } = geometry;
    this.attachment = attachment;
    this.geometry = geometry;
    this.notices = core.serviceWaiters(service) >>> 0;
    this.requests = core.serviceWaitersRequests(service) >>> 0;
    this.room = core.serviceWaitersRoom(service) >>> 0;
    this.#core = core;
    this.#u32 = attachment.u32;
    this.#place = [service, capacity, requestBytes, responseBytes];
    this.#response = core.serviceResponse(requestBytes);
  }

  /** Repeats a call of the core that says BUSY. Throws other errors. */
  #sound(step: () => number): number {
    let result = BUSY;
    for (let call = 0; result === BUSY && call < CALLS_MAX; call++) result = step() >>> 0;
    if (isError(result)) throw this.failed(result);
    return result;
  }

  /**
   * Throws if this thread serves, through this opener or another one: a call that blocks it might wait for itself. Whether
   * others serve, too, nobody knows.
   */
  checkBlocking(): void {
    let open = this.open > 0;
    for (const other of this.attachment.elsewhere(this.geometry.service))
      open ||= other instanceof ServiceCalls && other.open > 0;
    if (open) throw servedHere(this.geometry);
  }

  // --- callers -----------------------------------------------------------------------------------------------------------

  /** Sends a request, a copy of bytes that fit. Undefined when there is no room now. */
  begin(bytes: Uint8Array): Call | undefined {
    if (this.#claimed) this.forget(this.#claimed);
    const at = this.#find(() => this.#core.serviceClaim(...this.#place));
    if (at === 0) return undefined;
    const call: Call = { at, held: this.#u32[at >>> 2], length: bytes.length, unsent: true, again: false };
    this.#claimed = call;
    this.attachment.copyIn(bytes, at + CALL_REQUEST_OFFSET);
    this.#send(call);
    if (call.unsent) this.forget(call);
    this.#claimed = undefined;
    return call.unsent ? undefined : call;
  }

  /** The offset that the core finds; 0 when there is none now. What the dead have left is settled meanwhile. */
  #find(step: () => number): number {
    for (let call = 0; call < CALLS_MAX; call++) {
      const result = step() >>> 0;
      if (result === BUSY) continue;
      if (isError(result)) throw this.failed(result);
      const at = offsetOf(result);
      if (at !== 0) return at;
      if ((flagsOf(result) & FLAG_DEATHS) === 0) return 0;
      this.settle();
    }
    throw this.failed(BUSY);
  }

  /** Puts a call into the list; `unsent` says whether that was possible. */
  #send(call: Call): void {
    for (let turn = 0; turn < CALLS_MAX; turn++) {
      const result = this.#core.serviceSend(...this.#place, call.at, call.held, call.length) >>> 0;
      if (result === BUSY) continue;
      if (isError(result)) throw this.failed(result);
      call.unsent = false;
      if (flagsOf(result) & FLAG_WAKE) this.callServer();
      return;
    }
  }

  /** What has become of a call: a copy of the response, which ends it, or undefined: nothing yet. Throws why it has failed. */
  look(call: Call): PrivateBytes | undefined {
    if (call.unsent) this.#send(call);
    if (this.#isUnderWay(call)) return undefined;
    const state = this.#sound(() => this.#core.serviceResult(...this.#place, call.at, call.held));
    if (state === 0) return undefined;
    if (state === CALL_ANSWERED) return this.#receive(call);
    if (state === CALL_LOST && this.geometry.onServerDeath !== SERVICE_RETRY) {
      this.forget(call);
      throw serverDied(this.geometry);
    }
    this.#again(call);
    return undefined;
  }

  /** Whether it waits for a server, or for the answer of one, as the word of its slot says. */
  #isUnderWay({ at, held }: Held): boolean {
    const difference = (this.#u32[at >>> 2] as number) ^ held;
    return difference === 0 || difference === (MESSAGE_SENDING ^ MESSAGE_TAKEN);
  }

  #receive(call: Call): PrivateBytes {
    const { at } = call;
    const most = this.geometry.responseBytes;
    const length = this.#u32[(at + CALL_RESPONSE_LENGTH_OFFSET) >>> 2] as number;
    const failed = this.#u32[(at + CALL_KIND_OFFSET) >>> 2] === CALL_FAILURE;
    const bytes = copyOf(this.attachment, at + this.#response, Math.min(length, most));
    this.forget(call);
    if (length > most) throw callDamaged(this.geometry, "response", length, most);
    if (failed) throw handlerFailed(decoder.decode(bytes));
    return bytes;
  }

  /** Sends a call again. Its word has the next use then; until that is known, a call that is cut off may have either. */
  #again(call: Call): void {
    const { at, held } = call;
    call.again = true;
    const result = this.#core.serviceAgain(...this.#place, at, held) >>> 0;
    if (isError(result) && result !== BUSY) throw this.failed(result);
    const word = this.#u32[at >>> 2] as number;
    if (result === BUSY && ((word ^ held) & ~MESSAGE_STATE_MASK) === 0) return; // with the next look
    call.held = nextUse(held);
    call.again = false;
    call.unsent = result === BUSY;
    if (result !== BUSY && flagsOf(result) & FLAG_WAKE) this.callServer();
  }

  /** Ends a call: withdraws it, or cancels it, unless it has ended. */
  forget(call: Call): void {
    const { at, held } = call;
    if (at === 0) return;
    call.at = 0;
    if (call === this.#claimed) this.#claimed = undefined;
    if (this.attachment.closed || this.attachment.evicted) return; // others settle it
    let result = BUSY;
    for (let turn = 0; result === BUSY && turn < CALLS_MAX; turn++) {
      result = this.#core.serviceForget(...this.#place, at, held) >>> 0;
      if (result === CORRUPT && call.again)
        result = this.#core.serviceForget(...this.#place, at, nextUse(held)) >>> 0;
    }
    if (!isError(result)) this.#tell(flagsOf(result));
  }

  /** The slot of the server that works on a call; undefined when none does. */
  serverOf({ at, held }: Held): number | undefined {
    const working = ((this.#u32[at >>> 2] as number) ^ held) === (MESSAGE_SENDING ^ MESSAGE_TAKEN);
    return working ? (this.#u32[(at >>> 2) + MESSAGE_OWNER_SHIFT / 32] as number) : undefined;
  }

  /** For a caller that waits: asks the kernel about the server that works on its call, and settles what the dead have left. */
  recheckCall(call: Call): void {
    if (call.at === 0) return;
    const token = this.serverOf(call);
    if (token !== undefined) this.#askAbout(token);
    this.recheck();
  }

  // --- servers -------------------------------------------------------------------------------------------------------------

  /** Takes the next request, with a copy of it; undefined when there is none now. */
  take(): Taken | undefined {
    if (this.#taken) this.#giveBack(this.#taken);
    const at = this.#find(() => this.#core.serviceTake(...this.#place));
    if (at === 0) return undefined;
    const held = this.#u32[at >>> 2] as number;
    this.#taken = { at, held };
    const length = this.#u32[(at + MESSAGE_LENGTH_OFFSET) >>> 2] as number;
    const most = Math.min(length, this.geometry.requestBytes);
    const taken = { at, held, length, bytes: copyOf(this.attachment, at + CALL_REQUEST_OFFSET, most) };
    this.#taken = undefined;
    return taken;
  }

  /** Answers a request that was taken, with bytes that fit, or with the text of a failure. */
  answer(request: Held, bytes: Uint8Array, kind: number): void {
    const { at, held } = request;
    request.at = 0;
    if (at === 0 || this.attachment.closed || this.attachment.evicted) return;
    this.attachment.copyIn(bytes, at + this.#response);
    const { length } = bytes;
    this.#tell(flagsOf(this.#sound(() => this.#core.serviceAnswer(...this.#place, at, held, length, kind))));
  }

  #giveBack(request: Held): void {
    const { at, held } = request;
    request.at = 0;
    if (request === this.#taken) this.#taken = undefined;
    let result = BUSY;
    for (let turn = 0; result === BUSY && turn < CALLS_MAX; turn++)
      result = this.#core.serviceGiveBack(...this.#place, at, held) >>> 0;
    if (!isError(result)) this.#tell(flagsOf(result));
  }

  /** Whether nobody waits for the answer any more. */
  isCancelled({ at, held }: Held): boolean {
    return at !== 0 && this.#core.serviceIsCancelled(at, held) !== 0;
  }

  /** For a server that waits for a cancellation: asks the kernel about the caller. */
  recheckRequest({ at }: Held): void {
    if (at === 0) return;
    this.#askAbout(this.#u32[(at + CALL_CALLER_OFFSET) >>> 2] as number);
    this.settle();
  }

  // --- waking, and what others have left --------------------------------------------------------------------------------------

  /** Calls one server that waits for requests. */
  callServer(): void {
    this.attachment.call(this.requests, 1, () => this.#core.waitersCall(this.requests));
  }

  /** Calls one caller that waits for room. */
  callForRoom(): void {
    this.attachment.call(this.room, 1, () => this.#core.waitersCall(this.room));
  }

  #tell(flags: number): void {
    if (flags & FLAG_WAKE) {
      const bell = this.#core.serviceRing(this.geometry.service) >>> 0;
      if (bell !== 0) native.wake(this.attachment.region.object, bell);
    }
    if (flags & FLAG_WAKE_ROOM) this.callForRoom();
  }

  /** The error for a status of the core. */
  failed(status: number): IsthmusError {
    return status === EVICTED ? this.attachment.removed() : serviceFailed(status, this.geometry);
  }

  /** Settles what participants that are dead have left, and wakes all that wait for it. */
  settle(): void {
    const result = settled(() => this.#core.serviceSettle(...this.#place));
    if (isError(result)) throw this.failed(result);
    this.#notify(result);
  }

  #notify(flags: number): void {
    if (flags & FLAG_WAKE) this.attachment.notify(this.notices);
    if (flags & FLAG_WAKE_ROOM) this.attachment.notify(this.room);
  }

  /** Asks the kernel whether the participant with that short token is alive. */
  #askAbout(token: number): void {
    const slot = token & SHORT_TOKEN_NUMBER_MASK;
    const { attachment } = this;
    if (slot === attachment.slot || slot >= this.#core.participants.value) return;
    if (this.#core.watchSlot(slot) !== 0 && !attachment.held(slot)) this.#core.markDead();
  }

  /** For one that waits: asks the kernel about another participant, and settles what the dead have left. */
  recheck(): void {
    watchOthers(this.attachment);
    this.settle();
  }

  /** With the heartbeat. The users of a service are told that it is damaged. */
  settleDeaths(): void {
    try {
      this.settle();
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw error;
    }
  }

  settleLeftOver(): void {
    if (this.attachment.evicted) return; // others settle what it had
    if (this.#claimed) this.forget(this.#claimed);
    if (this.#taken) this.#giveBack(this.#taken);
    for (const call of this.blocking) this.forget(call);
    this.blocking.clear();
  }

  /** The segment is being closed, or the environment ends: what was called is withdrawn, and what was taken is lost. */
  close(): void {
    this.attachment.parts.delete(this);
    for (const end of this.closing) end();
    if (this.attachment.readOnly) return;
    const result = settled(() => this.#core.serviceLeave(...this.#place));
    if (!isError(result)) this.#notify(result);
  }
}
