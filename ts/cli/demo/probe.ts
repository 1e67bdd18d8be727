/** Shows that the runtime which runs this can load the package, and says what it is. */
import process from "node:process";
import { MiB, Segment } from "../../index.js";
import { type Probed, runtimeText } from "./stage.js";

Segment.createAnonymous({ bytes: MiB }).close();
const probed: Probed = { name: runtimeText(), program: process.execPath, pid: process.pid };
console.log(JSON.stringify(probed));
