/**
 * `protocol/vectors.json`: examples of everything that a host makes or reads by itself, so that any host can check itself. They are
 * computed here from the rules in `docs/`, not by the code of the package; `test/core/vectors.test.ts` compares them with the core
 * and with `ts/`. Numbers of 64 bits are texts, bytes are hexadecimal.
 */
import * as layout from "../protocol/layout.js";
import * as limits from "../protocol/limits.js";

/** A type of a field as its user writes it; a struct is a record of fields. */
export type Type = string | [Type, number] | { [field: string]: Type };
type Value = number | string | boolean | Value[] | { [field: string]: Value };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const align = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** Bytes and alignment of the scalars. */
const scalars: Record<string, number> = {
  ...{ u8: 1, i8: 1, bool: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, u64: 8, i64: 8, f64: 8 },
};

interface Laid {
  bytes: number;
  alignment: number;
  signature: string;
  offsets: Record<string, number>;
}

/** Where a type lies, by the rules of docs/structs.md. */
function laidOut(type: Type): Laid {
  if (Array.isArray(type)) {
    const [element, count] = [laidOut(type[0]), type[1]];
    const signature = `[${element.signature};${count}]`;
    return { bytes: element.bytes * count, alignment: element.alignment, signature, offsets: {} };
  }
  if (typeof type === "object") {
    let end = 0;
    const offsets: Record<string, number> = {};
    const parts = Object.entries(type).map(([name, field]) => {
      const { bytes, alignment, signature } = laidOut(field);
      const offset = align(end, alignment);
      offsets[name] = offset;
      end = offset + bytes;
      return `${name}@${offset}:${signature}`;
    });
    return { bytes: align(end, 8), alignment: 8, signature: `{${parts.join(",")}}`, offsets };
  }
  const [, , max] = /^(utf8|bytes):(\d+)$/.exec(type) ?? [];
  if (max !== undefined)
    return { bytes: 4 + align(Number(max), 4), alignment: 4, signature: type, offsets: {} };
  const bytes = scalars[type] as number;
  return { bytes, alignment: bytes, signature: type, offsets: {} };
}

function writeScalar(view: DataView, at: number, type: string, value: Value): void {
  const number = Number(value);
  if (type === "bool" || type === "u8") view.setUint8(at, number);
  else if (type === "i8") view.setInt8(at, number);
  else if (type === "u16") view.setUint16(at, number, true);
  else if (type === "i16") view.setInt16(at, number, true);
  else if (type === "u32") view.setUint32(at, number, true);
  else if (type === "i32") view.setInt32(at, number, true);
  else if (type === "f32") view.setFloat32(at, number, true);
  else if (type === "f64") view.setFloat64(at, number, true);
  else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value as string)), true);
}

function write(view: DataView, at: number, type: Type, value: Value): void {
  if (Array.isArray(type)) {
    const step = laidOut(type[0]).bytes;
    (value as Value[]).forEach((element, index) => {
      write(view, at + index * step, type[0], element);
    });
  } else if (typeof type === "object") {
    const { offsets } = laidOut(type);
    for (const [name, field] of Object.entries(type))
      write(view, at + (offsets[name] as number), field, (value as Record<string, Value>)[name] as Value);
  } else if (type in scalars) writeScalar(view, at, type, value);
  else {
    const bytes = Buffer.from(value as string, type.startsWith("utf8") ? "utf8" : "hex");
    view.setUint32(at, bytes.length, true);
    bytes.forEach((byte, index) => {
      view.setUint8(at + 4 + index, byte);
    });
  }
}

function structVector(name: string, fields: { [field: string]: Type }, values: Record<string, Value>[]) {
  const { bytes, signature, offsets } = laidOut(fields);
  const hash = fnv1a(Buffer.from(signature));
  const written = values.map((value) => {
    const view = new DataView(new ArrayBuffer(bytes));
    write(view, 0, fields, value);
    return { value, bytes: hex(new Uint8Array(view.buffer)) };
  });
  return { name, fields, bytes, offsets, signature, hash, values: written };
}

const STRUCTS = [
  structVector(
    "every scalar",
    {
      a: "u8",
      b: "i16",
      c: "u32",
      d: "f64",
      e: "i8",
      f: "u16",
      g: "i32",
      h: "f32",
      i: "u64",
      j: "i64",
      k: "bool",
    },
    [
      {
        a: 255,
        b: -2,
        c: 4294967295,
        d: -0.5,
        e: -128,
        f: 65535,
        g: -1,
        h: 1.5,
        i: "18446744073709551615",
        j: "-2",
        k: true,
      },
      { a: 0, b: 0, c: 0, d: 0, e: 0, f: 0, g: 0, h: 0, i: "0", j: "0", k: false },
    ],
  ),
  structVector("texts and bytes", { name: "utf8:5", tag: "u8", data: "bytes:8", empty: "utf8:1" }, [
    { name: "h\u00e9\u00e9", tag: 1, data: "00ff10", empty: "" },
    { name: "", tag: 0, data: "", empty: "x" },
  ]),
  structVector(
    "arrays and structs",
    { flag: "bool", grid: [["u16", 3], 2], point: { x: "f32", y: "f32", id: "u8" }, path: [{ at: "u8" }, 2] },
    [
      {
        flag: true,
        grid: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        point: { x: 1, y: -1, id: 9 },
        path: [{ at: 7 }, { at: 8 }],
      },
    ],
  ),
];

