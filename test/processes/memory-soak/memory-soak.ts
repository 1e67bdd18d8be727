/**
 * Processes in all runtimes transfer, allocate, free, lock, upgrade and give up; every 100 ms one of them is killed. At the
 * end nothing is missing: the bank's sum, every block, every lock.
 *
 *     npm run soak:memory -- [--seconds 600] [--seed N]
 *
 * A runtime takes longer to start than the time between two kills. So some are always started ahead: they wait for work, and
 * the next one begins as soon as a place is free. Those who work are nice to those who start.
 */
import { MiB, Segment } from "isthmus";
import { Agent } from "../../lib/processes.js";
import { presentRuntimes, type Runtime } from "../../lib/runtimes.js";
import { segmentName } from "../../lib/segments.js";
import { randomFrom } from "../../lib/series.js";
import { pause, until, WATCHDOG_MS, within } from "../../lib/watchdog.js";
import { Bank } from "./bank.js";

const ACTIONS = "processes/memory-soak/memory-actions.ts";
const PROCESSES = 8;
/** So many go on when one is killed: on a machine that starts them too slowly, a kill comes late and is not left out. */
const SURVIVORS_MIN = 4;
/** Started or starting ahead of their work. */
const AHEAD = 6;
const BETWEEN_KILLS_MS = 100;

export interface Report {
  seed: number;
  /** One for each 100 ms that were asked for. */
  kills: number;
  killsPerSecond: number;
  /** Participants that were found dead: all but those of the killed whose slots nobody has needed since. */
  foundDead: number;
  /** Processes at work when one of them was killed, on average. */
  working: number;
  transfers: number;
  turns: number;
  /** What is wrong at the end; nothing should be. */
  problems: string[];
}

interface Worker {
  agent: Agent;
  /** Settles when its work is over, however it ended. */
  done: Promise<void>;
  doomed: boolean;
}

class Crowd {
  readonly problems: string[] = [];
  kills = 0;
  /** The sum of `working` over all kills. */
  met = 0;
  readonly #working = new Set<Worker>();
  readonly #waiting: Agent[] = [];
  /** What goes on in the background: starts, and ends of the killed. */
  readonly #pending = new Set<Promise<void>>();
  #starting = 0;
  #open = true;
  readonly #name: string;
  readonly #random: () => number;

  constructor(name: string, random: () => number) {
    this.#name = name;
    this.#random = random;
  }

  /** Gives every free place to one who waits for work, and starts others in the background. */
  fill(): void {
    while (this.#open && this.#working.size < PROCESSES) {
      const agent = this.#waiting.shift();
      if (!agent) break;
      this.#begin(agent);
    }
    while (this.#open && this.#starting + this.#waiting.length < AHEAD) this.#start();
  }

  #start(): void {
    const runtimes = presentRuntimes();
    const runtime = runtimes[Math.floor(this.#random() * runtimes.length)] as (typeof runtimes)[number];
    this.#starting++;
    const started = this.#joined(runtime).then(
      (agent) => {
        this.#starting--;
        this.#waiting.push(agent);
        this.fill();
      },
      (error: Error) => {
        this.#starting--;
        this.problems.push(error.message);
      },
    );
    this.#inBackground(started);
  }

  /** A process that has the segment open, so that whoever kills it kills a participant. */
  async #joined(runtime: Runtime): Promise<Agent> {
    const agent = await Agent.start(runtime, ACTIONS);
    try {
      await agent.call("open", this.#name);
      return agent;
    } catch (error) {
      await agent.kill();
      throw error;
    }
  }

  #inBackground(work: Promise<void>): void {
    const settled = work
      .catch((error: Error) => void this.problems.push(error.message))
      .finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
  }

  #begin(agent: Agent): void {
    const worker: Worker = { agent, doomed: false, done: Promise.resolve() };
    const over = agent.call("work", this.#name, Math.floor(this.#random() * 2 ** 32));
    worker.done = over.then(
      () => {},
      (error: Error) => {
        if (!worker.doomed) this.problems.push(`${agent.name}: ${error.message}`);
      },
    );
    this.#working.add(worker);
  }

  /** As many work as a kill needs. */
  get enough(): boolean {
    return this.#working.size > SURVIVORS_MIN;
  }

