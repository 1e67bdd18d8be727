/**
 * Groups of waits. A group has the waits of one attachment for one set of waiters. Its members share the bit of this
 * participant in that set. Only the first wait of a queue is a member, so that the cost of a change does not depend on how many
 * wait.
 *
 * All groups of an attachment sleep on its doorbell. `assembly/waiters.ts` has the other half of the protocol.
 *
 * | state  | armed | checked                                                 | ends                                           |
 * | ------ | ----- | ------------------------------------------------------- | ---------------------------------------------- |
 * | awake  | no    | in each turn of the event loop                          | after `turnsMost` turns: it falls asleep       |
 * | asleep | yes   | when its bit was taken and a bell rings; every RECHECK_MS | with its last member: the arm is taken back  |
 *
 * After a wake-up: read the doorbell, check whether the bit of the group was cleared, arm it again, and check the members. A
 * notifier clears the bit before it adds to the doorbell. So either this check sees the cleared bit, or another wake-up
 * follows.
 *
 * If only one participant can take what there is, a notifier calls one. A group arms again before it looks, so the look answers
 * the call: it takes something, or nothing is there. If the last member ends without a value after its bit was cleared, it passes
 * the call on, unless the next wait of its queue looks now.
 *
 * While the thread blocks in a wait, notifiers use its second doorbell, which nobody watches. So when that wait ends, the groups
 * whose bit was cleared meanwhile are looked at; see `endBlocking`.
 *
 * A wait that joins a sleeping group has checked its condition directly before, while the bit was armed or a wake-up was on its
 * way. So it need not check again.
 *
 * Before a group sleeps, it is checked in a few turns of the event loop, which also serve everything else. A wake-up costs two
 * switches between threads, about as long as TURNS_MAX turns of an idle loop. On busy cores, checking takes time away from the
 * peer that is waited for. If it does not help, it is reduced to one turn, and tried again with all turns once in PROBE_WAITS
 * short waits.
 *
 * A read-only opener has no bit and no doorbell. Its groups sleep without arming, and are checked every POLL_MS.
 */
import { WAITERS_WORDS_OFFSET } from "../../protocol/layout.js";
import { RECHECK_MS } from "../../protocol/limits.js";
import { attempt } from "../errors.js";
import { native, onBell } from "../host/region.js";
import { clearTimer, monotonicMs, setInterval, type Timer } from "../host/runtime.js";
import type { Attachment } from "../segment/attachment.js";
import { POLL_MS } from "./condition.js";
import { lookSoon } from "./looks.js";
import type { Wait } from "./pending.js";
import { askForTurn, inEachTurn, turnIsDue } from "./turn.js";

/**
 * Turns of the event loop in which a group is checked before it sleeps. Within these bounds, the number depends on whether
 * checking has helped.
 */
const TURNS_MIN = 1;
const TURNS_MAX = 32;
/**
 * A wait that ends sooner than this is short. Only if there are many short waits can checking before sleeping help.
 * Milliseconds.
 */
const SHORT_WAIT_MS = 0.1;
const PROBE_WAITS = 64;

let turnsMost = TURNS_MAX;
/** Short waits that slept since checking was last tried with all turns. */
let unprobed = 0;

/** Groups to check in each turn: those that are awake, and those with a long check that is not finished. */
const turning = new Set<WaitGroup>();

export class WaitGroup {
  readonly members = new Set<Wait>();
  readonly #room: Room;
  readonly #waiters: number;
  readonly #beginMs = monotonicMs();
  #turns = 0;
  asleep = false;
  /** This thread has armed the bit for a blocking wait. Changes before that may not have been checked. */
  unseen = false;
  /** `version` of the conditions when the last check of all members began. */
  #version: number | undefined;
  /** The unfinished check of all members: a turn of the event loop was due before it reached the last one. */
  #walk: Iterator<Wait> | undefined;
  /** Something has changed since that check began. */
  #again = false;

  constructor(room: Room, waiters: number) {
    this.#room = room;
    this.#waiters = waiters;
  }

  add(one: Wait): void {
    one.group = this;
    this.members.add(one);
    if (this.members.size > 1) return;
    if (this.#room.attachment.readOnly) {
      this.#sleep();
      return;
    }
    turning.add(this);
    askForTurn();
  }

