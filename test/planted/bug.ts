/** A bug of one line that is planted in a copy of the sources, and the tests that must fail then. */
export interface Bug {
  /** What is wrong with it, in a few words. */
  name: string;
  /** The source, as a path from the root. */
  file: string;
  /** A text that occurs exactly once in the source, and what takes its place. The result still compiles. */
  find: string;
  replace: string;
  /**
   * Parts of paths of test files, as `npm test --` takes them, each with or without a part of a title: "ts/ring/loops", or
   * "ts/ring/loops > a loop that is left". They run one after the other until one fails; at least one must.
   */
  tests: string[];
}

/** Test files, and of them the tests whose title has that part. */
export interface Named {
  part: string;
  title: string | undefined;
}

/** Reads an entry of `tests`. */
export function named(test: string): Named {
  const [part, ...title] = test.split(" > ");
  return { part, title: title.length === 0 ? undefined : title.join(" > ") };
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

/** How often a text occurs in another one. */
export function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}
