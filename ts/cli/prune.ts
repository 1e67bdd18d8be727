import { Segment } from "../index.js";
import { type Command, DONE } from "./command.js";
import { json, line, safe } from "./print.js";

/** `isthmus prune`: removes what nobody alive has open. */
export const prune: Command = {
  help: "Whether somebody has a segment open is asked of the kernel, so a stopped or stalled process counts as alive.",
  run({ json: asJson }) {
    const removed = Segment.prune().sort();
    if (asJson) json({ removed });
    else if (removed.length === 0) line("nothing to remove");
    else for (const name of removed) line(`removed ${safe(name)}`);
    return DONE;
  },
};
