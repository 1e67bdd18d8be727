/** `npm run soak:memory -- [--seconds 600] [--seed N]` */
import { parseArgs } from "node:util";
import { printedSeed } from "../lib/series.js";
import { soak } from "./memory-soak.js";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "600" }, seed: { type: "string" } },
});
if (values.seed !== undefined) process.env.ISTHMUS_SEED = values.seed;
const { problems, kills, transfers, turns } = await soak(Number(values.seconds), printedSeed());
console.log(`${kills} kills, ${turns} turns, ${transfers} transfers`);
for (const problem of problems) console.log(`✘ ${problem}`);
console.log(problems.length === 0 ? "everything is accounted for" : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
