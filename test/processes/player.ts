/** Who plays a role in a soak: a process in a random runtime, which is killed and stopped, and begun again. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { noStops } from "../lib/skips.js";

/** Whether the system has them. */
export const canStop = noStops === undefined;

export type Role = "produce" | "consume";

export class Player {
  agent: Agent | undefined;
  stopped = false;

  /**
   * @param logs the files of all lives in this role, in order; players of one role may share them
   * @param actions the actions file that its processes run
   */
  constructor(
    readonly role: Role,
    readonly logs: string[],
    readonly directory: string,
    readonly actions: string,
  ) {}

  /** Its next life begins. */
  async begin(name: string, random: () => number): Promise<void> {
    const runtimes = presentRuntimes();
    const file = join(this.directory, `${this.role}-${this.logs.length}`);
    const life = this.logs.push(file) - 1;
    this.stopped = false;
    this.agent = await Agent.start(runtimes[Math.floor(random() * runtimes.length)] as never, this.actions);
    const seed = Math.floor(random() * 2 ** 32);
    if (this.role === "produce") await this.agent.call("produce", name, life, file, seed);
    else await this.agent.call("consume", name, file, seed);
  }

  /** Ends it; anything but our signal as the cause of its death is its own failure. */
  async kill(): Promise<void> {
    const agent = this.agent as Agent;
    agent.signal("SIGKILL");
    const { signal, code } = await agent.ended;
    if (signal !== "SIGKILL")
      throw new Error(`the ${this.role}r ended by itself with ${code}\n${agent.stderr}`);
  }

  /** Stops it, or lets it go on; only where there are stops. */
  toggle(): void {
    this.agent?.signal(this.stopped ? "SIGCONT" : "SIGSTOP");
    this.stopped = !this.stopped;
  }
}

/** The numbers that a life has written to its log. */
export function numbersIn(file: string): number[] {
  if (!existsSync(file)) return []; // it died before its first step
  const bytes = readFileSync(file);
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => bytes.readDoubleLE(i * 8));
}
