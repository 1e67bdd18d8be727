/** Reads the counters of a service. It takes no lock and writes nothing. */
import { type QueueHolder, queueStats } from "../queue/stats.js";
import type { Attachment } from "../segment/attachment.js";

/** A participant that works on calls of a service. */
export interface ServiceWorker extends Omit<QueueHolder, "taken"> {
  /** How many calls it works on. */
  serving: number;
}

/** Counters of a service. They are read one after the other, so while others use it, they need not fit together. */
export interface ServiceStats {
  /** Requests sent since the service was created; one that was sent again counts again. */
  called: number;
  /** Requests that wait for a server. Those that were withdrawn count until a server comes by. */
  waiting: number;
  /** Requests that servers work on, and whose callers wait. */
  serving: number;
  /** Requests whose server died, or ended without an answer. */
  lost: number;
  /** How many calls there can be. */
  capacity: number;
  /** Who works on calls, in the order of the slots. */
  servers: ServiceWorker[];
}

/** @internal Where a service is. It is inside the segment with these parameters: the core has checked that. */
export interface ServicePlace {
  readonly service: number;
  readonly capacity: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** @internal The current counters of a service. */
export function serviceStats(attachment: Attachment, place: ServicePlace): ServiceStats {
  const { core } = attachment;
  const { service, capacity, requestBytes, responseBytes } = place;
  const queue = core.serviceQueue(service) >>> 0;
  const slotBytes = core.serviceSlotBytes(requestBytes, responseBytes);
  const { sent, queued, taken, redelivered, holders } = queueStats(attachment, {
    queue,
    capacity,
    slotBytes,
  });
  return {
    called: sent,
    waiting: queued,
    serving: taken,
    lost: redelivered,
    capacity,
    servers: holders.map(({ taken: serving, ...who }) => ({ ...who, serving })),
  };
}
