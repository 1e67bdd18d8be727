/**
 * What one process does with a file (the victim), in single steps of the shim, and what must hold when another one (the
 * intruder) does something in front of one of them.
 */
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { IsthmusError, KiB, MiB, Segment, struct } from "isthmus";
import { HEADER_TOTAL_SIZE_OFFSET } from "../../../protocol/layout.js";
import { temporaryDirectory } from "../../lib/segments.js";
import { Blocked, type Flaws, flawed, impatient, stepped, undisturbed } from "../../lib/steps.js";

const Note = struct({ text: "utf8:32" });
const TEXT = "what was there";
const folder = temporaryDirectory();
let files = 0;

export function newFile(): string {
  return join(folder, `steps-${process.pid}-${++files}`);
}

/** A file of a session before. */
export function found(path: string): void {
  using segment = Segment.openFile(path, { bytes: MiB });
  const block = segment.heap.allocate(Note.bytes);
  block?.view(Note).write({ text: TEXT });
  segment.root = block;
}

/** Whether what was written in the session before is there. */
export function isWhole(segment: Segment): boolean {
  return segment.root?.view(Note).read().text === TEXT && segment.heap.check().ok;
}

/** What is wrong with a file that nobody has open. */
export function problemsOfClosed(path: string): string[] {
  const { size } = statSync(path);
  const said = Number(readFileSync(path).readBigUInt64LE(HEADER_TOTAL_SIZE_OFFSET));
  return said === size ? [] : [`the header says ${said} bytes, the file has ${size}`];
}

/** What is done before anybody looks: what the victim has open then, if anything. */
const openers = {
  close: (path: string) => Segment.openFile(path, { bytes: MiB }),
  closeReader: (path: string) => Segment.openFile(path, { access: "read-only" }),
  flush: (path: string) => Segment.openFile(path, { bytes: MiB }),
  unlinkHeld: (path: string) => Segment.openFile(path),
} as const;

export const acts = {
  make: (path: string) => Segment.openFile(path, { bytes: 2 * MiB }),
  /** Asks for more participants than there is room for. */
  makeFull: (path: string) => Segment.openFile(path, { bytes: 64 * KiB, participants: 1024 }),
  openLarge: (path: string) => Segment.openFile(path, { bytes: 2 * MiB }),
  openAsIs: (path: string) => Segment.openFile(path),
  read: (path: string) => Segment.openFile(path, { access: "read-only" }),
  openAndClose: (path: string) => Segment.openFile(path, { bytes: 512 * KiB }).close(),
  remove: (path: string) => {
    using segment = Segment.openFile(path);
    segment.unlink();
  },
  close: (_path: string, mine?: Segment) => mine?.close(),
  closeReader: (_path: string, mine?: Segment) => mine?.close(),
  flush: (_path: string, mine?: Segment) => mine?.flush(),
  unlinkHeld: (_path: string, mine?: Segment) => mine?.unlink(),
};
export type Act = keyof typeof acts;

export const VICTIMS = Object.keys(acts) as Act[];
export const INTRUDERS: Act[] = ["openLarge", "openAsIs", "read", "openAndClose", "remove"];

/** What the victim has open before its first step. */
export function prepared(victim: Act, path: string): Segment | undefined {
  return openers[victim as keyof typeof openers]?.(path);
}

interface Outcome {
  segment: Segment | undefined;
  answer: string;
}

function outcome(act: Act, path: string, mine?: Segment): Outcome {
  try {
    return { segment: acts[act](path, mine) ?? undefined, answer: "done" };
  } catch (error) {
    if (error instanceof Blocked) return { segment: undefined, answer: "BLOCKED" };
    if (!(error instanceof IsthmusError)) throw error;
    return { segment: undefined, answer: error.code };
  }
}

/** What went wrong; undefined when the victim has fewer steps. */
function play(victim: Act, intruder: Act, at: number, flaws: Flaws): string[] | undefined {
  const path = newFile();
  const isFresh = victim.startsWith("make");
  if (!isFresh) found(path);
  const mine = prepared(victim, path);
  let his: Outcome | undefined;
  let its: Outcome | undefined;
  const act = (): void => {
    // Leaving waits for a while by itself, and then leaves as it can.
    its = victim.startsWith("close")
      ? outcome(victim, path, mine)
      : impatient(() => outcome(victim, path, mine));
  };
  flawed(flaws, () =>
    stepped((step) => {
      if (step === at) his = undisturbed(() => impatient(() => outcome(intruder, path)));
    }, act),
  );
  const problems = his && its ? judge(victim, intruder, path, its, his) : undefined;
  for (const one of [mine, his?.segment, its?.segment]) one?.close();
  if (problems && existsSync(path)) {
    // The last one out may have been a reader, who truncates nothing: the next writer does.
    Segment.openFile(path).close();
    problems.push(...problemsOfClosed(path));
  }
  rmSync(path, { force: true });
  return problems;
}

function judge(victim: Act, intruder: Act, path: string, its: Outcome, his: Outcome): string[] {
  const problems: string[] = [];
  if (!["done", "NOT_FOUND", ...(victim === "makeFull" ? ["SEGMENT_FULL"] : [])].includes(its.answer))
    problems.push(`it answered ${its.answer}`);
  if (!["done", "NOT_FOUND", "BLOCKED"].includes(his.answer))
    problems.push(`the intruder was answered ${his.answer}`);
  if (its.segment?.stale) problems.push("it was left with a segment that has lost its name");
  if (his.segment?.stale && victim !== "remove" && victim !== "unlinkHeld")
    problems.push("the intruder's segment was robbed of its name");
  for (const { segment } of [its, his]) {
    // Where there was nothing, or it was removed, there is a new file.
    const makers: Act[] = ["make", "makeFull", "remove", "unlinkHeld"];
    const isRemoved = makers.includes(victim) || intruder === "remove";
    const isNew = isRemoved && segment?.root === undefined;
    if (segment && !isNew && !isWhole(segment)) problems.push("what was there is not whole");
    if (segment && !segment.stale && segment.bytes > statSync(path).size)
      problems.push("the file is too short");
  }
  const writers = [its.segment, his.segment].filter((one) => one?.access === "read-write") as Segment[];
  if (writers.length === 2) {
    const [one, two] = writers as [Segment, Segment];
    one.counter("shared").add(1);
    if (two.counter("shared").value !== one.counter("shared").value) problems.push("they do not share");
  }
  return problems;
}

export function playAll(
  victims: Act[],
  flaws: Flaws = {},
  breathe: (plays: number) => void = () => {},
): { problems: string[]; plays: number } {
  const problems: string[] = [];
  let plays = 0;
  for (const victim of victims) {
    for (const intruder of INTRUDERS) {
      for (let at = 1; ; at++) {
        const wrong = play(victim, intruder, at, flaws);
        if (!wrong) break;
        breathe(++plays);
        problems.push(...wrong.map((what) => `${victim}, ${intruder} at ${at}: ${what}`));
      }
    }
  }
  return { problems, plays };
}
