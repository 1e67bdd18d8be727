/** Texts come back as they went in: bytes are not characters, and nothing is cut, filled or ended by a NUL. */
import fc from "fast-check";
import { MiB, Segment, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../lib/refusals.js";
import { segmentName } from "../lib/segments.js";
import { printedSeed } from "../lib/series.js";

const parameters = { seed: printedSeed() & 0x7fffffff, numRuns: 300 };
const BYTES = 24;
const bytesOf = (text: string): number => new TextEncoder().encode(text).length;
/** Whole characters of every length in UTF-8, NULs and line ends among them. */
const texts = fc.string({ unit: fc.constantFrom("a", "\0", "é", "€", "😀", "\n", "ß", " "), maxLength: 30 });

test("a text of a struct comes back whole, with its NULs, or is refused for its bytes", () => {
  using segment = Segment.create(segmentName("texts"), { bytes: MiB });
  const latest = segment.latest("text", struct({ before: "u32", text: `utf8:${BYTES}`, after: "u32" }));
  const property = fc.property(texts, (text) => {
    const value = { before: 0xffffffff, text, after: 0xffffffff };
    if (bytesOf(text) > BYTES) {
      refused("RangeError", () => latest.write(value), /text holds at most 24 bytes/);
    } else {
      latest.write(value);
      assert.equal(latest.read(), value);
    }
  });
  fc.assert(property, parameters);
});

test("a text that begins like a mark of the byte order keeps it; half a surrogate pair is refused", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const latest = segment.latest("text", struct({ text: `utf8:${BYTES}` }));
  latest.write({ text: "\ufeffmark" });
  assert.is(latest.read()?.text, "\ufeffmark");
  refused("RangeError", () => latest.write({ text: "half \ud800" }), /text must not contain half/);
  segment.counter("\ufeffname").add(1);
  assert.is(segment.counter("name").value, 0);
  assert.equal(
    segment.objects().map(({ name }) => name),
    ["text", "\ufeffname", "name"],
  );
  using reader = Segment.fromHandle(segment.handle, { access: "read-only" });
  assert.is(reader.counter("\ufeffname").value, 1);
  refused("INVALID_NAME", () => segment.counter("\udc00"), /surrogate/);
});

test("bytes of a struct keep their length and their trailing zeros", () => {
  using segment = Segment.create(segmentName("bytes"), { bytes: MiB });
  const latest = segment.latest("bytes", struct({ bytes: "bytes:16", after: "u8" }));
  const property = fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => {
    latest.write({ bytes, after: 255 });
    assert.equal(latest.read(), { bytes: new Uint8Array(bytes), after: 255 });
  });
  fc.assert(property, parameters);
});

test("records keep their length and their trailing zeros", () => {
  using segment = Segment.create(segmentName("records"), { bytes: MiB });
  const ring = segment.ring("ring", { bytes: 4096 });
  const producer = ring.producer();
  const consumer = ring.consumer();
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.ok(producer.trySend(bytes));
    assert.equal(consumer.tryReceive(), new Uint8Array(bytes));
  });
  fc.assert(property, parameters);
});

test("objects are found by their whole name and by no other", () => {
  const property = fc.property(fc.uniqueArray(texts, { minLength: 1, maxLength: 8 }), (names) => {
    using segment = Segment.createAnonymous({ bytes: MiB });
    const possible = names.filter((name) => name !== "" && !name.includes("\0") && bytesOf(name) <= 80);
    for (const [index, name] of possible.entries()) segment.ring(name, { bytes: 64 + 8 * index });
    assert.equal(
      segment.objects().map(({ name }) => name),
      possible,
    );
    for (const [index, name] of possible.entries()) {
      assert.is(segment.ring(name, { bytes: 64 + 8 * index }).name, name);
    }
  });
  fc.assert(property, { ...parameters, numRuns: 50 });
});

test.run();
