// watchdog: 240 s
/** A file that one runtime leaves, in good order or not, the others open. */
import { copyFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Found } from "../lib/file-sessions.js";
import { Agent, wasKilled } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { temporaryDirectory } from "../lib/segments.js";

const ACTIONS = "lib/file-sessions.ts";
const MiB = 2 ** 20;
const WHOLE = JSON.stringify({ ok: true, problems: [] });

const folder = temporaryDirectory();
const runtimes = presentRuntimes();
let agents: Agent[] = [];

test.before(async () => {
  agents = await Agent.startAll(runtimes, ACTIONS);
});

test.after(async () => {
  await Promise.all(agents.map((agent) => agent.end()));
});

const state = (runs: number, by: string): unknown => ({ runs, by, position: [runs, runs / 4, -runs] });

test("from any runtime to any other: root and contents, truncated by the last one out, clean", async () => {
  const file = join(folder, "sessions");
  let runs = 0;
  let last = "";
  for (const first of agents) {
    for (const second of agents) {
      const large = await first.call<Found>("session", file, first.name, { bytes: MiB });
      assert.is(large.bytes, MiB);
      assert.equal(large.state, runs === 0 ? undefined : state(runs, last));
      const { size } = statSync(file);
      assert.ok(size < MiB / 2, `${first.name} leaves ${size} bytes`);
      const seen = await second.call<Found>("session", file, second.name, { access: "read-only" });
      const wanted = {
        bytes: size,
        clean: true,
        recoveries: 0,
        heap: WHOLE,
        state: state(++runs, first.name),
      };
      assert.equal(seen, wanted, `${first.name} → ${second.name}`);
      const small = await second.call<Found>("session", file, second.name, {});
      assert.equal(small, { ...wanted, clean: false }, `${first.name} → ${second.name}`);
      assert.is(statSync(file).size, size);
      runs++;
      last = second.name;
    }
  }
  assert.is(runs, 2 * runtimes.length ** 2);
});

for (const runtime of runtimes) {
  test(`${runtime.name} is killed in the middle of a transaction: every runtime recovers the file`, async () => {
    const file = join(folder, `killed-${runtime.name}`);
    const victim = await Agent.start(runtime, ACTIONS);
    await victim.call("session", file, "before", { bytes: MiB });
    victim.call("dieInTransaction", file).catch(() => {});
    assert.ok(wasKilled(await victim.ended));
    assert.is(statSync(file).size, MiB, "a dead one truncates nothing");
    for (const agent of agents) {
      const copy = `${file}-${agent.name}`;
      copyFileSync(file, copy);
      const read = (): Promise<Found> => agent.call("session", copy, "", { access: "read-only" });
      assert.not((await read()).clean);
      const found = await agent.call<Found>("session", copy, "after", {});
      assert.equal(found, {
        bytes: MiB,
        clean: false,
        recoveries: 1,
        heap: WHOLE,
        state: state(1, "before"),
      });
      assert.ok(statSync(copy).size < MiB / 2);
      const again = await read();
      assert.ok(again.clean);
      assert.equal(again.state, state(2, "after"));
    }
  });
}

test.run();