  /** @returns whether a call may have come that no look has answered */
  delete(one: Wait): boolean {
    one.group = undefined;
    this.members.delete(one);
    if (this.members.size > 0) return false;
    turning.delete(this);
    this.#room.groups.delete(this.#waiters);
    return this.asleep && this.#wake();
  }

  /** A member ended with a value. Records whether checking before the sleep helped, and if not, whether to try it again. */
  served(): void {
    if (!this.asleep) {
      turnsMost = Math.min(TURNS_MAX, turnsMost * 2);
      return;
    }
    turnsMost = Math.max(TURNS_MIN, turnsMost >>> 1);
    if (monotonicMs() - this.#beginMs >= SHORT_WAIT_MS || ++unprobed < PROBE_WAITS) return;
    unprobed = 0;
    turnsMost = TURNS_MAX;
  }

  takeTurn(): void {
    this.#lookOn();
    if (this.members.size > 0 && !this.asleep && ++this.#turns >= turnsMost) this.#sleep();
    if (this.members.size === 0 || (this.asleep && !this.#walk)) turning.delete(this);
  }

  #sleep(): void {
    this.asleep = true;
    this.#room.sleeps(this.#waiters, true);
    try {
      this.#room.watch();
    } catch (error) {
      for (const one of [...this.members]) one.fail(error);
      return;
    }
    this.look();
  }

  #wake(): boolean {
    this.asleep = false;
    this.#room.sleeps(this.#waiters, false);
    return disarm(this.#room.attachment, this.#waiters);
  }

  /** Whether a notifier has cleared our bit since it was armed. */
  get wasNotified(): boolean {
    return this.unseen || !this.#room.isArmed(this.#waiters);
  }

  /** Checks all members. The bit is armed before, for those that remain. */
  look(): void {
    if (this.members.size === 0 || !this.asleep) return; // it has ended, or will look in its turn
    this.unseen = false;
    if (this.asleep && !this.#room.attachment.readOnly) {
      this.#room.attachment.core.waitersArm(this.#waiters);
    }
    if (this.#walk) this.#again = true;
    else this.#beginWalk();
    this.#lookOn();
    if (this.#walk) turning.add(this);
  }

  /** Nothing has changed since all members were checked with this version. */
  #beginWalk(): void {
    const [first] = this.members;
    const version = first?.condition.version?.();
    if (version !== undefined && version === this.#version) return;
    this.#version = version;
    this.#walk = this.members.values();
  }

  #lookOn(): void {
    if (!this.#walk) this.#beginWalk();
    while (this.#walk) {
      const { value, done } = this.#walk.next();
      if (!done) {
        value.look();
        if (!turnIsDue()) continue;
        askForTurn();
        return;
      }
      this.#walk = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.#beginWalk();
    }
  }

  /** Its members have joined it already; see `lookSoon`. */
  joinGroup(): void {}

  recheck(): void {
    for (const one of this.members) {
      one.recheck();
      if (one.condition.version) break; // all of them wait for the same object
    }
    this.look();
  }
}

inEachTurn(() => {
  for (const group of turning) group.takeTurn();
  if (turning.size > 0) askForTurn();
});

/** Attachments with sleeping groups: those that a wake-up may be for, and those that poll. */
const sleeping = new Set<Room>();

/** All waits of one attachment. */
export class Room {
  readonly attachment: Attachment;
  readonly groups = new Map<number, WaitGroup>();
  /** All waits, also those that are only in a queue. */
  readonly all = new Set<Wait>();
  /** The value of the doorbell when it was last read. */
  #bell = 0;
  #watched = false;

  constructor(attachment: Attachment) {
    this.attachment = attachment;
    attachment.parts.add(this);
  }

  /** The segment is being closed: all waits end. */
  close(): void {
    for (const one of [...this.all]) one.close();
  }

  /** Records that a group has begun or stopped sleeping. */
  sleeps(waiters: number, asleep: boolean): void {
    const { sleepers, readOnly } = this.attachment;
    if (asleep) sleepers.add(waiters);
    else sleepers.delete(waiters);
    if (sleepers.size > 0) sleeping.add(this);
    else sleeping.delete(this);
    (readOnly ? polling : rechecking).count(asleep ? 1 : -1);
  }

  watch(): void {
    const { attachment } = this;
    if (attachment.readOnly || this.#watched) return;
    // Earlier wake-ups were for others: the group checks after this.
    this.#bell = Atomics.load(attachment.i32, attachment.doorbell >>> 2);
    attempt("starting the thread that waits for others", () => {
      onBell(answerBells);
      native.watch(attachment.region.object, attachment.doorbell);
    });
    this.#watched = true;
  }

  /** Whether our bit in a set of waiters is set. */
  isArmed(waiters: number): boolean {
    const { i32, slot } = this.attachment;
    const word = Atomics.load(i32, (waiters + WAITERS_WORDS_OFFSET + ((slot >>> 5) << 2)) >>> 2);
    return ((word >>> (slot & 31)) & 1) !== 0;
  }

  answerBell(): void {
    const { i32, doorbell, readOnly } = this.attachment;
    if (readOnly) return;
    const bell = Atomics.load(i32, doorbell >>> 2);
    if (bell === this.#bell) return;
    this.#bell = bell;
    for (const group of [...this.groups.values()]) {
      if (group.asleep && group.wasNotified) group.look();
    }
  }

  recheck(): void {
    for (const group of [...this.groups.values()]) {
      if (group.asleep) group.recheck();
    }
  }
}

const rooms = new WeakMap<Attachment, Room>();

export function roomOf(attachment: Attachment): Room {
  const known = rooms.get(attachment);
  if (known) return known;
  const room = new Room(attachment);
  rooms.set(attachment, room);
  return room;
}

/** Makes a wait a member of its group, after its condition was checked and did not hold. */
export function join(one: Wait): void {
  const room = roomOf(one.attachment);
  const { waiters } = one.condition;
  const group = room.groups.get(waiters) ?? new WaitGroup(room, waiters);
  room.groups.set(waiters, group);
  group.add(one);
}

/**
 * Disarms, unless promises of this environment sleep with the same bit, or this thread does.
 *
 * @returns whether somebody had cleared the bit before
 */
export function disarm(attachment: Attachment, waiters: number): boolean {
  if (attachment.readOnly || attachment.closed) return false;
  if (attachment.sleepers.has(waiters) || attachment.blockedIn === waiters) return false;
  return attachment.core.waitersDisarm(waiters) === 0;
}

function answerBells(): void {
  for (const room of [...sleeping]) room.answerBell();
}

/** A timer that checks sleeping groups. It keeps the process alive only while there are any. */
class Rechecks {
  readonly #periodMs: number;
  readonly #readOnly: boolean;
  #groups = 0;
  #timer: Timer | undefined;

  constructor(periodMs: number, readOnly: boolean) {
    this.#periodMs = periodMs;
    this.#readOnly = readOnly;
  }

  count(change: 1 | -1): void {
    this.#groups += change;
    if (this.#groups > 0) {
      this.#timer ??= setInterval(() => this.#recheck(), this.#periodMs);
      return;
    }
    clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #recheck(): void {
    for (const room of [...sleeping]) {
      if (room.attachment.readOnly === this.#readOnly) room.recheck();
    }
  }
}

/** Checks for peers that have died, and for changes that a dead notifier has not announced. */
const rechecking = new Rechecks(RECHECK_MS, false);
/** Checks for changes, because a read-only opener is not notified. */
const polling = new Rechecks(POLL_MS, true);

/**
 * This thread has changed something without notifying the doorbell. Its own waits for that set of waiters check again directly
 * after the code that runs now.
 */
export function lookAgain(attachment: Attachment, waiters: number): void {
  const group = rooms.get(attachment)?.groups.get(waiters);
  for (const one of group?.members ?? []) lookSoon(one);
}

/** This thread is about to block in that set. It arms the same bit as promises that sleep there, so those look afterwards. */
export function beginBlocking(attachment: Attachment, waiters: number): void {
  attachment.blockedIn = waiters;
  const group = rooms.get(attachment)?.groups.get(waiters);
  if (group) group.unseen = true;
}

/**
 * It blocks no longer. Nobody watches the doorbell that was rung meanwhile: groups whose bit was taken look soon.
 *
 * @returns whether a call may have come since the last look
 */
export function endBlocking(attachment: Attachment): boolean {
  const waiters = attachment.blockedIn;
  attachment.blockedIn = undefined;
  if (attachment.closed || waiters === undefined) return false;
  attachment.core.waitersUnblock();
  const called = disarm(attachment, waiters);
  for (const group of rooms.get(attachment)?.groups.values() ?? []) {
    if (group.asleep && group.wasNotified) lookSoon(group);
  }
  return called;
}
