/**
 * Sends items into a queue. Start any number of servers, of `middle` and of `client`, in any order and in any runtime:
 *
 *     node build/examples/server.js [--messages 10000] [--name example-pipes]
 *     deno run -A build/examples/middle.js [--silence 10000]
 *     bun build/examples/client.js [--silence 10000]
 *
 * The queues stay when all programs have ended, with what is in them: `npx isthmus unlink example-pipes` removes them.
 */
import { pipes } from "./pipes.js";

const { segment, raw, messages } = pipes();
for (let number = 1; number <= messages; number++) await raw.send({ number, text: `item ${number}` });
console.log(`${messages} sent`);
segment.close();
