// watchdog: 1800 s
/**
 * The packed package in the test runners, package managers and compilers that users bring. Each gets a project of its own,
 * outside of this tree, with the tarball installed; see docs/testing.md for what users are told.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { type Ended, finished, start } from "../lib/processes.js";
import { bun, deno } from "../lib/runtimes.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";

const TOOLS = join(root, "test/runners/node_modules");
const LIMIT_MS = 300_000;

const place = temporaryDirectory();
const checks = readFileSync(join(root, "test/runners/project/checks.js"), "utf8");
const outcomes: { tool: string; outcome: string }[] = [];
let tarball = "";
let installed = "";

/** A tool of the private package, run by this Node. */
const tool = (file: string): string => join(TOOLS, file);

async function run(
  command: string,
  args: string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  // A runner that sees CI or colours prints other things; none of that is tested here.
  const child = start(command, args, { cwd, env: { ...process.env, NO_COLOR: "1", ...env } });
  child.stdin?.end();
  return finished(child, `${command} ${args.join(" ")}`, LIMIT_MS);
}

async function succeeds(
  command: string,
  args: string[],
  cwd: string,
  env?: NodeJS.ProcessEnv,
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd, env);
  assert.is(code, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout + stderr;
}

/** A new folder with these files, and the package in its node_modules. */
function project(name: string, files: Record<string, string>): string {
  const directory = join(place, name);
  mkdirSync(join(directory, "node_modules"), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  cpSync(installed, join(directory, "node_modules"), { recursive: true });
  return directory;
}

/** Remembers what came out, for the table; the test itself fails when the tool does not work. */
function trial(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    outcomes.push({ tool: name, outcome: "fails" });
    await body();
    outcomes[outcomes.length - 1] = { tool: name, outcome: "works" };
  });
}

