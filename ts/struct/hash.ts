/** FNV-1a, 32 bits, over the UTF-8 of a text. Source: the FNV hash of Fowler, Noll and Vo. */
import { TextEncoder } from "../host/text.js";

export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
