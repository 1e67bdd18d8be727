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
    "cli/doctor > doctor finds a full /dev/shm",
  ),
  limits(
    "a small address space is called enough",
    "if (bytes >= ADDRESSES_WANTED) return ok(",
    "if (bytes >= 0) return ok(",
    "cli/doctor > doctor warns of a limited address space",
  ),
  memory(
    "a place without inodes is in order",
    "if (totalFiles > 0 && freeFiles === 0) {",
    "if (totalFiles < 0 && freeFiles === 0) {",
    "cli/doctor > a place for segments without inodes",
  ),
  cHeader(
    "a text has no room for its last bytes",
    "Math.ceil(Number(max) / 4) * 4",
    "Math.floor(Number(max) / 4) * 4",
    "cli/layout > a module's structs become a header",
    "cli/layout > the headers compile as",
  ),
  cHeader(
    "a keyword is a name",
    "|| RESERVED.has(plain)",
    "",
    "cli/layout > a module's structs become a header",
  ),
  commands(
    "a command does not know its option",
    'options: ["prefix"],',
    "options: [],",
    "cli/segments > prune and ls take a prefix",
  ),
  trial(
    "what was sent and received is not told",
    'findings.push(ok("send and wait", "a record woke the consumer that waited for it"));',
    "",
    "cli/doctor > doctor finds a system that works",
  ),
  file(
    "the URL of a file is no path",
    "return fileURLToPath(given);",
    "return given;",
    "cli/layout > a module and a JSON file are found",
  ),
  inspect(
    "a type that is not known is read",
    'if (object.type === "unknown") return',
    'if (object.name === "") return',
    "cli/segments > inspect looks at a segment whose directory is damaged",
    "cli/inspect > an entry that leads anywhere",
  ),
  layout(
    "what a module prints comes to stdout",
    "process.stdout.write = process.stderr.write.bind(process.stderr);",
    "",
    "cli/layout > a module may print",
  ),
  ls(
    "what is in use is not said to be",
    'if (inUse) return paint.green("yes");',
    'if (inUse) return paint.green("no");',
    "cli/segments > ls shows name",
  ),
  main(
    "an option that is not known is taken",
    "if (!Object.hasOwn(FLAGS, name)) {",
    "if (name === undefined) {",
    "cli/usage > a wrong command line",
  ),
  print(
    "a name can steer the terminal",
    "[\\p{Cc}\\p{Cf}]",
    "[\\p{Cf}]",
    "cli/segments > what stands in shared memory",
  ),
  prune(
    "what is in use is called damaged",
    'if (inUse) return { reason: "IN_USE"',
    'if (inUse) return { reason: "CORRUPT"',
    "cli/segments > prune removes segments that nobody",
  ),
  unlink(
    "a name that cannot be removed is no failure",
    "return first ? FAILED : DONE;",
    "return first ? DONE : DONE;",
    "cli/unlink > unlink removes of several",
  ),
  system(
    "a user who lingers is warned",
    "if (lingers) return ok(",
    "if (!lingers) return ok(",
    "cli/doctor > a user who lingers",
  ),
];
