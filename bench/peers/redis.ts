/** Redis over a Unix socket, one request at a time: as a program that needs the value before it goes on. */
import { once } from "node:events";
import { connect } from "node:net";
import type { Contestant, Plan } from "../contest.js";
import { type AwaitedStore, timeAwaited, togetherAwaited } from "../rows/cache-programme.js";
import { startRedis } from "./redis-server.js";

const CR = 13;

/** The reply that begins a buffer, and where it ends; undefined when it is not there as a whole. */
function replyIn(bytes: Buffer): { value: Buffer | undefined; end: number } | undefined {
  const line = bytes.indexOf(CR);
  if (line < 0 || bytes.length < line + 2) return undefined;
  const text = bytes.toString("latin1", 1, line);
  if (bytes[0] === 0x2b) return { value: undefined, end: line + 2 }; // +OK
  if (bytes[0] !== 0x24) throw new Error(`redis: ${text}`);
  const length = Number(text);
  if (length < 0) return { value: undefined, end: line + 2 };
  const end = line + 2 + length;
  return bytes.length < end + 2 ? undefined : { value: bytes.subarray(line + 2, end), end: end + 2 };
}

/** A client that sends one request after the other. */
async function open({ socket: path }: Plan): Promise<AwaitedStore> {
  const socket = connect(path);
  await once(socket, "connect");
  let rest: Buffer = Buffer.alloc(0);
  let [arrived, failed]: [(value: Buffer | undefined) => void, (problem: unknown) => void] = [
    () => {},
    () => {},
  ];
  socket.on("data", (chunk: Buffer) => {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    try {
      const reply = replyIn(rest);
      if (!reply) return;
      rest = rest.subarray(reply.end);
      arrived(reply.value);
    } catch (problem) {
      failed(problem);
    }
  });
  socket.on("error", (problem) => failed(problem));
  const ask = (request: string | Buffer): Promise<Buffer | undefined> =>
    new Promise((resolve, reject) => {
      [arrived, failed] = [resolve, reject];
      socket.write(request);
    });
  return {
    get: (key) => ask(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`),
    async set(key, value) {
      const head = `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n`;
      await ask(Buffer.concat([Buffer.from(head, "latin1"), value, Buffer.from("\r\n")]));
    },
    close: () => socket.destroy(),
  };
}

function alone(setting: boolean): Contestant {
  return {
    async left(plan) {
      const end = await startRedis(plan.socket);
      const store = await open(plan);
      const latenciesNs = await timeAwaited(store, plan, setting);
      store.close();
      end();
      return { latenciesNs };
    },
  };
}

export const gets = { contestant: alone(false) };
export const sets = { contestant: alone(true) };
export const mixed = { contestant: togetherAwaited(({ socket }) => startRedis(socket), open) };
