/** A segment without a name, handed to a child process: nothing to clean up, whatever happens. */
import { MiB, Segment } from "isthmus";
import { done, startAgain } from "./children.js";

const handle = process.argv[2];

if (handle === undefined) {
  using segment = Segment.createAnonymous({ bytes: MiB });
  using consumer = segment.ring("words", { bytes: 64 * 1024 }).consumer();
  const ended = done(startAgain(segment.handle));
  for await (const bytes of consumer) console.log(new TextDecoder().decode(bytes));
  await ended;
} else {
  using segment = Segment.fromHandle(handle);
  using producer = segment.ring("words", { bytes: 64 * 1024 }).producer();
  for (const word of ["from", "the", "child"]) await producer.send(new TextEncoder().encode(word));
}
