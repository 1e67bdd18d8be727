/** Bugs in ts/broadcast, and in what it needs of the core. */
import { type Bug, inSource } from "../bug.js";

const broadcast = inSource("ts/broadcast/broadcast.ts");
const cursor = inSource("ts/broadcast/cursor.ts");
const errors = inSource("ts/broadcast/errors.ts");
const geometry = inSource("ts/broadcast/geometry.ts");
const publisher = inSource("ts/broadcast/publisher.ts");
const record = inSource("ts/broadcast/record.ts");
const stats = inSource("ts/broadcast/stats.ts");
const subscriber = inSource("ts/broadcast/subscriber.ts");
const anyEnd = inSource("ts/segment/end.ts");
const owner = inSource("assembly/owner.ts");

const PROCESSES = "ts/broadcast/processes";
const FORMS = "ts/broadcast/broadcast";
const CUT_OFF = "ts/broadcast/cut-off";
const ENDS = "ts/broadcast/ends";

export const BUGS: Bug[] = [
  broadcast(
    "who opens it without its layout reads bytes",
    "if (this.#hidden) throw layoutHidden(this.name);",
    "",
    `${FORMS} > every opener gives the same parameters`,
  ),
  cursor(
    "records that were overwritten are not counted",
    "this.lost += this.number - this.#expected + (whole ? 0 : 1);",
    "this.lost += whole ? 0 : 1;",
    `${FORMS} > a subscriber that was overtaken`,
  ),
  cursor(
    "what was lost right before the end is not counted",
    "      this.lost += next - this.#expected;\n",
    "",
    `${CUT_OFF} > the number of what a dead publisher`,
  ),
  cursor(
    "an end before its begin is told to a subscriber",
    "if (!fromOldest) this.#passEnd();",
    "",
    `${ENDS} > who begins now`,
  ),
  cursor(
    "a reader never asks the kernel about its publisher",
    "if (attachment.readOnly && now - this.#askedMs < RECHECK_MS) return;",
    "if (attachment.readOnly) return;",
    `${PROCESSES} > a subscriber is told that its publisher was killed`,
  ),
  cursor(
    "a length that has changed is believed",
    "const fits = bytes === following - found && (this.#valueBytes === 0 || length === this.#valueBytes);",
    "const fits = bytes > 0 || following < found;",
    "ts/broadcast/damage > a record that is no value",
  ),
  errors(
    "a record that can never fit is tried",
    "if (length <= payloadMax) return;",
    "if (length <= payloadMax + 8) return;",
    `${FORMS} > records have 0 bytes`,
  ),
  geometry(
    "subscribers that wait are not woken by the end",
    "core.broadcastWaiters(topic), core.broadcastWaitersEnds(topic)]",
    "core.broadcastWaitersEnds(topic)]",
    "processes/wakeups/wakeups.test > it is a wake-up that ends a subscriber",
  ),
  publisher(
    "something is published while a claim is open",
    'if (this.#state !== "open") throw publisherUnusable(this.#geometry, this.#state);',
    'if (this.#state === "closed") throw publisherUnusable(this.#geometry, this.#state);',
    `${FORMS} > a claim is published`,
  ),
  publisher(
    "a claim is published with all of its bytes",
    "if (this.#commit(this.#claimed, length))",
    "if (this.#commit(this.#claimed, length | 15))",
    `${FORMS} > a claim is published`,
  ),
  record(
    "a copy of a record that was overwritten is given",
    "return this.isWhole() ? copy : undefined;",
    "return copy;",
    `${FORMS} > a record that is overwritten`,
  ),
  stats(
    "payload bytes are those of the last record",
    "BROADCAST_SENT_BYTES_OFFSET, true)),",
    "BROADCAST_SENT_BYTES_OFFSET, true)) % 3,",
    `${FORMS} > each subscriber gets`,
  ),
  subscriber(
    "a copy is given that was overwritten meanwhile",
    "if (!cursor.isWhole()) continue;",
    "if (cursor.number < 0) continue;",
    `${CUT_OFF} > a copy during which`,
  ),
  subscriber(
    "a try overtakes a call that waits",
    "return this.#queue.length === 0 ? this.#take() : undefined;",
    "return this.#take();",
    `${FORMS} > calls that wait are served`,
  ),
  subscriber(
    "a drain goes on for as long as records come",
    "cursor.expected <= newest && ",
    "newest >= 0 && ",
    `${FORMS} > drain hands out what is there`,
  ),
  anyEnd(
    "a publisher that ends without close has completed its stream",
    "if (this.#completes && !this.giving) this.#forget();",
    "if (this.#completes && this.giving) this.#forget();",
    `${PROCESSES} > a subscriber is told that its publisher was ended`,
  ),
  owner(
    "what a reader knows from the kernel is forgotten",
    "  gone = judged;",
    "  gone = 0;",
    `${PROCESSES} > a subscriber is told that its publisher was killed`,
  ),
];
