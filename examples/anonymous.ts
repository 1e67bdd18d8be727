/** A segment without a name, handed to a child process: nothing to clean up, whatever happens. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { MiB, Segment } from "isthmus";

const handle = process.argv[2];

if (handle === undefined) {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using consumer = segment.ring("words", { bytes: 64 * 1024 }).consumer();
  const child = fork(process.argv[1] as string, [segment.handle]);
  for await (const bytes of consumer) console.log(new TextDecoder().decode(bytes));
  if (child.exitCode === null) await once(child, "exit");
} else {
  using segment = Segment.fromHandle(handle);
  using producer = segment.ring("words", { bytes: 64 * 1024 }).producer();
  for (const word of ["from", "the", "child"]) await producer.send(new TextEncoder().encode(word));
}
