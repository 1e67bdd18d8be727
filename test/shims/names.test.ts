// only: linux, names are files in /dev/shm there
/** Names: what may have one, what is refused, who has it now, how it changes hands. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as errors from "../../protocol/errors.js";
import { Agent } from "../lib/processes.js";
import { node } from "../lib/runtimes.js";
import { segmentName, segmentPath, temporaryDirectory } from "../lib/segments.js";
import { isDarwin, notOnDarwin, unless } from "../lib/skips.js";
import { resources } from "./actions.js";
import { LOCAL, native, open, PAGE_BYTES, refuses, rejects } from "./objects.js";

/** Of these processes: other tests run at the same time. */
const stagedFiles = (...pids: number[]) =>
  readdirSync("/dev/shm").filter((file) => pids.some((pid) => file.startsWith(`.isthmus.${pid}.`)));

const stagedPath = (suffix: string) => `/dev/shm/.isthmus.${suffix}`;

test("what does not exist is NOT_FOUND", () => {
  refuses(errors.NOT_FOUND, () => native.openNamed(segmentName(), LOCAL, false, false, 0), "open");
  refuses(errors.NOT_FOUND, () => native.unlink(segmentName(), LOCAL), "unlink");
  refuses(errors.NOT_FOUND, () => native.openFile("/nowhere/at/all", true, false, 0o600), "open");
});

test("links, directories, FIFOs and devices are refused, never followed or waited for", () => {
  const directory = temporaryDirectory();
  const target = join(directory, "target");
  writeFileSync(target, "x");
  const link = segmentName("link");
  symlinkSync(target, segmentPath(link));
  const folder = segmentName("folder");
  mkdirSync(segmentPath(folder));
  const fifo = segmentName("fifo");
  execFileSync("mkfifo", [segmentPath(fifo)]);
  for (const name of [link, folder, fifo]) {
    for (const create of [false, true]) {
      for (const readOnly of [false, true]) {
        const run = () => native.openNamed(name, LOCAL, create, readOnly, 0o600);
        refuses(errors.ACCESS_DENIED, run, "open");
      }
    }
  }
  refuses(errors.ACCESS_DENIED, () => native.openFile(segmentPath(link), false, false, 0));
  refuses(errors.ACCESS_DENIED, () => native.openFile("/dev/null", false, true, 0));
  assert.is(readFileSync(target, "utf8"), "x");
});

test("names that would leave the place are INVALID_NAME", () => {
  for (const name of ["", "a/b", "../x", "a\nb", "x".repeat(201)]) {
    refuses(errors.INVALID_NAME, () => native.openNamed(name, LOCAL, true, false, 0o600));
    refuses(errors.INVALID_NAME, () => native.openStaged(name, LOCAL, 0o600));
    refuses(errors.INVALID_NAME, () => native.unlink(name, LOCAL));
  }
  rejects("name", () => native.openNamed("a\0b", LOCAL, true, false, 0o600));
  rejects("name", () => native.openNamed("x".repeat(5000), LOCAL, true, false, 0o600));
});

test("linked says whether the name still leads to the object", () => {
  const name = segmentName();
  const object = open(name);
  assert.ok(native.info(object).linked);
  renameSync(segmentPath(name), `${segmentPath(name)}.moved`);
  assert.not(native.info(object).linked, "renamed");
  const other = open(name);
  assert.not(native.info(object).linked, "replaced");
  assert.ok(native.info(other).linked);
  renameSync(`${segmentPath(name)}.moved`, segmentPath(name));
  assert.ok(native.info(object).linked, "put back");
  linkSync(segmentPath(name), `${segmentPath(name)}.second`);
  native.unlink(name, LOCAL);
  assert.not(native.info(object).linked, "a second hard link does not count");
  rmSync(`${segmentPath(name)}.second`);
  native.close(object);
  native.close(other);
});

test("publish takes the name in one step; before it nobody sees the object", () => {
  const name = segmentName();
  const old = open(name);
  const fresh = native.openStaged(name, LOCAL, 0o600);
  native.allocate(fresh, PAGE_BYTES);
  assert.ok(native.info(old).linked);
  assert.not(native.info(fresh).linked);
  assert.is(native.list(LOCAL).filter((each) => each === name).length, 1);
  native.publish(fresh, true);
  assert.not(native.info(old).linked);
  assert.ok(native.info(fresh).linked);
  if (!isDarwin) assert.is(statSync(segmentPath(name)).size, PAGE_BYTES);
  refuses(errors.NOT_SUPPORTED, () => native.publish(fresh, true));
  native.close(old);
  native.close(fresh);
  assert.ok(existsSync(segmentPath(name)), "closing removes no name");
});

test("a staged object goes with its close, and after its maker's death with the next list", async () => {
  const closed = native.openStaged(segmentName(), LOCAL, 0o600);
  native.list(LOCAL);
  assert.is(stagedFiles(process.pid).length, 1, "a living maker's is left alone");
  native.close(closed);
  assert.is(stagedFiles(process.pid).length, 0);
  const agent = await Agent.start(node, "shims/actions.ts");
  await agent.call("invoke", "openStaged", segmentName(), LOCAL, 0o600);
  assert.is(stagedFiles(agent.pid).length, 1);
  await agent.kill();
  native.list(LOCAL);
  assert.is(stagedFiles(agent.pid).length, 0);
});

test("sweeping leaves no descriptor open, neither of what it removes nor of what it leaves alone", () => {
  const kept = native.openStaged(segmentName(), LOCAL, 0o600);
  native.list(LOCAL);
  const before = resources().descriptors;
  for (let round = 0; round < 20; round++) {
    const left = stagedPath(`${process.pid}.${round}`);
    writeFileSync(left, "", { mode: 0o600 });
    // Another process that sweeps at the same time may have its lock for a moment.
    for (let turn = 0; existsSync(left); turn++) {
      assert.ok(turn < 10_000, "nobody has its lock");
      native.list(LOCAL);
    }
  }
  assert.is(resources().descriptors, before);
  assert.is(stagedFiles(process.pid).length, 1);
  native.close(kept);
});

unless(notOnDarwin("a name is given without a second one"), test)(
  "a name that its maker died giving has a second one, until somebody opens it",
  () => {
    const name = segmentName();
    native.close(open(name));
    const left = stagedPath(`${process.pid}.second`);
    linkSync(segmentPath(name), left);
    native.close(open(name));
    assert.not(existsSync(left));
    linkSync(segmentPath(name), `${segmentPath(name)}.second`);
    refuses(errors.ACCESS_DENIED, () => open(name), "open");
    rmSync(`${segmentPath(name)}.second`);
  },
);

test("a file opened by a relative path stays linked when the process moves", () => {
  const before = process.cwd();
  process.chdir(temporaryDirectory());
  const object = native.openFile("segment", true, false, 0o600);
  assert.ok(native.info(object).linked);
  process.chdir(before);
  assert.ok(native.info(object).linked);
  native.close(object);
});

test("list names every object of ours and nothing else", () => {
  const names = [segmentName("b"), segmentName("a"), segmentName("ü")];
  const objects = names.map(open);
  const staged = native.openStaged(segmentName("staged"), LOCAL, 0o600);
  const listed = native.list(LOCAL);
  for (const name of names) assert.ok(listed.includes(name), name);
  assert.ok(listed.every((name) => name !== "" && !name.includes("staged-")));
  for (const object of [...objects, staged]) native.close(object);
  for (const name of names) native.unlink(name, LOCAL);
  assert.not(native.list(LOCAL).some((name) => names.includes(name)));
});

test.run();
