/** What the processes of `file-kills.ts` do until they are killed, or told to stop by a file that appears. */
import { existsSync } from "node:fs";
import { IsthmusError, KiB, Segment } from "isthmus";
import { collect } from "../../lib/garbage.js";
import { randomFrom } from "../../lib/series.js";
import { pause } from "../../lib/watchdog.js";
import { Bank } from "../memory-soak/bank.js";

/** Undefined: as large as it is. Some are smaller than what is there, most need an extension. */
const SIZES = [undefined, 64, 320, 512, 1024, 1088, 2048];
const TRANSFERS = 3;
/** Turns without garbage collection: each closed segment keeps its addresses until then. */
const TURNS_MAX = 100;

async function breathe(turn: number): Promise<void> {
  if (turn % TURNS_MAX !== 0) return;
  collect();
  await pause(0);
}

/** Opens, transfers, closes, again and again: mostly alone, so that the file grows and shrinks all the time. */
export async function openAndClose(path: string, stop: string, seed: number): Promise<number> {
  const random = randomFrom(seed);
  let turns = 0;
  for (; !existsSync(stop); turns++) {
    await breathe(turns);
    const kib = SIZES[Math.floor(random() * SIZES.length)];
    const segment = Segment.openFile(path, kib === undefined ? {} : { bytes: kib * KiB });
    const bank = new Bank(segment);
    for (let i = Math.floor(random() * TRANSFERS); i > 0; i--) bank.transfer(random);
    segment.close();
  }
  return turns;
}

/** Looks, again and again. A file whose last writer was killed may be refused until the next one comes; nothing else may. */
export async function look(path: string, stop: string): Promise<{ seen: number; refused: number }> {
  let seen = 0;
  let refused = 0;
  while (!existsSync(stop)) {
    await breathe(seen + refused);
    try {
      const segment = Segment.openFile(path, { access: "read-only" });
      if (segment.root === undefined) throw new Error("there is no root");
      segment.close();
      seen++;
    } catch (error) {
      if (!(error instanceof IsthmusError) || error.code !== "CORRUPT") throw error;
      refused++;
    }
  }
  return { seen, refused };
}
