import { existsSync } from "node:fs";
import {
  type BroadcastStats,
  type CacheStats,
  type HeapCheck,
  type HeapStats,
  type IsthmusError,
  type LockInfo,
  type ObjectInfo,
  type Participant,
  type QueueStats,
  type RingStats,
  Segment,
  type SegmentHeader,
  type ServiceStats,
} from "../index.js";
import { type Command, DONE, Failure } from "./command.js";
import { pathOf } from "./file.js";
import { agoText, bytesText, json, line, paint, pairs, safe, table } from "./print.js";

interface InspectedObject extends ObjectInfo {
  /** Counters of a ring; absent for other objects. */
  stats?: RingStats;
  /** Why a damaged object cannot be read. */
  problem?: string;
}

interface Root {
  root: number | undefined;
  rootValue?: string;
}

/** `isthmus inspect NAME`: everything a segment says about itself. */
export const inspect: Command = {
  help: [
    "Opens the segment read-only: it writes nothing and takes no lock in the segment.",
    "The kernel says whether a participant is live or dead. A stalled participant is live, but has sent no heartbeat for 3 s.",
    "A NAME with a slash is the path of a segment in a file, or its URL (file:///...). For a file in this folder, write ./NAME.",
  ].join("\n"),
  run({ names: [given], json: asJson }) {
    const name = pathOf(given);
    using segment = opened(name);
    const { header, generation, stale, bytes } = segment;
    const participants = segment.participants();
    const objects = segment.objects().map((object) => inspected(segment, object));
    const heap = { ...segment.heap.stats, ...rootOf(segment), check: segment.heap.check() };
    if (asJson) {
      json({ name, bytes, generation, stale, header, participants, heap, objects });
      return DONE;
    }
    line(`${paint.bold(safe(name))}${stale ? paint.yellow("  stale: the name no longer leads to it") : ""}`);
    printHeader(header);
    printParticipants(participants);
    printHeap(heap);
    printObjects(objects);
    return DONE;
  },
};

const access = "read-only";

function opened(name: string): Segment {
  if (name.includes("/")) return Segment.openFile(name, { access });
  try {
    return Segment.open(name, { access });
  } catch (error) {
    const { code, message } = error as IsthmusError;
    if ((code !== "NOT_FOUND" && code !== "INVALID_NAME") || !existsSync(name)) throw error;
    throw new Failure(`${message}; for the file of that name, write ./${name}`, code);
  }
}

/** Offset of the root block, or the kind of the shared value that is the root; neither when there is none or it is damaged. */
function rootOf(segment: Segment): Root {
  using value = segment.rootValue;
  if (value) return { root: undefined, rootValue: value.constructor.name };
  return { root: segment.root?.offset };
}

function inspected(segment: Segment, object: ObjectInfo): InspectedObject {
  if (object.type === "unknown") return { ...object, problem: "CORRUPT: its type is not known" };
  if (object.type !== "ring") return object;
  try {
    return { ...object, stats: segment.ring(object.name).stats };
  } catch (error) {
    return { ...object, problem: (error as Error).message };
  }
}

function printHeader(header: SegmentHeader): void {
  const state = header.state === "READY" ? header.state : paint.red(header.state);
  line();
  line(paint.dim("HEADER"));
  pairs([
    ["state", `${state}, ${header.clean ? "closed cleanly" : "in use, or not closed cleanly"}`],
    ["size", `${bytesText(header.totalSize)}, of it ${bytesText(header.payloadSize)} for objects`],
    ["generation", `${header.generation}`],
    ["created", `${agoText(header.created)} by process ${header.creatorPid}`],
    ["heartbeat", agoText(header.heartbeat)],
    ["protocol", `version ${header.abiVersion}, layout ${header.fingerprint.toString(16).padStart(8, "0")}`],
    ["slots", `${header.participants} participants, ${header.directoryEntries} objects`],
  ]);
  line();
  line(paint.dim("COUNTERS"));
  pairs([
    ["version mismatches", `${header.versionMismatches}`],
    ["layout mismatches", `${header.layoutMismatches}`],
    ["refusals", `${header.refusals}`],
    ["recoveries", `${header.recoveries}`],
    ["drops", `${header.drops}`],
  ]);
}

function stateText({ state, stalled }: Participant): string {
  if (state !== "live") return paint.red(state);
  return stalled ? paint.yellow("live, stalled") : paint.green("live");
}

function printParticipants(participants: Participant[]): void {
  line();
  if (participants.length === 0) {
    line(paint.dim("no participants"));
    return;
  }
  table(
    [">SLOT", ">PID", "RUNTIME", "STATE", ">JOINED", ">HEARTBEAT"],
    participants.map((one) => [
      `${one.slot}`,
      `${one.pid}`,
      one.runtime,
      stateText(one),
      agoText(one.joined),
      agoText(one.heartbeat),
    ]),
  );
}

function printHeap(heap: HeapStats & Root & { check: HeapCheck }): void {
  const { ok, problems } = heap.check;
  const found = problems.map(({ offset, what }) => `${what} (offset ${offset})`).join("; ");
  line();
  line(paint.dim("HEAP"));
  pairs([
    ["used", `${bytesText(heap.used)} in ${heap.blocks} blocks`],
    ["free", `${bytesText(heap.free)} of ${bytesText(heap.bytes)}`],
    ["root", heap.rootValue ?? (heap.root === undefined ? "none" : `block at offset ${heap.root}`)],
    ["check", ok ? paint.green("in order") : paint.red(found)],
  ]);
}

