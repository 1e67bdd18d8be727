/** The parameters of a queue: those that its opener gives, or those of the existing one. */
import { QUEUE_DROP, QUEUE_REDELIVER } from "../../protocol/layout.js";
import { QUEUE_CAPACITY_MAX, QUEUE_MESSAGE_BYTES_MAX } from "../../protocol/limits.js";
import { integer, oneOf, options } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import { findObject } from "../segment/directory.js";
import { type Fields, type Struct, structOf } from "../struct/struct.js";

/** What happens to messages whose taker dies before they are done. */
export type OnConsumerDeath = "redeliver" | "drop";

/** How a queue is created. Every opener must pass the same values, or neither `capacity` nor `slotBytes`. */
export interface QueueOptions<F extends Fields = never> {
  /**
   * How many messages there can be at a time, 1 to 1,048,576: those that wait, those that are written, and those that were taken
   * and are not done. Without `capacity` and `slotBytes`, the call opens an existing queue, and creates none.
   */
  capacity?: number | undefined;
  /** Bytes of the largest message, 1 to 268,435,456. With a layout at least, and by default, the bytes of a value. */
  slotBytes?: number | undefined;
  /** A layout made by `struct`: then the queue carries values. Default: none; messages are bytes of up to `slotBytes`. */
  layout?: Struct<F> | undefined;
  /**
   * What happens to a message when the process dies that has taken it, before it was done. "redeliver" (the default): the next
   * consumer gets it, so each message is handled at least once. "drop": it is gone and counted, so none is handled twice.
   */
  onConsumerDeath?: OnConsumerDeath | undefined;
}

/** @internal As the directory has them, in its order. */
export interface QueueParameters {
  capacity: number;
  slotBytes: number;
  /** Hash of the layout, or 0. */
  layout: number;
  /** QUEUE_REDELIVER or QUEUE_DROP. */
  onConsumerDeath: number;
}

const POLICIES: readonly OnConsumerDeath[] = ["redeliver", "drop"];
const NAMES = ["capacity", "slotBytes", "layout", "onConsumerDeath"];

/** @internal The parameters with which a queue is opened, and the layout that was given. */
export function queueParameters(
  attachment: Attachment,
  name: string,
  given: QueueOptions<Fields> | undefined,
): { struct: Struct<Fields> | undefined; parameters: QueueParameters } {
  const { capacity, slotBytes, layout, onConsumerDeath } = options<QueueOptions<Fields>>(
    "options",
    given,
    NAMES,
  );
  const struct = layout === undefined ? undefined : structOf("layout", layout);
  const policy = onConsumerDeath === undefined ? undefined : policyOf(onConsumerDeath);
  if (capacity === undefined && slotBytes === undefined) {
    const found = existing(attachment, name);
    const parameters = {
      ...found,
      layout: struct?.hash ?? found.layout,
      onConsumerDeath: policy ?? found.onConsumerDeath,
    };
    return { struct, parameters };
  }
  const parameters = {
    capacity: integer("capacity", capacity, 1, QUEUE_CAPACITY_MAX),
    slotBytes: integer("slotBytes", slotBytes ?? struct?.bytes, struct?.bytes ?? 1, QUEUE_MESSAGE_BYTES_MAX),
    layout: struct?.hash ?? 0,
    onConsumerDeath: policy ?? QUEUE_REDELIVER,
  };
  return { struct, parameters };
}

function policyOf(value: unknown): number {
  return oneOf("onConsumerDeath", value, POLICIES) === "drop" ? QUEUE_DROP : QUEUE_REDELIVER;
}

/** Those of the existing queue. If the name belongs to another kind of object, they are 0, and opening it is refused. */
function existing(attachment: Attachment, name: string): QueueParameters {
  attachment.check(false);
  const found = findObject(attachment, name);
  if (!found) {
    throw new IsthmusError(
      "NOT_FOUND",
      `segment "${attachment.name}" has no object "${name}"; give { capacity, slotBytes } to make a queue`,
    );
  }
  const {
    capacity = 0,
    slotBytes = 0,
    layout = 0,
    onConsumerDeath = 0,
  } = found.type === "queue" ? found.parameters : {};
  return { capacity, slotBytes, layout, onConsumerDeath };
}
