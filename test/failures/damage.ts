/** A segment with one of everything, for `damage.test.ts`: what is in it, which words there are, and what a host does with it. */
import {
  BLOCK_HEADER_BYTES,
  BROADCAST_WAITERS_OFFSET,
  CACHE_WAITERS_OFFSET,
  DICT_BYTES,
  ENTRY_BYTES,
  FLAG_FULL,
  FLAG_WAKE,
  HEADER_BYTES,
  HEAP_END_OFFSET,
  HEAP_OFFSET,
  LATEST_WAITERS_OFFSET,
  LIST_BYTES,
  LOCK_WAITERS_OFFSET,
  OBJECT_ALIGNMENT,
  OBJECT_BROADCAST,
  OBJECT_COUNTER,
  OBJECT_EVENT,
  OBJECT_LATEST,
  OBJECT_LOCK,
  OBJECT_QUEUE,
  OBJECT_SEMAPHORE,
  PARTICIPANT_BYTES,
  PARTICIPANT_SCRATCH_OFFSET,
  PARTICIPANTS_OFFSET,
  QUEUE_DROP,
  QUEUE_REDELIVER,
  QUEUE_WAITERS_OFFSET,
  RESULT_FLAGS,
  RESULT_OFFSETS,
  RING_WAITERS_OFFSET,
  SEGMENT_LOCK_OFFSET,
  SIGNAL_WAITERS_OFFSET,
  TOPIC_HEADER_BYTES,
  VALUES_VERSION_OFFSET,
} from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import type { Exports } from "../lib/arena.js";
import { BITMAP } from "../lib/hosts/queue.js";
import { NOW_NS, openObject, ringWish } from "../lib/hosts/segment.js";
import { serviceWish } from "../lib/hosts/service.js";
import type { Shared } from "../lib/hosts/values.js";
import { read, type Script, variable, write } from "../lib/script.js";
import { SEGMENT_BYTES } from "../lib/shipped.js";
import { buildCache, cacheAreas, useCache } from "./damage-cache.js";
import { buildValues, useValues } from "./damage-values.js";

export const SLOT = 5;
export const OTHER_SLOT = 33;
export const CAPACITY = 256;
const SMALL_BYTES = 16;
const LARGE_BYTES = 512;
const MESSAGES = 3;
const MESSAGE_BYTES = 16;
/** Of the queue: two words of lists, sets, members and bitmap; both lists of cells; the slots. */
const QUEUE_HEAD_BYTES = BITMAP + OBJECT_ALIGNMENT;
/** Of the broadcast: its words and sets. */
const TOPIC_HEAD_BYTES = BROADCAST_WAITERS_OFFSET + 2 * OBJECT_ALIGNMENT;
const CELLS_BYTES = 128 * 8;
const SLOTS_BYTES = MESSAGES * 64;
/** A slot of a service: two headers, request, response. */
const CALL_BYTES = 64;
const NAME = "counter";

export interface Ground {
  view: DataView;
  payload: number;
  heapEnd: number;
  ring: number;
  queue: number;
  topic: number;
  service: number;
  cache: number;
  small: number;
  large: number;
  lock: number;
  semaphore: number;
  event: number;
  counter: number;
  /** A dictionary that is the root, and a list in it. */
  dict: Shared;
  list: Shared;
  blocks: number[];
  /** What the ends go on from. */
  produce: number;
  consume: number;
}

export type Play = <T>(script: Script<T>) => T;

