/**
 * Tokens: a word contains one to say which participant it belongs to. Nothing in this file accesses memory.
 *
 *     63                    32 31           16 15               0
 *     +-----------------------+---------------+------------------+
 *     | generation of owner   | slot          | 0                |   token
 *     +-----------------------+---------------+------------------+
 *     | generation of owner   | slot          | flags            |   owner word of a lock, of an end: token and flags
 *     +-----------------------+---------------+------------------+
 *     | generation of owner   | slot          | SLOT_…           |   word of a slot: token and state of its owner
 *     +-----------------------+---------------+------------------+
 *
 *     31                               10 9                     0
 *     +----------------------------------+-----------------------+
 *     | generation of owner, low 22 bits | slot, or a number     |   short token, where 32 bits must do
 *     +----------------------------------+-----------------------+
 *
 * Neither form is ever 0, because no owner gets a generation whose low 22 bits are 0. The generation of a slot has the same 22
 * bits again only after the slot was joined 4 million times. The owner of an old short token is gone by then.
 */
import {
  SHORT_TOKEN_GENERATION_SHIFT,
  SHORT_TOKEN_NUMBER_MASK,
  SLOT_LIVE,
  TOKEN_FLAGS_MASK,
  TOKEN_GENERATION_SHIFT,
  TOKEN_SLOT_MASK,
  TOKEN_SLOT_SHIFT,
  TOKEN_STATE_MASK,
} from "../protocol/layout";

export function tokenOf(generation: u32, slot: u32): u64 {
  return (u64(generation) << TOKEN_GENERATION_SHIFT) | (u64(slot) << TOKEN_SLOT_SHIFT);
}

export function generationOf(word: u64): u32 {
  return u32(word >> TOKEN_GENERATION_SHIFT);
}

export function slotOf(word: u64): u32 {
  return u32(word >> TOKEN_SLOT_SHIFT) & TOKEN_SLOT_MASK;
}

/** The token in an owner word, without the flags. */
export function ownerOf(word: u64): u64 {
  return word & ~u64(TOKEN_FLAGS_MASK);
}

/** The word that the slot of the owner has as long as the owner is in it. */
export function liveWord(owner: u64): u64 {
  return ownerOf(owner) | SLOT_LIVE;
}

/** SLOT_… of the word of a slot. */
export function stateOf(word: u64): u32 {
  return u32(word) & TOKEN_STATE_MASK;
}

/** The word of a slot with another state. */
export function withState(word: u64, state: u32): u64 {
  return (word & ~u64(TOKEN_STATE_MASK)) | state;
}

/** The generation of the next owner of a slot. */
export function nextGeneration(word: u64): u32 {
  const generation = generationOf(word) + 1;
  return generation << SHORT_TOKEN_GENERATION_SHIFT == 0 ? generation + 1 : generation;
}

/** The short form of a token: with its slot, or with a number instead, for a word that belongs to one slot. */
export function numberedToken(token: u64, number: u32): u32 {
  return (generationOf(token) << SHORT_TOKEN_GENERATION_SHIFT) | number;
}

/** The slot, or the number, of a short token. */
export function numberOf(short: u32): u32 {
  return short & SHORT_TOKEN_NUMBER_MASK;
}
