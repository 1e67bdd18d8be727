/** Runs a script at once, from its beginning to its end. */
import type { Exports } from "./arena.js";
import type { HostAccess, Script } from "./script.js";

/** Steps that a host access takes: payloads are copied in two halves. */
export function halvesOf(access: HostAccess): number {
  return access.is === "read" || access.is === "write" ? 2 : 1;
}

/** Copies one half of a payload; `read` collects what was read. */
export function copyHalf(access: HostAccess, half: number, memory: Uint8Array, read: Uint8Array): void {
  if (access.is !== "read" && access.is !== "write") return;
  const length = access.is === "read" ? access.length : access.bytes.length;
  const middle = length >>> 1;
  const [from, to] = half === 0 ? [0, middle] : [middle, length];
  const at = access.offset;
  if (at + length > memory.length) throw new Error(`a payload reaches from ${at} to ${at + length}`);
  if (access.is === "write") memory.set(access.bytes.subarray(from, to), at + from);
  else read.set(memory.subarray(at + from, at + to), from);
}

export interface Stage {
  exports: Exports;
  memory: Uint8Array;
  /** Called before each half of a host access. */
  reach?(access: HostAccess): void;
  /** Called when an export has returned. */
  returned?(): void;
}

function playAccess(access: HostAccess, stage: Stage): unknown {
  const data = new Uint8Array(access.is === "read" ? access.length : 0);
  for (let half = 0; half < halvesOf(access); half++) {
    stage.reach?.(access);
    copyHalf(access, half, stage.memory, data);
  }
  if (access.is === "sleep") {
    const view = new DataView(stage.memory.buffer);
    if (view.getUint32(access.offset, true) === access.expected >>> 0) throw new Error("sleeps for ever");
  }
  return access.is === "read" ? data : undefined;
}

export function variableOf(exports: Exports, name: string): number {
  return (exports[name] as unknown as { value: number }).value;
}

export function play<T>(script: Script<T>, stage: Stage): T {
  for (let answer: unknown; ; ) {
    const { value, done } = script.next(answer);
    if (done) return value;
    answer = undefined;
    if (value.is === "call") {
      const exported = stage.exports[value.name];
      if (!exported) throw new Error(`the core has no ${value.name}`);
      answer = exported(...value.args);
      stage.returned?.();
    } else if (value.is === "variable") answer = variableOf(stage.exports, value.name);
    else if (value.is === "retry" || (value.is === "until" && !value.holds())) {
      throw new Error("waits for ever");
    } else if ("offset" in value) answer = playAccess(value, stage);
  }
}
