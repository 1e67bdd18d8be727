// only: linux, it is about signals and /dev/shm
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PRIVATE_MEMORY, privateMemory } from "../../scripts/private-memory.js";
import { root, scratchFolder, WITHOUT_SOURCE } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { until } from "../lib/watchdog.js";

/** A directory inside the tree, so that planted files find uvu. */
const planted = scratchFolder("files");
process.on("exit", () => rmSync(planted, { recursive: true, force: true }));

const HEAD = 'import { test } from "uvu";\nimport { spawn } from "node:child_process";\n';

const runner = join(root, "build/scripts/run-tests.js");

/** A directory with one test file of that source. */
function plant(name: string, source: string): string {
  const directory = join(planted, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${name}.test.js`), HEAD + source);
  return directory;
}

async function run(
  name: string,
  source: string,
): Promise<{ code: number | null; output: string; last: string }> {
  const { code, stdout, stderr } = await finished(
    start(process.execPath, [runner, `--root=${plant(name, source)}`]),
    `run of ${name}`,
  );
  return { code, output: stdout + stderr, last: stdout.trimEnd().split("\n").pop() as string };
}

test("tests that ran are counted, and only a failing file shows its output", async () => {
  const good = await run(
    "good",
    'console.log("quiet");\ntest("a", () => {});\ntest("b", () => {});\ntest.run();\n',
  );
  assert.is(good.last, "2 passed, 0 failed");
  assert.is(good.code, 0);
  assert.not.match(good.output, "quiet");
  const bad = await run(
    "bad",
    'console.log("loud");\ntest("a", () => {});\ntest("b", () => { throw 1; });\ntest.run();\n',
  );
  assert.is(bad.last, "1 passed, 1 failed");
  assert.is(bad.code, 1);
  assert.match(bad.output, /\nWhat failed:\n✘ bad\.test\.ts\n(.*\n)*.*loud\n/);
});

test("a file that runs no test fails", async () => {
  assert.is((await run("silent", "")).last, "0 passed, 1 failed");
  assert.is((await run("empty", "test.run();\n")).last, "0 passed, 1 failed");
});

test("a test that never ends fails, whether or not something keeps the process alive", async () => {
  assert.is(
    (await run("drained", 'test("a", () => new Promise(() => {}));\ntest.run();\n')).last,
    "0 passed, 1 failed",
  );
  const source =
    '// watchdog: 2 s\ntest("a", () => new Promise(() => setInterval(() => {}, 1000)));\ntest.run();\n';
  const late = await run("late", source);
  assert.is(late.last, "0 passed, 2 failed");
  assert.match(late.output, /took longer than \d+ s/);
});

test("a hook that throws fails the tests it hides", async () => {
  const source = 'test.before(() => { throw new Error("no"); });\ntest("a", () => {});\ntest.run();\n';
  assert.is((await run("hook", source)).code, 1);
});

test("a process that is left behind fails the file and is ended", async () => {
  const source = `test("a", () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
    console.log("pid:" + child.pid);
    child.unref();
  });
  test.run();
  `;
  const left = await run("orphan", source);
  assert.is(left.last, "1 passed, 1 failed");
  const pid = /pid:(\d+)/.exec(left.output)?.[1];
  assert.ok(pid);
  await until("the process is gone", () => !existsSync(`/proc/${pid}/fd/0`));
});

test("a segment that is left behind fails the file and is removed", async () => {
  const source = `import { writeFileSync } from "node:fs";
  test("a", () => writeFileSync("/dev/shm/isthmus." + process.env.ISTHMUS_TEST_MARKER, ""));
  test.run();
  `;
  const left = await run("segment", source);
  assert.is(left.last, "1 passed, 1 failed");
  const path = /left (\S+) behind/.exec(left.output)?.[1];
  assert.ok(path);
  assert.not(existsSync(path as string));
});

test("a filter that matches nothing fails", async () => {
  const runs = start(process.execPath, [runner, "no such test"]);
  const { code, stdout } = await finished(runs, "run of nothing");
  assert.is(code, 1);
  assert.match(stdout, "0 passed, 1 failed");
});

test("a file that takes long runs when all is tried, or when it is named", async () => {
  const directory = plant("short", 'test("a", () => {});\ntest.run();\n');
  writeFileSync(
    join(directory, "long.test.js"),
    `// deep: because\n${HEAD}test("b", () => {});\ntest.run();\n`,
  );
  const { ISTHMUS_DEEP: _, ...env } = process.env;
  for (const [given, passed] of [
    [[], 1],
    [["--deep"], 2],
    [["long"], 1],
    [["short"], 1],
  ] as const) {
    const child = start(process.execPath, [runner, `--root=${directory}`, ...given], { env });
    const { stdout } = await finished(child, "the run");
    assert.match(stdout, new RegExp(`^${passed} passed, 0 failed$`, "m"));
    assert.is(/has 1 more test file$/m.test(stdout), given.length === 0);
  }
});

test("a compiled file whose source is gone does not run", async () => {
  const file = join(root, WITHOUT_SOURCE);
  writeFileSync(file, `${HEAD}test("a", () => {});\ntest.run();\n`);
  try {
    const { stdout } = await finished(
      start(process.execPath, [runner, "without-source"]),
      "run of a stale file",
    );
    assert.match(stdout, "no test file matches without-source\n");
  } finally {
    rmSync(file);
  }
});

test("a run that is told to end, ends its tests first", async () => {
  const pidFile = join(planted, "pid");
  const source = `import { writeFileSync } from "node:fs";
  writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));
  test("a", () => new Promise(() => setInterval(() => {}, 1000)));
  test.run();
  `;
  const args = [runner, `--root=${plant("endless", source)}`];
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    rmSync(pidFile, { force: true });
    // With a /dev/shm of its own, where that is permitted: then the run is the child of another process.
    const { [PRIVATE_MEMORY]: _, ...env } = process.env;
    // Else the run has no other process, and cannot do anything after SIGKILL.
    if (signal === "SIGKILL" && privateMemory().through === undefined) continue;
    const runs = start(process.execPath, args, { env });
    const ended = finished(runs, "the run");
    await until("the test runs", () => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "");
    const pid = readFileSync(pidFile, "utf8");
    runs.kill(signal);
    if (signal === "SIGTERM") assert.is((await ended).code, 143);
    else await ended;
    await until("the test is gone", () => !existsSync(`/proc/${pid}/fd/0`));
  }
});

test.run();
