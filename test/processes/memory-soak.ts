/**
 * Processes in all runtimes transfer, allocate, free, lock, upgrade and give up; one of them is killed again and again. At the
 * end nothing is missing: the bank's sum, every block, every lock.
 *
 *     npm run soak:memory -- [--seconds 600] [--seed N]
 */
import { type Block, MiB, Segment } from "isthmus";
import { Agent } from "../lib/processes.js";
import { presentRuntimes } from "../lib/runtimes.js";
import { segmentName } from "../lib/segments.js";
import { randomFrom } from "../lib/series.js";
import { pause, within } from "../lib/watchdog.js";
import { Bank } from "./bank.js";

const ACTIONS = "processes/memory-actions.ts";
const PROCESSES = 8;
const BETWEEN_KILLS_MS = 100;

export interface Report {
  seed: number;
  kills: number;
  transfers: number;
  turns: number;
  /** What is wrong at the end; nothing should be. */
  problems: string[];
}

interface Worker {
  agent: Agent;
  /** What its work came to: nothing when it was killed. */
  done: Promise<void>;
  doomed: boolean;
}

class Crowd {
  readonly working = new Set<Worker>();
  readonly problems: string[] = [];
  kills = 0;
  #starting = 0;
  readonly #name: string;
  readonly #random: () => number;

  constructor(name: string, random: () => number) {
    this.#name = name;
    this.#random = random;
  }

  /** Starts as many as are missing. */
  async fill(): Promise<void> {
    const missing = PROCESSES - this.working.size - this.#starting;
    await Promise.all(Array.from({ length: missing }, () => this.#begin()));
  }

  async #begin(): Promise<void> {
    const runtimes = presentRuntimes();
    const runtime = runtimes[Math.floor(this.#random() * runtimes.length)] as (typeof runtimes)[number];
    const seed = Math.floor(this.#random() * 2 ** 32);
    this.#starting++;
    const agent = await Agent.start(runtime, ACTIONS).finally(() => this.#starting--);
    const worker: Worker = { agent, doomed: false, done: Promise.resolve() };
    const over = agent.call("work", this.#name, seed);
    worker.done = over.then(
      () => {},
      (error: Error) => {
        if (!worker.doomed) this.problems.push(`${runtime.name}: ${error.message}`);
      },
    );
    this.working.add(worker);
  }

  async killOne(): Promise<void> {
    const all = [...this.working];
    const victim = all[Math.floor(this.#random() * all.length)];
    if (!victim) return;
    victim.doomed = true;
    this.working.delete(victim);
    this.kills++;
    await victim.agent.kill();
  }

  /** Everyone ends by itself; who does not is ended. */
  async end(): Promise<void> {
    for (const { agent, done } of this.working) {
      await within(`the end of work in ${agent.name}`, done).catch((error) =>
        this.problems.push(error.message),
      );
      await agent.end().catch((error) => this.problems.push(error.message));
    }
  }

  async abandon(): Promise<void> {
    for (const worker of this.working) {
      worker.doomed = true;
      await worker.agent.kill();
    }
  }
}

/** Runs so long; an error is thrown for what could not even be run, problems are reported. */
export async function soak(seconds: number, seed: number): Promise<Report> {
  const random = randomFrom(seed);
  const segment = Segment.create(segmentName("soak"), { bytes: 4 * MiB });
  const crowd = new Crowd(segment.name, random);
  try {
    const bank = new Bank(segment);
    segment.lock("twins");
    const stop = segment.event("stop");
    const worked = segment.counter("worked");
    segment.counter("twins at").exchange((segment.heap.allocate(8) as Block).offset);
    const others = segment.heap.stats.blocks - bank.blocks;
    const end = Date.now() + seconds * 1000;
    await crowd.fill();
    while (Date.now() < end && crowd.problems.length === 0) {
      await pause(BETWEEN_KILLS_MS);
      const before = worked.value;
      await crowd.killOne();
      await Promise.all([crowd.fill(), progress(() => worked.value > before)]);
    }
    stop.signal();
    await crowd.end();
    const problems = [...crowd.problems, ...bank.problems(), ...locksTaken(segment)];
    const lost = segment.heap.stats.blocks - bank.blocks - others;
    if (lost !== 0) problems.push(`${lost} blocks are lost`);
    const living = segment.participants().filter(({ state }) => state === "live").length;
    if (living !== 1) problems.push(`${living} participants are alive`);
    return { seed, kills: crowd.kills, transfers: bank.transfers, turns: worked.value, problems };
  } finally {
    await crowd.abandon();
    segment.unlink();
    segment.close();
  }
}

/** Whoever is left goes on: nobody waits for a dead one. */
async function progress(made: () => boolean): Promise<void> {
  const begin = Date.now();
  while (!made()) {
    if (Date.now() - begin > 60_000) throw new Error("watchdog: nobody gets on with its work");
    await pause(5);
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
