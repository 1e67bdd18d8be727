/** Reads the header and the participants of a segment. It takes no lock and writes nothing. */
import {
  HEADER_ABI_VERSION_OFFSET,
  HEADER_CLEAN_OFFSET,
  HEADER_CREATED_NS_OFFSET,
  HEADER_CREATOR_PID_OFFSET,
  HEADER_DIRECTORY_ENTRIES_OFFSET,
  HEADER_DROPS_OFFSET,
  HEADER_FINGERPRINT_OFFSET,
  HEADER_GENERATION_OFFSET,
  HEADER_HEADER_SIZE_OFFSET,
  HEADER_HEARTBEAT_NS_OFFSET,
  HEADER_LAYOUT_MISMATCHES_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_PARTICIPANTS_OFFSET,
  HEADER_PAYLOAD_OFFSET_OFFSET,
  HEADER_PAYLOAD_SIZE_OFFSET,
  HEADER_RECOVERIES_OFFSET,
  HEADER_REFUSALS_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TEMPORARY_OFFSET,
  HEADER_TOTAL_SIZE_OFFSET,
  HEADER_VERSION_MISMATCHES_OFFSET,
  MAGIC_TEMPORARY,
  PARTICIPANT_BYTES,
  PARTICIPANT_HEARTBEAT_NS_OFFSET,
  PARTICIPANT_JOINED_NS_OFFSET,
  PARTICIPANT_PID_OFFSET,
  PARTICIPANT_RUNTIME_OFFSET,
  PARTICIPANTS_OFFSET,
  RUNTIME_BUN,
  RUNTIME_C,
  RUNTIME_DENO,
  RUNTIME_DOTNET,
  RUNTIME_GO,
  RUNTIME_JVM,
  RUNTIME_NODE,
  RUNTIME_PYTHON,
  RUNTIME_RUST,
  SLOT_EVICTED,
  SLOT_FREE,
  SLOT_LIVE,
  STATE_INITIALIZING,
  STATE_READY,
} from "../../protocol/layout.js";
import { STALLED_MS } from "../../protocol/limits.js";
import type { Attachment } from "./attachment.js";
import { stateOf as stateOfSlot } from "./token.js";

/** READY: can be used. INITIALIZING: its creator is at work or has died. BROKEN: must not be used any more. */
export type SegmentState = "INITIALIZING" | "READY" | "BROKEN";

/** The header of a segment, field for field, with its counters. Times are dates, sizes are bytes. */
export interface SegmentHeader {
  /** The constant with which every segment begins. */
  magic: number;
  /** Version of the protocol. A release with another version is refused with VERSION_MISMATCH. */
  abiVersion: number;
  /** Bytes of the header. */
  headerSize: number;
  /** Whether the segment can be used. */
  state: SegmentState;
  /** Bytes of the segment. */
  totalSize: number;
  /** 1 for a new name; for a segment that replaced another one, the generation of that one plus 1. */
  generation: number;
  /** Latest sign of life of any participant. */
  heartbeat: Date;
  /** Where the heap begins: bytes from the start of the segment. */
  payloadOffset: number;
  /** Bytes of the heap. */
  payloadSize: number;
  /** Hash of the layout. A release with another layout is refused with LAYOUT_MISMATCH. */
  fingerprint: number;
  /** The last process that has the segment open removes its name when it closes it. */
  temporary: boolean;
  /** Number of participant slots, used or free. */
  participants: number;
  /** Most named objects that the segment can have. */
  directoryEntries: number;
  /** Process id in the creator's own pid namespace, for display. */
  creatorPid: number;
  /** When the segment was created. */
  created: Date;
  /** The last participant left without dying, and no participant has joined since. */
  clean: boolean;
  /** How many openers were refused with VERSION_MISMATCH. */
  versionMismatches: number;
  /** How many openers were refused with LAYOUT_MISMATCH. */
  layoutMismatches: number;
  /** How many openers were refused for another reason. */
  refusals: number;
  /** How many participants were found dead. */
  recoveries: number;
  /** How many records were not sent, because the timeout of the sender passed or its signal was aborted. */
  drops: number;
}

/** One runtime environment (a process, or a thread of one) that has a segment open for writing. */
export interface Participant {
  /** Number of the participant's slot, from 0. */
  slot: number;
  /** Process id in the participant's own pid namespace, for display. */
  pid: number;
  /** The runtime that it runs in. */
  runtime: "node" | "bun" | "deno" | "python" | "go" | "rust" | "c" | "jvm" | "dotnet" | "other";
  /** live: alive, as the kernel says; dead: it died without leaving; evicted: an operator removed it. */
  state: "live" | "dead" | "evicted";
  /** Alive, but without a heartbeat for 3 seconds: blocked, stopped, or starved. */
  stalled: boolean;
  /** When it opened the segment. */
  joined: Date;
  /** Its latest sign of life: one each second while its event loop runs. */
  heartbeat: Date;
  /** Whether it is this opener. */
  self: boolean;
}

