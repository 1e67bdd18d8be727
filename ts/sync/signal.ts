import { EVICTED } from "../../protocol/errors.js";
import { FLAG_WAKE } from "../../protocol/layout.js";
import { flagsOf, isError } from "../core.js";
import { failure } from "../errors.js";
import { openItByItsNameOverThere } from "../host/describe.js";
import type { Attachment, Lease } from "../segment/attachment.js";
import { openObject } from "../segment/directory.js";
import type { Condition, NOT_YET } from "../wait/wait.js";

/** The common part of semaphores, events and counters. */
export class Signal {
  /** @internal */
  readonly cannotBeCloned = openItByItsNameOverThere;
  /** Its name in the segment. */
  readonly name: string;
  /** @internal */
  protected readonly lease: Lease;
  /** @internal */
  protected readonly offset: number;

  /** @internal */
  constructor(lease: Lease, name: string, type: number, parameters: Record<string, number>) {
    this.lease = lease;
    this.name = name;
    this.offset = openObject(lease.attachment, name, type, parameters).offset;
  }

  /** @internal */
  protected attachment(writing: boolean): Attachment {
    this.lease.attachment.check(writing);
    return this.lease.attachment;
  }

  /** @internal Throws for an error, wakes for a flag. */
  protected finish(result: number): void {
    const { attachment } = this.lease;
    if (result === EVICTED) throw attachment.removed();
    if (isError(result))
      throw failure(result, `"${this.name}" was changed by others during each attempt; try again`);
    if (flagsOf(result) & FLAG_WAKE) attachment.notify(attachment.core.signalWaiters(this.offset) >>> 0);
  }

  /** @internal */
  protected condition(what: string, attempt: () => undefined | typeof NOT_YET): Condition<undefined> {
    const waiters = this.lease.attachment.core.signalWaiters(this.offset) >>> 0;
    return { what: `waiting for ${what} "${this.name}"`, waiters, attempt, recheck: () => {} };
  }
}
