/** Second stage of the comparison: pipes one socket into the other, the fastest way that a runtime offers. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { stage } from "./stage.js";

stage(async (task, ready) => {
  const target = connect(task.sockets[1]);
  await once(target, "connect");
  const server = createServer();
  server.listen(task.sockets[0]);
  await once(server, "listening");
  ready();
  const [source] = (await once(server, "connection")) as [Socket];
  source.pipe(target);
  await once(target, "close");
  server.close();
});
