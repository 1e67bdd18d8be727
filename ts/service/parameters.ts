/** The parameters of a service: those that its opener gives, or those of the existing one. */
import { SERVICE_FAIL, SERVICE_RETRY } from "../../protocol/layout.js";
import { QUEUE_CAPACITY_MAX, SERVICE_MESSAGE_BYTES_MAX } from "../../protocol/limits.js";
import { integer, oneOf, options } from "../arguments.js";
import { IsthmusError } from "../errors.js";
import type { Attachment } from "../segment/attachment.js";
import { findObject } from "../segment/directory.js";

/** What happens to calls whose server dies before it has answered them. */
export type OnServerDeath = "fail" | "retry";

/** How a service is created. Every opener must pass the same values, or none of the three numbers. */
export interface ServiceOptions {
  /** Bytes of the largest request, 1 to 268,435,456. Without the three numbers, the call opens an existing service only. */
  requestBytes?: number | undefined;
  /** Bytes of the largest response, 1 to 268,435,456. The text of a failure has the same room, and is cut off behind it. */
  responseBytes?: number | undefined;
  /** How many calls there can be at a time, 1 to 1,048,576: those that wait, and those that servers work on. */
  capacity?: number | undefined;
  /**
   * What happens to a call when the process dies that works on it. "fail" (the default): it fails with PEER_DIED, so each request
   * is handled at most once. "retry": another server gets it, so a request may be handled more than once.
   */
  onServerDeath?: OnServerDeath | undefined;
}

/** @internal As the directory has them, in its order. */
export interface ServiceParameters {
  capacity: number;
  requestBytes: number;
  responseBytes: number;
  /** SERVICE_FAIL or SERVICE_RETRY. */
  onServerDeath: number;
}

const POLICIES: readonly OnServerDeath[] = ["fail", "retry"];
const NAMES = ["requestBytes", "responseBytes", "capacity", "onServerDeath"];

/** @internal The parameters with which a service is opened. */
export function serviceParameters(
  attachment: Attachment,
  name: string,
  given: ServiceOptions | undefined,
): ServiceParameters {
  const { requestBytes, responseBytes, capacity, onServerDeath } = options<ServiceOptions>(
    "options",
    given,
    NAMES,
  );
  const policy = onServerDeath === undefined ? undefined : policyOf(onServerDeath);
  if (capacity === undefined && requestBytes === undefined && responseBytes === undefined) {
    const found = existing(attachment, name);
    return { ...found, onServerDeath: policy ?? found.onServerDeath };
  }
  return {
    capacity: integer("capacity", capacity, 1, QUEUE_CAPACITY_MAX),
    requestBytes: integer("requestBytes", requestBytes, 1, SERVICE_MESSAGE_BYTES_MAX),
    responseBytes: integer("responseBytes", responseBytes, 1, SERVICE_MESSAGE_BYTES_MAX),
    onServerDeath: policy ?? SERVICE_FAIL,
  };
}

function policyOf(value: unknown): number {
  return oneOf("onServerDeath", value, POLICIES) === "retry" ? SERVICE_RETRY : SERVICE_FAIL;
}

/** Those of the existing service. If the name belongs to another kind of object, they are 0, and opening it is refused. */
function existing(attachment: Attachment, name: string): ServiceParameters {
  attachment.check(false);
  const found = findObject(attachment, name);
  if (!found) {
    throw new IsthmusError(
      "NOT_FOUND",
      `segment "${attachment.name}" has no object "${name}"; give { requestBytes, responseBytes, capacity } to make a service`,
    );
  }
  const {
    capacity = 0,
    requestBytes = 0,
    responseBytes = 0,
    onServerDeath = 0,
  } = found.type === "service" ? found.parameters : {};
  return { capacity, requestBytes, responseBytes, onServerDeath };
}
