/** One stage of the demo, seen by its parent: a child process that reports in lines of JSON. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { atTheEnd } from "./ending.js";
import { type Runtime, stageFile } from "./runtimes.js";
import type { Outcome, Report, Task } from "./stage.js";

/** How long a stage may take to start on a busy machine. Milliseconds. */
const READY_MS_MAX = 30_000;

export class StageProcess {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  /** Resolves when the stage has done its work, or after `kill`. Rejects when the stage failed or ended in any other way. */
  readonly finished: Promise<Outcome | undefined>;
  /** Bytes that it has reported. */
  progress = 0;
  #killed = false;

  constructor(name: string, runtime: Runtime, task: Task) {
    // Colour codes would make the reports invalid JSON.
    const env = { ...process.env, NO_COLOR: "1" };
    const child = spawn(runtime.command, [...runtime.arguments, stageFile(name)], {
      stdio: ["pipe", "pipe", "inherit"],
      env,
    });
    this.#child = child;
    const ended = atTheEnd(() => child.kill("SIGKILL"));
    let isReady: () => void;
    this.#ready = new Promise((resolve) => {
      isReady = resolve;
    });
    this.finished = new Promise((resolve, reject) => {
      let outcome: Outcome | undefined;
      let done = false;
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (text) => {
        const what = JSON.parse(text) as Report;
        if (what.kind === "ready") isReady();
        else if (what.kind === "progress") this.progress = what.bytes;
        else if (what.kind === "outcome") outcome = what.outcome;
        else if (what.kind === "failed") reject(new Error(`the ${name} failed: ${what.message}`));
        else done = true;
      });
      child.on("error", (error) => reject(new Error(`the ${name} does not start: ${error.message}`)));
      child.on("close", (code, signal) => {
        ended();
        if (done || this.#killed) resolve(outcome);
        else reject(new Error(`the ${name} ended without finishing: ${signal ?? `exit code ${code}`}`));
      });
    });
    // A later await still sees the rejection. Without this handler, an unhandled rejection would end the process before.
    this.finished.catch(() => {});
    child.stdin?.on("error", () => {});
    child.stdin?.write(`${JSON.stringify(task)}\n`);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Resolves when the stage has opened what it needs. */
  async ready(): Promise<this> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.#child.spawnfile} was not ready in time`)),
        READY_MS_MAX,
      );
    });
    try {
      await Promise.race([this.#ready, this.finished, late]);
    } finally {
      clearTimeout(timer);
    }
    return this;
  }

  /** Kills the stage with SIGKILL, so that it cannot clean up. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "close");
  }
}
