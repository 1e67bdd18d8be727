/** Child processes of tests: watched, ended by their id, and gone when the test's process ends. */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { type Described, decode, encode, RemoteError } from "./message.js";
import { compiled } from "./paths.js";
import type { Runtime } from "./runtimes.js";
import { WATCHDOG_MS, within } from "./watchdog.js";

const running = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a process that does not outlive this one. */
export function start(command: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  running.add(child);
  child.on("exit", () => running.delete(child));
  child.on("error", () => running.delete(child));
  return child;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; ends it when it takes too long. */
export async function finished(
  child: ChildProcess,
  what: string,
  milliseconds = WATCHDOG_MS,
): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk));
  const closed = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  try {
    return await within(what, closed, milliseconds);
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${(error as Error).message}\n${stdout}${stderr}`);
  }
}

/** Whether it was killed by a signal, its own for instance. On Windows, only the one who kills a process learns of a signal. */
export function wasKilled({ code, signal }: Pick<Ended, "code" | "signal">): boolean {
  return signal === "SIGKILL" || (process.platform === "win32" && code === KILLED_CODE);
}
/** With which a process ends on Windows that Node kills. */
const KILLED_CODE = 1;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface AgentOptions extends SpawnOptions {
  /** Put before the runtime's own command, e.g. ["unshare", "-p"]. */
  through?: string[];
}

/** A child that runs the actions of a module; see `agent.ts`. */
export class Agent {
  readonly name: string;
  /** The id the child has for itself; another one than ours in another namespace. */
  pid = 0;
  readonly #child: ChildProcess;
  readonly #ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #waiting = new Map<number, Waiting>();
  #id = 0;
  #rest = "";
  #stderr = "";

  private constructor(runtime: Runtime, actions: string, { through = [], ...options }: AgentOptions) {
    const [command, ...args] = [
      ...through,
      runtime.command,
      ...runtime.flags,
      compiled("lib/agent.ts"),
      compiled(actions),
    ];
    this.name = runtime.name;
    this.#child = start(command as string, args, options);
    // What a failed test leaves running must not keep the file from its end; waits have timers that do so.
    this.#child.unref();
    for (const stream of this.#child.stdio) (stream as Socket | null)?.unref();
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    this.#child.stdin?.on("error", () => {}); // a dead child is noticed by its end
    this.#ended = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        const error = new Error(`${this.name} ended (${signal ?? code}) before it answered\n${this.#stderr}`);
        for (const { reject } of this.#waiting.values()) reject(error);
        this.#waiting.clear();
        resolve({ code, signal });
      });
    });
  }

  /** Starts a child; its actions can be called when this resolves. */
  static async start(runtime: Runtime, actions: string, options: AgentOptions = {}): Promise<Agent> {
    const agent = new Agent(runtime, actions, options);
    agent.pid = (await agent.#answer(0, `start of ${agent.name}`, WATCHDOG_MS)) as number;
    if (agent.pid !== agent.processId && !options.through) {
      await agent.kill();
      throw new Error(`${agent.name} is a launcher: ${agent.processId} started ${agent.pid}`);
    }
    return agent;
  }

  /** Starts one in each of the runtimes, or none. */
  static async startAll(runtimes: Runtime[], actions: string, options: AgentOptions = {}): Promise<Agent[]> {
    const agents = await Promise.allSettled(
      runtimes.map((runtime) => Agent.start(runtime, actions, options)),
    );
    const failed = agents.find((agent) => agent.status === "rejected");
    if (!failed) return agents.map((agent) => (agent as PromiseFulfilledResult<Agent>).value);
    for (const agent of agents) if (agent.status === "fulfilled") await agent.value.kill();
    throw failed.reason;
  }

  /** How the child ended. */
  get ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return within(`end of ${this.name}`, this.#ended);
  }

  /** The id of the started process. */
  get processId(): number {
    return this.#child.pid as number;
  }

  /** What it wrote to stderr so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Runs an action of the module and gives what it returned; throws a RemoteError with what it threw. */
  call<T = unknown>(action: string, ...given: unknown[]): Promise<T> {
    const id = ++this.#id;
    const answer = this.#answer(id, `${action} in ${this.name}`, WATCHDOG_MS);
    answer.catch(() => {}); // a test may first await something else; it gets the error when it awaits this
    this.#child.stdin?.write(`${encode({ id, action, given })}\n`);
    return answer as Promise<T>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /** Lets it end by itself. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    try {
      await this.ended;
    } finally {
      this.#child.kill("SIGKILL");
    }
  }

  async #answer(id: number, what: string, milliseconds: number): Promise<unknown> {
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    try {
      return await within(what, answer, milliseconds);
    } catch (error) {
      if (!(error instanceof RemoteError)) this.#child.kill("SIGKILL");
      throw error;
    }
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    for (const line of lines) {
      const { id, value, error } = decode(line) as { id: number; value?: unknown; error?: Described };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new RemoteError(this.name, error));
      else waiting?.resolve(value);
    }
  }
}
