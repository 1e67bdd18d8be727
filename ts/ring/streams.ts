/**
 * A ring as Web Streams.
 *
 * There is no buffer in between. The readable side takes a record from the ring when its reader asks for a chunk. The writable
 * side takes the next chunk when the previous one is in the ring. So a full ring slows a fast writer down.
 */
import type { Waiting, WaitOptions } from "../arguments.js";
import { readableStream, writableStream } from "../host/streams.js";
import { onAbort } from "../wait/abort.js";
import { turnIsDue } from "../wait/turn.js";
import type { Consumer, ConsumerOptions } from "./consumer.js";
import type { FieldsOf } from "./payload.js";
import type { Producer } from "./producer.js";

declare global {
  // For programs that are compiled without the types of Web Streams. With these types, the declarations add nothing.
  // biome-ignore lint/suspicious/noExplicitAny: all declarations of a type must have the same parameters
  interface ReadableStream<R = any> {}
  // biome-ignore lint/suspicious/noExplicitAny: as above
  interface WritableStream<W = any> {}
}

/** How `ring.readable` reads. */
export interface ReadableOptions extends WaitOptions, ConsumerOptions {}

/** How `ring.writable` writes. */
export interface WritableOptions extends WaitOptions {}

/** @internal The stream of the records that a consumer receives. It gives the end back when it ends, in whatever way. */
export function readableOf<T>(
  consumer: Consumer<T, FieldsOf<T>>,
  { signal, timeoutMs }: Waiting,
): ReadableStream<T> {
  let stopListening: (() => void) | undefined;
  const finish = (): void => {
    stopListening?.();
    stopListening = undefined;
    consumer.close();
  };
  const parts = {
    async pull(): Promise<T | undefined> {
      try {
        const chunk = await consumer.receive({ timeoutMs });
        if (chunk === undefined) finish();
        return chunk;
      } catch (error) {
        finish();
        throw error;
      }
    },
    cancel: finish,
  };
  return readableStream<T>(parts, (fail) => {
    stopListening =
      signal &&
      onAbort(signal, () => {
        fail(signal.reason);
        finish();
      });
  });
}

/** @internal The stream into a producer. It gives the end back when it ends, and completes the stream only when it is closed. */
export function writableOf<T>(
  producer: Producer<T, FieldsOf<T>>,
  { signal, timeoutMs }: Waiting,
): WritableStream<T> {
  let stopListening: (() => void) | undefined;
  /** Why the stream was aborted. The write that is under way fails with that, like those after it. */
  let aborted: { reason: unknown } | undefined;
  const finish = (): void => {
    stopListening?.();
    stopListening = undefined;
    producer.abandon();
  };
  const abort = (reason: unknown): void => {
    aborted = { reason };
    finish();
  };
  const parts = {
    async write(chunk: T): Promise<void> {
      try {
        // A stream that always has room and a next chunk runs in microtasks, so the event loop must get its turns here.
        if (turnIsDue() || !producer.trySend(chunk)) await producer.send(chunk, { timeoutMs });
      } catch (error) {
        finish();
        throw aborted ? aborted.reason : error;
      }
    },
    async close(): Promise<void> {
      stopListening?.();
      await producer.end();
    },
    abort,
  };
  return writableStream<T>(parts, (fail) => {
    stopListening =
      signal &&
      onAbort(signal, () => {
        fail(signal.reason);
        abort(signal.reason);
      });
  });
}
