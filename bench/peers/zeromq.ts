import type { Plan } from "../contest.js";
import { loadPeer } from "./installed.js";

export interface Socket {
  bind(address: string): Promise<void>;
  connect(address: string): void;
  send(message: Uint8Array): Promise<void>;
  receive(): Promise<[Buffer]>;
  close(): void;
}

interface Sockets {
  Pair: new () => Socket;
}

/** A pair of sockets over a Unix socket: the left end binds. */
export async function zeromqPair(plan: Plan, end: "left" | "right"): Promise<Socket> {
  const socket = new (loadPeer<Sockets>("zeromq").Pair)();
  const address = `ipc://${plan.socket}`;
  if (end === "left") await socket.bind(address);
  else socket.connect(address);
  return socket;
}
