/**
 * A process that dies in front of a step of the shim:
 *
 *     death-steps.js name|file scene path-or-name step
 *
 * It ends by SIGKILL there, or in good order when it has fewer steps.
 */
import process from "node:process";
import { pathToFileURL } from "node:url";
import { KiB, Segment } from "isthmus";
import { stepped } from "../../lib/steps.js";
import * as files from "../file-kills/file-steps.js";
import { type Act, acts, type Start } from "../host-steps/host-steps.js";

/** What is done here only, where nobody else acts meanwhile. */
type Own = "leave" | "createTemporary" | "leaveTemporary" | "readTemporary";

/** What is there, and what is done. */
export const namedScenes = {
  ...{
    createAbsent: ["absent", "create"],
    createEmpty: ["empty", "create"],
    create: ["unfinished", "create"],
  },
  ...{ openUnfinished: ["unfinished", "open"], openClosed: ["closed", "open"], openHeld: ["held", "open"] },
  ...{
    replaceAbsent: ["absent", "replace"],
    replaceClosed: ["closed", "replace"],
    replace: ["held", "replace"],
  },
  ...{ unlinkClosed: ["closed", "unlink"], unlink: ["held", "unlink"], prune: ["closed", "prune"] },
  ...{ leave: ["held", "leave"], leaveLast: ["closed", "leave"] },
  ...{ createTemporary: ["absent", "createTemporary"], leaveTemporary: ["absent", "leaveTemporary"] },
  ...{ readTemporary: ["absent", "readTemporary"] },
} as const satisfies Record<string, [Start, Act | Own]>;

export const fileScenes = ["openLarge", "openAsIs", "close", "flush", "unlinkHeld"] as const;

function dieAt(at: number, run: () => unknown): void {
  stepped(
    (step) => {
      if (step === at) process.kill(process.pid, "SIGKILL");
    },
    run as () => void,
  );
}

export function act(kind: string, scene: string, what: string): () => unknown {
  if (kind === "file") {
    const mine = files.prepared(scene as files.Act, what);
    return () => files.acts[scene as files.Act](what, mine);
  }
  const done: Act | Own = namedScenes[scene as keyof typeof namedScenes][1];
  const create = () => Segment.create(what, { bytes: 64 * KiB, temporary: true });
  if (done === "createTemporary") return create;
  if (done === "leaveTemporary") {
    const mine = create();
    return () => mine.close();
  }
  if (done === "readTemporary") {
    using _writer = create();
    const mine = Segment.open(what, { access: "read-only" });
    return () => mine.close();
  }
  if (done !== "leave") return () => acts[done](what);
  const mine = Segment.open(what);
  mine.ring("ring", { bytes: KiB }).producer();
  return () => mine.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] as string).href) {
  const [kind, scene, what, at] = process.argv.slice(2) as [string, string, string, string];
  dieAt(Number(at), act(kind, scene, what));
  process.exit(0);
}
