// watchdog: 300 s
/** The demo, whole, and its last stage with records that come twice or never. */
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type * as Jobs from "../../ts/cli/demo/jobs.js";
import { DEEP, testDeep } from "../lib/depth.js";
import { root } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";
import { until } from "../lib/watchdog.js";
import { jsonOf, main } from "./command-line.js";

const DEMO_MS_MAX = 200_000;

interface Transfer {
  outcome: { digest: string; bytes: number; repeated: number[]; missing: [number, number][] };
  equal: boolean;
}

interface Result {
  runtimes: string[];
  substitutes: string[];
  folder: string;
  files: number;
  rounds: number;
  bytes: number;
  expectedDigest: string;
  ring: Transfer;
  socket: Transfer;
  queue: { jobs: number; exact: boolean; missing: number; repeated: number; killedAtJobs: number };
  death: Transfer & { killedPid: number; successorPid: number; killedAtBytes: number; bytes: number };
}

/** What the demo of that process has in shared memory now. */
function segmentsOf({ pid }: ChildProcess): string[] {
  return readdirSync("/dev/shm").filter((name) => name.includes(`isthmus-demo-${pid}`));
}

/** The digest of all files below a folder, so many times over, by other code than the demo's own. */
function digestBelow(folder: string, rounds: number): { digest: string; files: number } {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash("sha256");
  paths.sort((a, b) => (a < b ? -1 : 1));
  for (let round = 0; round < rounds; round++) {
    for (const path of paths) {
      const content = readFileSync(path);
      hash.update(`${path}\0${content.length}\0`).update(content);
    }
  }
  return { digest: hash.digest("hex"), files: paths.length };
}

function checkDeath({ death, queue }: Result): void {
  assert.ok(queue.exact && queue.missing === 0 && queue.repeated <= 1);
  assert.ok(queue.killedAtJobs >= queue.jobs / 3);
  assert.ok(death.equal);
  assert.equal(death.outcome.missing, []);
  assert.ok(death.killedPid > 0 && death.successorPid > 0 && death.killedPid !== death.successorPid);
  assert.ok(death.killedAtBytes > 0 && death.killedAtBytes < death.bytes);
}

/** A copy of the package as npm installs it, with a small file beside, in an empty folder. */
function installedCopy(): string {
  const folder = realpathSync(temporaryDirectory());
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "isthmus"), { recursive: true });
  for (const part of ["dist", "prebuilds", "package.json"]) {
    cpSync(join(root, part), join(modules, "isthmus", part), { recursive: true });
  }
  for (const name of [
    "cli-progress",
    "node-gyp-build",
    "picocolors",
    "string-width",
    "strip-ansi",
    "ansi-regex",
  ]) {
    cpSync(join(root, "node_modules", name), join(modules, name), { recursive: true });
  }
  for (const name of ["emoji-regex", "is-fullwidth-code-point"]) {
    cpSync(join(root, "node_modules", name), join(modules, name), { recursive: true });
  }
  writeFileSync(join(modules, "empty.txt"), "");
  symlinkSync("empty.txt", join(modules, "link.txt"));
  return folder;
}

test("the demo sends every file through the runtimes that are there, and survives the death of the middle", async () => {
  const child = start(process.execPath, [main, "demo", "--json"]);
  const result = await finished(child, "the demo", DEMO_MS_MAX);
  assert.is(result.code, 0, result.stderr || result.stdout);
  const found = jsonOf<Result>(result);
  const names = presentRuntimes().map(({ name }) => name.split(" ")[0] as string);
  for (const [index, wanted] of ["node", "bun", "deno"].entries()) {
    const expected = names.includes(wanted) ? wanted : "node";
    assert.is(found.runtimes[index]?.split(" ")[0]?.toLowerCase(), expected);
  }
  assert.is(found.substitutes.length, 3 - names.length);
  assert.is(found.folder, resolve(root, "node_modules"));
  assert.ok(found.files > 100 && found.bytes > 10 * MiB);
  assert.is(found.ring.outcome.digest, found.expectedDigest);
  assert.is(found.ring.outcome.bytes, found.bytes);
  assert.equal(found.ring.outcome.repeated, []);
  assert.ok(found.socket.equal);
  checkDeath(found);
  assert.equal(segmentsOf(child), []);
});

/** Also by the digest of other code. */
async function sendsWhatIsThere(installed: string, options: SpawnOptions, folder: string): Promise<void> {
  const json = await finished(
    start(process.execPath, [installed, "demo", "--json"], options),
    "json",
    DEMO_MS_MAX,
  );
  assert.is(json.code, 0, json.stderr || json.stdout);
  const found = jsonOf<Result>(json);
  assert.is(found.folder, join(folder, "node_modules"));
  assert.ok(found.rounds > 1 && found.bytes >= 128 * MiB);
  const expected = digestBelow(found.folder, found.rounds);
  assert.is(found.files, expected.files);
  assert.is(found.ring.outcome.digest, expected.digest);
  assert.equal(found.runtimes, Array(3).fill(`Node ${process.versions.node}`));
  assert.equal(found.substitutes, ["bun is not installed", "deno is not installed"]);
  checkDeath(found);
}

