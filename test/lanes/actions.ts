/** What the lanes for other platforms ask of a child, besides the actions of every test. See `../lib/agent.ts`. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { opened, receiver, sender } from "../lib/actions.js";
import { numbered, numberOf } from "../lib/series.js";

export * from "../lib/actions.js";

export interface Identity {
  arch: string;
  /** Files of C libraries and of ours that are mapped for execution here. */
  code: string[];
}

/** Which machine code really runs here, so that a lane cannot pass with the wrong program. */
export function identity(): Identity {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  const mapped = lines.filter((line) => /^\S+ ..x/.test(line)).map((line) => line.split(/\s+/)[5] ?? "");
  const code = [...new Set(mapped)].filter((file) => /libc\.|libc-|ld-|isthmus\.node/.test(file));
  return { arch: process.arch, code };
}

/** Who has a slot, by what the kernel says of its lock. */
export function states(name: string): Record<number, string> {
  return Object.fromEntries(
    opened(name)
      .participants()
      .map(({ pid, state }) => [pid, state]),
  );
}

/** Sends numbered records until this process is killed. Never returns. */
export async function sendForever(ring: string): Promise<never> {
  for (let number = 0; ; number++) {
    const record = numbered(number, 8 + ((number * 41) % 400));
    await sender(ring).send(record, { timeoutMs: 40_000 });
  }
}

export interface Drained {
  /** Records in a row from number 0, each whole. */
  count: number;
  /** How the stream ended: a code of an IsthmusError. */
  end: string;
}

/** Receives what `sendForever` sent, until an error says that no more comes. */
export async function receiveForever(ring: string): Promise<Drained> {
  for (let count = 0; ; count++) {
    let record: Uint8Array | undefined;
    try {
      record = await receiver(ring).receive({ timeoutMs: 40_000 });
    } catch (error) {
      return { count, end: (error as { code: string }).code };
    }
    if (record === undefined) return { count, end: "closed" };
    const number = numberOf(record);
    if (number !== count) throw new Error(`record ${number} came where ${count} was due`);
  }
}
