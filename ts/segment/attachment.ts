import {
  ANSWER_WAKE_OFFSET,
  KERNEL_LOCK_PARTICIPANTS,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  PARTICIPANT_PID_OFFSET,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  RESULT_CALL_ALL,
  SLOT_LIVE,
  SUSPECT_GONE,
  SUSPECT_NONE,
} from "../../protocol/layout.js";
import { HEARTBEAT_MS, PARTICIPANTS_MAX } from "../../protocol/limits.js";
import { notMade } from "../arguments.js";
import { type Core, instantiate } from "../core.js";
import { IsthmusError } from "../errors.js";
import { copierInto } from "../host/copy.js";
import { offExit, onExit } from "../host/process.js";
import { native, type Region } from "../host/region.js";
import { clearTimer, nowNs, setInterval, type Timer } from "../host/runtime.js";
import type { QueuedWait } from "../wait/condition.js";
import { Queue } from "../wait/queue.js";
import { watchOthers } from "./death-watch.js";
import { takeSlot } from "./life/join.js";
import { leaveSegment } from "./life/leave.js";
import { stateOf } from "./token.js";

/**
 * The objects of the API hold a lease instead of the attachment. When the garbage collector has taken the last of these objects,
 * nobody can use the segment any more, so the segment is closed. It stays open if raw bytes of it were handed out, because a view
 * of them may outlive all objects of the API. This is a safety net: only `close()` determines the time. A runtime may also
 * collect everything when a worker ends, so a segment that is closed in this way counts as abandoned.
 */
export class Lease {
  readonly attachment: Attachment;

  constructor(attachment: Attachment) {
    this.attachment = attachment;
    forgotten?.register(this, attachment, attachment);
  }
}

/** Undefined in engines and sandboxes without it: there nothing is closed that was forgotten. */
const forgotten =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry<Attachment>((attachment) => {
        if (!attachment.rawBytesGiven) attachment.close(true);
      })
    : undefined;

/** Throws when the user has called a constructor that only this package calls. */
export function checkMade(lease: unknown, name: string, maker: string): void {
  if (!(lease instanceof Lease)) throw notMade(name, maker);
}

/** An object that must be closed before its segment is. */
export interface Closable {
  close(): void;
  /** Replaces `close` when the environment ends with the segment still open: the user has not said that the work is done. */
  abandon?(): void;
  /**
   * Settles what a call of the core, or of this object, has left when it was cut off. Called with the heartbeat, where nothing
   * of this opener is on the stack.
   */
  settleLeftOver?(): void;
  /** Settles what participants that are dead have left in this object. Called with the heartbeat. */
  settleDeaths?(): void;
}

/** A transaction that has begun and has not ended. */
export interface RunningTransaction {
  /** Its body has ended, and its own end was cut off. */
  readonly over: boolean;
  /** Ends it as if it had never begun, and gives its lock back. */
  undo(): void;
}

/** Every participant may have died while it held what one operation needs. The factor 2 allows for deaths during the retries. */
const RETRY_TURNS_MAX = 2 * PARTICIPANTS_MAX;

/** Steps of freeing shared values with one heartbeat: below a millisecond. */
const SETTLE_STEPS = 1000;

function slotOfDoorbell(bell: number): number {
  return Math.floor((bell - PARTICIPANTS_OFFSET - PARTICIPANT_DOORBELL_OFFSET) / PARTICIPANT_BYTES);
}

/** All open segments of this environment. They share one heartbeat timer and one exit handler. */
const open = new Set<Attachment>();
let heart: Timer | undefined;

/**
 * Writes this thread's heartbeat into all segments that it has open. The core, which is not running now, settles with it what a
 * call that was cut off has left. Then each of them looks after other participants.
 */
export function beatAll(): void {
  const now = nowNs();
  for (const attachment of open) {
    attachment.beat(now);
    attachment.watchDeaths();
  }
}

/** The heartbeat of the timer: no code of this environment that uses a segment is on the stack. */
function beatInTimer(): void {
  for (const attachment of open) attachment.settleLeftOvers();
  beatAll();
}

/** What goes wrong with one segment keeps neither the others nor other listeners of the exit from what they do. */
function abandonAll(): void {
  for (const attachment of open) {
    try {
      attachment.endAtExit();
    } catch {
      // The kernel ends what is left when the process has ended: the others see a death.
    }
  }
}

/**
 * One open segment as the parts of the API see it: its region, a core that works on it, views of its bytes, and the participant
 * slot of this opener.
 */
