/**
 * One end of a contestant, as a process of its own: `end.js left|INDEX ROW CONTESTANT PLAN`.
 *
 * The harness starts the left end, the left end starts the right ones, by number. So `process.send` between the two ends is what a user
 * has between a parent and a child. Each end dies with its parent: the channel closes.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Contestant, Plan, Sample } from "./contest.js";
import { DISTURBED_CODE, Disturbed, isDisturbance } from "./disturbed.js";
import { linkOver } from "./link.js";
import { entryOf } from "./rows.js";

const rightProcesses: ChildProcess[] = [];

/** The process of the other end, for a contestant that measures the channel itself. */
export function otherProcess(): ChildProcess | NodeJS.Process {
  return rightProcesses[0] ?? process;
}

async function runLeft(contestant: Contestant, args: string[], plan: Plan): Promise<Sample> {
  for (let index = 0; contestant.right && index < plan.rights; index++) {
    const right = fork(fileURLToPath(import.meta.url), [`${index}`, ...args], { serialization: "advanced" });
    process.send?.({ right: right.pid });
    right.once("exit", (code, signal) => {
      const text = `right end ${index} ended with ${signal ?? code}`;
      if (code === DISTURBED_CODE) fail(new Disturbed(text));
      if (code !== 0) fail(new Error(text));
    });
    rightProcesses.push(right);
  }
  const sample = await contestant.left(plan, linkOver(rightProcesses));
  for (const right of rightProcesses) if (right.exitCode === null) await once(right, "exit");
  return sample;
}

function fail(problem: unknown): never {
  const disturbed = isDisturbance(problem);
  console.error(disturbed ? `disturbed: ${problem.message}` : problem);
  process.exit(disturbed ? DISTURBED_CODE : 1);
}

async function main(): Promise<void> {
  const [side, ...args] = process.argv.slice(2);
  const [rowName, contestantName, planText] = args;
  // First: Bun drops messages that come after "disconnect" has a listener and before "message" has one.
  const link = linkOver([process]);
  process.once("disconnect", () => process.exit(1));
  const plan = JSON.parse(planText) as Plan;
  const { contestant } = await entryOf(rowName, contestantName).load();
  if (side !== "left") await contestant.right?.(plan, link, Number(side));
  else {
    const sample = await runLeft(contestant, args, plan);
    await new Promise((resolve) => process.send?.({ sample }, resolve));
  }
  process.exit(0);
}

main().catch(fail);
