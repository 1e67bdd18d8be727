/** `npm run soak:memory -- [--seconds 600] [--seed N]` */
import { parseArgs } from "node:util";
import { printedSeed } from "../../lib/series.js";
import { soak } from "./memory-soak.js";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "600" }, seed: { type: "string" } },
});
if (values.seed !== undefined) process.env.ISTHMUS_SEED = values.seed;
const report = await soak(Number(values.seconds), printedSeed());
console.log(JSON.stringify(report));
for (const problem of report.problems) console.log(`✘ ${problem}`);
const wrong = report.problems.length;
console.log(wrong === 0 ? "everything is accounted for" : `${wrong} problems`);
process.exit(wrong === 0 ? 0 : 1);
