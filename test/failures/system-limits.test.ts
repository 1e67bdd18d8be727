// only: linux, it sets limits with ulimit, and mounts file systems
/** Limits of the system and things that are in the way: each error names what is the reason, and what to do. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { IsthmusError, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { finished, start } from "../lib/processes.js";
import { refused } from "../lib/refusals.js";
import { segmentName, segmentPath, temporaryDirectory } from "../lib/segments.js";
import { noNamespaces, notSuperuser, unless } from "../lib/skips.js";
import { until } from "../lib/watchdog.js";

/** For programs that run in another folder, in double quotes. */
const ENTRY = JSON.stringify(createRequire(import.meta.url).resolve("isthmus"));

/** Runs JavaScript in a shell of its own; what the code throws is printed. */
async function told(code: string, shell = "", flags = "", through: string[] = []): Promise<string> {
  const program = `const { Segment, MiB } = require(${ENTRY}); try { ${code}; console.log("ok") } catch (e) { console.log(e.message) }`;
  const script = `${shell} exec "$0" ${flags} -e "$1"`;
  const [command, ...given] = [...through, "bash", "-c", script, process.execPath, program];
  const { stdout, stderr } = await finished(start(command as string, given), code);
  return stdout.trim() || stderr.trim();
}

const NAMESPACE = ["unshare", "--mount"];
const confined = unless(noNamespaces("--mount"), test);
const privileged = unless(noNamespaces("--mount") ?? notSuperuser, test);

const CREATE = `Segment.create("${segmentName("limits")}", { bytes: MiB }).unlink()`;
const DEVICES =
  "mount -t tmpfs none /mnt && cd /mnt && mkdir dev && for d in null zero urandom random; do touch dev/$d; " +
  "mount --bind /dev/$d dev/$d; done && mount --rbind /mnt/dev /dev &&";

confined("without /dev/shm names are NOT_SUPPORTED, whatever is tried, and the rest works", async () => {
  const named = [
    CREATE,
    'Segment.create("x", { bytes: MiB, replace: true })',
    'Segment.openOrCreate("x", { bytes: MiB })',
    'Segment.open("x")',
    'Segment.open("x", { access: "read-only" })',
    'Segment.unlink("x")',
  ];
  for (const code of named) {
    const text = await told(code, DEVICES, "", NAMESPACE);
    assert.match(text, /^NOT_SUPPORTED: .*no \/dev\/shm.*createAnonymous.*openFile/, code);
  }
  assert.match(
    await told(CREATE, `${DEVICES} touch /dev/shm &&`, "", NAMESPACE),
    /^NOT_SUPPORTED: .*no \/dev\/shm/,
  );
  const file = join(temporaryDirectory(), "file");
  for (const code of [
    "Segment.createAnonymous({ bytes: MiB })",
    `Segment.openFile("${file}", { bytes: MiB })`,
  ])
    assert.is(await told(code, DEVICES, "", NAMESPACE), "ok");
  assert.is(
    await told("if (Segment.list().length + Segment.prune().length) throw Error()", DEVICES, "", NAMESPACE),
    "ok",
  );
});

test("without WebAssembly it is NOT_SUPPORTED, and the option is named", async () => {
  for (const code of ["Segment.createAnonymous({ bytes: MiB })", CREATE])
    assert.match(await told(code, "", "--jitless"), /^NOT_SUPPORTED: .*WebAssembly.*--jitless/);
});

test("a limit of the process is named: the one that is in the way", async () => {
  const create = (mebibytes: number) => `Segment.createAnonymous({ bytes: ${mebibytes} * MiB }).close()`;
  const data = await told(create(512), "ulimit -d 200000;");
  assert.match(data, /^OUT_OF_SHARED_MEMORY: .*ulimit -d/);
  assert.not.match(data, "ulimit -v");
  const addresses = await told(
    `for (;;) ${CREATE.replace(".unlink()", "").replace("create", "openOrCreate")}`,
    "ulimit -v 30000000;",
  );
  assert.match(addresses, /^OUT_OF_SHARED_MEMORY: .*ulimit -v/);
  assert.not.match(addresses, "ulimit -d");
  assert.match(
    await told(create(64), "ulimit -f 10240;"),
    /^OUT_OF_SHARED_MEMORY: .*ulimit -f limits it to 10 MiB/,
  );
  const files = "const all = []; for (;;) all.push(Segment.createAnonymous({ bytes: 65536 }))";
  assert.match(await told(files, "ulimit -n 64;"), /too many files open.*ulimit -n/);
});

