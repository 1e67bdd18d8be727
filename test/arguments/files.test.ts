/** Whatever lies under a segment's name: the right code, a message that helps, in bounded time. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HEADER_BYTES } from "../../protocol/layout.js";
import { Agent } from "../lib/processes.js";
import { refused, rejected } from "../lib/refusals.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { areFiles, segmentExists, segmentName, segmentPath } from "../lib/segments.js";
import { printedSeed, randomFrom } from "../lib/series.js";
import { notSuperuser, unless } from "../lib/skips.js";

const PAGE = 65536;
const ACTIONS = "lib/actions.ts";
const random = randomFrom(printedSeed());
/** Where segments are no files, nobody can put anything under their names that way: see `test/ts/segment/file-damage.test.ts`. */
const onFiles = unless(areFiles ? undefined : "segments are no files here", test);

/** The bytes of a segment of two pages. */
function wholeSegment(): Buffer {
  const name = segmentName("whole");
  Segment.create(name, { bytes: 2 * PAGE }).close();
  return readFileSync(segmentPath(name));
}

onFiles("random bytes are not a segment", () => {
  for (const pages of [1, 2, 5]) {
    const name = segmentName("random");
    writeFileSync(segmentPath(name), Buffer.from(Array.from({ length: pages * PAGE }, () => random() * 256)));
    for (const access of ["read-write", "read-only"] as const) {
      refused("BAD_MAGIC", () => Segment.open(name, { access }), /does not begin like a segment/);
    }
    refused("BAD_MAGIC", () => Segment.openOrCreate(name, { bytes: MiB }));
    refused("ALREADY_EXISTS", () => Segment.create(name, { bytes: MiB }), /replace/);
    assert.is(Segment.list().find((found) => found.name === name)?.error, "BAD_MAGIC");
    Segment.create(name, { bytes: MiB, replace: true }).close();
    assert.is(Segment.open(name).bytes, MiB);
  }
});

onFiles("a segment of every truncated length is refused", () => {
  const whole = wholeSegment();
  const name = segmentName("truncated");
  const lengths = Array.from({ length: 1024 }, (_, i) => i + 1);
  for (let length = 1024; length < whole.length; length += 509) lengths.push(length);
  for (const length of [...lengths, PAGE - 1, PAGE, PAGE + 1]) {
    writeFileSync(segmentPath(name), whole.subarray(0, length));
    const text =
      length === PAGE ? /contradicts itself or its size/ : new RegExp(`has ${length} bytes.*truncated`);
    refused("CORRUPT", () => Segment.open(name), text);
    refused("CORRUPT", () => Segment.open(name, { access: "read-only" }), text);
    refused("CORRUPT", () => Segment.openOrCreate(name, { bytes: MiB }), text);
  }
  // The sizes of a file and of what was in it must agree the other way around, too.
  writeFileSync(segmentPath(name), Buffer.concat([whole, Buffer.alloc(PAGE)]));
  refused("CORRUPT", () => Segment.open(name));
});

test("what the system refused is the cause of the error", () => {
  try {
    Segment.open(segmentName("absent"));
    assert.unreachable();
  } catch (error) {
    const { cause, errno } = error as Error & { cause: { errno: number }; errno: number };
    assert.is(cause.errno, constants.errno.ENOENT);
    assert.is(errno, constants.errno.ENOENT);
  }
});

onFiles("an empty file is a segment that nobody made yet", () => {
  const name = segmentName("empty");
  writeFileSync(segmentPath(name), "");
  refused("NOT_FOUND", () => Segment.open(name), /create it, or wait for it/);
  refused("NOT_FOUND", () => Segment.open(name, { access: "read-only" }), /create it, or wait for it/);
  using made = Segment.create(name, { bytes: MiB });
  assert.is(made.state, "READY");
});

onFiles("a segment whose creator died is finished by whoever comes next", () => {
  for (const bytes of [PAGE, MiB]) {
    const name = segmentName("unfinished");
    writeFileSync(segmentPath(name), Buffer.alloc(bytes), { mode: 0o600 });
    refused("INITIALIZING", () => Segment.open(name, { access: "read-only" }));
    using made = Segment.create(name, { bytes: MiB });
    assert.is(made.bytes, MiB);
    assert.is(Segment.open(name).state, "READY");
  }
});

onFiles("every single wrong byte of the header is refused or does no harm", () => {
  const whole = wholeSegment();
  const name = segmentName("flipped");
  for (let at = 0; at < 128; at++) {
    const bytes = Buffer.from(whole);
    bytes[at] ^= 1 << Math.floor(random() * 8);
    writeFileSync(segmentPath(name), bytes);
    try {
      using segment = Segment.open(name);
      segment.ring("ring", { bytes: 1024 }).producer().trySend(new Uint8Array(10));
    } catch (error) {
      const code = String((error as { code?: string }).code);
      const allowed = /^(BAD_MAGIC|VERSION_MISMATCH|LAYOUT_MISMATCH|CORRUPT|BROKEN|INITIALIZING)$/;
      assert.match(code, allowed, `byte ${at}: ${error}`);
    }
  }
});

