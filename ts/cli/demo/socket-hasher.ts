/** Last stage of the comparison: hashes the bytes that it receives from the socket. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { report, stage } from "./stage.js";

const PROGRESS_MS = 50;

stage(async (task, ready) => {
  const server = createServer();
  server.listen(task.sockets[1]);
  await once(server, "listening");
  ready();
  const [source] = (await once(server, "connection")) as [Socket];
  const hash = createHash("sha256");
  let bytes = 0;
  let reported = 0;
  source.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
    const now = performance.now();
    if (now - reported < PROGRESS_MS) return;
    reported = now;
    report({ kind: "progress", bytes });
  });
  await once(source, "end");
  server.close();
  const outcome = { digest: hash.digest("hex"), bytes, repeated: [], missing: [], inPlace: true };
  report({ kind: "outcome", outcome });
});
