/**
 * Runs participants over one memory in one thread, one access at a time, in an order that a `Chooser` decides.
 *
 * Before each access the participant may be preempted (costs one of `preemptions`) or, before a write, die (costs one of
 * `deaths`); a plain store may be kept back (costs one of `delays`). A switch because somebody ended, sleeps or waits costs
 * nothing. Whole accesses are interleaved: what is found is right or wrong under sequential consistency, plus late stores.
 *
 *  * A participant that asked to retry runs again once somebody else has changed memory. A write that leaves memory as it
 *    was is no change, else two spinners would wake each other for ever.
 *  * There is no preemption before the first access after a switch: it would equal another choice at the switch.
 *  * A kept store becomes visible at its owner's next atomic write, at its own access to those bytes, at its death, or when
 *    nobody can go on. An atomic load does not wait for it, as little as processors do.
 *  * Sleepers wake by themselves only when everybody is stuck after a death: else a lost wake-up would go unseen.
 *
 * A core for hosts that block calls the system from within (`system.ts`). Each of these calls is an access, before which others
 * may come, and a barrier.
 *
 *  * `wait` sleeps as above. It ends by itself also when everybody is stuck and its time is shorter than RECHECK_MS: then the
 *    caller's time is over. One of `timeouts` ends any `wait` while others could go on.
 *  * `sleep` ends when somebody else has changed memory since the latest one, or when everybody is stuck: then it took long.
 *  * Each participant has a clock of its own. It goes on by what a sleep lasts: all of its time, or `wakingMs` if it was woken.
 */
import { RECHECK_MS } from "../../protocol/limits.js";
import { Arena } from "./arena.js";
import { Changes } from "./changes.js";
import { type Bounds, Decisions } from "./decisions.js";
import type { Instrumented, Site } from "./instrument.js";
import { type Mutation, orders } from "./mutation.js";
import { BEGIN_MS, Participant, SUSPENDED_BYTES } from "./participant.js";
import { copyHalf, halvesOf, play, variableOf } from "./play.js";
import type { Chooser } from "./schedule.js";
import { LATE_STORES, type Request, type Script } from "./script.js";
import { KernelLocks, type System } from "./system.js";

const STEPS_MAX = 20_000;
/** How long a pause lasts when nobody else can go on: longer than anything that is waited for with pauses. */
const LONG_MS = 10_000;
/** Who has slept so long in vain after a death sleeps for ever. */
const FOR_EVER_MS = 20_000;
const CUT_OFF = new Error("cut off");

export class World {
  readonly arena: Arena;
  readonly participants: Participant[];
  mutation: Mutation | undefined;
  /** SHA-256 of the file that was instrumented. */
  readonly source: string;
  readonly kernel = new KernelLocks();
  /** A bug of the system, planted in what the cores call. */
  flaw: ((genuine: System) => Partial<System>) | undefined;
  /** What passes on the clock of one that sleeps until it is woken. */
  wakingMs = 0;
  /** How often each site was reached while exploring. */
  readonly reached: Uint32Array;
  /** What happened, when somebody wants to read it. */
  log: string[] | undefined;
  readonly #decisions = new Decisions();
  #next: Participant | undefined;
  #steps = 0;
  /** Whose call is cut off, before its next write but so many. */
  #cut: { id: number; writesLeft: number } | undefined;
  #initial: Uint8Array;
  #globals: unknown[][] = [];
  #locks: ReadonlyMap<number, number> = new Map();
  readonly #changes: Changes;

  /** `cores`: the one that all have, or that of each. */
  constructor(cores: Instrumented | readonly Instrumented[], segmentBytes: number, participants: number) {
    const each = [cores].flat();
    const instrumented = [...new Set(each)];
    this.source = instrumented.map(({ source }) => source).join(" ");
    this.arena = new Arena(instrumented, segmentBytes, participants * SUSPENDED_BYTES);
    this.#changes = new Changes(new Int32Array(this.arena.bytes.buffer), participants);
    this.#initial = new Uint8Array(segmentBytes);
    this.reached = new Uint32Array(this.arena.sites.length);
    this.participants = Array.from(
      { length: participants },
      (_, id) =>
        new Participant(id, this.arena, this, instrumented.indexOf((each[id] ?? each[0]) as Instrumented)),
    );
  }

  /** Runs a script outside of the exploration: nobody interferes. */
  play<T>(id: number, script: Script<T>): T {
    const { exports, interception } = this.participants[id] as Participant;
    return play(script, {
      exports,
      memory: this.arena.segment,
      returned: () => interception.late.flush(),
    });
  }

