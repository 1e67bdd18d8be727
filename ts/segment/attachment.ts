import {
  LOCK_CREATION,
  LOCK_PARTICIPANTS,
  PARTICIPANT_BYTES,
  PARTICIPANT_DOORBELL_OFFSET,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  PARTICIPANT_PID_OFFSET,
  PARTICIPANT_WORD_OFFSET,
  PARTICIPANTS_OFFSET,
  SLOT_LIVE,
  SUSPECT_GONE,
  SUSPECT_NONE,
} from "../../protocol/layout.js";
import { HEARTBEAT_MS, PARTICIPANTS_MAX } from "../../protocol/limits.js";
import { type Core, instantiate } from "../core.js";
import { IsthmusError } from "../errors.js";
import { copierInto } from "../host/copy.js";
import { offExit, onExit } from "../host/process.js";
import { native, type Region } from "../host/region.js";
import { clearInterval, monotonicMs, nowNs, pid, runtime, setInterval, sleepMs } from "../host/runtime.js";

/**
 * What the objects of the API hold instead of the attachment. When the last of them was collected without a `close()`, nobody
 * can use the segment any more, so it is closed: unless raw bytes of it were handed out, because a view of them may outlive
 * every object of ours. This is a safety net; only `close()` says when. A runtime may also do this with everything when a
 * worker ends, so a segment that is closed in this way counts as abandoned.
 */
export class Lease {
  readonly attachment: Attachment;

  constructor(attachment: Attachment) {
    this.attachment = attachment;
    forgotten.register(this, attachment, attachment);
  }
}

const forgotten = new FinalizationRegistry<Attachment>((attachment) => {
  if (!attachment.rawBytesGiven) attachment.close(true);
});

/** Anything that ends when its segment is closed. */
export interface Closable {
  close(): void;
  /** Instead of `close` where the environment ends with the segment open: nobody has said that the work is done. */
  abandon?(): void;
}

/** How long leaving may wait for others who create, join or leave. Milliseconds. */
const LEAVE_TIMEOUT_MS = 50;
/** The same where the last one out has something to do, and others may take their time because of that. */
const LAST_LEAVE_TIMEOUT_MS = 1000;

/** As many dead can stand in the way of one operation, and a few that died since. */
const RETRY_TURNS_MAX = 2 * PARTICIPANTS_MAX;

function slotOfDoorbell(bell: number): number {
  return (bell - PARTICIPANTS_OFFSET - PARTICIPANT_DOORBELL_OFFSET) / PARTICIPANT_BYTES;
}

/** Every open segment of this environment: they beat together and leave together. */
const open = new Set<Attachment>();
let heart: ReturnType<typeof setInterval> | undefined;

/** Shows that this thread lives: for all segments that it has open. */
export function beatAll(): void {
  const now = nowNs();
  for (const attachment of open) attachment.beat(now);
}

function abandonAll(): void {
  for (const attachment of open) attachment.endAtExit();
}

/**
 * One open segment as the parts of the API see it: the region, a core on it, views, and our slot among its participants.
 */
