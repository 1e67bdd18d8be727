import { Segment, type SegmentInfo } from "../index.js";
import { type Command, DONE, Misuse } from "./command.js";
import { json, line, paint, safe } from "./print.js";

/** Why a segment was not removed: `reason` for programs, `why` for people. */
function reasonOf({ inUse, error }: SegmentInfo, olderThanMs = 0): { reason: string; why: string } {
  if (inUse) return { reason: "IN_USE", why: "a live process has it open" };
  const recent = olderThanMs > 0 ? "it was used since, or " : "";
  switch (error) {
    case undefined:
    case "INITIALIZING":
      return {
        reason: "KEPT",
        why: `${recent}it belongs to another user, or was created or closed just now`,
      };
    case "ACCESS_DENIED":
      return { reason: error, why: "this user has no permission to open it" };
    case "BAD_MAGIC":
    case "CORRUPT":
      return { reason: error, why: "it is not a segment, or it is damaged" };
    default:
      return { reason: error, why: "it cannot be opened" };
  }
}

/** Converts the seconds of the command line to milliseconds. */
function milliseconds(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  const value = seconds.trim() === "" ? Number.NaN : Number(seconds);
  if (value >= 0 && Number.isFinite(value)) return value * 1000;
  throw new Misuse(
    `--older-than takes a number of seconds, 0 or more, got ${JSON.stringify(seconds)}`,
    "prune",
  );
}

/** `isthmus prune`: removes the segments of this user that no live process has open. */
export const prune: Command = {
  help: [
    "Removes the segments of this user only, also when the user is root. It never removes a file that is not a segment.",
    "The kernel says whether a process has a segment open, so a stopped or stalled process counts as alive.",
    "With --older-than, the age counts from when a process last joined or left the segment. A segment whose creation was never",
    "finished has no age, and stays.",
    "The command says which segments stay, and why.",
    "With --json: { removed: [NAME, ...], skipped: [{ name, reason, why }, ...], dryRun }.",
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
