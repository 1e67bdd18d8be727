/** A bug of one line that is planted in a copy of the sources, and the tests that must fail then. */
export interface Bug {
  /** What is wrong with it, in a few words. */
  name: string;
  /** The source, as a path from the root. */
  file: string;
  /** A text that occurs exactly once in the source, and what takes its place. The result still compiles. */
  find: string;
  replace: string;
  /** Parts of paths of test files, as `npm test --` takes them; at least one of the files must fail. */
  tests: string[];
}

/** A function that makes the bugs of one source, so that a list names it once. */
export function inSource(file: string) {
  return (name: string, find: string, replace: string, ...tests: string[]): Bug => ({
    name: `${file}: ${name}`,
    file,
    find,
    replace,
    tests,
  });
}
