/**
 * A stretch of records whose payloads the host has copied in one piece: headers go between them. Wait-free.
 *
 *     before:  | free                 | payload 0 | payload 1 | payload 2 |   the slab, up to the end of the stretch
 *     after:   | header | payload 0 .. | header | payload 1 .. | header | payload 2 .. |
 *              at                                                                      at + bytes
 *
 * Payload i moves forward to where its record begins, never past what has not moved yet: in front of it there are the headers
 * and the padding of all records from i on. So one walk from the front is enough.
 *
 * To send a stretch:
 *  1. claim: the host has room for all of its records, one behind the other (see `ring.ts`)
 *  2. the host copies the payloads, without gaps, to where the last of them ends with the stretch, and the lengths to the scratch
 *  3. write each header, move each payload
 *  4. publish the head: all of them are sent
 *
 * If a participant dies: before step 4 there are bytes beyond the head, which the next producer writes over. After it the
 * records are sent. If the call is cut off and its participant lives on: the same, see `ring.ts`.
 */
import { CORRUPT } from "../protocol/errors";
import { PARTICIPANT_SCRATCH_BYTES, RECORD_DATA, RECORD_HEADER_BYTES } from "../protocol/layout";
import { scratch } from "./participants";
import { recordBytes, ringPublish } from "./ring";

/** From here on the engine's own move is faster than ours. */
const MOVE_BYTES_MIN: u32 = 512;

/**
 * Sends `records` of `bytes` at `at`, whose payloads of `payloadBytes` stand at the end of these bytes, and whose lengths stand
 * in the scratch. 0, FLAG_WAKE, or an error: CORRUPT when the lengths, which a peer may have changed, give other records.
 */
export function ringSpread(ring: usize, at: u32, bytes: u32, payloadBytes: u32, records: u32): u32 {
  const end = at + bytes;
  if (records > u32(PARTICIPANT_SCRATCH_BYTES / 4) || payloadBytes > bytes) return CORRUPT;
  const lengths = scratch();
  let from = end - payloadBytes;
  let to = at;
  for (let index: u32 = 0; index < records; index++) {
    const length = load<u32>(lengths + (index << 2));
    if (length > end - from) return CORRUPT;
    const next = to + recordBytes(length);
    // Lengths of other records: a payload would move backward, over those behind it.
    if (next > end || to + RECORD_HEADER_BYTES > from) return CORRUPT;
    store<u64>(to, (u64(RECORD_DATA) << 32) | length);
    forward(to + RECORD_HEADER_BYTES, from, length);
    from += length;
    to = next;
  }
  if (to != end) return CORRUPT;
  return ringPublish(ring, bytes, records, payloadBytes);
}

/** Moves bytes to where they lay, or before. */
function forward(to: u32, from: u32, bytes: u32): void {
  if (bytes >= MOVE_BYTES_MIN) {
    memory.copy(to, from, bytes);
    return;
  }
  const end = from + bytes;
  for (; from + 32 <= end; from += 32, to += 32) {
    const first = load<u64>(from);
    const second = load<u64>(from, 8);
    const third = load<u64>(from, 16);
    const fourth = load<u64>(from, 24);
    store<u64>(to, first);
    store<u64>(to, second, 8);
    store<u64>(to, third, 16);
    store<u64>(to, fourth, 24);
  }
  for (; from + 8 <= end; from += 8, to += 8) store<u64>(to, load<u64>(from));
  for (; from < end; from++, to++) store<u8>(to, load<u8>(from));
}
