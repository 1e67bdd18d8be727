import { BUSY, CORRUPT } from "../../protocol/errors.js";
import { FLAG_WAKE, OBJECT_LATEST } from "../../protocol/layout.js";
import { LATEST_SMALL_BYTES_MAX } from "../../protocol/limits.js";
import { type WaitOptions, type WaitSyncOptions, waiting, waitingSync, wrongType } from "../arguments.js";
import { ERRORS_END, failure, type IsthmusError } from "../errors.js";
import { atomicLoadsWrite, fence, monotonicMs, sleepMs } from "../host/runtime.js";
import { ringAdvice } from "../ring/errors.js";
import type { Lease } from "../segment/attachment.js";
import { openObject } from "../segment/directory.js";
import { type Fields, Struct, type StructInput, type StructValue } from "../struct/struct.js";
import { type Condition, NOT_YET, wait, waitSync } from "../wait/wait.js";

/** A reader that is overtaken by writers this often gives up. */
const READ_TURNS_MAX = 10_000;
/** How long a live writer may be in the middle of a write before another one gives up. Milliseconds. */
const WRITE_TIMEOUT_MS = 50;

/**
 * The newest value of a struct. Readers see whole values only, never a mix; a writer never waits for readers. Opened with
 * `segment.latest(name, Layout)`. Readers may be read-only openers.
 *
 * @example
 * ```ts
 * import { Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
 * const pose = segment.latest("pose", struct({ id: "u32", position: ["f64", 3] }));
 * pose.write({ id: 7, position: [1, 2, 3] });
 * console.log(pose.read()?.position);
 * ```
 */
export class Latest<F extends Fields> {
  /** Its name in the segment. */
  readonly name: string;
  /** Of the value. */
  readonly layout: Struct<F>;
  readonly #lease: Lease;
  readonly #offset: number;
  readonly #end: number;
  /** Pinning needs to write to the segment. */
  readonly #pin: 0 | 1;
  readonly #small: boolean;
  readonly #copied: DataView;
  readonly #copied8: Uint8Array;
  readonly #copied64: BigInt64Array;
  /** For the next value that is written, unless one is being written. */
  #staged: Uint8Array | undefined;
  /** The segment in the words that writers use: only accesses of the same width synchronise. Read-only openers need it. */
  readonly #shared64: BigInt64Array;
  #seen = 0;

  /** @internal */
  constructor(lease: Lease, name: string, layout: Struct<F>) {
    if (!(layout instanceof Struct)) throw wrongType("layout", "a struct", layout);
    const { attachment } = lease;
    const object = openObject(attachment, name, OBJECT_LATEST, { bytes: layout.bytes, layout: layout.hash });
    this.name = name;
    this.layout = layout;
    this.#lease = lease;
    this.#offset = object.offset;
    this.#end = object.offset + object.bytes;
    this.#small = layout.bytes <= LATEST_SMALL_BYTES_MAX;
    this.#pin = this.#small || attachment.readOnly ? 0 : 1;
    const copied = new ArrayBuffer(layout.bytes);
    this.#copied = new DataView(copied);
    this.#copied8 = new Uint8Array(copied);
    this.#copied64 = new BigInt64Array(copied);
    this.#shared64 = new BigInt64Array(attachment.u8.buffer);
  }

