/** What a figure must be read with: the machine, the load, the versions. */
import { cpus, loadavg, release, totalmem } from "node:os";

export function runtimeName(): string {
  const { bun, deno } = process.versions;
  if (bun) return `bun ${bun}`;
  return deno ? `deno ${deno}` : `node ${process.versions.node}`;
}

export function conditionsNow(settings: {
  runs: number;
  quick: boolean;
  compiler: string | undefined;
  runtimes?: string[];
}) {
  return {
    ...settings,
    statistic: "median over alternating runs; of times, of each run's median timed block",
    platform: `${process.platform}-${process.arch}`,
    kernel: release(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    loadAtStart: loadavg().map((load) => Number(load.toFixed(2))),
    at: new Date().toISOString(),
  };
}
