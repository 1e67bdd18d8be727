/** What both ends of a ring share. */
export interface RingGeometry {
  readonly name: string;
  readonly ring: number;
  readonly capacity: number;
  /** First byte of the records, and the first behind them. */
  readonly data: number;
  readonly end: number;
}
