// only: linux, it makes system calls fail with seccomp
/** Sandboxes that refuse system calls: what has a substitute works, and the rest says that no file is the reason. */
import { constants } from "node:os";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { finished, start } from "../lib/processes.js";
import { noSeccomp, type Rule, refusing } from "../lib/seccomp.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";
import { unless } from "../lib/skips.js";

const { EDQUOT, EINVAL, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM } = constants.errno;
const SANDBOXED = unless(noSeccomp, test);

/** What a program does with each kind of segment. Its answer is a line for each. */
const PROGRAM = `
const { Segment, MiB, struct } = require("isthmus");
const [name, file] = process.argv.slice(1);
const told = {};
function attempt(what, call) {
  try { call(); told[what] = "ok"; } catch (error) { told[what] = error.message; }
}
attempt("named", () => {
  const segment = Segment.create(name, { bytes: MiB });
  const again = Segment.open(name);
  again.counter("hits").add();
  if (segment.counter("hits").value !== 1) throw new Error("not shared");
  segment.flush();
  try { Segment.create(name, { bytes: MiB }); throw new Error("made twice"); } catch (error) { if (error.code !== "ALREADY_EXISTS") throw error; }
  Segment.create(name, { bytes: MiB, replace: true }).close();
  Segment.unlink(name);
  segment.close();
  again.close();
});
attempt("anonymous", () => Segment.createAnonymous({ bytes: MiB }).close());
attempt("file", () => {
  const segment = Segment.openFile(file, { bytes: MiB });
  segment.root = segment.heap.allocate(100);
  segment.close();
  Segment.openFile(file, { bytes: 2 * MiB }).close();
});
console.log(JSON.stringify(told));
`;

interface Told {
  named: string;
  anonymous: string;
  file: string;
}

async function under(...rules: Rule[]): Promise<Told> {
  const file = `${temporaryDirectory()}/segment`;
  const command = [process.execPath, "-e", PROGRAM, segmentName("refused"), file];
  const { stdout, stderr, code } = await finished(start(refusing(...rules), command), "the program");
  assert.is(code, 0, stderr);
  return JSON.parse(stdout) as Told;
}

const fine: Told = { named: "ok", anonymous: "ok", file: "ok" };

SANDBOXED("the launcher refuses what it is told to, and nothing else", async () => {
  assert.equal(await under(), fine);
  const everything = await under({ call: "fallocate", errno: 5 });
  for (const said of Object.values(everything)) assert.match(said, /fallocate: EIO/);
});

for (const call of ["statx", "renameat2", "fallocate", "utimensat", "fstatfs", "statfs", "lseek"] as const) {
  SANDBOXED(`everything works without ${call}`, async () => {
    for (const errno of [EPERM, EINVAL, ENOSYS])
      assert.equal(await under({ call, errno }), fine, `errno ${errno}`);
  });
}

SANDBOXED("a file system without fallocate is no hindrance", async () => {
  assert.equal(await under({ call: "fallocate", errno: EOPNOTSUPP }), fine);
});

SANDBOXED("a limit that has nothing to do with the room there is does not say how much is free", async () => {
  for (const [errno, why] of [
    [EDQUOT, /quota/],
    [ENOMEM, /not enough memory/],
  ] as const) {
    for (const said of Object.values(await under({ call: "fallocate", errno }))) {
      assert.match(said, /^OUT_OF_SHARED_MEMORY: /);
      assert.match(said, why);
      assert.not.match(said, /free|no room/);
    }
  }
});

function blames(said: string, call: string, errno: number): void {
  assert.match(said, /^NOT_SUPPORTED: /);
  assert.match(said, new RegExp(`system call ${call}\\b.*seccomp`));
  assert.match(said, new RegExp(`errno ${errno}\\b`));
  assert.not.match(said, /owner|mode\b/);
}

SANDBOXED("without memfd_create anonymous segments are NOT_SUPPORTED, and others work", async () => {
  for (const errno of [EPERM, EINVAL, ENOSYS]) {
    const told = await under({ call: "memfd_create", errno });
    blames(told.anonymous, "memfd_create", errno);
    assert.match(told.anonymous, "Segment.create");
    assert.equal({ ...told, anonymous: "ok" }, fine);
  }
});

SANDBOXED("a system that gives no name in one step is named", async () => {
  const told = await under({ call: "renameat2", errno: EINVAL }, { call: "linkat", errno: EPERM });
  blames(told.named, "rename", EINVAL);
});

const F_OFD_SETLK = 37;
const MAP_SHARED_FIXED = 0x11;

for (const rule of [
  { call: "fcntl", when: { argument: 1, mask: 0xff, value: F_OFD_SETLK } },
  { call: "mmap", when: { argument: 3, mask: 0xff, value: MAP_SHARED_FIXED } },
  { call: "fchmod" },
] as const) {
  SANDBOXED(`a refused ${rule.call} is NOT_SUPPORTED, and no file is blamed`, async () => {
    for (const errno of [EPERM, EINVAL]) {
      const told = await under({ ...rule, errno });
      blames(told.named, rule.call, errno);
      blames(told.file, rule.call, errno);
    }
  });
}

SANDBOXED("a refused msync is told by flush", async () => {
  const told = await under({ call: "msync", errno: EPERM });
  blames(told.named, "msync", EPERM);
});

test.run();
