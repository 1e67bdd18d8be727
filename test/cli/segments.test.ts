/** ls, inspect, unlink and prune on real segments. */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { KiB, MiB, type Participant, Segment, type SegmentInfo, struct } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENTRY_BYTES, ENTRY_OBJECT_OFFSET, ENTRY_TYPE_OFFSET } from "../../protocol/layout.js";
import { compiled } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { segmentName, segmentPath } from "../lib/segments.js";
import { pause, until } from "../lib/watchdog.js";
import { canHaveOwnSharedMemory, isthmus, jsonOf, main, shell, withOwnSharedMemory } from "./command-line.js";

interface Inspected {
  name: string;
  bytes: number;
  header: { state: string; totalSize: number; creatorPid: number; drops: number };
  participants: Participant[];
  objects: {
    name: string;
    type: string;
    parameters: Record<string, number>;
    version?: number;
    stats?: Record<string, number>;
    problem?: string;
  }[];
}

/** The directory is the first block of the heap. */
function entryOffset({ header }: Segment, index: number): number {
  return header.payloadOffset + 128 + index * ENTRY_BYTES;
}

function contentHash(name: string): string {
  return createHash("sha256")
    .update(readFileSync(segmentPath(name)))
    .digest("hex");
}

test("ls shows name, size, state and use", async () => {
  const name = segmentName("ls");
  const segment = Segment.create(name, { bytes: MiB });
  const shown = await isthmus(["ls"]);
  assert.is(shown.code, 0);
  assert.match(shown.stdout, /^NAME +SIZE +GENERATION +STATE +IN USE$/m);
  assert.match(shown.stdout, new RegExp(`^${name} +1 MiB +1  READY +yes$`, "m"));
  segment.close();
  assert.match((await isthmus(["ls"])).stdout, new RegExp(`^${name} +1 MiB +1  READY +no$`, "m"));
  const found = jsonOf<SegmentInfo[]>(await isthmus(["ls", "--json"])).find((each) => each.name === name);
  assert.is(found?.bytes, MiB);
  assert.is(found?.state, "READY");
  assert.is(found?.inUse, false);
});

test("ls names what is wrong with a file that is no segment", async () => {
  const name = segmentName("random");
  writeFileSync(segmentPath(name), randomBytes(64 * KiB), { mode: 0o600 });
  const { code, stdout } = await isthmus(["ls"]);
  assert.is(code, 0);
  assert.match(stdout, new RegExp(`^${name} +64 KiB +-  BAD_MAGIC +no$`, "m"));
  const inspected = await isthmus(["inspect", name]);
  assert.is(inspected.code, 1);
  assert.match(inspected.stderr, "BAD_MAGIC");
});

test("inspect shows header, counters, participants and objects with live numbers", async () => {
  const name = segmentName("inspect");
  const segment = Segment.create(name, { bytes: MiB });
  const ring = segment.ring("frames", { bytes: 64 * KiB });
  const producer = ring.producer();
  producer.trySendMany([new Uint8Array(100), new Uint8Array(200)]);
  segment.latest("pose", struct({ id: "u32" })).write({ id: 7 });

  const found = jsonOf<Inspected>(await isthmus(["inspect", name, "--json"]));
  assert.is(found.bytes, MiB);
  assert.is(found.header.state, "READY");
  assert.is(found.header.creatorPid, process.pid);
  const [self] = found.participants;
  assert.is(found.participants.length, 1);
  assert.equal([self?.pid, self?.runtime, self?.state, self?.stalled], [process.pid, "node", "live", false]);
  const [frames, pose] = found.objects;
  assert.equal([frames?.type, frames?.parameters.bytes], ["ring", 64 * KiB]);
  assert.equal([frames?.stats?.sent, frames?.stats?.bytes, frames?.stats?.received], [2, 300, 0]);
  assert.equal([pose?.name, pose?.type, pose?.version], ["pose", "latest", 1]);

  const { stdout } = await isthmus(["inspect", name]);
  assert.match(stdout, new RegExp(`^${name}$`, "m"));
  assert.match(stdout, /^ {2}size +1 MiB/m);
  assert.match(stdout, new RegExp(`^ +0 +${process.pid} +node +live `, "m"));
  assert.match(stdout, /^pose +latest .* 1 written$/m);
  assert.match(stdout, /^frames +ring .*2 sent \(300 B\), 0 received/m);
  segment.close();
});

