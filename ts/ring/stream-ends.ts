import { END_DEAD, END_LIVE } from "../../protocol/layout.js";
import { soon } from "../host/under-way.js";
import { NOT_YET } from "../wait/wait.js";
import type { Told } from "./records.js";

/** A stream of records, as its receiving end asks for its end. */
export interface Stream {
  /**
   * For one that has found no record: END_CLOSED or END_DEAD when the stream has ended, once; 0 while it goes on; END_LIVE:
   * something was sent right before the end.
   */
  end(): number;
  /** The error of a stream that ended with a death. */
  died(): Error;
}

/** The ends of the streams of a receiving end: every call that waits, and every loop, learns of each end once. */
export class StreamEnds {
  /** How many ends were reported, and whether the latest one was a death. */
  #count = 0;
  #wasDeath = false;
  /** The latest end was reported by the code that runs now. Calls that are made in the same turn learn of it, too. */
  #isNew = false;

  /** What a call learns of that begins now: only of later ends. */
  now(): Told {
    return { ends: this.#count };
  }

  /** The same for a call that does not block. */
  newcomer(): Told {
    return { ends: this.#isNew ? this.#count - 1 : this.#count };
  }

  /** Whether a call was told of all ends so far. */
  knows(told: Told): boolean {
    return told.ends === this.#count;
  }

  /** What a call gets that waits for a record, or for the end of the stream. */
  attempt<V, E>(
    stream: Stream,
    take: () => V | undefined,
    atEnd: E,
    told: Told,
    isAsync: boolean,
  ): V | E | typeof NOT_YET {
    if (this.knows(told)) {
      const taken = take();
      if (taken !== undefined) return taken;
      let end = stream.end();
      while (end === END_LIVE) {
        const last = take(); // sent directly before the end
        if (last !== undefined) return last;
        end = stream.end();
      }
      if (end === 0) return NOT_YET;
      this.#reported(end === END_DEAD, isAsync);
    }
    told.ends = this.#count;
    if (this.#wasDeath) throw stream.died();
    return atEnd;
  }

  #reported(died: boolean, isAsync: boolean): void {
    this.#count++;
    this.#wasDeath = died;
    if (!isAsync) return;
    this.#isNew = true;
    soon(() => {
      this.#isNew = false;
    });
  }
}
