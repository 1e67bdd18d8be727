/** The command line itself: help, version, wrong words, colours. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { isthmus, jsonOf, shell } from "./command-line.js";

const commands = ["demo", "ls", "inspect", "layout", "unlink", "prune", "doctor"];
const print = (await import(pathToFileURL(join(root, "dist/ts/cli/print.js")).href)) as {
  tableLines(titles: string[], rows: string[][], columns: number): string[];
};
const introducer = String.fromCharCode(27);

test("--help names every command and what it does", async () => {
  const { code, stdout } = await isthmus(["--help"]);
  assert.is(code, 0);
  for (const command of commands)
    assert.match(stdout, new RegExp(`^  ${command}( NAME(\\.{3})?| FILE)? +\\w.{10}`, "m"));
});

test("without a command the overview is printed and the exit code says misuse", async () => {
  const { code, stdout } = await isthmus([]);
  assert.is(code, 2);
  assert.match(stdout, "Usage: isthmus COMMAND");
});

test("COMMAND --help and help COMMAND explain the command and run nothing", async () => {
  for (const command of commands) {
    const { code, stdout } = await isthmus([command, "--help"]);
    assert.is(code, 0);
    assert.match(stdout, `Usage: isthmus ${command}`);
    assert.equal(await isthmus(["help", command]), { code, signal: null, stdout, stderr: "" });
  }
  assert.is((await isthmus(["help"])).stdout, (await isthmus(["--help"])).stdout);
});

test("help says whose segments ls and prune mean", async () => {
  assert.match((await isthmus(["help", "ls"])).stdout, "of all users");
  assert.match((await isthmus(["help", "prune"])).stdout, "of this user only, also when the user is root");
});

test("--version is the version of the package", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { code, stdout } = await isthmus(["--version"]);
  assert.is(code, 0);
  assert.is(stdout.trim(), version);
});

test("a wrong command line is refused with exit code 2, on stderr, saying what is allowed", async () => {
  const wrong: [string[], RegExp][] = [
    [["frobnicate"], /no command "frobnicate".*inspect/],
    [["constructor"], /no command "constructor"/],
    [["__proto__"], /no command "__proto__"/],
    [[""], /no command ""/],
    [["ls", "--frobnicate"], /--frobnicate/],
    [["ls", "too", "many"], /"ls" takes no argument, got 2/],
    [["inspect"], /"inspect" takes one NAME, got 0/],
    [["layout"], /"layout" takes one FILE, got 0/],
    [["ls", "--c"], /"ls" has no option --c/],
    [["unlink"], /"unlink" takes one NAME or more, got 0/],
    [["inspect", "a", "b"], /"inspect" takes one NAME, got 2\nUsage: isthmus inspect NAME \[--json\]\n/],
    [["help", "frobnicate"], /no command "frobnicate"/],
    [["help", "ls", "prune"], /"help" takes one COMMAND, got 2/],
    [
      ["unlink", "-x"],
      /no option -x; write "--" before a name .*isthmus unlink -- -x\nUsage: isthmus unlink NAME/,
    ],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await isthmus(args);
    assert.is(code, 2, args.join(" "));
    assert.match(stderr, message);
    assert.is(stdout, "");
  }
});

test("with --json everything is one JSON document", async () => {
  assert.ok(jsonOf<{ version: string }>(await isthmus(["--version", "--json"])).version);
  for (const args of [["--help"], ["help"], ["help", "ls"], ["ls", "--help"]]) {
    assert.match(jsonOf<{ help: string }>(await isthmus([...args, "--json"])).help, "Usage: isthmus");
  }
  for (const args of [
    [],
    ["--json=yes"],
    ["--frobnicate"],
    ["frobnicate"],
    ["ls", "--c"],
    ["unlink", "-x"],
  ]) {
    const result = await isthmus([...args, "--json"]);
    assert.is(result.code, 2);
    assert.is(jsonOf<{ error: { code: string } }>(result).error.code, "MISUSED");
  }
  // Behind two dashes it is a name.
  assert.is((await isthmus(["unlink", "--", "--json"])).stdout, "");
});

test("with --json a failure is JSON too", async () => {
  const misused = await isthmus(["inspect", "--json"]);
  assert.is(misused.code, 2);
  assert.is(jsonOf<{ error: { code: string } }>(misused).error.code, "MISUSED");
  const missing = await isthmus(["inspect", "no-such-segment", "--json"]);
  assert.is(missing.code, 1);
  const { error } = jsonOf<{ error: { code: string; message: string } }>(missing);
  assert.is(error.code, "NOT_FOUND");
  assert.match(error.message, "no-such-segment");
});

test("colours are for terminals, NO_COLOR forbids and FORCE_COLOR wants them", async () => {
  const piped = await isthmus(["doctor"]);
  assert.not.match(piped.stdout, introducer);
  const forced = await isthmus(["doctor"], { env: { FORCE_COLOR: "1" } });
  assert.ok(forced.stdout.includes(introducer));
  const forbidden = await isthmus(["doctor"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } });
  assert.not.match(forbidden.stdout, introducer);
});

test("a table wider than the terminal comes as a line per cell, with nothing cut", () => {
  const rows = [
    ["a-long-name", "1", ""],
    ["b", "22", "yes"],
  ];
  const wide = print.tableLines(["NAME", ">SIZE", "USE"], rows, 22);
  assert.equal(wide, ["NAME         SIZE  USE", "a-long-name     1", "b              22  yes"]);
  const narrow = print.tableLines(["NAME", ">SIZE", "USE"], rows, 21);
  assert.equal(narrow, ["NAME  a-long-name", "SIZE  1", "", "NAME  b", "SIZE  22", "USE   yes"]);
});

const full = existsSync("/dev/full") ? test : test.skip;
full("what cannot be written is a failure", async () => {
  assert.is((await shell('"$0" "$1" --help > /dev/full')).code, 1);
});

test("a reader that stops early is no failure", async () => {
  const { stderr } = await shell('"$0" "$1" --help | head -c 5 > /dev/null');
  assert.is(stderr, "");
});

test.run();
