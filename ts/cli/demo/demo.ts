/** `isthmus demo`: sends files through three processes in three runtimes, compares that with sockets, and kills one process. */
import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import progress from "cli-progress";
import { type Command, DONE, FAILED } from "../command.js";
import { bytesText, durationText, json, line, paint } from "../print.js";
import { atTheEnd, tidy } from "./ending.js";
import { type JobsDone, throughAQueue } from "./jobs.js";
import { type Runtime, runtimeFor, stageFile } from "./runtimes.js";
import { digestOf, filesBelow, type StreamFile, streamBytes } from "./stream.js";
import {
  type Interrupted,
  type Plan,
  type Transfer,
  throughADeath,
  throughRings,
  throughSockets,
} from "./transfer.js";

/** How long the demo reads files before it takes no more. The rest takes time in proportion, under a minute on a slow machine. */
const DIRECT_MS_MAX = 8000;
/** How long the comparison may take if sockets are SOCKET_TIMES_SLOWER times slower. It sends fewer files to keep to that. */
const SOCKET_MS_MAX = 12_000;
const SOCKET_TIMES_SLOWER = 5;
/** Fewer bytes would measure how fast processes start. If the files have fewer, the demo sends them several times. */
const BYTES_MIN = 128 * 1024 * 1024;
/** Bytes of the transfer with a death. */
const DEATH_BYTES = 128 * 1024 * 1024;
/** Jobs over the queue: a second or so, of which the new process needs a part to start. */
const JOBS = 100_000;
/** If the stream ends before the kill, the demo tries again with twice as many bytes. */
const DEATH_TRIES = 4;

interface Result {
  runtimes: string[];
  substitutes: string[];
  folder: string;
  files: number;
  /** How often the files were sent, one after the other. */
  rounds: number;
  /** In all rounds together. */
  bytes: number;
  expectedDigest: string;
  ring: Transfer & { equal: boolean };
  socket: Transfer & { equal: boolean; files: number; bytes: number };
  death: Interrupted & { equal: boolean; bytes: number; rounds: number };
  queue: JobsDone & { exact: boolean };
}

/** The outermost node_modules folder above this package; else the one of this package itself; else the current folder. */
function folderToSend(): string {
  const here = path.dirname(stageFile("probe"));
  const parts = here.split(path.sep);
  const first = parts.indexOf("node_modules");
  if (first >= 0) return parts.slice(0, first + 1).join(path.sep);
  const own = path.resolve(here, "../../../../node_modules");
  return existsSync(own) ? own : process.cwd();
}

/** The first files that together have at most that many bytes; at least one. */
function firstFiles(files: StreamFile[], bytesMax: number): StreamFile[] {
  let bytes = 0;
  const end = files.findIndex((file) => {
    bytes += file.bytes;
    return bytes > bytesMax;
  });
  return end < 0 ? files : files.slice(0, Math.max(1, end));
}

function speedText(bytes: number, milliseconds: number): string {
  return `${bytesText((bytes / milliseconds) * 1000)}/s`;
}

/** Prints progress as the demo runs; prints nothing with --json. */
class Show {
  readonly #silent: boolean;

  constructor(silent: boolean) {
    this.#silent = silent;
  }

