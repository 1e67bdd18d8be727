/** What the tests of the shim ask of another process, in whatever runtime; see test/lib/agent.ts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { pause, until } from "../lib/watchdog.js";
import { type Mapped, mapped, native, open } from "./objects.js";

const maps = new Map<number, Mapped>();
let bells = 0;
let bellSet = false;

type AnyFunction = (...given: unknown[]) => unknown;

export function invoke(name: string, ...given: unknown[]): unknown {
  return ((native as unknown as Record<string, AnyFunction>)[name] as AnyFunction)(...given);
}

/** What the call throws, as plain data. */
export function failure(name: string, ...given: unknown[]): unknown {
  try {
    invoke(name, ...given);
  } catch (error) {
    const { status, syscall, errno, message } = error as Error & Record<string, unknown>;
    return { status, syscall, errno, message };
  }
  return undefined;
}

/** Opens and maps; gives the number of the object. */
export function attach(name: string): number {
  const object = open(name);
  maps.set(object, mapped(object));
  return object;
}

export function attachHandle(handle: string): number {
  const object = native.openHandle(handle, false);
  maps.set(object, mapped(object));
  return object;
}

export function load(object: number, index: number): number {
  return Atomics.load((maps.get(object) as Mapped).words, index);
}

export function store(object: number, index: number, value: number): void {
  Atomics.store((maps.get(object) as Mapped).words, index, value);
}

/** Adds one and wakes, so many times. */
export function ring(object: number, index: number, times = 1): void {
  for (let time = 0; time < times; time++) {
    Atomics.add((maps.get(object) as Mapped).words, index, 1);
    native.wake(object, index * 4);
  }
}

/** Sleeps, blocking the thread, until the word is another; gives how often it slept. */
export function sleep(object: number, index: number, expected: number): number {
  let sleeps = 0;
  for (; load(object, index) === expected; sleeps++) native.wait(object, index * 4, expected, 60_000);
  return sleeps;
}

/** Answers each value that it finds in word `index` by storing it in `index + 1`, until that is `last`. */
export function echo(object: number, index: number, last: number): void {
  for (let seen = 0; seen !== last; ) {
    sleep(object, index, seen);
    seen = load(object, index);
    store(object, index + 1, seen);
    native.wake(object, (index + 1) * 4);
  }
}

export function watch(object: number, index: number): void {
  if (!bellSet) native.setBell(() => bells++);
  bellSet = true;
  native.watch(object, index * 4);
}

export function rings(): number {
  return bells;
}

let seenLast = 0;

/**
 * Watches the word and notes its value at each ring, and only then. When that is `rungWhen`, the word changes once more
 * during the same call of the bell, with time for the watching thread to notice.
 */
export function follow(object: number, index: number, rungWhen?: number): void {
  native.setBell(() => {
    bells++;
    seenLast = load(object, index);
    if (seenLast !== rungWhen) return;
    ring(object, index);
    native.wait(object, (index + 1) * 4, 0, 100);
  });
  native.watch(object, index * 4);
}

export function followed(): number {
  return seenLast;
}

/** Starts a child of this process that inherits what children inherit, and lives until it is ended. */
export function bear(): number {
  const detached = process.platform === "win32"; // else Node lets it end with this process there
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "ignore", detached });
  process.on("exit", () => child.kill("SIGKILL"));
  return child.pid as number;
}

/** The threads of the shim in this process. */
export function watchers(): string[] {
  return readdirSync("/proc/self/task").filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim() === "isthmus";
    } catch {
      return false; // it has just ended
    }
  });
}

/** What of ours this process holds. An engine has descriptors and threads of its own, which come and go. */
export function resources(): { descriptors: number; threads: number; mappings: number } {
  const ours = /\/dev\/shm\b|\/memfd:isthmus/;
  const descriptors = readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return ours.test(readlinkSync(`/proc/self/fd/${descriptor}`));
    } catch {
      return false; // the one that read the directory
    }
  });
  const mappings = readFileSync("/proc/self/maps", "utf8").split("\n");
  return {
    descriptors: descriptors.length,
    threads: watchers().length,
    mappings: mappings.filter((line) => ours.test(line)).length,
  };
}

