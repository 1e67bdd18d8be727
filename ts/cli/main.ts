#!/usr/bin/env node
/** The command line: `isthmus COMMAND [NAME | FILE] [--json]`. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import {
  type CommandOption,
  commandOptions,
  DONE,
  FAILED,
  type Invocation,
  MISUSED,
  Misuse,
} from "./command.js";
import { commands, commandsWith, explanation, overview, usageLine } from "./commands.js";
import { json, line, paintError } from "./print.js";

type Flag = { type: "boolean" | "string"; short?: string };

/** Options of every command. */
const FLAGS: Record<string, Flag> = {
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "V" },
};

for (const [name, { value }] of Object.entries(commandOptions)) {
  FLAGS[name] = { type: value ? "string" : "boolean" };
}

/** Whether to print JSON. This is set before the rest of the command line is checked, because errors are printed as JSON too. */
let asJson = false;

interface Parsed {
  /** The options that were given, with their values; "" for an option that takes no value. */
  flags: Map<string, string>;
  words: string[];
}

/** Parses the command line. Refuses an option that no command has. */
function parsed(args: string[]): Parsed {
  const { tokens } = parseArgs({ args, options: FLAGS, strict: false, allowPositionals: true, tokens: true });
  const words = tokens.flatMap((token) => (token.kind === "positional" ? token.value : []));
  const command = words[0] !== undefined && Object.hasOwn(commands, words[0]) ? words[0] : undefined;
  const given = tokens.flatMap((token) => (token.kind === "option" ? token : []));
  asJson = given.some(({ name }) => name === "json");
  const flags = new Map<string, string>();
  for (const { name, index, value } of given) {
    const text = args[index] as string;
    if (!Object.hasOwn(FLAGS, name)) {
      const advice =
        commands[command ?? ""]?.argument && !text.startsWith("--")
          ? `; write "--" before a name that begins with "-": isthmus ${command} -- ${text}`
          : "";
      throw new Misuse(`there is no option ${text}${advice}`, command);
    }
    const takesValue = FLAGS[name]?.type === "string";
    if (takesValue && value === undefined) throw new Misuse(`--${name} needs a value`, command);
    if (!takesValue && value !== undefined)
      throw new Misuse(`--${name} takes no value, got ${text}`, command);
    if (flags.has(name) && takesValue) throw new Misuse(`--${name} was given twice`, command);
    flags.set(name, value ?? "");
  }
  return { flags, words };
}

/** The options of this command. Refuses an option that only other commands have. */
function optionsOf(command: string, flags: ReadonlyMap<string, string>): Map<CommandOption, string> {
  const found = new Map<CommandOption, string>();
  for (const option of Object.keys(commandOptions) as CommandOption[]) {
    const value = flags.get(option);
    if (value === undefined) continue;
    const owners = commandsWith(option);
    if (!owners.includes(command)) {
      const names = owners.map((name) => `"${name}"`).join(" and ");
      throw new Misuse(
        `"${command}" has no option --${option}; ${names} ${owners.length > 1 ? "have" : "has"}`,
        command,
      );
    }
    found.set(option, value);
  }
  return found;
}

function version(): string {
  const file = new URL("../../../package.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}

function known(name: string): string {
  if (Object.hasOwn(commands, name)) return name;
  throw new Misuse(
    `there is no command ${JSON.stringify(name)}: use one of ${Object.keys(commands).join(", ")}`,
  );
}

async function help(names: string[]): Promise<number> {
  if (names.length > 1) throw new Misuse(`"help" takes one COMMAND, got ${names.length}`);
  const text = names[0] === undefined ? overview() : await explanation(known(names[0]));
  if (asJson) json({ help: text });
  else line(text);
  return DONE;
}

function checkNames(name: string, names: string[]): void {
  const wanted = commands[name]?.argument;
  const fits = wanted === "NAME..." ? names.length > 0 : names.length === (wanted ? 1 : 0);
  if (fits) return;
  const takes = wanted === "NAME..." ? "one NAME or more" : wanted ? `one ${wanted}` : "no argument";
  throw new Misuse(`"${name}" takes ${takes}, got ${names.length}`, name);
}

async function run(): Promise<number> {
  const { flags, words } = parsed(process.argv.slice(2));
  const [name, ...names] = words;
  if (flags.has("version")) {
    if (asJson) json({ version: version() });
    else line(version());
    return DONE;
  }
  if (name === "help") return help(names);
  if (name === undefined) {
    if (flags.has("help")) return help([]);
    if (asJson) throw new Misuse(`give a command: one of ${Object.keys(commands).join(", ")}`);
    line(overview());
    return MISUSED;
  }
  if (flags.has("help")) return help([name]);
  const command = known(name);
  checkNames(command, names);
  const invocation: Invocation = { names, json: asJson, options: optionsOf(command, flags) };
  return (await commands[command]?.load())?.run(invocation) ?? FAILED;
}

/** Prints the error for people and, with --json, for programs. Returns the exit code. */
function report(error: unknown): number {
  const { message, stack, code = "", status } = error as Error & { code?: string; status?: number };
  const misused = error instanceof Misuse;
  const shown = misused ? "MISUSED" : code || "FAILED";
  if (asJson) json({ error: { code: shown, message } });
  process.stderr.write(`${paintError.red("isthmus:")} ${message}\n`);
  if (misused) {
    if (error.command) process.stderr.write(`Usage: ${usageLine(error.command)}\n`);
    process.stderr.write(`Try "isthmus ${error.command ? `help ${error.command}` : "--help"}".\n`);
  }
  // A failure of the system or a peer has a code or a status. Any other error is a bug in this program.
  else if (!code && status === undefined) process.stderr.write(`${stack}\n`);
  return misused ? MISUSED : FAILED;
}

// A reader that closes the pipe early, such as `head`, is not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? DONE : FAILED),
);

const code = await run().catch(report);
// A module that "layout" has loaded may keep the event loop alive for ever, so the process exits explicitly.
process.stdout.write("", (error) => {
  // The listener above handles write errors.
  if (!error) process.exit(code);
});
