import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { timeEach, work } from "../clock.js";
import type { Contestant } from "../contest.js";
import { expectSum, makeFrame, messageSum, stamp, sumWords } from "../stamp.js";

/** Calls `handle` with each whole message that arrives. */
function onMessage(socket: Socket, payloadBytes: number, handle: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    while (rest.length >= payloadBytes) {
      handle(rest.subarray(0, payloadBytes));
      rest = rest.subarray(payloadBytes);
    }
  });
}

/** Round trips over a Unix socket between two event loops. */
export const contestant: Contestant = {
  async left(plan, link) {
    const server = createServer();
    server.listen(plan.socket);
    await once(server, "listening");
    link.send("connect");
    const [socket] = (await once(server, "connection")) as [Socket];
    const message = makeFrame(plan.payloadBytes);
    const answer = makeFrame(plan.payloadBytes);
    let arrived: () => void = () => {};
    onMessage(socket, plan.payloadBytes, (bytes) => {
      answer.bytes.set(bytes);
      arrived();
    });
    const latenciesNs = await timeEach(plan, async (sequence) => {
      stamp(message.words, 1, sequence);
      const back = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      socket.write(message.bytes);
      await back;
      expectSum(sumWords(answer.words, 1), messageSum(answer.words.length, 1, sequence));
    });
    socket.destroy();
    server.close();
    return { latenciesNs };
  },

  async right(plan, link) {
    await link.receive();
    const socket = connect(plan.socket);
    onMessage(socket, plan.payloadBytes, (message) => {
      work(plan.workNs);
      socket.write(message);
    });
    await once(socket, "close");
  },
};