export class Attachment {
  readonly region: Region;
  readonly name: string;
  /** Bytes of the segment. The mapping is as long as the shared object, which may be longer when a reader opens a file. */
  bytes: number;
  readonly readOnly: boolean;
  readonly core: Core;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly view: DataView;
  readonly #buffer: ArrayBufferLike;
  /** Copies bytes to an offset of the segment. The caller has checked that they fit. */
  readonly copyIn: (source: Uint8Array, at: number) => void;
  /** Offset of this participant's doorbell; 0 for a read-only opener, which is not a participant. */
  doorbell = 0;
  /** Offset of the doorbell on which the thread of this participant sleeps while it blocks. */
  blockedBell = 0;
  /** The set of waiters in which the thread is armed while it blocks. */
  blockedIn: number | undefined;
  /** Offset of the bytes that the core exchanges with this opener only. */
  scratch = 0;
  /** Offset of what the core answers this opener besides a result. */
  #answers = 0;
  /** Index in `u32` of the doorbell that the core has rung for the write lock, and that is to be woken; see `passOn`. */
  #turn = 0;
  /**
   * Counts the uses of the scratch bytes. Code that fills them and then calls a function of the user compares this count before
   * it relies on them, because that function may have used them too.
   */
  scratchUses = 0;
  /** Rings, ends of rings and latest values that must be closed before the memory is unmapped. */
  readonly parts = new Set<Closable>();
  /** The sets of waiters in which promises of this opener wait. */
  readonly sleepers = new Set<number>();
  /** Changes of the heap or the directory that wait with a promise for the write lock, in the order of their calls. */
  readonly changes = new Queue<QueuedWait>();
  slot = -1;
  /** Index in `u32` of the word of the slot. */
  #ownWord = 0;
  closed = false;
  /** The region is closed, and everything that follows from that is done. */
  #gone = false;
  /**
   * The user has received raw bytes of the segment. Views of them must stay valid until `close()` or the end of the process,
   * whatever the garbage collector does.
   */
  rawBytesGiven = false;
  /** What this opener has begun as a transaction and not ended. */
  transaction: RunningTransaction | undefined;
  /** Called after the region was closed, to drop references to this attachment. */
  onClosed: (() => void) | undefined;
  /** What this opener knows about each lock and semaphore in addition to the shared words, by the object's offset. */
  readonly states = new Map<number, Closable>();
  /**
   * Called after leaving, while KERNEL_LOCK_CREATION is held. Then the region is closed, which releases all locks in one step.
   */
  afterLeave: ((attachment: Attachment) => void) | undefined;
  /** Called by a reader after its region was closed. */
  afterClose: (() => void) | undefined;

  constructor(region: Region, name: string, bytes: number) {
    this.region = region;
    this.name = name;
    this.bytes = bytes;
    this.readOnly = region.readOnly;
    const memory = region.map(bytes);
    this.core = instantiate(memory, region.readOnly);
    this.#buffer = memory.buffer;
    this.u8 = new Uint8Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.i32 = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.copyIn = copierInto(this.u8);
    region.holder = this;
  }

  /** Nothing: JSON of what was copied with its internals (`{ ...counter }`) does not contain the memory of the segment. */
  toJSON(): undefined {
    return undefined;
  }

  /** Takes a participant slot; the caller holds KERNEL_LOCK_CREATION. */
  join(): void {
    if (this.readOnly) return;
    takeSlot(this);
    const at = PARTICIPANTS_OFFSET + this.slot * PARTICIPANT_BYTES;
    this.#ownWord = (at + PARTICIPANT_WORD_OFFSET) >>> 2;
    this.doorbell = at + PARTICIPANT_DOORBELL_OFFSET;
    this.blockedBell = this.core.blockedBell(this.slot) >>> 0;
    this.scratch = this.core.scratch() >>> 0;
    this.#answers = this.core.answers() >>> 0;
    this.#turn = (this.#answers + ANSWER_WAKE_OFFSET) >>> 2;
    this.leaveAtExit();
  }

  /** Makes this opener leave also when the environment ends without `close`. Participants call this when they join. */
  leaveAtExit(): void {
    open.add(this);
    if (heart) return;
    heart = setInterval(beatInTimer, HEARTBEAT_MS).unref();
    onExit(abandonAll);
  }

