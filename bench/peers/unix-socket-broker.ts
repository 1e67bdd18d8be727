import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Contestant, Plan } from "../contest.js";
import { lead, PRODUCERS, roundsOf, type Told } from "../rows/mpmc.js";
import { makeFrame, stamp, sumWords } from "../stamp.js";

/** First byte of a connection: what the other end is. */
const PRODUCER = 0;

/** Cuts a stream into messages of one length. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);

  constructor(private readonly bytes: number) {}

  /** The whole messages that are there now, one after the other. */
  push(chunk: Buffer): Buffer {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const whole = data.length - (data.length % this.bytes);
    this.#rest = data.subarray(whole);
    return data.subarray(0, whole);
  }
}

/** Passes each message of a producer to one consumer, in turn; a full consumer is waited for. */
async function relay(producer: Socket, consumers: Socket[], plan: Plan): Promise<void> {
  const messages = new Messages(plan.payloadBytes);
  let next = 0;
  for await (const chunk of producer) {
    const whole = messages.push(chunk as Buffer);
    for (let at = 0; at < whole.length; at += plan.payloadBytes) {
      const consumer = consumers[next++ % consumers.length] as Socket;
      if (!consumer.write(whole.subarray(at, at + plan.payloadBytes))) await once(consumer, "drain");
    }
  }
}

/** The left end is the broker: two connections send messages, two get them. */
export const contestant: Contestant = {
  async left(plan, link) {
    const sockets: Socket[] = [];
    const consumers: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.once("readable", () => {
        const kind = socket.read(1) as Buffer | null;
        if (kind?.[0] === PRODUCER) producers.push(socket);
        else consumers.push(socket);
        if (producers.length + consumers.length < plan.rights) return;
        for (const producer of producers) relay(producer, consumers, plan).catch(() => {});
        link.send("go");
      });
    });
    const producers: Socket[] = [];
    server.listen(plan.socket);
    await once(server, "listening");
    link.send("connect");
    const sample = await lead(plan, link, () => link.send("round"));
    for (const socket of sockets) socket.destroy();
    server.close();
    return sample;
  },

  async right(plan, link, index) {
    await link.receive();
    const socket = connect(plan.socket);
    await once(socket, "connect");
    socket.write(new Uint8Array([index < PRODUCERS ? PRODUCER : 1]));
    await link.receive();
    const messages = new Messages(plan.payloadBytes);
    const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (const count of roundsOf(plan)) {
      link.send("ready");
      await link.receive();
      if (index < PRODUCERS) {
        await sendRound(socket, plan, index, count);
        link.send({ taken: 0, sum: 0 } satisfies Told);
        continue;
      }
      // The broker gives each consumer half of what each producer sends.
      let [taken, sum] = [0, 0];
      while (taken < count / 2) {
        const { value, done } = await chunks.next();
        if (done) throw new Error("the broker has closed the connection");
        const whole = messages.push(value);
        const aligned = new Int32Array(new Uint8Array(whole).buffer);
        const words = plan.payloadBytes >>> 2;
        for (let at = 0; at < aligned.length; at += words, taken++)
          sum = (sum + sumWords(aligned.subarray(at, at + words), plan.strideWords)) | 0;
      }
      link.send({ taken, sum });
    }
  },
};

async function sendRound(socket: Socket, plan: Plan, index: number, count: number): Promise<void> {
  const { bytes, words } = makeFrame(plan.payloadBytes);
  for (let sequence = index; sequence < count; sequence += PRODUCERS) {
    stamp(words, plan.strideWords, sequence);
    // The stream may keep what it is given until it is written, so each message needs memory of its own.
    if (!socket.write(Buffer.from(bytes))) await once(socket, "drain");
  }
  while (socket.writableLength > 0) await new Promise((resolve) => setImmediate(resolve));
}