test("inspect writes nothing to the segment", async () => {
  const name = segmentName("untouched");
  const segment = Segment.create(name, { bytes: MiB });
  segment.ring("frames", { bytes: 4 * KiB });
  segment.close();
  const before = contentHash(name);
  for (const args of [["inspect", name], ["inspect", name, "--json"], ["ls"]]) {
    assert.is((await isthmus(args)).code, 0);
  }
  assert.is(contentHash(name), before);
});

test("inspect tells a killed participant from a live one", async () => {
  const name = segmentName("killed");
  const segment = Segment.create(name, { bytes: MiB });
  const child = start(process.execPath, [compiled("cli/holder.ts"), name]);
  const ended = finished(child, "the holder");
  const states = async () =>
    jsonOf<Inspected>(await isthmus(["inspect", name, "--json"])).participants.map(({ state }) => state);
  await until("the child joins", () => segment.participants().length === 2);
  assert.equal(await states(), ["live", "live"]);
  child.kill("SIGKILL");
  assert.is((await ended).signal, "SIGKILL");
  assert.equal(await states(), ["live", "dead"]);
  assert.match((await isthmus(["inspect", name])).stdout, / dead /);
  segment.close();
});

test("an inspector that is killed at any moment disturbs nobody", async () => {
  const name = segmentName("inspected");
  const segment = Segment.create(name, { bytes: MiB });
  const producer = segment.ring("frames", { bytes: 4 * KiB }).producer();
  for (let delay = 0; delay < 200; delay += 40) {
    const inspector = start(process.execPath, [main, "inspect", name]);
    const ended = finished(inspector, "the inspector");
    await pause(delay);
    inspector.kill("SIGKILL");
    await ended;
    assert.ok(producer.trySend(new Uint8Array(8)));
    Segment.open(name).close();
  }
  segment.close();
});

test("what stands in shared memory cannot steer the terminal", async () => {
  const name = segmentName("hostile");
  const segment = Segment.create(name, { bytes: MiB });
  const introducer = String.fromCharCode(27);
  segment.ring(`${introducer}[31mred\nline`, { bytes: 4 * KiB });
  const { code, stdout } = await isthmus(["inspect", name]);
  assert.is(code, 0);
  assert.not.match(stdout, introducer);
  assert.match(stdout, "[31mred");
  segment.close();
});

test("inspect looks at a segment whose directory is damaged, and says which object is", async () => {
  const name = segmentName("damaged");
  const segment = Segment.create(name, { bytes: MiB });
  segment.ring("frames", { bytes: 4 * KiB });
  segment.latest("pose", struct({ id: "u32" })).write({ id: 7 });
  const [ring, latest] = [0, 1].map((index) => entryOffset(segment, index)) as [number, number];
  const file = openSync(segmentPath(name), "r+");
  const write = (offset: number, value: number): void => {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(value);
    writeSync(file, word, 0, 4, offset);
  };
  write(ring + ENTRY_OBJECT_OFFSET, 0xfffffff8);
  write(latest + ENTRY_OBJECT_OFFSET, 0xfffffff8);
  const result = await isthmus(["inspect", name, "--json"]);
  assert.is(result.code, 0, result.stderr);
  const [frames, pose] = jsonOf<Inspected>(result).objects;
  assert.match(frames?.problem ?? "", "CORRUPT");
  assert.is(frames?.stats, undefined);
  assert.is(pose?.version, 0);
  write(ring + ENTRY_TYPE_OFFSET, 77);
  const shown = await isthmus(["inspect", name]);
  assert.is(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^frames +unknown .*CORRUPT/m);
  closeSync(file);
  segment.close();
});