  /** The kernel closes the region when the process ends, so a participant only leaves. A reader can leave only by closing. */
  endAtExit(): void {
    if (this.readOnly) this.close(true);
    else this.leave(true);
  }

  beat(now = nowNs()): void {
    if (this.slot < 0 || this.closed) return;
    this.core.beat(now);
    this.passOn();
  }

  /** Finds out whether others have died, and settles what they have left. If the system refuses, it is done next time. */
  watchDeaths(): void {
    if (this.slot < 0 || this.closed || this.evicted) return;
    try {
      watchOthers(this);
      for (const part of this.parts) part.settleDeaths?.();
      this.#settleValues();
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw error;
    }
  }

  /** Gives back the references of the dead to shared values, and frees some of what nobody refers to. If others are at work,
   * later. */
  #settleValues(): void {
    if (this.transaction || this.core.valuesPending() === 0) return;
    this.core.valuesSettle(SETTLE_STEPS);
    this.passOn();
  }

  /**
   * Wakes the participant to which a call of the core has given the turn of the write lock, see `assembly/turn.ts`. Called after
   * each call that may have released it.
   */
  passOn(): void {
    const bell = this.u32[this.#turn] as number;
    if (bell === 0) return;
    this.u32[this.#turn] = 0;
    // Other participants can write to that word, too.
    if (bell % 4 === 0 && bell < this.bytes) native.wake(this.region.object, bell);
  }

  /** Nothing of this opener is on the stack: what looks as if it were under way was cut off. */
  settleLeftOvers(): void {
    if (this.closed || this.readOnly) return;
    this.transaction?.undo();
    for (const part of this.parts) part.settleLeftOver?.();
  }

  /** Closes all parts and frees the slot. `abandoned`: the environment ends, and nobody has called `close`. */
  leave(abandoned = false): void {
    if (this.slot >= 0) leaveSegment(this, abandoned);
  }

  /** Nothing is to be done for it any more with the heartbeat, and at the exit. */
  endBeating(): void {
    open.delete(this);
    if (open.size > 0 || !heart) return;
    clearTimer(heart);
    heart = undefined;
    offExit(abandonAll);
  }

  /** Only the garbage collector can free the addresses of the mapping now, so no reference to them may remain here. */
  closeRegion(): void {
    this.region.close();
    this.endBeating();
    forgotten?.unregister(this);
    this.onClosed?.();
    this.afterClose?.();
    this.#gone = true;
    this.region.ends();
  }

  /** A call that was cut off goes on with the next one, or when the stack is empty: each step does nothing the second time. */
  close(abandoned = false): void {
    if (this.#gone) return;
    this.region.begins(() => this.close(abandoned));
    if (!this.closed) this.leave(abandoned);
    for (const part of [...this.parts]) part.close();
    this.closed = true;
    if (!this.#gone) this.closeRegion();
  }

  /** Whether the owner of this slot is alive, as the kernel says. */
  held(slot: number): boolean {
    return slot === this.slot || this.region.held(KERNEL_LOCK_PARTICIPANTS + slot, true);
  }

  /**
   * Asks the kernel about the participant that blocked the last core call (the suspect), and marks it dead if it died.
   *
   * @returns true when the suspect no longer blocks the call, whether this opener or another one has marked it dead
   */
  markSuspectDead(): boolean {
    if (this.readOnly) return false;
    const slot = this.core.suspectSlot();
    if (slot >= SUSPECT_NONE) return slot === SUSPECT_GONE;
    if (this.held(slot)) return false;
    this.core.markDead(); // has no effect when another participant has done it since
    return true;
  }

  /**
   * Retries an attempt as long as the participants that blocked it turn out to be dead.
   *
   * @returns undefined when a live participant blocks it
   */
  retryPastDead<T>(attempt: () => T | undefined): T | undefined {
    let result = attempt();
    for (let turn = 0; result === undefined && turn < RETRY_TURNS_MAX && this.markSuspectDead(); turn++) {
      result = attempt();
    }
    return result;
  }

  /** "process 123" for the participant that blocked the last call, for error texts. */
  suspectText(): string {
    const slot = this.core.suspectSlot();
    if (slot >= SUSPECT_NONE) return "this opener itself, or one that has just left,";
    const pidOffset = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_PID_OFFSET;
    return `process ${this.u32[pidOffset >>> 2]}`;
  }

  /**
   * Rings the doorbell of each participant in a set of waiters and wakes it, at most once: a participant that enters the set
   * again meanwhile has looked at the state again.
   *
   * @returns how many other participants were woken
   */
  notify(set: number): number {
    let others = 0;
    for (let from = 0; ; ) {
      const bell = this.core.waitersTake(set, from) >>> 0;
      if (bell === 0) return others;
      const slot = slotOfDoorbell(bell);
      if (slot !== this.slot) others++;
      native.wake(this.region.object, bell);
      from = slot + 1;
    }
  }

  /**
   * Calls one participant for each of `count` things that can be taken, and wakes it; see `assembly/waiters.ts`.
   *
   * @param next the function of the core that says who takes next
   * @returns how many other participants were woken
   */
  call(set: number, count: number, next: () => number): number {
    let others = 0;
    for (let called = 0; called < Math.min(count, PARTICIPANTS_MAX); called++) {
      const bell = next() >>> 0;
      if (bell === 0) break;
      if (bell === RESULT_CALL_ALL) return others + this.notify(set);
      if (slotOfDoorbell(bell) !== this.slot) others++;
      native.wake(this.region.object, bell);
    }
    return others;
  }

  /** The states that other attachments of the same segment in this environment keep for the object at an offset. */
  *elsewhere(offset: number): Generator<Closable> {
    for (const other of open) {
      const state = other.states.get(offset);
      if (state && other !== this && this.#isSame(other)) yield state;
    }
  }

  /** Whether the participant in a slot is this opener, or another one of this thread: a blocked thread would wait for itself. */
  isOfThisThread(slot: number): boolean {
    if (slot === this.slot) return true;
    for (const other of open) {
      if (other.slot === slot && this.#isSame(other)) return true;
    }
    return false;
  }

  /** Whether another opener of this thread runs a transaction: its body is the caller of what asks. */
  transactsElsewhere(): boolean {
    for (const other of open) {
      if (other.transaction && other !== this && this.#isSame(other)) return true;
    }
    return false;
  }

  /** Whether another attachment maps the same memory. */
  #isSame(other: Attachment): boolean {
    return other.bytes === this.bytes && !other.evicted && other.liesUnder(this.u8.buffer);
  }

  /**
   * Whether a buffer lies over the memory of this segment. If so, what this participant writes to its heartbeat is seen there: it
   * changes the lowest bit, and changes it back.
   */
  liesUnder(buffer: ArrayBufferLike): boolean {
    if (buffer === this.u8.buffer) return true;
    if (this.slot < 0 || buffer.byteLength !== this.u8.buffer.byteLength) return false;
    const at = PARTICIPANTS_OFFSET + this.slot * PARTICIPANT_BYTES + PARTICIPANT_HEARTBEAT_NS_OFFSET;
    const [own, other] = [new Uint32Array(this.u8.buffer, at, 1), new Uint32Array(buffer, at, 1)];
    let same = true;
    for (let turn = 0; turn < 2; turn++) {
      const written = Atomics.xor(own, 0, 1) ^ 1;
      same = same && Atomics.load(other, 0) === written >>> 0;
    }
    return same;
  }

  /** What the last call of the core has answered besides its result: a number of 64 bits; ANSWER_… says where. */
  answered(offset: number): number {
    const at = (this.#answers + offset) >>> 2;
    return this.u32[at] + this.u32[at + 1] * 0x1_0000_0000;
  }

  /** An operator has taken the slot from this live participant. The kernel's lock keeps others out until it leaves. */
  get evicted(): boolean {
    return this.slot >= 0 && stateOf(this.u32[this.#ownWord]) !== SLOT_LIVE;
  }

  /** Throws when the segment was closed, when it cannot be written, or when this opener is no longer a participant. */
  check(writing: boolean): void {
    if (this.transaction?.over) this.transaction.undo();
    if (this.closed) throw new IsthmusError("CLOSED", `segment "${this.name}" was closed; open it again`);
    if (writing && this.readOnly) {
      throw new IsthmusError(
        "READ_ONLY",
        `segment "${this.name}" was opened read-only; open it with { access: "read-write" }`,
      );
    }
    if (writing && this.evicted) throw this.removed();
  }

  /** Bytes of the segment, for the user. A constructor takes half as long as `subarray` in V8. */
  giveBytes(offset: number, length: number): Uint8Array {
    this.rawBytesGiven = true;
    return new Uint8Array(this.#buffer, offset, length);
  }

  removed(): IsthmusError {
    return new IsthmusError(
      "EVICTED",
      `this participant was removed from segment "${this.name}"; open it again`,
    );
  }
}
