/**
 * The crash lane: an operation dies before its k-th write, for every k, and after its last. A survivor goes on, and dies itself before its j-th
 * write, for every j; a second survivor goes on after either. Every one of them checks what must hold.
 *
 * The third fate: an operation is cut off before its k-th write, and its participant lives on (`CrashLane.runCutOff`). It goes on
 * itself; or its heartbeat comes first; either is cut off before its j-th write, too, for every j. Then it tries again, or
 * dies. In between and afterwards another participant acts.
 *
 * A process that is killed leaves its stores in program order: exceptions are precise. So throwing before a write leaves
 * exactly the bytes that SIGKILL at that instruction would leave.
 */
import { Arena, type Exports } from "./arena.js";
import type { Instrumented, Site } from "./instrument.js";
import { Interception, type Mutation } from "./mutation.js";
import { play } from "./play.js";
import type { PlayedSystem } from "./played-system.js";
import { call, type Script } from "./script.js";
import type { KeptStores } from "./stores.js";

/** Participant 0 runs the operation; 1 and 2 survive it. */
export const VICTIM = 0;
export const SURVIVORS = [1, 2];
const WRITES_MAX = 2000;
const STEPS_MAX = 200_000;

export interface CrashCase {
  name: string;
  /** Brings the segment, and the instances of the participants, into the state before. */
  before(lane: CrashLane): void;
  operation(lane: CrashLane): Script<unknown>;
  /** Called before each write of the operation: what another participant does at that moment. */
  meanwhile?(lane: CrashLane, address: number): void;
  /** What survivor 1 does first, and nobody kills it meanwhile: then it dies in what it does next. */
  recover?(lane: CrashLane, dead: readonly number[], finished: boolean): Script<unknown>;
  /**
   * What a survivor does: gets everything out of the way that the dead left, looks at what must hold (throws if it does
   * not), goes on working, and closes what it opened. `finished`: the operation had returned. Called anew for each try.
   */
  goOn(lane: CrashLane, by: number, dead: readonly number[], finished: boolean): Script<unknown>;
  /** The operation is also cut off, and its participant does `goOn` itself. */
  livesOn?: LivingOn;
}

/** What a participant does whose call was cut off. */
export interface LivingOn {
  /** What its host does before its next call, because it knows that the call threw; not what it does with its heartbeat. */
  next?(lane: CrashLane, finished: boolean): Script<unknown>;
  /** What its host does with its heartbeat, beyond `beat`. */
  settle?(lane: CrashLane): Script<unknown>;
  /** What another participant tries while the left-over stands: it may be in vain, and must do no harm. */
  meanwhile?(lane: CrashLane): Script<unknown>;
  /** `goOn` with which it begins again after having been cut off in `goOn`: as the first (1), or as another survivor (2). */
  again?: 1 | 2;
}

class Death extends Error {}
/** Thrown again and again: making a stack trace each time would be most of the work. */
const DEATH = new Death("killed");

/** Whether a second point is tried together with the first one. Each point is tried alone in any case. */
export type IsTried = (second: number, first: number) => boolean;
const always: IsTried = () => true;

/** Who dies before each of its writes: nobody (the victim after its last only), the victim, or the survivor after it, too. */
export type Deaths = "none" | "victim" | "both";

export interface CrashOutcome {
  points: number;
  /** What went wrong first. */
  failure?: string;
}

/** What has happened, for the message of a failure. */
class Course {
  readonly #parts: string[] = [];
  /** Parts of the operation that was cut off. */
  static readonly FIRST = 2;

  get story(): string {
    return this.#parts.join(", ");
  }

  add(part: string): void {
    this.#parts.push(part);
  }

  /** Back to where the operation was cut off. */
  back(): void {
    this.#parts.length = Course.FIRST;
  }
}

interface Actor {
  exports: Exports;
  /** Writes it may still make. */
  writesLeft: number;
  /** It dies before it writes here, in any case. */
  diesAt: number;
  /** What it died before. */
  diedBefore: string;
  late: KeptStores;
}

