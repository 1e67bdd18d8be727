/** Shared values that are sent through a queue. */
import type { Attachment } from "../segment/attachment.js";
import type { Reference } from "../values/access.js";
import { sharedUnder } from "../values/shared.js";
import { type Shareable, Sharing } from "../values/sharing.js";

/** A value that is to be sent, which stays until `end`. */
export interface SentValue {
  readonly reference: Reference;
  end(): void;
}

/** A value of the user: a shared one as it is; anything else is shared first, and nobody but the message keeps it then. */
export function sentOf(attachment: Attachment, value: Shareable): SentValue {
  const shared = sharedUnder(value);
  if (shared) return { reference: shared.referenceIn(attachment, "value"), end() {} };
  const work = new Sharing(attachment, "value");
  const end = (): void => work.end();
  try {
    const { reference } = work.handleOf(value);
    return { reference, end };
  } catch (error) {
    end();
    throw error;
  }
}
