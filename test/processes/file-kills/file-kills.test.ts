// deep: kills at random, for a while
// watchdog: 240 s
/** Whoever is killed, at whatever moment of opening, writing, closing and truncating: the file is whole for the next one. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HEADER_TOTAL_SIZE_OFFSET } from "../../../protocol/layout.js";
import { Agent } from "../../lib/processes.js";
import { node } from "../../lib/runtimes.js";
import { temporaryDirectory } from "../../lib/segments.js";
import { printedSeed, randomFrom } from "../../lib/series.js";
import { pause, within } from "../../lib/watchdog.js";
import { Bank } from "../memory-soak/bank.js";

const ACTIONS = "processes/file-kills/file-actions.ts";
const KILLS = 20;
const WRITERS = 2;
/** Every so many kills everybody is killed, and the test looks at the file alone. */
const KILLS_OF_ALL = 4;

const folder = temporaryDirectory();
const file = join(folder, "bank");
const stop = join(folder, "stop");

interface Working {
  agent: Agent;
  done: Promise<unknown>;
}

/** A file with a bank in it, closed by its founder. Gives the blocks that are not the bank's. */
function found(): number {
  using segment = Segment.openFile(file, { bytes: MiB });
  const { blocks } = new Bank(segment);
  return segment.heap.stats.blocks - blocks;
}

async function begin(seed: number): Promise<Working> {
  const agent = await Agent.start(node, ACTIONS);
  return { agent, done: agent.call("openAndClose", file, stop, seed) };
}

/** Opens the file as the next writer does: nothing is wrong, whoever died before. */
function inspect(others: number, bytes?: number): { bytes: number; transfers: number; recoveries: number } {
  using segment = Segment.openFile(file, bytes === undefined ? {} : { bytes });
  assert.is(segment.participants().filter(({ state }) => state === "live").length, 1);
  const bank = new Bank(segment);
  assert.equal(bank.problems(), []);
  assert.is(segment.heap.stats.blocks - bank.blocks, others, "blocks are lost");
  return { bytes: segment.bytes, transfers: bank.transfers, recoveries: segment.header.recoveries };
}

function isCut(): void {
  const { size } = statSync(file);
  assert.is(Number(readFileSync(file).readBigUInt64LE(HEADER_TOTAL_SIZE_OFFSET)), size);
  assert.is(size % (64 * KiB), 0);
  assert.ok(size < MiB, `${size} bytes`);
}

test("a file is whole after any kill of those who open and close it", async () => {
  const random = randomFrom(printedSeed());
  const seed = (): number => Math.floor(random() * 2 ** 32);
  const others = found();
  isCut();
  const reader = await Agent.start(node, ACTIONS);
  const looking = reader.call<{ seen: number; refused: number }>("look", file, stop);
  let working = await Promise.all(Array.from({ length: WRITERS }, () => begin(seed())));
  let before = { bytes: 0, transfers: 0, recoveries: 0 };
  for (let kill = 1; kill <= KILLS; kill++) {
    await pause(random() * 60);
    const doomed = kill % KILLS_OF_ALL === 0 ? working : [working[kill % WRITERS] as Working];
    await Promise.all(doomed.map(({ agent }) => agent.kill()));
    if (doomed === working) {
      const now = inspect(others, random() < 0.5 ? undefined : 2 * MiB);
      assert.ok(now.transfers > before.transfers, "nothing was done");
      before = now;
    }
    working = await Promise.all(working.map((one) => (doomed.includes(one) ? begin(seed()) : one)));
  }
  writeFileSync(stop, "");
  await within("the end of all", Promise.all(working.map(({ done }) => done)));
  const { seen, refused } = await within("the end of the reader", looking);
  for (const { agent } of [...working, { agent: reader }]) await agent.end();
  const { transfers, recoveries } = inspect(others);
  console.log(
    `${transfers} transfers, ${recoveries} recoveries; read ${seen} times, refused ${refused} times`,
  );
  assert.ok(recoveries > 0 && seen > 0);
  isCut();
});

test("noticed: a block that is nobody's, as one who was killed amid a transfer would leave without a journal", () => {
  const others = found();
  inspect(others);
  {
    using segment = Segment.openFile(file, { bytes: MiB });
    segment.heap.allocate(100);
  }
  let noticed = "";
  try {
    inspect(others);
  } catch (error) {
    noticed = (error as Error).message; // an assertion's, which `assert.throws` lets through
  }
  assert.match(noticed, /blocks are lost/);
});

test.run();
