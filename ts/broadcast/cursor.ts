import { BUSY, CORRUPT } from "../../protocol/errors.js";
import {
  END_CLOSED,
  END_DEAD,
  END_LIVE,
  FLAG_EMPTY,
  KERNEL_LOCK_PARTICIPANTS,
  RECORD_ALIGNMENT,
  TOPIC_HEADER_BYTES,
  TOPIC_LENGTH_OFFSET,
} from "../../protocol/layout.js";
import { BROADCAST_READS_MAX, RECHECK_MS } from "../../protocol/limits.js";
import { type Core, isError } from "../core.js";
import { fence, monotonicMs } from "../host/runtime.js";
import { RecordAtHand } from "../ring/record.js";
import type { Attachment } from "../segment/attachment.js";
import { slotOf } from "../segment/token.js";
import { broadcastFailed, overtaken, recordDamaged } from "./errors.js";
import type { BroadcastGeometry } from "./geometry.js";

/**
 * Where a subscriber is in a broadcast, and what it knows of the publisher's ends. Nobody else sees that: a subscriber writes
 * nothing to the segment, so that openers may subscribe that can only read.
 *
 * What was read of a record counts only if `isWhole` says afterwards that it was not overwritten meanwhile. An opener that can
 * only read puts a fence before that, because the core has no word there to order its loads with. So it asks about the first
 * position that a call of the core has looked at: from there on, everything was whole then.
 */
export class BroadcastCursor {
  /** The record that `next` has found. */
  readonly record: RecordAtHand;
  /** How many records were overwritten before they were received, of those before the current one. */
  lost = 0;
  /** Number of the current record. */
  number = 0;
  readonly #attachment: Attachment;
  readonly #core: Core;
  readonly #geometry: BroadcastGeometry;
  readonly #topic: number;
  readonly #capacity: number;
  readonly #valueBytes: number;
  /** Position at which the next call looks, and number of the record that comes next when none is lost. */
  #position: number;
  #expected: number;
  /** Of the current record: its position, and the one behind it. */
  #found = 0;
  #following = 0;
  /** The owner word of the last publisher whose end was told, in halves. */
  #toldLow = 0;
  #toldHigh = 0;
  /** When the kernel was asked last whether the publisher is alive. */
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(attachment: Attachment, geometry: BroadcastGeometry, fromOldest: boolean) {
    const { core } = attachment;
    const { topic, capacity } = geometry;
    this.record = new RecordAtHand(attachment);
    this.#attachment = attachment;
    this.#core = core;
    this.#geometry = geometry;
    this.#topic = topic;
    this.#capacity = capacity;
    this.#valueBytes = geometry.layout?.bytes ?? 0;
    if (!fromOldest) this.#passEnd();
    this.#position = core.broadcastBegin(topic, capacity, fromOldest ? 1 : 0);
    this.#expected = core.broadcastNumber();
    const whole = Number.isSafeInteger(this.#position) && Number.isSafeInteger(this.#expected);
    if (!whole) throw broadcastFailed(attachment, CORRUPT, geometry);
  }

  /** The end of a publisher that has ended before is not told. */
  #passEnd(): void {
    this.watch();
    const state = this.#core.broadcastState(this.#topic, 0, 0);
    if (state === END_CLOSED || state === END_DEAD) this.#keepEnd();
  }

  #keepEnd(): void {
    this.#toldLow = this.#core.ownerJudgedLow();
    this.#toldHigh = this.#core.ownerJudgedHigh();
  }

  /** Number of the record that comes next when none is lost. */
  get expected(): number {
    return this.#expected;
  }

  /** Moves to the next record. Returns true if there is one. */
  next(): boolean {
    const core = this.#core;
    for (let turn = 0; turn < BROADCAST_READS_MAX; turn++) {
      const asked = this.#position;
      const at = core.broadcastNext(this.#topic, this.#capacity, asked) >>> 0;
      if (this.#attachment.readOnly && !this.#wasWhole(asked)) {
        this.#position = at === FLAG_EMPTY || isError(at) ? core.broadcastFollowing() : core.broadcastFound();
        continue;
      }
      if (at === FLAG_EMPTY || at === BUSY) {
        this.#position = core.broadcastFollowing();
        if (at === FLAG_EMPTY) return false;
        continue;
      }
      if (isError(at)) throw broadcastFailed(this.#attachment, at, this.#geometry);
      if (this.#place(at)) return true;
    }
    throw overtaken(this.#geometry, BROADCAST_READS_MAX);
  }

  /** Looks at the record that the core has found; false when it was overwritten meanwhile. */
  #place(at: number): boolean {
    const core = this.#core;
    const found = core.broadcastFound();
    const following = core.broadcastFollowing();
    const number = core.broadcastNumber();
    // The core has checked this length, but it may have changed since. The view must stay inside the broadcast.
    const length = this.#attachment.u32[(at + TOPIC_LENGTH_OFFSET) >>> 2];
    const bytes = TOPIC_HEADER_BYTES + ((length + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT);
    const fits = bytes === following - found && (this.#valueBytes === 0 || length === this.#valueBytes);
    if (!fits || !(number >= this.#expected && number <= Number.MAX_SAFE_INTEGER)) {
      if (this.#wasWhole(found)) throw recordDamaged(this.#geometry, length);
      this.#position = found;
      return false;
    }
    this.#found = found;
    this.#following = following;
    this.number = number;
    this.record.place(at + TOPIC_HEADER_BYTES, length);
    return true;
  }

  /** Whether what was read at a position, or behind it, counts. */
  #wasWhole(position: number): boolean {
    if (this.#attachment.readOnly) fence();
    return this.#core.broadcastIsWhole(this.#topic, this.#capacity, position) !== 0;
  }

  /** Whether what was read of the current record counts. */
  isWhole(): boolean {
    return this.#wasWhole(this.#found);
  }

  /** Goes on behind the current record. `whole`: it was received; else it counts as lost. */
  take(whole: boolean): void {
    this.lost += this.number - this.#expected + (whole ? 0 : 1);
    this.#expected = this.number + 1;
    this.#position = this.#following;
  }

  /** For `StreamEnds`: END_CLOSED or END_DEAD, once for each publisher. Then what was lost last is counted, too. */
  end(): number {
    const core = this.#core;
    const end = core.broadcastEnd(this.#topic, this.#capacity, this.#position, this.#toldLow, this.#toldHigh);
    if (end !== END_CLOSED && end !== END_DEAD) return end;
    this.#keepEnd();
    const next = core.broadcastNumber();
    if (next > this.#expected && next <= Number.MAX_SAFE_INTEGER) {
      this.lost += next - this.#expected;
      this.#expected = next;
    }
    return end;
  }

  /** Number of the newest record. */
  get newest(): number {
    return this.#core.broadcastSent(this.#topic, this.#capacity);
  }

  /** Finds out from the kernel whether the publisher has died. */
  watch(): void {
    const attachment = this.#attachment;
    const now = monotonicMs();
    // One that polls would ask all the time.
    if (attachment.readOnly && now - this.#askedMs < RECHECK_MS) return;
    if (this.#core.broadcastState(this.#topic, this.#toldLow, this.#toldHigh) !== END_LIVE) return;
    this.#askedMs = now;
    if (!attachment.readOnly) attachment.markSuspectDead();
    else if (!attachment.region.held(KERNEL_LOCK_PARTICIPANTS + slotOf(this.#core.ownerJudgedLow()), true))
      this.#core.ownerGone();
  }
}
