import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { rateSince } from "../clock.js";
import type { Contestant, Plan } from "../contest.js";
import { expectStream, makeFrame, stamp, sumWords } from "../stamp.js";

/** Sums the messages of a stream, whose chunks end where they like. */
class MessageReader {
  #rest: Buffer = Buffer.alloc(0);
  sum = 0;
  received = 0;
  startMs = 0;

  constructor(private readonly plan: Plan) {}

  push(chunk: Buffer): void {
    const { payloadBytes, strideWords, warmup } = this.plan;
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const whole = Math.floor(data.length / payloadBytes);
    // Words can only be read at multiples of 4.
    const aligned = data.byteOffset % 4 === 0 ? data : new Uint8Array(data);
    for (let i = 0; i < whole; i++) {
      if (this.received === warmup) this.startMs = performance.now();
      const words = new Int32Array(aligned.buffer, aligned.byteOffset + i * payloadBytes, payloadBytes >>> 2);
      this.sum = (this.sum + sumWords(words, strideWords)) | 0;
      this.received++;
    }
    this.#rest = data.subarray(whole * payloadBytes);
  }
}

async function consume(socket: Socket, plan: Plan): Promise<number> {
  const reader = new MessageReader(plan);
  for await (const chunk of socket) {
    reader.push(chunk as Buffer);
    if (reader.received === plan.warmup + plan.count) break;
  }
  const perSecond = rateSince(reader.startMs, plan.count);
  expectStream(plan, reader.sum);
  return perSecond;
}

/** Writes of one message each to a stream between two processes; a full socket is waited for. */
export const contestant: Contestant = {
  async left(plan, link) {
    const server = createServer();
    server.listen(plan.socket);
    await once(server, "listening");
    link.send("connect");
    const [socket] = (await once(server, "connection")) as [Socket];
    const { bytes, words } = makeFrame(plan.payloadBytes);
    for (let sequence = 0; sequence < plan.warmup + plan.count; sequence++) {
      stamp(words, plan.strideWords, sequence);
      // The stream may keep what it is given until it is written, so each message needs memory of its own.
      if (!socket.write(Buffer.from(bytes))) await once(socket, "drain");
    }
    const perSecond = (await link.receive()) as number;
    socket.destroy();
    server.close();
    return { perSecond };
  },

  async right(plan, link) {
    await link.receive();
    const socket = connect(plan.socket);
    link.send(await consume(socket, plan));
    await new Promise((resolve) => setImmediate(resolve));
  },
};
