/** Web Streams of the runtime. They are asked for when the first one is made: not every global scope has them. */
import { IsthmusError } from "../errors.js";

/** What a readable stream is made of. */
export interface ReadableParts<T> {
  /** Returns the next chunk when the reader asks for it; undefined ends the stream. */
  pull(): Promise<T | undefined>;
  /** The reader wants nothing more. */
  cancel(): void;
}

/** What a writable stream is made of. */
export interface WritableParts<T> {
  write(chunk: T): Promise<void>;
  close(): Promise<void>;
  /** The stream is given up in the middle. */
  abort(reason: unknown): void;
}

function constructorOf<C>(name: string): C {
  const found = Reflect.get(globalThis, name) as C | undefined;
  if (typeof found === "function") return found;
  throw new IsthmusError(
    "NOT_SUPPORTED",
    `there is no ${name} in this global scope; use the methods of producers and consumers, or set globalThis.${name}`,
  );
}

/**
 * A stream that asks for a chunk only when its reader does, and keeps none.
 *
 * @param begin gets a function that fails the stream
 */
export function readableStream<T>(
  parts: ReadableParts<T>,
  begin: (fail: (reason: unknown) => void) => void,
): ReadableStream<T> {
  const Readable = constructorOf<typeof globalThis.ReadableStream>("ReadableStream");
  const source: UnderlyingDefaultSource<T> = {
    start(controller) {
      begin((reason) => controller.error(reason));
    },
    async pull(controller) {
      const chunk = await parts.pull();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    cancel: () => parts.cancel(),
  };
  return new Readable(source, { highWaterMark: 0 });
}

/**
 * A stream that takes one chunk at a time.
 *
 * @param begin gets a function that fails the stream
 */
export function writableStream<T>(
  parts: WritableParts<T>,
  begin: (fail: (reason: unknown) => void) => void,
): WritableStream<T> {
  const Writable = constructorOf<typeof globalThis.WritableStream>("WritableStream");
  const sink: UnderlyingSink<T> = {
    start(controller) {
      begin((reason) => controller.error(reason));
      // A write that waits is told at once; `abort` itself comes after it has ended.
      controller.signal.addEventListener("abort", () => parts.abort(controller.signal.reason));
    },
    write: (chunk) => parts.write(chunk),
    close: () => parts.close(),
    abort: (reason) => parts.abort(reason),
  };
  return new Writable(sink, { highWaterMark: 1 });
}