const workers: Worker[] = [];

/** Starts a worker in that mode (see worker.ts); it is at work when this resolves. */
export async function startWorker(name: string, mode: string): Promise<void> {
  const worker = new Worker(fileURLToPath(new URL("./worker.js", import.meta.url)), {
    workerData: { name, mode },
  });
  workers.push(worker);
  await new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
}

export async function terminateWorker(name: string, mode: string): Promise<void> {
  await startWorker(name, mode);
  await pause(mode === "asleep" ? 20 : 0); // let it fall asleep
  await workers.pop()?.terminate();
}

/** Everything that a life of an object consists of, so many times. */
export function cycle(name: string, times: number): void {
  if (!bellSet) native.setBell(() => bells++);
  bellSet = true;
  for (let time = 0; time < times; time++) {
    const named = mapped(open(name));
    native.list(0);
    native.watch(named.object, 4);
    native.lock(named.object, time, false);
    const anonymous = mapped(native.openAnonymous());
    const again = mapped(native.openHandle(native.handle(anonymous.object), false));
    native.watch(again.object, 8);
    for (const run of [() => native.map(again.object, named.bytes, false), () => open("a/b")]) {
      try {
        run();
      } catch {}
    }
    const staged = native.openStaged(name, 0, 0o600);
    if (time % 2) native.publish(staged, true);
    for (const object of [named.object, anonymous.object, again.object, staged]) native.close(object);
  }
}

/** Makes a file of that size in which nothing was written but `content`, at `at`. */
export function makeSparse(file: string, bytes: number, at: number, content: string): void {
  const descriptor = openSync(file, "w");
  ftruncateSync(descriptor, bytes);
  if (content) writeSync(descriptor, content, at);
  closeSync(descriptor);
}

/** What the file holds there, and whether there are zeros everywhere else. */
export function lookAt(file: string, at: number, length: number): { content: string; zeros: boolean } {
  const bytes = readFileSync(file);
  const content = bytes.toString("latin1", at, at + length);
  return { content, zeros: bytes.fill(0, at, at + length).every((byte) => byte === 0) };
}

/** A child that returned from fork() into a JavaScript engine would crash: the engine's other threads are gone. */
const FORK_AND_SLEEP = `
extern int fork(void);
extern int pause(void);
int fork_and_sleep(void) {
  int child = fork();
  while (child == 0) pause();
  return child;
}
`;

/** What the C function gives. Bun alone can: it compiles C by itself. */
async function compiledFork(): Promise<() => number> {
  const ffi = (await import("bun:ffi" as string)) as {
    cc(options: { source: string; symbols: Record<string, { args: string[]; returns: string }> }): {
      symbols: Record<string, () => number>;
    };
  };
  const folder = mkdtempSync(join(tmpdir(), "isthmus-fork-"));
  try {
    const source = join(folder, "fork.c");
    writeFileSync(source, FORK_AND_SLEEP);
    const { symbols } = ffi.cc({ source, symbols: { fork_and_sleep: { args: [], returns: "int" } } });
    return symbols.fork_and_sleep as () => number;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Forks without exec. The child sleeps until it is killed. */
export async function forkAndSleep(): Promise<number> {
  return (await compiledFork())();
}

/** Descriptors and mappings of a process that lead to the object of that name. */
function leading(pid: number, name: string): string[] {
  const descriptors = readdirSync(`/proc/${pid}/fd`).map((one) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${one}`);
    } catch {
      return "";
    }
  });
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return [...descriptors, ...maps].filter((one) => one.includes(name));
}

/** Forks again and again while another thread opens, maps and closes an object; what the children have of it. */
export async function forkBesideOpener(name: string, times: number): Promise<string[]> {
  const fork = await compiledFork();
  const worker = new Worker(new URL("./opener.js", import.meta.url), { workerData: name });
  await once(worker, "message");
  const found: string[] = [];
  for (let turn = 0; turn < times; turn++) {
    const child = fork();
    await until("the child to pause", () => / S /.test(readFileSync(`/proc/${child}/stat`, "utf8")));
    found.push(...leading(child, name));
    process.kill(child, "SIGKILL");
  }
  await worker.terminate();
  return found;
}
