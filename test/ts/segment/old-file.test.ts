/** A file that a release with another layout has made is refused by name, and stays as it is. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LAYOUT_FINGERPRINT } from "../../../protocol/fingerprint.js";
import {
  HEADER_FINGERPRINT_OFFSET,
  HEADER_HEARTBEAT_NS_OFFSET,
  HEADER_LAYOUT_MISMATCHES_OFFSET,
} from "../../../protocol/layout.js";
import { refused } from "../../lib/refusals.js";
import { temporaryDirectory } from "../../lib/segments.js";

/** What the core before "Objects are opened by the core" has left of 64 KiB with a block, a root and a ring; gzip, base64. */
const OLD = gunzipSync(
  Buffer.from(
    [
      "H4sIAAAAAAACA+3dP2sUQRgH4N+ehzkwxaGNhY2l3yFCSsUmoJVgGUIQjiQoxO4KC4tUW14auco6teBXsPFT2JwiKihE93aWi4XB",
      "P0TI+TzFvczsvO8sMws73BV3++69W1X2U6VTnfhMcny0Vb95ezV1aY/aMLv5/sp6kmGSwztJPj5ux/1EdbLmH1znbFxM8vpScqHZ",
      "yzqpqsU+DNdPzx2f0T1t1L82bjyxf0tvagmA5VWVM9T8vdudo7pz15Lb2x5teQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "AAAA6LzoJ+NJstZL0kuGvaSqkn4vOVpNnk6S3c1kNmnHPyvxoMRrTU5KXpKXvba/yf9eOh/KuExLf4mz43beQWmvlrhW8rt6z/uL",
      "epeTfC71vpY46M1vOwe2EgDOhY0Sm/f8w82dR39VrE6unzZXnQwHi/Z8zi/3P82PF4dJVtr+G09e7af/Y+7e9mjLbgHA+bdTJ7v/",
      "cL7mu47hinUH4P/W/J7w7oF1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD4bdP2f2I73wCKMvuzAAABAA==",
    ].join(""),
    "base64",
  ),
);
const OLD_FINGERPRINT = 0x13f23df0;
const hex = (number: number): string => number.toString(16).padStart(8, "0");

function file(name: string): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, OLD);
  return path;
}

test("the file is one of another layout", () => {
  assert.is(OLD.readUInt32LE(HEADER_FINGERPRINT_OFFSET), OLD_FINGERPRINT);
  assert.is.not(OLD_FINGERPRINT, LAYOUT_FINGERPRINT);
});

const differs = new RegExp(`fingerprint .*${hex(OLD_FINGERPRINT)}.*${hex(LAYOUT_FINGERPRINT)}`);

test("every way to open it says which two layouts there are", () => {
  const path = file("old.isthmus");
  for (const given of [{}, { bytes: MiB }, { access: "read-only" }] as const)
    refused("LAYOUT_MISMATCH", () => Segment.openFile(path, given), differs);
});

test("nothing of it is changed but the count of the writers that were refused", () => {
  const path = file("kept.isthmus");
  refused("LAYOUT_MISMATCH", () => Segment.openFile(path, { access: "read-only" }));
  assert.ok(readFileSync(path).equals(OLD));
  for (let count = 1; count <= 2; count++) {
    refused("LAYOUT_MISMATCH", () => Segment.openFile(path, { bytes: MiB }));
    const now = readFileSync(path);
    assert.is(now.readUInt32LE(HEADER_LAYOUT_MISMATCHES_OFFSET), count);
    now.writeUInt32LE(0, HEADER_LAYOUT_MISMATCHES_OFFSET);
    assert.is(now.length, OLD.length);
    assert.ok(now.equals(OLD));
  }
  assert.is.not(OLD.readBigUInt64LE(HEADER_HEARTBEAT_NS_OFFSET), 0n);
});

test.run();
