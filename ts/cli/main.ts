#!/usr/bin/env node
/** The command line: `isthmus COMMAND [NAME | FILE] [--json]`. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Command, FAILED, MISUSED, Misuse } from "./command.js";
import { line, paint } from "./print.js";

interface Entry {
  summary: string;
  /** Placeholder of the argument; empty when the command takes none. */
  argument: "NAME" | "FILE" | "";
  /** Loaded one at a time: help and `doctor` must work where the API cannot be loaded. */
  load(): Promise<Command>;
}

const commands: Record<string, Entry> = {
  demo: {
    summary: "send real files through three processes",
    argument: "",
    load: async () => (await import("./demo/demo.js")).demo,
  },
  ls: {
    summary: "list the segments of this machine",
    argument: "",
    load: async () => (await import("./ls.js")).ls,
  },
  inspect: {
    summary: "show header, participants, heap and objects of a segment",
    argument: "NAME",
    load: async () => (await import("./inspect.js")).inspect,
  },
  layout: {
    summary: "show where the fields of structs lie; with --c as a C header",
    argument: "FILE",
    load: async () => (await import("./layout.js")).layout,
  },
  unlink: {
    summary: "remove the name of a segment",
    argument: "NAME",
    load: async () => (await import("./unlink.js")).unlink,
  },
  prune: {
    summary: "remove every segment that nobody alive has open",
    argument: "",
    load: async () => (await import("./prune.js")).prune,
  },
  doctor: {
    summary: "look for what would fail here, and say what to do",
    argument: "",
    load: async () => (await import("./doctor/doctor.js")).doctor,
  },
};

function version(): string {
  const file = new URL("../../../../package.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}

function overview(): string {
  const lines = [
    "Shared memory between processes.",
    "",
    "Usage: isthmus COMMAND [NAME | FILE] [--json]",
    "",
    "Commands:",
  ];
  for (const [name, { summary, argument }] of Object.entries(commands)) {
    lines.push(`  ${`${name} ${argument}`.padEnd(14)} ${summary}`);
  }
  const options = [
    ["--json", "print the result as JSON"],
    ["--c", "with layout: print a C header"],
    ["--help", "explain a command, or this overview"],
    ["--version", "print the version"],
  ];
  return [...lines, "", "Options:", ...options.map(([name, text]) => `  ${name.padEnd(14)} ${text}`)].join(
    "\n",
  );
}

async function usage(name: string): Promise<string> {
  const { summary, argument, load } = commands[name];
  const { help } = await load();
  return `${summary}\n\nUsage: isthmus ${argument ? `${name} ${argument}` : name} [--json]\n\n${help}`;
}

async function run(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      c: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      version: { type: "boolean", short: "V", default: false },
    },
  });
  const [name, ...names] = positionals;
  if (values.version) {
    line(version());
    return 0;
  }
  if (name === undefined || (name === "help" && names.length === 0)) {
    line(overview());
    return name === undefined && !values.help ? MISUSED : 0;
  }
  if (!Object.hasOwn(commands, name)) {
    throw new Misuse(
      `there is no command ${JSON.stringify(name)}: use one of ${Object.keys(commands).join(", ")}`,
    );
  }
  if (values.help) {
    line(await usage(name));
    return 0;
  }
  const { argument, load } = commands[name];
  const wanted = argument ? 1 : 0;
  if (names.length !== wanted) {
    throw new Misuse(`"${name}" takes ${wanted ? `one ${argument}` : "no argument"}, got ${names.length}`);
  }
  if (values.c && argument !== "FILE") throw new Misuse(`"${name}" has no option --c; "layout" has`);
  return (await load()).run({ names, json: values.json, c: values.c });
}

/** What went wrong, for people and, where JSON was asked for, for programs. */
function report(error: unknown): number {
  const { message, stack, code = "", status } = error as Error & { code?: string; status?: number };
  const misused = error instanceof Misuse || code.startsWith("ERR_PARSE_ARGS");
  const shown = misused ? "MISUSED" : code || "FAILED";
  if (process.argv.includes("--json")) line(JSON.stringify({ error: { code: shown, message } }, null, 2));
  process.stderr.write(`${paint.red("isthmus:")} ${message}\n`);
  if (misused) process.stderr.write('Try "isthmus --help".\n');
  // A failure of the system or a peer has a code or a status; anything else is a mistake of ours.
  else if (!code && status === undefined) process.stderr.write(`${stack}\n`);
  return misused ? MISUSED : FAILED;
}

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? 0 : FAILED),
);

run().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    process.exitCode = report(error);
  },
);
