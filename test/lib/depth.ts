import { test } from "uvu";

/**
 * How much is tried. `npm run test:deep` and `.ci/run` set ISTHMUS_DEEP=1 and try everything. A plain `npm test`, which must end within
 * minutes, tries some of the things of each kind, and those less often; and not the files that say "// deep: …".
 */
export const DEEP = Boolean(process.env.ISTHMUS_DEEP);

/** How often something is done that would notice a rare fault only by chance, or one of a long series. */
export function often(deep: number, plain: number): number {
  return DEEP ? deep : plain;
}

/**
 * In a plain run one of `every` points of a long series; which ones depends on `series`, so that together they meet each kind.
 */
export function isTried(point: number, series: number, every = 3): boolean {
  return DEEP || (point + series) % every === 0;
}

/** In a plain run one of `every` things of a list of the same kind, the first among them. */
export function someOf<T>(list: readonly T[], every = 3): T[] {
  return list.filter((_, index) => DEEP || index % every === 0);
}

/** A test that a plain run leaves out. */
export const testDeep: (name: string, run: () => unknown) => void = DEEP
  ? (name, run) => test(name, async () => void (await run()))
  : () => {};
