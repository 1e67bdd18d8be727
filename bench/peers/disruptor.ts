import { loadPeer } from "./installed.js";

/** What of shared-memory-disruptor is used here. */
export interface Disruptor {
  /** An element to write, or an empty buffer while there is none. */
  produceClaimSync(): Buffer;
  produceCommitSync(): unknown;
  /** Elements that are new, in one buffer or two. */
  consumeNewSync(): Buffer[];
  consumeCommit(): boolean;
  release(): void;
}

type Make = new (
  name: string,
  elements: number,
  elementBytes: number,
  consumers: number,
  consumer: number,
  init: boolean,
  spin: boolean,
) => Disruptor;

const ELEMENTS = 4096;

/** One end of a disruptor with one consumer, over a shared memory object of that name. Polls, as our rows do. */
export function disruptor(name: string, elementBytes: number, end: "produces" | "consumes", init: boolean) {
  const { Disruptor } = loadPeer<{ Disruptor: Make }>("shared-memory-disruptor");
  return new Disruptor(`/${name}`, ELEMENTS, elementBytes, 1, end === "consumes" ? 0 : -1, init, false);
}

/** Copies a message into the next element; the caller tries again while there is none. */
export function tryProduce(to: Disruptor, bytes: Uint8Array): boolean {
  const buf = to.produceClaimSync();
  if (buf.length === 0) return false;
  buf.set(bytes);
  to.produceCommitSync();
  return true;
}

/** Copies what is new, message by message. Returns how many there were. */
export function tryConsume(from: Disruptor, into: Uint8Array, take: () => void): number {
  let taken = 0;
  for (const buf of from.consumeNewSync()) {
    for (let at = 0; at < buf.length; at += into.length, taken++) {
      into.set(buf.subarray(at, at + into.length));
      take();
    }
  }
  if (taken > 0) from.consumeCommit();
  return taken;
}
