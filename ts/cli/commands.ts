/** Every command, and what --help says of it. */
import type { Command } from "./command.js";

interface Entry {
  summary: string;
  /** Placeholder of what the command takes; empty when it takes nothing, with dots when it takes more than one. */
  argument: "NAME" | "NAME..." | "FILE" | "";
  /** Loaded one at a time: help and `doctor` must work where the API cannot be loaded. */
  load(): Promise<Command>;
}

export const commands: Record<string, Entry> = {
  demo: {
    summary: "send real files through three processes",
    argument: "",
    load: async () => (await import("./demo/demo.js")).demo,
  },
  ls: {
    summary: "list the segments of this machine, whoever made them",
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
    summary: "remove the names of segments",
    argument: "NAME...",
    load: async () => (await import("./unlink.js")).unlink,
  },
  prune: {
    summary: "remove every segment of yours that nobody alive has open",
    argument: "",
    load: async () => (await import("./prune.js")).prune,
  },
  doctor: {
    summary: "look for what would fail here, and say what to do",
    argument: "",
    load: async () => (await import("./doctor/doctor.js")).doctor,
  },
};

const options = [
  ["--json", "print the result as one JSON document"],
  ["--c", "with layout: print a C header"],
  ["--help, -h", "explain a command, or this overview"],
  ["--version, -V", "print the version"],
  ["--", 'what follows is no option: for a NAME that begins with "-"'],
];

export function overview(): string {
  const lines = [
    "Shared memory between processes.",
    "",
    "Usage: isthmus COMMAND [NAME | FILE] [--json]",
    "       isthmus help COMMAND",
    "",
    "Commands:",
  ];
  for (const [name, { summary, argument }] of Object.entries(commands)) {
    lines.push(`  ${`${name} ${argument}`.padEnd(14)} ${summary}`);
  }
  lines.push("", "Options:", ...options.map(([name, text]) => `  ${(name as string).padEnd(14)} ${text}`));
  lines.push("", "Exit code: 0 done, 1 it failed or found a problem, 2 the command line makes no sense.");
  return lines.join("\n");
}

/** "isthmus ls [--json]" */
export function usageLine(name: string): string {
  const argument = commands[name]?.argument;
  return `isthmus ${name}${argument ? ` ${argument}` : ""}${name === "layout" ? " [--c]" : ""} [--json]`;
}

export async function explanation(name: string): Promise<string> {
  const { summary, load } = commands[name] as Entry;
  return `${summary}\n\nUsage: ${usageLine(name)}\n\n${(await load()).help}`;
}
