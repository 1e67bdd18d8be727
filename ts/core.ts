import { BUSY } from "../protocol/errors.js";
import {
  FLAG_WAKE,
  FLAG_WAKE_ROOM,
  RESULT_ERRORS,
  RESULT_FLAGS,
  RESULT_OFFSETS,
} from "../protocol/layout.js";
import { coreFunctions } from "./core-functions.js";
import { coreModule } from "./host/runtime.js";

/** The four parameters of an object, as its entry has them; those that a type does not have are 0. */
export type ObjectParameters = readonly [number, number, number, number];

/** The parameters with which a change of a cache begins. */
type CacheChange = [cache: number, bytes: number, policy: number, keyBytes: number];

/** A service as its functions expect it: offset, capacity, bytes of requests, and of responses. */
export type ServicePlace = readonly [
  service: number,
  capacity: number,
  requestBytes: number,
  responseBytes: number,
];

/** The exports of `core.wasm`. The modules of `assembly/` document each function. Offsets are returned as i32. */
export interface Core {
  create(
    bytes: number,
    generation: number,
    slots: number,
    pid: number,
    nowNs: number,
    temporary: number,
  ): number;
  validate(bytes: number, count: number): number;
  openingLook(bytes: number, read: number, wish: number): number;
  openingBytes(bytes: number): number;
  openingNext(status: number, wish: number, bytes: number, wantedBytes: number, wantedSlots: number): number;
  openingTemporary(read: number): number;
  openingGeneration(read: number): number;
  openingZeros(read: number): number;
  adopt(bytes: number): number;
  shrink(): number;
  markStale(): void;
  isStale(): number;
  countDrop(): void;
  directoryOffset(): number;
  directoryCount(): number;
  objectOpen(type: number, nameBytes: number, ...parameters: ObjectParameters): number;
  objectCheck(entry: number, type: number, ...parameters: ObjectParameters): number;
  scratch(): number;
  answers(): number;

  join(slot: number, pid: number, runtime: number, nowNs: number): void;
  leave(alone: number): void;
  selfCheck(): number;
  slotAfter(slot: number): number;
  slotToTry(turn: number): number;
  suspectSlot(): number;
  watchSlot(slot: number): number;
  markDead(): number;
  beat(nowNs: number): void;
  doorbell(slot: number): number;
  blockedBell(slot: number): number;

  turnPass(nowMs: number): number;
  turnLeave(): void;
  turnServed(): void;
  waitersAny(set: number): number;
  waitersArm(set: number): void;
  waitersBlock(set: number): void;
  waitersUnblock(): void;
  waitersDisarm(set: number): number;
  waitersTake(set: number, from: number): number;
  waitersCall(set: number): number;

  /** Number of participant slots when the segment was validated. A peer may have overwritten the word in the segment since. */
  readonly participants: WebAssembly.Global;
  readonly payload: WebAssembly.Global;
  readonly heapEnd: WebAssembly.Global;
  ringCapacity(bytes: number): number;
  ringData(ring: number): number;
  ringWaitersData(ring: number): number;
  ringWaitersRoom(ring: number): number;
  ringWaitersEnds(ring: number): number;
  ringAttachProducer(ring: number, capacity: number): number;
  ringClaim(ring: number, capacity: number, length: number): number;
  ringRoom(ring: number, capacity: number, at: number): number;
  ringStage(at: number, length: number): number;
  ringPublish(ring: number, bytes: number, records: number, payloadBytes: number): number;
  ringSpread(ring: number, at: number, bytes: number, payloadBytes: number, records: number): number;
  ringCommit(ring: number, at: number, length: number): number;
  ringStamp(ring: number, nowNs: number): void;
  ownerKept(): void;
  ownerGone(): void;
  ownerJudgedLow(): number;
  ownerJudgedHigh(): number;
  ringCloseProducer(ring: number): number;
  ringAbandonProducer(ring: number): number;
  ringConsumerState(ring: number): number;
  ringConsumerReported(ring: number): void;
  ringConsumerDied(ring: number): number;
  ringAttachConsumer(ring: number, capacity: number): number;
  ringReceive(ring: number, capacity: number, at: number, advance: number, records: number): number;
  ringReady(ring: number, capacity: number, at: number): number;
  ringReadyRecords(ring: number): number;
  ringResume(ring: number, capacity: number): number;
  ringRelease(ring: number, capacity: number, at: number, advance: number, records: number): number;
  ringCloseConsumer(ring: number): number;
  ringProducerState(ring: number): number;
  ringProducerReported(ring: number): void;
  ringEnd(ring: number, capacity: number): number;

