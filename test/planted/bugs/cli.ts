/** Bugs in ts/cli. */
import { type Bug, inSource } from "../bug.js";

const cHeader = inSource("ts/cli/c-header.ts");
const commands = inSource("ts/cli/commands.ts");
const doctor = inSource("ts/cli/doctor/doctor.ts");
const limits = inSource("ts/cli/doctor/limits.ts");
const memory = inSource("ts/cli/doctor/memory.ts");
const trial = inSource("ts/cli/doctor/trial.ts");
const file = inSource("ts/cli/file.ts");
const inspect = inSource("ts/cli/inspect.ts");
const layout = inSource("ts/cli/layout.ts");
const ls = inSource("ts/cli/ls.ts");
const main = inSource("ts/cli/main.ts");
const print = inSource("ts/cli/print.ts");
const prune = inSource("ts/cli/prune.ts");
const unlink = inSource("ts/cli/unlink.ts");
const system = inSource("ts/cli/doctor/system.ts");

export const BUGS: Bug[] = [
  doctor(
    "a problem is no failure",
    "return healthy ? DONE : FAILED;",
    "return healthy ? DONE : DONE;",
    "cli/doctor",
  ),
  limits(
    "a small address space is called enough",
    "if (bytes >= ADDRESSES_WANTED) return ok(",
    "if (bytes >= 0) return ok(",
    "cli/doctor",
  ),
  memory(
    "a place without inodes is in order",
    "if (totalFiles > 0 && freeFiles === 0) {",
    "if (totalFiles < 0 && freeFiles === 0) {",
    "cli/doctor",
  ),
  cHeader(
    "a text has no room for its last bytes",
    "Math.ceil(Number(max) / 4) * 4",
    "Math.floor(Number(max) / 4) * 4",
    "cli/layout",
  ),
  cHeader("a keyword is a name", "|| RESERVED.has(plain)", "", "cli/layout"),
  commands("a command does not know its option", 'options: ["prefix"],', "options: [],", "cli/segments"),
  trial(
    "what was sent and received is not told",
    'findings.push(ok("send and wait", "a record woke the consumer that waited for it"));',
    "",
    "cli/doctor",
  ),
  file(
    "the URL of a file is no path",
    "return fileURLToPath(given);",
    "return given;",
    "cli/layout",
    "cli/inspect",
  ),
  inspect(
    "a type that is not known is read",
    'if (object.type === "unknown") return',
    'if (object.name === "") return',
    "cli/segments",
  ),
  layout(
    "what a module prints comes to stdout",
    "process.stdout.write = process.stderr.write.bind(process.stderr);",
    "",
    "cli/layout",
  ),
  ls(
    "what is in use is not said to be",
    'if (inUse) return paint.green("yes");',
    'if (inUse) return paint.green("no");',
    "cli/segments",
  ),
  main(
    "an option that is not known is taken",
    "if (!Object.hasOwn(FLAGS, name)) {",
    "if (name === undefined) {",
    "cli/usage",
  ),
  print("a name can steer the terminal", "[\\p{Cc}\\p{Cf}]", "[\\p{Cf}]", "cli/segments"),
  prune(
    "what is in use is called damaged",
    'if (inUse) return { reason: "IN_USE"',
    'if (inUse) return { reason: "CORRUPT"',
    "cli/segments",
  ),
  unlink(
    "a name that cannot be removed is no failure",
    "return first ? FAILED : DONE;",
    "return first ? DONE : DONE;",
    "cli/unlink",
  ),
  system("a user who lingers is warned", "if (lingers) return ok(", "if (!lingers) return ok(", "cli/doctor"),
];
