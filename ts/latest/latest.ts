import { BUSY, CORRUPT } from "../../protocol/errors.js";
import { ANSWER_VERSION_OFFSET, FLAG_EMPTY, FLAG_WAKE, OBJECT_LATEST } from "../../protocol/layout.js";
import { LATEST_READS_MAX, LATEST_SMALL_BYTES_MAX, LATEST_WRITE_TIMEOUT_MS } from "../../protocol/limits.js";
import { objectOf, type WaitOptions, type WaitSyncOptions, waiting, waitingSync } from "../arguments.js";
import { flagsOf, isError } from "../core.js";
import { failure, type IsthmusError, statusAdvice } from "../errors.js";
import { describe, openItByItsNameOverThere } from "../host/describe.js";
import { atomicLoadsWrite, fence } from "../host/runtime.js";
import { checkMade, type Lease } from "../segment/attachment.js";
import { openObject } from "../segment/directory.js";
import type { Codec } from "../struct/codecs.js";
import { type Fields, type Struct, type StructInput, type StructValue, structOf } from "../struct/struct.js";
import { retryFor } from "../wait/retry.js";
import { type Condition, NOT_YET, wait, waitSync } from "../wait/wait.js";
import { type ClaimedSlot, LatestClaim, settleClaim } from "./claim.js";
import { LatestValues } from "./values.js";

/** Where the newest value was copied to. */
interface Copied {
  readonly memory: DataView;
  readonly offset: number;
}

/**
 * The newest value of a struct. A reader always sees a complete value, never a mixture of two. A writer never waits for
 * readers. It is opened with `segment.latest(name, Layout)`. Readers may be read-only openers.
 *
 * @example
 * ```ts
 * import { Segment, struct } from "isthmus";
 *
 * using segment = Segment.createAnonymous({ bytes: 65536 * 2 });
 * const pose = segment.latest("pose", struct({ id: "u32", position: ["f64", 3] }));
 * pose.write({ id: 7, position: [1, 2, 3] });
 * console.log(pose.read()?.position);
 * for await (const { id } of pose) {
 *   console.log(id); // each newer value, as it comes
 *   break;
 * }
 * ```
 */
export class Latest<F extends Fields> implements AsyncIterable<StructValue<F>> {
  static {
    describe(Latest.prototype, "Latest", ({ name, version, layout }) => ({
      name,
      version,
      bytes: layout.bytes,
    }));
  }

  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Its name in the segment. */
  readonly name: string;
  /** Of the value. */
  readonly layout: Struct<F>;
  readonly #codec: Codec;
  readonly #lease: Lease;
  readonly #offset: number;
  readonly #end: number;
  /** 1 if this reader pins the slots that it reads: only for large values, and only if the opener can write. */
  readonly #pin: 0 | 1;
  readonly #small: boolean;
  /** The bytes to which the core copies small values, for openers that can write. */
  readonly #scratch: Copied | undefined;
  readonly #own: Copied;
  readonly #own8: Uint8Array;
  readonly #own64: BigInt64Array;
  /** The segment as the words that writers store: only accesses of the same width synchronise. For read-only openers. */
  readonly #shared64: BigInt64Array;
  /** How often the private buffer `#own` was filled. */
  #copies = 0;
  #seen = 0;

  /** @internal */
  constructor(lease: Lease, name: string, layout: Struct<F>) {
    checkMade(lease, "Latest", "segment.latest(name, layout)");
    const own = structOf("layout", layout);
    const { attachment } = lease;
    const parameters = { bytes: own.bytes, layout: own.hash };
    const object = openObject(attachment, name, OBJECT_LATEST, parameters, own);
    this.name = name;
    this.layout = own;
    this.#codec = own.codec;
    this.#lease = lease;
    this.#offset = object.offset;
    this.#end = object.offset + object.bytes;
    this.#small = own.bytes <= LATEST_SMALL_BYTES_MAX;
    this.#pin = this.#small || attachment.readOnly ? 0 : 1;
    const inScratch = this.#small && !attachment.readOnly;
    this.#scratch = inScratch ? { memory: attachment.view, offset: attachment.scratch } : undefined;
    const copied = new ArrayBuffer(own.bytes);
    this.#own = { memory: new DataView(copied), offset: 0 };
    this.#own8 = new Uint8Array(copied);
    this.#own64 = new BigInt64Array(copied);
    this.#shared64 = new BigInt64Array(attachment.u8.buffer);
  }

