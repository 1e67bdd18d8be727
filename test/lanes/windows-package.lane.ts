// watchdog: 900 s
/**
 * The packed package on Windows, as a user gets it: `npm run test:windows` has installed it without scripts. Here it is copied to a
 * folder of its own, because the tree has programs for Linux in its node_modules that the demo would find.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WINDOWS_PACKAGE } from "../../scripts/lanes/places.js";
import { programOf, WINDOWS_RUNTIMES } from "../../scripts/lanes/windows-runtimes.js";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { temporaryDirectory } from "../lib/segments.js";

if (process.platform !== "win32") throw new Error('run "npm run test:windows"');

const DEMO_MS = 250_000;

const app = temporaryDirectory();
const others = WINDOWS_RUNTIMES.filter(({ name }) => name === "bun" || name === "deno");
/** Where the demo looks for runtimes. */
const PATH = [...others.map((runtime) => dirname(programOf(runtime))), process.env.PATH].join(delimiter);

test.before(() => cpSync(WINDOWS_PACKAGE, app, { recursive: true }));

async function isthmus(args: string[], milliseconds?: number): Promise<Ended> {
  const main = join(app, "node_modules/isthmus/dist/ts/cli/main.js");
  const options = { cwd: app, env: { ...process.env, PATH } };
  const ended = await finished(
    start(process.execPath, [main, ...args], options),
    args.join(" "),
    milliseconds,
  );
  assert.is(ended.code, 0, ended.stdout + ended.stderr);
  return ended;
}

test("the command line runs, and the doctor finds nothing", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.is((await isthmus(["--version"])).stdout.trim(), version);
  assert.is((await isthmus(["ls"])).stdout.trim(), "no segments");
  assert.is((await isthmus(["prune"])).stdout.trim(), "nothing to remove");
  const { healthy, findings } = JSON.parse((await isthmus(["doctor", "--json"])).stdout);
  assert.ok(healthy, JSON.stringify(findings));
});

for (const { name, flags, ...runtime } of WINDOWS_RUNTIMES) {
  test(`the first example of the README runs in ${name}`, async () => {
    const [, code = ""] =
      /```js runnable\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
    writeFileSync(join(app, "hello.mjs"), code);
    const command = programOf({ name, flags, ...runtime });
    const ended = await finished(start(command, [...flags, "hello.mjs"], { cwd: app }), name);
    assert.is(ended.stdout, "shared\nmemory\n", ended.stderr);
    assert.is(ended.code, 0, ended.stderr);
  });
}

test("the demo loses nothing between Node, Bun and Deno", async () => {
  const { stdout } = await isthmus(["demo"], DEMO_MS);
  assert.match(stdout, /^stages\s+Node .* → Bun .* → Deno /m);
  assert.match(stdout, /no record was lost, digest equal/);
  assert.match(stdout, /none lost, each was done once/);
});

test.run();
