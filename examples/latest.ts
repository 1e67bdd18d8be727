/** The newest value: a writer that never waits, and a reader that sees whole values only and may be read-only. */
import { MiB, Segment, struct } from "isthmus";
import { done, startAgain, temporary } from "./children.js";

const Pose = struct({ frame: "u32", position: ["f64", 3], label: "utf8:32" });
const name = process.argv[2];

if (name === undefined) {
  using segment = temporary(() => Segment.create(`example-latest-${process.pid}`, { bytes: MiB }));
  const pose = segment.latest("pose", Pose);
  const timer = setInterval(() => {
    const frame = pose.version + 1;
    pose.write({ frame, position: [frame, frame * 2, frame * 3], label: `frame ${frame}` });
  }, 2);
  await done(startAgain(segment.name));
  clearInterval(timer);
} else {
  using segment = Segment.open(name, { access: "read-only" });
  const pose = segment.latest("pose", Pose);
  for (let i = 0; i < 3; i++) {
    const { frame, position, label } = await pose.next({ timeoutMs: 10_000 });
    console.log(label, position.every((value, axis) => value === frame * (axis + 1)) ? "whole" : "torn");
  }
}