  get full(): boolean {
    return this.#working.size === PROCESSES;
  }

  killOne(): void {
    const all = [...this.#working];
    const victim = all[Math.floor(this.#random() * all.length)] as Worker;
    victim.doomed = true;
    this.#working.delete(victim);
    this.kills++;
    this.met += all.length;
    this.#inBackground(victim.agent.kill());
    this.fill();
  }

  /** Everyone ends by itself; who does not is ended. */
  async end(): Promise<void> {
    this.#open = false;
    await Promise.all(this.#pending);
    for (const { agent, done } of this.#working) {
      await within(`the end of work in ${agent.name}`, done).catch((error) =>
        this.problems.push(error.message),
      );
    }
    for (const agent of [...[...this.#working].map(({ agent }) => agent), ...this.#waiting])
      await agent.end().catch((error) => this.problems.push(error.message));
  }

  async abandon(): Promise<void> {
    this.#open = false;
    for (const worker of this.#working) worker.doomed = true;
    await Promise.all(this.#pending);
    for (const { agent } of this.#working) await agent.kill();
    for (const agent of this.#waiting) await agent.kill();
  }
}

/** Kills one after the other, at the pace asked for or, where runtimes start too slowly, as they come to work. */
async function strike(crowd: Crowd, kills: number, worked: () => number): Promise<void> {
  const begin = Date.now();
  let progress = { worked: worked(), at: begin };
  for (let due = begin; crowd.kills < kills && crowd.problems.length === 0; due += BETWEEN_KILLS_MS) {
    await pause(Math.max(0, due - Date.now()));
    await until("enough processes are at work", () => crowd.enough || crowd.problems.length > 0);
    if (crowd.problems.length > 0) return;
    crowd.killOne();
    // Whoever is left goes on: nobody waits for a dead one.
    if (worked() > progress.worked) progress = { worked: worked(), at: Date.now() };
    else if (Date.now() - progress.at > WATCHDOG_MS)
      throw new Error("watchdog: nobody gets on with its work");
  }
}

/** Makes a kill for each 100 ms; an error is thrown for what could not even be run, problems are reported. */
export async function soak(seconds: number, seed: number): Promise<Report> {
  const random = randomFrom(seed);
  const kills = (seconds * 1000) / BETWEEN_KILLS_MS;
  const segment = Segment.create(segmentName("soak"), { bytes: 4 * MiB });
  const crowd = new Crowd(segment.name, random);
  try {
    const bank = new Bank(segment);
    segment.lock("twins");
    const stop = segment.event("stop");
    const worked = segment.counter("worked");
    segment.counter("twins at").exchange(segment.heap.allocate(8).offset);
    const others = segment.heap.stats.blocks - bank.blocks;
    crowd.fill();
    await until("everyone is at work", () => crowd.full || crowd.problems.length > 0);
    const begin = performance.now();
    await strike(crowd, kills, () => worked.value);
    const killsPerSecond = Math.round((crowd.kills / (performance.now() - begin)) * 1e5) / 100;
    stop.signal();
    await crowd.end();
    const problems = [...crowd.problems, ...bank.problems(), ...locksTaken(segment)];
    if (crowd.kills !== kills) problems.push(`${crowd.kills} of ${kills} kills were made`);
    const lost = segment.heap.stats.blocks - bank.blocks - others;
    if (lost !== 0) problems.push(`${lost} blocks are lost`);
    const living = segment.participants().filter(({ state }) => state === "live").length;
    if (living !== 1) problems.push(`${living} participants are alive`);
    return {
      seed,
      kills: crowd.kills,
      killsPerSecond,
      foundDead: segment.header.recoveries,
      working: Math.round((crowd.met / Math.max(1, crowd.kills)) * 10) / 10,
      transfers: bank.transfers,
      turns: worked.value,
      problems,
    };
  } finally {
    await crowd.abandon();
    segment.unlink();
    segment.close();
  }
}

function locksTaken(segment: Segment): string[] {
  return ["bank", "twins"].flatMap((name) => {
    const held = segment.lock(name).tryAcquire("exclusive");
    if (!held) return [`lock ${name} is not free`];
    if (held.ownerDied) held.markConsistent();
    held.release();
    return [];
  });
}