  /**
   * Makes a value the newest one.
   *
   * @param value one entry for each field
   * @throws {TypeError | RangeError} naming the field that is missing, is not known or does not fit; nothing is written then
   * @throws {IsthmusError} BUSY when another live process is stopped in the middle of a write, or a claim is open; READ_ONLY;
   *   CLOSED: the segment was closed; EVICTED: this participant was removed; CORRUPT when the shared words are damaged
   */
  write(value: StructInput<F>): void {
    const { attachment } = this.#lease;
    const { layout } = this;
    attachment.check(true);
    if (!this.#small) {
      const staged = layout.stage(value);
      this.#writeLarge(staged.bytes);
      layout.done(staged);
      return;
    }
    const use = ++attachment.scratchUses;
    this.#codec.write(attachment.view, attachment.scratch, value, "value");
    if (attachment.scratchUses === use && !attachment.closed) {
      this.#writeScratch();
    } else {
      // A getter of the value has used the scratch itself, or has closed the segment.
      const staged = layout.stage(value);
      this.#writeSmall(staged.bytes);
      layout.done(staged);
    }
  }

  #writeSmall(bytes: Uint8Array): void {
    const { attachment } = this.#lease;
    attachment.check(true);
    attachment.scratchUses++;
    attachment.u8.set(bytes, attachment.scratch);
    this.#writeScratch();
  }

  /** Writes the small value that is in the scratch of this participant. */
  #writeScratch(): void {
    const { core } = this.#lease.attachment;
    // Calls the function by its name, because engines call the core through a variable far more slowly.
    const result = core.latestWrite(this.#offset, this.layout.bytes) >>> 0;
    if (result !== 0) this.#written(result === BUSY ? this.#contend(core.latestWrite) : result);
  }

  #writeLarge(bytes: Uint8Array): void {
    const { attachment } = this.#lease;
    attachment.check(true);
    const offset = this.#beginLarge();
    try {
      attachment.copyIn(bytes, offset);
      this.#commit(offset);
    } catch (error) {
      attachment.core.latestAbort(this.#offset); // does nothing after a commit
      throw error;
    }
  }

  #commit(offset: number): void {
    const { core } = this.#lease.attachment;
    this.#written(core.latestCommit(this.#offset, this.layout.bytes, offset) >>> 0);
  }

  #written(result: number): void {
    const { attachment } = this.#lease;
    if (isError(result)) throw this.#failed(result);
    if (flagsOf(result) & FLAG_WAKE) attachment.notify(attachment.core.latestWaiters(this.#offset) >>> 0);
  }

  /**
   * Begins to write the next value in place: for values that are large, or that are written in parts. Meanwhile, readers see
   * the newest value. While the claim of a value of more than 256 bytes is open, other writers get BUSY, so keep it open only
   * shortly.
   *
   * @returns the claim; write its `view` or its `bytes`, then call `commit`
   * @throws {IsthmusError} as `write`
   */
  claim(): LatestClaim<F> {
    const { attachment } = this.#lease;
    attachment.check(true);
    if (this.#small) return new LatestClaim(this.#lease, this.layout, this.#smallSlot());
    const claim = new LatestClaim(this.#lease, this.layout, this.#largeSlot());
    attachment.core.latestKept(); // from now on, an object exists that ends the claim
    return claim;
  }

  #smallSlot(): ClaimedSlot {
    const bytes = new Uint8Array(this.layout.bytes);
    return {
      memory: new DataView(bytes.buffer),
      offset: 0,
      shared: false,
      commit: () => this.#writeSmall(bytes),
      abort() {},
    };
  }

  #largeSlot(): ClaimedSlot {
    const { attachment } = this.#lease;
    settleClaim();
    const offset = this.#beginLarge();
    return {
      memory: attachment.view,
      offset,
      shared: true,
      commit: () => this.#commit(offset),
      abort: () => attachment.core.latestAbort(this.#offset),
    };
  }

  /** Calls a function of the core that takes the writer word, and retries while another writer has it. */
  #begin(call: (latest: number, valueBytes: number) => number): number {
    const first = call(this.#offset, this.layout.bytes) >>> 0;
    const result = first === BUSY ? this.#contend(call) : first;
    if (isError(result)) throw this.#failed(result);
    return result;
  }

  #contend(call: (latest: number, valueBytes: number) => number): number {
    const { attachment } = this.#lease;
    const result = retryFor(LATEST_WRITE_TIMEOUT_MS, () => {
      const offset = attachment.retryPastDead(() => {
        const found = call(this.#offset, this.layout.bytes) >>> 0;
        return found === BUSY ? undefined : found;
      });
      if (offset === undefined) this.#checkClaims();
      return offset;
    });
    if (result !== undefined) return result;
    throw failure(
      BUSY,
      `${attachment.suspectText()} is in the middle of writing "${this.name}"; try again later`,
    );
  }

  /** A claim of this opener cannot end while this thread waits, so it throws BUSY at once. */
  #checkClaims(): void {
    for (const part of this.#lease.attachment.parts) {
      if (part instanceof LatestClaim) part.settleLeftOver();
      if (part instanceof LatestClaim && part.occupies(this.#offset, this.#end)) {
        throw failure(BUSY, `"${this.name}": a claim of this opener is open; commit or abort it first`);
      }
    }
  }

  /** Takes the writer word, and gives it back if the result of the core cannot be right. */
  #beginLarge(): number {
    const { core } = this.#lease.attachment;
    const offset = this.#begin(core.latestBegin);
    if (this.#lies(offset)) return offset;
    core.latestAbort(this.#offset);
    throw this.#failed(0);
  }

  /** The offset comes from shared words, which a peer can damage. It must lie inside the object. */
  #inside(offset: number): number {
    if (!this.#lies(offset)) throw this.#failed(0);
    return offset;
  }

  #lies(offset: number): boolean {
    return offset >= this.#offset && offset + this.layout.bytes <= this.#end && (offset & 7) === 0;
  }

  /**
   * Reads the newest value.
   *
   * @returns undefined when none was written yet
   * @throws {IsthmusError} BUSY when writers replaced the value during each of 10,000 attempts; CLOSED: the segment was closed;
   *   CORRUPT when the shared words are damaged
   */
  read(): StructValue<F> | undefined {
    const scratch = this.#scratch;
    if (scratch === undefined) {
      const copied = this.#copy();
      return copied && (this.#codec.read(copied.memory, copied.offset) as StructValue<F>);
    }
    const { attachment } = this.#lease;
    attachment.check(false);
    if (!this.#copySmall()) return undefined;
    this.#seen = attachment.answered(ANSWER_VERSION_OFFSET);
    return this.#codec.read(scratch.memory, scratch.offset) as StructValue<F>;
  }

  /**
   * As `read`, but into an object of the caller, for loops that must not allocate. It overwrites the fields of the object, the
   * elements of its arrays, which may be typed arrays, and the fields of its inner structs. Texts, bytes and bigints are new
   * values. An array or inner struct is also a new value if the object has none with the same number of elements, or if it has
   * a typed array of a type that cannot hold the elements (a Uint8Array for "f64"). An array of floats can hold every number,
   * rounded.
   *
   * @param target an object as `read` gives it: one that it gave is the fastest; an empty one is filled
   * @returns false when no value was written yet; then the object is unchanged
   * @throws {TypeError} when it is not an object
   * @throws {IsthmusError} as `read`
   */
  readInto(target: Partial<StructValue<F>>): boolean {
    objectOf("target", target);
    const scratch = this.#scratch;
    if (scratch === undefined) {
      if (!this.#copy()) return false;
      const copies = this.#copies;
      this.#codec.readInto(this.#own.memory, 0, target);
      return copies === this.#copies || this.#readAgain(target);
    }
    const { attachment } = this.#lease;
    attachment.check(false);
    if (!this.#copySmall()) return false;
    this.#seen = attachment.answered(ANSWER_VERSION_OFFSET);
    const uses = attachment.scratchUses;
    this.#codec.readInto(scratch.memory, scratch.offset, target);
    return uses === attachment.scratchUses || this.#readAgain(target);
  }

  /** A setter of the target has copied another value over this one: reads again, from memory that setters cannot reach. */
  #readAgain(target: Partial<StructValue<F>>): boolean {
    const again = this.#copy();
    if (!again) return false;
    const { offset } = again;
    const value = new DataView(again.memory.buffer.slice(offset, offset + this.layout.bytes));
    this.#codec.readInto(value, 0, target);
    return true;
  }

  /**
   * Copies the newest value to memory that no other participant writes. Returns its location; undefined when there is no value.
   */
  #copy(): Copied | undefined {
    const { attachment } = this.#lease;
    attachment.check(false);
    if (this.#scratch) {
      if (!this.#copySmall()) return undefined;
      this.#seen = attachment.answered(ANSWER_VERSION_OFFSET);
      return this.#scratch;
    }
    if (!this.#copyOut()) return undefined;
    this.#seen = attachment.core.latestReadVersion();
    return this.#own;
  }

  /** Lets the core copy the newest value to the scratch of this participant; false when there is none. */
  #copySmall(): boolean {
    const { attachment } = this.#lease;
    const { core } = attachment;
    attachment.scratchUses++;
    for (let turn = 0; turn < LATEST_READS_MAX; turn++) {
      const result = core.latestRead(this.#offset, this.layout.bytes);
      if (result === 0) return true;
      if (result === FLAG_EMPTY) return false;
      if (result !== BUSY) throw this.#failed(result);
    }
    throw this.#overtaken();
  }

  /** Copies the newest value to a private buffer; false when there is none. */
  #copyOut(): boolean {
    const { attachment } = this.#lease;
    const { core } = attachment;
    const bytes = this.layout.bytes;
    this.#copies++;
    for (let turn = 0; turn < LATEST_READS_MAX; turn++) {
      const offset = core.latestPeek(this.#offset, bytes, this.#pin) >>> 0;
      if (offset === 0) return false;
      if (offset === BUSY) continue;
      if (isError(offset)) throw this.#failed(offset);
      this.#inside(offset);
      if (attachment.readOnly && !atomicLoadsWrite) {
        const words = this.#own64;
        const first = offset / 8;
        for (let i = 0; i < words.length; i++) words[i] = Atomics.load(this.#shared64, first + i);
      } else {
        if (attachment.readOnly) fence();
        this.#own8.set(attachment.u8.subarray(offset, offset + bytes));
        if (attachment.readOnly) fence();
      }
      if (core.latestValidate(this.#offset, this.#pin)) return true;
    }
    core.latestValidate(this.#offset, this.#pin); // clears the pin
    throw this.#overtaken();
  }

  #overtaken(): IsthmusError {
    const text = `writers replaced "${this.name}" during each of ${LATEST_READS_MAX} reads; try again later`;
    return failure(BUSY, text);
  }

  /** Number of values written so far, by all participants. @throws {IsthmusError} CLOSED: the segment was closed */
  get version(): number {
    this.#lease.attachment.check(false);
    return this.#lease.attachment.core.latestVersion(this.#offset);
  }

  /** Waits for a value with another version than the caller has seen. */
  #newer(seen: number): Condition<StructValue<F>> {
    const { attachment } = this.#lease;
    return {
      what: `waiting for a value of "${this.name}"`,
      waiters: attachment.core.latestWaiters(this.#offset) >>> 0,
      version: () => attachment.core.latestVersion(this.#offset),
      attempt: () => {
        if (attachment.core.latestVersion(this.#offset) === seen) return NOT_YET;
        return this.read() ?? NOT_YET;
      },
      recheck: () => {},
    };
  }

  /**
   * Reads the newest value, if this object has not returned it before, by whatever call or loop.
   *
   * @returns undefined when there is no newer one
   * @throws {IsthmusError} as `read`
   */
  tryNext(): StructValue<F> | undefined {
    return this.version === this.#seen ? undefined : this.read();
  }

  /**
   * Waits for a value that this object had not returned when the call was made, and reads the newest one. Values in between are
   * skipped. Each waiting call gets the newest value, also if several calls of one object wait: they do not take values from each
   * other. Tasks that each need every newer value use a loop each, see `values`, or an object each.
   *
   * @param options how long to wait, and a signal that ends it
   * @returns the value
   * @throws {IsthmusError} TIMED_OUT; otherwise as `read`
   * @throws the signal's reason, when it is aborted
   */
  async next(options?: WaitOptions): Promise<StructValue<F>> {
    const how = waiting(options);
    this.#lease.attachment.check(false);
    return wait(this.#lease.attachment, this.#newer(this.#seen), how);
  }

  /**
   * As `next`, blocking the thread.
   *
   * @param options how long to wait
   * @returns the value
   * @throws {IsthmusError} as `next`
   */
  nextSync(options?: WaitSyncOptions): StructValue<F> {
    const how = waitingSync(options);
    this.#lease.attachment.check(false);
    return waitSync(this.#lease.attachment, this.#newer(this.#seen), how);
  }

  /**
   * Iterates over the newest value, and then over each newer one when it is written. Values in between are skipped. Each loop
   * gets the values, however many loops there are. Leaving a loop ends its wait at once.
   *
   * @param options how long to wait for each value, and a signal that ends the loop
   * @returns what `for await` takes
   * @throws as `next`, from the loop
   */
  values(options?: WaitOptions): AsyncIterableIterator<StructValue<F>> {
    const how = waiting(options);
    let given = 0;
    const newer = (): Condition<StructValue<F>> => {
      const condition = this.#newer(given);
      const { attempt } = condition;
      condition.attempt = () => {
        const value = attempt();
        if (value !== NOT_YET) given = this.#seen;
        return value;
      };
      return condition;
    };
    return new LatestValues(this.#lease.attachment, newer, how);
  }

  /** As `values()`. @returns an iterator for `for await` @throws as `next`, from the loop */
  [Symbol.asyncIterator](): AsyncIterableIterator<StructValue<F>> {
    return this.values();
  }

  #failed(status: number): IsthmusError {
    return failure(status || CORRUPT, `"${this.name}": ${statusAdvice(status)}`);
  }
}
