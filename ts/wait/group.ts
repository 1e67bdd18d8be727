/**
 * Groups of waits. A group is what waits in one attachment for one set of waiters; its members share the bit of this
 * participant in that set. Of a queue only the first wait is a member, so that what a change costs does not depend on how
 * many wait.
 *
 * Everything sleeps in one place, on the doorbell of its attachment; see `assembly/waiters.ts` for the other half.
 *
 * | state  | armed | looked at                                               | ends                                           |
 * | ------ | ----- | ------------------------------------------------------- | ---------------------------------------------- |
 * | awake  | no    | in each turn of the event loop                          | after `turnsMost` turns: it falls asleep       |
 * | asleep | yes   | when its bit was taken and a bell rings; every RECHECK_MS | with its last member: the arm is taken back  |
 *
 * When a bell rings: read the doorbell, look whether the bit of the group was taken, arm it again, look at the members. A
 * notifier takes the bit before it rings. So either this look sees the bit taken, or another bell is to come.
 *
 * A wait that joins a group which sleeps has looked just before, while the bit was armed or its bell was on the way: it needs
 * no look of its own.
 *
 * Before a group sleeps it is looked at in a few turns, which serve everything else meanwhile. Being woken costs two hops
 * between threads, about as long as TURNS_MAX turns of an idle loop take. On busy cores looking takes time away from the very
 * peer that is waited for: then it fails, becomes one turn, and is tried again once in PROBE_WAITS short waits.
 *
 * A read-only opener has no bit and no doorbell. Its groups sleep without an arm and are looked at every POLL_MS.
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

/** Turns of the event loop in which a group is looked at before it sleeps: within these bounds, as many as helped lately. */
const TURNS_MIN = 1;
const TURNS_MAX = 32;
/** Only where waits that end before this are many is it worth trying whether looking helps. Milliseconds. */
const SHORT_WAIT_MS = 0.1;
const PROBE_WAITS = 64;

let turnsMost = TURNS_MAX;
/** Short waits that slept since looking was tried with all its turns. */
let unprobed = 0;

/** Groups to look at in each turn: those that are awake, and those in which a long look goes on. */
const turning = new Set<WaitGroup>();

export class WaitGroup {
  readonly members = new Set<Wait>();
  readonly #room: Room;
  readonly #waiters: number;
  readonly #beginMs = monotonicMs();
  #turns = 0;
  asleep = false;
  /** This thread has armed the bit for a wait that blocks, and what happened before may not have been looked at. */
  unseen = false;
  /** `version` of the conditions when the last look at all members began. */
  #version: number | undefined;
  /** The look that is going on: a turn was due before it had come to the last member. */
  #walk: Iterator<Wait> | undefined;
  /** Something has changed since that look began. */
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

  delete(one: Wait): void {
    one.group = undefined;
    this.members.delete(one);
    if (this.members.size > 0) return;
    turning.delete(this);
    this.#room.groups.delete(this.#waiters);
    if (this.asleep) this.#wake();
  }

  /** A member ends with a value: did looking before the sleep help, and if not, is it time to try? */
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

  #wake(): void {
    this.asleep = false;
    this.#room.sleeps(this.#waiters, false);
    disarm(this.#room.attachment, this.#waiters);
  }

  /** Whether somebody has taken our bit since it was armed. */
  get wasNotified(): boolean {
    return this.unseen || !this.#room.isArmed(this.#waiters);
  }

  /** Looks at all members. Those that stay are armed before. */
  look(): void {
    this.unseen = false;
    if (this.asleep && !this.#room.attachment.readOnly) {
      this.#room.attachment.core.waitersArm(this.#waiters);
    }
    if (this.#walk) this.#again = true;
    else this.#beginWalk();
    this.#lookOn();
    if (this.#walk) turning.add(this);
  }

  /** Nothing to look at while the version is the one that all members have seen. */
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

  recheck(): void {
    for (const one of this.members) {
      one.recheck();
      if (one.condition.version) break; // all of them look at the same
    }
    this.look();
  }
}

inEachTurn(() => {
  for (const group of turning) group.takeTurn();
  if (turning.size > 0) askForTurn();
});

/** Rooms with groups that sleep: those that a bell may be for, and those that poll. */
const sleeping = new Set<Room>();

/** What waits in one attachment. */
export class Room {
  readonly attachment: Attachment;
  readonly groups = new Map<number, WaitGroup>();
  /** Everything, also what only stands in a queue. */
  readonly all = new Set<Wait>();
  /** The doorbell when it was read last. */
  #bell = 0;
  #watched = false;

  constructor(attachment: Attachment) {
    this.attachment = attachment;
    attachment.parts.add(this);
  }

  /** The segment is being closed: nothing goes on waiting. */
  close(): void {
    for (const one of [...this.all]) one.close();
  }

  /** A group has fallen asleep, or sleeps no longer. */
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
    // What rang before was for somebody else: the group looks after this.
    this.#bell = Atomics.load(attachment.i32, attachment.doorbell >>> 2);
    attempt("starting the thread that waits for others", () => {
      onBell(answerBells);
      native.watch(attachment.region.object, attachment.doorbell);
    });
    this.#watched = true;
  }

  /** Whether our bit in a set of waiters is there. */
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

/** Makes a wait, which was looked at in vain, a member of its group. */
export function join(one: Wait): void {
  const room = roomOf(one.attachment);
  const { waiters } = one.condition;
  const group = room.groups.get(waiters) ?? new WaitGroup(room, waiters);
  room.groups.set(waiters, group);
  group.add(one);
}

/** Takes back an arm, unless promises of ours sleep behind the same bit. */
export function disarm(attachment: Attachment, waiters: number): void {
  if (attachment.readOnly || attachment.closed || attachment.sleepers.has(waiters)) return;
  attachment.core.waitersDisarm(waiters);
}

function answerBells(): void {
  for (const room of [...sleeping]) room.answerBell();
}

/** A timer that looks at groups which sleep. It keeps the process alive while there are any, and no longer. */
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

/** Looks for peers that died, and for bells that the dead have not rung. */
const rechecking = new Rechecks(RECHECK_MS, false);
/** Looks for changes that nobody notifies a read-only opener of. */
const polling = new Rechecks(POLL_MS, true);

/**
 * This thread has changed something that no bell is rung for: who waits behind that set of waiters looks again right after the
 * code that runs now.
 */
export function lookAgain(attachment: Attachment, waiters: number): void {
  const group = rooms.get(attachment)?.groups.get(waiters);
  for (const one of group?.members ?? []) lookSoon(one);
}

/** A wait that blocks arms the bit that promises sleep behind, so that it does not tell any more whether they were notified. */
export function sharesBit(attachment: Attachment, waiters: number): void {
  const group = rooms.get(attachment)?.groups.get(waiters);
  if (group) group.unseen = true;
}