confined("a place without inodes says so, though it has bytes", async () => {
  const shell = "mount -t tmpfs -o nr_inodes=2 none /dev/shm && touch /dev/shm/x &&";
  for (const code of [CREATE, 'Segment.create("x", { bytes: MiB, replace: true })'])
    assert.match(
      await told(code, shell, "", NAMESPACE),
      /^OUT_OF_SHARED_MEMORY: .*2 inodes.*prune.*nr_inodes/,
    );
});

confined("a place that is full says how full, and how to enlarge it", async () => {
  const shell = "mount -t tmpfs -o size=512k none /dev/shm &&";
  assert.match(
    await told(CREATE, shell, "", NAMESPACE),
    /^OUT_OF_SHARED_MEMORY: .*524288 of 524288 bytes free.*--shm-size/,
  );
});

confined("a place that is mounted read-only says so", async () => {
  const shell = "mount -t tmpfs none /dev/shm && mount -o remount,ro /dev/shm &&";
  for (const code of [CREATE, 'Segment.create("x", { bytes: MiB, replace: true })'])
    assert.match(await told(code, shell, "", NAMESPACE), /^ACCESS_DENIED: .*\/dev\/shm is mounted read-only/);
});

confined("a place that may not run programs is no hindrance", async () => {
  assert.is(
    await told(CREATE, "mount -t tmpfs -o noexec,nosuid,nodev none /dev/shm &&", "", NAMESPACE),
    "ok",
  );
});

const asNobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
const noSetpriv = spawnSync("setpriv", ["--version"]).status === 0 ? undefined : "there is no setpriv";
const other = unless(noNamespaces("--mount") ?? notSuperuser ?? noSetpriv, test);

other("a place that others keep for themselves says whose it is, and what opens it", async () => {
  const through = [
    ...NAMESPACE,
    "sh",
    "-c",
    `mount -t tmpfs -o mode=755 none /dev/shm && exec ${asNobody} "$@"`,
    "sh",
  ];
  assert.match(
    await told(CREATE, "", "", through),
    /^ACCESS_DENIED: .*user 65534 cannot.*user 0.*0755.*chmod 1777 \/dev\/shm/,
  );
});

other("a segment of another user says whose it is and what its mode is", async () => {
  const name = segmentName("owned");
  using segment = Segment.create(name, { bytes: MiB });
  const through = [...asNobody.split(" ")];
  const text = await told(`Segment.open("${segment.name}")`, "", "", through);
  assert.match(text, /^ACCESS_DENIED: .*belongs to user 0 and has mode 0600.*runs as user 65534/);
  assert.match(
    await told(`Segment.unlink("${segment.name}")`, "", "", through),
    /^ACCESS_DENIED: .*belongs to user 0/,
  );
});

other(
  "whoever may write into a segment of another user, and may not remove it, is told whose it is",
  async () => {
    const name = segmentName("shared");
    using segment = Segment.create(name, { bytes: MiB, mode: 0o666 });
    for (const code of [
      `Segment.unlink("${name}")`,
      `Segment.open("${name}").unlink()`,
      `Segment.open("${name}", { access: "read-only" }).unlink()`,
      `Segment.create("${name}", { bytes: MiB, replace: true })`,
    ]) {
      const text = await told(code, "", "", asNobody.split(" "));
      const why =
        /^ACCESS_DENIED: \S+ segment "\S+" failed: .*belongs to user 0 .*runs as user 65534; .*only its owner may/;
      assert.match(text, why, code);
    }
    segment.unlink();
  },
);

test("what has the name of a segment and is none is named", async () => {
  const [folder, link, pipe, socket] = ["folder", "link", "pipe", "socket"].map((kind) =>
    segmentName(kind),
  ) as [string, string, string, string];
  mkdirSync(segmentPath(folder));
  symlinkSync("/etc/passwd", segmentPath(link));
  execFileSync("mkfifo", [segmentPath(pipe)]);
  const server = createServer().listen(segmentPath(socket));
  await until("the socket to be there", () => existsSync(segmentPath(socket)));
  const kinds: [string, RegExp][] = [
    [folder, /is a folder/],
    [link, /is a symbolic link/],
    [pipe, /is a pipe/],
    [socket, /is a socket/],
  ];
  for (const [name, kind] of kinds) {
    refused("ACCESS_DENIED", () => Segment.open(name), kind);
    refused("ACCESS_DENIED", () => Segment.open(name, { access: "read-only" }), kind);
    refused("ACCESS_DENIED", () => Segment.create(name, { bytes: MiB }), kind);
    refused("ACCESS_DENIED", () => Segment.create(name, { bytes: MiB, replace: true }), kind);
    refused("ACCESS_DENIED", () => Segment.openFile(segmentPath(name), { bytes: MiB }), kind);
  }
  refused("ACCESS_DENIED", () => Segment.unlink(folder), /is a folder/);
  await new Promise((resolve) => server.close(resolve));
});

