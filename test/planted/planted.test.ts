/** The list of planted bugs is fresh and whole, and the lane that plants them fails when one survives. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { asCompiled, testFiles } from "../../scripts/test-files.js";
import { testDeep } from "../lib/depth.js";
import { compiled, root, scratchFolder } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { type Bug, named, occurrences } from "./bug.js";
import { BUGS, WITHOUT_BUGS } from "./bugs/all.js";

const LANE_MS = 180_000;

function sources(): string[] {
  const all = ["ts", "shims", "assembly/hosted"].flatMap((folder) =>
    (readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }) as string[]).map(
      (file) => `${folder}/${file}`,
    ),
  );
  return all.filter((file) => /\.(c?ts|cc?)$/.test(file) && !file.startsWith("ts/cli/demo/")).sort();
}

test("the text of each bug is once in its source, and each has a name of its own", () => {
  const wrong = BUGS.filter(
    ({ file, find }) => occurrences(readFileSync(join(root, file), "utf8"), find) !== 1,
  );
  assert.equal(
    wrong.map(({ name, find }) => `${name}: ${find}`),
    [],
  );
  assert.is(new Set(BUGS.map(({ name }) => name)).size, BUGS.length);
});

test("each source has a bug, or a reason why it has none", () => {
  const planted = new Set(BUGS.map(({ file }) => file));
  const excused = Object.keys(WITHOUT_BUGS);
  assert.equal(
    sources().filter((file) => !planted.has(file) && !excused.includes(file)),
    [],
    "sources without a bug",
  );
  assert.equal(
    excused.filter((file) => planted.has(file) || !sources().includes(file)),
    [],
    "reasons that are not needed",
  );
});

test("the files of the tests that a bug names exist", () => {
  const directory = compiled("");
  const missing = BUGS.flatMap(({ name, tests }) =>
    tests
      .map((entry) => named(entry).part)
      .filter((part) => testFiles(directory, ".test.js", [asCompiled(part)]).length === 0)
      .map((part) => `${name}: ${part}`),
  );
  assert.equal(missing, []);
});

testDeep(
  "the lane fails for a bug that survives, for one that is not in its source, and for one that does not compile",
  async () => {
    const folder = scratchFolder("lists");
    const sound = { file: "ts/struct/hash.ts", tests: ["ts/struct/names"] };
    const bugs: Bug[] = [
      { ...sound, name: "harmless", find: "export ", replace: " export " },
      { ...sound, name: "gone", find: "no such text", replace: "" },
      { ...sound, name: "broken", find: "export ", replace: "export export " },
      { ...sound, name: "noticed", find: "return hash;", replace: "throw new Error(String(hash));" },
      {
        ...sound,
        name: "without a test",
        find: "export ",
        replace: " export ",
        tests: ["ts/struct/names > no such title"],
      },
    ];
    try {
      const list = join(folder, "list.mjs");
      writeFileSync(list, `export const BUGS = ${JSON.stringify(bugs)};`);
      const lane = start(process.execPath, [compiled("planted/planted.ts"), `--list=${list}`]);
      const { code, stdout, stderr } = await finished(lane, "the lane", LANE_MS);
      for (const line of [
        "harmless: survived",
        "gone: its text is 0 times",
        "broken: cannot be built",
        "without a test: not tried",
      ])
        assert.ok(stdout.includes(`✘ ${line}`), `no "${line}" in\n${stdout}${stderr}`);
      assert.match(stdout, /^✔ noticed/m, stdout + stderr);
      assert.match(stdout, /^1 passed, 5 failed$/m);
      assert.is(code, 1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test.run();
