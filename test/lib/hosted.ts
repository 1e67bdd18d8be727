/** The hosted core as tests call it, and a system that is played: several hosts in one memory, with kernel locks as a table. */
import * as assert from "uvu/assert";
import {
  KERNEL_LOCK_CREATION,
  LATEST_CURRENT_OFFSET,
  OBJECT_COUNTER,
  RESULT_OFFSETS,
  RUNTIME_C,
} from "../../protocol/layout.js";
import { PARTICIPANTS_MIN } from "../../protocol/limits.js";
import type { Core } from "../../ts/core.js";
import { shippedCore } from "./shipped.js";
import type { System } from "./system.js";

/** The functions that it has beside those of the plain core. */
export interface Hosted extends Core {
  readonly recordAt: WebAssembly.Global;
  readonly recordLength: WebAssembly.Global;
  readonly lockHeld: WebAssembly.Global;
  hostedEnter(bytes: number, pid: number, runtime: number): number;
  hostedEnterReadOnly(bytes: number): number;
  hostedLeave(): void;
  hostedNotify(set: number): void;
  hostedSpins(most: number): void;
  hostedOpen(type: number, nameBytes: number, first: number, second: number): number;

  hostedRingAttach(ring: number, capacity: number, producer: number, timeoutMs: number): number;
  hostedRingRoom(ring: number, capacity: number, at: number, length: number, timeoutMs: number): number;
  hostedRingCommit(ring: number, at: number, length: number): number;
  hostedRingPublish(ring: number, bytes: number, records: number, payloadBytes: number): number;
  hostedRingReceive(
    ring: number,
    capacity: number,
    at: number,
    advance: number,
    records: number,
    timeoutMs: number,
  ): number;
  hostedRingRelease(ring: number, capacity: number, at: number, advance: number, records: number): number;
  hostedRingCloseProducer(ring: number): void;
  hostedRingAbandonProducer(ring: number): void;
  hostedRingCloseConsumer(ring: number, capacity: number, at: number, advance: number, records: number): void;

  hostedLockAcquire(lock: number, held: number, shared: number, timeoutMs: number): number;
  hostedLockNest(lock: number, held: number, shared: number, timeoutMs: number): number;
  hostedLockUpgrade(lock: number, held: number, timeoutMs: number): number;
  hostedLockDowngrade(lock: number, held: number): number;
  hostedLockRelease(lock: number, held: number, shared: number): number;

  hostedLatestWrite(latest: number, valueBytes: number): number;
  hostedLatestBegin(latest: number, valueBytes: number): number;
  hostedLatestCommit(latest: number, valueBytes: number, offset: number): number;
  hostedLatestRead(latest: number, valueBytes: number): number;
  hostedLatestPeek(latest: number, valueBytes: number): number;
  hostedLatestValidate(latest: number): number;
  hostedLatestWait(latest: number, seen: number, timeoutMs: number): number;

  hostedSemaphoreAcquire(semaphore: number, count: number, timeoutMs: number): number;
  hostedSemaphoreRelease(semaphore: number, count: number): number;
  hostedEventSet(event: number, signaled: number): number;
  hostedEventWait(event: number, timeoutMs: number): number;
  hostedCounterAdd(counter: number, amount: number): number;

  hostedAllocate(bytes: number, alignment: number, zero: number): number;
  hostedFree(offset: number): number;
  hostedSetLayout(offset: number, hash: number): number;
  hostedSetRoot(offset: number): number;
  hostedWriteLockTake(): number;
  hostedWriteLockRelease(): void;
  hostedTransactionBegin(lock: number, held: number, timeoutMs: number): number;
  hostedTransactionEnd(lock: number, held: number, keep: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** The module that ships. */
export function hostedModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(shippedCore("core-hosted.wasm") as BufferSource);
  return compiled;
}

const BYTES = 1 << 20;

/** One memory, the kernel's table of locks, and what happened. The clock goes on by what is slept. */
export class HostedWorld {
  readonly memory = new WebAssembly.Memory({ initial: BYTES / 65536, maximum: BYTES / 65536, shared: true });
  readonly view = new DataView(this.memory.buffer);
  readonly bytes = new Uint8Array(this.memory.buffer);
  readonly holders = new Map<number, number>();
  readonly woken: number[] = [];
  /** Called in each sleep: what others do meanwhile. */
  asleep: () => void = () => {};
  /** Called before each look at the clock: what others do between two steps of a wait. */
  looking: () => void = () => {};
  sleeps = 0;
  /** How long they slept for at most, one after the other. */
  readonly slept: number[] = [];
  #now = 0;

  constructor() {
    this.host(0).create(BYTES, 1, PARTICIPANTS_MIN, 1, 1e18, 0);
  }

  get nowMs(): number {
    return this.#now;
  }

