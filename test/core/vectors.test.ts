/** The vectors that other hosts check themselves with are what the core and the API do. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { INVALID_NAME } from "../../protocol/errors.js";
import { LAYOUT_FINGERPRINT } from "../../protocol/fingerprint.js";
import {
  ANSWER_ENTRY_OFFSET,
  ENTRY_NAME_HASH_OFFSET,
  ENTRY_PARAMETERS_HASH_OFFSET,
  ENTRY_VERSION_OFFSET,
  OBJECT_COUNTER,
  RESULT_OFFSETS,
} from "../../protocol/layout.js";
import type { Type } from "../../scripts/vectors.js";
import { directCore } from "../lib/direct.js";
import { root } from "../lib/paths.js";

const vectors = JSON.parse(readFileSync(join(root, "protocol/vectors.json"), "utf8"));
const { core, segment, view } = directCore(1 << 20);

function open(name: Uint8Array, type: number, first = 0, second = 0, third = 0, fourth = 0): number {
  segment.set(name, core.scratch() >>> 0);
  return core.objectOpen(type, name.length, first, second, third, fourth) >>> 0;
}

/** A word of the entry of the object that was opened last. */
function word(offset: number): number {
  const entry = view.getUint32((core.answers() >>> 0) + ANSWER_ENTRY_OFFSET, true);
  return view.getUint32(entry + offset, true);
}

test("names have the hash of the vectors, or are refused", () => {
  for (const { name, bytes, hash } of vectors.names) {
    assert.is(Buffer.from(name).toString("hex"), bytes);
    assert.ok(open(Buffer.from(bytes, "hex"), OBJECT_COUNTER) >= RESULT_OFFSETS, name);
    assert.is(word(ENTRY_NAME_HASH_OFFSET), hash, name);
  }
  for (const bytes of vectors.refusedNames)
    assert.is(open(Buffer.from(bytes, "hex"), OBJECT_COUNTER), INVALID_NAME, bytes);
});

test("parameters have the hash of the vectors", () => {
  for (const { type, version, words, hash } of vectors.parameters) {
    assert.ok(
      open(Buffer.from(`object ${type}`), type, ...(words as [number, number, number, number])) >=
        RESULT_OFFSETS,
    );
    assert.is(word(ENTRY_VERSION_OFFSET), version);
    assert.is(word(ENTRY_PARAMETERS_HASH_OFFSET), hash);
  }
});

test("a new segment has the header of the vectors", () => {
  const { bytes, pid, nowNs, header } = vectors.segment;
  const made = directCore(bytes, pid, Number(nowNs), false);
  assert.is(Buffer.from(made.segment.slice(0, header.length / 2)).toString("hex"), header);
  assert.is(vectors.fingerprint, LAYOUT_FINGERPRINT);
});

/** A type of the vectors as `struct` takes it. */
function typed(type: Type): unknown {
  if (Array.isArray(type)) return [typed(type[0]), type[1]];
  return typeof type === "object" ? made(type) : type;
}

function made(fields: { [field: string]: Type }): ReturnType<typeof struct> {
  return struct(
    Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, typed(type)])) as never,
  );
}

/** A value of the vectors as the API takes it, and the other way round. */
function given(type: Type, value: unknown): unknown {
  if (Array.isArray(type)) return (value as unknown[]).map((element) => given(type[0], element));
  if (typeof type === "object") {
    const of = value as Record<string, unknown>;
    return Object.fromEntries(Object.entries(type).map(([name, field]) => [name, given(field, of[name])]));
  }
  if (type === "u64" || type === "i64") return typeof value === "string" ? BigInt(value) : `${value}`;
  if (!type.startsWith("bytes")) return value;
  return typeof value === "string"
    ? Uint8Array.from(Buffer.from(value, "hex"))
    : Buffer.from(value as Uint8Array).toString("hex");
}

for (const { name, fields, bytes, offsets, hash, signature, values } of vectors.structs) {
  test(`struct with ${name} is laid out as in the vectors`, () => {
    const own = made(fields);
    assert.is((own as unknown as { codec: { signature: string } }).codec.signature, signature);
    assert.equal([own.bytes, own.offsets, own.hash], [bytes, offsets, hash]);
    for (const { value, bytes: written } of values) {
      const view = new DataView(new ArrayBuffer(own.bytes));
      own.write(view, given(fields, value) as never);
      assert.is(Buffer.from(view.buffer).toString("hex"), written);
      assert.equal(given(fields, own.read(view)), value);
    }
  });
}

test.run();