/** Makes one of everything; a record is in the ring, and the heap has free blocks between others. */
export function build(core: Exports, view: DataView, play: Play): Ground {
  const object = (type: number, name: string, first: number): number =>
    play(openObject(view, { type, name, first }));
  const ring = play(openObject(view, ringWish("ring", CAPACITY)));
  const queue = play(
    openObject(view, { type: OBJECT_QUEUE, name: "queue", first: MESSAGES, second: MESSAGE_BYTES }),
  );
  const service = play(openObject(view, serviceWish(MESSAGES, MESSAGE_BYTES, MESSAGE_BYTES)));
  const topic = object(OBJECT_BROADCAST, "topic", CAPACITY);
  const cache = buildCache(view, play);
  const small = object(OBJECT_LATEST, "small", SMALL_BYTES);
  const large = object(OBJECT_LATEST, "large", LARGE_BYTES);
  const lock = object(OBJECT_LOCK, "lock", 0);
  const semaphore = object(OBJECT_SEMAPHORE, "semaphore", 2);
  const event = object(OBJECT_EVENT, "event", 0);
  const counter = object(OBJECT_COUNTER, NAME, 0);
  const blocks = Array.from({ length: 8 }, () => (core.heapAllocate?.(40, 8, 1) ?? 0) >>> 0);
  for (const index of [1, 3, 5]) core.heapFree?.(blocks[index] as number);
  core.heapSetRoot?.(blocks[0] as number);
  const [dict, list] = buildValues(core, view, play);
  const begin = (core.ringAttachProducer?.(ring, CAPACITY) ?? 0) >>> 0;
  const consume = (core.ringAttachConsumer?.(ring, CAPACITY) ?? 0) >>> 0;
  core.ringClaim?.(ring, CAPACITY, 20);
  const produce = (core.ringCommit?.(ring, begin, 20) ?? 0) >>> 0;
  core.latestWrite?.(small, SMALL_BYTES);
  for (let sent = 0; sent < 2; sent++) {
    const slot = (core.queueClaim?.(queue, MESSAGES, MESSAGE_BYTES) ?? 0) >>> 0;
    core.queueSend?.(queue, MESSAGES, MESSAGE_BYTES, slot, 9);
  }
  core.queueTake?.(queue, MESSAGES, MESSAGE_BYTES);
  const calls = [service, MESSAGES, MESSAGE_BYTES, MESSAGE_BYTES] as const;
  for (let called = 0; called < 2; called++) {
    const slot = (core.serviceClaim?.(...calls) ?? 0) >>> 0;
    core.serviceSend?.(...calls, slot, view.getUint32(slot, true), 9);
  }
  core.serviceTake?.(...calls);
  core.broadcastAttach?.(topic, CAPACITY);
  for (let published = 0; published < 7; published++) publish(core, topic, 24);
  const payload = play(variable("payload")) >>> 0;
  const heapEnd = play(variable("heapEnd")) >>> 0;
  return {
    view,
    payload,
    heapEnd,
    ring,
    queue,
    topic,
    service,
    cache,
    small,
    large,
    lock,
    semaphore,
    event,
    counter,
    dict,
    list,
    blocks,
    produce,
    consume,
  };
}

/** The host publishes a record, whose payload is whatever is there. */
function publish(core: Exports, topic: number, length: number): void {
  const at = (core.broadcastClaim?.(topic, CAPACITY, length) ?? 0) >>> 0;
  core.broadcastPublish?.(topic, CAPACITY, at, length);
}

