/**
 * How much is tried. `npm run test:deep` and `.ci/run` set ISTHMUS_DEEP=1 and try everything. A plain `npm test`, which must end within
 * minutes, tries the same things less often, each of them at least once.
 */
export const DEEP = Boolean(process.env.ISTHMUS_DEEP);

/** How often something is done that would notice a rare fault only by chance, or one of a long series. */
export function often(deep: number, plain: number): number {
  return DEEP ? deep : plain;
}

/** In a plain run every third of a long series of points; which ones depends on `series`, so that together they meet each kind. */
export function isTried(point: number, series: number): boolean {
  return DEEP || (point + series) % 3 === 0;
}
