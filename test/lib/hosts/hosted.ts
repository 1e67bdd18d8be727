/** What hosts do with the hosted core, as scripts. What a host keeps to itself are fields of plain objects. */
import { RESULT_OFFSETS } from "../../../protocol/layout.js";
import { call, read, type Script, variable, write } from "../script.js";
import { recordBytes } from "./ring.js";
import { CoreError } from "./segment.js";

/** The offset of a new or an old object; throws an error. */
export function* hostedOpen(type: number, name: string, first = 0): Script<number> {
  const bytes = Buffer.from(name);
  yield* write((yield* call("scratch")) >>> 0, bytes);
  const offset = (yield* call("hostedOpen", type, bytes.length, first, 0)) >>> 0;
  if (offset < RESULT_OFFSETS) throw new CoreError(`opening ${name}`, offset);
  return offset;
}

/** An end of a ring as its host keeps it. */
export interface HostedEnd {
  ring: number;
  capacity: number;
  at: number;
  advance: number;
  records: number;
}

/** Takes an end; the error's number when it is not to be had. */
export function* hostedAttach(
  ring: number,
  capacity: number,
  end: "producer" | "consumer",
  timeoutMs: number,
): Script<HostedEnd | number> {
  const producer = end === "producer" ? 1 : 0;
  const at = (yield* call("hostedRingAttach", ring, capacity, producer, timeoutMs)) >>> 0;
  return at < RESULT_OFFSETS ? at : { ring, capacity, at, advance: 0, records: 0 };
}

/** 0, or the error. */
export function* hostedSend(end: HostedEnd, payload: Uint8Array, timeoutMs: number): Script<number> {
  const { ring, capacity } = end;
  const found = (yield* call("hostedRingRoom", ring, capacity, end.at, payload.length, timeoutMs)) >>> 0;
  end.at = (yield* variable("recordAt")) >>> 0;
  if (found < RESULT_OFFSETS) return found;
  yield* write(found + 8, payload);
  const next = (yield* call("hostedRingCommit", ring, found, payload.length)) >>> 0;
  if (next < RESULT_OFFSETS) return next;
  end.at = next;
  return 0;
}

/** A copy of the next record, or the error. */
export function* hostedReceive(end: HostedEnd, timeoutMs: number): Script<Uint8Array | number> {
  const { ring, capacity, at, advance, records } = end;
  const found = (yield* call("hostedRingReceive", ring, capacity, at, advance, records, timeoutMs)) >>> 0;
  end.at = (yield* variable("recordAt")) >>> 0;
  end.advance = end.records = 0;
  if (found < RESULT_OFFSETS) return found;
  const length = (yield* variable("recordLength")) >>> 0;
  const payload = yield* read(found + 8, length);
  end.advance = recordBytes(length);
  end.records = 1;
  return payload;
}

/** Lets the producer have the room of what was received at once. */
export function* hostedRelease(end: HostedEnd): Script {
  const { ring, capacity, at, advance, records } = end;
  const next = (yield* call("hostedRingRelease", ring, capacity, at, advance, records)) >>> 0;
  if (next < RESULT_OFFSETS) throw new CoreError("hostedRingRelease", next);
  end.at = next;
  end.advance = end.records = 0;
}

export function* hostedCloseConsumer({ ring, capacity, at, advance, records }: HostedEnd): Script {
  yield* call("hostedRingCloseConsumer", ring, capacity, at, advance, records);
}

export type Mode = "shared" | "exclusive";

/** A lock as a host keeps it. Each gives the status of the call. */
export class HostedLock {
  held = 0;

  constructor(
    readonly lock: number,
    held = 0,
  ) {
    this.held = held;
  }

  *#told(script: Script<number>): Script<number> {
    const status = (yield* script) >>> 0;
    this.held = (yield* variable("lockHeld")) >>> 0;
    return status;
  }

  acquire(mode: Mode, timeoutMs: number): Script<number> {
    return this.#told(call("hostedLockAcquire", this.lock, this.held, mode === "shared" ? 1 : 0, timeoutMs));
  }

  nest(mode: Mode, timeoutMs: number): Script<number> {
    return this.#told(call("hostedLockNest", this.lock, this.held, mode === "shared" ? 1 : 0, timeoutMs));
  }

  upgrade(timeoutMs: number): Script<number> {
    return this.#told(call("hostedLockUpgrade", this.lock, this.held, timeoutMs));
  }

  downgrade(): Script<number> {
    return this.#told(call("hostedLockDowngrade", this.lock, this.held));
  }

  release(mode: Mode): Script<number> {
    return this.#told(call("hostedLockRelease", this.lock, this.held, mode === "shared" ? 1 : 0));
  }

  begin(timeoutMs: number): Script<number> {
    return this.#told(call("hostedTransactionBegin", this.lock, this.held, timeoutMs));
  }

  end(keep: boolean): Script<number> {
    return this.#told(call("hostedTransactionEnd", this.lock, this.held, keep ? 1 : 0));
  }
}
