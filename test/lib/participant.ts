/** A participant of the explorer: an instance that can be suspended before any access, and the script it follows. */
import type { Arena, Exports } from "./arena.js";
import { Interception, type Mutation } from "./mutation.js";
import type { HostAccess, Script } from "./script.js";
import { KeptStores } from "./stores.js";
import type { System } from "./system.js";

/** Bytes that a suspended instance may take; far more than any call of the core needs. */
export const SUSPENDED_BYTES = 4096;

/** What clocks say at the beginning. */
export const BEGIN_MS = 1e6;

export type State = "ready" | "retry" | "until" | "spinning" | "asleep" | "pausing" | "done" | "dead";

/** Who decides what happens before each access. */
interface Owner {
  readonly mutation: Mutation | undefined;
  step(one: Participant, site: number, address: number): void;
  /** What a core for hosts that block imports besides. */
  system?(one: Participant): System;
  /** Whether this store is to stay invisible to others for a while. */
  keepsBack(site: number): boolean;
}

/** A host access under way. */
interface HostStep {
  access: HostAccess;
  half: number;
  read: Uint8Array;
}

export class Participant {
  state: State = "ready";
  script: Script<unknown> = emptyScript();
  /** What the script gets for its latest request. */
  answer: unknown;
  /** No access was made since the participant came on. */
  fresh = true;
  /** Changes of memory by others when the attempt, or the spinning, began. */
  mark = 0;
  holds: () => boolean = () => true;
  sleepsOn = -1;
  /** Changes of memory when it last woke without having been woken. */
  timedOutAt = -1;
  host: HostStep | undefined;
  readonly spin = new SpinDetector();
  /** Plain stores that are not visible to others yet. */
  readonly kept: KeptStores;
  readonly interception: Interception;
  /** The core's own call of the system in which the participant sleeps. */
  asks: { forMs: number } | undefined;
  /** Its clock: it goes on while the participant sleeps. */
  nowMs = BEGIN_MS;
  /** Changes of memory by others when its latest pause ended, or its call began. */
  since = 0;
  readonly exports: Exports;
  #call: (() => number) | undefined;
  #suspended = false;
  #unwinding = false;
  #rewinding = false;
  readonly #frame: Int32Array;

  constructor(
    readonly id: number,
    arena: Arena,
    owner: Owner,
    module = 0,
  ) {
    const base = arena.segment.length + id * SUSPENDED_BYTES;
    this.#frame = new Int32Array(arena.bytes.buffer, base, 2);
    this.kept = new KeptStores(arena.view);
    this.interception = new Interception(
      arena.view,
      () => owner.mutation,
      (site) => (owner.keepsBack(site) ? this.kept : undefined),
    );
    this.exports = arena.instantiate(
      { step: (site, address) => owner.step(this, site, address), ...this.interception.hooks() },
      owner.system && { sys: owner.system(this) },
      module,
    );
  }

  reset(script: Script<unknown>): void {
    this.unwound();
    this.state = "ready";
    this.script = script;
    this.answer = undefined;
    this.mark = 0;
    this.timedOutAt = -1;
    this.host = undefined;
    this.asks = undefined;
    this.nowMs = BEGIN_MS;
    this.since = 0;
    this.#call = undefined;
    this.#suspended = false;
    this.spin.reset();
    this.kept.forget();
    this.interception.late.forget();
  }

  get ended(): boolean {
    return this.state === "done" || this.state === "dead";
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  beginHost(access: HostAccess): void {
    this.host = { access, half: 0, read: new Uint8Array(access.is === "read" ? access.length : 0) };
  }

  begin(call: () => number): void {
    this.#call = call;
  }

  /** Runs the call until it returns (true) or is suspended (false). */
  enter(): boolean {
    if (this.#suspended) {
      this.#suspended = false;
      this.#rewinding = true;
      this.exports.asyncify_start_rewind?.(this.#frame.byteOffset);
    }
    const result = this.#call?.();
    if (this.#unwinding) {
      this.#unwinding = false;
      this.exports.asyncify_stop_unwind?.();
      this.#suspended = true;
      return false;
    }
    this.answer = result;
    return true;
  }

  /** Called by `step`, and by the system: the call under way stops here. */
  suspend(): void {
    this.#frame[0] = this.#frame.byteOffset + 8;
    this.#frame[1] = this.#frame.byteOffset + SUSPENDED_BYTES;
    this.#unwinding = true;
    this.exports.asyncify_start_unwind?.(this.#frame.byteOffset);
  }

  /** Called by `step`, and by the system: whether this is where the call had stopped. */
  arrived(): boolean {
    if (!this.#rewinding) return false;
    this.#rewinding = false;
    this.exports.asyncify_stop_rewind?.();
    return true;
  }

  /** Puts the instance in order after an exception. */
  unwound(): void {
    const state = this.exports.asyncify_get_state?.();
    if (state === 1) this.exports.asyncify_stop_unwind?.();
    if (state === 2) this.exports.asyncify_stop_rewind?.();
    this.#unwinding = false;
    this.#rewinding = false;
  }
}

function* emptyScript(): Script {}

/**
 * Recognises a loop inside the core that waits for others: the same run of accesses twice over, ending in an atomic one,
 * while nothing changed. "The same access again" would be too coarse: a scan reads a count again and again.
 */
class SpinDetector {
  readonly #seen: number[] = [];
  #changes = -1;
  off = false;

  reset(): void {
    this.#seen.length = 0;
    this.#changes = -1;
    this.off = false;
  }

  forget(): void {
    this.#seen.length = 0;
  }

  /** Notes an access made after so many changes of memory; true when it completes the repetition. */
  repeats(access: number, atomic: boolean, changes: number): boolean {
    if (this.off) return false;
    if (this.#changes !== changes) {
      this.#seen.length = 0;
      this.#changes = changes;
    }
    if (atomic && this.#endsTwice(access)) {
      this.#seen.length = 0;
      return true;
    }
    this.#seen.push(access);
    return false;
  }

  #endsTwice(access: number): boolean {
    const seen = this.#seen;
    const earlier = seen.lastIndexOf(access);
    const period = seen.length - earlier;
    if (earlier < 0 || earlier - period + 1 < 0) return false;
    for (let back = 1; back < period; back++) {
      if (seen[earlier - back] !== seen[seen.length - back]) return false;
    }
    return true;
  }
}
