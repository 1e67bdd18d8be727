/** Shows that the runtime which runs this can load the package, and says what it is. */
import { MiB, Segment } from "../../index.js";
import { runtimeText } from "./stage.js";

Segment.createAnonymous({ bytes: MiB }).close();
console.log(runtimeText());
