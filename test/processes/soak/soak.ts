/**
 * Real death: a producer and a consumer in random runtimes are killed and stopped at random moments, started again, and at
 * the end every record is accounted for.
 *
 *     npm run soak -- [--seconds 60] [--seed N]
 */
import { pathToFileURL } from "node:url";
import { MiB, Segment } from "isthmus";
import { RING_HELD_RECORDS_MAX } from "../../../protocol/limits.js";
import { segmentName, temporaryDirectory } from "../../lib/segments.js";
import { printedSeed, randomFrom } from "../../lib/series.js";
import { pause } from "../../lib/watchdog.js";
import { type Account, type Got, settle } from "../accounting/accounting.js";
import { canStop, numbersIn, Player } from "../player.js";

const ACTIONS = "processes/soak/soak-actions.ts";
const BATCH = 8;
const EPOCH = 2 ** 32;
/** The longest time between two strikes. Milliseconds. */
const PEACE_MS = 60;

interface Report extends Account {
  kills: number;
  stops: number;
}

async function strike(players: Player[], name: string, random: () => number, report: Report): Promise<void> {
  await pause(random() * PEACE_MS);
  const player = players[Math.floor(random() * players.length)] as Player;
  if (canStop && (player.stopped || random() < 0.4)) {
    player.toggle();
    report.stops++;
    return;
  }
  const victims = random() < 0.1 ? players : [player];
  await Promise.all(victims.map((victim) => victim.kill()));
  report.kills += victims.length;
  await Promise.all(victims.map((victim) => victim.begin(name, random)));
}

/** Plays for so many seconds, and at least for so many records, and so many kills and stops, and settles the accounts. */
export async function soak(
  seconds: number,
  seed: number,
  least = { strikes: 0, records: 0 },
): Promise<Report> {
  const random = randomFrom(seed);
  const name = segmentName("soak");
  const segment = Segment.create(name, { bytes: MiB });
  const directory = temporaryDirectory();
  const producer = new Player("produce", [], directory, ACTIONS);
  const consumer = new Player("consume", [], directory, ACTIONS);
  const players = [producer, consumer];
  const report: Report = { kills: 0, stops: 0, records: 0, redelivered: 0, problems: [] };
  await Promise.all(players.map((player) => player.begin(name, random)));
  const end = Date.now() + seconds * 1000;
  const sent = (): number => producer.logs.reduce((sum, file) => sum + (numbersIn(file)[0] ?? 0), 0);
  const few = (): boolean =>
    report.kills < least.strikes || (canStop && report.stops < least.strikes) || sent() < least.records;
  while (Date.now() < end || few()) await strike(players, name, random, report);
  for (const player of players) if (player.stopped) player.toggle();
  await producer.agent?.call("stop");
  await consumer.agent?.call("streamEnd");
  await Promise.all(players.map((player) => player.agent?.end()));
  const live = segment.participants().filter(({ state }) => state === "live").length;
  segment.close();

  const committed = producer.logs.map((file) => numbersIn(file)[0] ?? 0);
  const logs = consumer.logs.map((file) => numbersIn(file).map(gotOf));
  Object.assign(report, settle(committed, logs, { batch: BATCH, redeliveredMax: RING_HELD_RECORDS_MAX + 1 }));
  if (report.problems.length > 0)
    report.problems.push(`producers ${committed.join(" ")}; consumers ${logs.map(ends).join(" ")}`);
  if (live !== 1) report.problems.push(`${live - 1} participants are left`);
  return report;
}

/** From where to where a consumer's log goes. */
function ends(log: Got[]): string {
  const [first, last] = [log[0], log[log.length - 1]];
  return first && last ? `${first.epoch}:${first.number}-${last.epoch}:${last.number}` : "nothing";
}

function gotOf(number: number): Got {
  return { epoch: Math.floor(number / EPOCH), number: number % EPOCH };
}

function option(name: string): number | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : Number(process.argv[at + 1]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const seconds = option("seconds") ?? 60;
  const report = await soak(seconds, option("seed") ?? printedSeed());
  console.log(JSON.stringify(report));
  console.log(report.problems.length === 0 ? "1 passed, 0 failed" : "0 passed, 1 failed");
  process.exitCode = report.problems.length === 0 ? 0 : 1;
}
