/** Names and memory outlive processes, and nothing but an unlink takes a name away. */
import { statSync } from "node:fs";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { often } from "../lib/depth.js";
import { Agent } from "../lib/processes.js";
import { rejected } from "../lib/refusals.js";
import { node, presentRuntimes } from "../lib/runtimes.js";
import { segmentExists, segmentName, segmentPath } from "../lib/segments.js";
import { printedSeed, randomFrom } from "../lib/series.js";
import { noNamespaces, onlyLinux, unless } from "../lib/skips.js";
import { pause, until } from "../lib/watchdog.js";

const ACTIONS = "failures/actions.ts";
const KILLS = often(12, 4);
/** Of one who opens what others create and remove all the time: so many tries at least, and until so many have opened it. */
const LOOKS = 300;
const OPENED = 20;

test("a creator that is killed at any moment keeps nobody from creating or opening", async () => {
  const random = randomFrom(printedSeed());
  const name = segmentName("created");
  for (let i = 0; i < KILLS; i++) {
    const child = await Agent.start(node, ACTIONS);
    child.call("createForEver", name, MiB).catch(() => {});
    await pause(random() * 40);
    await child.kill();
    using segment = Segment.openOrCreate(name, { bytes: MiB });
    assert.is(segment.state, "READY");
    assert.ok(segment.ring("ring", { bytes: KiB }).producer().trySend(new Uint8Array(1)));
    segment.unlink();
  }
  assert.not(segmentExists(name));
  Segment.list(); // removes what killed creators had staged
});

test("who attaches and exits, in whatever way, takes neither name nor bytes away", async () => {
  using segment = Segment.create(segmentName("attached"), { bytes: MiB });
  const producer = segment.ring("kept", { bytes: KiB }).producer();
  producer.trySend(new Uint8Array([1, 2, 3]));
  const ways = [
    (child: Agent) => child.end(),
    (child: Agent) => child.kill(),
    (child: Agent) => child.call("exitProcess", 3).catch(() => {}),
    async (child: Agent) => {
      await child.call("close", segment.name);
      await child.end();
    },
  ];
  for (const runtime of presentRuntimes()) {
    for (const leave of ways) {
      const child = await Agent.start(runtime, ACTIONS);
      await child.call("open", segment.name);
      await leave(child);
      await child.ended;
      assert.ok(segmentExists(segment.name));
    }
  }
  assert.equal(segment.ring("kept", { bytes: KiB }).consumer().tryReceive(), new Uint8Array([1, 2, 3]));
});

test("users of an unlinked segment go on, and see that a new generation has the name", async () => {
  const name = segmentName("unlinked");
  using old = Segment.create(name, { bytes: MiB });
  const child = await Agent.start(node, ACTIONS);
  await child.call("open", name);
  await child.call("producer", name, "ring", KiB);
  const consumer = old.ring("ring", { bytes: KiB }).consumer();
  assert.is(old.stale, false);
  Segment.unlink(name);
  assert.is(old.stale, true);
  await child.call("trySend", "ring", new Uint8Array([7]));
  assert.equal(consumer.tryReceive(), new Uint8Array([7]));
  assert.is((await child.call<{ stale: boolean }>("seen", name)).stale, true);

  using first = Segment.create(name, { bytes: MiB });
  using second = Segment.create(name, { bytes: 2 * MiB, replace: true });
  assert.is(first.stale, true);
  assert.is(second.stale, false);
  assert.is(second.generation, first.generation + 1);
  assert.is(Segment.open(name).bytes, 2 * MiB);
  await child.call("trySend", "ring", new Uint8Array([8]));
  assert.equal(consumer.tryReceive(), new Uint8Array([8]));
  await child.end();
});

test("openers that race with removals and kills get a whole segment or a clear no", async () => {
  const name = segmentName("raced");
  const children = await Agent.startAll([node, node], ACTIONS);
  for (const child of children) child.call("createForEver", name, 256 * KiB).catch(() => {});
  let opened = 0;
  let looks = 0;
  await until(`${LOOKS} looks, ${OPENED} of which opened it`, () => {
    looks++;
    try {
      using segment = Segment.open(name);
      assert.is(segment.state, "READY");
      assert.is(segment.bytes, 256 * KiB);
      opened++;
    } catch (error) {
      assert.match(String((error as { code?: string }).code), /^(NOT_FOUND|INITIALIZING)$/, String(error));
    }
    return looks >= LOOKS && opened >= OPENED;
  });
  await Promise.all(children.map((child) => child.kill()));
  Segment.list();
});

/** A child that sees a /dev/shm of 4 MiB. */
const SMALL = [
  "unshare",
  "--mount",
  "sh",
  "-c",
  'mount -t tmpfs -o size=4m tmpfs /dev/shm && exec "$@"',
  "sh",
];

unless(noNamespaces("--mount"), test)(
  "a full shared memory is an error with advice, and leaves nothing behind",
  async () => {
    for (const runtime of presentRuntimes()) {
      const child = await Agent.start(runtime, ACTIONS, { through: SMALL });
      const refusal = await rejected(
        "OUT_OF_SHARED_MEMORY",
        child.call("create", "big", { bytes: 8 * MiB }),
        /--shm-size/,
      );
      assert.match(refusal.message, /\/dev\/shm has \d+ of 4194304 bytes free/);
      await rejected(
        "OUT_OF_SHARED_MEMORY",
        child.call("create", "huge", { bytes: 4096 * MiB }),
        /--shm-size/,
      );
      assert.equal(await child.call("list"), [], runtime.name);
      await child.call("create", "fits", { bytes: 3 * MiB });
      await rejected("OUT_OF_SHARED_MEMORY", child.call("create", "full", { bytes: 2 * MiB }));
      await rejected("OUT_OF_SHARED_MEMORY", child.call("create", "fits", { bytes: 2 * MiB, replace: true }));
      await child.call("producer", "fits", "ring", MiB);
      assert.ok((await child.call<number>("fill", "ring", new Uint8Array(1000))) > 1000);
      assert.equal(await child.call("list"), ["fits"]);
      await child.end();
    }
  },
);

unless(noNamespaces("--mount"), test)(
  "a full disk is an error with advice for disks; a file that was to grow stays as it was and usable",
  async () => {
    for (const runtime of presentRuntimes()) {
      // A file on the small file system, which happens to be the one of shared memory.
      const child = await Agent.start(runtime, ACTIONS, { through: SMALL });
      const open = (file: string, bytes: number) => child.call("openFile", `/dev/shm/${file}`, bytes);
      const full = (bytes: number) => new RegExp(`${bytes}.*[Tt]he disk has no room`);
      const { message } = await rejected("OUT_OF_SHARED_MEMORY", open("new", 8 * MiB), full(8 * MiB));
      assert.not.match(message, /prune|shm-size/);
      assert.equal(await open("grows", MiB), MiB);
      await rejected("OUT_OF_SHARED_MEMORY", open("grows", 8 * MiB), full(8 * MiB));
      assert.equal(await open("grows", 2 * MiB), 2 * MiB, runtime.name);
      await child.end();
    }
  },
);

unless(onlyLinux("segments that are files"), test)("memory is taken at creation, not at first touch", () => {
  using segment = Segment.create(segmentName("taken"), { bytes: 8 * MiB });
  assert.is(statSync(segmentPath(segment.name)).blocks * 512, 8 * MiB);
});

test.run();
