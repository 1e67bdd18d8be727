// only: linux, it is about /dev/shm
/** The suite beside other programs that use Isthmus: it neither counts nor removes a segment of theirs. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { factorOf } from "../../scripts/machine.js";
import { PRIVATE_MEMORY, privateMemory } from "../../scripts/private-memory.js";
import { root, scratchFolder } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { segmentExists, segmentName } from "../lib/segments.js";
import { unless } from "../lib/skips.js";
import { until } from "../lib/watchdog.js";

const OTHERS = 200;
/** A directory inside the tree, so that planted files find uvu and the package. */
const planted = scratchFolder("beside");
process.on("exit", () => rmSync(planted, { recursive: true, force: true }));

const { through, reason } = privateMemory();
const HEAD = `
  import { existsSync, writeFileSync } from "node:fs";
  import { test } from "uvu";
  import { Segment } from "isthmus";
`;

/** Runs one planted file; `meanwhile` comes between its two halves, which wait for each other. */
async function run(
  name: string,
  source: string,
  flags: string[],
  meanwhile: () => void = () => {},
): Promise<Ended & { last: string }> {
  const directory = join(planted, name);
  mkdirSync(directory, { recursive: true });
  const [begun, done] = [join(directory, "begun"), join(directory, "done")];
  const body = `test("a", async () => {
    writeFileSync(${JSON.stringify(begun)}, "");
    while (!existsSync(${JSON.stringify(done)})) await new Promise((resolve) => setTimeout(resolve, 5));
    ${source}
  });
  test.run();
  `;
  writeFileSync(join(directory, `${name}.test.js`), HEAD + body);
  const runner = join(root, "build/scripts/run-tests.js");
  const { [PRIVATE_MEMORY]: _, ...env } = process.env;
  const ended = finished(start(process.execPath, [runner, `--root=${directory}`, ...flags], { env }), name);
  await until("the planted test has begun", () => existsSync(begun));
  meanwhile();
  writeFileSync(done, "");
  const { stdout, ...rest } = await ended;
  return { ...rest, stdout, last: stdout.trimEnd().split("\n").pop() as string };
}

/** Another program: makes idle segments and goes. */
function dropOthers(): string[] {
  const names = Array.from({ length: OTHERS }, (_, i) => segmentName(`other${i}`));
  for (const name of names) Segment.create(name, { bytes: 65536 }).close();
  return names;
}

for (const shared of [false, true]) {
  unless(shared ? undefined : reason, test)(
    `a run ${shared ? "in a shared" : "with a private"} /dev/shm passes while another program drops ${OTHERS} segments there`,
    async () => {
      // What removes idle segments does so in private only, as every test of the suite.
      const source = `if (process.env.${PRIVATE_MEMORY} !== undefined) Segment.prune();`;
      let others: string[] = [];
      const name = shared ? "shared" : "private";
      const { code, last, stdout } = await run(name, source, shared ? ["--shared"] : [], () => {
        others = dropOthers();
      });
      assert.is(last, "1 passed, 0 failed", stdout);
      assert.is(code, 0);
      assert.is(others.filter(segmentExists).length, OTHERS);
      for (const other of others) Segment.unlink(other);
    },
  );
}

test("where nobody else is, a segment without a marker is the run's own and fails it; elsewhere it may be another's", async () => {
  const name = `unmarked${process.pid}`;
  const source = `Segment.create("${name}", { bytes: 65536 }).close();`;
  if (through) {
    const alone = await run("leaves", source, []);
    assert.is(alone.last, "1 passed, 1 failed", alone.stdout);
    assert.match(alone.stdout, `✘ /dev/shm/isthmus.${name} was left behind`);
    assert.not(segmentExists(name));
  }
  const beside = await run("leaves-shared", source, ["--shared"]);
  assert.is(beside.last, "1 passed, 0 failed", beside.stdout);
  Segment.unlink(name);
});

test("limits grow with what keeps the processors busy and with how slow they are, and have an end", () => {
  const idle = { processorMs: 10, clockMs: 10, runnable: 1, cores: 2 };
  assert.is(factorOf(idle), 1);
  assert.is(factorOf({ ...idle, clockMs: 25 }), 2.5);
  assert.is(factorOf({ ...idle, runnable: 9 }), 4.5);
  assert.is(factorOf({ ...idle, cores: 1 }), 2);
  assert.is(factorOf({ ...idle, processorMs: 50, clockMs: 100 }), 4);
  assert.is(factorOf({ ...idle, runnable: 1000 }), 12);
});

test.run();
