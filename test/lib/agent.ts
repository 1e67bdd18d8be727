/**
 * The program that a test starts in another runtime. It imports the actions of the test and runs them on request:
 *
 *     agent.js actions.js      stdin: { id, action, given } per line      stdout: { id, value } or { id, error } per line
 *
 * Answers are written synchronously, so that one that was given is not lost when the process is killed.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { decode, describe, encode } from "./message.js";

type Action = (...given: unknown[]) => unknown;

const actions = (await import(pathToFileURL(process.argv[2] as string).href)) as Record<string, Action>;

function answer(message: object): void {
  writeSync(1, `${encode(message)}\n`);
}

async function perform(line: string): Promise<void> {
  const { id, action, given } = decode(line) as { id: number; action: string; given: unknown[] };
  try {
    const perform = actions[action];
    if (!perform) throw new TypeError(`no action ${action}`);
    answer({ id, value: await perform(...given) });
  } catch (error) {
    answer({ id, error: describe(error) });
  }
}

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop() as string;
  for (const line of lines) void perform(line);
});
// The test has ended, however it did.
process.stdin.on("end", () => process.exit(0));
answer({ id: 0, value: process.pid });
