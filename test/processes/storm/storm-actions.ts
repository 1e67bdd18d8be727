/** What a process does while signals rain on it. */
import { statSync } from "node:fs";
import process from "node:process";
import { type Consumer, IsthmusError, KiB, Segment } from "isthmus";
import { segmentPath } from "../../lib/segments.js";

let seen = 0;
let consumer: Consumer | undefined;

/** A signal without a handler interrupts nothing. */
export function listen(signal: string): void {
  process.on(signal, () => seen++);
}

export function signals(): number {
  return seen;
}

/** Creates, again and again, segments of so many bytes; what they take of the memory. */
export function create(name: string, bytes: number, times: number): number {
  let stored = 0;
  for (let i = 0; i < times; i++) {
    using segment = Segment.create(name, { bytes });
    stored = statSync(segmentPath(name)).blocks * 512;
    segment.unlink();
  }
  return stored;
}

/** Extends, flushes and truncates a file. */
export function useFile(path: string, times: number): number {
  for (let i = 0; i < times; i++) {
    using segment = Segment.openFile(path, { bytes: 1024 * KiB });
    segment.counter("count").add(1);
    segment.flush();
  }
  using segment = Segment.openFile(path);
  return Number(segment.counter("count").value);
}

export function consume(name: string): void {
  consumer = Segment.open(name)
    .ring("ring", { bytes: 4 * KiB })
    .consumer();
}

/** The first byte of the next record. */
export function receive(timeoutMs: number): number | undefined {
  return consumer?.receiveSync({ timeoutMs })?.[0];
}

/** How many milliseconds it took to time out. */
export function timeOut(timeoutMs: number): number {
  const begin = performance.now();
  try {
    consumer?.receiveSync({ timeoutMs });
  } catch (error) {
    if (error instanceof IsthmusError && error.code === "TIMED_OUT") return performance.now() - begin;
    throw error;
  }
  throw new Error("something was received");
}
