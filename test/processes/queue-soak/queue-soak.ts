/**
 * Producers and consumers of two queues, in random runtimes, are killed and stopped at random moments, and started again. At the
 * end every message is accounted for: one queue has delivered each of them, again only where a consumer died or gave it back;
 * the other one has delivered none twice, and has counted those that it dropped.
 *
 *     npm run soak:queue -- [--seconds 60] [--seed N]
 */
import { pathToFileURL } from "node:url";
import { IsthmusError, MiB, type QueueStats, Segment } from "isthmus";
import { segmentName, temporaryDirectory } from "../../lib/segments.js";
import { numberOf, printedSeed, randomFrom } from "../../lib/series.js";
import { pause } from "../../lib/watchdog.js";
import { canStop, numbersIn, Player, type Role } from "../player.js";
import { BATCH, GIVEN_BACK, LIFE, QUEUES, type QueueName } from "./queue-soak-actions.js";

const ACTIONS = "processes/queue-soak/queue-soak-actions.ts";
/** Players of each role. */
const PLAYERS = 2;
/** The longest time between two strikes. Milliseconds. */
const PEACE_MS = 100;

export interface Report {
  kills: { produce: number; consume: number };
  stops: number;
  again?: QueueStats;
  drop?: QueueStats;
  problems: string[];
}

/** Takes what is left, until nothing is there and nobody has anything. */
async function drainRest(segment: Segment, key: QueueName): Promise<number[]> {
  const queue = segment.queue(key);
  const rest: number[] = [];
  for (let calm = false; !calm; ) {
    try {
      rest.push(numberOf(await queue.receive({ timeoutMs: 1000 })));
    } catch (error) {
      if (!(error instanceof IsthmusError) || error.code !== "TIMED_OUT") throw error;
      calm = queue.stats.queued === 0 && queue.stats.taken === 0;
    }
  }
  return rest;
}

interface Ledger {
  /** For each life of a producer, how many messages it has surely sent. */
  sent: number[];
  /** What consumers have begun to work on, and what they gave back, in the order of each one's log. */
  logs: number[][];
  rest: number[];
}

/** What does not fit together. */
export function problemsOf(
  key: QueueName,
  stats: QueueStats,
  ledger: Ledger,
  kills: Report["kills"],
): string[] {
  const problems: string[] = [];
  const check = (holds: boolean, what: string): void => {
    if (!holds) problems.push(`${key}: ${what}`);
  };
  const begun = new Map<number, number>();
  let givenBack = 0;
  for (const number of [...ledger.logs.flat(), ...ledger.rest]) {
    if (number >= GIVEN_BACK) givenBack++;
    else begun.set(number, (begun.get(number) ?? 0) + 1);
  }
  let sure = 0;
  let missing = 0;
  ledger.sent.forEach((count, life) => {
    sure += count;
    for (let i = 0; i < count; i++) if (!begun.has(life * LIFE + i)) missing++;
  });
  for (const number of begun.keys()) {
    const count = ledger.sent[Math.floor(number / LIFE)];
    check(count !== undefined && number % LIFE < count + BATCH, `message ${number} was never sent`);
  }
  const repeats = [...begun.values()].reduce((sum, times) => sum + times - 1, 0);
  check(stats.queued === 0 && stats.taken === 0, "something is left");
  check(stats.received + stats.dropped === stats.sent, "received and dropped are not what was sent");
  check(stats.sent >= sure, `${sure} were surely sent`);
  check(stats.sent <= sure + BATCH * ledger.sent.length, `only ${sure} can have been sent`);
  // A producer writes one message at a time, and a consumer has one.
  check(stats.unsent <= kills.produce, "more were not sent than producers died");
  check(stats.redelivered + stats.dropped <= kills.consume, "more were taken by the dead than died");
  if (key === "again") {
    check(stats.dropped === 0, "it has dropped some");
    check(missing === 0, `${missing} are missing`);
    check(begun.size === stats.sent, `${begun.size} were begun`);
    check(
      repeats <= stats.redelivered + givenBack,
      `${repeats} came again, and ${givenBack} were given back`,
    );
    check(repeats >= givenBack, `${givenBack} were given back, and ${repeats} came again`);
  } else {
    check(stats.redelivered === 0, "it has delivered some again");
    check(repeats === 0, `${repeats} came twice`);
    check(stats.sent - begun.size <= stats.dropped, `${begun.size} were begun`);
    check(missing <= stats.dropped, `${missing} are missing`);
  }
  if (problems.length > 0) problems.push(`${key}: ${JSON.stringify({ ...stats, sure, kills })}`);
  return problems;
}

/** Plays for so many seconds, and for so many kills and stops at least, and settles the accounts. */
export async function soakQueue(seconds: number, seed: number, strikesMin = 0): Promise<Report> {
  const random = randomFrom(seed);
  const segment = Segment.create(segmentName("queue-soak"), { bytes: MiB });
  const keys = Object.keys(QUEUES) as QueueName[];
  for (const key of keys) segment.queue(key, QUEUES[key]);
  const directory = temporaryDirectory();
  const logs: Record<Role, string[]> = { produce: [], consume: [] };
  const players = (["produce", "consume"] as const).flatMap((role) =>
    Array.from({ length: PLAYERS }, () => new Player(role, logs[role], directory, ACTIONS)),
  );
  const report: Report = { kills: { produce: 0, consume: 0 }, stops: 0, problems: [] };
  for (const player of players) await player.begin(segment.name, random);
  const end = Date.now() + seconds * 1000;
  const few = (): boolean => {
    const { kills, stops } = report;
    return Math.min(kills.produce, kills.consume, canStop ? stops : strikesMin) < strikesMin;
  };
  while (Date.now() < end || few()) {
    await pause(random() * PEACE_MS);
    const player = players[Math.floor(random() * players.length)] as Player;
    if (canStop && (player.stopped || random() < 0.4)) {
      player.toggle();
      report.stops++;
      continue;
    }
    await player.kill();
    report.kills[player.role]++;
    await player.begin(segment.name, random);
  }
  for (const player of players) if (player.stopped) player.toggle();
  for (const player of players) await player.agent?.call("stop");
  for (const player of players) await player.agent?.end();
  for (const [index, key] of keys.entries()) {
    const rest = await drainRest(segment, key);
    report[key] = segment.queue(key).stats;
    const sent = logs.produce.map((file) => numbersIn(file)[index] ?? 0);
    const taken = logs.consume.map((file) => numbersIn(`${file}-${key}`));
    report.problems.push(...problemsOf(key, report[key], { sent, logs: taken, rest }, report.kills));
  }
  segment.unlink();
  segment.close();
  return report;
}

function option(name: string): number | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : Number(process.argv[at + 1]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await soakQueue(option("seconds") ?? 60, option("seed") ?? printedSeed());
  console.log(JSON.stringify(report));
  console.log(report.problems.length === 0 ? "1 passed, 0 failed" : "0 passed, 1 failed");
  process.exitCode = report.problems.length === 0 ? 0 : 1;
}
