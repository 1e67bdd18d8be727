/**
 * A rate limit that all processes of a machine keep together: a token bucket for each client. A bucket holds up to `burst` tokens, and
 * gets `rate` of them each second; a request takes one, or is refused.
 *
 *     node build/examples/rate-limit.js [--workers 3] [--rate 100] [--burst 50] [--requests 2000]
 *
 * A bucket is one counter: the time, in microseconds, at which it will be full again. A token that is taken makes that later. If it
 * would be later than a whole bucket takes, there is no token. So nothing has to be filled, no process does it for the others, and one
 * that is killed leaves nothing behind. (Networks know this as the generic cell rate algorithm, ITU-T I.371.)
 */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Counter, MiB, Segment } from "isthmus";
import { done, startAgain, temporary } from "./children.js";
import { participantsFor, wholeNumber } from "./numbers.js";

const MICROSECONDS = 1_000_000;
const CLIENTS = ["ann", "bob"];

interface Limit {
  rate: number;
  burst: number;
}

/** Takes a token; false when there is none now. */
function take(bucket: Counter, { rate, burst }: Limit): boolean {
  const each = Math.ceil(MICROSECONDS / rate);
  for (;;) {
    const now = Date.now() * 1000;
    const seen = bucket.value;
    const full = Math.max(seen, now) + each;
    if (full - now > burst * each) return false;
    if (bucket.compareExchange(seen, full) === seen) return true;
  }
}

/** In a child: asks as often as it can. */
async function ask(name: string, limit: Limit, requests: number): Promise<void> {
  using segment = Segment.open(name);
  for (let request = 0; request < requests; request++) {
    const client = CLIENTS[request % CLIENTS.length] as string;
    const allowed = take(segment.counter(`bucket of ${client}`), limit);
    segment.counter(`${allowed ? "allowed" : "refused"} ${client}`).add(1);
    if (request % 10 === 9) await pause(1);
  }
}

async function run(workers: number, limit: Limit, requests: number): Promise<void> {
  const options = { bytes: MiB, participants: participantsFor(workers) };
  using segment = temporary(() => Segment.create(`example-limit-${process.pid}`, options));
  const begin = Date.now();
  const args = ["--rate", `${limit.rate}`, "--burst", `${limit.burst}`, "--requests", `${requests}`];
  await Promise.all(Array.from({ length: workers }, () => done(startAgain("--ask", segment.name, ...args))));
  const most = limit.burst + Math.ceil(((Date.now() - begin) / 1000) * limit.rate);
  for (const client of CLIENTS) {
    const [allowed, refused] = ["allowed", "refused"].map((one) => segment.counter(`${one} ${client}`).value);
    const kept = (allowed as number) >= limit.burst && (allowed as number) <= most;
    console.log(
      `${client}: ${(allowed as number) + (refused as number)} requests, the limit was ${kept ? "kept" : "broken"}`,
    );
  }
}

const { values } = parseArgs({
  options: {
    ask: { type: "string" },
    workers: { type: "string", default: "3" },
    rate: { type: "string", default: "100" },
    burst: { type: "string", default: "50" },
    requests: { type: "string", default: "2000" },
  },
});
const limit = { rate: wholeNumber("rate", values.rate), burst: wholeNumber("burst", values.burst) };
const requests = wholeNumber("requests", values.requests);
if (values.ask !== undefined) {
  process.once("disconnect", () => process.exit(1)); // who started it is gone
  await ask(values.ask, limit, requests);
  process.exit(0);
} else await run(wholeNumber("workers", values.workers), limit, requests);
