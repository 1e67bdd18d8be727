/** First stage of the comparison: writes the same stream to a Unix socket. */
import { once } from "node:events";
import { connect } from "node:net";
import { stage } from "./stage.js";
import { parts } from "./stream.js";

stage(async (task, ready) => {
  const socket = connect(task.sockets[0]);
  await once(socket, "connect");
  ready();
  for (const part of parts(task.files, task.rounds)) {
    const bytes = new Uint8Array(part.bytes);
    part.fill(bytes);
    if (!socket.write(bytes)) await once(socket, "drain");
  }
  socket.end();
  await once(socket, "close");
});
