/**
 * Control messages over the channels between processes and their parent. Each is wrapped, so that a contestant that measures
 * that very channel (`process.send`) can tell its own messages apart.
 */
import type { ChildProcess } from "node:child_process";
import type { Link } from "./contest.js";

interface Envelope {
  control: unknown;
}

function isEnvelope(message: unknown): message is Envelope {
  return typeof message === "object" && message !== null && "control" in message;
}

export function linkOver(channels: (ChildProcess | NodeJS.Process)[]): Link {
  const arrived: unknown[] = [];
  const waiting: ((message: unknown) => void)[] = [];
  for (const channel of channels) {
    (channel as ChildProcess).on("message", (message: unknown) => {
      if (!isEnvelope(message)) return;
      const resolve = waiting.shift();
      if (resolve) resolve(message.control);
      else arrived.push(message.control);
    });
  }
  return {
    send(message) {
      for (const channel of channels) channel.send?.({ control: message });
    },
    receive() {
      if (arrived.length > 0) return Promise.resolve(arrived.shift());
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}
