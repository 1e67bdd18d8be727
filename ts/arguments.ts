/** Checks arguments. An error names the argument, what was expected, and the value. */
import { isRevoked } from "./brand.js";
import { bytesUnder, isDetached, isHonest, isUint8Array } from "./bytes.js";

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return String(value);
  if (isRevoked(value)) return "a revoked Proxy";
  try {
    return Object.prototype.toString.call(value);
  } catch {
    return "an object"; // it does not let itself be looked at
  }
}

export function wrongType(argument: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${argument} must be ${expected}, got ${shown(value)}`);
}

/**
 * The first argument of constructors that only this package calls, if they do not take a lease. A program cannot make up such a
 * value, and no object of the package leads to it.
 */
export const OURS = Symbol("only functions of isthmus call this constructor");

/** Throws when the user has called a constructor that only this package calls. */
export function checkOurs(by: unknown, name: string, maker: string): void {
  if (by !== OURS) throw notMade(name, maker);
}

/** The error for `new` of a class whose objects are made by a function. */
export function notMade(name: string, maker: string): TypeError {
  return new TypeError(`${name} cannot be constructed with new: call ${maker}`);
}

export function integer(argument: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw wrongType(argument, "a number", value);
  if (!Number.isInteger(value) || value < min || value > max) {
    const expected = min === max ? `${min}` : `an integer from ${min} to ${max}`;
    throw new RangeError(`${argument} must be ${expected}, got ${value}`);
  }
  return value;
}

export function text(argument: string, value: unknown): string {
  if (typeof value !== "string") throw wrongType(argument, "a string", value);
  return value;
}

export function oneOf<T extends string>(argument: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) {
    const list = allowed.map((word) => `"${word}"`).join(" or ");
    if (typeof value === "string") throw new RangeError(`${argument} must be ${list}, got ${shown(value)}`);
    throw wrongType(argument, list, value);
  }
  return value as T;
}

export function flag(argument: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== "boolean") throw wrongType(argument, "a boolean", value);
  return value;
}

export function objectOf<T extends object>(argument: string, value: T): T {
  if (value === null || typeof value !== "object" || isRevoked(value))
    throw wrongType(argument, "an object", value);
  return value;
}

/**
 * Checks the options of a call. It refuses unknown options, because a misspelled name would otherwise be ignored.
 *
 * @param known the names of all options of this call
 */
export function options<T extends object>(
  argument: string,
  value: T | undefined,
  known: readonly string[],
): Partial<T> {
  if (value === undefined) return {};
  const names = Object.keys(objectOf(argument, value));
  // An empty array, an AbortSignal or a Map has no property with the name of an option, so it would count as options that are
  // all left out. An AbortController has a property `signal`.
  const isPlain = names.length > 0 || Object.prototype.toString.call(value) === "[object Object]";
  if (!isPlain && !known.some((name) => name in value))
    throw wrongType(argument, `an object like { ${known[0]}: … }`, value);
  for (const name of names) {
    if (!known.includes(name)) throw unknownName(argument, "option", name, known);
  }
  return value;
}

/** Returns the known name that is nearest to an unknown one. */
export function unknownName(
  argument: string,
  kind: "option" | "field",
  name: string,
  known: readonly string[],
): TypeError {
  const nearest = known.map((word) => ({ word, far: distance(name, word) })).sort((a, b) => a.far - b.far)[0];
  const near = nearest && nearest.far <= name.length / 2; // for a name of one letter, only the case may differ
  const advice = near ? `did you mean "${nearest.word}"?` : `known are ${known.join(", ") || "none"}`;
  return new TypeError(`${argument} has no ${kind} ${shown(name)}; ${advice}`);
}

/** The number of letters to insert, remove or change to turn one word into the other; less if one begins with the other. */
function distance(from: string, to: string): number {
  const a = from.toLowerCase();
  const b = to.toLowerCase();
  if (a === b) return 0;
  if (a !== "" && (b.startsWith(a) || a.startsWith(b))) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/** As `Array.isArray`, which throws for a revoked Proxy. */
export function isArray<T>(value: T): value is Extract<T, readonly unknown[]> {
  return !isRevoked(value) && Array.isArray(value);
}

export function callback(argument: string, value: unknown): void {
  if (typeof value !== "function" || isRevoked(value)) throw wrongType(argument, "a function", value);
}

/** The bytes of any view. A Uint8Array, of any realm, is returned unchanged. */
export function bytesOf(argument: string, value: unknown): Uint8Array {
  if (isUint8Array(value)) {
    if (!isHonest(value)) {
      throw new TypeError(
        `${argument} must be a Uint8Array with its true length, got one that says ${shown(value.length)}`,
      );
    }
    if (value.length === 0 && isDetached(value)) throw detached(argument);
    return value;
  }
  if (!ArrayBuffer.isView(value)) throw wrongType(argument, "a Uint8Array", value);
  if (isDetached(value)) throw detached(argument);
  return bytesUnder(value);
}

/** The error for a view whose memory is gone. */
export function detached(argument: string): TypeError {
  return new TypeError(
    `${argument} must not be detached: its buffer was transferred, or became smaller than the view`,
  );
}

/** The bytes of an element of `arrayOfBytes`. */
export function elementOf(arrayOfBytes: readonly unknown[], index: number): Uint8Array {
  const value = arrayOfBytes[index];
  const usual = isUint8Array(value) && value.length > 0 && isHonest(value);
  return usual ? value : bytesOf(`arrayOfBytes[${index}]`, value);
}

/** The part of an `AbortSignal` that a wait needs. The AbortSignal of every runtime has it. */
export interface AbortSource {
  /** Whether it is already aborted: then the call does not wait. */
  readonly aborted: boolean;
  /** The reason with which the wait is rejected. */
  readonly reason: unknown;
  /**
   * Called when the first wait with this signal begins. One listener serves all of them.
   *
   * @param type "abort"
   * @param listener ends the waits
   * @throws nothing; an error rejects the wait
   */
  addEventListener(type: "abort", listener: () => void): void;
  /**
   * Called when the last wait with this signal ends.
   *
   * @param type "abort"
   * @param listener the one that was added
   * @throws nothing; an error is ignored, because the wait already has its result
   */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** The `AbortSignal` of the runtime, as its types say; in a program without such types, the part of it that a wait needs. */
export type RuntimeSignal = typeof globalThis extends { AbortSignal: { prototype: infer S } }
  ? S
  : AbortSource;

/**
 * How long to wait, and a signal that ends the wait. Time is real time, even if a test framework has replaced timers and
 * clocks: fake time does not advance a wait.
 */
export interface WaitOptions {
  /** Aborting it rejects the wait with the signal's reason. Default: none. */
  signal?: AbortSource | undefined;
  /** Milliseconds, 0 to 2^31 - 1, or Infinity (the default): a wait without an end. 0 looks once. */
  timeoutMs?: number | undefined;
}

/** How long to wait, in real time, even if a test framework has replaced timers and clocks. */
export interface WaitSyncOptions {
  /** Milliseconds, 0 to 2^31 - 1, or Infinity (the default): a wait without an end. 0 looks once. */
  timeoutMs?: number | undefined;
}

const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** @internal How a call waits: its options, read once, before the call does anything else. */
export interface Waiting {
  /** Milliseconds; Infinity for a wait without a timeout. */
  readonly timeoutMs: number;
  readonly signal: AbortSource | undefined;
}

/** One for all calls: an empty list of its own would cost each of them an allocation. */
const NONE: readonly string[] = [];

const FOREVER: Waiting = { timeoutMs: Infinity, signal: undefined };

/**
 * @internal Reads the options of a call that waits without blocking the thread.
 *
 * @param others the names of the call's other options, which it reads itself
 */
export function waiting(value: WaitOptions | undefined, others: readonly string[] = NONE): Waiting {
  if (value === undefined) return FOREVER;
  const { timeoutMs, signal } = options<WaitOptions>("options", value, ["signal", "timeoutMs", ...others]);
  if (signal !== undefined && (isRevoked(signal) || typeof signal?.addEventListener !== "function")) {
    throw wrongType("signal", "an AbortSignal", signal);
  }
  return { timeoutMs: timeout(timeoutMs), signal };
}

/** @internal Reads the options of a call that blocks the thread; `others` as for `waiting`. */
export function waitingSync(value: WaitSyncOptions | undefined, others: readonly string[] = NONE): Waiting {
  if (value === undefined) return FOREVER;
  const { timeoutMs } = options<WaitSyncOptions>("options", value, ["timeoutMs", ...others]);
  return { timeoutMs: timeout(timeoutMs), signal: undefined };
}

function timeout(timeoutMs: unknown): number {
  if (timeoutMs === undefined || timeoutMs === Infinity) return Infinity;
  if (typeof timeoutMs !== "number") throw wrongType("timeoutMs", "a number", timeoutMs);
  if (!(timeoutMs >= 0 && timeoutMs <= TIMEOUT_MS_MAX)) {
    throw new RangeError(`timeoutMs must be from 0 to ${TIMEOUT_MS_MAX}, got ${timeoutMs}`);
  }
  return timeoutMs;
}