test("a disk that is full says how full", async () => {
  if (noNamespaces("--mount")) return;
  const disk = temporaryDirectory();
  const shell = `mount -t tmpfs -o size=512k none ${disk} &&`;
  const text = await told(`Segment.openFile("${disk}/file", { bytes: MiB })`, shell, "", NAMESPACE);
  assert.match(text, /^OUT_OF_SHARED_MEMORY: .*524288 of 524288 bytes free/);
  const inodes = `mount -t tmpfs -o nr_inodes=2 none ${disk} && touch ${disk}/x &&`;
  assert.match(
    await told(`Segment.openFile("${disk}/file", { bytes: MiB })`, inodes, "", NAMESPACE),
    /2 inodes/,
  );
});

const GROUP = "/sys/fs/cgroup/memory/isthmus-test";
const noGroup =
  process.getuid?.() === 0 && existsSync("/sys/fs/cgroup/memory/cgroup.procs")
    ? undefined
    : "memory groups of the older kind cannot be made here";

unless(noNamespaces("--mount") ?? noGroup, test)(
  "memory that the cgroup does not let fit is refused, and nothing is left behind; what fits is made",
  async () => {
    for (const path of [GROUP, `${GROUP}/inside`]) mkdirSync(path, { recursive: true });
    try {
      writeFileSync(`${GROUP}/memory.limit_in_bytes`, "160M");
      const join = `mount -t tmpfs -o size=1g none /dev/shm && echo $BASHPID > ${GROUP}/inside/cgroup.procs &&`;
      const run = (code: string) => told(code, join, "", NAMESPACE);
      const why = /^OUT_OF_SHARED_MEMORY: .*cgroup \S*isthmus-test may have 160 MiB.*--memory/;
      for (const code of [
        'Segment.create("x", { bytes: 512 * MiB })',
        'Segment.create("x", { bytes: 512 * MiB, replace: true })',
        'Segment.openOrCreate("x", { bytes: 512 * MiB })',
        "Segment.createAnonymous({ bytes: 512 * MiB })",
        'Segment.openFile("/dev/shm/file", { bytes: MiB }).close(); Segment.openFile("/dev/shm/file", { bytes: 512 * MiB })',
        ...[16, 5, 1].map(
          (size) =>
            `const all = []; for (let i = 0; ; i++) all.push(Segment.create("x" + i, { bytes: ${size} * MiB }))`,
        ),
      ]) {
        const output = await run(code);
        assert.match(output, why, `${code}: ${output}`);
      }
      const left =
        'try { Segment.create("x", { bytes: 512 * MiB }) } catch {} if (Segment.list().length) throw Error("left")';
      assert.is(await run(left), "ok");
      assert.is(await run('Segment.create("x", { bytes: 48 * MiB }).close()'), "ok");
      assert.is(
        await run(`Segment.openFile("${temporaryDirectory()}/file", { bytes: 256 * MiB })`),
        "ok",
        "a disk is no memory",
      );
    } finally {
      for (const path of [`${GROUP}/inside`, GROUP]) {
        await until("the group to be empty", () => readFileSync(`${path}/cgroup.procs`, "utf8") === "");
        rmdirSync(path);
      }
    }
  },
);

const noCapabilities =
  spawnSync("setcap", ["-h"]).error === undefined ? undefined : "programs cannot be given capabilities here";

unless(notSuperuser ?? noSetpriv ?? noCapabilities, test)(
  "a program with capabilities says why its descriptors cannot be had",
  async () => {
    const folder = temporaryDirectory();
    execFileSync("chmod", ["755", folder]);
    const program = join(folder, "node");
    execFileSync("cp", [process.execPath, program]);
    execFileSync("setcap", ["cap_net_bind_service+ep", program]);
    const open = `
      const { spawnSync } = require("node:child_process");
      if (/CapPrm:\\s*0+\\s/.test(require("node:fs").readFileSync("/proc/self/status", "utf8"))) throw { message: "not protected" };
      const { handle } = Segment.createAnonymous({ bytes: MiB });
      const open = 'try { require(${ENTRY}).Segment.fromHandle(process.argv[1]); console.log("opened") } catch (e) { console.log(e.message) }';
      throw { message: spawnSync("${process.execPath}", ["-e", open, handle], { stdio: ["ignore", "pipe", "inherit"] }).stdout.toString() };`;
    const through = [...asNobody.split(" "), "bash", "-c", `shift 2; exec ${program} -e "$2"`];
    const text = await told(open, "", "", through);
    // A file system that is mounted nosuid gives nobody capabilities.
    if (text !== "not protected") assert.match(text, /^ACCESS_DENIED: .*setcap.*named segment/);
  },
);

