/** What children of the tests of services do. */
import process from "node:process";
import { Segment, type Service, type ServiceOptions, type ServiceServer } from "isthmus";

let segment: Segment;
let service: Service;
let server: ServiceServer;
const counts = { begun: 0, answered: 0, aborted: 0 };

/** Creates the segment or opens it. Returns the slot of this participant. */
export function open(name: string, bytes?: number | null, options?: ServiceOptions): number {
  segment = typeof bytes !== "number" ? Segment.open(name) : Segment.create(name, { bytes });
  service = segment.service("s", options);
  return segment.participants().find(({ self }) => self)?.slot as number;
}

/** Answers requests with each byte plus 1. A request that begins with 0 is never answered, unless it is cancelled. */
export function serve(concurrency = 1): void {
  server = service.serve(
    async (request, { signal }) => {
      counts.begun++;
      if (request[0] === 0) {
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        counts.aborted++;
      }
      counts.answered++;
      return request.map((byte) => byte + 1);
    },
    { concurrency },
  );
}

export function seen(): typeof counts {
  return counts;
}

export async function close(): Promise<void> {
  server.close();
  await server.finished;
}

/** Calls, and gives the first byte of the answer, or the code of the error. */
export async function call(value: number, timeoutMs?: number): Promise<number | string | undefined> {
  try {
    return (await service.call(Uint8Array.of(value), timeoutMs === undefined ? {} : { timeoutMs }))[0];
  } catch (error) {
    return (error as { code: string }).code;
  }
}

export function callSync(value: number): number | undefined {
  return service.callSync(Uint8Array.of(value))[0];
}

/** Begins a call that is not waited for. */
export function begin(value: number): void {
  service.call(Uint8Array.of(value)).catch(() => {});
}

/** Calls as often, one after the other. How many ended with each outcome; a wrong answer is an error. */
export async function callMany(count: number): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  for (let turn = 0; turn < count; turn++) {
    const value = 1 + (turn % 200);
    const outcome = await call(value);
    if (typeof outcome === "number" && outcome !== value + 1) throw new Error(`${value} gave ${outcome}`);
    const key = typeof outcome === "number" ? "answered" : String(outcome);
    outcomes[key] = (outcomes[key] ?? 0) + 1;
  }
  return outcomes;
}

/** Ends the process without closing anything. */
export function exit(): void {
  setTimeout(() => process.exit(0));
}