  /**
   * Runs a script outside of the exploration until it is about to make one write more than so many: there its call is cut off,
   * and its participant lives on.
   */
  cutOff(id: number, script: Script<unknown>, writes: number): void {
    this.#cut = { id, writesLeft: writes };
    try {
      this.play(id, script);
    } catch (error) {
      if (error !== CUT_OFF) throw error;
      return;
    } finally {
      this.#cut = undefined;
    }
    throw new Error(`a call that was to be cut off has ended before ${writes} writes`);
  }

  /** Clears the segment, lets `before` fill it, and makes that the state each run begins with. */
  prepare(before: () => void): void {
    this.#steps = 0;
    this.arena.segment.fill(0);
    this.arena.recall();
    this.kernel.state = new Map();
    this.wakingMs = 0;
    before();
    this.#initial = this.arena.segment.slice();
    this.#globals = this.arena.globals();
    this.#locks = this.kernel.state;
  }

  /** One run from the prepared state; throws when a script fails or somebody is stuck. */
  run(scripts: Script<unknown>[], bounds: Bounds, mortal: readonly number[], chooser: Chooser): void {
    this.arena.segment.set(this.#initial);
    this.arena.recall(this.#globals);
    this.kernel.state = this.#locks;
    this.#changes.reset();
    this.#steps = 0;
    this.#next = undefined;
    for (const one of this.participants) one.reset(scripts[one.id] ?? nothing());
    for (const one of this.participants) if (!scripts[one.id]) one.state = "done";
    this.#decisions.begin(bounds, mortal, chooser);
    try {
      this.#schedule();
    } finally {
      this.#decisions.end();
      this.#steps = 0;
      for (const one of this.participants) one.unwound();
    }
  }

  state(id: number): string {
    return this.participants[id]?.state ?? "absent";
  }

  #schedule(): void {
    for (;;) {
      const chosen = this.#next ?? this.#choose();
      this.#next = undefined;
      if (chosen) this.#resume(chosen);
      else if (!this.#breakTie()) break;
    }
    const stuck = this.participants.filter((one) => !one.ended);
    if (stuck.length > 0) {
      throw new Error(`stuck: ${stuck.map((one) => `participant ${one.id} ${one.state}`).join(", ")}`);
    }
  }

  #choose(): Participant | undefined {
    this.#changes.settle();
    const runnable = this.participants.filter((one) => this.#runnable(one));
    if (runnable.length > 0) runnable.push(...this.participants.filter((one) => this.#mayTimeOut(one)));
    return this.#decisions.next(runnable);
  }

  #mayTimeOut(one: Participant): boolean {
    return this.#decisions.mayTimeOut && one.state === "asleep" && one.asks !== undefined;
  }

  /** Nobody can go on: makes visible what is kept back, lets spinners spin, and after a death wakes sleepers. */
  #breakTie(): boolean {
    for (const one of this.participants) if (this.#flush(one)) return true;
    for (const one of this.participants) {
      if (one.state === "spinning" && !one.spin.off) {
        one.spin.off = true;
        one.state = "ready";
        return true;
      }
      if (one.state === "pausing") {
        one.state = "ready";
        one.nowMs += LONG_MS;
        return true;
      }
    }
    return this.#endsEarliest();
  }

  /** The sleep ends that began earliest, of those that end by themselves. */
  #endsEarliest(): boolean {
    const sleepers = this.participants.filter((one) => one.state === "asleep" && this.#wakesByItself(one));
    const [first] = sleepers.sort((one, other) => one.nowMs - other.nowMs);
    if (!first) return false;
    first.timedOutAt = this.#changes.total;
    if (first.nowMs > BEGIN_MS + FOR_EVER_MS) return false;
    this.#timeIsOver(first);
    return true;
  }

  #wakesByItself(one: Participant): boolean {
    if (one.asks && one.asks.forMs < RECHECK_MS) return true;
    return this.#decisions.deaths > 0 && one.timedOutAt !== this.#changes.total;
  }

  #timeIsOver(one: Participant): void {
    this.log?.push(`participant ${one.id}: wakes by itself`);
    one.state = "ready";
    one.nowMs += one.asks?.forMs ?? RECHECK_MS;
  }

  #runnable(one: Participant): boolean {
    if (one.state === "until") return one.holds();
    if ((one.state === "retry" || one.state === "spinning") && this.#changes.byOthers(one.id) !== one.mark)
      one.state = "ready";
    if (one.state === "pausing" && this.#changes.byOthers(one.id) !== one.since) one.state = "ready";
    return one.state === "ready";
  }

  /** Lets the participant run until it is switched away from, waits, dies or ends. */
  #resume(one: Participant): void {
    if (one.state === "asleep") {
      this.#decisions.timedOut();
      this.#timeIsOver(one);
    }
    one.fresh = true;
    one.state = "ready";
    let goesOn = one.suspended ? this.#enter(one) : one.host ? this.#serveHost(one) : true;
    while (goesOn) goesOn = this.#nextRequest(one);
  }

  #nextRequest(one: Participant): boolean {
    this.#changes.settle();
    const { value, done } = one.script.next(one.answer);
    one.answer = undefined;
    if (!done) return this.#serve(one, value);
    this.#end(one, "done");
    return false;
  }

