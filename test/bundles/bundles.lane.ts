// watchdog: 900 s
/**
 * The packed package in the bundlers that users bring: bundled whole and moved to a folder where no node_modules is, and left
 * outside. What comes out is the table of docs/bundling.md.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { finished, start } from "../lib/processes.js";
import { deno } from "../lib/runtimes.js";
import { segmentName, temporaryDirectory } from "../lib/segments.js";
import { unless } from "../lib/skips.js";
import { denoCompile, type Made, succeeds, type Tool, tools } from "./tools.js";

const place = temporaryDirectory();
const app = readFileSync(join(root, "test/bundles/project/app.mjs"), "utf8");
const installed = join(place, "packed/node_modules");

/** Tool → what came out, for both ways. */
const table = new Map<string, { whole: string; external: string }>();

/** A folder with the program, and the package in its node_modules. */
function project(name: string): string {
  const folder = join(place, name.replace(/[^\w]+/g, "-"));
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ type: "module", dependencies: { isthmus: "*" } }),
  );
  writeFileSync(join(folder, "app.mjs"), app);
  cpSync(installed, join(folder, "node_modules"), { recursive: true });
  return folder;
}

async function works(command: string[], what: string): Promise<void> {
  const [program, ...given] = command as [string, ...string[]];
  const env = { ...process.env, APP_SEGMENT: segmentName("bundle"), APP_COMMAND: JSON.stringify(command) };
  const { code, stdout, stderr } = await finished(start(program, given, { env, cwd: "/" }), what, 120_000);
  assert.is(stdout, "works\n", `${what}\n${stdout}${stderr}`);
  assert.is(code, 0, `${what}\n${stderr}`);
}

/** Runs it in every runtime that it is for. */
async function worksEverywhere(name: string, { commands }: Made, folder: string): Promise<void> {
  for (const [runtime, command] of Object.entries(commands))
    await works(command(folder), `${name} in ${runtime}`);
}

function trial(tool: Tool, add: (name: string, run: () => Promise<void>) => void = test): void {
  const row = { whole: "fails", external: tool.external ? "fails" : "–" };
  add(`${tool.name}, bundled whole and moved`, async () => {
    table.set(tool.name, row);
    const folder = project(`${tool.name} whole`);
    const made = await tool.whole(folder);
    const moved = join(place, "moved", tool.name.replace(/[^\w]+/g, "-"), "deep/down");
    mkdirSync(join(moved, ".."), { recursive: true });
    renameSync(made.output, moved);
    rmSync(folder, { recursive: true });
    await worksEverywhere(tool.name, made, moved);
    row.whole = "works";
  });
  const { external } = tool;
  if (!external) return;
  add(`${tool.name}, with the package left outside`, async () => {
    const folder = project(`${tool.name} external`);
    const made = await external(folder);
    await worksEverywhere(tool.name, made, made.output);
    row.external = "works";
    rmSync(folder, { recursive: true });
  });
}

test.before(async () => {
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund"];
  const [report] = JSON.parse(
    (await succeeds("npm", ["pack", root, "--json", "--ignore-scripts"], place)).stdout,
  );
  mkdirSync(join(place, "packed"));
  writeFileSync(join(place, "packed/package.json"), JSON.stringify({ private: true }));
  await succeeds("npm", ["install", ...flags, join(place, report.filename)], join(place, "packed"));
  assert.ok(existsSync(join(installed, "isthmus/package.json")));
});

/** Why nothing can be compiled by Deno here; undefined when it can. */
async function noDenoCompile(): Promise<string | undefined> {
  writeFileSync(join(place, "empty.mjs"), "");
  const args = ["compile", "--quiet", "--output", "empty", "empty.mjs"];
  const { code, stderr } = await finished(start(deno.command, args, { cwd: place }), "deno compile");
  if (code === 0) return undefined;
  return `Deno downloads a program of its own for it (denort), and cannot: ${/https:\S+/.exec(stderr)?.[0] ?? stderr}`;
}

for (const tool of tools) trial(tool);
const reason = await noDenoCompile();
trial(denoCompile, unless(reason, test));

if (reason !== undefined) {
  // Deno itself takes the place of its program: the result does not run the script, but has everything that is embedded.
  test("deno compile embeds the package: its JavaScript, with the core, and the native part", async () => {
    const folder = project("deno compile embeds");
    process.env.DENORT_BIN = deno.command;
    try {
      await denoCompile.whole(folder);
    } finally {
      delete process.env.DENORT_BIN;
    }
    const embedded = readFileSync(join(folder, "out/app"));
    const here = `prebuilds/${process.platform}-${process.arch}/isthmus.node`;
    for (const file of [here, "dist/ts/host/embedded-core.cjs", "dist/ts/index.cjs"])
      assert.ok(embedded.includes(readFileSync(join(installed, "isthmus", file))), file);
    rmSync(folder, { recursive: true });
  });
}

test("the table of the documentation says what came out", () => {
  const rows = [...table].map(([tool, { whole, external }]) => `| ${tool} | ${whole} | ${external} |`);
  const text = [
    "| tool | bundled whole, then moved | the package left outside |",
    "| --- | --- | --- |",
    ...rows,
  ].join("\n");
  console.log(text);
  const document = readFileSync(join(root, "docs/bundling.md"), "utf8");
  for (const row of rows) {
    // Whether Deno can compile depends on what it may download.
    if (!row.startsWith("| deno compile "))
      assert.ok(document.includes(row), `docs/bundling.md lacks ${row}`);
  }
});

test.run();