  heapAllocate(bytes: number, alignment: number, zero: number): number;
  heapFree(offset: number): number;
  heapBlockBytes(offset: number): number;
  heapLargest(): number;
  heapLayout(offset: number): number;
  heapLook(): number;
  heapNext(offset: number): number;
  heapSetLayout(offset: number, hash: number): number;
  heapRoot(): number;
  heapSetRoot(offset: number): number;
  heapCheck(): number;
  readonly heapCheckOffset: WebAssembly.Global;
  writeLockTake(): number;
  writeLockRelease(): void;
  writeLockState(): number;
  transactionBegin(): number;
  transactionNote(offset: number, bytes: number): number;
  transactionEnd(keep: number): number;

  lockExclusive(lock: number, impatient: number, journaled: number): number;
  lockCancel(lock: number): number;
  lockCall(lock: number): number;
  lockForgo(lock: number): number;
  lockJoin(lock: number): number;
  lockShared(lock: number): number;
  lockReleaseShared(lock: number): number;
  lockReleaseExclusive(lock: number): number;
  lockUpgrade(lock: number, alone: number): number;
  lockDowngrade(lock: number): number;
  lockMarkConsistent(lock: number): void;
  lockSettle(lock: number, held: number, wants: number): number;
  lockState(lock: number): number;
  lockWaitersShared(lock: number): number;
  lockWaitersExclusive(lock: number): number;

  signalValue(signal: number): number;
  signalWaiters(signal: number): number;
  semaphoreTry(signal: number, count: number): number;
  semaphoreCall(signal: number): number;
  semaphoreClaim(signal: number): number;
  semaphoreUnclaim(signal: number): number;
  semaphoreRelease(signal: number, count: number): number;
  eventSet(signal: number, signaled: number): number;
  eventPasses(signal: number, begin: number): number;
  counterValue(signal: number): number;
  counterAdd(signal: number, amount: number): number;
  counterExchange(signal: number, value: number): number;
  counterCompareExchange(signal: number, expected: number, value: number): number;

  queueWaiters(queue: number): number;
  queueWaitersRoom(queue: number): number;
  queueClaim(queue: number, capacity: number, slotBytes: number): number;
  queueSend(queue: number, capacity: number, slotBytes: number, at: number, length: number): number;
  queueCancel(queue: number, capacity: number, slotBytes: number, at: number): number;
  queueTake(queue: number, capacity: number, slotBytes: number): number;
  queueShare(
    queue: number,
    capacity: number,
    slotBytes: number,
    at: number,
    value: number,
    generation: number,
  ): number;
  queueValue(
    queue: number,
    capacity: number,
    slotBytes: number,
    at: number,
    held: number,
    keeps: number,
  ): number;
  queueDone(queue: number, capacity: number, slotBytes: number, at: number, held: number): number;
  queueGiveBack(queue: number, capacity: number, slotBytes: number, at: number, held: number): number;
  queueSettle(queue: number, capacity: number, slotBytes: number, policy: number): number;
  queueLeave(queue: number, capacity: number, slotBytes: number, policy: number): number;
  queueHeld(queue: number, capacity: number, slotBytes: number, offset: number): number;

  broadcastCapacity(bytes: number): number;
  broadcastPayloadMax(capacity: number): number;
  broadcastWaiters(topic: number): number;
  broadcastWaitersEnds(topic: number): number;
  broadcastAttach(topic: number, capacity: number): number;
  broadcastClose(topic: number): number;
  broadcastClaim(topic: number, capacity: number, length: number): number;
  broadcastPublish(topic: number, capacity: number, offset: number, length: number): number;
  broadcastStamp(topic: number, nowNs: number): void;
  broadcastBegin(topic: number, capacity: number, fromOldest: number): number;
  broadcastNext(topic: number, capacity: number, position: number): number;
  broadcastIsWhole(topic: number, capacity: number, position: number): number;
  broadcastFound(): number;
  broadcastFollowing(): number;
  broadcastNumber(): number;
  broadcastState(topic: number, toldLow: number, toldHigh: number): number;
  broadcastEnd(topic: number, capacity: number, position: number, toldLow: number, toldHigh: number): number;
  broadcastSent(topic: number, capacity: number): number;

