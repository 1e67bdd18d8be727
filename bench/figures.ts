/** Medians and percentiles. */
import { createHistogram } from "node:perf_hooks";

export interface Latency {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** Steps per nanosecond in the histogram, which counts whole numbers only. */
const STEPS_PER_NS = 10;

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Percentiles of all timed blocks of all runs, from a histogram with three exact digits. */
export function latencyOf(runs: number[][]): Latency {
  const histogram = createHistogram({ figures: 3 });
  for (const run of runs) {
    for (const ns of run) histogram.record(Math.max(1, Math.round(ns * STEPS_PER_NS)));
  }
  const at = (percentile: number) => histogram.percentile(percentile) / STEPS_PER_NS;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.max / STEPS_PER_NS };
}

/** Three digits are more than a noisy machine gives. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}
