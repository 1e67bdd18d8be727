/** Proves that the runtime of this program can load the package, and prints its name and version. */
import process from "node:process";
import { MiB, Segment } from "../../index.js";
import { type Probed, runtimeText } from "./stage.js";

Segment.createAnonymous({ bytes: MiB }).close();
const probed: Probed = { name: runtimeText(), program: process.execPath, pid: process.pid };
console.log(JSON.stringify(probed));