  valueMake(kind: number, bytes: number): number;
  valueAcquire(value: number, generation: number): number;
  valueRelease(handle: number): number;
  valueSetRoot(value: number, generation: number): number;
  valueCount(value: number, generation: number): number;
  valueLook(value: number, generation: number): number;
  valuesLinks(): number;
  valuesPending(): number;
  valuesSettle(steps: number): number;
  listItem(list: number, index: number): number;
  listPush(list: number, generation: number, kind: number, low: number, high: number, links: number): number;
  listSet(
    list: number,
    generation: number,
    index: number,
    kind: number,
    low: number,
    high: number,
    links: number,
  ): number;
  listPop(list: number, generation: number): number;
  dictFind(dict: number, hash: number, after: number): number;
  dictNext(dict: number, after: number, generation: number, number: number): number;
  dictSet(
    dict: number,
    generation: number,
    key: number,
    keyBytes: number,
    kind: number,
    low: number,
    high: number,
    links: number,
  ): number;
  dictDelete(dict: number, generation: number, key: number, keyBytes: number): number;
  cacheWaiters(cache: number): number;
  cacheBytesMax(cache: number, bytes: number): number;
  cacheBuckets(bytes: number): number;
  cacheShards(bytes: number): number;
  cacheSeed(cache: number, low: number, high: number): void;
  cacheKey(cache: number, keyBytes: number): void;
  cacheKeyBegin(cache: number): void;
  cacheKeyWord(low: number, high: number): void;
  cacheKeyEnd(low: number, high: number, keyBytes: number): void;
  cacheGet(cache: number, bytes: number, keyBytes: number, text: number, nowMs: number): number;
  cacheFind(cache: number, bytes: number, text: number, nowMs: number, uses: number): number;
  cacheIsWhole(): number;
  cacheNumber(): number;
  cacheFound(): number;
  cacheWalk(cache: number, bytes: number, bucket: number, after: number, nowMs: number): number;
  cacheCount(cache: number, bytes: number, which: number): number;
  cacheClaim(
    ...given: [...CacheChange, text: number, valueBytes: number, kind: number, ticket: number, nowMs: number]
  ): number;
  cacheCommit(cache: number, bytes: number, expiresMs: number): number;
  cacheAbort(): void;
  cacheAdd(...given: [...CacheChange, text: number, amount: number, nowMs: number]): number;
  cacheDelete(cache: number, bytes: number, text: number, ticket: number, nowMs: number): number;
  cacheReserve(
    cache: number,
    bytes: number,
    policy: number,
    text: number,
    ticket: number,
    nowMs: number,
  ): number;
  cacheClear(cache: number, bytes: number, shard: number): number;

  serviceWaiters(service: number): number;
  serviceWaitersRequests(service: number): number;
  serviceWaitersRoom(service: number): number;
  serviceQueue(service: number): number;
  serviceResponse(requestBytes: number): number;
  serviceSlotBytes(requestBytes: number, responseBytes: number): number;
  serviceClaim(...place: ServicePlace): number;
  serviceSend(...call: [...place: ServicePlace, at: number, held: number, length: number]): number;
  serviceResult(...call: [...place: ServicePlace, at: number, held: number]): number;
  serviceAgain(...call: [...place: ServicePlace, at: number, held: number]): number;
  serviceForget(...call: [...place: ServicePlace, at: number, held: number]): number;
  serviceTake(...place: ServicePlace): number;
  serviceIsCancelled(at: number, held: number): number;
  serviceAnswer(
    ...call: [...place: ServicePlace, at: number, held: number, length: number, kind: number]
  ): number;
  serviceGiveBack(...call: [...place: ServicePlace, at: number, held: number]): number;
  serviceRing(service: number): number;
  serviceSettle(...place: ServicePlace): number;
  serviceLeave(...place: ServicePlace): number;

  latestWaiters(latest: number): number;
  latestBegin(latest: number, valueBytes: number): number;
  latestCommit(latest: number, valueBytes: number, offset: number): number;
  latestAbort(latest: number): void;
  latestKept(): void;
  latestWrite(latest: number, valueBytes: number): number;
  latestRead(latest: number, valueBytes: number): number;
  latestPeek(latest: number, valueBytes: number, pin: number): number;
  latestValidate(latest: number, pin: number): number;
  latestReadVersion(): number;
  latestVersion(latest: number): number;
}

/** Creates a core that works on this memory. Each open segment has its own instance. */
export function instantiate(memory: WebAssembly.Memory, readOnly: boolean): Core {
  return coreFunctions(new WebAssembly.Instance(coreModule(readOnly), { env: { memory } }).exports);
}

/*
 * A result of the core is a number of 32 bits, which is one of three things: flags (below RESULT_ERRORS), an error code, or an
 * offset (from RESULT_OFFSETS on) whose lowest bits are flags. The three functions below take it apart, and nothing else does.
 */

/** Whether a result is an error code. */
export function isError(result: number): boolean {
  return result >= RESULT_ERRORS && result < RESULT_OFFSETS;
}

/** The flags in a result that is not an error. */
export function flagsOf(result: number): number {
  return result & RESULT_FLAGS;
}

/** The offset in a result that is not an error; 0 when it has only flags. */
export function offsetOf(result: number): number {
  return (result & ~RESULT_FLAGS) >>> 0;
}

/** How often a call of the core is repeated: when others were faster each time, or when somebody died each time. */
export const CALLS_MAX = 64;

/**
 * Settles what others, or this participant, have left. BUSY does not say what was done so far: then all that wait are woken.
 *
 * @returns flags; BUSY when others were in the way each time; or another error
 */
export function settled(settle: () => number): number {
  let woken = 0;
  for (let call = 0; call < CALLS_MAX; call++) {
    const result = settle() >>> 0;
    if (result !== BUSY) return isError(result) ? result : woken | result;
    woken = FLAG_WAKE | FLAG_WAKE_ROOM;
  }
  return BUSY;
}
