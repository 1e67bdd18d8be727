/** How much of the machine others took while something ran: what a figure of a busy machine must be read with. */
import { readFileSync } from "node:fs";

/** Ticks of the kernel's clocks, of all cores together. */
interface Ticks {
  all: number;
  idle: number;
  /** Of this process and of its children that have ended. */
  own: number;
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Undefined where there is no /proc. */
function ticksNow(): Ticks | undefined {
  try {
    const [cores] = readFileSync("/proc/stat", "utf8").split("\n");
    // user, nice, system, idle, iowait, irq, softirq, steal; what guests take is in user already.
    const ticks = cores.split(/\s+/).slice(1, 9).map(Number);
    const own = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /, "")
      .split(" ")
      .slice(11, 15);
    return { all: sum(ticks), idle: ticks[3] + ticks[4], own: sum(own.map(Number)) };
  } catch {
    return undefined;
  }
}

/** From now until the call of what it returns: the share of all cores, from 0 to 1, that others had. */
export function watchLoad(): () => number | undefined {
  const before = ticksNow();
  return () => {
    const now = ticksNow();
    if (before === undefined || now === undefined || now.all <= before.all) return undefined;
    const all = now.all - before.all;
    const others = all - (now.idle - before.idle) - (now.own - before.own);
    return Number(Math.min(1, Math.max(0, others / all)).toFixed(3));
  };
}
