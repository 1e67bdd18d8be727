/** What a command is, and what it gets: `main.ts` reads the command line and calls one. */

/** Exit codes. */
export const DONE = 0;
/** The command could not do what it was asked to, or found a problem. */
export const FAILED = 1;
/** The command line makes no sense. */
export const MISUSED = 2;

export interface Invocation {
  /** What stands behind the command's name. */
  names: string[];
  json: boolean;
  /** The options of the command that were given: "" for one that takes no value. */
  options: ReadonlyMap<CommandOption, string>;
}

/** Options that some commands have: what stands behind it, and what it does. */
export const commandOptions = {
  c: { value: "", text: "print a C header" },
  prefix: { value: "P", text: "only names that begin with P" },
  "older-than": { value: "S", text: "only segments that were used last at least S seconds ago" },
  "dry-run": { value: "", text: "remove nothing, only say what would be removed" },
} as const;

export type CommandOption = keyof typeof commandOptions;

/** A command once it is loaded. `commands.ts` has its summary. */
export interface Command {
  /** Lines for --help. */
  help: string;
  /** Does the work, prints the result, and returns an exit code. */
  run(invocation: Invocation): Promise<number> | number;
}

/** Something that the user typed cannot be done. */
export class Misuse extends Error {
  /** The command whose usage helps; undefined when the command itself is not known. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(message);
    this.command = command;
  }
}

/** What was asked for failed for a reason outside of this program, which the message tells. */
export class Failure extends Error {
  /** For programs: one of IsthmusError where that fits, else "FAILED". */
  readonly code: string;

  constructor(message: string, code = "FAILED") {
    super(message);
    this.code = code;
  }
}
