/** Which bytes are a name, by the rules of the core; every host has these and no others. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { INVALID_NAME, NOT_SUPPORTED } from "../../protocol/errors.js";
import {
  FLAG_WAKE,
  OBJECT_COUNTER,
  OBJECT_LAYOUT,
  OBJECT_RING,
  RESULT_OFFSETS,
} from "../../protocol/layout.js";
import { directCore } from "../lib/direct.js";

const { core, segment } = directCore(1 << 20);

/** What the core says of the name; the object of it is found or made. */
function open(name: Uint8Array, type = OBJECT_COUNTER, first = 0): number {
  segment.set(name, core.scratch() >>> 0);
  return core.objectOpen(type, name.length, first, 0, 0, 0) >>> 0;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function isTaken(name: Uint8Array): boolean {
  const result = open(name);
  if (result !== INVALID_NAME) assert.ok(result >= RESULT_OFFSETS, `${[...name]}: ${result}`);
  return result !== INVALID_NAME;
}

test("a name has 1 to 80 bytes", () => {
  assert.is(open(bytes()), INVALID_NAME);
  assert.ok(isTaken(utf8("n".repeat(80))));
  assert.is(open(utf8("n".repeat(81))), INVALID_NAME);
  assert.is(core.objectOpen(OBJECT_COUNTER, 0xffffffff, 0, 0, 0, 0), INVALID_NAME);
});

test("NUL is in no name, but at the start of a description's, and only there", () => {
  for (const name of ["\0", "\0a", "a\0", "a\0b"])
    assert.is(open(utf8(name)), INVALID_NAME, JSON.stringify(name));
  assert.ok(open(utf8("\0layout"), OBJECT_LAYOUT, 8) >= RESULT_OFFSETS);
  assert.is(open(utf8("layout"), OBJECT_LAYOUT, 8), INVALID_NAME);
  assert.is(open(utf8("\0lay\0out"), OBJECT_LAYOUT, 8), INVALID_NAME);
});

/** A segment with little room: most names that are taken are refused for that then. */
const tiny = directCore(65536);

/** Each two bytes, and around the bounds of each longer form. */
function* candidates(): Generator<Uint8Array> {
  for (let first = 1; first < 256; first++) {
    yield bytes(first);
    for (const second of [1, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]) {
      yield bytes(first, second);
      for (const third of [0x41, 0x7f, 0x80, 0xbf, 0xc0]) {
        yield bytes(first, second, third);
        for (const fourth of [0x7f, 0x80, 0xbf, 0xc2]) yield bytes(first, second, third, fourth);
      }
    }
  }
}

test("a name is well-formed UTF-8, as the runtime's own decoder says", () => {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const isText = (name: Uint8Array): boolean => {
    try {
      return decoder.decode(name).length > 0 || name.length === 3;
    } catch {
      return false;
    }
  };
  let taken = 0;
  for (const name of candidates()) {
    tiny.segment.set(name, tiny.core.scratch() >>> 0);
    const result = tiny.core.objectOpen(OBJECT_COUNTER, name.length, 0, 0, 0, 0) >>> 0;
    assert.is(result !== INVALID_NAME, isText(name), `${[...name]}: ${result}`);
    if (result !== INVALID_NAME) taken++;
  }
  assert.ok(taken > 2000, `${taken} names were taken`);
});

test("names that differ in one byte, or in case, or in how an accent is made, are different", () => {
  const names = ["name", "Name", "nam\u00e9", "name\u0301", "name "];
  const offsets = names.map((name) => open(utf8(name)) & ~FLAG_WAKE);
  assert.is(new Set(offsets).size, names.length);
  assert.equal(
    names.map((name) => open(utf8(name)) & ~FLAG_WAKE),
    offsets,
  );
});

test("a type that there is not, and a parameter that a type does not take, are refused", () => {
  assert.is(open(utf8("what"), 99), NOT_SUPPORTED);
  assert.is(open(utf8("what"), 0), NOT_SUPPORTED);
  assert.is(open(utf8("what"), OBJECT_RING, 3), NOT_SUPPORTED);
});

test.run();