test("prune and ls take a prefix, prune an age and a dry run", async () => {
  const prefix = segmentName("cli");
  const [first, second] = [`${prefix}-a`, `${prefix}-b`] as const;
  for (const name of [first, second]) Segment.create(name, { bytes: 64 * KiB }).close();
  const listed = async () =>
    jsonOf<SegmentInfo[]>(await isthmus(["ls", "--prefix", prefix, "--json"])).map(({ name }) => name);
  assert.equal(await listed(), [first, second]);
  assert.is((await isthmus(["ls", `--prefix=${prefix}-none`])).stdout, "no segments\n");

  const dry = await isthmus(["prune", "--prefix", prefix, "--dry-run"]);
  assert.is(dry.stdout, `would remove ${first}\nwould remove ${second}\n`);
  const old = await isthmus(["prune", "--prefix", prefix, "--older-than", "3600"]);
  assert.match(old.stdout, /^nothing to remove\nkept .*-a: it was used since/);
  assert.equal(await listed(), [first, second]);
  const removed = jsonOf<object>(await isthmus(["prune", "--prefix", first, "--older-than=0", "--json"]));
  assert.equal(removed, { removed: [first], skipped: [], dryRun: false });
  assert.is((await isthmus(["prune", "--prefix", prefix])).stdout, `removed ${second}\n`);
  assert.equal(await listed(), []);
});

test("options of prune are checked, and refused elsewhere", async () => {
  const misused: [args: string[], text: RegExp][] = [
    [["prune", "--older-than", "soon"], /--older-than takes a number of seconds, 0 or more, got "soon"/],
    [["prune", "--older-than=-1"], /--older-than takes a number of seconds/],
    [["prune", "--older-than="], /--older-than takes a number of seconds/],
    [["prune", "--prefix"], /--prefix needs a value/],
    [["prune", "--prefix", "a", "--prefix", "b"], /--prefix was given twice/],
    [["prune", "--dry-run=yes"], /--dry-run takes no value/],
    [["ls", "--dry-run"], /"ls" has no option --dry-run; "prune" has/],
    [["doctor", "--prefix", "a"], /"doctor" has no option --prefix; "ls" and "prune" have/],
  ];
  for (const [args, text] of misused) {
    const { code, stderr } = await isthmus(args);
    assert.is(code, 2, args.join(" "));
    assert.match(stderr, text);
  }
  const { stdout } = await isthmus(["help", "prune"]);
  assert.match(stdout, /Usage: isthmus prune \[--prefix P\] \[--older-than S\] \[--dry-run\] \[--json\]/);
  assert.match(stdout, /--older-than S +only segments that no process has used for at least S seconds/);
});

// Elsewhere than in a /dev/shm of its own, prune would take away the segments of whatever else runs here.
const prunes = (await canHaveOwnSharedMemory()) ? test : test.skip;
prunes(
  "prune removes segments that nobody alive holds, nothing else, and says what stays and why",
  async () => {
    const scene = compiled("cli/prune-scene.ts");
    const { code, stdout, stderr } = await shell(withOwnSharedMemory(32, `exec "$0" ${scene} "$1"`));
    assert.is(code, 0, stderr);
    assert.equal(JSON.parse(stdout), {
      removed: ["left-by-killed", "left-closed", "left-empty"],
      skipped: [
        { name: "held", reason: "IN_USE", why: "a live process has it open" },
        ...["notes", "pages"].map((name) => ({
          name,
          reason: "BAD_MAGIC",
          why: "it is not a segment, or it is damaged",
        })),
      ],
      human:
        "nothing to remove\nkept held: a live process has it open\n" +
        "kept notes: it is not a segment, or it is damaged\nkept pages: it is not a segment, or it is damaged\n",
      stays: ["held", "notes", "pages"],
    });
  },
);

test.run();