  #serve(one: Participant, request: Request): boolean {
    switch (request.is) {
      case "call": {
        const exported = one.exports[request.name];
        if (!exported) throw new Error(`the core has no ${request.name}`);
        this.log?.push(`participant ${one.id}: ${request.name}(${request.args.join(", ")})`);
        one.since = this.#changes.byOthers(one.id);
        one.begin(() => exported(...request.args));
        return this.#enter(one);
      }
      case "variable":
        one.answer = variableOf(one.exports, request.name);
        return true;
      case "attempt":
        one.mark = this.#changes.byOthers(one.id);
        return true;
      case "retry":
        one.state = "retry";
        return this.#runnable(one);
      case "until":
        one.state = "until";
        one.holds = request.holds;
        return this.#runnable(one);
      default:
        one.beginHost(request);
        return this.#serveHost(one);
    }
  }

  #enter(one: Participant): boolean {
    if (!one.enter()) return false;
    this.#changes.settle();
    one.spin.forget();
    this.log?.push(`participant ${one.id}: gave ${one.answer}`);
    if (!one.interception.late.any) return true;
    one.beginHost(LATE_STORES);
    return this.#serveHost(one);
  }

  #serveHost(one: Participant): boolean {
    const host = one.host;
    if (!host) return true;
    const { access } = host;
    const writes = access.is === "write" || access.is === "late";
    for (; host.half < halvesOf(access); host.half++) {
      this.#changes.settle();
      this.#countStep();
      if (!this.#mayGoOn(one, writes, () => `${access.is} of [${access.offset}] by the host`)) return false;
      one.fresh = false;
      if (access.is === "sleep" || access.is === "wake") this.#flush(one); // a system call is a barrier
      if (access.is === "read") this.#flush(one, { address: access.offset, bytes: access.length });
      copyHalf(access, host.half, this.arena.segment, host.read);
      if (access.is === "late") one.interception.late.flush();
      if (writes) this.#changes.made(one.id);
    }
    one.host = undefined;
    if (access.is === "read") one.answer = host.read;
    if (access.is === "wake") this.#wake(access.offset);
    return access.is !== "sleep" || !this.#fallsAsleep(one, access.offset, access.expected);
  }

  #fallsAsleep(one: Participant, offset: number, expected: number): boolean {
    if (this.arena.view.getUint32(offset, true) !== expected >>> 0) return false;
    one.state = "asleep";
    one.sleepsOn = offset;
    return true;
  }

  #wake(offset: number): void {
    for (const one of this.participants) {
      if (one.state !== "asleep" || one.sleepsOn !== offset) continue;
      one.state = "ready";
      if (one.asks) one.nowMs += Math.min(this.wakingMs, one.asks.forMs);
    }
  }

  system(one: Participant): System {
    const genuine = this.#genuine(one);
    const flawed = (): Partial<System> | undefined => this.flaw?.(genuine);
    const calls = Object.keys(genuine).map((name) => [
      name,
      (...given: number[]) =>
        ((flawed()?.[name] ?? genuine[name]) as (...all: number[]) => unknown)(...given),
    ]);
    return Object.fromEntries(calls) as System;
  }

  #genuine(one: Participant): System {
    const others = (index: number): boolean => this.kernel.heldByOther(index, one.id);
    return {
      lock: (index, mode) =>
        this.#ask(one, `lock(${index}, ${mode})`, true, () => {
          if (mode === 0) this.kernel.giveBack(index, one.id);
          else if (mode === 1 ? others(index) : !this.kernel.take(index, one.id)) return 0;
          this.#changes.made(one.id);
          return 1;
        }),
      held: (index) => this.#ask(one, `held(${index})`, false, () => (others(index) ? 1 : 0)),
      wake: (offset) =>
        void this.#ask(one, `wake(${offset})`, true, () => {
          this.#wake(offset >>> 0);
          return 0;
        }),
      wait: (offset, expected, ms) =>
        void this.#ask(one, `wait(${offset}, ${expected})`, false, () => {
          if (this.#fallsAsleep(one, offset >>> 0, expected)) this.#suspendFor(one, ms);
          return 0;
        }),
      sleep: (ms) =>
        void this.#ask(one, `sleep(${ms})`, false, () => {
          one.state = "pausing";
          this.#suspendFor(one, ms);
          return 0;
        }),
      now: () => one.nowMs,
      wall: () => 1e18 + one.nowMs * 1e6,
    };
  }

  /** A call of the system by the core: it happens now, or the participant is suspended before it, or in it. */
  #ask(one: Participant, what: string, writes: boolean, serve: () => number): number {
    if (!this.#decisions.running) {
      this.#countStep();
      const answer = serve();
      if (one.state === "asleep" || one.state === "pausing") throw new Error("sleeps for ever");
      return answer;
    }
    if (one.arrived()) {
      if (one.asks) {
        one.asks = undefined;
        one.since = this.#changes.byOthers(one.id);
        return 0;
      }
    } else {
      this.#changes.settle();
      this.#countStep();
      one.spin.forget();
      if (!this.#mayGoOn(one, writes, () => `sys.${what}`)) {
        one.suspend();
        return 0;
      }
    }
    one.fresh = false;
    this.log?.push(`  participant ${one.id}: sys.${what}`);
    this.#flush(one); // a system call is a barrier
    return serve();
  }

  #suspendFor(one: Participant, ms: number): void {
    if (!this.#decisions.running) return;
    one.asks = { forMs: ms };
    one.suspend();
  }

  keepsBack(site: number): boolean {
    const ordered = orders(this.arena.sites[site] as Site, site, this.mutation);
    const kept = this.#decisions.running && !ordered && this.#decisions.keepsBack();
    if (kept) this.log?.push("  … and that store is kept back");
    return kept;
  }

  step(one: Participant, site: number, address: number): void {
    this.arena.checkInside(address);
    if (!this.#decisions.running) this.#playedStep(one, site);
    else if (one.arrived() || this.#goesOn(one, site, address)) this.#announce(one, site, address);
    else one.suspend();
  }

  #playedStep(one: Participant, site: number): void {
    this.#countStep();
    const cut = this.#cut;
    if (cut?.id === one.id && (this.arena.sites[site] as Site).writes && cut.writesLeft-- === 0)
      throw CUT_OFF;
  }

  #goesOn(one: Participant, site: number, address: number): boolean {
    this.#changes.settle();
    this.#countStep();
    this.reached[site]++;
    const { atomic, writes } = this.arena.sites[site] as Site;
    if (one.spin.repeats(site * 65536 + address, atomic, this.#changes.total)) {
      one.state = "spinning";
      one.mark = this.#changes.byOthers(one.id);
      return false;
    }
    return this.#mayGoOn(one, writes, () => this.arena.describe(site, address));
  }

  #countStep(): void {
    if (++this.#steps > STEPS_MAX) throw new Error(`no end after ${STEPS_MAX} accesses`);
  }

  /** Decides what happens before an access: it goes on (true), is preempted, or dies. */
  #mayGoOn(one: Participant, writes: boolean, what: () => string): boolean {
    const mayPreempt = this.#decisions.mayPreempt && !one.fresh;
    const others = mayPreempt
      ? this.participants.filter(
          (other) => other !== one && (this.#runnable(other) || this.#mayTimeOut(other)),
        )
      : [];
    const decided = this.#decisions.beforeAccess(one, writes, others);
    if (decided === "done") return true;
    this.log?.push(`participant ${one.id}: ${decided === "death" ? "DIES" : "preempted"} before ${what()}`);
    if (decided === "death") this.#end(one, "dead");
    else this.#next = decided;
    return false;
  }

  /** The host learns of an end and of a death: both count as a change. */
  #end(one: Participant, how: "done" | "dead"): void {
    this.#changes.settle();
    if (how === "dead") {
      one.kept.flush();
      this.kernel.drop(one.id);
    }
    one.state = how;
    this.#changes.made(one.id);
  }

  #announce(one: Participant, site: number, address: number): void {
    one.fresh = false;
    const found = this.arena.sites[site] as Site;
    const { writes, bytes } = found;
    this.log?.push(`  participant ${one.id}: ${this.arena.describe(site, address)}`);
    const all = bytes === 0 || orders(found, site, this.mutation);
    if (one.kept.any) this.#flush(one, all ? undefined : { address, bytes });
    if (writes) this.#changes.announce(one.id, address, bytes === 0);
  }

  /** Makes kept stores visible, all or those that touch the range; whether there were any. */
  #flush(one: Participant, range?: { address: number; bytes: number }): boolean {
    if (!one.kept.flush(range?.address, range?.bytes)) return false;
    this.#changes.made(one.id);
    return true;
  }
}

function* nothing(): Script {}
