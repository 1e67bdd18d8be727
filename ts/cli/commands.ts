/** All commands, and the texts that --help shows. */
import { type Command, type CommandOption, commandOptions } from "./command.js";

interface Entry {
  summary: string;
  /** Placeholder of the command's argument: empty when it takes none, with dots when it takes several. */
  argument: "NAME" | "NAME..." | "FILE" | "";
  /** Options of the command in addition to --json. */
  options?: CommandOption[];
  /** Loads only this command, because help and `doctor` must work where the API cannot be loaded. */
  load(): Promise<Command>;
}

export const commands: Record<string, Entry> = {
  demo: {
    summary: "send real files through three processes",
    argument: "",
    load: async () => (await import("./demo/demo.js")).demo,
  },
  ls: {
    summary: "list the segments of this machine, of all users",
    argument: "",
    options: ["prefix"],
    load: async () => (await import("./ls.js")).ls,
  },
  inspect: {
    summary: "show header, participants, heap and objects of a segment",
    argument: "NAME",
    load: async () => (await import("./inspect.js")).inspect,
  },
  layout: {
    summary: "show where the fields of structs lie; with --c, as a C header",
    argument: "FILE",
    options: ["c"],
    load: async () => (await import("./layout.js")).layout,
  },
  unlink: {
    summary: "remove the names of segments",
    argument: "NAME...",
    load: async () => (await import("./unlink.js")).unlink,
  },
  prune: {
    summary: "remove each of your segments that no live process has open",
    argument: "",
    options: ["prefix", "older-than", "dry-run"],
    load: async () => (await import("./prune.js")).prune,
  },
  doctor: {
    summary: "check whether Isthmus works on this machine, and say what to do",
    argument: "",
    load: async () => (await import("./doctor/doctor.js")).doctor,
  },
};

const options = [
  ["--json", "print the result as one JSON document"],
  ["--help, -h", "explain a command, or this overview"],
  ["--version, -V", "print the version"],
  ["--", 'end of the options; write it before a NAME that begins with "-"'],
];

export function overview(): string {
  const lines = [
    "Shared memory between processes.",
    "",
    "Usage: isthmus COMMAND [NAME | FILE] [OPTIONS] [--json]",
    "       isthmus help COMMAND",
    "",
    "Commands:",
  ];
  for (const [name, { summary, argument }] of Object.entries(commands)) {
    lines.push(`  ${`${name} ${argument}`.padEnd(14)} ${summary}`);
  }
  lines.push(
    "",
    "Options of all commands:",
    ...options.map(([name, text]) => `  ${(name as string).padEnd(14)} ${text}`),
  );
  lines.push(
    "",
    "Exit code: 0 success, 1 the command failed or found a problem, 2 the command line is not valid.",
  );
  return lines.join("\n");
}

/** "--prefix P" */
function withValue(option: CommandOption): string {
  const { value } = commandOptions[option];
  return `--${option}${value ? ` ${value}` : ""}`;
}

/** "isthmus ls [--prefix P] [--json]" */
export function usageLine(name: string): string {
  const { argument = "", options: own = [] } = commands[name] ?? {};
  const words = [`isthmus ${name}`, argument, ...own.map((option) => `[${withValue(option)}]`), "[--json]"];
  return words.filter(Boolean).join(" ");
}

export async function explanation(name: string): Promise<string> {
  const { summary, load, options: own = [] } = commands[name] as Entry;
  const lines = [summary, "", `Usage: ${usageLine(name)}`, ""];
  for (const option of own) lines.push(`  ${withValue(option).padEnd(16)} ${commandOptions[option].text}`);
  if (own.length > 0) lines.push("");
  return [...lines, (await load()).help].join("\n");
}

/** The commands that have this option. */
export function commandsWith(option: CommandOption): string[] {
  return Object.keys(commands).filter((name) => commands[name]?.options?.includes(option));
}
