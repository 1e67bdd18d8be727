// Says to Node which kind of modules each build holds: the nearest package.json decides.
import { writeFileSync } from "node:fs";

writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
