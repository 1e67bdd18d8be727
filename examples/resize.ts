/**
 * A pool of servers that halve pictures, of which one after the other is killed in the middle of its work. Every call ends: with
 * the smaller picture, because another server gets the request of one that died.
 *
 *     node build/examples/resize.js [--servers 3] [--pictures 300] [--kills 3]
 */
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { KiB, MiB, Segment } from "isthmus";
import { startAgain } from "./children.js";
import { wholeNumber } from "./numbers.js";

const WIDTH = 64;
const OPTIONS = {
  requestBytes: WIDTH * WIDTH,
  responseBytes: (WIDTH * WIDTH) / 4,
  capacity: 16,
  onServerDeath: "retry",
} as const;

/** Each pixel of the result is the mean of four. */
function halve(picture: Uint8Array): Uint8Array {
  const half = WIDTH / 2;
  return Uint8Array.from({ length: half * half }, (_, index) => {
    const at = 2 * Math.floor(index / half) * WIDTH + 2 * (index % half);
    const sum = [at, at + 1, at + WIDTH, at + WIDTH + 1].reduce(
      (all, one) => all + (picture[one] as number),
      0,
    );
    return sum >>> 2;
  });
}

async function serve(name: string): Promise<void> {
  using segment = Segment.open(name);
  const server = segment.service("resize", OPTIONS).serve(halve);
  process.send?.("ready");
  process.once("disconnect", () => server.close());
  await server.finished;
}

function startServer(name: string): Promise<ChildProcess> {
  const child = startAgain("--serve", name);
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve(child));
    child.once("error", reject);
  });
}

async function pool(servers: number, pictures: number, kills: number): Promise<void> {
  const name = `resize-${process.pid}`;
  using segment = Segment.create(name, { bytes: 4 * MiB, temporary: true });
  const service = segment.service("resize", OPTIONS);
  const children = await Promise.all(Array.from({ length: servers }, () => startServer(name)));
  let killed = 0;
  let resized = 0;
  for (let begin = 0; begin < pictures; begin += 20) {
    const batch = Array.from({ length: Math.min(20, pictures - begin) }, async (_, index) => {
      const shade = (begin + index) % 256;
      const small = await service.call(new Uint8Array(WIDTH * WIDTH).fill(shade), { timeoutMs: 60_000 });
      if (small.every((pixel) => pixel === shade)) resized++;
    });
    if (killed < kills) {
      children.shift()?.kill("SIGKILL");
      killed++;
      children.push(await startServer(name));
    }
    await Promise.all(batch);
  }
  const kept = OPTIONS.requestBytes / KiB;
  console.log(`${resized} of ${pictures} pictures of ${kept} KiB resized, ${killed} servers killed`);
  for (const child of children) child.disconnect();
}

const { values } = parseArgs({
  options: {
    serve: { type: "string" },
    servers: { type: "string", default: "3" },
    pictures: { type: "string", default: "300" },
    kills: { type: "string", default: "3" },
  },
});

if (values.serve !== undefined) await serve(values.serve);
else {
  const count = (option: "servers" | "pictures" | "kills"): number => wholeNumber(option, values[option]);
  await pool(count("servers"), count("pictures"), count("kills"));
}
