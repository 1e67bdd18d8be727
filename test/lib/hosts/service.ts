/** What hosts do with a service, as scripts. */
import { strict as assert } from "node:assert";
import { BUSY, CORRUPT } from "../../../protocol/errors.js";
import {
  CALL_FAILURE,
  CALL_REQUEST_OFFSET,
  CALL_RESPONSE,
  CALL_RESPONSE_LENGTH_OFFSET,
  FLAG_DEATHS,
  FLAG_EMPTY,
  FLAG_FULL,
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  MESSAGE_LENGTH_OFFSET,
  MESSAGE_USE_SHIFT,
  MESSAGE_WORD_OFFSET,
  OBJECT_SERVICE,
  RESULT_ERRORS,
  RESULT_OFFSETS,
  SERVICE_FAIL,
} from "../../../protocol/layout.js";
import { call, read, type Script, wake, write } from "../script.js";
import { callOne, MESSAGES, memberOf, type Queue } from "./queue.js";
import { CoreError, notify, type ObjectWish, openObject } from "./segment.js";

export interface Service {
  service: number;
  capacity: number;
  requestBytes: number;
  responseBytes: number;
  /** Where its queue is. */
  queue: number;
  /** Where a response is in a slot. */
  response: number;
  /** The sets of waiters. */
  notices: number;
  requests: number;
  room: number;
}

/** A call of ours, or a request that we have taken: its slot, and the low half of its word. */
export interface Held {
  at: number;
  held: number;
  /** It is being sent again: it may have its next use. */
  again?: boolean;
}

export interface Request extends Held {
  payload: Uint8Array;
}

export function serviceWish(capacity: number, requestBytes: number, responseBytes: number) {
  return {
    type: OBJECT_SERVICE,
    name: "service",
    first: capacity,
    second: requestBytes,
    third: responseBytes,
    fourth: SERVICE_FAIL,
  };
}

export function* openService(
  view: DataView,
  wish: ObjectWish,
  dead: readonly number[] = [],
): Script<Service> {
  const service = yield* openObject(view, wish, dead);
  const { first: capacity, second: requestBytes = 0, third: responseBytes = 0 } = wish;
  return {
    service,
    capacity,
    requestBytes,
    responseBytes,
    queue: (yield* call("serviceQueue", service)) >>> 0,
    response: yield* call("serviceResponse", requestBytes),
    notices: (yield* call("serviceWaiters", service)) >>> 0,
    requests: (yield* call("serviceWaitersRequests", service)) >>> 0,
    room: (yield* call("serviceWaitersRoom", service)) >>> 0,
  };
}

/** The word of a participant among the members. */
export function memberOfService({ queue }: Service, slot: number): number {
  return memberOf({ queue } as Queue, slot);
}

/** Where the slot of that number is, in a service of up to 64 calls. */
export function callSlot({ queue, response, responseBytes }: Service, number: number): number {
  return queue + MESSAGES + number * (Math.ceil((response + responseBytes) / 64) * 64);
}

function on(name: string, one: Service, ...more: number[]): Script<number> {
  return call(name, one.service, one.capacity, one.requestBytes, one.responseBytes, ...more);
}

/** The result; throws when it is an error. */
function sound(name: string, result: number): number {
  const word = result >>> 0;
  if (word >= RESULT_ERRORS && word < RESULT_OFFSETS) throw new CoreError(name, word);
  return word;
}

function* wakeAll(service: Service, flags: number): Script {
  if (flags & FLAG_WAKE) yield* notify(service.notices);
  if (flags & FLAG_WAKE_ROOM) yield* notify(service.room);
}

/** Settles what the dead have left, and wakes who waits for what that gave. */
export function* settleService(service: Service): Script {
  yield* wakeAll(service, sound("serviceSettle", yield* on("serviceSettle", service)));
}

export function* leaveService(service: Service): Script {
  yield* wakeAll(service, sound("serviceLeave", yield* on("serviceLeave", service)));
}

/** Rings the one that the last function meant. */
function* ring({ service }: Service): Script {
  const bell = (yield* call("serviceRing", service)) >>> 0;
  if (bell !== 0) yield* wake(bell);
}

/** Claims a slot; `undefined` when there is none now. */
export function* claimCall(view: DataView, service: Service): Script<Held | undefined> {
  for (let turn = 0; turn < 3; turn++) {
    const at = sound("serviceClaim", yield* on("serviceClaim", service));
    if (at >= RESULT_OFFSETS) return { at, held: view.getUint32(at + MESSAGE_WORD_OFFSET, true) };
    if ((at & FLAG_DEATHS) === 0) return undefined;
    if ((at & FLAG_FULL) === 0) throw new Error(`serviceClaim gave ${at}`);
    yield* settleService(service);
  }
  return undefined;
}

