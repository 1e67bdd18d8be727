import process from "node:process";
import { IsthmusError, Segment } from "../index.js";
import { type Command, DONE, FAILED } from "./command.js";
import { json, line, paintError } from "./print.js";

interface Refused {
  name: string;
  code: string;
  message: string;
}

/** Advice that follows the error's message. */
function advice(name: string, code: string): string {
  if (code !== "INVALID_NAME") return "";
  if (name.includes("/")) return "; to remove a segment in a file, remove the file";
  const isThere = Segment.list().some((one) => one.name === name);
  return isThere ? "; Isthmus did not make it: remove the file from /dev/shm yourself" : "";
}

function refusalOf(name: string): Refused | undefined {
  try {
    Segment.unlink(name);
    return undefined;
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    const { code, message } = error;
    const named = message.includes(JSON.stringify(name)) ? message : `${JSON.stringify(name)}: ${message}`;
    return { name, code, message: `${named}${advice(name, code)}` };
  }
}

/** `isthmus unlink NAME...`: removes names. */
export const unlink: Command = {
  help: [
    "A process that has the segment open keeps it, and sees that it is stale. The last one to close it frees the memory.",
    "If a name cannot be removed, the command still removes the others. Then stderr says why, and the exit code is 1.",
    'Write "--" before a name that begins with "-".',
    "With --json: { unlinked: [NAME, ...], failed: [{ name, code, message }, ...] }, and the first failure as error.",
  ].join("\n"),
  run({ names, json: asJson }) {
    const unlinked: string[] = [];
    const failed: Refused[] = [];
    for (const name of names) {
      const refused = refusalOf(name);
      if (refused) {
        failed.push(refused);
        process.stderr.write(`${paintError.red("isthmus:")} ${refused.message}\n`);
        continue;
      }
      unlinked.push(name);
      if (!asJson) line(`unlinked ${name}`);
    }
    const [first] = failed;
    const error = first && { code: first.code, message: first.message };
    if (asJson) json({ unlinked, failed, error });
    return first ? FAILED : DONE;
  },
};
