/**
 * What test files of a copy import as "uvu": of their tests it runs those whose title has a part that was asked for, and the first
 * one that fails ends the process. With a bug, whatever comes after that would only take time.
 */
import type { Callback, Test } from "uvu";

/** The part of the title, in the environment of the process. */
export const TITLE = "ISTHMUS_PLANTED_TITLE";
/** What the line of a failed test begins with; its title follows. */
export const FAILED = "FAILED: ";

export function untilFirstFailure<T>(every: Test<T>): Test<T> {
  const part = process.env[TITLE] ?? "";
  delete process.env[TITLE]; // the processes that a test starts run all of theirs
  const one = (title: string, handler: Callback<T>): void => {
    if (!title.includes(part)) return;
    every(title, async (context) => {
      try {
        await handler(context);
      } catch (error) {
        console.log(`\n${FAILED}${title}`);
        console.log(error);
        process.exit(1);
      }
    });
  };
  return Object.assign(one, every);
}

/** The package that takes the place of uvu: `uvu` and `wrapper` are the URLs of uvu itself and of this module. */
export function packageOf(uvu: string, wrapper: string): Record<string, string> {
  return {
    "package.json": JSON.stringify({
      name: "uvu",
      type: "module",
      exports: { ".": "./index.mjs", "./assert": "./assert.mjs" },
    }),
    "index.mjs": [
      `import { test as every } from "${uvu}/dist/index.mjs";`,
      `import { untilFirstFailure } from "${wrapper}";`,
      `export { suite } from "${uvu}/dist/index.mjs";`,
      "export const test = untilFirstFailure(every);",
    ].join("\n"),
    "assert.mjs": `export * from "${uvu}/assert/index.mjs";`,
  };
}
