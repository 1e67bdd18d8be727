/** Checks of arguments: what is wrong is said with the argument's name, what was expected, and what came. */

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return String(value);
  return Object.prototype.toString.call(value);
}

export function wrongType(argument: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${argument} must be ${expected}, got ${shown(value)}`);
}

export function integer(argument: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw wrongType(argument, "a number", value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${argument} must be an integer from ${min} to ${max}, got ${value}`);
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

export function options<T extends object>(argument: string, value: T | undefined): Partial<T> {
  if (value === undefined) return {};
  if (value === null || typeof value !== "object") throw wrongType(argument, "an object", value);
  return value;
}

export function callback(argument: string, value: unknown): void {
  if (typeof value !== "function") throw wrongType(argument, "a function", value);
}

const trueLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "length")
  ?.get as (this: unknown) => number;

/** Whether an array of bytes says its true length: a subclass, or a property of its own, may say another one. */
export function isHonest(bytes: Uint8Array): boolean {
  return trueLength.call(bytes) === bytes.length;
}

/** The bytes of any view; a Uint8Array comes back as it is. */
export function bytesOf(argument: string, value: unknown): Uint8Array {
  if (!ArrayBuffer.isView(value)) throw wrongType(argument, "a Uint8Array", value);
  if (!(value instanceof Uint8Array)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (isHonest(value)) return value;
  throw new TypeError(
    `${argument} must be a Uint8Array with its true length, got one that says ${value.length}`,
  );
}

/** The bytes of an element of `arrayOfBytes`. */
export function elementOf(arrayOfBytes: readonly unknown[], index: number): Uint8Array {
  const value = arrayOfBytes[index];
  return value instanceof Uint8Array && isHonest(value) ? value : bytesOf(`arrayOfBytes[${index}]`, value);
}

/** What a wait needs of an `AbortSignal`; that of every runtime is one. */
export interface AbortSource {
  /** Whether it was aborted already: then nothing is waited for. */
  readonly aborted: boolean;
  /** What the wait is rejected with. */
  readonly reason: unknown;
  /**
   * Called once, when the wait begins.
   *
   * @param type "abort"
   * @param listener ends the wait
   * @throws nothing
   */
  addEventListener(type: "abort", listener: () => void): void;
  /**
   * Called once, when the wait ends.
   *
   * @param type "abort"
   * @param listener the one that was added
   * @throws nothing
   */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** How long and whether to wait. */
export interface WaitOptions {
  /** Aborting it rejects the wait with the signal's reason. Default: none. */
  signal?: AbortSource | undefined;
  /** Milliseconds, 0 to 2^31 - 1, or Infinity (the default): a wait without an end. 0 looks once. */
  timeoutMs?: number | undefined;
}

/** How long to wait. */
export interface WaitSyncOptions {
  /** Milliseconds, 0 to 2^31 - 1, or Infinity (the default): a wait without an end. 0 looks once. */
  timeoutMs?: number | undefined;
}

const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** The timeout in milliseconds; Infinity when there is none. */
export function timeoutOf(value: WaitSyncOptions | undefined): number {
  const { timeoutMs } = options<WaitSyncOptions>("options", value);
  if (timeoutMs === undefined || timeoutMs === Infinity) return Infinity;
  if (typeof timeoutMs !== "number") throw wrongType("timeoutMs", "a number", timeoutMs);
  if (!(timeoutMs >= 0 && timeoutMs <= TIMEOUT_MS_MAX)) {
    throw new RangeError(`timeoutMs must be from 0 to ${TIMEOUT_MS_MAX}, got ${timeoutMs}`);
  }
  return timeoutMs;
}

export function signalOf(value: WaitOptions | undefined): AbortSource | undefined {
  const { signal } = options<WaitOptions>("options", value);
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw wrongType("signal", "an AbortSignal", signal);
  }
  return signal;
}