/** Names of RUNTIME_…; a number that this release does not know is "other". */
const RUNTIMES: Record<number, Participant["runtime"]> = {
  [RUNTIME_NODE]: "node",
  [RUNTIME_BUN]: "bun",
  [RUNTIME_DENO]: "deno",
  [RUNTIME_PYTHON]: "python",
  [RUNTIME_GO]: "go",
  [RUNTIME_RUST]: "rust",
  [RUNTIME_C]: "c",
  [RUNTIME_JVM]: "jvm",
  [RUNTIME_DOTNET]: "dotnet",
};

function date(nanoseconds: bigint): Date {
  return new Date(Number(nanoseconds / 1_000_000n));
}

/** @internal */
export function stateOf(view: DataView): SegmentState {
  const state = view.getUint32(HEADER_STATE_OFFSET, true);
  return state === STATE_READY ? "READY" : state === STATE_INITIALIZING ? "INITIALIZING" : "BROKEN";
}

/** @internal */
export function headerOf(view: DataView): SegmentHeader {
  const u32 = (offset: number): number => view.getUint32(offset, true);
  const u64 = (offset: number): bigint => view.getBigUint64(offset, true);
  return {
    magic: u32(HEADER_MAGIC_OFFSET),
    abiVersion: view.getUint16(HEADER_ABI_VERSION_OFFSET, true),
    headerSize: view.getUint16(HEADER_HEADER_SIZE_OFFSET, true),
    state: stateOf(view),
    totalSize: Number(u64(HEADER_TOTAL_SIZE_OFFSET)),
    generation: Number(u64(HEADER_GENERATION_OFFSET)),
    heartbeat: date(u64(HEADER_HEARTBEAT_NS_OFFSET)),
    payloadOffset: Number(u64(HEADER_PAYLOAD_OFFSET_OFFSET)),
    payloadSize: Number(u64(HEADER_PAYLOAD_SIZE_OFFSET)),
    fingerprint: u32(HEADER_FINGERPRINT_OFFSET),
    temporary: u32(HEADER_TEMPORARY_OFFSET) === MAGIC_TEMPORARY,
    participants: u32(HEADER_PARTICIPANTS_OFFSET),
    directoryEntries: u32(HEADER_DIRECTORY_ENTRIES_OFFSET),
    creatorPid: u32(HEADER_CREATOR_PID_OFFSET),
    created: date(u64(HEADER_CREATED_NS_OFFSET)),
    clean: u32(HEADER_CLEAN_OFFSET) !== 0,
    versionMismatches: u32(HEADER_VERSION_MISMATCHES_OFFSET),
    layoutMismatches: u32(HEADER_LAYOUT_MISMATCHES_OFFSET),
    refusals: u32(HEADER_REFUSALS_OFFSET),
    recoveries: u32(HEADER_RECOVERIES_OFFSET),
    drops: u32(HEADER_DROPS_OFFSET),
  };
}

/** @internal All participants that have a slot. A dead one is listed until its slot is used again. */
export function participantsOf(attachment: Attachment): Participant[] {
  const { view } = attachment;
  const now = Date.now();
  const found: Participant[] = [];
  const slots: number = attachment.core.participants.value;
  for (let slot = 0; slot < slots; slot++) {
    const at = PARTICIPANTS_OFFSET + slot * PARTICIPANT_BYTES;
    const word = stateOfSlot(view.getUint32(at, true));
    if (word === SLOT_FREE) continue;
    const live = word === SLOT_LIVE && attachment.held(slot);
    const heartbeat = date(view.getBigUint64(at + PARTICIPANT_HEARTBEAT_NS_OFFSET, true));
    found.push({
      slot,
      pid: view.getUint32(at + PARTICIPANT_PID_OFFSET, true),
      runtime: RUNTIMES[view.getUint32(at + PARTICIPANT_RUNTIME_OFFSET, true)] ?? "other",
      state: live ? "live" : word === SLOT_EVICTED ? "evicted" : "dead",
      stalled: live && now - heartbeat.getTime() > STALLED_MS,
      joined: date(view.getBigUint64(at + PARTICIPANT_JOINED_NS_OFFSET, true)),
      heartbeat,
      self: slot === attachment.slot,
    });
  }
  return found;
}

/** @internal The generation of the segment under its name. */
export function generationOf(view: DataView): number {
  return Number(view.getBigUint64(HEADER_GENERATION_OFFSET, true));
}

/** @internal Whether the name of the segment leads elsewhere by now, or a file system writes to a copy of its file. */
export function isStale({ core, region }: Attachment): boolean {
  if (core.isStale() !== 0 || !region.info().linked) return true;
  // The header and the slots: every writer that joins increments the generation of a slot.
  const slots: number = core.participants.value;
  return region.isLeftBehind(PARTICIPANTS_OFFSET + slots * PARTICIPANT_BYTES);
}