/** The areas with shared words: name, begin, bytes. */
export function areas(at: Ground): [name: string, from: number, bytes: number][] {
  const slot = (number: number): number => PARTICIPANTS_OFFSET + number * PARTICIPANT_BYTES;
  const journal = slot(PARTICIPANTS_MIN);
  const waiters = 3 * OBJECT_ALIGNMENT;
  return [
    ["the header", 0, HEADER_BYTES],
    ["the segment lock and the directory's count", SEGMENT_LOCK_OFFSET, 16],
    ["the words of the heap", HEAP_OFFSET, HEAP_END_OFFSET - HEAP_OFFSET],
    ["the words of values", VALUES_VERSION_OFFSET, 16],
    ["the journal", journal, 64],
    ["our slot", slot(SLOT), PARTICIPANT_SCRATCH_OFFSET],
    ["another slot", slot(OTHER_SLOT), PARTICIPANT_SCRATCH_OFFSET],
    ["the directory", at.payload, OBJECT_ALIGNMENT + 8 * ENTRY_BYTES],
    ["the ring", at.ring - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + RING_WAITERS_OFFSET + waiters + 64],
    ["the queue", at.queue - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + QUEUE_HEAD_BYTES + 64],
    ["the list of what was returned", at.queue + QUEUE_HEAD_BYTES + CELLS_BYTES, 64],
    ["the slots", at.queue + QUEUE_HEAD_BYTES + 2 * CELLS_BYTES, SLOTS_BYTES],
    [
      "the service",
      at.service - BLOCK_HEADER_BYTES,
      BLOCK_HEADER_BYTES + OBJECT_ALIGNMENT + QUEUE_HEAD_BYTES + 64,
    ],
    ["the calls", at.service + OBJECT_ALIGNMENT + QUEUE_HEAD_BYTES + 2 * CELLS_BYTES, MESSAGES * CALL_BYTES],
    ["the broadcast", at.topic - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + TOPIC_HEAD_BYTES + CAPACITY],
    ...cacheAreas(at.cache),
    ["a small value", at.small - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + LATEST_WAITERS_OFFSET + 512],
    ["a large value", at.large, LATEST_WAITERS_OFFSET + 384 + 64],
    ["the lock", at.lock - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + LOCK_WAITERS_OFFSET + waiters + 256],
    ["the semaphore", at.semaphore, SIGNAL_WAITERS_OFFSET + 16],
    ["the event", at.event, SIGNAL_WAITERS_OFFSET + 16],
    ["the counter", at.counter, SIGNAL_WAITERS_OFFSET + 16],
    ["the blocks", (at.blocks[0] as number) - BLOCK_HEADER_BYTES, 8 * 56 + 32],
    // Values lie behind the blocks, one after the other.
    ["the dictionary", at.dict.at - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + DICT_BYTES],
    ["what is in the dictionary", at.dict.at + DICT_BYTES, 600],
    ["the list", at.list.at - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + LIST_BYTES],
    ["the end of the heap", at.heapEnd, BLOCK_HEADER_BYTES],
  ];
}

/** The offset lies in [from, to], or it is an error or nothing. */
export function inside(what: string, result: number, from: number, to: number): number {
  const offset = result >>> 0;
  if (offset >= RESULT_OFFSETS && (offset < from || offset > to))
    throw new Error(`${what} gave ${offset}, outside of ${from} to ${to}`);
  return offset;
}

/** Rings all of a set; more often than there are participants would be without end. */
function ring(core: Exports, set: number): void {
  for (let from = 0, rung = 0; ; rung++) {
    const bell = (core.waitersTake?.(set, from) ?? 0) >>> 0;
    if (bell === 0) return;
    if (rung > PARTICIPANTS_MIN) throw new Error("a set of waiters that has no end");
    from = Math.floor((bell - PARTICIPANTS_OFFSET) / PARTICIPANT_BYTES) + 1;
  }
}

export type Call = (name: string, ...args: number[]) => number;

function useRing(call: Call, at: Ground, play: Play): void {
  const data = call("ringData", at.ring);
  const end = data + CAPACITY;
  for (let turn = 0; turn < 2; turn++) {
    const claimed = inside("ringClaim", call("ringClaim", at.ring, CAPACITY, 100), data, end - 1);
    if (claimed >= RESULT_OFFSETS) {
      const offset = claimed & ~RESULT_FLAGS;
      const room = call("ringRoom", at.ring, CAPACITY, offset) >>> 0;
      if (offset + room > end) throw new Error(`there is room of ${room} bytes at ${offset}, beyond ${end}`);
      if (!(claimed & FLAG_FULL) && offset + 112 > end)
        throw new Error(`a record at ${offset} ends beyond ${end}`);
      inside("ringCommit", call("ringCommit", at.ring, offset, 100), data, end + 112);
    }
    call("ringPublish", at.ring, 0, 0, 0);
    // Lengths that a peer has changed meanwhile.
    for (const length of [0, 8, 9, 24, 0xfffffff8, 0xffffffff]) {
      const scratch = inside("scratch", call("scratch"), PARTICIPANTS_OFFSET, at.payload);
      play(write(scratch, new Uint8Array(Uint32Array.of(length, 8).buffer)));
      call("ringSpread", at.ring, data, 32, 16, 2);
    }
    const received = call("ringReceive", at.ring, CAPACITY, at.consume, 0, 0);
    const record = inside("ringReceive", received & ~RESULT_FLAGS, data, end - 8);
    if (record >= RESULT_OFFSETS) {
      const ready = call("ringReady", at.ring, CAPACITY, record);
      if (record + ready > end) throw new Error(`${ready} bytes are ready at ${record}, beyond ${end}`);
    }
    call("ringReadyRecords", at.ring);
    inside("ringResume", call("ringResume", at.ring, CAPACITY), data, end - 8);
    inside("ringRelease", call("ringRelease", at.ring, CAPACITY, at.consume, 0, 0) & ~FLAG_WAKE, data, end);
  }
  for (const state of ["ringProducerState", "ringConsumerState"]) call(state, at.ring);
  for (const reported of ["ringProducerReported", "ringConsumerReported"]) call(reported, at.ring);
  for (const close of ["ringCloseProducer", "ringAbandonProducer", "ringCloseConsumer"]) call(close, at.ring);
  for (const attach of ["ringAttachProducer", "ringAttachConsumer"])
    inside(attach, call(attach, at.ring, CAPACITY), data, end);
}

