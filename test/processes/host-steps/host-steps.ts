/**
 * What one process does with a name (the victim), in single steps of the shim, and what must hold when another one (the
 * intruder) does something in front of one of them.
 */
import { statSync, writeFileSync } from "node:fs";
import { IsthmusError, KiB, Segment } from "isthmus";
import { segmentExists, segmentName, segmentPath } from "../../lib/segments.js";
import { Blocked, type Flaws, flawed, impatient, stepped, undisturbed } from "../../lib/steps.js";

const BYTES = 64 * KiB;

/** What is there before: the holder, if somebody has the segment open. */
export const starts = {
  absent: (): undefined => undefined,
  empty: (name: string): undefined => writeFileSync(segmentPath(name), "", { mode: 0o600 }) as undefined,
  unfinished: (name: string): undefined =>
    writeFileSync(segmentPath(name), Buffer.alloc(BYTES), { mode: 0o600 }) as undefined,
  closed: (name: string): undefined => Segment.create(name, { bytes: BYTES }).close() as undefined,
  held: (name: string): Segment => Segment.create(name, { bytes: BYTES }),
};

/** What can be done; each gives the segment that it has opened, if it opens one. `holder` is nobody's but its own. */
export const acts = {
  create: (name: string) => Segment.create(name, { bytes: BYTES }),
  /** Asks for more participants than there is room for. */
  createFull: (name: string) => Segment.create(name, { bytes: BYTES, participants: 1024 }),
  openOrCreate: (name: string) => Segment.openOrCreate(name, { bytes: BYTES }),
  open: (name: string) => Segment.open(name),
  read: (name: string) => Segment.open(name, { access: "read-only" }),
  replace: (name: string) => Segment.create(name, { bytes: BYTES, replace: true }),
  unlink: (name: string) => Segment.unlink(name),
  unlinkHeld: (_name: string, holder?: Segment) => holder?.unlink(),
  unlinkReader: (_name: string, holder?: Segment) => holder?.unlink(),
  /** Of this name alone: others on this machine have segments, too. */
  prune: (name: string) => flawed({ list: () => () => [name] }, () => void Segment.prune()),
  renew(name: string) {
    Segment.unlink(name);
    return Segment.create(name, { bytes: BYTES });
  },
};

export type Start = keyof typeof starts;
export type Act = keyof typeof acts;

export const VICTIMS: Act[] = [
  ...(["create", "createFull", "openOrCreate", "open", "read", "replace"] as const),
  ...(["unlink", "unlinkHeld", "unlinkReader", "prune"] as const),
];
export const INTRUDERS: Act[] = ["openOrCreate", "read", "replace", "unlink", "prune", "renew"];

/** What an act may answer, whatever others do; a victim never has to wait for an intruder who is done. */
const answers: Partial<Record<Act, string[]>> = {
  create: ["ALREADY_EXISTS"],
  createFull: ["ALREADY_EXISTS", "SEGMENT_FULL"],
  open: ["NOT_FOUND"],
  read: ["NOT_FOUND", "INITIALIZING"],
  unlink: ["NOT_FOUND"],
  renew: ["NOT_FOUND"],
};

interface Outcome {
  segment: Segment | undefined;
  answer: string;
  /** Of the segment, when it was opened. */
  inode: number | undefined;
}

function inodeOf(name: string): number | undefined {
  return statSync(segmentPath(name), { throwIfNoEntry: false })?.ino;
}

function outcome(act: Act, name: string, holder?: Segment): Outcome {
  try {
    const segment = acts[act](name, holder) ?? undefined;
    return { segment, answer: "done", inode: segment && inodeOf(name) };
  } catch (error) {
    if (error instanceof Blocked) return { segment: undefined, answer: "BLOCKED", inode: undefined };
    if (!(error instanceof IsthmusError)) throw error;
    return { segment: undefined, answer: error.code, inode: undefined };
  }
}

