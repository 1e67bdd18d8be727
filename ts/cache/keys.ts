/**
 * Keys of a cache as bytes. A text is encoded in UTF-8, and half of a surrogate pair like any other code unit (WTF-8), so that
 * different texts are different bytes.
 */
import { CACHE_KEY_BYTES_MAX } from "../../protocol/limits.js";
import { bytesOf, wrongType } from "../arguments.js";
import { TextDecoder } from "../host/text.js";

/** A key: texts and bytes are different keys, whatever they contain. */
export type CacheKey = string | ArrayBufferView;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a key that is not a text. */
export function keyBytesOf(key: unknown): Uint8Array {
  if (!ArrayBuffer.isView(key)) throw wrongType("key", "a string or a Uint8Array", key);
  const bytes = bytesOf("key", key);
  checkLength(bytes.length);
  return bytes;
}

function checkLength(length: number): void {
  if (length <= CACHE_KEY_BYTES_MAX) return;
  throw new RangeError(`key must have 0 to ${CACHE_KEY_BYTES_MAX} bytes (a text in UTF-8), got ${length}`);
}

/** The bytes of a text. */
export function encodeKey(text: string): Uint8Array {
  checkLength(text.length);
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.codePointAt(index) as number;
    if (code > 0xffff) index++;
    if (code < 0x80) {
      bytes[length++] = code;
      continue;
    }
    const more = code < 0x800 ? 1 : code <= 0xffff ? 2 : 3;
    bytes[length++] = (more === 1 ? 0xc0 : more === 2 ? 0xe0 : 0xf0) | (code >> (6 * more));
    for (let shift = 6 * (more - 1); shift >= 0; shift -= 6)
      bytes[length++] = 0x80 | ((code >> shift) & 0x3f);
  }
  checkLength(length);
  return bytes.subarray(0, length);
}

/** A text for each key: different keys have different ones. */
export function keyName(key: CacheKey): string {
  return typeof key === "string" ? `text ${key}` : `bytes ${Array.from(keyBytesOf(key))}`;
}

/** The text that has these bytes. */
export function decodeKey(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return decodeUnits(bytes);
  }
}

/** With halves of surrogate pairs. Bytes that no key can have give some text. */
function decodeUnits(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; ) {
    const first = bytes[index++] as number;
    const more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let code = more === 0 ? first : first & (0x3f >> more);
    for (let count = 0; count < more; count++) code = (code << 6) | ((bytes[index++] ?? 0) & 0x3f);
    text += String.fromCodePoint(Math.min(code, 0x10ffff));
  }
  return text;
}