function useQueue(call: Call, at: Ground, play: Play): void {
  const parameters = [at.queue, MESSAGES, MESSAGE_BYTES] as const;
  const first = at.queue + QUEUE_HEAD_BYTES + 2 * CELLS_BYTES;
  const slot = (name: string): number =>
    inside(name, call(name, ...parameters), first, first + SLOTS_BYTES - 64);
  for (let turn = 0; turn < 3; turn++) {
    const claimed = slot("queueClaim");
    if (claimed >= RESULT_OFFSETS) call(turn === 0 ? "queueCancel" : "queueSend", ...parameters, claimed, 9);
    const taken = slot("queueTake");
    if (taken < RESULT_OFFSETS) continue;
    const held = new DataView(play(read(taken, 4)).slice().buffer).getUint32(0, true);
    call(turn === 1 ? "queueGiveBack" : "queueDone", ...parameters, taken, held);
  }
  for (let turn = 0; turn < 3; turn++) {
    const claimed = slot("queueClaim");
    const { at: value, generation } = turn === 0 ? at.dict : at.list;
    if (claimed >= RESULT_OFFSETS) call("queueShare", ...parameters, claimed, value, generation);
    const taken = slot("queueTake");
    if (taken < RESULT_OFFSETS) continue;
    const held = new DataView(play(read(taken, 4)).slice().buffer).getUint32(0, true);
    const handle = inside(
      "queueValue",
      call("queueValue", ...parameters, taken, held, turn & 1),
      at.payload,
      at.heapEnd - 4,
    );
    if (handle >= RESULT_OFFSETS) call("valueRelease", handle);
    if (turn === 1) call("queueDone", ...parameters, taken, held);
  }
  for (const offset of [0, first, first + 64, first + 1, 0xfffffff8])
    inside("queueHeld", call("queueHeld", ...parameters, offset), first, first + SLOTS_BYTES - 64);
  for (const policy of [QUEUE_REDELIVER, QUEUE_DROP]) call("queueSettle", ...parameters, policy);
  call("queueLeave", ...parameters, QUEUE_REDELIVER);
}

function useService(call: Call, at: Ground, play: Play): void {
  const parameters = [at.service, MESSAGES, MESSAGE_BYTES, MESSAGE_BYTES] as const;
  const first = at.service + OBJECT_ALIGNMENT + QUEUE_HEAD_BYTES + 2 * CELLS_BYTES;
  const last = first + (MESSAGES - 1) * CALL_BYTES;
  const wordAt = (offset: number): number =>
    new DataView(play(read(offset, 4)).slice().buffer).getUint32(0, true);
  const bell = (): number =>
    inside("serviceRing", call("serviceRing", at.service), PARTICIPANTS_OFFSET, at.payload);
  for (let turn = 0; turn < 3; turn++) {
    const claimed = inside("serviceClaim", call("serviceClaim", ...parameters), first, last);
    const held = claimed < RESULT_OFFSETS ? 0 : wordAt(claimed);
    if (claimed >= RESULT_OFFSETS) call("serviceSend", ...parameters, claimed, held, 9);
    const taken = inside("serviceTake", call("serviceTake", ...parameters), first, last);
    if (taken >= RESULT_OFFSETS) {
      const word = wordAt(taken);
      call("serviceIsCancelled", taken, word);
      if (turn === 1) call("serviceGiveBack", ...parameters, taken, word);
      else call("serviceAnswer", ...parameters, taken, word, 9, 0);
      bell();
    }
    if (claimed < RESULT_OFFSETS) continue;
    call("serviceResult", ...parameters, claimed, held);
    call("serviceAgain", ...parameters, claimed, held);
    call("serviceForget", ...parameters, claimed, wordAt(claimed));
    bell();
  }
  // Offsets that are no slot.
  for (const offset of [0, first + 1, last + CALL_BYTES, 0xfffffff8]) {
    for (const name of ["serviceSend", "serviceResult", "serviceAgain", "serviceForget", "serviceAnswer"])
      call(name, ...parameters, offset, 9, 0, 0);
  }
  call("serviceSettle", ...parameters);
  call("serviceLeave", ...parameters);
}