test.before(async () => {
  const [report] = JSON.parse(
    await (async () => (await run("npm", ["pack", root, "--json", "--ignore-scripts"], place)).stdout)(),
  );
  tarball = join(place, report.filename);
  const packed = join(place, "packed");
  mkdirSync(packed);
  writeFileSync(join(packed, "package.json"), JSON.stringify({ private: true }));
  await succeeds("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball], packed);
  installed = join(packed, "node_modules");
});

const call = (name: string): string => `checks(isthmus, ${JSON.stringify(segmentName(name))})`;

// --- Jest ------------------------------------------------------------------------------------------------------------

const JEST = tool("jest/bin/jest.js");
const jestConfig = "module.exports = { transform: {}, testTimeout: 120000 };";

function jestProject(name: string, test: string, file = "first.test.js"): string {
  return project(name, { "package.json": "{}", "jest.config.cjs": jestConfig, [file]: test });
}

trial("Jest, CommonJS", async () => {
  const text = `${checks}
const isthmus = require("isthmus");
test("the first hour", () => ${call("jest")});
`;
  await succeeds(process.execPath, [JEST], jestProject("jest-cjs", text));
});

trial("Jest, ESM", async () => {
  const text = `${checks}
import * as isthmus from "isthmus";
test("the first hour", () => ${call("jest")});
`;
  const directory = jestProject("jest-esm", text, "first.test.mjs");
  writeFileSync(
    join(directory, "jest.config.cjs"),
    jestConfig.replace("transform: {}", 'transform: {}, testMatch: ["**/*.test.mjs"]'),
  );
  await succeeds(process.execPath, ["--experimental-vm-modules", "--no-warnings", JEST], directory);
});

/** What must hold with a faked clock: blocking waits end in real time, and what arrives is received. */
const frozen = (name: string): string => `
  const segment = isthmus.Segment.create(${JSON.stringify(segmentName(name))}, { bytes: 131072 });
  const ring = segment.ring("ring", { bytes: 1024 });
  const consumer = ring.consumer();
  let code = "nothing was thrown";
  try {
    consumer.receiveSync({ timeoutMs: 50 });
  } catch (error) {
    code = error.code;
  }
  expect(code).toBe("TIMED_OUT");
  const arriving = consumer.receive();
  ring.producer().trySend(new Uint8Array([7]));
  expect((await arriving)[0]).toBe(7);
  const held = segment.lock("lock").acquireSync();
  expect(held.mode).toBe("exclusive");
  held.release();
  segment.unlink();
  segment.close();
`;

trial("Jest, fake timers", async () => {
  const text = `
test("timers that were faked before the package was loaded", async () => {
  jest.useFakeTimers();
  const isthmus = require("isthmus");
  ${frozen("before")}
});
test("timers that are faked after it was loaded", async () => {
  jest.useRealTimers();
  jest.resetModules();
  const isthmus = require("isthmus");
  jest.useFakeTimers();
  ${frozen("after")}
});
`;
  await succeeds(process.execPath, [JEST], jestProject("jest-fake", text));
});

trial("Jest, resetModules", async () => {
  const text = `
const isthmus = require("isthmus");
test("two copies in one realm know each other", async () => {
  jest.resetModules();
  const other = require("isthmus");
  expect(other).not.toBe(isthmus);
  const segment = isthmus.Segment.create(${JSON.stringify(segmentName("reset"))}, { bytes: 131072 });
  const same = other.Segment.open(segment.name);
  const Pose = other.struct({ id: "u32" });
  segment.latest("pose", Pose).write({ id: 3 });
  expect(same.latest("pose", isthmus.struct({ id: "u32" })).read().id).toBe(3);
  let error;
  try {
    other.Segment.open("no-such-segment");
  } catch (caught) {
    error = caught;
  }
  expect(error instanceof isthmus.IsthmusError).toBe(true);
  const waiting = segment.event("go").wait();
  same.event("go").signal();
  await waiting;
  same.close();
  segment.unlink();
  segment.close();
});
`;
  await succeeds(process.execPath, [JEST], jestProject("jest-reset", text));
});

trial("Jest, --detectLeaks", async () => {
  const text = `${checks}
const isthmus = require("isthmus");
test("the first hour", () => ${call("leaks")});
test("a wait that sleeps", async () => {
  const segment = isthmus.Segment.createAnonymous({ bytes: 131072 });
  await expect(segment.event("never").wait({ timeoutMs: 100 })).rejects.toThrow("TIMED_OUT");
  segment.close();
});
`;
  await succeeds(process.execPath, [JEST, "--detectLeaks"], jestProject("jest-leaks", text));
});

// --- vitest ----------------------------------------------------------------------------------------------------------

const vitestTest = (): string => `${checks}
import * as isthmus from "isthmus";
import { expect, test, vi } from "vitest";
test("the first hour", () => ${call("vitest")}, 120000);
test("a faked clock", async () => {
  vi.useFakeTimers();
  try {
    ${frozen("vitest")}
  } finally {
    vi.useRealTimers();
  }
}, 120000);
test("modules that are loaded again", async () => {
  vi.resetModules();
  const again = await import("isthmus");
  let error;
  try {
    again.Segment.open("no-such-segment");
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(isthmus.IsthmusError);
});
`;

function vitestProject(name: string, config = ""): string {
  const directory = project(name, {
    "package.json": '{ "type": "module" }',
    "vitest.config.mjs": `export default { test: { ${config} } };`,
    "first.test.mjs": vitestTest(),
  });
  symlinkSync(tool("vitest"), join(directory, "node_modules/vitest"));
  return directory;
}

for (const pool of ["threads", "forks", "vmThreads", "vmForks"]) {
  trial(`vitest, ${pool}`, async () => {
    await succeeds(
      process.execPath,
      [tool("vitest/vitest.mjs"), "run", `--pool=${pool}`],
      vitestProject(`vitest-${pool}`),
    );
  });
}

trial("vitest, the package inlined", async () => {
  const directory = vitestProject("vitest-inline", 'server: { deps: { inline: ["isthmus"] } }');
  await succeeds(process.execPath, [tool("vitest/vitest.mjs"), "run"], directory);
});

// --- others ----------------------------------------------------------------------------------------------------------

trial("node:test", async () => {
  const text = `${checks}
import test from "node:test";
import * as isthmus from "isthmus";
test("the first hour", () => ${call("nodetest")});
`;
  await succeeds(process.execPath, ["--test"], project("node-test", { "first.test.mjs": text }));
});

trial("mocha", async () => {
  const text = `${checks}
const isthmus = require("isthmus");
it("the first hour", () => ${call("mocha")}).timeout(120000);
`;
  const directory = project("mocha", { "first.spec.cjs": text });
  await succeeds(process.execPath, [tool("mocha/bin/mocha.js"), "first.spec.cjs"], directory);
});

trial("bun test", async () => {
  const text = `${checks}
import * as isthmus from "isthmus";
import { test } from "bun:test";
test("the first hour", () => ${call("bun")}, 120000);
`;
  const directory = project("bun", { "package.json": "{}", "first.test.mjs": text });
  await succeeds(bun.command, ["test"], directory);
});

trial("deno test", async () => {
  const text = `${checks}
import * as isthmus from "npm:isthmus";
Deno.test({ name: "the first hour", fn: () => ${call("deno")} });
`;
  const directory = project("deno", {
    "package.json": '{ "dependencies": { "isthmus": "*" } }',
    "first.test.mjs": text.replace("npm:isthmus", "isthmus"),
  });
  await succeeds(deno.command, ["test", "--allow-all", "--no-lock", "--node-modules-dir=manual"], directory);
});

// --- package managers --------------------------------------------------------------------------------------------------

const program = (name: string): string => `${checks}
import * as isthmus from "isthmus";
await ${call(name)};
console.log("works");
`;

function bare(name: string): string {
  const directory = join(place, name);
  mkdirSync(directory);
  writeFileSync(
    join(directory, "package.json"),
    JSON.stringify({ name, private: true, type: "module", dependencies: { isthmus: `file:${tarball}` } }),
  );
  writeFileSync(join(directory, "program.mjs"), program(name));
  return directory;
}

trial("pnpm", async () => {
  const directory = bare("pnpm");
  await succeeds(
    process.execPath,
    [tool("pnpm/bin/pnpm.cjs"), "install", "--store-dir", join(place, "store")],
    directory,
  );
  assert.match(await succeeds(process.execPath, ["program.mjs"], directory), /works/);
});

trial("yarn, Plug'n'Play", async () => {
  const directory = bare("yarn");
  writeFileSync(
    join(directory, ".yarnrc.yml"),
    `enableTelemetry: false\nglobalFolder: ${JSON.stringify(join(place, "yarn-global"))}\nnodeLinker: pnp\nenableImmutableInstalls: false\n`,
  );
  const yarn = tool("@yarnpkg/cli-dist/bin/yarn.js");
  const { stdout } = await run("npm", ["config", "get", "registry"], directory);
  const env = { YARN_NPM_REGISTRY_SERVER: stdout.trim().replace(/\/$/, ""), YARN_UNSAFE_HTTP_WHITELIST: "*" };
  await succeeds(process.execPath, [yarn, "install"], directory, env);
  assert.match(await succeeds(process.execPath, [yarn, "node", "program.mjs"], directory, env), /works/);
});

// --- TypeScript ----------------------------------------------------------------------------------------------------------

const typed = `import { type IsthmusErrorCode, IsthmusError, MiB, Segment, struct } from "isthmus";
const Pose = struct({ id: "u32", position: ["f64", 3], label: "utf8:32", big: "u64" });
export async function use(signal: AbortSignal): Promise<IsthmusErrorCode | undefined> {
  const segment: Segment = Segment.openOrCreate("types", { bytes: 1 * MiB, mode: 0o600 });
  const ring = segment.ring("ring", { bytes: 1024 });
  const bytes: Uint8Array | undefined = await ring.consumer().receive({ signal, timeoutMs: 5 });
  ring.producer().trySend(bytes ?? new Uint8Array(8));
  const pose = segment.latest("pose", Pose).read();
  const id: number = pose?.id ?? 0;
  const big: bigint | undefined = pose?.big;
  const label: string | undefined = pose?.label;
  segment.close();
  try {
    return undefined;
  } catch (error) {
    if (error instanceof IsthmusError) return error.code;
    throw [error, id, big, label];
  }
}
`;

for (const [alias, version] of [
  ["typescript54", "5.4"],
  ["typescript55", "5.5"],
  ["typescript56", "5.6"],
  ["typescript57", "5.7"],
  ["typescript58", "5.8"],
  ["typescript59", "5.9"],
  ["typescript60", "6.0"],
  ["typescript70", "7.0"],
] as const) {
  trial(`TypeScript ${version}`, async () => {
    const directory = project(`ts-${version}`, { "package.json": "{}" });
    const tsc = tool(`${alias}/bin/tsc`);
    assert.match(
      await succeeds(process.execPath, [tsc, "--version"], directory),
      new RegExp(`Version ${version}`),
    );
    // Without the DOM and without the types of a runtime there is no AbortSignal: its shape is what counts.
    const own = typed.replace("AbortSignal", "AbortSource").replace("{ type", "{ type AbortSource, type");
    const nodenext = { module: "nodenext", moduleResolution: "nodenext", types: [] };
    await compiles(directory, tsc, { ...nodenext, lib: ["es2022"] }, own);
    await compiles(directory, tsc, { ...nodenext, lib: ["es2022", "dom"] }, typed);
    cpSync(tool("@types"), join(directory, "node_modules/@types"), { recursive: true });
    cpSync(tool("undici-types"), join(directory, "node_modules/undici-types"), { recursive: true });
    // What the types of Node are to an older compiler is not ours to check.
    const bundler = { module: "es2022", moduleResolution: "bundler", types: ["node"], skipLibCheck: true };
    await compiles(directory, tsc, bundler, typed);
  });
}

/** Compiles the text as a module and as a script, strictly, declarations of the package included. */
async function compiles(directory: string, tsc: string, given: object, text: string): Promise<void> {
  const strict = { strict: true, noEmit: true, skipLibCheck: false, exactOptionalPropertyTypes: true };
  const compilerOptions = { ...strict, target: "es2022", ...given };
  const files = ["program.mts", "program.cts"];
  for (const file of files) writeFileSync(join(directory, file), text);
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  await succeeds(process.execPath, [tsc, "-p", "."], directory);
}

test("docs/testing.md says of each of these what came out", () => {
  for (const { tool, outcome } of outcomes) console.log(`${tool.padEnd(32)} ${outcome}`);
  const document = readFileSync(join(root, "docs/testing.md"), "utf8");
  for (const { tool, outcome } of outcomes)
    assert.ok(
      document.includes(`| ${tool} | ${outcome} |`),
      `docs/testing.md does not say that ${tool} ${outcome}`,
    );
});

test.run();
