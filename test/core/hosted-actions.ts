/** A host of the hosted core in a process of its own: it opens a real segment, and blocks its thread. */
import process from "node:process";
import {
  KERNEL_LOCK_CREATION,
  KERNEL_LOCK_HOLDERS,
  OBJECT_LOCK,
  OBJECT_RING,
  RUNTIME_C,
} from "../../protocol/layout.js";
import type { Region } from "../../ts/host/region.js";
import { type Hosted, HostedEnd, hostedModule } from "../lib/hosted.js";
import { internal } from "../lib/internals.js";
import { checkPayload, payload } from "../lib/series.js";
import type { System } from "../lib/system.js";

const host = internal<typeof import("../../ts/host/region.js")>("host/region");
const clock = internal<typeof import("../../ts/host/runtime.js")>("host/runtime");

const LONG_MS = 40_000;
const ends = new Map<string, HostedEnd>();
let core: Hosted;
let bytes: Uint8Array;

function system(region: Region): System {
  return {
    lock(index, mode) {
      if (mode !== 0) return region.lock(index, mode === 1) ? 1 : 0;
      region.unlock(index);
      return 0;
    },
    held: (index) => (region.held(index, true) ? 1 : 0),
    wake: (offset) => host.native.wake(region.object, offset >>> 0),
    wait: (offset, expected, ms) => host.native.wait(region.object, offset >>> 0, expected, ms),
    sleep: (ms) => clock.sleepMs(ms),
    now: () => clock.monotonicMs(),
    wall: () => clock.nowNs(),
  };
}

export function enter(name: string, size: number): void {
  const region = host.Region.open("opening", false, () =>
    host.native.openNamed(name, 0, false, false, 0o600),
  );
  while (!region.lock(KERNEL_LOCK_CREATION, false)) clock.sleepMs(1);
  region.lock(KERNEL_LOCK_HOLDERS, true);
  const memory = region.map(size);
  bytes = new Uint8Array(memory.buffer);
  const imports = { env: { memory }, sys: system(region) };
  core = new WebAssembly.Instance(hostedModule(), imports).exports as unknown as Hosted;
  const status = core.hostedEnter(size, process.pid, RUNTIME_C);
  if (status !== 0) throw new Error(`entering gave ${status}`);
  region.ends(); // it is kept from here on
}

export function leave(): void {
  core.hostedLeave();
}

function open(type: number, name: string, first = 0): number {
  bytes.set(Buffer.from(name), core.scratch() >>> 0);
  return core.hostedOpen(type, name.length, first, 0) >>> 0;
}

export function attach(name: string, capacity: number, producer: boolean): void {
  const ring = open(OBJECT_RING, name, capacity);
  const at = core.hostedRingAttach(ring, capacity, producer ? 1 : 0, LONG_MS) >>> 0;
  ends.set(name, new HostedEnd({ bytes }, core, ring, capacity, at));
}

const end = (name: string): HostedEnd => ends.get(name) as HostedEnd;

export function sendSeries(name: string, from: number, count: number): void {
  for (let i = from; i < from + count; i++) {
    const status = end(name).send(payload(i), LONG_MS);
    if (status !== 0) throw new Error(`sending gave ${status}`);
  }
}

export function receiveSeries(name: string, from: number, count: number): number {
  for (let i = from; i < from + count; i++) {
    const got = end(name).receive(LONG_MS);
    if (typeof got === "number") throw new Error(`receiving gave ${got}`);
    checkPayload(i, got);
  }
  return count;
}

/** The error of a receive that gives none. */
export function receiveError(name: string): number {
  const got = end(name).receive(LONG_MS);
  return typeof got === "number" ? got : 0;
}

/** The error of a send into a full ring. */
export function fillError(name: string): number {
  for (;;) {
    const status = end(name).send(new Uint8Array(100), LONG_MS);
    if (status !== 0) return status;
  }
}

export function closeProducer(name: string): void {
  core.hostedRingCloseProducer(end(name).ring);
}

/** Takes and gives the lock back so often; adds 1 to the word of the block each time. */
export function countUp(name: string, block: number, rounds: number): void {
  const lock = open(OBJECT_LOCK, name);
  const word = new Uint32Array(bytes.buffer, block, 1);
  for (let round = 0; round < rounds; round++) {
    if (core.hostedLockAcquire(lock, 0, 0, LONG_MS) !== 0) throw new Error("no lock");
    word[0] = (word[0] as number) + 1;
    core.hostedLockRelease(lock, core.lockHeld.value >>> 0, 0);
  }
}

export function holdLock(name: string): number {
  return core.hostedLockAcquire(open(OBJECT_LOCK, name), 0, 0, LONG_MS);
}