function useBroadcast(call: Call, at: Ground): void {
  const data = at.topic + TOPIC_HEAD_BYTES;
  const record = (name: string, result: number, length: number): number =>
    inside(name, result, data, data + CAPACITY - TOPIC_HEADER_BYTES - length);
  call("broadcastAttach", at.topic, CAPACITY);
  for (const length of [48, 8, 0]) {
    const claimed = record("broadcastClaim", call("broadcastClaim", at.topic, CAPACITY, length), length);
    if (claimed >= RESULT_OFFSETS) call("broadcastPublish", at.topic, CAPACITY, claimed, length);
  }
  for (const oldest of [0, 1]) {
    let position = call("broadcastBegin", at.topic, CAPACITY, oldest);
    for (let turn = 0; turn < 3; turn++) {
      record("broadcastNext", call("broadcastNext", at.topic, CAPACITY, position), 0);
      call("broadcastIsWhole", at.topic, CAPACITY, call("broadcastFound"));
      position = call("broadcastFollowing");
    }
    const told = [call("ownerJudgedLow"), call("ownerJudgedHigh")] as const;
    call("broadcastEnd", at.topic, CAPACITY, position, ...told);
    call("broadcastState", at.topic, ...told);
  }
  call("broadcastSent", at.topic, CAPACITY);
  call("broadcastClose", at.topic);
}

function useLatest(call: Call, latest: number, bytes: number): void {
  const end = latest + LATEST_WAITERS_OFFSET + 4096;
  inside("latestBegin", call("latestBegin", latest, bytes), latest, end - bytes);
  call("latestAbort", latest);
  const slot = inside("latestBegin", call("latestBegin", latest, bytes), latest, end - bytes);
  if (slot >= RESULT_OFFSETS) call("latestCommit", latest, bytes, slot);
  inside("latestPeek", call("latestPeek", latest, bytes, 1), latest, end - bytes);
  call("latestValidate", latest, 1);
  if (bytes === SMALL_BYTES) {
    call("latestWrite", latest, bytes);
    call("latestRead", latest, bytes);
  }
  call("latestVersion", latest);
}

function useLock(call: Call, at: Ground): void {
  call("lockState", at.lock);
  for (const impatient of [0, 1]) call("lockExclusive", at.lock, impatient, impatient);
  call("lockMarkConsistent", at.lock);
  call("lockDowngrade", at.lock);
  call("lockUpgrade", at.lock, 0);
  call("lockReleaseExclusive", at.lock);
  call("lockShared", at.lock);
  call("lockJoin", at.lock);
  call("lockUpgrade", at.lock, 1);
  call("lockCancel", at.lock);
  call("lockReleaseShared", at.lock);
}

function useSignals(call: Call, at: Ground): void {
  call("semaphoreTry", at.semaphore, 1);
  call("semaphoreTry", at.semaphore, 2 ** 31 - 1);
  call("semaphoreClaim", at.semaphore);
  call("semaphoreUnclaim", at.semaphore);
  call("semaphoreRelease", at.semaphore, 3);
  call("signalValue", at.event);
  for (const signaled of [1, 0]) call("eventSet", at.event, signaled);
  call("counterValue", at.counter);
  call("counterAdd", at.counter, 2 ** 50);
  call("counterExchange", at.counter, -1);
  call("counterCompareExchange", at.counter, -1, 5);
}