  /**
   * Makes a value the newest one.
   *
   * @param value one entry for each field
   * @throws {TypeError | RangeError} naming the field that does not fit; nothing is written then
   * @throws {IsthmusError} BUSY when another live process is stopped in the middle of a write; READ_ONLY; CLOSED: the segment was
   *   closed; EVICTED: this participant was removed; CORRUPT when the shared words are damaged
   */
  write(value: StructInput<F>): void {
    const { attachment } = this.#lease;
    attachment.check(true);
    let result: number;
    if (this.#small) {
      const use = ++attachment.scratchUses;
      this.layout.stage(attachment.view, value, attachment.scratch);
      if (attachment.scratchUses !== use) attachment.u8.set(this.#stage(value), attachment.scratch);
      result = this.#begin(attachment.core.latestWrite);
    } else {
      const bytes = this.#stage(value);
      const offset = this.#inside(this.#begin(attachment.core.latestBegin));
      attachment.copyIn(bytes, offset);
      result = attachment.core.latestCommit(this.#offset, this.layout.bytes, offset) >>> 0;
    }
    if (result > FLAG_WAKE) throw this.#failed(result);
    if (result === FLAG_WAKE) attachment.notify(attachment.core.latestWaiters(this.#offset) >>> 0);
  }

  /** The value in memory of our own: getters of it may use Isthmus, this very object too. */
  #stage(value: StructInput<F>): Uint8Array {
    const bytes = this.#staged ?? new Uint8Array(this.layout.bytes);
    this.#staged = undefined;
    this.layout.stage(new DataView(bytes.buffer), value);
    this.#staged = bytes;
    return bytes;
  }

  /** Calls a function of the core that takes the writer's word, until no other writer is in the way. */
  #begin(call: (latest: number, valueBytes: number) => number): number {
    const first = call(this.#offset, this.layout.bytes) >>> 0;
    const result = first === BUSY ? this.#contend(call) : first;
    if (result > FLAG_WAKE && result < ERRORS_END) throw this.#failed(result);
    return result;
  }

  #contend(call: (latest: number, valueBytes: number) => number): number {
    const { attachment } = this.#lease;
    const begin = monotonicMs();
    for (;;) {
      const result = attachment.retryPastDead(() => {
        const offset = call(this.#offset, this.layout.bytes) >>> 0;
        return offset === BUSY ? undefined : offset;
      });
      if (result !== undefined) return result;
      if (monotonicMs() - begin > WRITE_TIMEOUT_MS) {
        throw failure(
          BUSY,
          `${attachment.suspectText()} is in the middle of writing "${this.name}"; try again later`,
        );
      }
      sleepMs(0.05);
    }
  }

  /** A hostile peer must not lead us outside the object. */
  #inside(offset: number): number {
    if (offset < this.#offset || offset + this.layout.bytes > this.#end || offset & 7) throw this.#failed(0);
    return offset;
  }

  /**
   * The newest value, whole.
   *
   * @returns undefined when none was written yet
   * @throws {IsthmusError} BUSY when writers were faster 10,000 times running; CLOSED: the segment was closed; CORRUPT when the
   *   shared words are damaged
   */
  read(): StructValue<F> | undefined {
    const { attachment } = this.#lease;
    attachment.check(false);
    if (this.#small && !attachment.readOnly) {
      const version = this.#readSmall();
      if (version === 0) return undefined;
      this.#seen = version;
      return this.layout.read(attachment.view, attachment.scratch);
    }
    if (!this.#copy()) return undefined;
    this.#seen = attachment.core.latestReadVersion();
    return this.layout.read(this.#copied);
  }

  /** Has the core copy the newest value to our scratch. Returns its version; 0 when there is none. */
  #readSmall(): number {
    const { attachment } = this.#lease;
    const { core } = attachment;
    attachment.scratchUses++;
    for (let turn = 0; turn < READ_TURNS_MAX; turn++) {
      const version = core.latestRead(this.#offset, this.layout.bytes);
      if (version >= 0) return version;
      if (version !== -BUSY) throw this.#failed(-version);
    }
    throw this.#overtaken();
  }

  /** Copies the newest value to a buffer of our own; false when there is none. */
  #copy(): boolean {
    const { attachment } = this.#lease;
    const { core } = attachment;
    const bytes = this.layout.bytes;
    for (let turn = 0; turn < READ_TURNS_MAX; turn++) {
      const offset = core.latestPeek(this.#offset, bytes, this.#pin) >>> 0;
      if (offset === 0) return false;
      if (offset === BUSY) continue;
      if (offset < ERRORS_END) throw this.#failed(offset);
      this.#inside(offset);
      if (attachment.readOnly && !atomicLoadsWrite) {
        const words = this.#copied64;
        const first = offset / 8;
        for (let i = 0; i < words.length; i++) words[i] = Atomics.load(this.#shared64, first + i);
      } else {
        if (attachment.readOnly) fence();
        this.#copied8.set(attachment.u8.subarray(offset, offset + bytes));
        if (attachment.readOnly) fence();
      }
      if (core.latestValidate(this.#offset, this.#pin)) return true;
    }
    core.latestValidate(this.#offset, this.#pin);
    throw this.#overtaken();
  }

  #overtaken(): IsthmusError {
    const text = `writers of "${this.name}" were faster than this reader ${READ_TURNS_MAX} times running`;
    return failure(BUSY, text);
  }

  /** Number of values written so far, by anyone. @throws {IsthmusError} CLOSED: the segment was closed */
  get version(): number {
    this.#lease.attachment.check(false);
    return this.#lease.attachment.core.latestVersion(this.#offset);
  }

  #newer(): Condition<StructValue<F>> {
    const { attachment } = this.#lease;
    return {
      what: `waiting for a value of "${this.name}"`,
      waiters: attachment.readOnly ? 0 : attachment.core.latestWaiters(this.#offset) >>> 0,
      attempt: () => {
        if (attachment.core.latestVersion(this.#offset) === this.#seen) return NOT_YET;
        return this.read() ?? NOT_YET;
      },
      recheck: () => {},
    };
  }

  /**
   * The newest value that this object has not given yet, waiting for one. Values in between are skipped.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns the value
   * @throws {IsthmusError} TIMED_OUT; otherwise as `read`
   * @throws the signal's reason, when it is aborted
   */
  async next(options?: WaitOptions): Promise<StructValue<F>> {
    this.#lease.attachment.check(false);
    return wait(this.#lease.attachment, this.#newer(), waiting(options));
  }

  /**
   * As `next`, blocking the thread.
   *
   * @param options how long to wait
   * @returns the value
   * @throws {IsthmusError} as `next`
   */
  nextSync(options?: WaitSyncOptions): StructValue<F> {
    this.#lease.attachment.check(false);
    return waitSync(this.#lease.attachment, this.#newer(), waitingSync(options));
  }

  #failed(status: number): IsthmusError {
    return failure(status || CORRUPT, `"${this.name}": ${ringAdvice(status)}`);
  }
}
