/** Where making functions from text is forbidden, structs are read by other code: all tests of structs hold for that, too. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../lib/paths.js";
import { WATCHDOG_MS } from "../../lib/watchdog.js";

const FLAG = "--disallow-code-generation-from-strings";

function run(...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [FLAG, ...args], {
    encoding: "utf8",
    timeout: WATCHDOG_MS,
  });
  return { status, text: stdout + stderr };
}

test("the flag forbids what the usual reader is made with", () => {
  const { status, text } = run("-e", "new Function('return 1')");
  assert.is.not(status, 0);
  assert.match(text, /EvalError|disallowed/);
});

for (const name of ["struct", "names", "untouched"]) {
  test(`${name}: passes without new Function`, () => {
    const { status, text } = run(join(root, `build/test/ts/struct/${name}.test.js`));
    assert.is(status, 0, text);
    assert.match(text, /Passed: +[1-9]/);
  });
}

test("a struct is read at its offset, and into an object, without new Function", () => {
  const script = `
    const { struct } = await import("isthmus");
    const Inner = struct({ a: "u16", b: "u16" });
    const Outer = struct({ first: "u8", inner: [Inner, 2] });
    const view = new DataView(new ArrayBuffer(2 * Outer.bytes));
    Outer.write(view, { first: 1, inner: [{ a: 2, b: 3 }, { a: 4, b: 5 }] }, Outer.bytes);
    console.log(JSON.stringify([Outer.read(view, Outer.bytes), Outer.read(view, 0)]));`;
  const { status, text } = run("--input-type=module", "-e", script);
  assert.is(status, 0, text);
  const [there, zeros] = JSON.parse(text) as unknown[];
  assert.equal(there, {
    first: 1,
    inner: [
      { a: 2, b: 3 },
      { a: 4, b: 5 },
    ],
  });
  assert.equal(zeros, {
    first: 0,
    inner: [
      { a: 0, b: 0 },
      { a: 0, b: 0 },
    ],
  });
});

test.run();
