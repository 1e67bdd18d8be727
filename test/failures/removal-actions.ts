/** What processes do with names while others are stopped, or as other users. */
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { IsthmusError, KiB, Segment } from "isthmus";
import { collect } from "../lib/garbage.js";
import { flawed, stepped } from "../lib/steps.js";

const BYTES = 64 * KiB;

export { setUser } from "../lib/actions.js";

let kept: Segment | undefined;

/** Creates, and is stopped in front of this call of the shim. */
export function createStoppingAt(name: string, call: string): number {
  stepped(
    (_step, next) => {
      if (next === call) process.kill(process.pid, "SIGSTOP");
    },
    () => {
      kept = Segment.create(name, { bytes: BYTES });
    },
  );
  return kept?.participants().filter(({ self }) => self).length ?? 0;
}

/** Opens, counting in a segment how often it has tried to lock meanwhile. */
export function openCounting(name: string, progress: string): number {
  using counted = Segment.open(progress);
  const tries = counted.counter("tries");
  const counting = (shim: { lock(object: number, index: number, shared: boolean): boolean }) => {
    return (object: unknown, index: unknown, shared: unknown) => {
      tries.add();
      return shim.lock(object as number, index as number, shared as boolean);
    };
  };
  flawed({ lock: counting }, () => {
    kept = Segment.openOrCreate(name, { bytes: BYTES });
  });
  return kept?.participants().length ?? 0;
}

/** Joins, and is stopped in front of this call of the shim. */
export function openStoppingAt(name: string, call: string): void {
  stepped(
    (_step, next) => {
      if (next === call) process.kill(process.pid, "SIGSTOP");
    },
    () => {
      kept = Segment.open(name);
    },
  );
}

export function join(name: string): void {
  kept = Segment.open(name);
}

export function exit(): void {
  process.exit(0);
}

/** How many the reader sees. */
export function look(name: string): number {
  using segment = Segment.open(name, { access: "read-only" });
  return segment.participants().length;
}

export function replace(name: string): number {
  using segment = Segment.create(name, { bytes: BYTES, replace: true });
  return segment.generation;
}

export function openOrCreate(name: string): void {
  Segment.openOrCreate(name, { bytes: BYTES }).close();
}

export function create(name: string, mode: number): void {
  Segment.create(name, { bytes: BYTES, mode }).close();
}

export function unlink(name: string): void {
  Segment.unlink(name);
}

export function unlinkAsReader(name: string): void {
  using segment = Segment.open(name, { access: "read-only" });
  segment.unlink();
}

export function openAsReader(name: string): void {
  kept = Segment.open(name, { access: "read-only" });
}

export function closeReader(): void {
  kept?.close();
}

/** Of these names alone: others on this machine have segments, too. */
export function prune(...names: string[]): string[] {
  return flawed({ list: () => () => names }, () => Segment.prune());
}

/** Opens until the system refuses, and says how; then everything is closed, and it goes on. */
export function exhaust(name: string): { code: string; message: string } {
  const opened: Segment[] = [];
  try {
    for (;;) opened.push(Segment.create(`${name}-${opened.length}`, { bytes: BYTES }));
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    const { code, message } = error;
    return { code, message };
  } finally {
    for (const segment of opened) {
      segment.unlink();
      segment.close();
    }
    openOrCreate(name);
  }
}

/** Opens for the first time when so many more files can be opened. */
export function openWithoutDescriptors(name: string, left: number): string {
  const opened: number[] = [];
  try {
    for (;;) opened.push(openSync("/dev/null", "r"));
  } catch {}
  for (let count = 0; count < left; count++) closeSync(opened.pop() as number);
  try {
    Segment.create(name, { bytes: BYTES }).close();
    return "done";
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    return error.message;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/** Makes and removes, with a umask that takes nearly everything. */
export function createMany(name: string, mode: number, times: number): void {
  process.umask(0o777);
  for (let i = 0; i < times; i++) {
    using segment = Segment.create(name, { bytes: BYTES, mode });
    segment.unlink();
    if (i % 100 === 0) collect();
  }
}

/** The generations that it made. */
export function replaceMany(name: string, times: number): number[] {
  return Array.from({ length: times }, (_, i) => {
    if (i % 100 === 0) collect();
    return replace(name);
  });
}

/** Descriptors of ours that a program which is started has, by where they lead. */
export function inherited(name: string, file: string): { before: number; after: number } {
  const count = (): number =>
    spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" }).stdout.split("isthmus").length - 1;
  using segment = Segment.create(name, { bytes: BYTES });
  using same = Segment.open(name, { access: "read-only" });
  using replaced = Segment.create(name, { bytes: BYTES, replace: true });
  using nameless = Segment.createAnonymous({ bytes: BYTES });
  using filed = Segment.openFile(file, { bytes: BYTES });
  Segment.list();
  const before = count();
  const all = [segment, same, replaced, filed].map((one) => one.bytes);
  const { handle } = nameless;
  const after = handle && all.length ? count() : 0;
  replaced.unlink();
  return { before, after };
}