function lockText({ state, owner, shared, ownerDied }: LockInfo): string {
  const one = ({ pid, alive }: { pid: number; alive: boolean }) => `${pid}${alive ? "" : " (dead)"}`;
  const texts = [state === "broken" ? paint.red(state) : state];
  if (owner) texts[0] += ` by process ${one(owner)}`;
  if (state === "waiting" && owner) texts[0] = `process ${one(owner)} waits for it`;
  if (shared.length > 0) texts.push(`held shared by ${shared.map(one).join(", ")}`);
  if (ownerDied) texts.push(paint.yellow("an owner died"));
  return texts.filter((text) => text !== "shared").join(", ");
}

function valueText(type: string, value: number): string {
  if (type === "event") return value === 0 ? "not signaled" : "signaled";
  return type === "semaphore" ? `${value} to take` : `${value}`;
}

function liveText(object: InspectedObject): string {
  const { stats, problem, version, lock, value, queue, broadcast, cache, service } = object;
  if (problem) return paint.red(safe(problem));
  if (lock) return lockText(lock);
  if (queue) return queueText(queue);
  if (broadcast) return broadcastText(broadcast);
  if (cache) return cacheText(cache);
  if (service) return serviceText(service);
  if (value !== undefined) return valueText(object.type, value);
  if (version !== undefined) return `${version} written`;
  if (!stats) return "";
  const filled = Math.round((100 * stats.used) / stats.capacity);
  const last = lastText(stats.lastSentAt);
  const ends = endText("producer", stats.producer) + endText("consumer", stats.consumer);
  return `${stats.sent} sent (${bytesText(stats.bytes)}), ${stats.received} received, ${filled} % full${last}${ends}`;
}

/** Losses only where there are any. */
function queueText(queue: QueueStats): string {
  const { sent, received, queued, taken, capacity, holders, redelivered, dropped, unsent } = queue;
  const takers = holders.map(({ pid, alive, taken }) => {
    const text = `${taken} by ${pid}`;
    return alive ? text : paint.yellow(`${text} (dead)`);
  });
  const losses = Object.entries({ redelivered, dropped, unsent }).filter(([, count]) => count > 0);
  return [
    `${sent} sent, ${received} received, ${queued} of ${capacity} queued`,
    ...(taken > 0 ? [`${taken} taken: ${takers.join(" and ")}`] : []),
    ...losses.map(([what, count]) => `${count} ${what}`),
  ].join(", ");
}

function broadcastText({ published, bytes, lastSentAt, publisher }: BroadcastStats): string {
  return `${published} published (${bytesText(bytes)})${lastText(lastSentAt)}${endText("publisher", publisher)}`;
}

function lastText(at: Date | undefined): string {
  return at ? `, last ${agoText(at)}` : "";
}

function cacheText({
  entries,
  bytes,
  capacity,
  hits,
  misses,
  hitRatio,
  evicted,
  expired,
}: CacheStats): string {
  const gone = Object.entries({ evicted, expired }).filter(([, count]) => count > 0);
  return [
    `${entries} entries, ${bytesText(bytes)} of ${bytesText(capacity)}`,
    ...(hits + misses > 0 ? [`${Math.floor(100 * hitRatio)} % of ${hits + misses} reads hit`] : []),
    ...gone.map(([what, count]) => `${count} ${what}`),
  ].join(", ");
}

function serviceText({ called, waiting, serving, lost, capacity, servers }: ServiceStats): string {
  const who = servers.map(({ pid, alive, serving }) => {
    const text = `${serving} by ${pid}`;
    return alive ? text : paint.yellow(`${text} (dead)`);
  });
  return [
    `${called} called, ${waiting} of ${capacity} waiting`,
    ...(serving > 0 ? [`${serving} being served: ${who.join(" and ")}`] : []),
    ...(lost > 0 ? [`${lost} lost`] : []),
  ].join(", ");
}

function endText(end: string, holder: { pid: number; alive: boolean } | undefined): string {
  if (!holder) return "";
  return `, ${end} ${holder.alive ? holder.pid : paint.yellow(`${holder.pid} (dead)`)}`;
}

function parameterText(key: string, value: number): string {
  if (key === "layout") return value.toString(16);
  if (key === "onConsumerDeath") return value === 0 ? "redeliver" : "drop";
  if (key === "onServerDeath") return value === 0 ? "fail" : "retry";
  return `${value}`;
}

function printObjects(objects: InspectedObject[]): void {
  line();
  if (objects.length === 0) {
    line(paint.dim("no objects"));
    return;
  }
  const parameters = (object: ObjectInfo) =>
    Object.entries(object.parameters)
      .map(([key, value]) => `${key} ${parameterText(key, value)}`)
      .join(", ");
  table(
    ["OBJECT", "TYPE", ">SIZE", "PARAMETERS", "LIVE"],
    objects.map((object) => [
      safe(object.name),
      object.type,
      bytesText(object.bytes),
      parameters(object),
      liveText(object),
    ]),
  );
}