test("the demo works where npm installed it in an empty folder, with Node in the place of what is missing", async () => {
  const folder = installedCopy();
  const long = join(folder, "x".repeat(100));
  mkdirSync(long);
  const installed = join(folder, "node_modules/isthmus/dist/ts/cli/main.js");
  const options = {
    cwd: folder,
    // No socket fits into a folder with such a path.
    env: { PATH: "/nowhere", TMPDIR: long, ISTHMUS_TEST_MARKER: process.env.ISTHMUS_TEST_MARKER },
  };
  if (DEEP) await sendsWhatIsThere(installed, options, folder);
  const human = await finished(start(process.execPath, [installed, "demo"], options), "human", DEMO_MS_MAX);
  assert.is(human.code, 0, human.stderr || human.stdout);
  assert.match(human.stdout, /deno is not installed: Node [\d.]+ takes its place/);
  assert.match(human.stdout, /^rings +.* digest equal/m);
  assert.match(human.stdout, /^sockets +.*\/s, digest equal/m);
  assert.match(
    human.stdout,
    /^queue +100,000 jobs, .* jobs\/s, none lost, (each|one) was done (once|twice)$/m,
  );
  assert.match(human.stdout, /^death +SIGKILL to the relay/m);
  assert.match(human.stdout, /no record was lost, digest equal/);
  assert.not.match(human.stdout, String.fromCharCode(27));
});

testDeep("a runtime behind a launcher is started without it, so that a kill reaches it", async () => {
  const folder = installedCopy();
  const bin = join(folder, "node_modules/.bin");
  const log = join(folder, "launched");
  mkdirSync(bin);
  writeFileSync(log, "");
  const launched = presentRuntimes().filter(({ name }) => name === "bun" || name === "deno");
  for (const { name, command } of launched) {
    // Not "exec": the runtime becomes a child of the shell.
    const script = `#!/bin/sh\necho ${name} >> "${log}"\n"${command}" "$@"\nexit $?\n`;
    writeFileSync(join(bin, name), script, { mode: 0o755 });
  }
  const installed = join(folder, "node_modules/isthmus/dist/ts/cli/main.js");
  const child = start(process.execPath, [installed, "demo", "--json"], {
    cwd: folder,
    env: { ...process.env, PATH: "/nowhere" },
  });
  const result = await finished(child, "the demo", DEMO_MS_MAX);
  assert.is(result.code, 0, result.stderr || result.stdout);
  const found = jsonOf<Result>(result);
  assert.is(found.substitutes.length, 2 - launched.length);
  for (const { name } of launched)
    assert.ok(
      found.runtimes.some((text) => text.toLowerCase().startsWith(name)),
      found.runtimes.join(),
    );
  const names = launched.map(({ name }) => name);
  assert.equal(readFileSync(log, "utf8").split("\n").filter(Boolean), names, "only to ask it who it is");
  checkDeath(found);
  assert.equal(segmentsOf(child), []);
});

test("the last stage drops what comes twice, and names exactly what is missing", async () => {
  const name = segmentName("hasher");
  using segment = Segment.create(name, { bytes: 18 * MiB });
  using producer = segment.ring("relayed", { bytes: 8 * MiB }).producer();
  const stage = join(root, "dist/ts/cli/demo/hasher.js");
  const child = start(process.execPath, [stage], { stdio: ["pipe", "pipe", "inherit"] });
  const reports: { kind: string; outcome?: Transfer["outcome"] }[] = [];
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on("line", (line) => reports.push(JSON.parse(line)));
  child.stdin?.write(`${JSON.stringify({ segment: name, sockets: ["", ""], files: [], rounds: 1 })}\n`);

  const record = (number: number, kind: number, text: string): Uint8Array => {
    const bytes = Buffer.alloc(8 + text.length);
    bytes.writeUInt32LE(number, 0);
    bytes.writeUInt32LE(kind, 4);
    bytes.write(text, 8);
    return bytes;
  };
  for (const number of [0, 1, 1, 0, 2, 5, 5, 7])
    assert.ok(producer.trySend(record(number, 0, `part ${number},`)));
  producer.trySend(record(8, 1, ""));
  await until("the stage has ended", () => child.exitCode !== null || child.signalCode !== null);
  await until("its reports are read", () => reports.some(({ kind }) => kind === "done"));
  const outcome = reports.find(({ kind }) => kind === "outcome")?.outcome;
  assert.equal(outcome?.repeated, [1, 0, 5]);
  assert.equal(outcome?.missing, [
    [3, 4],
    [6, 6],
  ]);
  const kept = "part 0,part 1,part 2,part 5,part 7,";
  assert.is(outcome?.digest, createHash("sha256").update(kept).digest("hex"));
});

test("the job of a taker that is killed when all other jobs are done comes back, and is done", async () => {
  const jobs = 1000;
  const { throughAQueue } = (await import(join(root, "dist/ts/cli/demo/jobs.js"))) as typeof Jobs;
  const node = { name: "Node", command: process.execPath, arguments: [] };
  // A taker that is stopped has most likely taken a job. Else no job is left over, and the kill proves nothing.
  for (let held = false; !held; ) {
    const found = await throughAQueue([node, node, node], jobs, async (pid, done) => {
      process.kill(pid, "SIGSTOP");
      await until("the other taker has done the rest", () => done() >= jobs - 1);
    });
    assert.is(found.missing, 0, JSON.stringify(found));
    assert.ok(found.repeated <= 1, JSON.stringify(found));
    held = found.killedAtJobs < jobs;
  }
});

test.run();
