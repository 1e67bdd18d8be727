// What every bundle runs: a segment, two rings, and the very same bundle again as the process at their other ends.
import { spawn } from "node:child_process";
import process from "node:process";
import { IsthmusError, MiB, Segment } from "isthmus";

const WAIT = { timeoutMs: 60_000 };
const { APP_SEGMENT, APP_COMMAND, APP_ROLE } = process.env;

function child() {
  const segment = Segment.open(APP_SEGMENT);
  const there = segment.ring("there", { bytes: 4096 }).consumer();
  const back = segment.ring("back", { bytes: 4096 }).producer();
  const [a, b] = there.receiveSync(WAIT);
  back.sendSync(new Uint8Array([a + b]), WAIT);
  segment.close();
}

async function parent() {
  try {
    Segment.open(APP_SEGMENT);
  } catch (error) {
    if (!(error instanceof IsthmusError) || error.code !== "NOT_FOUND") throw error;
  }
  const segment = Segment.create(APP_SEGMENT, { bytes: MiB });
  try {
    segment
      .ring("there", { bytes: 4096 })
      .producer()
      .trySend(new Uint8Array([40, 2]));
    const [command, ...given] = JSON.parse(APP_COMMAND);
    const env = { ...process.env, APP_ROLE: "child" };
    const other = spawn(command, given, { env, stdio: ["ignore", "inherit", "inherit"] });
    const ended = new Promise((resolve) => other.on("close", resolve));
    const answer = await segment.ring("back", { bytes: 4096 }).consumer().receive(WAIT);
    console.log((await ended) === 0 && answer[0] === 42 ? "works" : "wrong");
  } finally {
    segment.unlink();
    segment.close();
  }
}

if (APP_ROLE === "child") child();
else void parent();
