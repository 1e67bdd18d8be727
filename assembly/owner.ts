/**
 * An end of an object that one participant holds at a time. One word says whether a participant holds it, and which. Lock-free.
 *
 *     63                    32 31           16 15          1   0
 *     +-----------------------+---------------+-------------+---+
 *     | generation of owner   | slot          | attach      | C |     0: never held; C: closed properly
 *     +-----------------------+---------------+-------------+---+
 *
 * An owner that gives its end back in the middle of a stream, without closing it, writes generation 0 and slot OWNER_ABANDONED.
 * No participant has these, so the word counts as that of a dead participant.
 *
 * | word   | written by                                                                    | read by   |
 * | ------ | ----------------------------------------------------------------------------- | --------- |
 * | owner  | CAS by who attaches, from a word that is 0, closed, or of a dead participant;  | both ends |
 * |        | CAS by the owner that closes or abandons                                       |           |
 * | ended  | the other end, when it has told its user that this owner closed or died        | other end |
 *
 * `attach` counts tenures, so that two tenures of one participant have different words, and the end of each is reported once.
 *
 * If a participant dies: before the CAS, nothing has happened. After it, the word names a participant whose slot is no longer
 * LIVE with this generation, and the next attach replaces it. Between reporting an end and storing `ended`: the end is reported
 * again.
 *
 * If a call is cut off and its participant lives on (see `left-over.ts`): an attach has stored our word, but the host has no
 * end to close. The private variable `attaching` remembers where, until the host calls `ownerKept` because it has the end.
 * Before that, the next attach or the heartbeat restores the previous word. Closing and abandoning are one store each.
 */
import { BUSY } from "../protocol/errors";
import {
  END_CLOSED,
  END_DEAD,
  END_LIVE,
  END_NEVER,
  END_REPORTED,
  OWNER_ABANDONED,
  OWNER_ATTACH_MASK,
  OWNER_ATTACH_UNIT,
  OWNER_CLOSED,
} from "../protocol/layout";
import { self, setSuspect } from "./instance";
import { isLive, selfCheck } from "./participants";
import { ownerOf, tokenOf } from "./token";
import { load64, store64, swap64 } from "./word";

/** The owner word that was judged last. `ownerReported` stores it. */
let judged: u64 = 0;

/** The word of an owner that the host knows to be dead, where it may not mark it. */
let gone: u64 = 0;

/** The end that we are attaching to and that the host does not have yet, or 0; its word before the attach, and after it. */
let attaching: usize = 0;
let before: u64 = 0;
let since: u64 = 0;

/** The host has the end that was attached last. From now on, the host gives it back. */
export function ownerKept(): void {
  attaching = 0;
}

/** The word that our latest attach has replaced. */
export function ownerReplaced(): u64 {
  return before;
}

/** Takes an attach back that was cut off. */
export function settleOwner(): void {
  if (attaching != 0) swap64(attaching, since, before); // pairs with the loads in ownerAttach, ownerState
  attaching = 0;
}

/** 0, BUSY (the suspect is set) or EVICTED. */
export function ownerAttach(at: usize): u32 {
  const failed = selfCheck();
  if (failed != 0) return failed;
  settleOwner();
  const word = load64(at);
  setSuspect(word);
  if (word != 0 && (word & OWNER_CLOSED) == 0 && isLive(word)) return BUSY;
  const next = self | ((word + OWNER_ATTACH_UNIT) & OWNER_ATTACH_MASK);
  before = word;
  since = next;
  attaching = at;
  if (swap64(at, word, next)) return 0; // pairs with the load in ownerState
  attaching = 0;
  setSuspect(load64(at));
  return BUSY;
}

/** Closes our end; false when it is not ours any more. */
export function ownerClose(at: usize): bool {
  const word = load64(at);
  if (ownerOf(word) != self || (word & OWNER_CLOSED) != 0) return false;
  return swap64(at, word, word | OWNER_CLOSED); // pairs with the load in ownerState
}

/** Gives our end back unclosed; false when it is not ours any more. */
export function ownerAbandon(at: usize): bool {
  const word = load64(at);
  if (ownerOf(word) != self || (word & OWNER_CLOSED) != 0) return false;
  const next = tokenOf(0, OWNER_ABANDONED) | (word & OWNER_ATTACH_MASK);
  return swap64(at, word, next); // pairs with the load in ownerState
}

/** END_…; sets the suspect when the owner counts as live. */
export function ownerState(at: usize, ended: usize): u32 {
  const state = judge(load64(at));
  return isOver(state) && load64(ended) == judged ? END_REPORTED : state;
}

/** The same for one that keeps, where nobody else sees it, the word whose end it was told. */
export function ownerStateSince(at: usize, told: u64): u32 {
  const state = judge(load64(at));
  return isOver(state) && told == judged ? END_REPORTED : state;
}

function isOver(state: u32): bool {
  return state == END_CLOSED || state == END_DEAD;
}

function judge(word: u64): u32 {
  judged = word;
  if (judged == 0) return END_NEVER;
  setSuspect(judged);
  if ((judged & OWNER_CLOSED) != 0) return END_CLOSED;
  return judged != gone && isLive(judged) ? END_LIVE : END_DEAD;
}

/**
 * For a host that may only read, and so cannot mark anybody dead: the kernel says that the lock of the slot in the word that was
 * judged last is not held. One that closes has changed the word before it releases that lock.
 */
export function ownerGone(): void {
  gone = judged;
}

/** The word that was judged last, in halves: for one that keeps it. */
export function ownerJudgedLow(): u32 {
  return u32(judged);
}

export function ownerJudgedHigh(): u32 {
  return u32(judged >>> 32);
}

/** The end of the owner with this word, an earlier one, has been told to the user. */
export function ownerTold(ended: usize, word: u64): void {
  store64(ended, word); // pairs with the load in ownerState
}

/** The end that `ownerState` judged last has been told to the user. */
export function ownerReported(ended: usize): void {
  store64(ended, judged); // pairs with the load in ownerState
}
