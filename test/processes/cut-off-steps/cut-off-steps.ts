/**
 * A process whose call is cut off in front of a step of the shim, and that lives on. In two ways:
 *
 * | way     | what happens                                                                                   |
 * | ------- | ---------------------------------------------------------------------------------------------- |
 * | stopped | the engine is told to stop the script there (a time limit of `vm`): no `finally` runs          |
 * | full    | the stack is full from there on: each `finally` runs, and what it asks of the shim fails, too  |
 *
 * Then it tries the same again at once; or it lets its stack get empty. Either way nothing is locked, open or mapped that
 * nobody has.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import vm from "node:vm";
import { KiB, Segment } from "isthmus";
import { KERNEL_LOCK_CREATION, KERNEL_LOCK_HOLDERS } from "../../../protocol/layout.js";
import { loadNative } from "../../../ts/host/native.cjs";
import { collect } from "../../lib/garbage.js";
import { segmentExists, segmentName } from "../../lib/segments.js";
import { Blocked, impatient, stepped } from "../../lib/steps.js";
import { act, type fileScenes, namedScenes } from "../death-steps/death-steps.js";
import { found, isWhole, newFile } from "../file-kills/file-steps.js";
import { starts } from "../host-steps/host-steps.js";

/** Longer than any call, so that nearly all are stopped where they were to be. Milliseconds. */
const STOP_MS = 20;
const STEPS_MAX = 100;
/** Who has the segment removes its name. */
const UNLINK_MINE = "unlinkMine";

export type Way = "stopped" | "full";
export type Then = "again" | "turn";

interface Play {
  problems: string[];
  plays: number;
}

const native = loadNative();

/** Where the call was cut off, or undefined when it has ended in good order before. A busy machine may stop it too soon. */
function cutOff(way: Way, at: number, run: () => unknown): "there" | "elsewhere" | undefined {
  let reached: "there" | "elsewhere" | undefined;
  const before = (step: number): void => {
    if (step < at) return;
    reached = "there";
    if (way === "full") throw new RangeError("Maximum call stack size exceeded");
    for (;;);
  };
  const context = vm.createContext({ run: () => void run() });
  stepped(before, () => {
    try {
      if (way === "full") run();
      else vm.runInContext("run()", context, { timeout: STOP_MS });
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "ERR_SCRIPT_EXECUTION_TIMEOUT") reached ??= "elsewhere";
      else if (!(error instanceof RangeError)) throw error;
    }
  });
  return reached;
}

/** Descriptors and mappings of this process that lead to an object whose name has that in it. */
function leading(to: string): number {
  const descriptors = readdirSync("/proc/self/fd").filter((one) => {
    try {
      return readlinkSync(`/proc/self/fd/${one}`).includes(to);
    } catch {
      return false; // the descriptor of the listing
    }
  });
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  return descriptors.length + maps.filter((line) => line.includes(to)).length;
}

/** A segment of its own has a descriptor and a mapping. */
const LEADING_PER_SEGMENT = 2;

function lockedProblems(name: string): string[] {
  if (!segmentExists(name)) return [];
  const object = native.openNamed(name, 0, false, false, 0);
  const free = [KERNEL_LOCK_CREATION, KERNEL_LOCK_HOLDERS].map((index) => native.lock(object, index, false));
  native.close(object);
  return free.every(Boolean) ? [] : [`locks are free: ${free}`];
}

function useNamed(name: string, others: number): string[] {
  try {
    using next = impatient(() => Segment.openOrCreate(name, { bytes: 64 * KiB }));
    const live = next.participants().filter(({ state }) => state === "live").length;
    next.ring("ring", { bytes: KiB }).producer().close();
    if (!next.heap.check().ok) return ["the heap is damaged"];
    return live === others + 1 ? [] : [`${live} live, ${others} others`];
  } catch (error) {
    if (error instanceof Blocked) return ["a lock is held"];
    return [String(error)];
  }
}

function useFile(path: string): string[] {
  try {
    using next = impatient(() => Segment.openFile(path, { bytes: 2 * 1024 * KiB }));
    return isWhole(next) ? [] : ["the file is not whole"];
  } catch (error) {
    if (error instanceof Blocked) return ["a lock is held"];
    return [String(error)];
  }
}

/** One cut; undefined when the call has fewer steps. */
async function play(kind: "name" | "file", scene: string, how: [Way, Then], at: number) {
  const [way, then] = how;
  const name = kind === "name" ? segmentName("cut") : newFile();
  const start = scene === UNLINK_MINE ? "held" : namedScenes[scene as keyof typeof namedScenes]?.[0];
  const holder = kind === "name" ? starts[start](name) : void found(name);
  const before = leading(name);
  let made: Segment | undefined;
  const run = scene === UNLINK_MINE ? () => holder?.unlink() : act(kind, scene, name);
  const mine = leading(name) - before;
  const cut = cutOff(way, at, () => {
    made = run() as Segment | undefined;
  });
  const problems: string[] = [];
  const use = (): string[] =>
    kind === "name" ? useNamed(name, isThere(holder) + isThere(made)) : useFile(name);
  if (then === "again") {
    if (mine > 0) again(run); // what closes goes on, and has ended
    problems.push(...use());
  }
  await undefined;
  made?.close?.();
  made = undefined;
  const left = leading(name) - (kind === "name" && holder ? LEADING_PER_SEGMENT : 0);
  // Where closing had not begun, the segment is open, and its user still has it.
  if (left > 0 && (mine === 0 || cut === "there")) problems.push(`${left} descriptors and mappings`);
  if (mine > 0) again(run);
  problems.push(...use());
  const staged = readdirSync("/dev/shm").filter((file) => file.startsWith(`.isthmus.${process.pid}.`));
  if (staged.length > 0) problems.push(`${staged} is left`);
  holder?.close();
  if (kind === "name") problems.push(...lockedProblems(name));
  if (kind === "name" && segmentExists(name)) Segment.unlink(name);
  return cut ? problems.map((what) => `${scene}, ${way}, ${then}, step ${at}: ${what}`) : undefined;
}

/** Whether that one shares what has the name now. */
function isThere(holder: Segment | undefined): number {
  return holder?.name && !holder.stale ? 1 : 0;
}

function again(run: () => unknown): void {
  try {
    (run() as Segment | undefined)?.close?.();
  } catch {
    // CLOSED, for example: what is left shows itself in what follows.
  }
}

export async function playScene(kind: "name" | "file", scene: string, way: Way): Promise<Play> {
  const problems: string[] = [];
  let plays = 0;
  for (const then of ["again", "turn"] as const) {
    for (let at = 1; at < STEPS_MAX; at++) {
      const of = await play(kind, scene, [way, then], at);
      if (!of) break;
      problems.push(...of);
      if (++plays % 50 === 0) collect();
    }
  }
  return { problems, plays };
}

export const scenes: ["name" | "file", string][] = [
  ...[...Object.keys(namedScenes), UNLINK_MINE].map((scene): ["name", string] => ["name", scene]),
  ...(["openLarge", "openAsIs", "close"] satisfies (typeof fileScenes)[number][]).map(
    (scene): ["file", string] => ["file", scene],
  ),
];
