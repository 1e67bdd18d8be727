/** The command line itself: help, version, wrong words, colours. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../lib/paths.js";
import { isthmus, jsonOf, shell } from "./command-line.js";

const commands = ["demo", "ls", "inspect", "layout", "unlink", "prune", "doctor"];
const introducer = String.fromCharCode(27);

test("--help names every command and what it does", async () => {
  const { code, stdout } = await isthmus(["--help"]);
  assert.is(code, 0);
  for (const command of commands)
    assert.match(stdout, new RegExp(`^  ${command}( NAME| FILE)? +\\w.{10}`, "m"));
});

test("without a command the overview is printed and the exit code says misuse", async () => {
  const { code, stdout } = await isthmus([]);
  assert.is(code, 2);
  assert.match(stdout, "Usage: isthmus COMMAND");
});

test("COMMAND --help explains the command and runs nothing", async () => {
  for (const command of commands) {
    const { code, stdout } = await isthmus([command, "--help"]);
    assert.is(code, 0);
    assert.match(stdout, `Usage: isthmus ${command}`);
  }
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
    [["unlink", "a", "b"], /"unlink" takes one NAME, got 2/],
    [["ls", "--json=yes"], /--json/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await isthmus(args);
    assert.is(code, 2, args.join(" "));
    assert.match(stderr, message);
    assert.is(stdout, "");
  }
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

test("a reader that stops early is no failure", async () => {
  const { stderr } = await shell('"$0" "$1" --help | head -c 5 > /dev/null');
  assert.is(stderr, "");
});

test.run();
