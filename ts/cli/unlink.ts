import { Segment } from "../index.js";
import { type Command, DONE } from "./command.js";
import { json, line } from "./print.js";

/** `isthmus unlink NAME`: removes a name. */
export const unlink: Command = {
  help: "Who has the segment open keeps it, and sees that it is stale. Its memory is free when the last one closes it.",
  run({ names: [name], json: asJson }) {
    Segment.unlink(name);
    if (asJson) json({ unlinked: name });
    else line(`unlinked ${name}`);
    return DONE;
  },
};