export class CrashLane {
  readonly arena: Arena;
  /** How often somebody died at each site. */
  readonly killed: Uint32Array;
  readonly reached: Uint32Array;
  mutation: Mutation | undefined;
  /** SHA-256 of the file that was instrumented. */
  readonly source: string;
  /** Which sites wrote where, while somebody wants to know. */
  #writers: { address: number; site: number }[] | undefined;
  #meanwhile: ((address: number) => void) | undefined;
  readonly #actors: Actor[];
  /** Who plays a script now. */
  #acting: Actor | undefined;
  #steps = 0;

  /** `system`: that of a core for hosts that block; it is the same for all participants. */
  constructor(
    instrumented: Instrumented,
    segmentBytes: number,
    readonly system?: PlayedSystem,
  ) {
    this.source = instrumented.source;
    this.arena = new Arena(instrumented, segmentBytes);
    this.killed = new Uint32Array(this.arena.sites.length);
    this.reached = new Uint32Array(this.arena.sites.length);
    this.#actors = [VICTIM, ...SURVIVORS].map(() => this.#actor());
  }

  get view(): DataView {
    return this.arena.view;
  }

  /** Runs a script that nobody kills. */
  play<T>(id: number, script: Script<T>): T {
    this.#steps = 0;
    const actor = this.#actors[id] as Actor;
    actor.writesLeft = Number.POSITIVE_INFINITY;
    return this.#play(actor, script);
  }

  /** Runs a script whose participant dies before it has made more than so many writes; whether it came to its end. */
  playMortally(id: number, writes: number, script: () => Script<unknown>): boolean {
    this.#steps = 0;
    return this.#mayDie(this.#actors[id] as Actor, script(), writes);
  }

  /** A survivor has put everything in order: it is not killed from here on, since what it does now dies elsewhere. */
  settled(_id: number): void {
    if (this.#acting) this.#acting.writesLeft = Number.POSITIVE_INFINITY;
  }

  /** What something becomes when the script runs to its end, which it then has not. */
  foresee<T>(id: number, script: Script<unknown>, look: () => T): T {
    const bytes = this.arena.segment.slice();
    const globals = this.arena.globals();
    this.play(id, script);
    const seen = look();
    this.arena.segment.set(bytes);
    this.arena.recall(globals);
    return seen;
  }

  /** Runs a script until it is about to write to that address, and kills it there. */
  playUntil(id: number, address: number, script: Script<unknown>): void {
    const actor = this.#actors[id] as Actor;
    actor.diesAt = address;
    const survived = this.#mayDie(actor, script, Number.POSITIVE_INFINITY);
    actor.diesAt = -1;
    if (survived) throw new Error(`nobody came to write to ${address}`);
  }

  /** The site that writes to that address last when the script runs: where a bug can be planted. */
  siteWriting(address: number, id: number, script: Script<unknown>): number {
    return this.sitesWriting(address, id, script).at(-1) as number;
  }

  /** The sites that write to that address when the script runs, in order. */
  sitesWriting(address: number, id: number, script: Script<unknown>): number[] {
    this.#writers = [];
    this.play(id, script);
    const sites = this.#writers.filter((one) => one.address === address).map((one) => one.site);
    this.#writers = undefined;
    if (sites.length === 0) throw new Error(`nobody wrote to ${address}`);
    return sites;
  }

  /** Write sites at which nobody was killed, described. */
  get missed(): string[] {
    return this.arena.sites.flatMap((site, number) =>
      site.writes && this.killed[number] === 0 ? [`${site.name} in ${site.func} (site ${number})`] : [],
    );
  }

  /**
   * All points of one case, up to the first failure.
   * @param isTried whether the survivor dies before its write `second` when the victim has died before its write `first`
   */
  run(one: CrashCase, deaths: Deaths = "both", isTried: IsTried = always): CrashOutcome {
    this.#steps = 0;
    this.arena.recall();
    one.before(this);
    const initial = this.arena.segment.slice();
    const globals = this.arena.globals();
    let points = 0;
    for (let k = deaths === "none" ? WRITES_MAX : 0; k <= WRITES_MAX; k++) {
      this.#restore(initial, globals);
      const outcome = this.#afterDeath(one, k, globals, deaths === "victim", isTried);
      points += outcome.points;
      if (outcome.failure !== undefined) return { points, failure: `${one.name}: ${outcome.failure}` };
      if (outcome.finished) return { points };
    }
    throw new Error(`${one.name} makes more than ${WRITES_MAX} writes`);
  }

  /** Everything that can follow once the victim died before write k. */
  #afterDeath(
    one: CrashCase,
    k: number,
    globals: unknown[][],
    survivorsLive: boolean,
    isTried: IsTried,
  ): CrashOutcome & { finished: boolean } {
    const victim = this.#actors[VICTIM] as Actor;
    let finished = false;
    let points = 0;
    let story = `dies before write ${k}`;
    try {
      this.#meanwhile = one.meanwhile ? (address) => one.meanwhile?.(this, address) : undefined;
      finished = this.#mayDie(victim, one.operation(this), k);
      this.#meanwhile = undefined;
      story = finished ? "dies after its last write" : `dies before ${victim.diedBefore}`;
      if (one.recover) this.play(1, one.recover(this, [VICTIM], finished));
      const left = this.arena.segment.slice();
      const known = one.recover ? this.arena.globals() : globals;
      for (let j = -1; j < WRITES_MAX; j++) {
        if (j >= 0 && !isTried(j, k)) continue;
        this.#restore(left, known);
        points++;
        const first = this.#actors[1] as Actor;
        const writes = j < 0 ? Number.POSITIVE_INFINITY : j;
        const survived = this.#mayDie(first, one.goOn(this, 1, [VICTIM], finished), writes);
        if (!survived) story = `${story}, the survivor dies before ${first.diedBefore}`;
        this.play(2, one.goOn(this, 2, survived ? [VICTIM] : [VICTIM, 1], finished));
        if (survivorsLive || (survived && j >= 0)) break;
        story = story.replace(/, the survivor dies.*$/, "");
      }
      return { points, finished };
    } catch (error) {
      return { points, finished, failure: `${story}: ${(error as Error).message}` };
    }
  }

