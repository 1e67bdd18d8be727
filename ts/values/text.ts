/**
 * Strings as values have them: one byte for each character, if all of them are below 256; else code units of 16 bits. Half of a
 * surrogate pair, and NUL, are characters as all others. See docs/protocol.md, section 15.
 */
import { VALUE_KEY_WIDE } from "../../protocol/layout.js";

/** More arguments than this at a time are not passed to a function. */
const AT_ONCE = 4096;

/** Whether the string needs 16 bits for each character. */
export function isWide(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return true;
  return false;
}

/** Bytes of the string in memory. */
export function textBytes(text: string, wide: boolean): number {
  return wide ? 2 * text.length : text.length;
}

/** Writes the string to an offset; `wide` as `isWide` says. */
export function writeText(u8: Uint8Array, at: number, text: string, wide: boolean): void {
  for (let i = 0, to = at; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    u8[to++] = unit;
    if (wide) u8[to++] = unit >>> 8;
  }
}

/** The string of so many bytes at an offset, which is even if it is wide. The caller has checked that they lie in the segment. */
export function readText(u8: Uint8Array, at: number, bytes: number, wide: boolean): string {
  const units = wide ? new Uint16Array(u8.buffer, at, bytes >>> 1) : u8.subarray(at, at + bytes);
  let text = "";
  for (let from = 0; from < units.length; from += AT_ONCE)
    text += String.fromCharCode.apply(null, units.subarray(from, from + AT_ONCE) as unknown as number[]);
  return text;
}

/** A key as the core takes it: its number of bytes, with VALUE_KEY_WIDE. */
export function keyWord(text: string, wide: boolean): number {
  return wide ? (VALUE_KEY_WIDE | (2 * text.length)) >>> 0 : text.length;
}

/** Whether so many bytes, with VALUE_KEY_WIDE, at an offset are this key. */
export function isKeyAt(u8: Uint8Array, at: number, word: number, text: string, wide: boolean): boolean {
  if (word !== keyWord(text, wide)) return false;
  for (let i = 0, from = at; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (u8[from++] !== (unit & 255) || (wide && u8[from++] !== unit >>> 8)) return false;
  }
  return true;
}

/** The hash of a key: see docs/protocol.md. */
export function hashOfKey(text: string, wide: boolean): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 255), 0x01000193);
    if (wide) hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
