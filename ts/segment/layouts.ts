/**
 * Descriptions of the layouts that are used in a segment, stored next to its objects. The hash of a layout shows that two
 * programs disagree. The description shows about which field.
 *
 * A description is an object of the directory that users do not see. Its text is written after its entry is published. So a
 * reader checks the hash of the text, and ignores a text with another hash. Nothing depends on descriptions. If there is no
 * room for one, or the write lock is not free, it is not stored.
 */
import {
  ENTRY_BYTES,
  ENTRY_OBJECT_OFFSET,
  ENTRY_PARAMETERS_OFFSET,
  ENTRY_TYPE_OFFSET,
  HEADER_DIRECTORY_ENTRIES_OFFSET,
  OBJECT_LAYOUT,
} from "../../protocol/layout.js";
import { LAYOUT_TEXT_BYTES_MAX } from "../../protocol/limits.js";
import { isError, offsetOf } from "../core.js";
import { TextDecoder, TextEncoder } from "../host/text.js";
import { fnv1a } from "../struct/hash.js";
import type { Attachment } from "./attachment.js";

/** The part of a struct that a description needs. */
export interface Described {
  bytes: number;
  hash: number;
  codec: { signature: string };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Hashes of the layouts that each opener has stored, or has tried to store. */
const tried = new WeakMap<Attachment, Set<number>>();

/** Stores the description of a layout in the segment, if that is possible now. */
export function keepDescription(attachment: Attachment, { hash, codec }: Described): void {
  if (attachment.readOnly || attachment.transaction) return;
  const known = tried.get(attachment) ?? new Set();
  if (known.has(hash)) return;
  tried.set(attachment, known.add(hash));
  const text = encoder.encode(codec.signature);
  if (text.length <= LAYOUT_TEXT_BYTES_MAX && hasRoom(attachment)) insert(attachment, hash, text);
}

/** Descriptions take at most half of the names that a segment can have. The others are for objects of users. */
function hasRoom({ core, view }: Attachment): boolean {
  return 2 * core.directoryCount() < view.getUint32(HEADER_DIRECTORY_ENTRIES_OFFSET, true);
}

function insert(attachment: Attachment, hash: number, text: Uint8Array): void {
  const { core } = attachment;
  // Users cannot give such a name to an object.
  const name = `\0layout ${hash}`;
  attachment.scratchUses++;
  attachment.u8.set(encoder.encode(name), attachment.scratch);
  // Makes one attempt. If another process has the write lock, a description is not worth waiting.
  const result = core.objectOpen(OBJECT_LAYOUT, name.length, text.length, hash, 0, 0);
  if (isError(result)) return;
  const offset = offsetOf(result);
  if (offset + text.length <= attachment.bytes && attachment.u8[offset] === 0)
    attachment.u8.set(text, offset);
}

/** The description of the layout with that hash; undefined when there is none in this segment. */
function description(attachment: Attachment, hash: number): string | undefined {
  const { core, u8, u32 } = attachment;
  const begin = core.directoryOffset() >>> 0;
  for (let index = 0; index < core.directoryCount(); index++) {
    const entry = begin + index * ENTRY_BYTES;
    if (u32[(entry + ENTRY_TYPE_OFFSET) >>> 2] !== OBJECT_LAYOUT) continue;
    if (u32[(entry + ENTRY_PARAMETERS_OFFSET + 4) >>> 2] !== hash) continue;
    const offset = u32[(entry + ENTRY_OBJECT_OFFSET) >>> 2];
    const length = Math.min(LAYOUT_TEXT_BYTES_MAX, u32[(entry + ENTRY_PARAMETERS_OFFSET) >>> 2]);
    const text = decoder.decode(u8.slice(offset, offset + length));
    return fnv1a(text) === hash ? text : undefined;
  }
  return undefined;
}

interface Field {
  name: string;
  offset: number;
  type: string;
}

/** The fields of a description "{name@offset:type,…}"; a type may have such a description inside. */
function fieldsOf(text: string): Field[] {
  const fields: Field[] = [];
  let depth = 0;
  let begin = 1;
  for (let at = 1; at < text.length; at++) {
    const character = text[at] as string;
    if ("{[".includes(character)) depth++;
    const ends = depth === 0 && (character === "," || at === text.length - 1);
    if ("}]".includes(character)) depth--;
    if (!ends) continue;
    const [, name, offset, type] = /^(.*?)@(\d+):(.*)$/s.exec(text.slice(begin, at)) ?? [];
    if (name !== undefined) fields.push({ name, offset: Number(offset), type: type as string });
    begin = at + 1;
  }
  return fields;
}

/** A type as its user writes it. */
function typeText(type: string): string {
  if (type.startsWith("{")) return "a struct";
  const [, element, count] = /^\[(.*);(\d+)\]$/s.exec(type) ?? [];
  return element === undefined ? `"${type}"` : `${count} of ${typeText(element)}`;
}

function fieldText(field: Field | undefined): string {
  return field === undefined ? "nothing" : `"${field.name}", ${typeText(field.type)} at ${field.offset}`;
}

/** Describes the first difference between two descriptions. */
function difference(there: string, here: string, path = ""): string {
  const [theirs, ours] = [fieldsOf(there), fieldsOf(here)];
  const index = ours.findIndex((own, at) => {
    const other = theirs[at];
    return own.name !== other?.name || own.offset !== other.offset || own.type !== other.type;
  });
  const first = index < 0 ? ours.length : index;
  const [theirField, ourField] = [theirs[first], ours[first]];
  const inside =
    theirField && ourField && theirField.name === ourField.name ? [theirField.type, ourField.type] : [];
  const structs = inside.map((type) => /\{.*\}/s.exec(type)?.[0]);
  if (structs[0] && structs[1] && structs[0] !== structs[1]) {
    return difference(structs[0], structs[1], `${path}${ourField?.name}.`);
  }
  const where = path ? ` in "${path.slice(0, -1)}"` : "";
  return `field ${first + 1}${where} is ${fieldText(theirField)}, there, and ${fieldText(ourField)}, here`;
}

/**
 * For error texts: describes how the layout with that hash, found in the segment, differs from the opener's one.
 *
 * @param bytes of the layout that was found, if known
 */
export function differenceText(attachment: Attachment, hash: number, own: Described, bytes?: number): string {
  const found = description(attachment, hash);
  if (found !== undefined) return difference(found, own.codec.signature);
  const sizes =
    bytes === undefined
      ? `this one has ${own.bytes} bytes`
      : `it has ${bytes} bytes there and ${own.bytes} here`;
  return `no description of the other layout is in the segment; ${sizes}: compare both with "isthmus layout"`;
}
