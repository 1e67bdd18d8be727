// watchdog: 600 s
/**
 * The largest segment, 4 GiB: offsets beyond 2 GiB are negative as i32, and its end is 2^32. "npm run test:huge"; it needs the
 * memory, so it is no part of "npm test".
 */
import { readFileSync, statfsSync } from "node:fs";
import { GiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PAGE_BYTES } from "../../protocol/limits.js";
import { objectOffset, peekBytes } from "../lib/poke.js";
import { Agent } from "../lib/processes.js";
import { presentRuntimes, type Runtime } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import type { Ends, Furnished } from "./huge-actions.js";

const ACTIONS = "failures/huge-actions.ts";
const BYTES = 4 * GiB;
/** For everything else that runs meanwhile. */
const SPARE_BYTES = 512 * MiB;
/** So many that the ring is gone round several times. */
const RECORDS = 20_000;

/** Fails with what is missing: a lane that quietly does nothing would say that all is well. */
function demandRoom(): void {
  const { bavail, bsize } = statfsSync("/dev/shm");
  const available =
    Number(/^MemAvailable: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;
  const needed = BYTES + SPARE_BYTES;
  const missing = [
    bavail * bsize < needed ? `/dev/shm has ${bavail * bsize} bytes free` : "",
    available < needed ? `${available} bytes of memory are available` : "",
  ].filter(Boolean);
  if (missing.length > 0) throw new Error(`a segment of 4 GiB needs ${needed} bytes: ${missing.join(", ")}`);
}

async function use(name: string, creator: Agent, opener: Agent, turn: number): Promise<void> {
  await opener.call("open", name);
  const byte = 10 * turn;
  const sent = opener.call("passEvent", name);
  await creator.call("signalEvent", name);
  await sent;
  await opener.call("change", name, byte);
  for (const agent of [creator, opener]) {
    const seen = await agent.call<Ends>("ends", name);
    assert.equal(seen, { first: byte, last: byte, count: turn, ok: true }, agent.name);
  }
  const small = { number: turn, text: opener.name, position: [1, 2, byte] };
  const large = { number: turn, bytes: new Uint8Array(4000).fill(byte) };
  for (const [size, value] of Object.entries({ small, large })) {
    const next = creator.call("nextLatest", name, size);
    await opener.call("writeLatest", name, size, value);
    assert.equal(await next, value, `${size}, ${creator.name}`);
    assert.equal(await opener.call("readLatest", name, size), value, `${size}, ${opener.name}`);
  }
  const ring = "high";
  await creator.call("producer", name, ring, MiB);
  await opener.call("consumer", name, ring, MiB);
  const received = opener.call("receiveSeries", ring, 0, RECORDS);
  await creator.call("sendSeries", ring, 0, RECORDS);
  assert.is(await received, RECORDS, opener.name);
  await creator.call("closeProducer", ring);
  await opener.call("closeConsumer", ring);
  await opener.call("close", name);
}

for (const runtime of presentRuntimes()) {
  test(`a segment of 4 GiB made by ${runtime.name} works to its last byte, for every runtime`, async () => {
    demandRoom();
    const name = segmentName("huge");
    const creator = await Agent.start(runtime, ACTIONS);
    const openers: Agent[] = [];
    const begin = async (opener: Runtime): Promise<Agent> => {
      openers.push(await Agent.start(opener, ACTIONS));
      return openers.at(-1) as Agent;
    };
    try {
      await creator.call("create", name, { bytes: BYTES });
      const { bytes, last, end } = await creator.call<Furnished>("furnish", name);
      assert.is(bytes, BYTES);
      for (const object of ["high", "high lock", "high counter", "high event", "small", "large"])
        assert.ok(objectOffset(name, object) > BYTES / 2, object);
      // Behind the last block lies nothing but the fence of the heap.
      assert.ok(end > BYTES - PAGE_BYTES && end <= BYTES - 16, `the last block ends at ${end}`);
      let turn = 0;
      for (const opener of presentRuntimes()) await use(name, creator, await begin(opener), ++turn);
      // The file says the same: the bytes are where their offsets say.
      assert.is(peekBytes(name, last, 1)[0], 10 * turn);
      assert.is(peekBytes(name, end - 1, 1)[0], 10 * turn);
      const { used, ok } = await creator.call<{ used: number; ok: boolean }>("clear", name);
      assert.ok(ok && used > 0, `${used} bytes came back`);
      assert.is(await creator.call("refuseLarger", name), "RangeError");
    } finally {
      await Promise.all([creator, ...openers].map((agent) => agent.kill()));
      if (Segment.list().some((found) => found.name === name)) Segment.unlink(name);
    }
  });
}

test.run();