/** What a host knows that it owns. */
export interface OwnedCalls {
  calls: Held[];
  requests: Held[];
}

/** Sends a request; `undefined` when there is no room. */
export function* begin(
  view: DataView,
  service: Service,
  payload: Uint8Array,
  owned?: OwnedCalls,
): Script<Held | undefined> {
  const one = yield* claimCall(view, service);
  if (one === undefined) return undefined;
  owned?.calls.push(one);
  yield* write(one.at + CALL_REQUEST_OFFSET, payload);
  const sent = sound("serviceSend", yield* on("serviceSend", service, one.at, one.held, payload.length));
  if (sent & FLAG_WAKE) yield* callOne(service.requests);
  return one;
}

const nextUse = (held: number): number => held + (1 << MESSAGE_USE_SHIFT);

/** 0 while it is not answered; else CALL_… */
export function* resultOf(service: Service, { at, held }: Held): Script<number> {
  return sound("serviceResult", yield* on("serviceResult", service, at, held));
}

/** Sends it again; the host knows it by its next use. */
export function* callAgain(service: Service, one: Held): Script {
  const { at, held } = one;
  one.again = true;
  const sent = sound("serviceAgain", yield* on("serviceAgain", service, at, held));
  one.held = nextUse(held);
  one.again = false;
  if (sent & FLAG_WAKE) yield* callOne(service.requests);
}

export function* responseOf(view: DataView, service: Service, { at }: Held): Script<Uint8Array> {
  const length = view.getUint32(at + CALL_RESPONSE_LENGTH_OFFSET, true);
  return yield* read(at + service.response, Math.min(length, service.responseBytes));
}

export function* forget(service: Service, { at, held }: Held): Script {
  const flags = sound("serviceForget", yield* on("serviceForget", service, at, held));
  if (flags & FLAG_WAKE) yield* ring(service);
  if (flags & FLAG_WAKE_ROOM) yield* callOne(service.room);
}

/** Takes a request; `undefined` when there is none. */
export function* takeRequest(view: DataView, service: Service): Script<Request | undefined> {
  for (let turn = 0; turn < 3; turn++) {
    const result = (yield* on("serviceTake", service)) >>> 0;
    if (result === BUSY) continue;
    const at = sound("serviceTake", result);
    if (at >= RESULT_OFFSETS) {
      const length = view.getUint32(at + MESSAGE_LENGTH_OFFSET, true);
      const held = view.getUint32(at + MESSAGE_WORD_OFFSET, true);
      return { at, held, payload: yield* read(at + CALL_REQUEST_OFFSET, length) };
    }
    if ((at & FLAG_DEATHS) === 0) return undefined;
    if ((at & FLAG_EMPTY) === 0) throw new Error(`serviceTake gave ${at}`);
    yield* settleService(service);
  }
  return undefined;
}

export function* answer(service: Service, { at, held }: Held, payload: Uint8Array, fails = false): Script {
  yield* write(at + service.response, payload);
  const kind = fails ? CALL_FAILURE : CALL_RESPONSE;
  const flags = sound("serviceAnswer", yield* on("serviceAnswer", service, at, held, payload.length, kind));
  yield* ended(service, flags);
}

export function* giveRequestBack(service: Service, { at, held }: Held): Script {
  yield* ended(service, sound("serviceGiveBack", yield* on("serviceGiveBack", service, at, held)));
}

function* ended(service: Service, flags: number): Script {
  if (flags & FLAG_WAKE) yield* ring(service);
  if (flags & FLAG_WAKE_ROOM) yield* callOne(service.room);
}

/** Ends what it owns, as a host does whose code was cut off. A call that was cut off may have ended it. */
export function* endOwned(service: Service, { calls, requests }: OwnedCalls): Script {
  for (const [name, all] of [
    ["serviceForget", calls],
    ["serviceGiveBack", requests],
  ] as const) {
    for (const { at, held, again } of all) {
      let flags = (yield* on(name, service, at, held)) >>> 0;
      if (flags === CORRUPT && again) flags = (yield* on(name, service, at, nextUse(held))) >>> 0;
      if (flags !== CORRUPT) yield* ended(service, sound(name, flags));
      else assert.equal(flags, CORRUPT);
    }
    all.length = 0;
  }
}
