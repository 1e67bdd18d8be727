/**
 * How much is tried. `npm run test:deep` and `.ci/run` set ISTHMUS_DEEP=1 and try everything. A plain `npm test`, which must end within
 * minutes, tries the same things less often, each of them at least once.
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
