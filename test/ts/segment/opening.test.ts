/** What opening, replacing and leaving ask of the shim, and in which order; other processes are played by the shim's answers. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { KiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SYSTEM } from "../../../protocol/errors.js";
import { KERNEL_LOCK_CREATION, KERNEL_LOCK_PARTICIPANTS } from "../../../protocol/layout.js";
import type { Native } from "../../../ts/host/native.js";
import { refused } from "../../lib/refusals.js";
import { forget, keep, segmentName, temporaryDirectory } from "../../lib/segments.js";
import { onlyLinux, unless } from "../../lib/skips.js";
import { flawed, stepped } from "../../lib/steps.js";
import { LOCAL, native } from "../../shims/objects.js";

const BYTES = 64 * KiB;

/** Runs while somebody else has the creation lock for so many tries; gives how often it was tried. */
function whileCreating(refusals: number, run: () => void): number {
  let tries = 0;
  const lock = (real: Native) => {
    const { lock } = real;
    return (...given: unknown[]) => {
      const [object, index, shared] = given as [number, number, boolean];
      return index === KERNEL_LOCK_CREATION && ++tries <= refusals ? false : lock(object, index, shared);
    };
  };
  flawed({ lock }, run);
  return tries;
}

/** As the kernel refuses a lock when its table is full. */
function noLocks(): Error {
  const text = "fcntl: No locks available";
  return Object.assign(new Error(text), { status: SYSTEM, errno: 37, syscall: "fcntl" });
}

test("close gives all back, and never throws, when the system takes no lock", () => {
  const name = segmentName("no-locks");
  const segment = Segment.create(name, { bytes: BYTES });
  keep(name);
  const refuse = () => () => {
    throw noLocks();
  };
  flawed({ lock: refuse, unlock: refuse }, () => segment.close());
  using again = Segment.open(name);
  assert.is(again.participants().length, 1, "the one who left is still there");
  again.unlink();
  forget(name);
});

test("slots that are locked by who is no participant are told apart from participants", () => {
  const name = segmentName("strangers");
  using segment = Segment.create(name, { bytes: BYTES });
  const stranger = native.openNamed(name, LOCAL, false, true, 0);
  for (let slot = 1; slot < 64; slot++) native.lock(stranger, KERNEL_LOCK_PARTICIPANTS + slot, true);
  refused("TOO_MANY_PARTICIPANTS", () => Segment.open(name), /63 of 64 have no owner/);
  native.close(stranger);
  Segment.open(name).close();
  segment.unlink();
});

test("a creator that gets no lock says so, and the next one takes over", () => {
  const name = segmentName("refused-locks");
  const refuse = () => () => {
    throw noLocks();
  };
  flawed({ lock: refuse }, () => {
    assert.throws(
      () => Segment.create(name, { bytes: BYTES }),
      (error: { code: string; errno: number; syscall: string }) =>
        error.code === "SYSTEM" && error.errno === 37 && error.syscall === "fcntl",
    );
  });
  using segment = Segment.create(name, { bytes: BYTES });
  segment.unlink();
});

test("openers wait for one that creates, joins or leaves for a while", () => {
  const name = segmentName("waits");
  using segment = Segment.create(name, { bytes: BYTES });
  assert.is(
    whileCreating(200, () => Segment.open(name).close()),
    202,
    "once more when it closes",
  );
  segment.unlink();
});

/** Many more than there are in the short time for which closing waits. */
const TRIES_MAX = 1000;

test("a segment is closed, and its slot is free, though another process keeps the creation lock", () => {
  const name = segmentName("leaves");
  using segment = Segment.create(name, { bytes: BYTES });
  const second = Segment.open(name);
  const tries = whileCreating(TRIES_MAX, () => second.close());
  assert.ok(tries < TRIES_MAX, `it tried ${tries} times`);
  assert.is(segment.participants().length, 1);
  segment.unlink();
});

unless(onlyLinux("/proc/self/fd"), test)("replacing a name leaves no descriptor open", () => {
  const name = segmentName("replaced");
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  Segment.create(name, { bytes: BYTES }).close();
  const before = descriptors();
  // No turn of the event loop and no other opening comes in between: they would close what was left.
  Segment.create(name, { bytes: BYTES, replace: true }).close();
  assert.is(descriptors(), before);
  Segment.unlink(name);
});

test("a segment whose size or name changed while it was being joined is opened again; of another owner it is refused", () => {
  const name = segmentName("changed");
  using segment = Segment.create(name, { bytes: BYTES });
  let looks = 0;
  let opens = 0;
  /** Opens it; from the look of that number on, the answer is another one once. */
  function openWith(at: number, other: (found: { bytes: number; linked: boolean }) => object): void {
    looks = opens = 0;
    const info = (real: Native) => {
      const { info } = real;
      return (object: unknown) => {
        const found = info(object as number);
        return ++looks === at ? { ...found, ...other(found) } : found;
      };
    };
    const openNamed = (real: Native) => {
      const { openNamed } = real;
      return (...given: unknown[]) => {
        opens++;
        return openNamed(...(given as Parameters<Native["openNamed"]>));
      };
    };
    flawed({ info, openNamed }, () => Segment.open(name).close());
  }
  let last = 0;
  flawed(
    {
      info: (real) => {
        const { info } = real;
        return (object) => {
          last++;
          return info(object as number);
        };
      },
    },
    () => {
      const opened = Segment.open(name);
      const looked = last;
      opened.close();
      last = looked;
    },
  );
  openWith(last + 1000, () => ({}));
  assert.is(opens, 1);
  for (const other of [
    ({ bytes }: { bytes: number }) => ({ bytes: bytes + BYTES }),
    () => ({ linked: false }),
  ]) {
    openWith(last, other);
    assert.is(opens, 2);
  }
  const ofAnother = () => ({ owner: 4242, trusted: false });
  refused("ACCESS_DENIED", () => openWith(last, ofAnother), /belongs to user 4242/);
  segment.unlink();
});

test("waitFor ends with the reason of a signal that was aborted before, also when the segment is there", async () => {
  using segment = Segment.create(segmentName("there"), { bytes: BYTES });
  const reason = new Error("enough");
  const waiting = Segment.waitFor(segment.name, { signal: AbortSignal.abort(reason) });
  assert.is(await waiting.catch((error: Error) => error), reason);
  segment.unlink();
});

test("the smaller size is on the disk before a file is truncated", () => {
  const file = join(temporaryDirectory(), "shrinks");
  const segment = Segment.openFile(file, { bytes: 16 * BYTES });
  const calls: string[] = [];
  stepped(
    (_, call) => void calls.push(call),
    () => segment.close(),
  );
  const truncated = calls.indexOf("shrink");
  assert.ok(truncated > 0, calls.join(" "));
  assert.equal(calls.slice(truncated - 2, truncated), ["flush", "unmap"]);
});

test.run();