/** Whether the victim's act needs a holder who is there from the start. */
export function isPossible(start: Start, victim: Act): boolean {
  return start === "held" || !["unlinkHeld", "unlinkReader"].includes(victim);
}

export interface Play {
  start: Start;
  victim: Act;
  intruder: Act;
  /** The step of the victim in front of which the intruder acts. */
  at: number;
}

/** What went wrong; undefined when the victim has fewer steps. */
export function play(of: Play, flaws: (name: string) => Flaws = () => ({})): string[] | undefined {
  const { start, victim, intruder, at } = of;
  const name = segmentName("step");
  const first = starts[start](name);
  const holder =
    victim === "unlinkReader"
      ? Segment.open(name, { access: "read-only" })
      : victim === "unlinkHeld"
        ? first
        : undefined;
  const old = inodeOf(name);
  let done: Outcome | undefined;
  let mine: Outcome | undefined;
  flawed(flaws(name), () =>
    stepped(
      (step) => {
        if (step === at) done = undisturbed(() => impatient(() => outcome(intruder, name)));
      },
      () => {
        mine = impatient(() => outcome(victim, name, holder));
      },
      name,
    ),
  );
  const all = [first, holder, done?.segment, mine?.segment];
  const problems = done && mine ? [...judge(of, mine, done, old), ...afterwards(name, all)] : undefined;
  for (const one of all) one?.close();
  if (segmentExists(name)) Segment.unlink(name);
  return problems;
}

function judge({ victim, intruder, at }: Play, mine: Outcome, done: Outcome, old?: number): string[] {
  const problems: string[] = [];
  if (mine.answer !== "done" && !answers[victim]?.includes(mine.answer))
    problems.push(`it answered ${mine.answer}`);
  if (!["done", "BLOCKED", ...(answers[intruder] ?? [])].includes(done.answer))
    problems.push(`the intruder was answered ${done.answer}`);
  if (mine.segment?.stale) problems.push("it was left with a segment that has lost its name");
  if (!done.segment?.stale) return problems;
  const rightly =
    victim === "replace"
      ? mine.answer === "done" && (mine.segment?.generation ?? 0) > done.segment.generation
      : // Before its first step, unlink has looked at nothing yet: what is there then is what it removes.
        victim.startsWith("unlink") && (done.inode === old || (victim === "unlink" && at === 1));
  if (!rightly) problems.push("the intruder's segment was robbed of its name");
  return problems;
}

/** Whoever comes next is in at once, and shares with all who have the name. */
function afterwards(name: string, all: (Segment | undefined)[]): string[] {
  try {
    using next = undisturbed(() => impatient(() => Segment.openOrCreate(name, { bytes: BYTES })));
    const others = new Set(all.filter((one) => one && !one.stale && one.access === "read-write"));
    const sharing = next.participants().length;
    if (sharing !== others.size + 1) return [`${others.size} have the name, and ${sharing - 1} share`];
    next.ring("ring", { bytes: KiB }).producer().close();
    return next.heap.check().ok ? [] : ["the heap is damaged"];
  } catch (error) {
    return [`the next one was answered ${String(error)}`];
  }
}

/** Every way in which an intruder can meet these victims: the problems, and how many ways there were. */
export function playAll(
  victims: Act[],
  flaws?: (name: string) => Flaws,
  breathe: (plays: number) => void = () => {},
): { problems: string[]; plays: number } {
  const problems: string[] = [];
  let plays = 0;
  for (const start of Object.keys(starts) as Start[]) {
    for (const victim of victims.filter((one) => isPossible(start, one))) {
      for (const intruder of INTRUDERS) {
        for (let at = 1; ; at++) {
          const found = play({ start, victim, intruder, at }, flaws);
          if (!found) break;
          breathe(++plays);
          problems.push(...found.map((what) => `${start}: ${victim}, ${intruder} at ${at}: ${what}`));
        }
      }
    }
  }
  return { problems, plays };
}