function useHeap(call: Call, at: Ground): void {
  const block = (what: string, result: number, bytes: number): number =>
    inside(what, result, at.payload, at.heapEnd - bytes);
  call("heapCheck");
  for (const offset of [...at.blocks, at.ring, at.payload + 16, 0, 17, 0xfffffff8]) {
    const bytes = call("heapBlockBytes", offset);
    if (bytes !== 0 && offset + (bytes >>> 0) > at.heapEnd)
      throw new Error(`a block of ${bytes} bytes at ${offset}`);
    call("heapLayout", offset);
  }
  call("heapSetLayout", at.blocks[0] as number, 77);
  call("heapBlockBytes", call("heapRoot")); // the host asks so before it uses it
  call("heapFree", at.blocks[2] as number);
  for (const [bytes, alignment] of [
    [40, 8],
    [300, 256],
    [20_000, 8],
  ] as const)
    block("heapAllocate", call("heapAllocate", bytes, alignment, 1), bytes);
  call("heapSetRoot", at.blocks[4] as number);
  if (call("transactionBegin") === 0) {
    call("transactionNote", at.blocks[6] as number, 40);
    block("heapAllocate", call("heapAllocate", 24, 8, 1), 24);
    call("heapFree", at.blocks[6] as number);
    call("transactionEnd", 0);
  }
  call("heapCheck");
}

function useDirectory(call: Call, at: Ground, play: Play): void {
  call("directoryCount");
  for (const [name, type] of [
    [NAME, OBJECT_COUNTER],
    ["another", OBJECT_LOCK],
  ] as const) {
    const scratch = inside("scratch", call("scratch"), PARTICIPANTS_OFFSET, at.payload);
    play(write(scratch, Buffer.from(name)));
    const object = call("objectOpen", type, name.length, 0, 0);
    inside("objectOpen", object & ~FLAG_WAKE, at.payload, at.heapEnd);
    call("objectCheck", at.payload + OBJECT_ALIGNMENT, type, 0, 0);
  }
}

function useParticipants(call: Call): void {
  call("selfCheck");
  call("beat", NOW_NS);
  call("suspectSlot");
  call("slotAfter", SLOT);
  for (const slot of [SLOT + 1, OTHER_SLOT]) if (call("watchSlot", slot)) call("markDead");
  call("isStale");
  call("countDrop");
}

/** As one who opens the segment now: who finds it damaged goes no further. */
function openAnew(call: Call, at: Ground, play: Play): void {
  if (call("validate", SEGMENT_BYTES, 1) !== 0) return;
  useDirectory(call, at, play);
  useValues(call, at, play);
  useHeap(call, at);
}

/** Everything that a host does, once; in an order that `first` begins. Throws when a result leads out of its object. */
export function useAll(call: Call, core: Exports, at: Ground, play: Play, first: number): void {
  const uses = [
    () => useValues(call, at, play),
    () => useHeap(call, at),
    () => useRing(call, at, play),
    () => useQueue(call, at, play),
    () => useService(call, at, play),
    () => useBroadcast(call, at),
    () => useCache(call, at, play),
    () => useLatest(call, at.small, SMALL_BYTES),
    () => useLatest(call, at.large, LARGE_BYTES),
    () => useLock(call, at),
    () => useSignals(call, at),
    () => useDirectory(call, at, play),
    () => useParticipants(call),
    () => {
      for (const set of [
        256,
        at.ring + RING_WAITERS_OFFSET,
        at.queue + QUEUE_WAITERS_OFFSET,
        at.service,
        at.topic + BROADCAST_WAITERS_OFFSET,
        at.cache + CACHE_WAITERS_OFFSET,
        at.lock + LOCK_WAITERS_OFFSET,
      ]) {
        call("waitersArm", set);
        call("waitersAny", set);
        ring(core, set);
        call("waitersDisarm", set);
      }
    },
  ];
  for (let i = 0; i < uses.length; i++) uses[(i + first) % uses.length]?.();
  openAnew(call, at, play);
}