export class Attachment {
  readonly region: Region;
  readonly name: string;
  /** Of the segment; the mapping is as long as the object, which may be longer for a reader of a file. */
  bytes: number;
  readonly readOnly: boolean;
  readonly core: Core;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly view: DataView;
  /** Copies bytes to an offset of the segment that they fit behind. */
  readonly copyIn: (source: Uint8Array, at: number) => void;
  /** Offset of our doorbell; 0 for read-only openers, who are no participants. */
  doorbell = 0;
  /** Offset of the bytes that the core shares with us alone. */
  scratch = 0;
  /** How often something was put there: who puts something there and calls users meanwhile must look whether they did, too. */
  scratchUses = 0;
  /** Rings, ends and values that must be closed before the memory goes. */
  readonly parts = new Set<Closable>();
  /** The sets of waiters that promises of this opener sleep behind. */
  readonly sleepers = new Set<number>();
  slot = -1;
  closed = false;
  /**
   * Raw bytes of the segment are in the user's hands: views of them keep what they see until `close()` or the end of the
   * process, whatever is collected.
   */
  rawBytesGiven = false;
  /** Between the begin and the end of a transaction of this opener. */
  inTransaction = false;
  /** Called when the region is gone: gives up what refers to this attachment. */
  onClosed: (() => void) | undefined;
  /** What this opener knows of each lock and semaphore beside the shared words, by the object's offset. */
  readonly states = new Map<number, Closable>();
  /** Called after leaving, with LOCK_CREATION held; then the region is closed, which gives up all locks in one step. */
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
    this.u8 = new Uint8Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.i32 = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.copyIn = copierInto(this.u8);
  }

  /** Takes a participant slot; the caller holds LOCK_CREATION. */
  join(slots: number): void {
    if (this.readOnly) return;
    for (const dead of [false, true]) {
      for (let slot = 0; slot < slots; slot++) {
        // A slot that says LIVE has an owner or a dead one; those come second, after all that are free for sure.
        if ((this.core.watchSlot(slot) !== 0) !== dead) continue;
        if (!this.region.lock(LOCK_PARTICIPANTS + slot, false)) continue;
        this.core.join(slot, pid, runtime, nowNs());
        this.core.beat(nowNs());
        this.slot = slot;
        this.doorbell = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_DOORBELL_OFFSET;
        this.scratch = this.core.scratch() >>> 0;
        this.#begin();
        return;
      }
    }
    throw new IsthmusError("TOO_MANY_PARTICIPANTS", this.#crowdedText(slots));
  }

  /** Why there is no slot left: often one process opens the segment again and again, instead of once. */
  #crowdedText(slots: number): string {
    let here = 0;
    const processes = new Set<number>();
    for (let slot = 0; slot < slots; slot++) {
      const owner = this.u32[(PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_PID_OFFSET) >>> 2];
      processes.add(owner);
      if (owner === pid) here++;
    }
    const whose =
      here > 1
        ? `${here} of them belong to this very process, which should open the segment once per thread, keep it, and close it`
        : `they belong to ${processes.size} processes`;
    return (
      `all ${slots} participant slots of segment "${this.name}" have live owners; ${whose}. Close what is not needed, or ` +
      `create the segment with { participants: n }, up to ${PARTICIPANTS_MAX}`
    );
  }

  #begin(): void {
    this.leaveAtExit();
  }

  /** Leaves also when the environment ends without `close`. A participant does so from the time when it joins. */
  leaveAtExit(): void {
    open.add(this);
    if (heart) return;
    heart = setInterval(beatAll, HEARTBEAT_MS).unref();
    onExit(abandonAll);
  }

  /** A region need not be closed when the process ends, but a reader can only leave by closing. */
  endAtExit(): void {
    if (this.readOnly) this.close(true);
    else this.leave(true);
  }

  beat(now = nowNs()): void {
    if (this.slot >= 0 && !this.closed) this.core.beat(now);
  }

  /**
   * Closes all parts and gives the slot back, in good order. With something to do after leaving, the bytes are gone, too.
   * `abandoned`: the environment ends, and nobody has called `close`.
   */
  leave(abandoned = false): void {
    if (this.slot < 0) return;
    if (this.inTransaction) this.core.transactionEnd(0); // undone before its lock is given back
    for (const part of [...this.parts]) {
      if (abandoned && part.abandon) part.abandon();
      else part.close();
    }
    this.core.beat(nowNs()); // the header says when the segment was used last
    const locked = this.#lockCreation();
    this.core.leave(locked ? 1 : 0);
    this.region.touch();
    this.region.unlock(LOCK_PARTICIPANTS + this.slot);
    this.slot = -1;
    this.#endBeating();
    if (locked && this.afterLeave) this.#closeAfterLeave();
    else if (locked) this.region.unlock(LOCK_CREATION);
  }

  #endBeating(): void {
    open.delete(this);
    if (open.size > 0 || !heart) return;
    clearInterval(heart);
    heart = undefined;
    offExit(abandonAll);
  }

  #lockCreation(): boolean {
    const end = monotonicMs() + (this.afterLeave ? LAST_LEAVE_TIMEOUT_MS : LEAVE_TIMEOUT_MS);
    while (!this.region.lock(LOCK_CREATION, false)) {
      if (monotonicMs() > end) return false;
      sleepMs(1);
    }
    return true;
  }

  /** Nobody can come in before our mapping is gone: so the last of many who leave at once sees that it is the last. */
  #closeAfterLeave(): void {
    this.closed = true;
    try {
      this.afterLeave?.(this);
    } finally {
      this.#closeRegion();
    }
  }

  /** From here on only the collector can give back the addresses of the mapping, and nothing of ours keeps them from it. */
  #closeRegion(): void {
    this.region.close();
    this.#endBeating();
    forgotten.unregister(this);
    this.onClosed?.();
    this.afterClose?.();
  }

  close(abandoned = false): void {
    if (this.closed) return;
    this.leave(abandoned);
    for (const part of [...this.parts]) part.close();
    this.closed = true;
    this.#closeRegion();
  }

  /** Whether the kernel says that the owner of this slot lives. */
  held(slot: number): boolean {
    return slot === this.slot || this.region.held(LOCK_PARTICIPANTS + slot);
  }

  /**
   * Asks the kernel about the owner that stood in the way of the last core call, and marks it dead if it died. True when it
   * is out of the way, by our doing or somebody else's.
   */
  markSuspectDead(): boolean {
    if (this.readOnly) return false;
    const slot = this.core.suspectSlot();
    if (slot >= SUSPECT_NONE) return slot === SUSPECT_GONE;
    if (this.held(slot)) return false;
    this.core.markDead(); // in vain when somebody else did so since
    return true;
  }

  /**
   * Repeats an attempt as long as those who stood in its way turn out to be dead.
   *
   * @returns undefined when a live one stands in the way
   */
  retryPastDead<T>(attempt: () => T | undefined): T | undefined {
    let result = attempt();
    for (let turn = 0; result === undefined && turn < RETRY_TURNS_MAX && this.markSuspectDead(); turn++) {
      result = attempt();
    }
    return result;
  }

  /** "process 123" for the owner in the way, for error texts. */
  suspectText(): string {
    const slot = this.core.suspectSlot();
    if (slot >= SUSPECT_NONE) return "this opener itself, or one that has just left,";
    const pidOffset = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES + PARTICIPANT_PID_OFFSET;
    return `process ${this.u32[pidOffset >>> 2]}`;
  }

  /**
   * Rings and wakes everyone in a set of waiters, each at most once: whoever comes back meanwhile has looked again.
   *
   * @returns how many others were rung
   */
  notify(set: number): number {
    let others = 0;
    for (let from = 0; ; ) {
      const bell = this.core.waitersTake(set, from) >>> 0;
      if (bell === 0) return others;
      if (bell !== this.doorbell) others++;
      native.wake(this.region.object, bell);
      from = slotOfDoorbell(bell) + 1;
    }
  }

  /** What other openings of the same segment in this environment know of the object at an offset. */
  *elsewhere(offset: number): Generator<Closable> {
    for (const other of open) {
      const state = other.states.get(offset);
      if (state && other !== this && this.#isSame(other)) yield state;
    }
  }

  /** Whether another attachment lies over the same memory: a heartbeat that it writes is seen here. */
  #isSame(other: Attachment): boolean {
    if (other.bytes !== this.bytes || other.evicted) return false;
    const at = PARTICIPANTS_OFFSET + other.slot * PARTICIPANT_BYTES + PARTICIPANT_HEARTBEAT_NS_OFFSET;
    other.beat();
    return this.view.getBigUint64(at, true) === other.view.getBigUint64(at, true);
  }

  /** An operator has taken our slot from us while we were alive. The kernel's lock keeps others from it until we go. */
  get evicted(): boolean {
    if (this.slot < 0) return false;
    const word = PARTICIPANTS_OFFSET + this.slot * PARTICIPANT_BYTES + PARTICIPANT_WORD_OFFSET;
    return (this.u32[word >>> 2] & 3) !== SLOT_LIVE;
  }

  /** Throws when the segment was closed, cannot be written, or when we are no participant any more. */
  check(writing: boolean): void {
    if (this.closed) throw new IsthmusError("CLOSED", `segment "${this.name}" was closed; open it again`);
    if (writing && this.readOnly) {
      throw new IsthmusError(
        "READ_ONLY",
        `segment "${this.name}" was opened read-only; open it with { access: "read-write" }`,
      );
    }
    if (writing && this.evicted) throw this.removed();
  }

  removed(): IsthmusError {
    return new IsthmusError(
      "EVICTED",
      `this participant was removed from segment "${this.name}"; open it again`,
    );
  }
}
