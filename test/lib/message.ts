/** What tests and their children send each other: JSON in which bytes and undefined survive. */
import { Buffer } from "node:buffer";

export function encode(message: object): string {
  return JSON.stringify(message, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
    // A Buffer calls its own toJSON before we see it.
    const made = value as { type?: unknown; data?: unknown } | null;
    if (made?.type === "Buffer" && Array.isArray(made.data))
      return { $bytes: Buffer.from(made.data).toString("base64") };
    return value;
  });
}

export function decode(line: string): unknown {
  return JSON.parse(line, (_key, value: { $bytes?: string } | null) =>
    typeof value?.$bytes === "string" ? new Uint8Array(Buffer.from(value.$bytes, "base64")) : value,
  );
}

/** An error as text and the fields that tests look at. */
export interface Described {
  name: string;
  message: string;
  code?: string;
  syscall?: string;
  errno?: number;
}

export function describe(error: unknown): Described {
  const { name, message, code, syscall, errno } = error as Described;
  return { name, message: message ?? String(error), code, syscall, errno } as Described;
}

/** An error that an action threw in a child. */
export class RemoteError extends Error {
  readonly code: string | undefined;
  readonly syscall: string | undefined;
  readonly errno: number | undefined;

  constructor(where: string, { name, message, code, syscall, errno }: Described) {
    super(`in ${where}: ${message}`);
    this.name = name;
    this.code = code;
    this.syscall = syscall;
    this.errno = errno;
  }
}
