import { Segment } from "../index.js";
import { type Command, DONE } from "./command.js";
import { bytesText, json, line, paint, safe, table } from "./print.js";

/** `isthmus ls`: every named segment of this machine that this user can see. */
export const ls: Command = {
  help: [
    "Takes no lock and writes nothing. A segment that cannot be read is listed with the reason.",
    'IN USE says whether somebody alive has it open: what is not in use, "isthmus prune" removes.',
  ].join("\n"),
  run({ json: asJson }) {
    const found = Segment.list();
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
      segment.inUse ? paint.green("yes") : paint.dim("no"),
    ]);
    table(["NAME", ">SIZE", ">GENERATION", "STATE", "IN USE"], rows);
    return DONE;
  },
};
