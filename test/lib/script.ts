/**
 * What a participant of a lane does: a generator that yields requests, one at a time. The crash lane serves them straight
 * away and may kill before any write; the explorer may also run other participants between any two accesses. Both lanes
 * therefore run the very same operations.
 */

export type Request =
  /** Calls an export of the core. */
  | { is: "call"; name: string; args: number[] }
  /** Reads a variable that the participant's instance exports. */
  | { is: "variable"; name: string }
  /** The host writes a payload, in two halves. */
  | { is: "write"; offset: number; bytes: Uint8Array }
  /** The host reads a payload, in two halves. */
  | { is: "read"; offset: number; length: number }
  /** An attempt begins: what `retry` refers to. */
  | { is: "attempt" }
  /** "Full", "empty", "busy": nothing to do until another participant changed memory since the attempt began. */
  | { is: "retry" }
  /** Nothing to do until the condition holds. */
  | { is: "until"; holds: () => boolean }
  /** Sleeps while the 32-bit word equals `expected`, as the shim does. */
  | { is: "sleep"; offset: number; expected: number }
  /** Wakes whoever sleeps on the word. */
  | { is: "wake"; offset: number };

/** Stores that a planted bug does late, once the call has returned: not for scripts. */
export const LATE_STORES = { is: "late", offset: -1 } as const;

/** A host access, which the lanes treat like an access of the core. */
export type HostAccess = Extract<Request, { offset: number }> | typeof LATE_STORES;

export type Script<T = void> = Generator<Request, T, unknown>;

export function* call(name: string, ...args: number[]): Script<number> {
  return (yield { is: "call", name, args }) as number;
}

export function* variable(name: string): Script<number> {
  return (yield { is: "variable", name }) as number;
}

export function* write(offset: number, bytes: Uint8Array): Script {
  yield { is: "write", offset, bytes };
}

export function* read(offset: number, length: number): Script<Uint8Array> {
  return (yield { is: "read", offset, length }) as Uint8Array;
}

export function* until(holds: () => boolean): Script {
  yield { is: "until", holds };
}

export function* sleep(offset: number, expected: number): Script {
  yield { is: "sleep", offset, expected };
}

export function* wake(offset: number): Script {
  yield { is: "wake", offset };
}

/** Repeats the body until it gives something; between two attempts others run. */
export function* attempt<T>(body: () => Script<T | undefined>): Script<T> {
  for (;;) {
    yield { is: "attempt" };
    const result = yield* body();
    if (result !== undefined) return result;
    yield { is: "retry" };
  }
}