onFiles("random bytes behind a valid header are refused or do no harm, and end nobody", () => {
  const whole = wholeSegment();
  const name = segmentName("behind");
  const allowed =
    /^(BROKEN|BUSY|CORRUPT|INITIALIZING|OBJECT_MISMATCH|SEGMENT_FULL|TOO_MANY_PARTICIPANTS|PEER_DIED|TIMED_OUT|OWNER_DIED)$/;
  for (let time = 0; time < 40; time++) {
    const bytes = Buffer.from(whole);
    const from = HEADER_BYTES + Math.floor(random() * (time % 2 ? 64 : bytes.length - HEADER_BYTES));
    for (let at = from; at < bytes.length; at++) bytes[at] = random() * 256;
    writeFileSync(segmentPath(name), bytes);
    assert.is(Segment.list().find((found) => found.name === name)?.state, "READY");
    for (const access of ["read-only", "read-write"] as const) {
      for (const use of [
        (segment: Segment) => segment.objects(),
        (segment: Segment) => segment.participants(),
        (segment: Segment) => segment.heap.check(),
        (segment: Segment) => access === "read-write" && segment.ring("ring", { bytes: 1024 }).producer(),
        (segment: Segment) => access === "read-write" && segment.heap.allocate(100),
      ]) {
        try {
          using segment = Segment.open(name, { access });
          use(segment);
        } catch (error) {
          assert.match(String((error as { code?: string }).code), allowed, String((error as Error).stack));
        }
      }
    }
  }
});

onFiles("a directory, a link or a device is not followed and not opened", () => {
  const name = segmentName("directory");
  mkdirSync(segmentPath(name));
  refused("ACCESS_DENIED", () => Segment.open(name));
  refused("ACCESS_DENIED", () => Segment.open(name, { access: "read-only" }));
  refused("ACCESS_DENIED", () => Segment.openOrCreate(name, { bytes: MiB }));
  refused("ACCESS_DENIED", () => Segment.create(name, { bytes: MiB }));

  const target = segmentName("target");
  Segment.create(target, { bytes: MiB }).close();
  for (const to of [segmentPath(target), "/nowhere/at/all", "/dev/zero"]) {
    const link = segmentName("link");
    symlinkSync(to, segmentPath(link));
    refused("ACCESS_DENIED", () => Segment.open(link));
    refused("ACCESS_DENIED", () => Segment.create(link, { bytes: MiB }));
    refused("ACCESS_DENIED", () => Segment.create(link, { bytes: MiB, replace: true }), /no link/);
    Segment.unlink(link);
    assert.not(segmentExists(link));
    assert.is(Segment.open(target).generation, 1);
  }
});

onFiles("a file that shrank under its users is not their end when they come back", () => {
  const name = segmentName("shrunk");
  Segment.create(name, { bytes: 2 * PAGE }).close();
  truncateSync(segmentPath(name), PAGE);
  refused("CORRUPT", () => Segment.open(name), /replace: true/);
  Segment.create(name, { bytes: 2 * PAGE, replace: true }).close();
});

const asUser = unless(notSuperuser, test);
const USER = 65534;

asUser("another user's segment is refused, because that user could change it at will", async () => {
  for (const runtime of presentRuntimes()) {
    const name = segmentName("foreign");
    Segment.create(name, { bytes: MiB, mode: 0o666 }).close();
    chownSync(segmentPath(name), USER - 1, USER - 1);
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("setUser", USER);
    for (const options of [{}, { access: "read-only" }]) {
      await rejected("ACCESS_DENIED", child.call("open", name, options), /belongs to user 65533/);
    }
    await rejected("ACCESS_DENIED", child.call("openOrCreate", name, { bytes: MiB }));
    await child.end();
  }
});

asUser("who has no permission is told so", async () => {
  for (const runtime of presentRuntimes()) {
    const name = segmentName("private");
    using segment = Segment.create(name, { bytes: MiB });
    const child = await Agent.start(runtime, ACTIONS);
    await child.call("setUser", USER);
    const refusal = await rejected("ACCESS_DENIED", child.call("open", name));
    assert.ok((refusal as { syscall?: string }).syscall);
    await rejected("ACCESS_DENIED", child.call("open", name, { access: "read-only" }));
    await rejected("ACCESS_DENIED", child.call("create", name, { bytes: MiB, replace: true }));
    // The superuser's segment that others may read is theirs to read, and not to write.
    chmodSync(segmentPath(name), 0o644);
    await rejected("ACCESS_DENIED", child.call("open", name));
    assert.is(
      (await child.call<{ access: string }>("open", name, { access: "read-only" })).access,
      "read-only",
    );
    assert.is(segment.state, "READY");
    await child.end();
  }
});

onFiles("the mode is exact, whatever the umask", () => {
  const before = process.umask(0o077);
  try {
    for (const mode of [0o600, 0o644, 0o666, 0o640]) {
      const name = segmentName("mode");
      using segment = Segment.create(name, { bytes: PAGE, mode });
      assert.is(statSync(segmentPath(segment.name)).mode & 0o777, mode);
      using replaced = Segment.create(name, { bytes: PAGE, mode, replace: true });
      assert.is(statSync(segmentPath(replaced.name)).mode & 0o777, mode);
    }
  } finally {
    process.umask(before);
  }
});

test("a handle that means nothing is refused", () => {
  for (const handle of ["", "x", "1:2:3", "1:2:3:4:5", "-1:2:3:4", "99999999999999999999:1:1:1"]) {
    refused("INVALID_NAME", () => Segment.fromHandle(handle));
  }
  for (const handle of ["1:2:3:4\0", "x".repeat(10000)]) {
    refused("RangeError", () => Segment.fromHandle(handle), /handle/);
  }
  const { handle } = Segment.createAnonymous({ bytes: PAGE });
  const parts = handle.split(":");
  const others = areFiles
    ? [`${parts[0]}:${parts[1]}:${parts[2]}:1`, `${parts[0]}:1000:${parts[2]}:${parts[3]}`]
    : [`local-${"0".repeat(16)}`, `global-${handle.slice(-16)}`];
  for (const other of others) refused("NOT_FOUND", () => Segment.fromHandle(other));
  assert.not(segmentExists("never"));
});

test.run();
