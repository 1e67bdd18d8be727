/** Bugs in ts/queue, and in the death watch. */
import { type Bug, inSource } from "../bug.js";

const queue = inSource("ts/queue/queue.ts");
const slots = inSource("ts/queue/slots.ts");
const job = inSource("ts/queue/job.ts");
const stats = inSource("ts/queue/stats.ts");
const parameters = inSource("ts/queue/parameters.ts");
const errors = inSource("ts/queue/errors.ts");
const attachment = inSource("ts/segment/attachment.ts");
const deathWatch = inSource("ts/segment/death-watch.ts");
const participants = inSource("assembly/participants.ts");

const values = inSource("ts/queue/values.ts");
const references = inSource("assembly/queue-values.ts");

const sharing = inSource("ts/values/sharing.ts");
const valuesCore = inSource("assembly/values.ts");

export const BUGS: Bug[] = [
  sharing(
    "a look for a circle that does not count is believed",
    "const links = core.valuesLinks();",
    "const links = 0;",
    "ts/values/deaths > two processes put two lists into each other",
  ),
  valuesCore(
    "a look for a circle that was overtaken is believed",
    "return links == 0 || links == valuesLinks();",
    "return links == 0 || links <= valuesLinks();",
    "interleave/interleave > a list is put into another one",
  ),
  valuesCore(
    "what was put into another one is not counted",
    "store32(VALUES_LINKS_OFFSET, load32(VALUES_LINKS_OFFSET) + 1);",
    "store32(VALUES_LINKS_OFFSET, load32(VALUES_LINKS_OFFSET));",
    "interleave/interleave > a list is put into another one",
  ),

  values(
    "what is shared on the way to the queue keeps a reference of its sender",
    "const end = (): void => work.end();",
    "const end = (): void => {};",
    "ts/queue/values",
  ),
  slots(
    "a value that was received leaves its message taken",
    "this.#core.queueValue(this.#queue, this.#capacity, this.#slotBytes, at, held, keeps ? 1 : 0),",
    "this.#core.queueValue(this.#queue, this.#capacity, this.#slotBytes, at, held, 1),",
    "ts/queue/values",
  ),
  job(
    "a job keeps the reference to a value that nobody has looked at, and closes one that was",
    "if (!this.#valueRead) this.#value?.close();",
    "if (this.#valueRead) this.#value?.close();",
    "ts/queue/values",
  ),
  references(
    "a message that has moved to its receiver keeps a reference",
    "if (!keeps) change(offset + MESSAGE_VALUE_OFFSET, 0);",
    "if (!keeps) store<u32>(offset + MESSAGE_VALUE_OFFSET, 0);",
    "crash/crash > receive",
  ),
  queue(
    "a task that waits is overtaken by tryTake",
    "return this.#slots.takers.length === 0 ? this.#take() : undefined;",
    "return this.#take();",
    "ts/queue/queue",
  ),
  queue(
    "a drain goes on for as long as messages come",
    "const most = Math.min(limit, this.capacity);",
    "const most = Math.min(limit, 100 * this.capacity);",
    "ts/queue/queue",
  ),
  slots(
    "one that waits and gives up does not pass its call on",
    "this.attachment.call(this.data, count, () => this.#core.waitersCall(this.data));",
    "if (count > 1) this.attachment.call(this.data, count, () => this.#core.waitersCall(this.data));",
    "ts/wait/pass-on",
  ),
  slots(
    "a message of any length is taken for one of the queue",
    "if (length <= this.#slotBytes && (valueBytes === 0 || length === valueBytes)) return true;",
    "if (length >= 0) return true;",
    "ts/queue/damage",
  ),
  attachment(
    "what participants that were removed had taken stays theirs",
    "for (const part of this.parts) part.settleDeaths?.();",
    "",
    "ts/queue/deaths > what a participant that was removed",
  ),
  attachment(
    "the heartbeat does not look after others",
    "      watchOthers(this);\n",
    "",
    "ts/queue/deaths > a consumer that never waits",
  ),
  slots(
    "the claim of a call that was cut off is kept",
    "if (this.#claimed !== 0) this.#cancel();",
    "",
    "ts/queue/cut-off",
  ),
  slots(
    "a message is kept that was taken by a call that was cut off",
    "if (this.#taken !== 0) this.#returnTaken(this.#taken);",
    "",
    "ts/queue/cut-off",
  ),
  job(
    "a job can be done twice",
    'slots.done(this.#at, this.#held);\n    this.#end("done");',
    "slots.done(this.#at, this.#held);",
    "ts/queue/queue",
  ),
  stats(
    "messages that were given back are not counted",
    "listed(0) + listed(1)",
    "listed(0)",
    "ts/queue/queue",
  ),
  parameters(
    "a queue drops what its dead consumers had taken, although it was made to deliver it again",
    '=== "drop" ? QUEUE_DROP : QUEUE_REDELIVER',
    '=== "drop" ? QUEUE_REDELIVER : QUEUE_DROP',
    "ts/queue/queue",
  ),
  errors(
    "the error of a sendMany does not say how many were sent",
    "return Object.assign(told, { sent });",
    "return told;",
    "ts/queue/queue",
  ),
  deathWatch(
    "the participant behind a dead one is not asked about",
    "if (!attachment.held(slot)) core.markDead();",
    "if (!attachment.held(slot)) return void core.markDead();",
    "ts/segment/death-watch",
  ),
  deathWatch(
    "nobody does the work of one that is stopped",
    "else if (!isStalled(attachment, slot)) return;",
    "else return;",
    "ts/segment/death-watch",
  ),
  participants(
    "the last slot has no successor",
    "const next = (slot + step) % participants;",
    "const next = min(slot + step, participants - 1);",
    "ts/queue/deaths > a consumer in the slot before",
  ),
];
