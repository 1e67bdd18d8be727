import { Segment, type SegmentInfo } from "../index.js";
import { type Command, DONE, Misuse } from "./command.js";
import { json, line, paint, safe } from "./print.js";

/** Why something is still there. */
function reasonOf({ inUse, error }: SegmentInfo, olderThanMs = 0): { reason: string; why: string } {
  if (inUse) return { reason: "IN_USE", why: "somebody has it open" };
  const recent = olderThanMs > 0 ? "was used since, " : "";
  switch (error) {
    case undefined:
    case "INITIALIZING":
      return { reason: "KEPT", why: `it ${recent}is another user's, or came or was left just now` };
    case "ACCESS_DENIED":
      return { reason: error, why: "this user may not open it" };
    case "BAD_MAGIC":
    case "CORRUPT":
      return { reason: error, why: "it is no segment, or too damaged to tell" };
    default:
      return { reason: error, why: "it cannot be opened" };
  }
}

/** Seconds of the command line in milliseconds. */
function milliseconds(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  const value = seconds.trim() === "" ? Number.NaN : Number(seconds);
  if (value >= 0 && Number.isFinite(value)) return value * 1000;
  throw new Misuse(
    `--older-than takes a number of seconds, 0 or more, got ${JSON.stringify(seconds)}`,
    "prune",
  );
}

/** `isthmus prune`: removes what nobody alive has open. */
export const prune: Command = {
  help: [
    "Removes the segments of this user only, also when the user is root. What is no segment stays, whatever its name.",
    "Whether somebody has a segment open is asked of the kernel, so a stopped or stalled process counts as alive.",
    "A segment is used when somebody joins it, leaves it, or has it open; one that was never finished has no age, and stays",
    "when --older-than is given.",
    "Says what stays and why. With --json: { removed: [NAME, ...], skipped: [{ name, reason, why }, ...], dryRun }.",
  ].join("\n"),
  run({ json: asJson, options }) {
    const prefix = options.get("prefix");
    const olderThanMs = milliseconds(options.get("older-than"));
    const dryRun = options.has("dry-run");
    const removed = Segment.prune({ prefix, olderThanMs, dryRun });
    const kept = Segment.list({ prefix }).filter(({ name }) => !dryRun || !removed.includes(name));
    const skipped = kept.map((one) => ({ name: one.name, ...reasonOf(one, olderThanMs) }));
    if (asJson) {
      json({ removed, skipped, dryRun });
      return DONE;
    }
    for (const name of removed) line(`${dryRun ? "would remove" : "removed"} ${safe(name)}`);
    if (removed.length === 0) line("nothing to remove");
    for (const { name, why } of skipped) line(paint.dim(`kept ${safe(name)}: ${why}`));
    return DONE;
  },
};
