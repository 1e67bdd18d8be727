import { Segment, type SegmentInfo } from "../index.js";
import { type Command, DONE } from "./command.js";
import { bytesText, json, line, paint, safe, table } from "./print.js";

function useText({ inUse, error }: SegmentInfo): string {
  if (inUse) return paint.green("yes");
  return error === "ACCESS_DENIED" ? "?" : paint.dim("no");
}

/** `isthmus ls`: every named segment of this machine that this user can see. */
export const ls: Command = {
  help: [
    "Lists the named segments of all users; on Linux they are in /dev/shm. It does not list anonymous segments, nor segments in",
    "other files. A file that this user may not read, or that is not a segment, is listed with the reason. The command takes no",
    "lock in a segment and writes to none.",
    "IN USE says whether a live process has the segment open.",
    '"isthmus prune" removes your own segments that are not in use.',
    "With --json: [{ name, bytes, state, generation, inUse, temporary, error }, ...].",
  ].join("\n"),
  run({ json: asJson, options }) {
    const found = Segment.list({ prefix: options.get("prefix") });
    if (asJson) {
      json(found);
      return DONE;
    }
    if (found.length === 0) {
      line("no segments");
      return DONE;
    }
    const rows = found.map((segment) => [
      safe(segment.name),
      bytesText(segment.bytes),
      `${segment.generation ?? "-"}`,
      segment.state === "READY" ? "READY" : paint.yellow(segment.state ?? segment.error ?? "-"),
      useText(segment),
    ]);
    table(["NAME", ">SIZE", ">GENERATION", "STATE", "IN USE"], rows);
    return DONE;
  },
};
