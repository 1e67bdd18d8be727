/** The interface of a command. `main.ts` parses the command line and calls the command. */

/** Exit codes. */
export const DONE = 0;
/** The command failed or found a problem. */
export const FAILED = 1;
/** The command line is not valid. */
export const MISUSED = 2;

export interface Invocation {
  /** The arguments after the command's name. */
  names: string[];
  json: boolean;
  /** The options of the command that were given: "" for one that takes no value. */
  options: ReadonlyMap<CommandOption, string>;
}

/** Options that some commands have: `value` is the placeholder of an option's value, `text` describes the option. */
export const commandOptions = {
  c: { value: "", text: "print a C header" },
  prefix: { value: "P", text: "only names that begin with P" },
  "older-than": { value: "S", text: "only segments that no process has used for at least S seconds" },
  "dry-run": { value: "", text: "remove nothing, only list what would be removed" },
} as const;

export type CommandOption = keyof typeof commandOptions;

/** A command once it is loaded. `commands.ts` has its summary. */
export interface Command {
  /** Lines for --help. */
  help: string;
  /** Does the work, prints the result, and returns an exit code. */
  run(invocation: Invocation): Promise<number> | number;
}

/** The command line is not valid. */
export class Misuse extends Error {
  /** The command whose usage is shown; undefined when there is no such command. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(message);
    this.command = command;
  }
}

/** The command failed for a reason outside this program. The message says which. */
export class Failure extends Error {
  /** For programs: a code of IsthmusError if one applies, else "FAILED". */
  readonly code: string;

  constructor(message: string, code = "FAILED") {
    super(message);
    this.code = code;
  }
}