privileged(
  "a reader that is left behind on a lower layer is stale, and one on a plain file is not",
  async () => {
    const folder = temporaryDirectory();
    const shell = `
    mount -t tmpfs none ${folder} && cd ${folder} && mkdir lower upper work merged &&
    "$0" -e 'require(${ENTRY}).Segment.openFile("lower/state", { bytes: 65536 * 4 }).close()' &&
    mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged &&`;
    const code = `
    const { execFileSync } = require("node:child_process");
    const write = (file) => execFileSync(process.execPath, ["-e", 'require(${ENTRY}).Segment.openFile(process.argv[1]).close()', file]);
    const readers = ["merged/state", "lower/state"].map((file) => Segment.openFile(file, { access: "read-only" }));
    const look = () => readers.map(({ stale }) => stale);
    const seen = [look()];
    write("merged/state");
    seen.push(look());
    readers[0] = Segment.openFile("merged/state", { access: "read-only" });
    write("merged/state");
    write("lower/state");
    seen.push(look());
    throw { message: JSON.stringify(seen) }`;
    assert.is(await told(code, shell, "", NAMESPACE), "[[false,false],[true,false],[false,false]]");
  },
);

/** When the file changed last, moved to a time that no clock shows now. */
function age(file: string): number {
  execFileSync("touch", ["-d", "2001-01-01", file]);
  return statSync(file).mtimeMs;
}

test("the time of the last change is that of flush and of leaving; reading changes nothing", () => {
  const name = segmentName("times");
  const file = join(temporaryDirectory(), "file");
  const path = segmentPath(name);
  for (const [open, at] of [
    [() => Segment.openOrCreate(name, { bytes: MiB }), path],
    [() => Segment.openFile(file, { bytes: MiB }), file],
  ] as const) {
    const segment = open();
    segment.counter("changes").add();
    const old = age(at);
    segment.counter("changes").add();
    assert.is(statSync(at).mtimeMs, old);
    segment.flush();
    assert.ok(statSync(at).mtimeMs > old, "flush");
    age(at);
    segment.close();
    assert.ok(statSync(at).mtimeMs > old, "close");
  }
  const old = age(path);
  Segment.open(name, { access: "read-only" }).close();
  Segment.list();
  assert.is(statSync(path).mtimeMs, old);
});

test("a process that has all the slots is told so, and others that they have not", () => {
  const name = segmentName("crowd");
  const all = [Segment.create(name, { bytes: MiB })];
  while (all.length < 64) all.push(Segment.open(name));
  refused("TOO_MANY_PARTICIPANTS", () => Segment.open(name), /64 of them belong to this process.*close/);
  for (const segment of all) segment.close();
});

test("a full directory says how many names there are, a full heap that names are left", () => {
  using segment = Segment.createAnonymous({ bytes: 65536 });
  const { directoryEntries } = segment.header;
  for (let i = 0; i < directoryEntries; i++) segment.lock(`lock ${i}`);
  refused(
    "SEGMENT_FULL",
    () => segment.lock("one more"),
    new RegExp(`has ${directoryEntries} named objects.*65536 bytes`),
  );
  using other = Segment.createAnonymous({ bytes: 65536 });
  refused("SEGMENT_FULL", () => other.ring("large", { bytes: 65536 }), /no room in its heap.*more names/);
});

test("a handle that leads to something else says so, and blames no user", () => {
  const { dev, ino } = statSync("/dev/null");
  const device = (dev >>> 8) * 2 ** 32 + (dev & 0xff);
  const descriptor = openSync("/dev/null", "r");
  const handle = `${process.pid}:${descriptor}:${device}:${ino}`;
  refused("ACCESS_DENIED", () => Segment.fromHandle(handle), /not the handle of a segment/);
  refused("INVALID_NAME", () => Segment.fromHandle("garbage"), /not a value of segment\.handle$/);
  closeSync(descriptor);
});

test("what the system refused is the cause", () => {
  try {
    Segment.open(segmentName("absent"));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, IsthmusError);
    const { cause, syscall, errno } = error as IsthmusError;
    assert.equal([syscall, errno], ["open", 2]);
    assert.match((cause as Error).message, "open failed with errno 2");
  }
});

test.run();