  line(text = ""): void {
    if (!this.#silent) line(text);
  }

  /** Shows a progress bar while the work runs, on a terminal. */
  async bar<T>(
    title: string,
    bytes: number,
    work: (progress: (bytes: number) => void) => Promise<T>,
  ): Promise<T> {
    if (this.#silent || !process.stdout.isTTY) return work(() => {});
    const mebibytes = (value: number) => Math.round(value / 1048576);
    const bar = new progress.SingleBar({
      format: `  ${title} {bar} {percentage} %  {value} of {total} MiB`,
      hideCursor: true,
      clearOnComplete: true,
    });
    // The bar hides the cursor, so whatever ends the demo must stop it.
    const stopped = atTheEnd(() => bar.stop());
    bar.start(mebibytes(bytes), 0);
    try {
      return await work((done) => bar.update(mebibytes(Math.min(done, bytes))));
    } finally {
      stopped();
      bar.stop();
    }
  }

  verdict(equal: boolean): string {
    return equal ? paint.green("digest equal") : paint.red("DIGEST DIFFERS");
  }
}

function showRuntimes(show: Show, runtimes: Runtime[]): void {
  show.line(`${paint.bold("stages")}   ${runtimes.map(({ name }) => name).join(paint.dim(" → "))}`);
  for (const { name, substitute } of runtimes) {
    if (substitute) show.line(paint.yellow(`         ${substitute}: ${name} takes its place`));
  }
}

/** Chooses how many files to send, from how long reading them takes on this machine. */
async function chooseFiles(
  show: Show,
  folder: string,
): Promise<{ files: StreamFile[]; rounds: number; digest: string }> {
  const all = filesBelow(folder);
  if (all.length === 0) throw new Error(`there is no file to send below ${folder}`);
  const begin = performance.now();
  const first = await digestOf(all, 1, DIRECT_MS_MAX);
  const covered = first.files;
  const files = all.slice(0, covered);
  const bytes = streamBytes(files);
  show.line(`${paint.bold("files")}    ${files.length} files, ${bytesText(bytes)}, below ${folder}`);
  const rounds = Math.max(1, Math.ceil(BYTES_MIN / bytes));
  if (rounds > 1) show.line(`         sent ${rounds} times, because they are small`);
  const digest = rounds > 1 ? (await digestOf(files, rounds)).digest : first.digest;
  if (covered < all.length) {
    const seconds = DIRECT_MS_MAX / 1000;
    show.line(
      paint.yellow(
        `         ${all.length - covered} more files are left out: reading these took ${seconds} s`,
      ),
    );
  }
  show.line(
    `         read and hashed directly in ${durationText(performance.now() - begin)}: ${digest.slice(0, 16)}…`,
  );
  return { files, rounds, digest };
}

async function runRings(show: Show, plan: Omit<Plan, "progress">, digest: string): Promise<Result["ring"]> {
  const bytes = streamBytes(plan.files) * plan.rounds;
  const transfer = await show.bar("rings  ", bytes, (progress) => throughRings({ ...plan, progress }));
  const { outcome, milliseconds } = transfer;
  const equal = outcome.digest === digest;
  const speed = paint.bold(speedText(bytes, milliseconds));
  show.line(
    `${paint.bold("rings")}    ${bytesText(bytes)} in ${durationText(milliseconds)}: ${speed}, ${show.verdict(equal)}`,
  );
  if (!outcome.inPlace)
    show.line(paint.dim(`         ${plan.runtimes[2].name} hashes from a copy of each record`));
  return { ...transfer, equal };
}

async function runSockets(
  show: Show,
  plan: Omit<Plan, "progress">,
  bytesMax: number,
): Promise<Result["socket"]> {
  const files = firstFiles(plan.files, bytesMax / plan.rounds);
  const bytes = streamBytes(files) * plan.rounds;
  const { digest } = await digestOf(files, plan.rounds);
  const transfer = await show.bar("sockets", bytes, (progress) =>
    throughSockets({ ...plan, files, progress }),
  );
  const { outcome, milliseconds } = transfer;
  const equal = outcome.digest === digest;
  const part = files.length < plan.files.length ? ` (the first ${files.length} files)` : "";
  const speed = paint.bold(speedText(bytes, milliseconds));
  show.line(
    `${paint.bold("sockets")}  ${bytesText(bytes)} in ${durationText(milliseconds)}: ${speed}, ${show.verdict(equal)}${part}`,
  );
  return { ...transfer, equal, files: files.length, bytes };
}

async function runDeath(show: Show, plan: Omit<Plan, "progress">): Promise<Result["death"]> {
  const files = firstFiles(plan.files, DEATH_BYTES);
  const once = streamBytes(files);
  for (let target = DEATH_BYTES, tries = 0; tries < DEATH_TRIES; target *= 2, tries++) {
    const rounds = Math.max(1, Math.ceil(target / once));
    const bytes = once * rounds;
    const run = await show.bar("death  ", bytes, (progress) =>
      throughADeath({ ...plan, files, rounds, progress }, bytes / 3),
    );
    if (!run) continue;
    const equal = run.outcome.digest === (await digestOf(files, rounds)).digest;
    showDeath(show, plan, run, equal, bytes);
    return { ...run, equal, bytes, rounds };
  }
  throw new Error(`the stream was over before the relay could be killed, ${DEATH_TRIES} times`);
}

function numbersText(numbers: number[]): string {
  return numbers.length > 4 ? `${numbers.slice(0, 3).join(", ")} … ${numbers.at(-1)}` : numbers.join(", ");
}

function showDeath(
  show: Show,
  plan: Omit<Plan, "progress">,
  run: Interrupted,
  equal: boolean,
  bytes: number,
): void {
  const { outcome } = run;
  show.line(
    `${paint.bold("death")}    SIGKILL to the relay (process ${run.killedPid}, ${plan.runtimes[1].name}) after ` +
      `${bytesText(run.killedAtBytes)} of ${bytesText(bytes)}`,
  );
  show.line(
    `         a new relay (process ${run.successorPid}) took over ${durationText(run.restartMilliseconds)} after the kill`,
  );
  const repeated = outcome.repeated.length;
  const lost = outcome.missing.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(", ");
  show.line(
    repeated
      ? `         received twice, and dropped by number: ${numbersText(outcome.repeated)}`
      : "         no record was received twice",
  );
  show.line(
    lost
      ? paint.red(`         lost: records ${lost}`)
      : `         no record was lost, ${show.verdict(equal)}`,
  );
}

/** A taker works on one job at a time, so at most one is done twice: that of the taker that was killed. */
async function runQueue(show: Show, { runtimes }: Omit<Plan, "progress">): Promise<Result["queue"]> {
  const found = await throughAQueue(runtimes, JOBS);
  const { jobs, milliseconds, missing, repeated } = found;
  const exact = missing === 0 && repeated <= 1;
  const speed = paint.bold(`${Math.round((jobs * 1000) / milliseconds).toLocaleString("en")} jobs/s`);
  const count =
    repeated === 1
      ? "one was done twice"
      : repeated === 0
        ? "each was done once"
        : `${repeated} were done twice`;
  show.line(
    `${paint.bold("queue")}    ${jobs.toLocaleString("en")} jobs, 2 processes to 2, one taker killed: ${speed}, ` +
      (exact ? paint.green(`none lost, ${count}`) : paint.red(`${missing} LOST, ${count}`)),
  );
  return { ...found, exact };
}

async function run(asJson: boolean): Promise<number> {
  const show = new Show(asJson);
  const begin = performance.now();
  const folder = folderToSend();
  const runtimes: Plan["runtimes"] = [runtimeFor("node"), runtimeFor("bun"), runtimeFor("deno")];
  showRuntimes(show, runtimes);
  const { files, rounds, digest } = await chooseFiles(show, folder);
  const plan = { runtimes, files, rounds };
  const ring = await runRings(show, plan, digest);
  const bytes = streamBytes(files) * rounds;
  const socket = await runSockets(
    show,
    plan,
    (bytes / ring.milliseconds / SOCKET_TIMES_SLOWER) * SOCKET_MS_MAX,
  );
  const ratio = bytes / ring.milliseconds / (socket.bytes / socket.milliseconds);
  show.line(
    paint.dim(
      `         rings carried ${ratio.toFixed(1)} times as much per second; both times include reading and hashing`,
    ),
  );
  const death = await runDeath(show, plan);
  const queue = await runQueue(show, plan);
  const substitutes = runtimes.flatMap(({ substitute }) => substitute ?? []);
  const result: Result = {
    runtimes: runtimes.map(({ name }) => name),
    substitutes,
    folder,
    files: files.length,
    rounds,
    bytes,
    expectedDigest: digest,
    ring,
    socket,
    death,
    queue,
  };
  show.line(paint.dim(`         ${durationText(performance.now() - begin)} in all`));
  if (asJson) json(result);
  // The demo has shown which records were lost. It fails nevertheless.
  return ring.equal && socket.equal && death.equal && queue.exact ? DONE : FAILED;
}

export const demo: Command = {
  help: [
    "A Node process reads the files below node_modules and sends them to a Bun process, which passes them on to a Deno process,",
    "over two rings in shared memory. The last process hashes them, and the demo compares the digest with that of the files.",
    "Then it sends the same stream through Unix sockets. Then it kills the process in the middle and starts a new one.",
    "Last, two processes send jobs to two others over a queue, one of which is killed, and each job is accounted for.",
    "If a runtime is not installed, the runtime of this command takes its place. The demo takes less than a minute and 17 MiB of",
    "shared memory.",
  ].join("\n"),
  async run({ json: asJson }) {
    try {
      return await run(asJson);
    } catch (error) {
      // Ctrl-C signals the stages too, and their end may be noticed first. So wait for the signal, which ends the demo.
      await new Promise((resolve) => setTimeout(resolve, 100));
      tidy();
      throw error;
    }
  },
};