  /**
   * All points of one case when the operation is cut off and its participant lives on, up to the first failure.
   * @param isTried whether the call after it is cut off before its write `second`, too, after a cut before the write `first`
   */
  runCutOff(one: CrashCase, isTried: IsTried = always): CrashOutcome {
    this.#steps = 0;
    this.arena.recall();
    one.before(this);
    const initial = this.#remember();
    let points = 0;
    for (let k = 0; k <= WRITES_MAX; k++) {
      initial();
      const course = new Course();
      try {
        const finished = this.#cutOff(course, VICTIM, one.operation(this), k);
        points += this.#afterCutOff(one, finished, course, (second) => isTried(second, k));
        if (finished) return { points };
      } catch (error) {
        return { points, failure: `${one.name}: ${course.story}: ${(error as Error).message}` };
      }
    }
    throw new Error(`${one.name} makes more than ${WRITES_MAX} writes`);
  }

  /** Everything that can follow once a call of the victim was cut off. */
  #afterCutOff(
    one: CrashCase,
    finished: boolean,
    course: Course,
    isTried: (second: number) => boolean,
  ): number {
    const state = this.#remember();
    const { next, settle, meanwhile, again = 2 } = one.livesOn as LivingOn;
    const goesOn = (by: number, dead: readonly number[]) => one.goOn(this, by, dead, finished);
    const heartbeat = function* (lane: CrashLane): Script {
      if (settle) yield* settle(lane);
      yield* call("beat", 0);
    };
    const itself = (lane: CrashLane, by: number): Script<unknown> => {
      const going = goesOn(by, []); // first: a case may begin anew with it what it knows
      return (function* () {
        if (next) yield* next(lane, finished);
        yield* going;
      })();
    };
    /** Back to the cut: also in what the case knows, which it begins anew with `goOn` of the first. */
    const left = (): void => {
      state();
      goesOn(1, []);
    };
    let points = 0;
    // From the beginning each time: what a case knows of a course is outside of the memory that can be put back.
    for (let j = 0, whole = false; !whole; j++) {
      if (!isTried(j)) continue;
      for (const dies of [false, true]) {
        left();
        course.back();
        whole = this.#cutOff(course, VICTIM, itself(this, 1), j);
        points++;
        if (dies) {
          this.#told(course, "it dies, another goes on", () => this.play(2, goesOn(2, [VICTIM])));
          continue;
        }
        if (!whole) this.#told(course, "it goes on again", () => this.play(VICTIM, itself(this, again)));
        this.#told(course, "its heartbeat", () => this.play(VICTIM, heartbeat(this)));
        this.#told(course, "another goes on", () => this.play(2, goesOn(2, [])));
      }
    }
    for (let j = 0, whole = false; !whole; j++) {
      if (!isTried(j)) continue;
      left();
      course.back();
      whole = this.#cutOff(course, VICTIM, heartbeat(this), j);
      points++;
      if (meanwhile) this.#told(course, "another tries", () => this.play(1, meanwhile(this)));
      if (!whole) this.#told(course, "heartbeat", () => this.play(VICTIM, heartbeat(this)));
      this.#told(course, "another goes on", () => this.play(1, goesOn(1, [])));
      this.#told(course, "a third goes on", () => this.play(2, goesOn(2, [])));
    }
    return points;
  }

  #told(course: Course, what: string, run: () => void): void {
    this.#steps = 0;
    course.add(what);
    run();
  }

  /** Plays a script until it is cut off before a write; whether it came to its end. */
  #cutOff(course: Course, id: number, script: Script<unknown>, writes: number): boolean {
    const actor = this.#actors[id] as Actor;
    this.#steps = 0;
    course.add(`cut off before write ${writes}`);
    const whole = this.#mayDie(actor, script, writes);
    course.add(whole ? "at its end" : actor.diedBefore);
    return whole;
  }

  /** A way back to this state. */
  #remember(): () => void {
    const bytes = this.arena.segment.slice();
    const globals = this.arena.globals();
    return () => this.#restore(bytes, globals);
  }

  #restore(bytes: Uint8Array, globals: unknown[][]): void {
    this.#steps = 0;
    this.arena.segment.set(bytes);
    this.arena.recall(globals);
    for (const actor of this.#actors) actor.late.forget();
  }

  /** Whether the script ended before it was killed. */
  #mayDie(actor: Actor, script: Script<unknown>, writes: number): boolean {
    actor.writesLeft = writes;
    try {
      this.#play(actor, script);
      return true;
    } catch (error) {
      if (error !== DEATH) throw error;
      actor.late.forget();
      return false;
    }
  }

  #play<T>(actor: Actor, script: Script<T>): T {
    this.#acting = actor;
    return play(script, {
      exports: actor.exports,
      memory: this.arena.segment,
      reach: (access) => {
        if (access.is === "write") this.#countWrite(actor, () => `the host's write of [${access.offset}]`);
      },
      returned: () => {
        if (actor.late.any) this.#countWrite(actor, () => "a late store");
        actor.late.flush();
      },
    });
  }

  #countWrite(actor: Actor, what: () => string): void {
    if (actor.writesLeft-- > 0) return;
    actor.diedBefore = what();
    throw DEATH;
  }

  #step(actor: Actor, site: number, address: number): void {
    this.arena.checkInside(address);
    if (++this.#steps > STEPS_MAX) throw new Error(`no end after ${STEPS_MAX} accesses`);
    this.reached[site]++;
    if (!(this.arena.sites[site] as Site).writes) return;
    if (actor === this.#actors[VICTIM]) this.#meanwhile?.(address);
    if (actor.diesAt === address) throw DEATH;
    this.#writers?.push({ address, site });
    if (actor.writesLeft <= 0) this.killed[site]++;
    this.#countWrite(actor, () => this.arena.describe(site, address));
  }

  #actor(): Actor {
    const interception = new Interception(this.arena.view, () => this.mutation);
    const actor: Actor = { exports: {}, writesLeft: 0, diesAt: -1, diedBefore: "", late: interception.late };
    actor.exports = this.arena.instantiate(
      {
        step: (site, address) => this.#step(actor, site, address),
        ...interception.hooks(),
      },
      this.system && { sys: this.system.functions(this.arena.view) },
    );
    return actor;
  }
}
