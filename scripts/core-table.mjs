/**
 * Puts functions of a Wasm module into a table that it exports, in place of an export each. An engine makes an object for each
 * exported function when the module is instantiated, and for one of a table when it is first asked for it. An instance of the
 * core exports 200, and every open segment has an instance.
 *
 * Only the lists of exports, tables and elements change. The code stays as it was, byte for byte.
 */

const SECTION = { table: 4, export: 7, element: 9, code: 10 };
const KIND_FUNCTION = 0;
const KIND_TABLE = 1;
const FUNCTION_REFERENCE = 0x70;
const I32_CONST = 0x41;
const END = 0x0b;

/** The name of the table among the exports. */
export const TABLE = "functions";

/**
 * @param {Uint8Array} bytes a module without tables
 * @param {(name: string) => boolean} stays whether a function keeps its export
 * @returns {{ bytes: Uint8Array, names: string[] }} the module, and the function names in the order of the table
 */
export function tabled(bytes, stays) {
  const sections = sectionsOf(bytes);
  if (sections.some(({ id }) => id === SECTION.table || id === SECTION.element)) {
    throw new Error("the module has a table already");
  }
  const exported = exportsOf(sections.find(({ id }) => id === SECTION.export).content);
  const moved = exported.filter(({ kind, name }) => kind === KIND_FUNCTION && !stays(name));
  const kept = exported.filter((one) => !moved.includes(one));
  kept.push({ name: TABLE, kind: KIND_TABLE, index: 0 });
  const count = leb(moved.length);
  const made = [
    { id: SECTION.table, content: [1, FUNCTION_REFERENCE, 1, ...count, ...count] },
    {
      id: SECTION.export,
      content: list(kept.map(({ name, kind, index }) => [...text(name), kind, ...leb(index)])),
    },
    {
      id: SECTION.element,
      content: [1, 0, I32_CONST, 0, END, ...list(moved.map(({ index }) => leb(index)))],
    },
  ];
  const rest = sections.filter(({ id }) => id !== SECTION.export);
  const all = [...rest, ...made].sort((a, b) => order(a.id) - order(b.id));
  const out = [
    bytes.subarray(0, 8),
    ...all.flatMap(({ id, content }) => [[id, ...leb(content.length)], content]),
  ];
  return { bytes: Buffer.concat(out.map((part) => Buffer.from(part))), names: moved.map(({ name }) => name) };
}

/** The count of data segments stands before the code, and what has no place of its own (id 0) after everything. */
function order(id) {
  if (id === 12) return SECTION.code - 0.5;
  return id === 0 ? 13 : id;
}

/** The sections of a module: number and content. */
export function sectionsOf(bytes) {
  const sections = [];
  const reader = { bytes, at: 8 };
  while (reader.at < bytes.length) {
    const id = bytes[reader.at++];
    const length = number(reader);
    sections.push({ id, content: bytes.subarray(reader.at, reader.at + length) });
    reader.at += length;
  }
  return sections;
}

function exportsOf(content) {
  const reader = { bytes: content, at: 0 };
  return Array.from({ length: number(reader) }, () => {
    const length = number(reader);
    const name = Buffer.from(content.subarray(reader.at, reader.at + length)).toString();
    reader.at += length;
    const kind = content[reader.at++];
    return { name, kind, index: number(reader) };
  });
}

/** Reads a number of 32 bits: LEB128. */
function number(reader) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = reader.bytes[reader.at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
}

function leb(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const list = (items) => [...leb(items.length), ...items.flat()];

function text(string) {
  const bytes = Buffer.from(string);
  return [...leb(bytes.length), ...bytes];
}
