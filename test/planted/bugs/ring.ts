/** Bugs in ts/ring and ts/latest. */
import { type Bug, inSource } from "../bug.js";

const claim = inSource("ts/ring/claim.ts");
const consumer = inSource("ts/ring/consumer.ts");
const cursor = inSource("ts/ring/cursor.ts");
const end = inSource("ts/ring/end.ts");
const anyEnd = inSource("ts/segment/end.ts");
const errors = inSource("ts/ring/errors.ts");
const head = inSource("ts/ring/head.ts");
const holders = inSource("ts/ring/holders.ts");
const pace = inSource("ts/ring/pace.ts");
const packed = inSource("ts/ring/packed.ts");
const producer = inSource("ts/ring/producer.ts");
const hostStreams = inSource("ts/host/streams.ts");
const owner = inSource("assembly/owner.ts");
const record = inSource("ts/ring/record.ts");
const records = inSource("ts/ring/records.ts");
const streams = inSource("ts/ring/streams.ts");
const streamEnds = inSource("ts/ring/stream-ends.ts");
const ring = inSource("ts/ring/ring.ts");
const sendTime = inSource("ts/ring/send-time.ts");
const latest = inSource("ts/latest/latest.ts");
const latestClaim = inSource("ts/latest/claim.ts");
const values = inSource("ts/latest/values.ts");

