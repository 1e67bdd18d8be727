/** FILE on the command line, and a NAME that stands for a file: a path, or the URL of a file as `import.meta.url` gives it. */
import { fileURLToPath } from "node:url";
import { Misuse } from "./command.js";

/** The path that the text stands for; any text but the URL of a file is one itself. */
export function pathOf(given: string): string {
  if (!/^file:\//i.test(given)) return given;
  try {
    return fileURLToPath(given);
  } catch (error) {
    throw new Misuse(
      `${given} must be a path, or the URL of a file on this machine (${(error as Error).message})`,
    );
  }
}
