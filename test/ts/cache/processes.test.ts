/** Several processes use a cache, and some of them are killed. */
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Agent } from "../../lib/processes.js";
import { presentRuntimes } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { pause, until, within } from "../../lib/watchdog.js";

const ACTIONS = "ts/cache/cache-actions.ts";
const [node] = presentRuntimes();

async function agent(name: string): Promise<Agent> {
  const one = await Agent.start(node as NonNullable<typeof node>, ACTIONS);
  await one.call("open", name);
  return one;
}

function make() {
  const segment = Segment.create(segmentName("caches"), { bytes: MiB });
  const json = segment.cache("json", { bytes: 256 * KiB, value: "json" });
  return { segment, json, bytes: segment.cache("bytes", { bytes: 64 * KiB }) };
}

test("if the process is killed that computes a value, the next one computes it", async () => {
  const { segment, json } = make();
  const dying = await agent(segment.name);
  await dying.call("computes", "k");
  let computed = 0;
  const waiting = [1, 2].map(() => json.getOrSet("k", () => ++computed));
  await pause(20);
  assert.is(computed, 0);
  await dying.kill();
  assert.equal(await within("the value", Promise.all(waiting)), [1, 1]);
  segment.unlink();
  segment.close();
});

test("processes compute a value once, and add without losing anything", async () => {
  const { segment, json } = make();
  const all = await Promise.all([1, 2, 3].map(() => agent(segment.name)));
  const values = await Promise.all(all.map((one) => one.call("once", "k")));
  for (const value of values) assert.equal(value, values[0]);
  assert.is(json.get("computed"), 1);
  await Promise.all(all.map((one) => one.call("add", "n", 2000)));
  assert.is(json.get("n"), 6000);
  for (const one of all) await one.kill();
  segment.unlink();
  segment.close();
});

test("whoever is killed, each value is one that was written for its key, and the counts are right", async () => {
  const { segment, bytes } = make();
  const KEYS = 120;
  const look = (): number => {
    let found = 0;
    for (let key = 0; key < KEYS; key++) {
      const value = bytes.get(`k${key}`);
      if (value === undefined) continue;
      found++;
      assert.ok(
        value.every((one) => one === key),
        `k${key} has ${value.slice(0, 8)}`,
      );
    }
    return found;
  };
  const changes = (): number => {
    const value = bytes.get("changes") as Uint8Array<ArrayBuffer> | undefined;
    return value ? new DataView(value.buffer).getFloat64(0, true) : 0;
  };
  for (let round = 0; round < 4; round++) {
    const writers = await Promise.all([1, 2].map(() => agent(segment.name)));
    for (const [index, writer] of writers.entries())
      await writer.call("writes", KEYS, round * 10 + index + 1);
    const begin = changes();
    await until("some changes", () => look() > 0 && changes() > begin + 2000);
    await Promise.all(writers.map((writer) => writer.kill()));
    look();
  }
  for (let key = 0; key < KEYS; key++) bytes.set(`k${key}`, new Uint8Array(50).fill(key));
  assert.is(look(), KEYS);
  const all = [...bytes.entries()];
  assert.is(new Set(all.map(([key]) => key)).size, all.length);
  assert.is(bytes.size, all.length);
  segment.unlink();
  segment.close();
});

test.run();