export const BUGS: Bug[] = [
  claim(
    "a claim is committed twice",
    "this.#producer = undefined;\n    return producer;",
    "return producer;",
    "ts/ring/ring > while a claim is open nothing else is sent",
  ),
  consumer(
    "a peeked record stays usable",
    "if (this.#peeked) this.#peeked.valid = false;\n    this.#peeked = record;",
    "this.#peeked = record;",
    "ts/ring/ring > a peeked record stays the next one",
  ),
  streamEnds(
    "the end of a stream is told to one call only",
    "return told.ends === this.#count;",
    "return told.ends >= 0;",
    "ts/ring/loops > all loops over one consumer end",
  ),
  consumer(
    "who polls stops at the end of a stream",
    "while (taken === undefined && this.#cursor.passEnd()) taken = this.#take();",
    "",
    "ts/ring/waiting-ends",
  ),
  consumer(
    "a try overtakes a call that waits",
    "if (this.#queue.length > 0) return undefined;\n    let taken",
    "let taken",
    "ts/ring/forms",
  ),
  streamEnds(
    "a loop that begins beside the one that is told is not told",
    "this.#isNew ? this.#count - 1 : this.#count",
    "this.#count",
    "ts/ring/loops > all loops over one consumer end",
  ),
  consumer(
    "a thread that holds both ends blocks for a record for ever",
    'checkBlocking: () => checkOtherEnd(attachment, endOf(attachment, "producer", this.#geometry)),',
    "",
    "ts/ring/drain-calls",
  ),
  consumer(
    "the function of a drain runs while its thread counts as blocked",
    "const some = this.#waitSync(() => this.#cursor.next() || undefined, false, how);",
    "const some = this.#waitSync(() => this.#drain(handle, limit) || undefined, false, how);",
    "ts/wait/ends",
  ),
  cursor(
    "a participant that was removed inside drain is handed all of the stretch",
    "if (stateOf(u32[slotWord]) !== SLOT_LIVE) return walked;",
    "",
    "ts/ring/drain-calls",
  ),
  cursor(
    "a consumer that is closed inside drain goes on",
    "if (this.closed) return walked;",
    "",
    "ts/ring/drain-calls",
  ),
  cursor(
    "a large record counts as consumed when it is received, also when each is acknowledged",
    "each ? Number.POSITIVE_INFINITY : geometry",
    "geometry",
    "ts/ring/acknowledge > acknowledging each, a large record",
  ),
  cursor(
    "a record is not acknowledged when the next one is asked for",
    "if (this.#each && this.#advance > 0) this.release();",
    "",
    "ts/ring/acknowledge > acknowledging each, a small record",
  ),
  cursor(
    "a receive that was cut off counts what was taken twice",
    "if (this.#asking && position !== this.#position)",
    "if (this.#asking && position < 0)",
    "ts/ring/cut-off",
  ),
  cursor(
    "the stretch goes on behind the end of the data",
    "if (at === to) this.#end = end;",
    "this.#end = end;",
    "ts/ring/stretches",
  ),
  cursor(
    "a producer that waits for room waits for all of a stretch",
    " || u32[this.#waiting] !== 0",
    "",
    "ts/ring/stretches",
  ),
  head(
    "the lines of the next records are fetched although there is no room",
    "Math.min(FETCH_BYTES, this.#room)",
    "FETCH_BYTES",
    "ts/ring/pace",
  ),
  pace(
    "the pauses go on although they bring one record each",
    "this.#stream = -this.#doubt;",
    "this.#stream = STREAM;",
    "ts/ring/pace",
  ),
  pace(
    "the pauses of a stream go on after its end",
    "if (++this.#looks > LOOKS_MAX) this.#stream = Math.min(this.#stream, 0);",
    "this.#looks++;",
    "ts/ring/pace",
  ),
  head(
    "a send that was cut off leaves an offset that is too small",
    "const room = this.#room;\n    this.#room = 0;\n    const next",
    "const room = this.#room;\n    const next",
    "ts/ring/cut-off",
  ),
  head(
    "a batch that was cut off leaves an offset that is too small",
    "const room = this.#room;\n    this.#room = 0;\n    const result",
    "const room = this.#room;\n    const result",
    "ts/ring/cut-off",
  ),
  packed(
    "lengths may add up to more than the slab",
    "if (sum <= slab.length) return lengths;",
    "if (sum >= 0) return lengths;",
    "ts/ring/packed",
  ),
  head(
    "a batch is sent in part although an element behind is wrong",
    "this.checkMany(payloads, index);",
    "",
    "ts/ring/stretches",
  ),
  head(
    "a slab that is sent in part goes on at its begin",
    "slab.subarray(from, from + payloadBytes)",
    "slab.subarray(0, payloadBytes)",
    "ts/ring/packed",
  ),
  cursor(
    "records of a slab are acknowledged one by one, and so too soon",
    "this.#step() || ((packed === 0 || !this.#each) && this.#ask(false))",
    "this.#step() || this.#ask(false)",
    "ts/ring/packed",
  ),
  end(
    "those who wait for an end are not woken",
    "if (attachment.core.waitersAny(ends)) attachment.notify(ends);",
    "void ends;",
    "processes/wakeups/wakeups.test",
  ),
  anyEnd(
    "an end whose giving back was cut off stays held until the heartbeat",
    "  settleEnd();\n  return attachment.retryPastDead",
    "  return attachment.retryPastDead",
    "processes/cut-off-steps > what was given back is free: producer",
  ),
  producer(
    "an end whose giving back was cut off stays held",
    "    this.#part.giving = how;\n    this.#head.stamp.ended = true;",
    "    this.#head.stamp.ended = true;\n    how(this.attachment, this.#ring);",
    "processes/cut-off-steps > what was given back is free: producer",
  ),
  anyEnd(
    "each call that waits for an end looks for it again and again",
    "    queue,\n    attempt",
    "    attempt",
    "ts/wait/many > however many wait for a producer's end",
  ),
  anyEnd(
    "an opener waits for its own end",
    "if (holderOf(attachment, end) !== attachment.slot) return;",
    "if (attachment.slot >= 0) return;",
    "ts/ring/waiting-ends > waiting without end for an end",
  ),
  holders(
    "the holder of the other end is shown",
    "producer: holderOf(attachment, ring + RING_PRODUCER_OFFSET)",
    "producer: holderOf(attachment, ring + RING_CONSUMER_OFFSET)",
    "ts/ring/waiting-ends > the holder of an end that",
  ),
  producer(
    "a try overtakes a send that waits",
    "return this.#queue.length === 0 ? this.#head.append(payload) : this.#comesLater(payload.length);",
    "return this.#head.append(payload);",
    "ts/ring/forms",
  ),
  producer(
    "a claim that waited does not hold back what comes after it",
    'if (queue && this.#head.state === "claimed") return NOT_YET;',
    "",
    "ts/ring/forms",
  ),
  records("a loop that is left goes on to wait", "this.#leaving.abort(undefined);", "", "ts/ring/loops"),
  streams(
    "a stream of writes that is aborted looks complete",
    "producer.abandon();",
    "producer.close();",
    "ts/ring/web-streams",
  ),
  streams(
    "a write that is under way does not fail with the reason of the abort",
    "throw aborted ? aborted.reason : error;",
    "throw error;",
    "ts/ring/web-streams > a signal fails both streams",
  ),
  streams(
    "a stream of writes takes no turn of the event loop",
    "if (turnIsDue() || !producer.trySend(chunk))",
    "if (!producer.trySend(chunk))",
    "ts/wait/turn > node ",
  ),
  hostStreams(
    "a stream reads before its reader asks",
    "{ highWaterMark: 0 }",
    "{ highWaterMark: 4 }",
    "ts/ring/web-streams",
  ),
  owner(
    "an end that is abandoned is closed",
    "const next = tokenOf(0, OWNER_ABANDONED) | (word & OWNER_ATTACH_MASK);",
    "const next = word | OWNER_CLOSED;",
    "ts/ring/web-streams",
  ),
  cursor(
    "the length of a record is not looked at again",
    "if (length > this.#geometry.end - at - RECORD_HEADER_BYTES) throw",
    "if (length < 0) throw",
    "failures/scribble > a length that changes after",
  ),
  cursor(
    "a batch believes the length of a record",
    "if (length > this.#end - at - RECORD_HEADER_BYTES || ",
    "if (",
    "failures/scribble > a header that changes while drain",
  ),
  end(
    "a record is not rounded up",
    "(length + RECORD_ALIGNMENT - 1)",
    "(length + RECORD_ALIGNMENT - 8)",
    "ts/ring/ring > a ring of n bytes takes",
  ),
  anyEnd(
    "an end that was collected is not given back",
    "this.giving ??= this.#close;",
    "void this.#close;",
    "ts/ring/cursor",
  ),
  errors(
    "a record that can never fit is waited for",
    "if (length <= capacity - RECORD_HEADER_BYTES) return;",
    "if (length >= 0) return;",
    "arguments/arguments > a record that can never fit",
  ),
  producer(
    "sends that gave up are not counted",
    "this.#core.countDrop();",
    "void this.#core;",
    "ts/ring/stats",
  ),
  record(
    "a released record is read",
    "if (!this.valid) throw",
    "if (!this) throw",
    "ts/ring/ring > a peeked record stays the next one",
  ),
  record(
    "the last bytes of a short record are not copied",
    "for (let i = whole * 4; i < length; i++) target[at + i]",
    "for (let i = whole * 4; i < length - 1; i++) target[at + i]",
    "ts/ring/ring > records go to targets of any alignment",
  ),
  ring("lastSentAt is in other units", "new Date(sentNs / 1e6)", "new Date(sentNs / 1e3)", "ts/ring/stats"),
  sendTime(
    "a send leaves no time",
    "this.#store(nowNs());",
    "void nowNs;",
    "ts/ring/ring > statistics count",
    "ts/ring/stats",
  ),
  latest(
    "a call of next misses the value that another one was given",
    "=== seen) return NOT_YET",
    "=== this.#seen) return NOT_YET",
    "ts/latest/values > loops do not take values",
  ),
  latest(
    "a reader that gives up leaves its pin",
    "}\n    core.latestValidate(this.#offset, this.#pin);",
    "}\n    void core;",
    "ts/latest/claim",
  ),
  latest(
    "a writer that is stopped is called damage",
    "BUSY,\n      `${attachment.suspectText()} is in the middle",
    "CORRUPT,\n      `${attachment.suspectText()} is in the middle",
    "ts/latest/claim",
  ),
  latest(
    "the last slot is called damaged",
    "offset + this.layout.bytes <= this.#end &&",
    "offset + this.layout.bytes < this.#end &&",
    "ts/latest/claim",
  ),
  latestClaim(
    "a claim whose end was cut off goes on for ever",
    "    this.#ending = true;\n",
    "",
    "processes/cut-off-steps > what was given back is free: claim",
  ),
  latestClaim(
    "a claim is written to after its end",
    "if (!this.#open) {",
    "if (this.#open === undefined) {",
    "ts/latest/claim",
  ),
  values(
    "a loop that was left goes on",
    "this.#leaving.abort(undefined);\n    return",
    "return",
    "ts/latest/values",
  ),
];
