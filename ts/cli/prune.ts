import { Segment, type SegmentInfo } from "../index.js";
import { type Command, DONE } from "./command.js";
import { json, line, paint, safe } from "./print.js";

/** Why something is still there. */
function reasonOf({ inUse, error }: SegmentInfo): { reason: string; why: string } {
  if (inUse) return { reason: "IN_USE", why: "somebody has it open" };
  switch (error) {
    case undefined:
    case "INITIALIZING":
      return { reason: "KEPT", why: "it is another user's, or came or was left just now" };
    case "ACCESS_DENIED":
      return { reason: error, why: "this user may not open it" };
    case "BAD_MAGIC":
    case "CORRUPT":
      return { reason: error, why: "it is no segment, or too damaged to tell" };
    default:
      return { reason: error, why: "it cannot be opened" };
  }
}

/** `isthmus prune`: removes what nobody alive has open. */
export const prune: Command = {
  help: [
    "Removes the segments of this user only, also when the user is root. What is no segment stays, whatever its name.",
    "Whether somebody has a segment open is asked of the kernel, so a stopped or stalled process counts as alive.",
    "Says what stays and why. With --json: { removed: [NAME, ...], skipped: [{ name, reason, why }, ...] }.",
  ].join("\n"),
  run({ json: asJson }) {
    const removed = Segment.prune().sort();
    const skipped = Segment.list().map((one) => ({ name: one.name, ...reasonOf(one) }));
    if (asJson) {
      json({ removed, skipped });
      return DONE;
    }
    for (const name of removed) line(`removed ${safe(name)}`);
    if (removed.length === 0) line("nothing to remove");
    for (const { name, why } of skipped) line(paint.dim(`kept ${safe(name)}: ${why}`));
    return DONE;
  },
};