const NAMES = [
  "a",
  "ring",
  "n".repeat(80),
  "h\u00e9llo",
  "\u65e5\u672c",
  "\u{1f980}",
  "two words",
  "\ufeffmark",
];
const REFUSED = [
  "",
  "00",
  "6100",
  "80",
  "c0af",
  "c1bf",
  "e080af",
  "eda080",
  "edbfbf",
  "f08080af",
  "f4908080",
  "f5808080",
  "e282",
  "ff",
];

function parameters(type: number, version: number, first = 0, second = 0, third = 0, fourth = 0) {
  const words = [first, second, third, fourth];
  return {
    type,
    version,
    words,
    hash: fnv1a(new Uint8Array(new Uint32Array([type, version, ...words]).buffer)),
  };
}

const PARAMETERS = [
  parameters(layout.OBJECT_RING, layout.OBJECT_VERSION_RING, 4096),
  parameters(layout.OBJECT_LATEST, layout.OBJECT_VERSION_LATEST, 64, 0xdeadbeef),
  parameters(layout.OBJECT_LOCK, layout.OBJECT_VERSION_LOCK),
  parameters(layout.OBJECT_SEMAPHORE, layout.OBJECT_VERSION_SEMAPHORE, 3),
  parameters(layout.OBJECT_EVENT, layout.OBJECT_VERSION_EVENT, 1),
  parameters(layout.OBJECT_COUNTER, layout.OBJECT_VERSION_COUNTER),
  parameters(layout.OBJECT_QUEUE, layout.OBJECT_VERSION_QUEUE, 100, 256, 0xdeadbeef, layout.QUEUE_DROP),
  parameters(layout.OBJECT_SERVICE, layout.OBJECT_VERSION_SERVICE, 100, 256, 512, layout.SERVICE_RETRY),
];

/** The header of a segment of one page, right after its creation. */
function header(fingerprint: number) {
  const [bytes, pid, nowNs] = [limits.PAGE_BYTES, 1234, 1_700_000_000_000_000_000];
  const slots = limits.PARTICIPANTS_MIN;
  const view = new DataView(new ArrayBuffer(layout.HEADER_BYTES));
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  const journal = layout.PARTICIPANTS_OFFSET + slots * layout.PARTICIPANT_BYTES;
  const entries = limits.JOURNAL_ENTRIES_MIN * layout.JOURNAL_ENTRY_BYTES;
  const payload = align(journal + layout.JOURNAL_ENTRIES_OFFSET + entries, layout.OBJECT_ALIGNMENT);
  u32(layout.HEADER_MAGIC_OFFSET, layout.MAGIC);
  view.setUint16(layout.HEADER_ABI_VERSION_OFFSET, layout.ABI_VERSION, true);
  view.setUint16(layout.HEADER_HEADER_SIZE_OFFSET, layout.HEADER_BYTES, true);
  u32(layout.HEADER_STATE_OFFSET, layout.STATE_READY);
  u64(layout.HEADER_TOTAL_SIZE_OFFSET, bytes);
  u64(layout.HEADER_GENERATION_OFFSET, 1);
  u64(layout.HEADER_HEARTBEAT_NS_OFFSET, nowNs);
  u64(layout.HEADER_PAYLOAD_OFFSET_OFFSET, payload);
  u64(layout.HEADER_PAYLOAD_SIZE_OFFSET, bytes - payload);
  u32(layout.HEADER_FINGERPRINT_OFFSET, fingerprint);
  u32(layout.HEADER_PARTICIPANTS_OFFSET, slots);
  u32(layout.HEADER_DIRECTORY_ENTRIES_OFFSET, limits.DIRECTORY_ENTRIES_MIN);
  u32(layout.HEADER_CREATOR_PID_OFFSET, pid);
  u64(layout.HEADER_CREATED_NS_OFFSET, nowNs);
  u32(layout.HEADER_FIRST_PAGES_OFFSET, 1);
  return { bytes, slots, generation: 1, pid, nowNs: `${nowNs}`, header: hex(new Uint8Array(view.buffer)) };
}

/** Text of protocol/vectors.json. */
export function vectors(fingerprint: number): string {
  const names = NAMES.map((name) => ({
    name,
    bytes: hex(Buffer.from(name)),
    hash: fnv1a(Buffer.from(name)),
  }));
  const all = {
    fingerprint,
    names,
    refusedNames: REFUSED,
    parameters: PARAMETERS,
    segment: header(fingerprint),
    structs: STRUCTS,
  };
  return `${JSON.stringify(all, null, 1)}\n`;
}