  #system(id: number): System {
    return {
      lock: (index, mode) => {
        const holder = this.holders.get(index);
        if (mode === 0 && holder === id) this.holders.delete(index);
        if (mode === 0 || (holder !== undefined && holder !== id)) return 0;
        this.holders.set(index, id);
        return 1;
      },
      held: (index) => (this.holders.has(index) && this.holders.get(index) !== id ? 1 : 0),
      wake: (offset) => void this.woken.push(offset >>> 0),
      wait: (offset, expected, ms) =>
        this.#sleep(ms, () => this.view.getInt32(offset >>> 0, true) === expected),
      sleep: (ms) => this.#sleep(ms, () => true),
      now: () => {
        this.looking();
        return this.#now;
      },
      wall: () => 1e18 + this.#now * 1e6,
    };
  }

  #sleep(ms: number, sleeps: () => boolean): void {
    if (!sleeps()) return;
    if (++this.sleeps > 100_000) throw new Error("sleeps for ever");
    this.slept.push(ms);
    this.asleep();
    if (sleeps()) this.#now += ms;
  }

  host(id: number): Hosted {
    const imports = { env: { memory: this.memory }, sys: this.#system(id) };
    return new WebAssembly.Instance(hostedModule(), imports).exports as unknown as Hosted;
  }

  enter(id: number): Hosted {
    const host = this.host(id);
    this.holders.set(KERNEL_LOCK_CREATION, id);
    assert.is(host.hostedEnter(BYTES, id, RUNTIME_C), 0);
    assert.not(this.holders.has(KERNEL_LOCK_CREATION));
    return host;
  }

  /** One that may only read. */
  look(id: number): Hosted {
    const host = this.host(id);
    assert.is(host.hostedEnterReadOnly(BYTES), 0);
    return host;
  }

  /** The host is killed: the kernel drops its locks. */
  kill(id: number): void {
    for (const [index, holder] of [...this.holders]) if (holder === id) this.holders.delete(index);
  }

  /** The offset of the object, or an error. */
  open(host: Hosted, name: string, type = OBJECT_COUNTER, first = 0): number {
    this.bytes.set(Buffer.from(name), host.scratch() >>> 0);
    return host.hostedOpen(type, name.length, first, 0) >>> 0;
  }

  /** The same, which must succeed. */
  opened(host: Hosted, name: string, type: number, first = 0): number {
    const offset = this.open(host, name, type, first);
    assert.ok(offset >= RESULT_OFFSETS, `opening gave ${offset}`);
    return offset;
  }

  version(latest: number): number {
    return Number(this.view.getBigUint64(latest + LATEST_CURRENT_OFFSET, true) >> 8n);
  }
}

/** An end of a ring as a host keeps it. */
export class HostedEnd {
  advance = 0;
  records = 0;

  constructor(
    readonly world: { readonly bytes: Uint8Array },
    readonly host: Hosted,
    readonly ring: number,
    readonly capacity: number,
    public at: number,
  ) {}

  /** Takes an end; throws the error's number. */
  static attach(
    world: HostedWorld,
    host: Hosted,
    ring: number,
    capacity: number,
    producer: boolean,
    timeoutMs = 0,
  ): HostedEnd {
    const at = host.hostedRingAttach(ring, capacity, producer ? 1 : 0, timeoutMs) >>> 0;
    if (at < RESULT_OFFSETS) throw new Error(`attaching gave ${at}`);
    return new HostedEnd(world, host, ring, capacity, at);
  }

  /** 0, or the error. */
  send(payload: Uint8Array, timeoutMs: number): number {
    const { host, ring } = this;
    const found = host.hostedRingRoom(ring, this.capacity, this.at, payload.length, timeoutMs) >>> 0;
    this.at = host.recordAt.value >>> 0;
    if (found < RESULT_OFFSETS) return found;
    this.world.bytes.set(payload, found + 8);
    const next = host.hostedRingCommit(ring, found, payload.length) >>> 0;
    if (next < RESULT_OFFSETS) return next;
    this.at = next;
    return 0;
  }

  /** A copy of the next record, or the error. */
  receive(timeoutMs: number): Uint8Array | number {
    const { host, ring, capacity, advance, records } = this;
    const found = host.hostedRingReceive(ring, capacity, this.at, advance, records, timeoutMs) >>> 0;
    this.at = host.recordAt.value >>> 0;
    this.advance = this.records = 0;
    if (found < RESULT_OFFSETS) return found;
    const length = host.recordLength.value >>> 0;
    this.advance = 8 + Math.ceil(length / 8) * 8;
    this.records = 1;
    return this.world.bytes.slice(found + 8, found + 8 + length);
  }

  closeConsumer(): void {
    this.host.hostedRingCloseConsumer(this.ring, this.capacity, this.at, this.advance, this.records);
  }
}
